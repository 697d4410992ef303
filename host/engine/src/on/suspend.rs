//! Work that waits for a person in the middle is dropped, and taken up again by replaying what the host answered to it.
//! The end of a host is the same: there is no other way back.

use crate::{
    Command, GateState, Restore, Run, RunState,
    budget::Account,
    illegal::{Handled, Why},
    task::Phase,
};
use sandgate_model::{
    About, Ask, AskNo, AttemptNo, Caller, Digest, GateIx, Millis, Moment, RuleOn, TaskIx,
};

/// Most requests of one attempt. Each has to be read by a person, and is replayed by whatever comes after it: more is a
/// loop, or hostile.
const STOPS_MAX: u32 = 100;

/// How work that did not end itself can go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Return {
    /// It was not recorded: from its beginning.
    Anew,
    /// Where it stopped: its tape knows of everything that happened.
    Exact,
    /// Where its tape ends; something may have happened after that.
    Resume,
    /// Not at all: something that was approved for one time had begun, and nobody knows whether it happened.
    Unknown,
}

impl Run {
    pub(crate) fn on_suspended(
        &mut self,
        at: Moment,
        by: Caller,
        ask: &Ask,
        (tape, took): (Digest, Millis),
        out: &mut Vec<Command>,
    ) -> Handled {
        self.may_suspend(by, ask)?;
        let calls = self.ledger.account(by).map_or(0, |account| account.last);
        let calls = calls.max(self.restore_of(by).map_or(0, |restore| restore.calls));
        let _over = self.close_account(by, &[]);
        let no = self.open_ask(at, ask.clone(), out);
        self.note_stop(by, no, (tape, took), calls);
        match by {
            Caller::Planner => {}
            Caller::Task { task, .. } => {
                let before = self.tasks[task].took.unwrap_or(Millis(0));
                self.tasks[task].took = Some(Millis(before.0.saturating_add(took.0)));
                self.enter(task, at, Phase::Suspended);
            }
            Caller::Gate { gate, .. } => {
                let before = self.gates[gate].took.unwrap_or(Millis(0));
                self.gates[gate].took = Some(Millis(before.0.saturating_add(took.0)));
                self.set_gate(gate, at, GateState::Pending);
                self.gates[gate].suspended = true;
            }
        }
        self.settle(at, out);
        Ok(())
    }

    fn may_suspend(&self, by: Caller, ask: &Ask) -> Handled {
        self.runs(by)?;
        if self.stop.is_some() {
            return Err("the run is stopping, nothing new is asked".into());
        }
        if let Caller::Task { task, .. } = by
            && self.tasks[task].cancel().is_some()
        {
            return Err("the task is being cancelled, nothing new is asked".into());
        }
        let stops = self.restore_of(by).map_or(0, |restore| restore.stops);
        if stops >= STOPS_MAX {
            return Err(
                format!("it has asked people {STOPS_MAX} times; an attempt asks no more").into(),
            );
        }
        if ask.about.caller() != Some(by) {
            return Err(format!("only a call or a question of {} stops it", self.who(by)).into());
        }
        if self
            .ledger
            .account(by)
            .is_some_and(|account| !account.open.is_empty())
        {
            return Err(format!("{} has calls that have not ended", self.who(by)).into());
        }
        if let Some(grants) = self.grants(by) {
            if !grants.may_wait() {
                return Err(
                    format!("nothing that {} may do waits for people", self.who(by)).into(),
                );
            }
            if matches!(ask.about, About::Question { .. }) && !grants.question {
                return Err(format!("{} may ask nothing", self.who(by)).into());
            }
        }
        if let About::Call { kind, .. } = ask.about {
            if RuleOn::of_call(kind).is_none() {
                return Err("single uses of this kind of authority are not approved".into());
            }
            if self.consent(by, kind, ask.digest) != crate::Consented::Ask {
                return Err(
                    "people have been asked about this, or about something else that is \
                            not done yet"
                        .into(),
                );
            }
        }
        Ok(())
    }

    /// What a caller needs to go on after this request.
    fn note_stop(&mut self, by: Caller, no: AskNo, (tape, took): (Digest, Millis), calls: u32) {
        let restore = self.record(by);
        restore.tape.push(tape);
        restore.calls = calls;
        restore.ask = Some(no);
        restore.ahead = false;
        restore.took = Millis(restore.took.0.saturating_add(took.0));
        restore.stops = restore.stops.saturating_add(1);
    }

