//! What is put to people, and what they said. Whoever may decide, when a decision counts and who was first is decided
//! here and nowhere else; a channel (terminal, socket, server) only carries it. What a decision means for the work is
//! in `on/ask.rs`.

mod book;
mod consent;
mod judge;
mod queue;
mod rules;
mod view;

pub(crate) use book::{Asks, Entry, Subject, until};
pub(crate) use consent::refusal;
pub use judge::{Consented, DecideRefusal, Judged};
pub(crate) use queue::subject;
pub use view::{AskState, AskView, Feedback, Need, Restore, Standing, Vote};
