//! What a run may cost: reserved before the work, settled after, never negative.
//!
//! The rules, in the order in which they are applied:
//! 1. A run's limit is the smaller of what the project reserved for it and what its plan says.
//! 2. Whatever can spend reserves before it starts: a task its own `budget` less what its earlier attempts spent, or
//!    a fair share; a gate a fair share of what the tasks left; the planner everything, while it plans.
//! 3. A capability call reserves from its caller's reservation before it begins, and settles when it ends.
//! 4. The end of an attempt gives back what it did not spend. A call whose end is unknown has spent its reserve.
//!
//! A fair share is the remainder of the run, less the written budgets of tasks that are still to come, divided by the
//! spenders without a budget that are still to come. Must not do any of this anywhere else: the ledger is changed here
//! and by `on/call.rs` alone.

mod account;
mod allowance;
mod claims;
mod fit;
mod fund;
mod ledger;
mod say;

pub use allowance::Allowance;
pub use ledger::CallCounts;

pub(crate) use account::{Account, Open};
pub(crate) use claims::Claims;
pub(crate) use fit::Fit;
pub(crate) use fund::Lack;
pub(crate) use ledger::Ledger;
pub(crate) use say::{amount, money, word};
