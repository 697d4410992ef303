//! One file per family of events. Every handler checks everything first and only then changes anything, so that
//! a refused event leaves no trace.

mod ask;
pub(crate) mod attempt;
mod call;
mod cancel;
mod evaluate;
pub(crate) mod gate;
mod host;
mod planning;
mod retry;
mod review;
mod signal;
mod steer;
pub(crate) mod suspend;
mod timer;
