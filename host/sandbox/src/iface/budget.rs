//! `sandgate:plugin/budget`: linked for calls with a [`crate::BudgetPort`]. Turns what a guest says into the port's words
//! and back. Must not count money.

use crate::ChargeFailure;
use crate::bindings::sandgate::plugin::budget::{BudgetError, Host, add_to_linker};
use crate::outcome::cut;
use crate::state::State;
use wasmtime::component::{HasSelf, Linker};

/// Longest line that says what is charged, in bytes; it is shown on one line.
const WHAT_MAX: usize = 500;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker::<State, HasSelf<State>>(linker, State::count)
}

impl Host for State {
    fn remaining(&mut self) -> wasmtime::Result<Option<u64>> {
        self.may_go_on()?;
        Ok(match &self.powers.budget {
            Some(port) => port.remaining(),
            // Linked without being granted: it has nothing to spend.
            None => Some(0),
        })
    }

    async fn charge_now(
        &mut self,
        what: String,
        micros: u64,
    ) -> wasmtime::Result<Result<(), BudgetError>> {
        self.may_go_on()?;
        let Some(port) = self.powers.budget.clone() else {
            return Ok(Err(BudgetError::Over(0)));
        };
        self.used.charges += 1;
        let charged = port.charge(cut(what, WHAT_MAX), micros).await;
        Ok(charged.map_err(|failure| match failure {
            ChargeFailure::Over(left) => BudgetError::Over(left),
            ChargeFailure::NotApproved(why) => BudgetError::NotApproved(why),
            ChargeFailure::Host(why) => BudgetError::Host(why),
        }))
    }
}
