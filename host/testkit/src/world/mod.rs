//! A simulated world around one run: it does what the engine commands, badly and late, with people and crashes in
//! between, and has every promise checked after every event. A seed is the whole story of a world.
//!
//! The engine is stepped exactly as the driver steps it: step, write to the journal, perform. A crash may come
//! before or after every write; then the state is thrown away and replayed from what was written.

mod act;
mod calls;
mod decide;
mod guest;
mod lie;
mod people;
mod signals;
mod tally;

pub use lie::Lie;
pub use tally::Tally;

use crate::{
    Observer, Rng, Sequence, Violation,
    build::{created_by, run_id},
    invariant::{Checked, broken},
    sequence::replay,
};
use guest::Guest;
use sandgate_engine::{Command, Event, Run, RunState, Start, Steps};
use sandgate_model::{AskNo, Caller, Digest, Moment, Plan, RunId};
use std::{collections::BTreeMap, sync::Arc};

/// Events after which a world gives up: a run of forty tasks needs a few hundred.
const EVENTS_MAX: usize = 5_000;

/// Things that happen to a world, taken by the engine or not, after which it is stuck.
const TURNS_MAX: usize = 4 * EVENTS_MAX;

/// When the host dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// Never.
    Never,
    /// At this many of a thousand journal writes, before or after.
    Sometimes(u32),
    /// At the journal write with this number, counted from 0, before it is durable.
    Before(usize),
    /// At that one, after it is durable and before anything of it is performed.
    After(usize),
}

/// How bad the world is. Chances are in a thousand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Script {
    /// An attempt fails.
    pub failure: u32,
    /// A failure is permanent or of a kind that is never retried.
    pub permanent: u32,
    /// An attempt does not make what it promised.
    pub incomplete: u32,
    /// A gate does not pass.
    pub gate: u32,
    /// A planner gives no plan.
    pub planner: u32,
    /// A planner may have to wait for people.
    pub guests: u32,
    /// A person does something before the next event.
    pub people: u32,
    /// What the person does is to cancel.
    pub cancel: u32,
    /// An event comes that makes no sense, or comes again, or too late.
    pub nonsense: u32,
    /// The host dies.
    pub crash: Crash,
    /// How far the run goes by itself.
    pub steps: Steps,
}

impl Script {
    /// A world in which nothing goes wrong.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            failure: 0,
            permanent: 0,
            incomplete: 0,
            gate: 0,
            planner: 0,
            guests: 0,
            people: 0,
            cancel: 0,
            nonsense: 0,
            crash: Crash::Never,
            steps: Steps {
                dispatch: true,
                verify: true,
            },
        }
    }

    /// A world of this seed: from calm to hopeless.
    #[must_use]
    pub fn of(rng: &mut Rng) -> Self {
        let mut chance = |most: u64| {
            let level = rng.below(3) * most / 2;
            u32::try_from(level).unwrap_or(0)
        };
        Self {
            failure: chance(300),
            permanent: chance(200),
            incomplete: chance(60),
            gate: chance(300),
            planner: chance(300),
            guests: chance(1_000),
            people: chance(100),
            cancel: chance(150),
            nonsense: chance(300),
            crash: match chance(80) {
                0 => Crash::Never,
                chance => Crash::Sometimes(chance),
            },
            steps: Steps {
                dispatch: rng.permille(800),
                verify: rng.permille(800),
            },
        }
    }
}

/// Something that will happen.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of them are the large one"
)]
enum Due {
    /// This.
    Event(Event),
    /// A guest does what it does next.
    Turn(Caller),
    /// Somebody looks at a request.
    Visit(AskNo),
}

/// See the module.
pub struct World {
    script: Script,
    rng: Rng,
    now: Moment,
    id: RunId,
    plan: Arc<Plan>,
    lie: Option<Lie>,
    run: Run,
    /// The same run, made from the stored form of the events: replay of every prefix.
    shadow: Run,
    journal: Vec<(Moment, Event)>,
    writes: usize,
    /// What will happen, and when.
    pending: BTreeMap<(Moment, u64), Due>,
    /// What nobody waits for any more, and may still come.
    stale: Vec<Event>,
    serial: u64,
    seed: u64,
    /// Recorded work that runs.
    guests: BTreeMap<Caller, Guest>,
    /// How many answers are on a piece of tape.
    tapes: BTreeMap<Digest, u32>,
    /// The last request that people were told of.
    asked_until: u32,
    observer: Observer,
    tally: Tally,
}

