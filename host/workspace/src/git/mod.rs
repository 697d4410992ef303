//! Git, kept on a short leash: only plumbing, only with our own configuration, never in a directory that a guest
//! can write, never in the user's index or working tree.

mod changes;
mod checkout;
mod dirs;
mod ignore;
mod merge;
mod repo;
mod run;

pub use changes::{Changed, ChangedFile, FileChange};
pub use merge::Merged;
pub use repo::RepositoryError;
pub use run::GitError;

pub(crate) use changes::{Catch, catch};
pub(crate) use checkout::{Base, BaseFile, CheckoutError, checkout, has_dir};
pub(crate) use dirs::{DirsError, GitDirs};
pub(crate) use merge::{Merge, MergeError, merge};
pub(crate) use repo::Repository;
pub(crate) use run::Git;
