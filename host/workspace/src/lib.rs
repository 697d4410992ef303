//! Workspaces: the directories that one attempt sees, opened or made when it starts and gone when it ends. An attempt
//! that waits is dropped and made again later, maybe by another process: its workspace is parked and reopened.
//!
//! Everything is done on directory handles, without following a link, because names below a project may be chosen by
//! whoever the sandbox keeps out. Git is never shown a directory that a guest can write, and never reads a
//! configuration that is not ours.
//!
//! This crate must not decide what is granted, and must not touch the user's index, working tree or branches other
//! than the run's own. All of it blocks: call it where blocking is allowed.

mod error;
mod git;
mod handle;
mod kept;
mod key;
mod prepared;
mod remove;
mod roots;
mod settings;
mod tree;
mod workspaces;

pub use error::{
    FinishError, KeptError, OpenError, ParkError, PrepareError, RemoveError, RootError, SweepError,
};
pub use git::{Changed, ChangedFile, FileChange, GitError, Merged, RepositoryError};
pub use key::AttemptKey;
pub use prepared::{Finished, MergeInto, Prepared, Root};
pub use settings::{Author, Quota, Settings};
pub use tree::{SkipReason, Skipped};
pub use workspaces::{Swept, Workspaces};
