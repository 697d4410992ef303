//! How an attempt ended.

use crate::{Artifact, Payload};
use serde::{Deserialize, Serialize};

/// A recorded cost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Charge {
    /// What was paid for, such as `tokens` or `purchase`.
    pub what: String,
    /// Amount in millionths of the project's currency unit.
    pub micros: u64,
}

/// What a task gave back when it succeeded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TaskOutput {
    /// The output document.
    pub output: Payload,
    /// Artifacts, each already in the artifact store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// Costs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<Charge>,
}

/// Why an attempt failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// The plugin said so.
    Plugin,
    /// Wasm trapped: unreachable, out of bounds, stack exhausted, division by zero, ...
    Trap,
    /// The deadline passed.
    Timeout,
    /// A limit of the sandbox was hit: memory, table, handles, log, output, ...
    Limit,
    /// The plugin returned something the host does not accept.
    BadAnswer,
    /// Its input could not be made: a template failed, an artifact is missing.
    Input,
    /// Not allowed. Never retried.
    Refused,
    /// The host could not do its part: component missing, disk full, ...
    Host,
}

impl FailureClass {
    /// Whether trying again can help. A refusal or a bad template stays what it is.
    #[must_use]
    pub fn retryable(self) -> bool {
        !matches!(self, Self::Refused | Self::Input)
    }

    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::BadAnswer => "bad-answer",
            Self::Input => "input",
            Self::Refused => "refused",
            Self::Host => "host",
        }
    }
}

/// The end of one attempt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum AttemptEnd {
    /// It gave an output.
    Output(TaskOutput),
    /// It failed.
    Failed {
        /// Why.
        class: FailureClass,
        /// For a person. Escaped where it is shown, not here.
        message: String,
        /// The plugin says that trying again is useless.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        permanent: bool,
    },
    /// The host took it down on purpose (cancel).
    Cancelled,
    /// The host stopped or died under it; what it did until then is unknown.
    Interrupted,
}