impl World {
    /// A world for a run of this plan.
    ///
    /// # Panics
    /// Never: the first event is always possible.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a run can always be created")]
    pub fn new(plan: Arc<Plan>, script: Script, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let planners: &[&str] = match rng.below(3) {
            0 => &[],
            1 => &["rules"],
            _ => &["model", "rules"],
        };
        let id = run_id(seed);
        let now = Moment(1_700_000_000_000);
        let budget = calls::given(&mut rng, &plan);
        let rules = decide::rules(&mut rng);
        let by = Self::starter(&mut rng);
        let plan = ruled(&mut rng, &plan);
        let first = created_by(script.steps, planners, budget, rules.clone(), by.clone());
        let (run, _) = Run::create(id, now, &first).expect("the first event");
        Self {
            script,
            rng,
            now,
            id,
            shadow: run.clone(),
            run,
            journal: vec![(now, first)],
            writes: 0,
            pending: BTreeMap::new(),
            stale: Vec::new(),
            serial: 0,
            seed,
            guests: BTreeMap::new(),
            tapes: BTreeMap::new(),
            asked_until: 0,
            observer: Observer::new(Arc::clone(&plan))
                .with_budget(budget)
                .with_rules(rules, by),
            tally: Tally::default(),
            plan,
            lie: None,
        }
    }

