//! One file per family of events. Every handler checks everything first and only then changes anything, so that
//! a refused event leaves no trace.

pub(crate) mod attempt;
mod call;
mod cancel;
mod evaluate;
pub(crate) mod gate;
mod host;
mod planning;
mod retry;
mod timer;
mod signal;
mod steer;
