//! Approvals, questions, signals, and people who steer: what may happen by what they said, and what the run says of it,
//! against the observer's own account in `people`.

use super::{Checked, Observer, broken, people::AskFact};
use sandgate_engine::{AskState, Event, Run, TaskState};
use sandgate_model::{About, AskNo, CallRequest, Caller, NeedKind, TaskIx};

impl Observer {
    /// Whether somebody cancelled this task.
    #[must_use]
    pub fn is_called_off(&self, task: TaskIx) -> bool {
        self.people.called_off.contains(&task)
    }

    /// Nothing that is marked starts without exactly one approval of exactly that, decided before it.
    pub(crate) fn invariant_approved_first(&self, event: &Event) -> Checked {
        const NAME: &str = "approved-first";
        let people = &self.people;
        match event {
            Event::AttemptStarted { task, .. } | Event::AttemptResumed { task, .. } => {
                let marked = self.planned(*task).is_some_and(|t| t.approval_before);
                let about = |about: &About| *about == About::Task { task: *task };
                let approvals = people.approvals(*task, about);
                if marked && approvals != 1 {
                    return broken(NAME, format!("{event:?} with {approvals} approvals"));
                }
                let plan = people.plan.and_then(|at| people.asks.get(at));
                let agreed = plan.is_some_and(|ask| ask.ended == Some(AskState::Approved));
                if self.plan.review && !agreed {
                    return broken(NAME, format!("{event:?}, and the plan is not approved"));
                }
                Ok(())
            }
            Event::CallStarted { by, request, .. } => self.consented(NAME, *by, request),
            _ => Ok(()),
        }
    }

    fn consented(&self, name: &'static str, by: Caller, request: &CallRequest) -> Checked {
        let grants = match by {
            Caller::Planner => None,
            Caller::Task { task, .. } => self.planned(task).map(|task| &task.grants),
            Caller::Gate { gate, .. } => self.plan.gates.get(gate.get()).map(|gate| &gate.grants),
        };
        let always = grants.is_some_and(|grants| match request.kind {
            NeedKind::Http => !grants.http.is_empty() && grants.http.iter().all(|g| g.approval),
            NeedKind::Exec => !grants.exec.is_empty() && grants.exec.iter().all(|g| g.approval),
            NeedKind::Model => !grants.model.is_empty() && grants.model.iter().all(|g| g.approval),
            NeedKind::Budget => grants.budget && grants.budget_approval,
            _ => false,
        });
        let Some(consent) = request.consent else {
            if request.approval || always {
                return broken(name, format!("{by:?} began {request:?} without approval"));
            }
            return Ok(());
        };
        let people = &self.people;
        let Some(ask) = people.get(consent.ask) else {
            return broken(name, format!("{by:?} began {request:?}: no such approval"));
        };
        let About::Call { by: asked, kind } = ask.about else {
            return broken(name, format!("{by:?} began {request:?} with {ask:?}"));
        };
        let same = ask.ended == Some(AskState::Approved)
            && !ask.revoked
            && !(consent.for_run && ask.over)
            && (kind, ask.digest) == (request.kind, request.digest);
        let whose = match (consent.for_run, by, asked) {
            (false, by, asked) => by == asked,
            (true, Caller::Task { task, .. }, Caller::Task { task: asked, .. }) => task == asked,
            (true, _, _) => false,
        };
        if !same || !whose {
            return broken(name, format!("{by:?} began {request:?} with {ask:?}"));
        }
        Ok(())
    }

    /// An approval is for one use, unless it was given for the whole run.
    pub(crate) fn invariant_used_once(&self, event: &Event) -> Checked {
        const NAME: &str = "used-once";
        let Event::CallStarted { by, request, .. } = event else {
            return Ok(());
        };
        let Some(consent) = request.consent else {
            return Ok(());
        };
        let Some(ask) = self.people.get(consent.ask) else {
            return Ok(());
        };
        let again = ask.uses > 0 && !ask.for_run;
        if again || (consent.for_run && !ask.for_run) || (!consent.for_run && ask.uses > 0) {
            return broken(NAME, format!("{by:?} began {request:?} with {ask:?}"));
        }
        Ok(())
    }

