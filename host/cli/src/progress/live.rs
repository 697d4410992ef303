//! Progress in a terminal: what happened scrolls up; below it stands what runs now, and one line a run of what waits
//! and why. Notices only change a state in memory; a thread draws it ten times a second, so that ten thousand short
//! tasks do not wait for the terminal.

use super::{Tracker, echo::NoControlEcho};
use crate::{
    ui::{Esc, Look, count, money, now, short, span},
    view::words,
};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sandgate_driver::Notice;
use sandgate_engine::{Evaluated, Event, GateState, Run, TaskState};
use sandgate_model::{AttemptEnd, Moment, RunId, TaskId, TaskIx};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Smooth enough for an eye; each drawing costs about a millisecond.
const TICK: Duration = Duration::from_millis(100);

/// Rows of running tasks: more would push what happened off a small terminal.
const ROWS_MAX: usize = 8;

/// Finished tasks are listed one by one up to this many tasks; above it only what went wrong is.
const EVERY_TASK_MAX: usize = 300;

/// Rows of requests that wait for people.
const ASKS_MAX: usize = 3;

/// Of a plugin's progress message.
const MESSAGE_MAX: usize = 80;

/// Whether standard error can be drawn on.
pub(super) fn possible() -> bool {
    !ProgressDrawTarget::stderr().is_hidden()
}

/// The display.
pub(crate) struct Live {
    state: Arc<Mutex<State>>,
    /// Dropped to end the drawing.
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    tracker: Tracker,
    look: Look,
    /// Lines to scroll up at the next drawing.
    pending: Vec<String>,
    running: BTreeSet<(RunId, TaskIx)>,
    /// Tasks of each run, instances included.
    sizes: BTreeMap<RunId, usize>,
    said: BTreeMap<(RunId, TaskId), String>,
    counted: BTreeMap<RunId, String>,
    count_again: Option<Instant>,
    /// Somebody else uses the terminal.
    held: bool,
    /// Nothing of this display is on the screen.
    blank: bool,
}

/// Longest that somebody waits for the display to go: a few drawings.
const BLANK_MAX: Duration = Duration::from_secs(1);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // A panic while drawing must not hide the end of a run.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Starts drawing.
    pub(super) fn start(look: Look) -> Self {
        let state = Arc::new(Mutex::new(State {
            tracker: Tracker::default(),
            look,
            pending: Vec::new(),
            running: BTreeSet::new(),
            sizes: BTreeMap::new(),
            said: BTreeMap::new(),
            counted: BTreeMap::new(),
            count_again: None,
            held: false,
            blank: true,
        }));
        let (stop, stopped) = mpsc::channel::<()>();
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || draw(&shared, &stopped))
            .ok();
        Self {
            state,
            stop,
            thread,
        }
    }

    /// Takes note of a run that exists already.
    pub(super) fn know(&self, run: Run) {
        let mut state = lock(&self.state);
        state.sizes.insert(run.id(), run.tasks().count());
        state.tracker.know(run);
    }

    /// Takes a notice in.
    pub(super) fn notice(&self, notice: &Notice) {
        lock(&self.state).notice(notice);
    }

    /// Scrolls a line of the host's own up.
    pub(super) fn note(&self, text: &str) {
        lock(&self.state).pending.push(text.to_owned());
    }

    /// Takes the display off the screen until [`Live::release`].
    pub(super) fn hold(&self) {
        lock(&self.state).held = true;
        let start = Instant::now();
        while start.elapsed() < BLANK_MAX && !lock(&self.state).blank {
            std::thread::sleep(TICK / 10);
        }
    }

    /// Draws again.
    pub(super) fn release(&self) {
        lock(&self.state).held = false;
    }

    /// Draws what is left and cleans up.
    pub(super) fn finish(self) {
        drop(self.stop);
        if let Some(thread) = self.thread {
            // It only draws; if it panicked there is nothing to save.
            drop(thread.join());
        }
    }
}

impl State {
    fn notice(&mut self, notice: &Notice) {
        let look = self.look.clone();
        let lines = self.tracker.lines(notice, &look);
        match notice {
            Notice::Event { run, event, .. } => {
                match &**event {
                    Event::AttemptStarted { task, .. } => {
                        self.running.insert((*run, *task));
                        // The row says so already.
                        return;
                    }
                    Event::AttemptEnded { task, end, .. } => {
                        self.running.remove(&(*run, *task));
                        let id = self.tracker.get(*run).and_then(|r| Some(r.task(*task)?.id));
                        if let Some(id) = id {
                            self.said.remove(&(*run, id));
                        }
                        let many = self.sizes.get(run).is_some_and(|n| *n > EVERY_TASK_MAX);
                        if many && !matches!(end, AttemptEnd::Failed { .. }) {
                            return;
                        }
                    }
                    Event::PlanFrozen { plan, .. } => {
                        self.sizes.insert(*run, plan.tasks.len());
                    }
                    Event::TaskEvaluated {
                        evaluated: Evaluated::Each { items },
                        ..
                    } => {
                        *self.sizes.entry(*run).or_default() += items.len();
                    }
                    _ => {}
                }
            }
            Notice::Progress {
                run,
                task,
                message,
                permille,
            } => {
                let done = permille.map_or(String::new(), |p| format!("{}% ", p.min(1000) / 10));
                let text = format!("{done}{}", short(message, MESSAGE_MAX));
                self.said.insert((*run, task.clone()), text);
            }
            Notice::Log { .. } | Notice::Fault { .. } => {}
        }
        self.pending.extend(lines);
    }

