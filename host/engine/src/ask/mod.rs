//! What is put to people, and what they said. Whoever may decide, when a decision counts and who was first is decided
//! here and nowhere else; a channel (terminal, socket, server) only carries it.

mod book;
mod judge;
mod view;

pub(crate) use book::{Asks, Held};
pub use judge::{Consented, DecideRefusal, Judged};
pub use view::{AskState, AskView, Feedback, Need, Restore, Standing, Vote};
