//! People decide. Whether what they say counts is judged in `ask`; what follows for the work is here.

use crate::{
    AskState, Command, GateState, Judged, Run, RunState, Stop, Timer, Vote,
    ask::{Subject, refusal, subject, until},
    illegal::Handled,
    task::{Cause, Phase},
};
use sandgate_model::{
    About, Actor, Ask, AskNo, Caller, Decision, Digest, FailureClass, Moment, RuleTimeout, TaskIx,
    TaskWork,
};

impl Run {
    pub(crate) fn on_asked(&mut self, at: Moment, ask: &Ask, out: &mut Vec<Command>) -> Handled {
        if self.state.ended() || self.stop.is_some() {
            return Err("nothing is asked any more".into());
        }
        if !self.asks.asking.contains(&ask.about) {
            return Err(format!("nobody wanted to ask about this {}", ask.about.word()).into());
        }
        self.open_ask(at, ask.clone(), out);
        Ok(())
    }

    /// A request is put to people.
    pub(crate) fn open_ask(&mut self, at: Moment, ask: Ask, out: &mut Vec<Command>) -> AskNo {
        let slots = self.slots(&ask.about, at);
        let no = self.asks.add(ask, at, slots);
        self.arm_ask(no, out);
        no
    }

    fn arm_ask(&self, no: AskNo, out: &mut Vec<Command>) {
        if let Some(at) = self.asks.get(no).and_then(|entry| entry.deadline()) {
            out.push(Command::ArmTimer {
                timer: Timer::Ask(no),
                at,
            });
        }
    }

    /// After a host started: records that were not made, and the time that open requests have.
    pub(crate) fn ask_again(&self, out: &mut Vec<Command>) {
        let asking = self.asks.asking.iter().cloned();
        out.extend(asking.map(|about| Command::Ask { about }));
        for no in self.asks.open() {
            self.arm_ask(no, out);
        }
    }

    pub(crate) fn on_decided(
        &mut self,
        at: Moment,
        (no, digest): (AskNo, Digest),
        decision: Decision,
        (by, reason): (&Actor, &str),
        out: &mut Vec<Command>,
    ) -> Handled {
        match self.judge(no, digest, decision, by) {
            Ok(Judged::New { .. }) => {}
            Ok(Judged::Repeat { winner }) => {
                return Err(format!("`{}` said so before", winner.by.name).into());
            }
            Err(refused) => return Err(refused.to_string().into()),
        }
        let counts = match self.asks.get(no) {
            Some(entry) => self.counts(entry, by),
            None => Vec::new(),
        };
        let vote = Vote {
            by: by.clone(),
            decision,
            reason: reason.to_owned(),
            at,
        };
        let state = self.asks.vote(no, vote, &counts);
        self.decided(no, state, at, out);
        self.settle(at, out);
        Ok(())
    }

    pub(crate) fn on_answered(
        &mut self,
        at: Moment,
        no: AskNo,
        answer: &str,
        by: &Actor,
        out: &mut Vec<Command>,
    ) -> Handled {
        match self.judge_answer(no, answer, by) {
            Ok(Judged::New { .. }) => {}
            Ok(Judged::Repeat { winner }) => {
                return Err(format!("`{}` answered so before", winner.by.name).into());
            }
            Err(refused) => return Err(refused.to_string().into()),
        }
        let vote = Vote {
            by: by.clone(),
            decision: Decision::YES,
            reason: answer.to_owned(),
            at,
        };
        let state = self.asks.answer(no, vote);
        self.decided(no, state, at, out);
        self.settle(at, out);
        Ok(())
    }

    pub(crate) fn on_revoked(&mut self, no: AskNo) -> Handled {
        let Some(entry) = self.asks.get(no) else {
            return Err(format!("the run has no request {no}").into());
        };
        if self.state.ended() {
            return Err("the run has ended".into());
        }
        if entry.standing.is_none() {
            return Err(format!("request {no} was not approved for the whole run").into());
        }
        if self.asks.revoked(entry) {
            return Err(format!("approval {no} was taken back already").into());
        }
        if !self.asks.holds(entry) {
            return Err(
                format!("approval {no} ended with the run, before it was tried again").into(),
            );
        }
        self.asks.revoke(no);
        Ok(())
    }

    /// A request has waited as long as a rule lets it.
    pub(crate) fn on_ask_timer(&mut self, at: Moment, no: AskNo, out: &mut Vec<Command>) {
        let Some(entry) = self.asks.get(no) else {
            return;
        };
        let places = entry.slots.iter().enumerate();
        let due: Vec<usize> = places
            .filter(|(_, slot)| slot.due().is_some_and(|due| due <= at))
            .map(|(place, _)| place)
            .collect();
        for place in due {
            match self.run_out(no, place, at) {
                AskState::Open => {}
                state => return self.decided(no, state, at, out),
            }
        }
        self.arm_ask(no, out);
    }

