//! The directories of one call: prepared when it starts, taken down when it ends. What they are is decided by the grants;
//! how they are made is the workspace crate's.

use crate::{effects::CommandDir, local::Shared};
use sandgate_model::{FileMode, Grants, RunId, Workspace};
use sandgate_sandbox::Preopen;
use sandgate_workspace::{AttemptKey, MergeInto, ParkError, PrepareError, Prepared};
use std::{os::unix::fs::MetadataExt as _, sync::Arc};

/// Name of the artifact that a worktree's changes are kept as.
pub(crate) const PATCH: &str = "changes.patch";
/// Its media type.
pub(crate) const PATCH_TYPE: &str = "text/x-diff";

/// Whether the directories have to survive the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keep {
    /// They are gone with the attempt.
    No,
    /// They are made now, and kept until the attempt has ended: it may be taken up again.
    New,
    /// They were kept, and have to be there as they were left.
    Again,
    /// The same, and something may have happened in them that is not on the tape.
    Ahead,
}

/// Why directories cannot be had.
#[derive(Debug, thiserror::Error)]
enum Made {
    #[error(transparent)]
    Prepare(PrepareError),
    #[error(transparent)]
    Keep(ParkError),
}

/// The directories of one call.
pub(crate) struct Room {
    prepared: Prepared,
    merge: Option<(RunId, String)>,
}

impl Room {
    /// Makes the directories that `grants` say. `None`: there are none, and no command that would need one.
    ///
    /// # Errors
    /// When one cannot be opened or made; says what to do.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        run: RunId,
        key: AttemptKey,
        title: &str,
        grants: &Grants,
        keep: Keep,
    ) -> Result<Option<Self>, String> {
        if grants.files.is_empty() && grants.exec.is_empty() {
            return Ok(None);
        }
        let (shared, kind, files) = (Arc::clone(shared), grants.workspace, grants.files.clone());
        let made = tokio::task::spawn_blocking(move || match keep {
            Keep::No => shared
                .workspaces
                .prepare(&key, kind, &files)
                .map(Some)
                .map_err(Made::Prepare),
            Keep::New => {
                let prepared = shared
                    .workspaces
                    .prepare(&key, kind, &files)
                    .map_err(Made::Prepare)?;
                prepared.keep().map(|()| Some(prepared)).map_err(Made::Keep)
            }
            Keep::Again | Keep::Ahead => shared
                .workspaces
                .reopen(&key, kind, &files)
                .map_err(Made::Prepare),
        });
        let prepared = match made.await {
            Ok(Ok(Some(prepared))) => prepared,
            Ok(Ok(None)) => {
                return Err("the directories that it worked in are gone".to_owned());
            }
            Ok(Err(error)) => return Err(crate::chain(&error)),
            Err(error) => return Err(format!("its directories could not be made: {error}")),
        };
        if keep == Keep::Ahead && prepared.interrupted() && crate::call::changes(grants) {
            return Err(
                "the host stopped while it was at work in directories of its own, and what it changed since its last \
                 recorded call is not known; a retry begins anew"
                    .to_owned(),
            );
        }
        let merge = grants.merge.then(|| (run, title.to_owned()));
        Ok(Some(Self { prepared, merge }))
    }

    /// What the guest sees.
    pub(crate) fn preopens(&self) -> Vec<Preopen> {
        let shared = self.prepared.kind() == Workspace::Shared;
        let roots = self.prepared.roots().iter().map(|root| Preopen {
            dir: Arc::clone(&root.dir),
            guest: root.guest.clone(),
            write: root.mode == FileMode::Write,
            // What is written into the project outlives the run, and other tools of its owner read it.
            protect: shared && root.mode == FileMode::Write,
        });
        roots.collect()
    }

    /// What commands see.
    pub(crate) fn command_dirs(&self) -> Vec<CommandDir> {
        let roots = self.prepared.roots().iter().map(|root| CommandDir {
            path: root.path.clone(),
            identity: root
                .dir
                .try_clone()
                .ok()
                .and_then(|dir| dir.into_std_file().metadata().ok())
                .map(|meta| (meta.dev(), meta.ino())),
            guest: root.guest.clone(),
            write: root.mode == FileMode::Write,
        });
        roots.collect()
    }

    /// Entries that a copy left out, in one line; absent when there is none.
    pub(crate) fn left_out(&self) -> Option<String> {
        let skipped = self.prepared.skipped();
        let first = skipped.first()?;
        Some(format!(
            "the copy leaves out {} of the directory's entries, such as {}: only regular files and directories are \
             copied, and links that stay inside",
            skipped.len(),
            first.path
        ))
    }

    /// Ends it after a success. Answers with the changes of a worktree.
    ///
    /// # Errors
    /// When the changes cannot be taken or merged; the directories are gone all the same.
    pub(crate) async fn finish(self) -> Result<Option<Vec<u8>>, String> {
        let Self {
            mut prepared,
            merge,
        } = self;
        if prepared.kind() != Workspace::Worktree {
            // Removing a large copy takes a while.
            drop(tokio::task::spawn_blocking(move || drop(prepared)).await);
            return Ok(None);
        }
        let finish = move || {
            let into = merge.map(|(run, title)| MergeInto { run, title });
            let finished = prepared.finish(into.as_ref());
            drop(prepared);
            finished
        };
        match tokio::task::spawn_blocking(finish).await {
            Ok(Ok(finished)) => Ok(Some(finished.patch.unwrap_or_default())),
            Ok(Err(error)) => Err(crate::chain(&error)),
            Err(error) => Err(format!("its changes could not be taken: {error}")),
        }
    }

    /// Ends this use; the directories are there when the attempt is taken up again.
    ///
    /// # Errors
    /// When that cannot be made sure of.
    pub(crate) async fn park(self) -> Result<(), String> {
        let prepared = self.prepared;
        match tokio::task::spawn_blocking(move || prepared.park()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(crate::chain(&error)),
            Err(error) => Err(format!("its directories could not be kept: {error}")),
        }
    }

    /// Ends it without taking anything.
    pub(crate) async fn discard(self) {
        let prepared = self.prepared;
        drop(tokio::task::spawn_blocking(move || drop(prepared)).await);
    }
}
