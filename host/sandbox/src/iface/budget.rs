//! `sandgate:plugin/budget`: linked for calls with a [`crate::BudgetPort`]. Turns what a guest says into the port's words
//! and back. Must not count money.

use crate::ChargeFailure;
use crate::bindings::sandgate::plugin::budget::{BudgetError, Host, add_to_linker};
use crate::effect::effect;
use crate::outcome::cut;
use crate::state::{State, Stop};
use crate::tape::{Args, Tag};
use wasmtime::component::{HasSelf, Linker};

/// Longest line that says what is charged, in bytes; it is shown on one line.
const WHAT_MAX: usize = 500;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker::<State, HasSelf<State>>(linker, State::count)
}

impl Host for State {
    fn remaining(&mut self) -> wasmtime::Result<Option<u64>> {
        self.may_go_on()?;
        let Some(port) = &self.powers.budget else {
            // Linked without being granted: it has nothing to spend.
            return Ok(Some(0));
        };
        Ok(match &self.tape {
            Some(tape) => tape.once(Tag::Remaining, &Args::NONE, || port.remaining())?,
            None => port.remaining(),
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
        self.settle_http().await?;
        self.used.charges += 1;
        let what = cut(what, WHAT_MAX);
        let digest = || Args::of(&(&what, micros));
        let charge = async { port.charge(what.clone(), micros).await };
        let charged = effect(self.tape.as_ref(), Tag::Charge, digest, charge).await?;
        Ok(match charged {
            Ok(()) => Ok(()),
            Err(ChargeFailure::Over(left)) => Err(BudgetError::Over(left)),
            Err(ChargeFailure::NotApproved(why)) => Err(BudgetError::NotApproved(why)),
            Err(ChargeFailure::Host(why)) => Err(BudgetError::Host(why)),
            Err(ChargeFailure::Suspended) => return Err(Stop::Suspended.into()),
        })
    }
}
