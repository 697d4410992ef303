//! Verification. Fails closed, tier by tier, and never tries again by itself: only an interruption, which is no
//! answer, makes a gate run twice.

use crate::{
    Allowance, Command, GateEnd, GateState, Outcome, Run, RunState,
    ask::Subject,
    budget::{Fit, Lack},
    gate::Gate,
    illegal::{Handled, Why},
    on::suspend::Return,
};
use sandgate_model::{AttemptNo, Caller, GateIx, Millis, Moment};

impl Run {
    pub(crate) fn on_verify_requested(&mut self, at: Moment, out: &mut Vec<Command>) -> Handled {
        match self.state {
            RunState::Running if self.stop.is_some() => return Err("the run is stopping".into()),
            RunState::Running if !self.all_ended() => {
                return Err("its tasks have not ended yet".into());
            }
            RunState::Running => {}
            RunState::Failed if self.plan.is_none() => return Err("it has no plan".into()),
            RunState::Failed if !self.plan_approved() => {
                return Err("its plan was never approved".into());
            }
            RunState::Failed if !self.all_good() => {
                return Err("not all of its tasks succeeded; retry those first".into());
            }
            RunState::Failed => {
                self.reopen(at);
                self.arm_deadline(at, out);
            }
            RunState::Verifying => return Err("it is being verified already".into()),
            RunState::Verified => return Err("it is verified already".into()),
            RunState::Cancelled => return Err("it was cancelled".into()),
            RunState::Draft | RunState::Planning | RunState::PlanReview => {
                return Err("nothing of it was dispatched yet".into());
            }
        }
        self.begin_verifying(at, out);
        Ok(())
    }

    pub(crate) fn on_gate_started(
        &mut self,
        at: Moment,
        ix: GateIx,
        attempt: AttemptNo,
        out: &mut Vec<Command>,
    ) -> Handled {
        let cap = self.may_start_gate(ix, attempt, false)?;
        self.gates[ix].attempt = attempt.0;
        self.gates[ix].took = None;
        let by = Caller::Gate { gate: ix, attempt };
        self.reserve(by, cap);
        if self
            .planned_gate(ix)
            .is_some_and(|gate| gate.grants.may_wait())
        {
            self.record(by);
        }
        self.set_gate(ix, at, GateState::Running);
        out.push(Command::RunGate { gate: ix, attempt });
        Ok(())
    }

    /// What it reserves, if it may start and has to.
    pub(crate) fn may_start_gate(
        &self,
        ix: GateIx,
        attempt: AttemptNo,
        resumes: bool,
    ) -> Result<Option<Allowance>, Why> {
        if self.state != RunState::Verifying {
            return Err("gates start only while the run is verifying".into());
        }
        if self.stop.is_some() {
            return Err("the run is stopping, nothing new starts".into());
        }
        if self.paused.is_some() {
            return Err("the run is paused, nothing new starts".into());
        }
        let gate = self.gates.row(ix).ok_or_else(|| no_gate(ix))?;
        if gate.state != GateState::Ready {
            return Err(format!(
                "gate `{}` is {}, not ready",
                self.gate_name(ix),
                gate.state.as_str()
            )
            .into());
        }
        let name = || format!("gate `{}`", self.gate_name(ix));
        Self::is_next(
            attempt,
            gate.attempt,
            (gate.restore.is_some(), resumes),
            &name,
        )?;
        if !self.slot_free() {
            return Err("every slot is taken".into());
        }
        match self.fit_gate(ix) {
            Fit::Free => Ok(None),
            Fit::Now(cap) => Ok(Some(cap)),
            Fit::Later | Fit::Never(_) => {
                let name = self.gate_name(ix);
                Err(format!("the budget does not cover gate `{name}` now").into())
            }
        }
    }

    pub(crate) fn on_gate_ended(
        &mut self,
        at: Moment,
        (ix, attempt): (GateIx, AttemptNo),
        end: &GateEnd,
        took: Millis,
        out: &mut Vec<Command>,
    ) -> Handled {
        let gate = self.gates.row(ix).ok_or_else(|| no_gate(ix))?;
        if gate.state != GateState::Running {
            return Err(format!(
                "gate `{}` is {}, it does not run",
                self.gate_name(ix),
                gate.state.as_str()
            )
            .into());
        }
        if gate.attempt != attempt.0 {
            let (name, runs) = (self.gate_name(ix), gate.attempt);
            return Err(format!(
                "attempt {runs} of gate `{name}` runs, not attempt {}",
                attempt.0
            )
            .into());
        }

        // A gate reports no charges, and its answer stands however much it wanted to spend.
        let by = Caller::Gate { gate: ix, attempt };
        let back = self.return_of(by);
        let _over = self.close_account(by, &[]);
        let before = self.gates[ix].took.unwrap_or(Millis(0));
        self.gates[ix].took = Some(Millis(before.0.saturating_add(took.0)));
        if *end != GateEnd::Interrupted {
            self.drop_record(by);
        }
        match end {
            GateEnd::Interrupted => self.gate_interrupted(ix, at, back),
            _ if self.stop.is_some() => self.set_gate(ix, at, GateState::Cancelled),
            _ => {
                self.gates[ix].answer(end);
                let state = self.gates[ix].state;
                self.set_gate(ix, at, state);
            }
        }
        self.settle(at, out);
        Ok(())
    }

