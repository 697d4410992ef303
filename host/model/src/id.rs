//! Ids the host makes.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A run: a version 7 UUID, so that ids sort by time of creation. Made outside this crate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

/// A text that is not a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run id looks like `01932c5e-7c0a-7000-8000-000000000000`")]
pub struct RunIdError;

impl RunId {
    /// Wraps a UUID that the caller made.
    #[must_use]
    pub fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The 16 bytes, big endian.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id of 16 bytes, big endian: what [`as_bytes`](Self::as_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The last 8 digits, for people: the random end, since the beginning is the time.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().skip(28).collect()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;
    fn from_str(text: &str) -> Result<Self, RunIdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| RunIdError)
    }
}

/// A task's place in its run: the index in the plan, then the instances that `for_each` added. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskIx(pub u32);

/// A gate's place in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GateIx(pub u32);

/// Which try at a task, from 1. Names the attempt together with its task; never reused in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(pub u32);

impl TaskIx {
    /// The index as `usize`.
    #[must_use]
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl GateIx {
    /// The index as `usize`.
    #[must_use]
    pub fn get(self) -> usize {
        self.0 as usize
    }
}
