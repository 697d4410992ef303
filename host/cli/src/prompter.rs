//! Asks approvals and questions in place, while the rest of the run goes on: one at a time, in a thread of its own. What
//! is decided elsewhere meanwhile withdraws the prompt. It hands on what the person said; whether that counts is decided
//! below.

use crate::{
    context::Context,
    control, present,
    progress::Tracker,
    ui::{Look, Reply, Terminal, Word},
    view::{
        ask::{self, DIGITS},
        said,
    },
};
use sandgate_driver::{Done, LookError, Notice, Project, Reader, Wish, WishError};
use sandgate_engine::{AskState, AskView, Run};
use sandgate_model::{About, AskNo, Decision, Digest, RunId};
use std::{
    collections::BTreeSet,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Hands a wish to whoever drives the project, and waits for the answer.
pub(crate) type Send = Box<dyn Fn(Wish) -> Result<Done, WishError> + std::marker::Send>;

/// Switches the live display off (`true`) and on again.
pub(crate) type Hold = Box<dyn Fn(bool) + std::marker::Send>;

/// How long the thread sleeps when nothing is to be asked; it is woken earlier when something is.
const NAP: Duration = Duration::from_secs(1);

/// How long the thread has to leave the terminal.
const LEAVE: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Prompter {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// What the loop and the thread share.
struct Desk {
    state: Mutex<State>,
    wake: Condvar,
    /// Something is being asked, or is to be.
    busy: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    tracker: Tracker,
    /// Only what these runs ask is asked here.
    runs: BTreeSet<RunId>,
    /// Asked once: what was said, or left for later, is not asked again.
    asked: BTreeSet<(RunId, AskNo)>,
    /// Nobody is to be asked any more.
    closed: bool,
}

impl State {
    fn next(&self) -> Option<(RunId, AskNo)> {
        if self.closed {
            return None;
        }
        let runs = self.runs.iter().filter_map(|id| self.tracker.get(*id));
        runs.flat_map(|run| run.open_asks().map(|ask| (run.id(), ask.no)))
            .find(|asked| !self.asked.contains(asked))
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens under the lock; if it did, the run must still go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock, so that the loop never sees "nothing to ask" while there is.
    fn tell(&self, state: &State) {
        let busy = state.next().is_some();
        self.busy
            .send_if_modified(|was| std::mem::replace(was, busy) != busy);
    }
}

impl Prompter {
    /// Starts, where a person can be asked.
    pub(crate) fn start(
        ctx: &Context,
        project: Arc<Project>,
        send: Send,
        hold: Hold,
    ) -> Option<Self> {
        if ctx.ui.quiet || ctx.ui.json() {
            return None;
        }
        let terminal = Terminal::open()?;
        let desk = Arc::new(Desk {
            state: Mutex::default(),
            wake: Condvar::new(),
            busy: watch::Sender::new(false),
        });
        let asker = Asker {
            desk: Arc::clone(&desk),
            project,
            look: ctx.ui.err.clone(),
            send,
            hold,
        };
        let thread = std::thread::Builder::new()
            .name("prompt".to_owned())
            .spawn(move || asker.work(terminal))
            .ok()?;
        Some(Self {
            desk,
            thread: Some(thread),
        })
    }

    /// Whether something is being asked or is to be asked.
    pub(crate) fn busy(&self) -> watch::Receiver<bool> {
        self.desk.busy.subscribe()
    }

    /// Takes note of a run as it is before the first notice about it.
    pub(crate) fn know(&self, run: Run) {
        let mut state = self.desk.state();
        state.runs.insert(run.id());
        state.tracker.know(run);
        self.desk.tell(&state);
        self.desk.wake.notify_all();
    }

    /// A run whose requests are asked here; it is known from its first event on.
    pub(crate) fn mind(&self, run: RunId) {
        let mut state = self.desk.state();
        state.runs.insert(run);
        self.desk.tell(&state);
        self.desk.wake.notify_all();
    }

    /// Takes a notice in.
    pub(crate) fn notice(&self, notice: &Notice) {
        let Notice::Event { run, at, event, .. } = notice else {
            return;
        };
        let mut state = self.desk.state();
        state.tracker.step(*run, *at, event);
        self.desk.tell(&state);
        self.desk.wake.notify_all();
    }

    /// Asks nothing any more. A prompt that is open is withdrawn.
    pub(crate) fn finish(mut self) {
        self.close();
        let Some(thread) = self.thread.take() else {
            return;
        };
        let start = Instant::now();
        while !thread.is_finished() && start.elapsed() < LEAVE {
            std::thread::sleep(LEAVE / 100);
        }
        // One that still waits for an answer of a host that stops is left to itself.
    }

    fn close(&self) {
        let mut state = self.desk.state();
        state.closed = true;
        self.desk.tell(&state);
        self.desk.wake.notify_all();
    }
}

impl Drop for Prompter {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread's side.
struct Asker {
    desk: Arc<Desk>,
    project: Arc<Project>,
    look: Look,
    send: Send,
    hold: Hold,
}

/// What was said at the prompt.
enum Said {
    Wish(Wish),
    Later,
    Withdrawn,
    Gone,
}

impl Asker {
    fn work(self, mut terminal: Terminal) {
        while let Some((run, no)) = self.wait() {
            (self.hold)(true);
            let said = self.one(&mut terminal, &run, no);
            let gone = matches!(said, Said::Gone);
            match said {
                Said::Wish(wish) => match (self.send)(wish) {
                    Ok(done) => terminal.say(&self.answer(&run, no, &done)),
                    Err(error) => {
                        let error = control::refused(error, Some(run.id()), "changed", &self.look);
                        terminal.say(&error.text(&self.look));
                    }
                },
                Said::Withdrawn => terminal.say(&self.withdrawn(&run, no)),
                Said::Later => {
                    let open = self.open(run.id(), no);
                    terminal.say(&open);
                }
                Said::Gone => {}
            }
            let mut state = self.desk.state();
            state.asked.insert((run.id(), no));
            state.closed |= gone;
            self.desk.tell(&state);
            drop(state);
            (self.hold)(false);
        }
    }

    /// The next request; `None`: no more of them.
    fn wait(&self) -> Option<(Run, AskNo)> {
        let mut state = self.desk.state();
        loop {
            if state.closed {
                return None;
            }
            let next = state
                .next()
                .and_then(|(run, no)| Some((state.tracker.get(run)?.clone(), no)));
            if next.is_some() {
                return next;
            }
            let waited = self.desk.wake.wait_timeout(state, NAP);
            state = waited.map_or_else(|e| e.into_inner().0, |(state, _)| state);
        }
    }

    /// Whether the request still waits.
    fn still(&self, run: RunId, no: AskNo) -> bool {
        let state = self.desk.state();
        !state.closed
            && state
                .tracker
                .get(run)
                .and_then(|run| run.ask(no))
                .is_some_and(|ask| ask.state == AskState::Open)
    }

    fn one(&self, terminal: &mut Terminal, run: &Run, no: AskNo) -> Said {
        let Some(view) = run.ask(no) else {
            return Said::Withdrawn;
        };
        if let About::Question { .. } = view.ask.about {
            return self.question(terminal, run, &view);
        }
        let shown = match self.text(run, &view) {
            Ok(shown) => shown,
            Err(error) => {
                terminal.say(&error.text(&self.look));
                return Said::Later;
            }
        };
        let id = ask::id(run, &view);
        let mut note = String::new();
        if let About::Plan { .. } = view.ask.about {
            note = format!(
                "`no` cancels the run; `sandgate reject {id} --feedback TEXT` asks for another plan\n"
            );
        }
        let question = match shown.plain {
            true => format!("approve {id}? [yes, no, later] "),
            false => format!(
                "too long or too odd for a quick yes: type the first {DIGITS} digits of the digest to approve {id}, or no, or later: "
            ),
        };
        let mut text = format!("\n{}{note}", shown.text);
        loop {
            let reply = terminal.ask(&text, &question, &mut || self.still(run.id(), no));
            let line = match reply {
                Reply::Line(line) => line,
                Reply::Gone => return Said::Gone,
                Reply::Withdrawn => return Said::Withdrawn,
            };
            let decision = match Word::of(&line) {
                Word::Yes if shown.plain => Decision::YES,
                Word::No => Decision::NO,
                Word::Later => return Said::Later,
                _ if !shown.plain && typed(&view.ask.digest, &line) => Decision::YES,
                _ => {
                    text = "that is none of the answers\n".to_owned();
                    continue;
                }
            };
            return Said::Wish(Wish::Decide {
                run: run.id(),
                asks: vec![(no, view.ask.digest)],
                decision,
                reason: String::new(),
            });
        }
    }

    fn question(&self, terminal: &mut Terminal, run: &Run, view: &AskView<'_>) -> Said {
        let About::Question { question, .. } = &view.ask.about else {
            return Said::Later;
        };
        let id = ask::id(run, view);
        let prompt = match question.choices.is_empty() {
            true => format!("answer {id} (or: later): "),
            false => format!("answer {id} with one of the choices (or: later): "),
        };
        let mut text = format!("\n{}", ask::question(run, view, &self.look));
        loop {
            let reply = terminal.ask(&text, &prompt, &mut || self.still(run.id(), view.no));
            let line = match reply {
                Reply::Line(line) => line,
                Reply::Gone => return Said::Gone,
                Reply::Withdrawn => return Said::Withdrawn,
            };
            let fits = question.choices.is_empty() || question.choices.contains(&line);
            match line.as_str() {
                // A choice of that name goes first; nothing else hides it.
                "later" if !question.choices.contains(&line) => return Said::Later,
                "" => text = "an empty line answers nothing\n".to_owned(),
                _ if fits => {
                    return Said::Wish(Wish::Answer {
                        run: run.id(),
                        ask: view.no,
                        answer: line,
                    });
                }
                _ => text = "that is none of the choices\n".to_owned(),
            }
        }
    }

    fn text(&self, run: &Run, view: &AskView<'_>) -> Result<ask::Shown, crate::error::CliError> {
        let reader =
            Reader::open(&self.project).map_err(|e: LookError| crate::context::look_error(&e))?;
        present::shown(&reader, &self.project, run, view, &self.look)
    }

    fn answer(&self, run: &Run, no: AskNo, done: &Done) -> String {
        let id = format!("{}/{no}", run.id().short());
        match done {
            Done::Decided { each } => each
                .iter()
                .map(|(_, judged)| format!("{id}: {}\n", said::judged(judged, &self.look)))
                .collect(),
            _ => format!("{id}: {}\n", self.look.good("answered")),
        }
    }

    fn withdrawn(&self, run: &Run, no: AskNo) -> String {
        let state = self.desk.state();
        let now = state.tracker.get(run.id()).and_then(|r| r.ask(no));
        let what = match &now {
            Some(ask) if ask.state != AskState::Open => ask::state(ask, &self.look),
            _ => "it stays open".to_owned(),
        };
        format!(
            "\n{}/{no}: {what}; nothing more is asked here\n",
            run.id().short()
        )
    }

    fn open(&self, run: RunId, no: AskNo) -> String {
        format!(
            "{}/{no} stays open; `sandgate approvals` lists it\n",
            run.short()
        )
    }
}

/// Whether the person typed enough of the digest to have looked at it.
pub(crate) fn typed(digest: &Digest, line: &str) -> bool {
    let digits = line
        .strip_prefix("sha256:")
        .unwrap_or(line)
        .to_ascii_lowercase();
    digits.len() >= DIGITS && digest.hex().starts_with(&digits)
}
