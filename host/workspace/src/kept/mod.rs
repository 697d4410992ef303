//! Keeping a workspace while its attempt waits: it is parked, and reopened later, maybe by another process after a
//! crash.
//!
//! The attempt's directory gets a record of what it is, beside the directories that the attempt sees. From then on the
//! attempt can come back to it, until it is finished or dropped. Must not reopen anything that is not the very same:
//! who resumes an attempt on other files than it had resumes another attempt.

mod base;
mod record;
mod reopen;

pub(crate) use reopen::reopen;

use crate::{
    error::{ParkError, PrepareError},
    handle,
    prepared::{Own, Prepared, Root},
};
use record::{BASE, Commit, Left, Place, Record, State, write_own};
use rustix::fs::{fsync, syncfs};
use sandgate_model::{Digest, FileGrant, Workspace};
use std::{fs, io, os::fd::AsFd, path::Path};

/// Changes with every start of the machine.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

fn boot() -> io::Result<String> {
    fs::read_to_string(BOOT).map(|text| text.trim().to_owned())
}

fn io(action: &'static str) -> impl Fn(io::Error) -> ParkError {
    move |source| ParkError::Io { action, source }
}

fn place(fd: impl AsFd) -> io::Result<Place> {
    let stat = handle::stat(fd)?;
    Ok(Place {
        ino: stat.st_ino,
        mode: stat.st_mode & 0o7777,
    })
}

/// Whether files were made for it, rather than the project's own being opened.
fn has_tree(kind: Workspace, grants: &[FileGrant]) -> bool {
    match kind {
        Workspace::None | Workspace::Shared => false,
        // Nothing is copied when nothing is granted.
        Workspace::Clone => !grants.is_empty(),
        Workspace::Worktree => true,
    }
}

impl Prepared {
    /// From now on it can be reopened when this process dies, while it goes on being used. For an attempt that is
    /// recorded from its start: it may have answers that count before it is ever suspended, and needs the directories
    /// that belong to them. Doing it again changes nothing.
    ///
    /// The record lasts; what the attempt writes is left to the system, which loses it only when the whole machine
    /// stops. A workspace that was in use then is not reopened ([`KeptError::Unsynced`](crate::KeptError::Unsynced)).
    ///
    /// # Errors
    /// The record cannot be written. It goes on being used all the same, and is not kept.
    pub fn keep(&self) -> Result<(), ParkError> {
        // One writer at a time, also against the making of the scratch directory.
        let _alone = self.home.making.lock();
        if self.kept.get().is_some() && !self.over {
            return Ok(());
        }
        self.save(State::InUse, self.scratch.get())
    }

    /// Ends this use of it and removes nothing: [`Workspaces::reopen`](crate::Workspaces::reopen) gives it back as it
    /// is now, in this process or another one. For an attempt that waits; and for a host that is told to stop, for
    /// every attempt that will be resumed: dropping it would remove what the attempt needs then. Nothing may write
    /// into it any more: commands are ended first.
    ///
    /// Everything in it has reached the disk when this answers, which may take a while on a busy one. The project's
    /// own directories (workspace `shared`) stay what they are: other people's, who may change them meanwhile.
    ///
    /// # Errors
    /// It cannot be kept. When it was kept before ([`Self::keep`], or reopened) it still is, as after a crash;
    /// otherwise it is removed.
    pub fn park(mut self) -> Result<(), ParkError> {
        let parked = self.put_down();
        if parked.is_ok() || self.kept.get().is_some() {
            // Without it nothing is removed when this ends. Its lock goes with it.
            self.home.release();
        }
        parked
    }

    fn put_down(&self) -> Result<(), ParkError> {
        let _alone = self.home.making.lock();
        if self.over {
            return Err(ParkError::Finished);
        }
        let own = self.home.own().map_err(|e| ParkError::Home(Box::new(e)))?;
        if self.has_files() {
            syncfs(&own.fd).map_err(|e| io("flush what the attempt wrote")(e.into()))?;
        }
        self.save(State::Parked, self.scratch.get())
    }

    /// Whether anything of its own could be written into.
    fn has_files(&self) -> bool {
        self.scratch.get().is_some() || has_tree(self.kind, &self.grants)
    }

    /// Writes the record anew, for a caller who holds `home.making`.
    fn save(&self, state: State, scratch: Option<&Root>) -> Result<(), ParkError> {
        if self.over {
            return Err(ParkError::Finished);
        }
        let own = self.home.own().map_err(|e| ParkError::Home(Box::new(e)))?;
        let first = self.kept.get().is_none();
        let base = self.save_base(own)?;
        let record = self
            .record(own, state, scratch, base)
            .map_err(io("look at the attempt's directories"))?;
        record.write(&own.fd).map_err(io("write the record"))?;
        if first {
            fsync(&self.home.shared.place).map_err(|e| io("write the record")(e.into()))?;
        }
        let _ = self.kept.set(base);
        Ok(())
    }

    /// The list of a worktree's files, which never changes: written once.
    fn save_base(&self, own: &Own) -> Result<Option<Digest>, ParkError> {
        if let Some(base) = self.kept.get() {
            return Ok(*base);
        }
        let Some(worktree) = &self.worktree else {
            return Ok(None);
        };
        let text = base::write(&worktree.base);
        write_own(&own.fd, BASE, &text).map_err(io("write the list of files"))?;
        Ok(Some(Digest::of(&text)))
    }

    fn record(
        &self,
        own: &Own,
        state: State,
        scratch: Option<&Root>,
        base: Option<Digest>,
    ) -> io::Result<Record> {
        let own_roots = has_tree(self.kind, &self.grants);
        let tree = if own_roots {
            Some(place(handle::open_dir(&own.fd, Path::new("tree"))?)?)
        } else {
            None
        };
        let scratch = scratch.map(|s| place(s.dir.as_fd()));
        let roots = self.roots.iter().filter(|_| own_roots);
        Ok(Record {
            format: Record::FORMAT,
            key: self.home.key().as_str().to_owned(),
            kind: self.kind,
            grants: self.grants.clone(),
            state,
            boot: boot()?,
            home: place(&own.fd)?,
            tree,
            scratch: scratch.transpose()?,
            roots: roots
                .map(|r| place(r.dir.as_fd()))
                .collect::<Result<_, _>>()?,
            skipped: self
                .skips
                .named()
                .iter()
                .map(|s| Left {
                    path: s.path.clone(),
                    why: s.why.word().to_owned(),
                })
                .collect(),
            skipped_count: self.skips.count(),
            worktree: self.worktree.as_ref().zip(base).map(|(w, base)| Commit {
                commit: w.base.commit.clone(),
                handed_over: w.handed_over,
                base,
            }),
        })
    }

    /// A scratch directory was made: what is kept has it too. For a caller who holds `home.making`.
    pub(crate) fn note(&self, scratch: &Root) -> Result<(), PrepareError> {
        if self.kept.get().is_none() {
            return Ok(());
        }
        self.save(State::InUse, Some(scratch))
            .map_err(|e| PrepareError::Io {
                action: "note the attempt's directory",
                source: io::Error::other(e),
            })
    }
}
