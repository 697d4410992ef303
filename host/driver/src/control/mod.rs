//! How somebody outside the loop gets at a project: what may be wanted ([`Wish`]), who wants it ([`Speaker`]), and the
//! ways there. In the driving process a [`Control`]; from another process a [`Client`] through the control socket; and
//! where nobody drives, [`Offline`], which records and runs nothing. Must not decide anything: the engine does.

mod client;
mod handle;
mod offline;
mod prepare;
mod reach;
mod socket;
mod who;
mod wish;

pub use client::Client;
pub use handle::Control;
pub use offline::Offline;
pub use reach::{Reach, ReachError, reach};
pub use who::Speaker;
pub use wish::{Done, Wish, WishError};

pub(crate) use prepare::{allowance, created};
pub(crate) use socket::{Listening, SOCKET};
pub(crate) use wish::Wanted;
