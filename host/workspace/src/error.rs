//! What can go wrong, one type per operation.

use crate::{git::GitError, git::RepositoryError, key::AttemptKey};
use std::{io, path::PathBuf};

/// Why there are no workspaces for a project.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory could not be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel, or a filter around this process, does not let directories be opened safely.
    #[error(
        "this system does not offer openat2, without which links cannot be kept from leading out of a directory; Linux 5.6 or newer is needed, and no filter that forbids it"
    )]
    NoOpenat2,
}

/// Why one granted directory cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// Absolute, empty, or with `..` in it.
    #[error("it is no path below the project: no `..`, no `.` inside, not absolute")]
    Spelling,
    /// The project itself in a shared workspace.
    #[error(
        "the project itself holds its configuration and state and cannot be shared; grant directories in it, or use the workspace `clone` or `worktree`"
    )]
    Whole,
    /// Nothing there.
    #[error("it does not exist; create it first")]
    Absent,
    /// Nothing there in the commit.
    #[error("it is not in the commit that HEAD names; commit it, or use the workspace `clone`")]
    NotInHead,
    /// A file, a device.
    #[error("it is not a directory")]
    NotADirectory,
    /// A symbolic link, itself or on the way.
    #[error("it is a symbolic link or lies behind one; grant the directory itself")]
    Link,
    /// A file system of the kernel's.
    #[error("it lies on a file system of the kernel ({0}), which is never granted")]
    Special(&'static str),
    /// The state directory, in it, or around it.
    #[error("the state directory, and what contains it, is never granted")]
    State,
    /// Writing to `.git` is running programs later.
    #[error(
        "who can write into `.git` decides what git runs for you later; this is never granted for writing"
    )]
    Git,
    /// The system refused.
    #[error("it cannot be opened")]
    Io(#[source] io::Error),
}

/// Why an attempt has no workspace.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// One directory cannot be given.
    #[error("the directory `{host}` cannot be granted")]
    Root {
        /// As the policy writes it.
        host: String,
        /// Why not.
        #[source]
        source: RootError,
    },
    /// Too large for a workspace of its own.
    #[error(
        "the workspace would have more than {limit} {what}; grant less of the project, use the workspace `shared`, or raise the limit"
    )]
    Quota {
        /// `bytes` or `files`.
        what: &'static str,
        /// The cap.
        limit: u64,
    },
    /// A file could not be copied.
    #[error("cannot copy {}", path.display())]
    Copy {
        /// Relative to the project.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The attempt has a workspace already, or one was kept, or left by a crash and not swept.
    #[error("the attempt {0} has a workspace already")]
    Exists(AttemptKey),
    /// What is kept for the attempt is not what it has to be. Nothing of it is changed or removed.
    #[error("the workspace that is kept for the attempt {key} cannot be used again")]
    Kept {
        /// Which attempt.
        key: AttemptKey,
        /// Why not.
        #[source]
        source: KeptError,
    },
    /// The host's own files.
    #[error("cannot {action} in the state directory")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The project's repository cannot be used.
    #[error("there can be no worktree of this project")]
    Repository(#[source] RepositoryError),
    /// Git failed.
    #[error("git could not make the worktree")]
    Git(#[source] GitError),
}

/// Why a workspace that was kept cannot be reopened.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Somebody has it open.
    #[error("it is still in use, in this process or in another one")]
    InUse,
    /// Other authority than before.
    #[error("it was made {was}, and is asked for {asked}")]
    Asked {
        /// How it was made.
        was: String,
        /// What is asked for now.
        asked: String,
    },
    /// Not the directory that it was.
    #[error("{what} {why}; somebody exchanged or changed it, or the project was copied")]
    Changed {
        /// Which directory or file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Its record cannot be understood.
    #[error("the record of it is damaged: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// Written by another release.
    #[error("the record of it has format {0}, and this release knows format 1")]
    Format(u64),
    /// The machine stopped while the attempt ran, so some of what it wrote may never have reached the disk.
    #[error(
        "the machine was started anew while the attempt ran, and what it had written may be incomplete"
    )]
    Unsynced,
    /// The commit of a worktree is gone.
    #[error("the commit {commit} that it was made from is not in the repository any more")]
    NoCommit {
        /// Which.
        commit: String,
    },
    /// The system refused.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Why a workspace could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ParkError {
    /// It is over: it was finished.
    #[error("the workspace was finished already, nothing is left to keep")]
    Finished,
    /// The attempt's directory could not be made.
    #[error("the attempt has no directory")]
    Home(#[source] Box<PrepareError>),
    /// The host's own files.
    #[error("cannot {action} in the state directory")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Why the changes of an attempt could not be kept. The workspace is still there.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// Both changed the same lines.
    #[error(
        "the changes conflict with `{branch}` in {}; the branch is as it was",
        list(files)
    )]
    Conflict {
        /// The run's branch.
        branch: String,
        /// Where, relative to the repository.
        files: Vec<String>,
    },
    /// The user is on the run's branch.
    #[error("`{branch}` is checked out; switch to another branch, then the changes can be merged")]
    CheckedOut {
        /// The run's branch.
        branch: String,
    },
    /// Somebody else moves the branch all the time.
    #[error("`{branch}` was moved by somebody else {tries} times while it was merged into")]
    Moving {
        /// The run's branch.
        branch: String,
        /// How often it was tried.
        tries: u32,
    },
    /// Too much was written.
    #[error("the changes have more than {limit} {what}")]
    Quota {
        /// `bytes`, `files` or `bytes of patch`.
        what: &'static str,
        /// The cap.
        limit: u64,
    },
    /// A changed file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Relative to the repository.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The host's own files.
    #[error("cannot {action} in the state directory")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Git failed.
    #[error("git could not keep the changes")]
    Git(#[source] GitError),
    /// The workspace could not be removed; everything else was done.
    #[error("the changes are kept, but the workspace is not removed")]
    Remove(#[source] RemoveError),
}

fn list(files: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = files
        .iter()
        .take(SHOWN)
        .map(|f| format!("`{f}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if files.len() > SHOWN {
        text.push_str(&format!(" and {} more", files.len() - SHOWN));
    }
    text
}

/// Why a directory is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove {}", path.display())]
pub struct RemoveError {
    /// Below the workspaces.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// Why workspaces of dead attempts are still there. What could be removed is removed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// They cannot be listed.
    #[error("cannot list the workspaces")]
    List(#[source] io::Error),
    /// Some stay.
    #[error("{count} workspaces of dead attempts could not be removed")]
    Remove {
        /// How many.
        count: usize,
        /// The first one's reason.
        #[source]
        first: RemoveError,
    },
}