    /// All tasks are good: the gates decide. None at all is a verified run.
    pub(crate) fn begin_verifying(&mut self, at: Moment, out: &mut Vec<Command>) {
        if self.gates.len() > 0 {
            self.go(at, RunState::Verifying);
        }
        self.settle_gates(at, out);
    }

    /// Opens the next tier when the last one has passed, and ends the run when there is no next or it has not.
    pub(crate) fn settle_gates(&mut self, at: Moment, out: &mut Vec<Command>) {
        let open = !self.schedule.gates_running.is_empty() || !self.schedule.gates_ready.is_empty();
        let waits = |gate: &Gate| gate.lack.is_some() || gate.suspended;
        if open || self.gates.iter().any(|(_, gate)| waits(gate)) {
            return;
        }
        if self
            .gates
            .iter()
            .any(|(_, gate)| gate.state == GateState::Blocked)
        {
            self.finish(at, RunState::Failed, Outcome::Failed, out);
            return;
        }
        let tier = |ix: GateIx| self.planned_gate(ix).map_or(u32::MAX, |gate| gate.tier);
        let pending = || {
            self.gates
                .iter()
                .filter(|(_, g)| g.state == GateState::Pending)
                .map(|(ix, _)| ix)
        };
        let Some(next) = pending().map(tier).min() else {
            self.finish(at, RunState::Verified, Outcome::Verified, out);
            return;
        };
        let open: Vec<GateIx> = pending().filter(|ix| tier(*ix) == next).collect();
        for ix in open {
            self.set_gate(ix, at, GateState::Ready);
        }
    }

    /// Gates have no effects: one whose end is unknown runs again, or goes on where it stopped. Only what was approved
    /// for one time is not done twice, so that such a gate has no answer.
    pub(crate) fn gate_interrupted(&mut self, ix: GateIx, at: Moment, back: Return) {
        let attempt = AttemptNo(self.gates[ix].attempt);
        let by = Caller::Gate { gate: ix, attempt };
        self.note_ahead(by, back);
        let state = if self.stop.is_some() {
            self.drop_record(by);
            GateState::Cancelled
        } else if back == Return::Unknown {
            self.drop_record(by);
            let message = "the host stopped while a call that was approved for one time was under way, and nobody \
                           knows whether it happened: it is not done again"
                .to_owned();
            self.gates[ix].answer(&GateEnd::Inconclusive { message });
            self.gates[ix].state
        } else {
            GateState::Ready
        };
        self.set_gate(ix, at, state);
    }

    /// The only way a gate changes its state while the run goes on.
    pub(crate) fn set_gate(&mut self, ix: GateIx, at: Moment, state: GateState) {
        self.schedule.gates_ready.remove(&ix);
        self.schedule.gates_running.remove(&ix);
        self.schedule.gates_short.remove(&ix);
        if self.gates[ix].lack == Some(Lack::Person) {
            let why = "the gate does not wait for it any more";
            self.asks.forget(Subject::GateBudget(ix), at, why);
        }
        self.gates[ix].lack = None;
        self.gates[ix].suspended = false;
        match state {
            GateState::Ready => {
                self.schedule.gates_ready.insert(ix);
            }
            GateState::Running => {
                self.schedule.gates_running.insert(ix);
            }
            _ => {}
        }
        self.gates[ix].state = state;
        self.gates[ix].since = at;
    }

    /// An ended run goes on: gates as if they had never run, no end, no stop.
    pub(crate) fn reopen(&mut self, at: Moment) {
        let ixs: Vec<GateIx> = self.gates.keys().collect();
        for ix in ixs {
            self.gates[ix].reset(at);
        }
        self.stop = None;
        self.outcome = None;
        self.ended = None;
    }
}

pub(crate) fn no_gate(ix: GateIx) -> Why {
    format!("there is no gate #{}", ix.0).into()
}
