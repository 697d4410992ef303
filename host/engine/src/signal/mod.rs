//! Signals: messages from outside that end waits. `inbox` keeps those of a project (early ones, repeats, what came of
//! each); `matching` says whether a signal fits a wait. Both are pure; the driver records and delivers.

mod inbox;
mod matching;

pub use inbox::{
    Inbox, InboxEvent, KEPT_MAX, KEPT_FOR, Kept, PastWait, Receipt, SignalRefusal,
};
pub use matching::{OpenWait, fits};