    /// It was interrupted after its last stop, and goes on from there: what it did since may have left traces that are
    /// not on its tape.
    pub(crate) fn note_ahead(&mut self, by: Caller, back: Return) {
        if !matches!(back, Return::Anew | Return::Unknown)
            && let Some(restore) = self.restore_mut(by)
        {
            restore.ahead = true;
        }
    }

    /// The record of a caller, begun if there is none.
    pub(crate) fn record(&mut self, by: Caller) -> &mut Restore {
        match by {
            Caller::Planner => self.planner.get_or_insert_default(),
            Caller::Task { task, .. } => self.tasks[task]
                .human
                .get_or_insert_default()
                .restore
                .get_or_insert_default(),
            Caller::Gate { gate, .. } => self.gates[gate].restore.get_or_insert_default(),
        }
    }

    /// An attempt ended, or begins anew: there is nothing to go on with.
    pub(crate) fn drop_record(&mut self, by: Caller) {
        match by {
            Caller::Planner => {
                self.planner = None;
                self.asks.planner_done();
            }
            Caller::Task { task, .. } => {
                if let Some(human) = &mut self.tasks[task].human {
                    human.restore = None;
                }
            }
            Caller::Gate { gate, .. } => self.gates[gate].restore = None,
        }
    }

    /// Whether the planner waits for a person.
    pub(crate) fn planner_suspended(&self) -> bool {
        let ask = self.planner.as_ref().and_then(|restore| restore.ask);
        ask.is_some_and(|no| self.asks.is_open(no))
    }

    pub(crate) fn on_attempt_resumed(
        &mut self,
        at: Moment,
        ix: TaskIx,
        attempt: AttemptNo,
        out: &mut Vec<Command>,
    ) -> Handled {
        let cap = self.may_start(ix, attempt, true)?;
        self.enter(ix, at, Phase::Running);
        self.reserve(Caller::Task { task: ix, attempt }, cap);
        out.push(Command::RunAttempt { task: ix, attempt });
        Ok(())
    }

    pub(crate) fn on_gate_resumed(
        &mut self,
        at: Moment,
        ix: GateIx,
        attempt: AttemptNo,
        out: &mut Vec<Command>,
    ) -> Handled {
        let cap = self.may_start_gate(ix, attempt, true)?;
        self.reserve(Caller::Gate { gate: ix, attempt }, cap);
        self.set_gate(ix, at, GateState::Running);
        out.push(Command::RunGate { gate: ix, attempt });
        Ok(())
    }

    /// Which attempt is the next one, and that it is this one.
    pub(crate) fn is_next(
        attempt: AttemptNo,
        last: u32,
        (restores, resumes): (bool, bool),
        name: &dyn Fn() -> String,
    ) -> Result<(), Why> {
        match (restores, resumes) {
            (true, false) => {
                let name = name();
                Err(
                    format!("attempt {last} of {name} has stopped in the middle and goes on")
                        .into(),
                )
            }
            (false, true) => {
                Err(format!("no attempt of {} has stopped in the middle", name()).into())
            }
            (restores, _) => {
                let next = if restores {
                    last
                } else {
                    last.saturating_add(1)
                };
                if attempt.0 == next {
                    return Ok(());
                }
                let name = name();
                Err(format!("the next attempt of {name} is {next}, not {}", attempt.0).into())
            }
        }
    }

    /// How work that was interrupted can go on. Ask before its account is closed.
    pub(crate) fn return_of(&self, by: Caller) -> Return {
        let unknown = self
            .ledger
            .account(by)
            .is_some_and(|account| account.risky());
        match self.restore_of(by) {
            _ if unknown => Return::Unknown,
            Some(_) if self.ledger.account(by).is_none_or(Account::quiet) => Return::Exact,
            Some(_) => Return::Resume,
            None => Return::Anew,
        }
    }

    /// The planner was interrupted: it goes on, unless nobody knows whether something that was approved happened.
    pub(crate) fn planner_interrupted(&mut self, at: Moment, out: &mut Vec<Command>) {
        debug_assert_eq!(self.state, RunState::Planning);
        if self.planner_suspended() {
            return;
        }
        let back = self.return_of(Caller::Planner);
        let _over = self.close_account(Caller::Planner, &[]);
        self.note_ahead(Caller::Planner, back);
        if back == Return::Unknown {
            let planner = self.asked_planner().cloned();
            self.planning_lost(planner, at, out);
        } else {
            out.push(self.make_plan());
        }
    }
}
