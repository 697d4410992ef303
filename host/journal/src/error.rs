//! Errors, one type per operation.

use crate::{Damage, Holder};
use std::{io, path::PathBuf};

/// A journal could not be opened. Nothing in it has been changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process writes this project.
    #[error("{} is in use by {holder}; wait until it ends, or stop it", dir.display())]
    Held {
        /// The state directory.
        dir: PathBuf,
        /// Who holds it, as far as the lock file says.
        holder: Holder,
    },
    /// The state directory is on a network file system.
    #[error(
        "{} is on a network file system ({kind}), where locks and shared memory cannot be trusted; \
         move the project to a local disk", dir.display()
    )]
    NetworkFs {
        /// The state directory.
        dir: PathBuf,
        /// Name of the file system.
        kind: &'static str,
    },
    /// Something at the place of the state directory that is not a directory of this user.
    #[error("{} cannot hold the project's state: {reason}", dir.display())]
    NotPrivate {
        /// The state directory.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no journal to read.
    #[error("{} holds no journal; nothing has run in this project yet", dir.display())]
    Absent {
        /// The state directory.
        dir: PathBuf,
    },
    /// A file with the right name that is not a journal.
    #[error("{} is not a Sandgate journal; move it away to start a new one", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// Written by a newer version.
    #[error(
        "{} has format {found} and this version of Sandgate reads up to {supported}; use a newer one",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version this build understands.
        supported: u32,
    },
    /// The journal is damaged.
    #[error(
        "{damage}. Nothing was changed, and it can still be opened for reading. To go on, restore {dir} from a \
         backup, or keep it aside and start with an empty one: mv {dir} {dir}.damaged", dir = dir.display()
    )]
    Damaged {
        /// The state directory.
        dir: PathBuf,
        /// What is wrong.
        damage: Damage,
    },
    /// A file operation failed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The database could not be used.
    #[error("could not {action} {}", file.display())]
    Database {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Records could not be appended. None of them has been acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A record does not have the right form. Others may be appended.
    #[error("record {index} of the batch cannot be stored: {reason}")]
    Invalid {
        /// Place in the batch, from 0.
        index: usize,
        /// Why.
        reason: String,
    },
    /// The disk is full. Nothing was stored and the store still works: a later append may succeed.
    #[error("the disk is full, nothing was recorded in {}; free some space and try again", file.display())]
    DiskFull {
        /// The file that could not grow.
        file: PathBuf,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Writing or syncing failed. Whether the records reached the disk is unknown; the store takes no more.
    #[error("could not {action} {}; nothing more is recorded until the project is opened again", file.display())]
    Failed {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An earlier failure stopped the store.
    #[error("the journal stopped after an earlier failure: {cause}")]
    Stopped {
        /// That failure, in words.
        cause: String,
    },
}

impl AppendError {
    /// Whether the store takes nothing more after this.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Stopped { .. })
    }

    /// The message with the messages of its causes, for [`AppendError::Stopped`].
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

/// Records could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// What is stored is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The journal was opened as a file at rest, and a writer has started since: open it again.
    #[error("{} was opened by a writer while it was read as a file at rest; read again", file.display())]
    Awoken {
        /// The file.
        file: PathBuf,
    },
    /// A file operation failed.
    #[error("could not read {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The database could not be read.
    #[error("could not read {}", file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