    /// Nothing is asked a second time while the first answer stands.
    pub(crate) fn invariant_asked_once(&self, event: &Event) -> Checked {
        const NAME: &str = "asked-once";
        let people = &self.people;
        let ask = match event {
            Event::Asked { ask } | Event::Suspended { ask, .. } => ask,
            _ => return Ok(()),
        };
        let again = match &ask.about {
            About::Task { task } => {
                let from = people.since.get(task).copied().unwrap_or(0);
                let mut before = people.asks.iter().skip(from.max(people.plan_since));
                before.any(|a| a.about == ask.about && a.ended != Some(AskState::Withdrawn))
            }
            About::Call { by, kind } => people.asks.iter().skip(people.from(*by)).any(|a| {
                let same = a.about == ask.about && a.digest == ask.digest;
                let stands = match a.ended {
                    Some(AskState::Approved) => (a.uses == 0 || a.for_run) && !a.revoked && !a.over,
                    ended => ended != Some(AskState::Withdrawn),
                };
                let covered = |a: &AskFact| {
                    let (Caller::Task { task, .. }, About::Call { by, kind: k }) = (by, &a.about)
                    else {
                        return false;
                    };
                    let whose = matches!(by, Caller::Task { task: t, .. } if t == task);
                    let same = whose && k == kind && a.digest == ask.digest;
                    same && a.for_run
                        && !a.revoked
                        && !a.over
                        && a.ended == Some(AskState::Approved)
                };
                (same && stands) || covered(a)
            }),
            about => people
                .asks
                .iter()
                .any(|a| a.ended.is_none() && a.about == *about),
        };
        if again {
            return broken(NAME, format!("{event:?} was asked before"));
        }
        Ok(())
    }

    /// Each request has at most one vote that decides, of somebody who may; the run says the same of it.
    pub(crate) fn invariant_one_decision(&mut self, event: &Event, run: &Run) -> Checked {
        const NAME: &str = "one-decision";
        if let Some(wrong) = self.people.wrong.take() {
            return broken(NAME, wrong);
        }
        if let Some(ask) = self.people.asks.iter().find(|ask| ask.deciding > 1) {
            return broken(NAME, format!("decided {} times: {ask:?}", ask.deciding));
        }
        let touched = run.state().ended()
            || matches!(
                event,
                Event::Decided { .. }
                    | Event::Answered { .. }
                    | Event::Revoked { .. }
                    | Event::Asked { .. }
                    | Event::Suspended { .. }
                    | Event::TimerFired { .. }
                    | Event::PlanFrozen { .. }
                    | Event::PlanModified { .. }
            );
        for (no, fact) in (1u32..).map(AskNo).zip(&mut self.people.asks) {
            if !touched && fact.ended.is_some() {
                continue;
            }
            let Some(view) = run.ask(no) else {
                return broken(NAME, format!("the run has no request {no}"));
            };
            match (fact.ended, view.state) {
                // Nobody says so in an event: what it was about is gone.
                (None, AskState::Withdrawn) => fact.ended = Some(AskState::Withdrawn),
                (ended, state) if ended.unwrap_or(AskState::Open) == state => {}
                (ended, state) => {
                    return broken(NAME, format!("{no} is {ended:?}, the run says {state:?}"));
                }
            }
            // What was approved for the run ends with it.
            fact.over |= fact.for_run && run.state().ended();
            let standing = fact.for_run && !fact.revoked && !fact.over;
            if view.standing != standing || view.consumed != (fact.uses > 0) {
                return broken(NAME, format!("{view:?} is not {fact:?}"));
            }
        }
        let next = u32::try_from(self.people.asks.len()).unwrap_or(u32::MAX);
        if run.ask(AskNo(next.saturating_add(1))).is_some() {
            return broken(NAME, "the run has a request that nobody made");
        }
        Ok(())
    }

    /// What is open has somebody who waits for it, and a run that ended asks nobody.
    pub(crate) fn invariant_asks_end(&self, run: &Run) -> Checked {
        const NAME: &str = "asks-end";
        let mut commanded = 0;
        for view in run.open_asks() {
            if run.state().ended() || run.stopping() {
                return broken(NAME, format!("{view:?} is open, and the run stops"));
            }
            let pending = |ix: &TaskIx| {
                self.fact(*ix)
                    .is_some_and(|f| f.state == TaskState::Pending)
            };
            let waits = match &view.ask.about {
                About::Plan { .. } => run.digest() == Some(view.ask.digest),
                About::Task { task } | About::Result { task } | About::TaskBudget { task, .. } => {
                    pending(task)
                }
                About::Call { by, .. } | About::Question { by, .. } => match by {
                    Caller::Planner => run.state() == sandgate_engine::RunState::Planning,
                    Caller::Task { task, .. } => pending(task) && !self.running.contains_key(task),
                    Caller::Gate { gate, .. } => !self.gates_running.contains(gate),
                },
                About::GateBudget { .. } => true,
            };
            if !waits {
                return broken(NAME, format!("{view:?} is open, and nobody waits for it"));
            }
            commanded += usize::from(matches!(
                view.ask.about,
                About::Task { .. }
                    | About::Result { .. }
                    | About::TaskBudget { .. }
                    | About::GateBudget { .. }
            ));
        }
        if commanded > 20 {
            return broken(NAME, format!("{commanded} requests at once"));
        }
        Ok(())
    }

