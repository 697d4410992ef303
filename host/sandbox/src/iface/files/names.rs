//! Making, removing and renaming names. Each works on one name in a directory held open, whose place was checked. Runs on
//! a thread that may block.

use super::Files;
use super::look::{Last, code, kind, look, parent};
use super::open::writable;
use super::place::Place;
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, FileType, Mode, Timestamps, mkdirat, readlinkat, renameat, statat, symlinkat,
    unlinkat, utimensat,
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmtime_wasi::filesystem::Dir;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// Mode of new directories, less the process's mask: as any program does.
const MODE: u32 = 0o777;

/// Longest target of a symbolic link that the kernel takes.
const TARGET_MAX: usize = 4_095;

/// Held while a link is made or a name moved, by all guests of the process: a link is checked for the directory it
/// is in, and two guests that share a directory could otherwise move that at the same moment. Held for a few system
/// calls.
static MOVES: Mutex<()> = Mutex::new(());

fn moving() -> MutexGuard<'static, ()> {
    MOVES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name in an open directory, and where that is.
struct Spot<'p> {
    parent: OwnedFd,
    last: Last<'p>,
    place: Place,
}

impl Files {
    /// The spot that a path names, if it may be changed there.
    fn spot<'p>(&self, dir: &Dir, path: &'p str) -> Result<Spot<'p>, ErrorCode> {
        writable(dir)?;
        let (parent, last) = parent(&*dir.dir, path)?;
        let place = self.roots.place(&parent)?;
        place.may_change(Some(last.name))?;
        Ok(Spot {
            parent,
            last,
            place,
        })
    }

    pub(super) fn make_directory(&self, dir: &Dir, path: &str) -> Result<(), ErrorCode> {
        let spot = self.spot(dir, path)?;
        self.quota
            .make(|| mkdirat(&spot.parent, spot.last.name, Mode::from_raw_mode(MODE)).map_err(code))
    }

    pub(super) fn remove_directory(&self, dir: &Dir, path: &str) -> Result<(), ErrorCode> {
        let spot = self.spot(dir, path)?;
        unlinkat(&spot.parent, spot.last.name, AtFlags::REMOVEDIR).map_err(code)
    }

    pub(super) fn remove_file(&self, dir: &Dir, path: &str) -> Result<(), ErrorCode> {
        let spot = self.spot(dir, path)?;
        if spot.last.slash {
            return Err(ErrorCode::NotDirectory);
        }
        unlinkat(&spot.parent, spot.last.name, AtFlags::empty()).map_err(code)
    }

    /// Makes a symbolic link at `path` that says `target`.
    pub(super) fn make_link(&self, dir: &Dir, target: &str, path: &str) -> Result<(), ErrorCode> {
        if target.len() > TARGET_MAX {
            return Err(ErrorCode::NameTooLong);
        }
        let _moving = moving();
        let spot = self.spot(dir, path)?;
        if target.is_empty() || spot.last.slash {
            return Err(ErrorCode::NoEntry);
        }
        spot.place.may_link_to(target.as_bytes())?;
        self.quota
            .make(|| symlinkat(target, &spot.parent, spot.last.name).map_err(code))
    }

    pub(super) fn rename(
        &self,
        old_dir: &Dir,
        old_path: &str,
        new_dir: &Dir,
        new_path: &str,
    ) -> Result<(), ErrorCode> {
        let _moving = moving();
        let old = self.spot(old_dir, old_path)?;
        let new = self.spot(new_dir, new_path)?;
        let stat = statat(&old.parent, old.last.name, AtFlags::SYMLINK_NOFOLLOW).map_err(code)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if (old.last.slash || new.last.slash) && kind != FileType::Directory {
            return Err(ErrorCode::NotDirectory);
        }
        match kind {
            FileType::Symlink => {
                let target = readlinkat(&old.parent, old.last.name, Vec::new()).map_err(code)?;
                new.place.may_link_to(target.as_bytes())?;
            }
            // Links in it may climb as high as the old place allows. Programs copy instead when they are told this.
            FileType::Directory
                if !new.place.same_root(&old.place) || new.place.depth() < old.place.depth() =>
            {
                return Err(ErrorCode::CrossDevice);
            }
            _ => {}
        }
        renameat(&old.parent, old.last.name, &new.parent, new.last.name).map_err(code)
    }

    /// Sets the times of what a path names.
    pub(super) fn touch(
        &self,
        dir: &Dir,
        path: &str,
        follow: bool,
        times: &Timestamps,
    ) -> Result<(), ErrorCode> {
        writable(dir)?;
        let found = look(&*dir.dir, path, follow)?;
        if matches!(
            kind(&found)?,
            FileType::RegularFile | FileType::Directory | FileType::Symlink
        ) {
            self.roots.place(&found)?.may_change(None)?;
            return utimensat(&found, "", times, AtFlags::EMPTY_PATH).map_err(code);
        }
        Err(ErrorCode::NotPermitted)
    }
}