    /// The rows below what happened.
    fn rows(&mut self, at: Moment) -> Vec<String> {
        let many = self.tracker.many();
        let mut rows = Vec::new();
        for (run, ix) in self.running.iter().take(ROWS_MAX) {
            let Some(view) = self.tracker.get(*run).and_then(|r| r.task(*ix)) else {
                continue;
            };
            let agent = match &view.plan.work {
                sandgate_model::TaskWork::Agent { agent, .. } => agent.to_string(),
                sandgate_model::TaskWork::Wait(_) => String::new(),
            };
            let took = span(at.since(view.started.unwrap_or(view.since)));
            let said = self
                .said
                .get(&(*run, view.id.clone()))
                .map_or("", String::as_str);
            let head = if many {
                format!("{} ", run.short())
            } else {
                String::new()
            };
            let look = &self.look;
            rows.push(format!(
                "{head}{}{}  {}  {took}  {}",
                look.bold(&view.id),
                words::attempt(view.attempt.0),
                look.dim(agent),
                look.dim(said)
            ));
        }
        let more = self.running.len().saturating_sub(ROWS_MAX);
        if more > 0 {
            rows.push(format!("and {more} more"));
        }
        self.count();
        for run in self.tracker.runs().filter(|run| !run.state().ended()) {
            let counted = self.counted.get(&run.id()).map_or("", String::as_str);
            let elapsed = span(at.since(run.created()));
            let state = words::run_state(&self.look, run.state(), None, run.paused());
            let id = self.look.bold(format!("run {}", run.id().short()));
            rows.push(format!("{id} {state}  {counted}{elapsed}"));
            for ask in run.open_asks().take(ASKS_MAX) {
                let what = short(&ask.ask.what, MESSAGE_MAX);
                rows.push(format!(
                    "{} {}/{}: {what}",
                    self.look.warn(words::awaiting(&ask.ask.about)),
                    run.id().short(),
                    ask.no
                ));
            }
        }
        rows
    }

    /// Counts tasks and reasons. That walks the plan, so it is done only as often as it takes a twentieth of the
    /// time, and the small plans of every day are counted at each drawing.
    fn count(&mut self) {
        let start = Instant::now();
        if self.count_again.is_some_and(|again| start < again) {
            return;
        }
        let counted: Vec<(RunId, String)> = self
            .tracker
            .runs()
            .filter(|r| !r.state().ended())
            .map(|r| (r.id(), counts(r)))
            .collect();
        self.counted.extend(counted);
        self.count_again = Some(start + start.elapsed() * 20);
    }
}

/// "3 of 12 tasks done, 2 run, 7 wait (dependency 5, retry-backoff 2), cost 0.25, ".
fn counts(run: &Run) -> String {
    let Some(plan) = run.plan() else {
        let planner = run.planners().get(run.planner_failures().len());
        return planner.map_or(String::new(), |p| format!("planner {p} works, "));
    };
    let (mut done, mut running, mut all) = (0, 0, 0);
    let mut waiting: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut micros = 0u64;
    for task in run.tasks() {
        all += 1;
        if let Some(output) = task.output {
            micros = output
                .charges
                .iter()
                .fold(micros, |sum, c| sum.saturating_add(c.micros));
        }
        match task.state {
            // One with instances only waits for them.
            TaskState::Running => running += usize::from(task.instances == 0),
            state if state.ended() => done += 1,
            _ => {
                if let Some(blocked) = run.blocked(task.ix) {
                    *waiting.entry(blocked.reason.code()).or_default() += 1;
                }
            }
        }
    }
    let mut text = format!("{done} of {} done, ", count(all, "task"));
    if running > 0 {
        text.push_str(&format!("{running} running, "));
    }
    if !waiting.is_empty() {
        let n: usize = waiting.values().sum();
        let why: Vec<String> = waiting
            .iter()
            .map(|(code, n)| format!("{code} {n}"))
            .collect();
        text.push_str(&format!("{n} waiting ({}), ", why.join(", ")));
    }
    let gates: Vec<String> = run
        .gates()
        .filter(|g| g.state == GateState::Running)
        .map(|g| Esc(g.plan.id.as_str()).to_string())
        .collect();
    if !gates.is_empty() {
        text.push_str(&format!(
            "gates {} of {}, ",
            gates.join(", "),
            plan.gates.len()
        ));
    }
    if micros > 0 {
        text.push_str(&format!("cost {}, ", money(micros)));
    }
    text
}

fn draw(state: &Mutex<State>, stopped: &mpsc::Receiver<()>) {
    // Given back when the drawing is done.
    let _echo = NoControlEcho::new();
    let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let mut bars: Vec<ProgressBar> = Vec::new();
    loop {
        let last = matches!(
            stopped.recv_timeout(TICK),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
        let (pending, rows) = {
            let mut state = lock(state);
            if state.held && !last {
                (Vec::new(), Vec::new())
            } else {
                state.blank = false;
                let pending = std::mem::take(&mut state.pending);
                (pending, if last { Vec::new() } else { state.rows(now()) })
            }
        };
        while bars.len() > rows.len() {
            if let Some(bar) = bars.pop() {
                bar.finish_and_clear();
                multi.remove(&bar);
            }
        }
        if !pending.is_empty() {
            // A terminal that went away is not a reason to stop a run.
            drop(multi.println(pending.join("\n")));
        }
        while bars.len() < rows.len() {
            bars.push(multi.add(ProgressBar::new_spinner().with_style(style.clone())));
        }
        for (bar, row) in bars.iter().zip(rows) {
            bar.set_message(row);
            bar.tick();
        }
        let mut state = lock(state);
        state.blank = state.held && bars.is_empty();
        if last {
            return;
        }
    }
}
