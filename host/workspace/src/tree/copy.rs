//! A copy of a directory, sharing its blocks where the file system can.
//!
//! The original may change while it is copied, by whoever else has it: an entry is opened by its directory's handle
//! without following a link, and what it is is asked of the open file. What turned into something else meanwhile is
//! left out and reported; nothing outside is ever read.

use super::{
    SkipReason, Skips,
    link::stays,
    write::{WriteError, Writer, dress},
};
use crate::{
    handle,
    roots::{Forbidden, STATE_NAME},
};
use rustix::{
    fs::{FileType, Stat, ioctl_ficlone, readlinkat},
    io::Errno,
};
use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

/// Copies what is below `source`, an open directory, to `at` below the writer's root. Links have to stay in
/// `source`.
pub(crate) fn copy(
    source: &OwnedFd,
    at: &Path,
    writer: &mut Writer<'_>,
    target: &OwnedFd,
    forbidden: &Forbidden,
    skips: &mut Skips,
) -> Result<(), WriteError> {
    let device = handle::stat(source).map_err(failed(at))?.st_dev;
    let mut todo = VecDeque::from([PathBuf::new()]);
    let mut dirs: Vec<(PathBuf, Stat)> = Vec::new();
    let mut run = Run {
        at,
        writer,
        skips,
        sharing: true,
    };
    // By path and not by handles kept open: a deep tree must not use up the process's files.
    while let Some(inner) = todo.pop_front() {
        let here = at.join(&inner);
        let dir = match handle::open_dir(source, &inner) {
            Ok(dir) => dir,
            Err(e) if moved(&e) => {
                run.skips.add(&here, SkipReason::Changed);
                continue;
            }
            Err(source) => return Err(WriteError::Io { path: here, source }),
        };
        let stat = handle::stat(&dir).map_err(failed(&here))?;
        if forbidden.is_state(handle::identity(&stat)) {
            run.skips.add(&here, SkipReason::State);
            continue;
        }
        let foreign = stat.st_dev != device;
        if foreign && handle::special(&dir).map_err(failed(&here))?.is_some() {
            run.skips.add(&here, SkipReason::Special);
            continue;
        }
        run.writer.make_dir(&here)?;
        for entry in handle::entries(&dir).map_err(failed(&here))? {
            let (name, kind) = entry.map_err(failed(&here))?;
            if let Some(sub) = run.entry(&dir, &inner, name, kind)? {
                todo.push_back(sub);
            }
        }
        dirs.push((here, stat));
    }
    // Last, because writing into a directory changes its time, and needs its permission. The owner keeps all of his
    // own, without which the copy could not be removed.
    for (path, stat) in dirs.iter().rev() {
        let dir = handle::open_dir(target, path).map_err(failed(path))?;
        dress(&dir, stat, 0o700).map_err(failed(path))?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> WriteError + '_ {
    |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    }
}

/// Whether the name means something else now than when it was listed.
fn moved(error: &io::Error) -> bool {
    handle::is_link(error)
        || matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        )
        // A socket, or a device without a driver.
        || error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
        || error.raw_os_error() == Some(Errno::NODEV.raw_os_error())
}

struct Run<'a, 'w> {
    at: &'a Path,
    writer: &'a mut Writer<'w>,
    skips: &'a mut Skips,
    /// The file system may be able to share blocks. Off after the first no.
    sharing: bool,
}

impl Run<'_, '_> {
    /// Copies one entry; gives a directory back to be done later.
    fn entry(
        &mut self,
        dir: &OwnedFd,
        inner: &Path,
        name: OsString,
        kind: FileType,
    ) -> Result<Option<PathBuf>, WriteError> {
        let sub = inner.join(&name);
        let path = self.at.join(&sub);
        let kind = match kind {
            FileType::Unknown => match handle::stat_entry(dir, &name) {
                Ok(stat) => handle::kind(&stat),
                Err(e) if moved(&e) => {
                    self.skips.add(&path, SkipReason::Changed);
                    return Ok(None);
                }
                Err(source) => return Err(WriteError::Io { path, source }),
            },
            known => known,
        };
        match kind {
            FileType::Directory if name == STATE_NAME => self.skips.add(&path, SkipReason::State),
            FileType::Directory => return Ok(Some(sub)),
            FileType::RegularFile => self.file(dir, &name, &path)?,
            FileType::Symlink => self.link(dir, &name, &path, inner.components().count())?,
            _ => self.skips.add(&path, SkipReason::NotAFile),
        }
        Ok(None)
    }

    fn link(
        &mut self,
        dir: &OwnedFd,
        name: &OsStr,
        path: &Path,
        depth: usize,
    ) -> Result<(), WriteError> {
        let target = match readlinkat(dir, name, Vec::new()) {
            Ok(target) => target,
            // Not a link any more, or gone.
            Err(Errno::INVAL | Errno::NOENT) => {
                self.skips.add(path, SkipReason::Changed);
                return Ok(());
            }
            Err(e) => return Err(failed(path)(e.into())),
        };
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if stays(&target, depth) {
            self.writer.link(path, &target)
        } else {
            self.skips.add(path, SkipReason::LinkLeaves);
            Ok(())
        }
    }

    fn file(&mut self, dir: &OwnedFd, name: &OsStr, path: &Path) -> Result<(), WriteError> {
        let from = match handle::open_file(dir, Path::new(OsStr::from_bytes(name.as_bytes()))) {
            Ok(from) => from,
            Err(e) if moved(&e) => {
                self.skips.add(path, SkipReason::Changed);
                return Ok(());
            }
            Err(source) => return Err(failed(path)(source)),
        };
        let stat = handle::stat(&from).map_err(failed(path))?;
        if handle::kind(&stat) != FileType::RegularFile {
            self.skips.add(path, SkipReason::Changed);
            return Ok(());
        }
        // Before anything is written: one file may be larger than all the room.
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size > self.writer.room() {
            return self.writer.take(size);
        }
        let to = self.writer.file(path)?;
        let written = self.content(&from, &to, size).map_err(failed(path))?;
        self.writer.take(written)?;
        dress(&to, &stat, 0).map_err(failed(path))
    }

    /// The bytes; at most one more than there is room for, so that a file that grows is noticed.
    fn content(&mut self, from: &OwnedFd, to: &File, size: u64) -> io::Result<u64> {
        if self.sharing && size > 0 {
            match ioctl_ficlone(to, from) {
                Ok(()) => {
                    let shared = handle::stat(to.as_fd())?.st_size;
                    return Ok(u64::try_from(shared).unwrap_or(u64::MAX));
                }
                // Another file system, or one that cannot.
                Err(
                    Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS,
                ) => {
                    self.sharing = false;
                }
                Err(e) => return Err(e.into()),
            }
        }
        let most = self.writer.room().saturating_add(1);
        let from = File::from(from.try_clone()?);
        // In the kernel, where it can.
        io::copy(&mut from.take(most), &mut &*to)
    }
}
