//! What came of a call. Messages are the plugin's own text, cut but not escaped: whoever shows them escapes them.

use crate::LimitKind;
use sandgate_model::{ArtifactName, Charge};
use serde_json::Value;
use std::convert::Infallible;
use std::time::Duration;

/// Longest message kept, in bytes. Enough for a panic with its backtrace.
pub const MESSAGE_MAX: usize = 8 << 10;

/// Most reasons listed for an answer that is not accepted.
pub const REASONS_MAX: usize = 20;

/// What came of a call and what it cost.
#[derive(Debug)]
pub struct Report<T> {
    /// What came of it.
    pub outcome: Outcome<T>,
    /// What it cost.
    pub stats: Stats,
}

/// How a call ended. Every call ends in exactly one of these ways.
#[derive(Debug)]
pub enum Outcome<T> {
    /// The plugin answered, and the answer is well-formed.
    Output(T),
    /// The plugin says it failed.
    Failed {
        /// Which case of the contract's `plugin-error` it chose.
        kind: Failure,
        /// Its words.
        message: String,
    },
    /// Wasm trapped, or the plugin left without answering.
    Trap {
        /// Why, with the plugin's last words on stderr where there are any.
        message: String,
    },
    /// The deadline passed.
    Timeout {
        /// The deadline.
        after: Duration,
    },
    /// A limit was hit.
    Limit {
        /// Which.
        which: LimitKind,
        /// The cap.
        cap: u64,
    },
    /// It answered something the host does not accept.
    BadAnswer {
        /// Why not, at most [`REASONS_MAX`] reasons.
        reasons: Vec<String>,
    },
    /// The caller took it down.
    Cancelled,
    /// It wants something that is not granted; nothing of it has run.
    Refused {
        /// The import.
        import: String,
        /// What would allow it.
        hint: String,
    },
    /// The host could not do its part.
    Host {
        /// What went wrong.
        message: String,
    },
    /// A person has to decide before it can go on. The guest is gone; with the tape of its call it can be made again and
    /// comes to the same point.
    Suspended,
    /// It was replayed and asked for something else than the first time. Nothing was done that is not on its tape.
    Diverged {
        /// What it asked for, and what is on the tape.
        message: String,
    },
}

/// The cases of the contract's `plugin-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The input or the configuration is wrong; trying again is useless.
    InvalidInput,
    /// Something it needs is not granted or not there; trying again is useless.
    Unavailable,
    /// The work failed; trying again may help.
    Failed,
    /// The work failed; trying again is useless.
    Permanent,
}

/// What a call cost. What is replayed counts as it did the first time, so that a call that was suspended costs the same in
/// the end as one that was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Wall-clock time from the request to the end, waiting for a free slot included.
    pub wall: Duration,
    /// Most linear memory at once, in bytes, as the guest declared it.
    pub memory_peak: usize,
    /// Calls into the host.
    pub host_calls: u64,
    /// Bytes of log, stdout and stderr that were passed on.
    pub log_bytes: usize,
    /// Lines and progress words that were dropped because a cap was reached.
    pub dropped_lines: u64,
    /// Bytes that were written to files.
    pub disk_bytes: u64,
    /// Files, directories and symbolic links that were made.
    pub disk_files: u64,
    /// Most files open at once.
    pub open_files_peak: usize,
    /// HTTP requests that were handed to the port.
    pub http_requests: u64,
    /// Commands that were handed to the port.
    pub commands: u64,
    /// Texts that the port was asked to generate.
    pub generations: u64,
    /// Charges that were handed to the port.
    pub charges: u64,
    /// Questions that were handed to the port.
    pub questions: u64,
}

/// What an agent gave back.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentAnswer {
    /// The output document.
    pub output: Value,
    /// Artifacts, sorted by name; every name the task had to produce is there, and no other.
    pub artifacts: Vec<NewArtifact>,
    /// Costs.
    pub charges: Vec<Charge>,
}

