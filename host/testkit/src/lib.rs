//! What tests of several crates share: builders of plans, generated plans, and a simulated world that runs the
//! engine through crashes, late events and people's whims while it checks every promise of the engine after every
//! event. For `dev-dependencies` only; nothing of it is in the product.

mod build;
mod generate;
mod graphs;
mod invariant;
mod rng;
mod sequence;
mod world;

pub use build::{
    PlanBuilder, TaskBuilder, actor, created, created_by, created_with, gate, rule, run_id,
};
pub use generate::{plan, plan_of};
pub use graphs::{chain, fan, layered};
pub use invariant::{Observer, Violation};
pub use rng::Rng;
pub use sequence::{Sequence, SequenceError};
pub use world::{Crash, Lie, Script, Tally, World};
