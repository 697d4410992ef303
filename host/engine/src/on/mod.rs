//! One file per family of events. Every handler checks everything first and only then changes anything, so that
//! a refused event leaves no trace.

pub(crate) mod attempt;
mod cancel;
mod evaluate;
mod gate;
mod host;
mod planning;
mod retry;
mod timer;
