//! Gates fail closed, tier by tier.

use super::{Checked, Observer, broken};
use sandgate_engine::{Event, Run, RunState, TaskState};
use sandgate_model::GateIx;

impl Observer {
    /// A gate starts after every gate of a lower tier has passed.
    pub(crate) fn invariant_tiers(&self, event: &Event) -> Checked {
        let Event::GateStarted { gate, .. } = event else {
            return Ok(());
        };
        let Some(own) = self.plan.gates.get(gate.get()) else {
            return broken("tiers", format!("gate {gate:?} does not exist"));
        };
        for (ix, other) in (0u32..).map(GateIx).zip(&self.plan.gates) {
            if other.tier < own.tier && self.passed.get(&ix) != Some(&true) {
                return broken(
                    "tiers",
                    format!("gate {gate:?} started before {ix:?} passed"),
                );
            }
        }
        Ok(())
    }

    /// A run is verified only when every task is good and the last answer of every gate is a pass.
    pub(crate) fn invariant_gates_fail_closed(&self, run: &Run) -> Checked {
        const NAME: &str = "gates-fail-closed";
        if run.state() == RunState::Verifying || run.state() == RunState::Verified {
            let bad = self
                .tasks
                .iter()
                .position(|fact| !matches!(fact.state, TaskState::Succeeded | TaskState::Skipped));
            if let Some(ix) = bad {
                return broken(
                    NAME,
                    format!("{:?}, and task {ix} is not good", run.state()),
                );
            }
        }
        if run.state() != RunState::Verified {
            return Ok(());
        }
        let missing = (0u32..)
            .map(GateIx)
            .zip(&self.plan.gates)
            .find(|(ix, _)| self.passed.get(ix) != Some(&true));
        match missing {
            Some((ix, _)) => broken(NAME, format!("verified, and gate {ix:?} did not pass")),
            None => Ok(()),
        }
    }
}