    /// The world that this seed names, plan included.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let script = Script::of(&mut Rng::new(!seed));
        Self::new(crate::plan_of(seed), script, seed)
    }

    /// Deceives the engine, so that this promise has to break: how the observer is tested.
    #[must_use]
    pub fn with_lie(mut self, lie: Lie, promise: &'static str) -> Self {
        self.lie = Some(lie);
        self.observer = self.observer.only(promise);
        self
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Who looks on.
    #[must_use]
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// What happened so far, to be kept because of `why`.
    #[must_use]
    pub fn sequence(&self, why: String) -> Sequence {
        Sequence {
            run: self.id,
            why,
            events: self.journal.clone(),
        }
    }

    /// Lets the world go on until the run has ended for good, or waits for somebody who does not come.
    ///
    /// # Errors
    /// The first broken promise.
    pub fn live(&mut self) -> Result<Tally, Violation> {
        self.offer(Event::PlanningStarted)?;
        let mut encores = 3;
        let mut turns = 0;
        while self.journal.len() < EVENTS_MAX {
            turns += 1;
            if turns > TURNS_MAX {
                return broken("ends-or-waits", "things happen for ever, and nothing moves")
                    .map(|()| self.tally);
            }
            if self.rng.permille(self.script.nonsense) {
                let event = self.nonsense();
                self.offer(event)?;
            }
            if self.rng.permille(self.script.people) {
                let event = self.whim();
                self.offer(event)?;
            }
            if self.run.state() == RunState::Draft {
                self.offer(Event::PlanningStarted)?;
            } else if self.run.state().ended() {
                encores -= 1;
                let again = self.encore();
                if encores == 0 || !self.offer(again)? {
                    break;
                }
            } else if let Some(((at, _), due)) = self.pending.pop_first() {
                self.now = self.now.max(at);
                self.happens(due)?;
            } else if !self.ask_people()? {
                break;
            }
        }
        self.observer.report(self.invariant_ends_or_waits())?;
        self.tally.state = Some(self.run.state());
        self.tally.over_budget = usize::from(self.run.refused_by_budget());
        Ok(self.tally)
    }

    fn happens(&mut self, due: Due) -> Result<(), Violation> {
        match due {
            Due::Event(event) => {
                if self.rng.permille(self.script.nonsense / 4) {
                    self.stale.push(event.clone());
                }
                self.offer(event).map(drop)
            }
            Due::Turn(by) => self.turn(by),
            Due::Visit(no) => self.visit(no),
        }
    }

    /// Every run ends or names what it waits for.
    fn invariant_ends_or_waits(&self) -> Checked {
        let run = &self.run;
        if run.state().ended() || (run.idle() && !run.waits().is_empty()) {
            return Ok(());
        }
        let (state, running) = (run.state(), run.running_count());
        broken(
            "ends-or-waits",
            format!("{state:?}, {running} running, waits: {:?}", run.waits()),
        )
    }

    /// Step, write, perform; then start whatever may start. Says whether the engine took the event.
    pub(crate) fn offer(&mut self, event: Event) -> Result<bool, Violation> {
        let taken = self.take(&event)?;
        // A planner may have been asked, an attempt have ended: the driver asks until there is nothing to start.
        while let Some(start) = self.run.next_start() {
            let event = match start {
                Start::Attempt { task, attempt } => Event::AttemptStarted { task, attempt },
                Start::Gate { gate, attempt } => Event::GateStarted { gate, attempt },
                Start::AttemptResumed { task, attempt } => Event::AttemptResumed { task, attempt },
                Start::GateResumed { gate, attempt } => Event::GateResumed { gate, attempt },
            };
            if !self.take(&event)? {
                let refused = broken("next-start", format!("{event:?} was proposed and refused"));
                return self.observer.report(refused).map(|()| taken);
            }
            if self.journal.len() > EVENTS_MAX {
                break;
            }
        }
        Ok(taken)
    }

    fn take(&mut self, event: &Event) -> Result<bool, Violation> {
        let told = self.told(event);
        let stepped = match &told {
            Some(told) => self.run.step(self.now, told),
            None => Ok(Vec::new()),
        };
        let commands = match stepped {
            Ok(commands)
                if self.lie == Some(Lie::Refusal) && matches!(event, Event::Paused { .. }) =>
            {
                drop(commands);
                let refused = self.refused(event);
                return self.observer.report(refused).map(|()| false);
            }
            Ok(commands) => commands,
            Err(_) => {
                self.not_begun(event);
                self.tally.signals_refused +=
                    usize::from(matches!(event, Event::SignalDelivered { .. }));
                let refused = self.refused(event);
                return self.observer.report(refused).map(|()| false);
            }
        };
        let write = self.writes;
        self.writes += 1;
        let (before, after) = match self.script.crash {
            Crash::Never => (false, false),
            Crash::Sometimes(chance) => (self.rng.permille(chance), self.rng.permille(chance)),
            Crash::Before(at) => (at == write, false),
            Crash::After(at) => (false, at == write),
        };
        if before {
            self.crash()?;
            return Ok(true);
        }
        self.tally.events += 1;
        self.tally.calls += usize::from(matches!(event, Event::CallStarted { .. }));
        self.tally.retries += usize::from(matches!(event, Event::RetryRequested { .. }));
        self.tally.count(event);
        if let Some(told) = told {
            self.journal.push((self.now, told));
        }
        let seen: &[Command] = if self.lie == Some(Lie::Silence) {
            &[]
        } else {
            &commands
        };
        let orphan = self.lie == Some(Lie::Orphan) && matches!(event, Event::AttemptEnded { .. });
        let heard = if orphan {
            &Event::Paused { by: None }
        } else {
            event
        };
        let decided = self.observer.observe(self.now, heard, seen, &self.run);
        self.follow_plan(event);
        decided?;
        self.tally.short += usize::from(self.observer.lacking());
        let replayed = self.invariant_replay();
        self.observer.report(replayed)?;
        let restored = self.invariant_snapshot();
        self.observer.report(restored)?;
        if after {
            self.crash()?;
        } else {
            self.perform(&commands);
            self.call_on(event);
            self.signal_on(event);
            self.notice_asks();
        }
        Ok(true)
    }

    /// From now on the run has this plan.
    fn follow_plan(&mut self, event: &Event) {
        if let Event::PlanFrozen { plan, .. } | Event::PlanModified { plan, .. } = event {
            self.plan = Arc::clone(plan);
        }
    }

    /// An illegal event changes nothing.
    fn refused(&mut self, event: &Event) -> Checked {
        self.tally.refused += 1;
        if self.run != self.shadow {
            return broken(
                "illegal-changes-nothing",
                format!("{event:?} was refused and left a trace"),
            );
        }
        Ok(())
    }

    /// Replay of any prefix gives the same state. The shadow has seen every event in its stored form and nothing
    /// else, so that it is the replay of each prefix in turn.
    fn invariant_replay(&mut self) -> Checked {
        const NAME: &str = "replay";
        let Some((at, event)) = self.journal.last() else {
            return Ok(());
        };
        let at = if self.lie == Some(Lie::Clock) {
            Moment(at.0 + 1)
        } else {
            *at
        };
        let stored = serde_json::to_string(event).map_err(|e| e.to_string());
        let read: Result<Event, String> =
            stored.and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()));
        let stepped =
            read.and_then(|event| self.shadow.step(at, &event).map_err(|e| e.to_string()));
        match stepped {
            Err(why) if self.lie.is_none() => broken(NAME, format!("{event:?}: {why}")),
            _ if self.run != self.shadow => {
                broken(NAME, format!("after {event:?} the states differ"))
            }
            _ => Ok(()),
        }
    }

    /// A restored snapshot is the run, down to what a snapshot does not contain.
    fn invariant_snapshot(&mut self) -> Checked {
        // The stored form is expensive: one event in eight takes the way through text.
        let mut snapshot = if self.lie == Some(Lie::Snapshot) && self.rng.below(8) == 0 {
            let Ok(before) = replay(
                self.id,
                self.journal.split_last().map_or(&[], |(_, all)| all),
            ) else {
                return Ok(());
            };
            before.snapshot()
        } else {
            self.run.snapshot()
        };
        if self.rng.below(8) == 0 {
            let read =
                serde_json::to_string(&snapshot).and_then(|text| serde_json::from_str(&text));
            snapshot = match read {
                Ok(snapshot) => snapshot,
                Err(error) => return broken("snapshot", error.to_string()),
            };
        }
        match Run::restore(snapshot) {
            Ok(restored) if restored == self.run => Ok(()),
            Ok(_) => broken("snapshot", "the restored run is another one"),
            Err(error) => broken("snapshot", error.to_string()),
        }
    }

    /// The host dies: what is in memory is gone, what was written is replayed, and a new host takes over.
    fn crash(&mut self) -> Checked {
        self.tally.crashes += 1;
        if self.lie == Some(Lie::Memory)
            && matches!(self.journal.last(), Some((_, Event::AttemptEnded { .. })))
        {
            self.journal.pop();
        }
        let replayed = match replay(self.id, &self.journal) {
            Ok(run) => run,
            Err(error) => {
                return broken("replay", format!("the journal does not replay: {error:?}"));
            }
        };
        if self.lie.is_none() && replayed != self.shadow {
            return broken("replay", "the replayed journal is another run");
        }
        self.shadow = replayed.clone();
        self.run = replayed;
        let lost = std::mem::take(&mut self.pending);
        self.guests.clear();
        for ((at, serial), due) in lost {
            match due {
                Due::Event(event) if self.rng.below(2) == 0 => self.stale.push(event),
                Due::Event(_) | Due::Turn(_) => {}
                // People do not die with a host.
                Due::Visit(_) => {
                    self.pending.insert((at, serial), due);
                }
            }
        }
        self.now = self
            .now
            .after(sandgate_model::Millis(self.rng.below(10_000)));
        if self.run.state().ended() {
            return Ok(());
        }
        self.take(&Event::HostStarted)?;
        self.notice_asks();
        Ok(())
    }

    fn perform(&mut self, commands: &[Command]) {
        for command in commands {
            self.act(command);
        }
    }
}

/// Some of what a plan wants people to decide names a rule.
fn ruled(rng: &mut Rng, plan: &Arc<Plan>) -> Arc<Plan> {
    let mut plan = Plan::clone(plan);
    for task in &mut plan.tasks {
        let asks = task.approval_before || task.approval_after;
        task.approval_rule = (asks && rng.below(2) == 0).then(|| decide::NAMED.to_owned());
    }
    plan.review_rule = (plan.review && rng.below(3) == 0).then(|| decide::NAMED.to_owned());
    Arc::new(plan)
}
