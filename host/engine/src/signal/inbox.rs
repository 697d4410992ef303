//! The signals of a project. Not of one run: a signal may come before the run that waits for it.

use super::matching::OpenWait;
use sandgate_model::{Millis, Moment, RunId, Signal, SignalType, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most signals that are kept because nobody waits for them yet.
pub const KEPT_MAX: usize = 1_000;

/// How long one is kept: a week.
pub const KEPT_FOR: Millis = Millis(7 * 24 * 3_600 * 1_000);

/// What the journal keeps of signals, beside the runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum InboxEvent {
    /// A signal was taken in. `to` are the tasks that it resolved at once; none: it is kept.
    SignalReceived {
        /// The signal.
        signal: Signal,
        /// Whom it resolved.
        to: Vec<(RunId, TaskId)>,
    },
    /// One that was kept resolved a wait that began later.
    SignalMatched {
        /// Its id.
        id: String,
        /// Whom it resolved.
        to: (RunId, TaskId),
    },
    /// Kept ones that nobody came for in time are dropped.
    SignalsExpired {
        /// Their ids.
        ids: Vec<String>,
    },
}

/// A wait that is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PastWait {
    /// The wait.
    pub wait: OpenWait,
    /// When it was over.
    pub ended: Moment,
    /// How: `resolved by signal X`, `timed out`, `the run was cancelled`.
    pub how: String,
}

/// A signal that nobody waited for yet, or one that was delivered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The signal.
    pub signal: Signal,
    /// Whom it resolved; empty: nobody yet.
    pub to: Vec<(RunId, TaskId)>,
}

/// What becomes of a signal that arrives.
#[derive(Clone, PartialEq, Debug)]
pub enum Receipt {
    /// It fits these waits: record it, then deliver it to each.
    Deliver(Vec<OpenWait>),
    /// Nobody waits for it yet: record it, it is kept. With the waits of its type that come nearest, for the sender.
    Keep {
        /// Nearest waits: the same type, and at least one equal field; at most five.
        near: Vec<OpenWait>,
    },
    /// The same id with the same content came before: nothing is recorded, and that is fine.
    Repeat {
        /// What came of the first one.
        kept: Kept,
    },
}

/// Why a signal is refused. Nothing is recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "kebab-case")]
pub enum SignalRefusal {
    /// The project declares no such type.
    #[error("the project knows no signal type `{kind}`; it knows {}", known.join(", "))]
    UnknownType {
        /// The type.
        kind: SignalType,
        /// Those it knows.
        known: Vec<String>,
    },
    /// The same id came before with another content.
    #[error("a signal with the id `{id}` and another content came before")]
    Conflict {
        /// The id.
        id: String,
        /// When the first one came.
        first: Moment,
    },
    /// What it answers is over.
    #[error("it is stale: {why}")]
    Stale {
        /// What it fits, how that ended, and what is waited for now.
        why: String,
    },
    /// Too many wait to be picked up.
    #[error("{count} signals wait already and nobody picks them up; the oldest has waited since {oldest:?}")]
    Full {
        /// How many.
        count: usize,
        /// When the oldest came.
        oldest: Moment,
    },
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inbox {
    pub(super) by_id: BTreeMap<String, Kept>,
}
