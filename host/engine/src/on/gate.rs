//! Verification. Fails closed, tier by tier, and never tries again by itself: only an interruption, which is no
//! answer, makes a gate run twice.

use crate::{
    Command, GateEnd, GateState, Outcome, Run, RunState,
    budget::Fit,
    illegal::{Handled, Why},
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
        if attempt.0 != gate.attempt.saturating_add(1) {
            let (name, next) = (self.gate_name(ix), gate.attempt + 1);
            return Err(format!(
                "the next attempt of gate `{name}` is {next}, not {}",
                attempt.0
            )
            .into());
        }
        if !self.slot_free() {
            return Err("every slot is taken".into());
        }
        let cap = match self.fit_gate(ix) {
            Fit::Free => None,
            Fit::Now(cap) => Some(cap),
            Fit::Later | Fit::Never(_) => {
                let name = self.gate_name(ix);
                return Err(format!("the budget does not cover gate `{name}` now").into());
            }
        };
        self.gates[ix].attempt = attempt.0;
        self.reserve(Caller::Gate { gate: ix, attempt }, cap);
        self.set_gate(ix, at, GateState::Running);
        out.push(Command::RunGate { gate: ix, attempt });
        Ok(())
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
        let _over = self.close_account(Caller::Gate { gate: ix, attempt }, &[]);
        self.gates[ix].took = Some(took);
        match end {
            GateEnd::Interrupted => self.gate_interrupted(ix, at),
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
        if open || self.gates.iter().any(|(_, gate)| gate.lack.is_some()) {
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

    /// Gates have no effects: one whose end is unknown runs again.
    pub(crate) fn gate_interrupted(&mut self, ix: GateIx, at: Moment) {
        let state = if self.stop.is_some() {
            GateState::Cancelled
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
        self.gates[ix].lack = None;
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