/// An artifact that an attempt made, not stored yet.
#[derive(Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// Name within the task.
    pub name: ArtifactName,
    /// Media type the plugin claims: printable ASCII, at most 127 bytes.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for NewArtifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewArtifact")
            .field("name", &self.name)
            .field("media_type", &self.media_type)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl<T> Outcome<T> {
    /// The output, or how the call ended instead.
    ///
    /// # Errors
    /// Every outcome but [`Outcome::Output`].
    pub fn split(self) -> Result<T, Outcome<Infallible>> {
        Err(match self {
            Self::Output(value) => return Ok(value),
            Self::Failed { kind, message } => Outcome::Failed { kind, message },
            Self::Trap { message } => Outcome::Trap { message },
            Self::Timeout { after } => Outcome::Timeout { after },
            Self::Limit { which, cap } => Outcome::Limit { which, cap },
            Self::BadAnswer { reasons } => Outcome::BadAnswer { reasons },
            Self::Cancelled => Outcome::Cancelled,
            Self::Refused { import, hint } => Outcome::Refused { import, hint },
            Self::Host { message } => Outcome::Host { message },
            Self::Suspended => Outcome::Suspended,
            Self::Diverged { message } => Outcome::Diverged { message },
        })
    }

    /// The same outcome with another kind of output.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self.split() {
            Ok(value) => Outcome::Output(f(value)),
            Err(other) => other.widen(),
        }
    }

    /// Why there is no output, in a sentence for people, with the plugin's words in it as they are. Empty for an
    /// output.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Output(_) => String::new(),
            Self::Failed { kind, message } => format!("it says {}: {message}", kind.as_str()),
            Self::Trap { message } => format!("it crashed: {message}"),
            Self::Timeout { after } => {
                format!("it was not done after {} s", after.as_secs_f64())
            }
            Self::Limit { which, cap } => {
                format!("it ran into its limit of {cap} {}", which.what())
            }
            Self::BadAnswer { reasons } => {
                format!("its answer is not accepted: {}", reasons.join("; "))
            }
            Self::Cancelled => "it was cancelled".to_owned(),
            Self::Refused { import, hint } => {
                format!("it imports `{import}`, which is not granted; {hint}")
            }
            Self::Host { message } => format!("the host could not run it: {message}"),
            Self::Suspended => "it waits for a person".to_owned(),
            Self::Diverged { message } => {
                format!("it cannot go on from where it was: {message}")
            }
        }
    }

    /// Whether the guest may still be used after it: only when it gave control back by itself.
    #[must_use]
    pub const fn guest_alive(&self) -> bool {
        matches!(
            self,
            Self::Output(_) | Self::Failed { .. } | Self::BadAnswer { .. }
        )
    }
}

impl Outcome<Infallible> {
    /// The same outcome of a call that could have had an output.
    #[must_use]
    pub fn widen<T>(self) -> Outcome<T> {
        match self {
            Self::Output(never) => match never {},
            Self::Failed { kind, message } => Outcome::Failed { kind, message },
            Self::Trap { message } => Outcome::Trap { message },
            Self::Timeout { after } => Outcome::Timeout { after },
            Self::Limit { which, cap } => Outcome::Limit { which, cap },
            Self::BadAnswer { reasons } => Outcome::BadAnswer { reasons },
            Self::Cancelled => Outcome::Cancelled,
            Self::Refused { import, hint } => Outcome::Refused { import, hint },
            Self::Host { message } => Outcome::Host { message },
            Self::Suspended => Outcome::Suspended,
            Self::Diverged { message } => Outcome::Diverged { message },
        }
    }
}

impl Failure {
    /// The words in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "its input is wrong",
            Self::Unavailable => "something it needs is not there",
            Self::Failed => "it failed",
            Self::Permanent => "it failed for good",
        }
    }
}

/// Cuts a text to `max` bytes at a character boundary; a cut text ends in `…`.
pub(crate) fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_keeps_characters_whole() {
        assert_eq!(cut("äöü".into(), 3), "ä…");
        assert_eq!(cut("äöü".into(), 6), "äöü");
        assert_eq!(cut(String::new(), 0), "");
    }
}
