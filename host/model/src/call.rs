//! Capability calls: what a plugin asked the host to do outside the sandbox, as the journal keeps it. An intent
//! before, an outcome after. Data only.

use crate::{AttemptNo, Consent, Digest, GateIx, NeedKind, TaskIx};
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

/// What something costs, or may cost.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Amount {
    /// Money, in millionths of the project's currency unit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub micros: u64,
    /// Tokens of text generation, in and out together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens: u64,
}

impl Amount {
    /// Nothing.
    pub const NOTHING: Self = Self {
        micros: 0,
        tokens: 0,
    };

    /// Whether it is nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }

    /// Both together; stays at the largest number instead of wrapping.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_add(other.micros),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }

    /// What is left after `other`; never less than nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_sub(other.micros),
            tokens: self.tokens.saturating_sub(other.tokens),
        }
    }

    /// Whether `other` fits into it, in money and in tokens.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.micros >= other.micros && self.tokens >= other.tokens
    }

    /// The smaller of each.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            micros: self.micros.min(other.micros),
            tokens: self.tokens.min(other.tokens),
        }
    }
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
    /// Reserved for it: the most it can cost.
    #[serde(default, skip_serializing_if = "Amount::is_nothing")]
    pub reserve: Amount,
    /// Somebody has to agree to it before it may begin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// Who did, when it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
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
    /// It happened. `note` says how in one line (`200, 512 bytes`, `exit 1`), `cost` what it cost.
    Done {
        /// One line for people.
        note: String,
        /// What it cost, at most what was reserved.
        #[serde(default, skip_serializing_if = "Amount::is_nothing")]
        cost: Amount,
    },
    /// It was tried and failed; it may have had an effect.
    Failed {
        /// Why.
        message: String,
        /// What it cost all the same, at most what was reserved.
        #[serde(default, skip_serializing_if = "Amount::is_nothing")]
        cost: Amount,
    },
    /// The attempt ended, or the host stopped, before the end was known. What was reserved counts as spent.
    Interrupted,
}