    /// What a rule says of requests that nobody decided in time; says what the request is then.
    fn run_out(&mut self, no: AskNo, place: usize, at: Moment) -> AskState {
        let vote = |decision, reason: String| Vote {
            by: Actor::host(),
            decision,
            reason,
            at,
        };
        let late = || vote(Decision::NO, "nobody decided in time".to_owned());
        let Some(entry) = self.asks.get(no) else {
            return AskState::Withdrawn;
        };
        if let About::Question { question, .. } = &entry.ask.about {
            return match question.default.clone() {
                Some(default) => self.asks.answer(no, vote(Decision::YES, default)),
                None => self.asks.expire(no, late()),
            };
        }
        let slot = entry.slots.get(place);
        let escalated = slot.is_some_and(|slot| slot.need.escalated);
        let rule = slot.and_then(|slot| self.order.rules.get(slot.rule? as usize));
        match rule.map(|rule| (&rule.on_timeout, rule)) {
            Some((RuleTimeout::Approve, rule)) => {
                let reason = format!("rule `{}`: nobody decided in time", rule.name);
                self.asks.lapse(no, place, vote(Decision::YES, reason))
            }
            Some((RuleTimeout::Escalate(role), rule)) if !escalated => {
                let until = until(at, rule.timeout);
                self.asks.escalate(no, place, role, until);
                AskState::Open
            }
            _ => self.asks.expire(no, late()),
        }
    }

    /// A request may have ended: what follows.
    fn decided(&mut self, no: AskNo, state: AskState, at: Moment, out: &mut Vec<Command>) {
        let Some(entry) = self.asks.get(no).filter(|_| state != AskState::Open) else {
            return;
        };
        let yes = state == AskState::Approved;
        let (about, digest) = (entry.ask.about.clone(), entry.ask.digest);
        let why = refusal(no, entry);
        match about {
            About::Plan { .. } => self.reviewed(no, at, out),
            About::Task { task } if yes => {
                self.tasks[task].human.get_or_insert_default().approved = Some(digest);
                self.begin(task, at, out);
            }
            About::Result { task } if yes => self.succeed(task, at, out),
            About::Task { task } => self.refused(task, "its start", &why, at, out),
            About::Result { task } => {
                self.tasks[task].output = None;
                self.refused(task, "its result", &why, at, out);
            }
            About::TaskBudget { task, lacks } if yes => self.grant(task, lacks, at),
            About::TaskBudget { task, .. } => {
                let message = format!("over the budget, and not granted: {why}");
                let cause = Cause::new(FailureClass::Refused, &message).by_budget(true);
                self.fail_for_good(task, at, cause, out);
            }
            About::GateBudget { gate, lacks } if yes => self.grant_gate(gate, lacks, at),
            About::GateBudget { gate, .. } => {
                let message = format!("over the budget, and not granted: {why}");
                self.refuse_gate_for_good(gate, at, message);
            }
            About::Call { by, .. } | About::Question { by, .. } => self.go_on(by, at, out),
        }
    }

    /// A task that may start as far as people are concerned.
    fn begin(&mut self, ix: TaskIx, at: Moment, out: &mut Vec<Command>) {
        match self.planned(ix).map(|task| &task.work) {
            Some(TaskWork::Wait(_)) => self.begin_wait(ix, at, out),
            _ => self.enter(ix, at, Phase::Ready),
        }
    }

    fn refused(&mut self, ix: TaskIx, what: &str, why: &str, at: Moment, out: &mut Vec<Command>) {
        let message = format!("{what} was not approved: {why}");
        let cause = Cause::new(FailureClass::Refused, &message);
        self.fail_for_good(ix, at, cause, out);
    }

    /// What waited in the middle of its work goes on.
    fn go_on(&mut self, by: Caller, at: Moment, out: &mut Vec<Command>) {
        match by {
            Caller::Planner if self.state == RunState::Planning => out.push(self.make_plan()),
            Caller::Planner => {}
            Caller::Task { task, .. } => self.enter(task, at, Phase::Ready),
            Caller::Gate { gate, .. } => self.set_gate(gate, at, GateState::Ready),
        }
    }

    /// The record of what was to be asked could not be made.
    pub(crate) fn on_ask_failed(
        &mut self,
        at: Moment,
        ix: TaskIx,
        message: &str,
        out: &mut Vec<Command>,
    ) -> Handled {
        let subject = subject(ix, self.tasks[ix].phase);
        let asking = |about: &About| Subject::of(about) == subject && subject.is_some();
        if !self.asks.asking.iter().any(asking) {
            return Err(format!("nothing about task `{}` is to be asked", self.name(ix)).into());
        }
        self.tasks[ix].output = None;
        self.fail_for_good(ix, at, Cause::new(FailureClass::Input, message), out);
        self.settle(at, out);
        Ok(())
    }

    /// Stops the run because of what was said of its plan.
    pub(crate) fn cancelled_because(&mut self, reason: String, at: Moment, out: &mut Vec<Command>) {
        self.begin_stop(at, Stop::Cancel { reason }, out);
    }
}
