//! The pure core of Sandgate: events in, state and commands out.
//!
//! [`Run::step`] is the whole interface for change; [`Run::next_start`] says what could start next. No clock, no
//! randomness, no I/O, no async, no logging. Live running and recovery are the same calls with events from
//! different places.

mod command;
mod event;
mod status;

pub use command::Command;
pub use event::{EVENT_FORMAT, Evaluated, Event, GateEnd, Steps, Timer};
pub use status::{Blocked, Outcome, Reason, RunState, TaskState};
