//! An event that cannot happen now.

use crate::{Event, RunState};
use std::borrow::Cow;

/// An event that is not possible in this state. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` is not possible while the run is {}: {why}", state.as_str())]
pub struct Illegal {
    /// The state of the run.
    pub state: RunState,
    /// The event's kind.
    pub event: &'static str,
    /// Why it is not possible, for a person.
    pub why: String,
}

impl Illegal {
    pub(crate) fn new(state: RunState, event: &Event, why: impl Into<String>) -> Self {
        Self {
            state,
            event: event.kind(),
            why: why.into(),
        }
    }
}

/// The reason alone; `step` adds the state and the event.
pub(crate) type Why = Cow<'static, str>;

/// What a handler of an event returns: it has checked everything before it changed anything.
pub(crate) type Handled = Result<(), Why>;
