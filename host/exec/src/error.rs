//! Why a command did not run.

use std::io;

/// Why a command did not run, or how it ended is not known.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The machine cannot contain it as promised; says what is missing and what an operator can do.
    #[error("{0}")]
    NotContained(String),
    /// It could not be started: no such program, a directory that is not there, and the like.
    #[error("{0}")]
    NotStarted(String),
    /// What the caller handed in does not belong together; nothing was started.
    #[error("{0}")]
    Invalid(String),
    /// The host could not do its part. When `started` is set, the command had begun; everything it started is gone.
    #[error("{what}")]
    Host {
        /// What failed.
        what: String,
        /// Whether the command had begun.
        started: bool,
        /// Why.
        #[source]
        source: Option<io::Error>,
    },
}

impl ExecError {
    pub(crate) fn host(what: &str, source: io::Error) -> Self {
        Self::Host {
            what: what.to_owned(),
            started: false,
            source: Some(source),
        }
    }
}
