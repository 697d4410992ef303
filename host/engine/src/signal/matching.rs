//! Whether a signal fits a wait.

use sandgate_model::{Moment, RunId, Signal, SignalType, TaskId, TaskIx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A task that waits for a signal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenWait {
    /// Its run.
    pub run: RunId,
    /// The task.
    pub task: TaskIx,
    /// Its id.
    pub id: TaskId,
    /// Type of signal.
    pub kind: SignalType,
    /// Fields that have to be equal.
    pub matches: BTreeMap<String, String>,
    /// Since when it waits.
    pub since: Moment,
}

/// Whether a signal fits: same type, and every field that the wait names is equal. Fields that only the signal has do
/// not matter.
#[must_use]
pub fn fits(kind: &SignalType, matches: &BTreeMap<String, String>, signal: &Signal) -> bool {
    *kind == signal.kind
        && matches
            .iter()
            .all(|(name, value)| signal.fields.get(name) == Some(value))
}
