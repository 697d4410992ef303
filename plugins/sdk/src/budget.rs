//! Charges for what a plugin does in the real world, such as a purchase. What the host itself spends for a plugin
//! (text generation) is charged without its help.

use crate::PluginError;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host::sandgate::plugin::budget as host;
use std::fmt;

/// Why a charge was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BudgetError {
    /// It does not fit; holds what is left, in millionths.
    Over(u64),
    /// A person has to approve it, which did not happen; says why.
    NotApproved(String),
    /// The host could not do its part.
    Host(String),
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over(left) => write!(
                f,
                "the charge does not fit the budget, which has {}.{:06} left; raise `limit` under [budget] in \
                 sandgate.toml",
                left / 1_000_000,
                left % 1_000_000
            ),
            Self::NotApproved(text) => write!(f, "the charge is not approved: {text}"),
            Self::Host(text) => write!(f, "the host could not take the charge: {text}"),
        }
    }
}

impl std::error::Error for BudgetError {}

/// Only a failure of the host may pass by itself.
impl From<BudgetError> for PluginError {
    fn from(error: BudgetError) -> Self {
        let text = error.to_string();
        match error {
            BudgetError::Over(_) | BudgetError::NotApproved(_) => Self::Unavailable(text),
            BudgetError::Host(_) => Self::Failed(text),
        }
    }
}

/// What this attempt may still spend, in millionths of the project's currency unit; `None`: no budget is set.
#[must_use]
pub fn remaining() -> Option<u64> {
    #[cfg(target_arch = "wasm32")]
    return host::remaining();
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::budget_left()
}

/// Charges now; call it before the money is spent. `what` is one line for people, `micros` are millionths of the
/// project's currency unit.
///
/// # Errors
/// Why the charge was not taken. Do not spend then.
pub fn charge(what: &str, micros: u64) -> Result<(), BudgetError> {
    #[cfg(target_arch = "wasm32")]
    return host::charge_now(what, micros).map_err(|error| match error {
        host::BudgetError::Over(left) => BudgetError::Over(left),
        host::BudgetError::NotApproved(text) => BudgetError::NotApproved(text),
        host::BudgetError::Host(text) => BudgetError::Host(text),
    });
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::charge(what, micros)
}