    /// A result that people have to agree to counts only when they did.
    pub(crate) fn invariant_results(&self, before: &[TaskState]) -> Checked {
        for (ix, (was, fact)) in (0u32..).map(TaskIx).zip(before.iter().zip(&self.tasks)) {
            let fresh = fact.state == TaskState::Succeeded && *was != TaskState::Succeeded;
            let marked = self.planned(ix).is_some_and(|task| task.approval_after);
            let each = self.planned(ix).is_some_and(|task| task.for_each.is_some());
            if !fresh || !marked || (each && fact.plan == ix) {
                continue;
            }
            let about = |about: &About| *about == About::Result { task: ix };
            if self.people.approvals(ix, about) == 0 {
                return broken("results", format!("{ix:?} succeeded and nobody agreed"));
            }
        }
        Ok(())
    }

    /// What the host answered to recorded work is only ever added to, until its attempt ends.
    pub(crate) fn invariant_tape(&mut self, event: &Event, run: &Run) -> Checked {
        const NAME: &str = "tape";
        let resumed = match event {
            Event::AttemptResumed { task, attempt } => Some(Caller::Task {
                task: *task,
                attempt: *attempt,
            }),
            Event::GateResumed { gate, attempt } => Some(Caller::Gate {
                gate: *gate,
                attempt: *attempt,
            }),
            _ => None,
        };
        if let Some(by) = resumed
            && !self.people.tapes.contains_key(&by)
        {
            return broken(NAME, format!("{by:?} goes on and was never recorded"));
        }
        let mut over = Vec::new();
        for (by, tape) in &self.people.tapes {
            match run.restore_of(*by) {
                Some(restore) if restore.tape == *tape => {}
                Some(restore) => {
                    return broken(NAME, format!("{by:?}: {:?}, not {tape:?}", restore.tape));
                }
                None => over.push(*by),
            }
        }
        for by in over {
            self.people.tapes.remove(&by);
        }
        Ok(())
    }

    /// A signal ends a wait of its type whose fields it has, and nothing else.
    pub(crate) fn invariant_signals(&self, event: &Event, before: &[TaskState]) -> Checked {
        const NAME: &str = "signals";
        let Event::SignalDelivered { task, signal } = event else {
            return Ok(());
        };
        let wait = match self.planned(*task).map(|planned| &planned.work) {
            Some(sandgate_model::TaskWork::Wait(wait)) => wait,
            _ => return broken(NAME, format!("{task:?} waits for nothing")),
        };
        let said = self.people.waits.get(task);
        let fits = wait.signal == signal.kind
            && said.is_some_and(|said| {
                said.iter()
                    .all(|(name, value)| signal.fields.get(name) == Some(value))
            });
        if !fits || before.get(task.get()) != Some(&TaskState::Pending) {
            return broken(NAME, format!("{event:?} ended {said:?}"));
        }
        Ok(())
    }

    /// The task that is paused: this one, or the one that it is an instance of.
    pub(crate) fn paused_by(&self, ix: TaskIx) -> Option<TaskIx> {
        let parent = self.fact(ix)?.plan;
        let paused = |ix: &TaskIx| self.people.paused.contains(ix);
        Some(ix)
            .filter(paused)
            .or_else(|| Some(parent).filter(paused))
    }

    /// Nothing of a paused task starts, and nothing of one that was cancelled succeeds.
    pub(crate) fn invariant_steered(&self, event: &Event, before: &[TaskState]) -> Checked {
        const NAME: &str = "steered";
        if let Event::AttemptStarted { task, .. } | Event::AttemptResumed { task, .. } = event
            && (self.paused_by(*task).is_some() || self.is_called_off(*task))
        {
            return broken(NAME, format!("{event:?} of a task that is held back"));
        }
        for ix in &self.people.called_off {
            let is = self.fact(*ix).map(|fact| fact.state);
            let was = before.get(ix.get());
            let fine = match is {
                Some(TaskState::Running) => {
                    self.running.contains_key(ix) || was == Some(&TaskState::Running)
                }
                Some(state) => matches!(state, TaskState::Cancelled | TaskState::Lost),
                None => true,
            };
            if !fine {
                return broken(NAME, format!("{ix:?} was cancelled and is {is:?}"));
            }
        }
        Ok(())
    }
}
