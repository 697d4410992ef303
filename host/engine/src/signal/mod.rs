//! Signals: messages from outside that end waits. `inbox` keeps those of a project (early ones, repeats, what came of
//! each); `matching` says whether a signal fits a wait. Both are pure; the driver records and delivers.

mod inbox;
mod matching;

pub use inbox::{Inbox, InboxEvent, KEPT_FOR, KEPT_MAX, Kept, PastWait, Receipt, SignalRefusal};
pub use matching::{
    OpenWait, SIGNAL_FIELDS_MAX, SIGNAL_ID_MAX, SIGNAL_NAME_MAX, SIGNAL_VALUE_MAX, fits,
    signal_digest, validate_signal,
};
