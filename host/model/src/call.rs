//! Capability calls: what a plugin asked the host to do outside the sandbox, as the journal keeps it. An intent
//! before, an outcome after. Data only.

use crate::{AttemptNo, Digest, GateIx, NeedKind, TaskIx};
use serde::{Deserialize, Serialize};

/// Who makes a capability call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Caller {
    /// The planner that is making a plan.
    Planner,
    /// An attempt at a task.
    Task {
        /// The task.
        task: TaskIx,
        /// Which try.
        attempt: AttemptNo,
    },
    /// A gate.
    Gate {
        /// The gate.
        gate: GateIx,
        /// Which try.
        attempt: AttemptNo,
    },
}

/// What is asked for. Holds no secret: placeholders stand where values will be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallRequest {
    /// Which kind of authority it uses.
    pub kind: NeedKind,
    /// One line for people: `GET https://api.example.com/v1/items`, `cargo test --workspace`.
    pub what: String,
    /// Digest of the canonical bytes of exactly what will happen.
    pub digest: Digest,
    /// Where the rule that allows it is written: `sandgate.toml:12`; empty when it is not from a file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Names of secrets that go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Reserved for it, in millionths of the currency unit; the most it can cost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reserve: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How a capability call ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum CallEnd {
    /// It happened. `note` says how in one line (`200, 512 bytes`, `exit 1`), `micros` what it cost.
    Done {
        /// One line for people.
        note: String,
        /// What it cost, at most what was reserved.
        #[serde(default, skip_serializing_if = "is_zero")]
        micros: u64,
    },
    /// It was tried and failed; it may have had an effect.
    Failed {
        /// Why.
        message: String,
        /// What it cost all the same, at most what was reserved.
        #[serde(default, skip_serializing_if = "is_zero")]
        micros: u64,
    },
    /// The attempt ended, or the host stopped, before the end was known. What was reserved counts as spent.
    Interrupted,
}
