//! Removing what a guest left: closed directories, deep ones, a great many files. Follows no link, and holds no more
//! handles than [`DEEPEST`], however deep it is: what lies deeper is first moved up to where its turn comes.

use crate::{error::RemoveError, handle};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, renameat_with, unlinkat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
};

/// Names for directories on their way out.
struct Names(u64);

impl Names {
    fn next(&mut self) -> OsString {
        self.0 = self.0.wrapping_add(1);
        format!(".gone-{:x}", self.0).into()
    }
}

/// Removes the entry `name` of `parent`, whatever it is. Nothing there is fine.
pub(crate) fn remove(parent: impl AsFd, name: &OsStr) -> Result<(), RemoveError> {
    let failed = |source: io::Error| RemoveError {
        path: Path::new(name).to_path_buf(),
        source,
    };
    let top = match enter(&parent, name) {
        Ok(Some(top)) => top,
        Ok(None) => {
            return match unlinkat(&parent, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(e) => Err(failed(e.into())),
            };
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    empty(&top, &top, 0, &mut Names(0)).map_err(failed)?;
    drop(top);
    match unlinkat(&parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(failed(e.into())),
    }
}

/// How deep handles are held. A few more than real trees have.
const DEEPEST: usize = 48;

/// Removes everything in `dir`. What cannot be removed there is moved up to `top`, which is emptied last.
fn empty(dir: &OwnedFd, top: &OwnedFd, depth: usize, names: &mut Names) -> io::Result<()> {
    // Another pass for what a batch left, and in `top` for what was moved there. Ends when a pass finds nothing.
    loop {
        let mut found = false;
        for (entry, kind) in list(dir)? {
            found = true;
            match enter_kind(dir, &entry, kind)? {
                None => unlinkat(dir, &entry, AtFlags::empty())?,
                Some(sub) if depth < DEEPEST => {
                    empty(&sub, top, depth + 1, names)?;
                    unlinkat(dir, &entry, AtFlags::REMOVEDIR)?;
                }
                Some(_) => {
                    if unlinkat(dir, &entry, AtFlags::REMOVEDIR).is_err() {
                        move_up(dir, &entry, top, names)?;
                    }
                }
            }
        }
        if !found {
            return Ok(());
        }
    }
}

fn move_up(dir: &OwnedFd, entry: &OsStr, top: &OwnedFd, names: &mut Names) -> io::Result<()> {
    loop {
        match renameat_with(dir, entry, top, names.next(), RenameFlags::NOREPLACE) {
            // A guest may have taken the name.
            Err(Errno::EXIST) => {}
            other => return Ok(other?),
        }
    }
}

/// How many names are held at once. A directory may have millions.
const BATCH: usize = 4096;

fn list(dir: &OwnedFd) -> io::Result<Vec<(OsString, FileType)>> {
    handle::entries(dir)?.take(BATCH).collect()
}

/// As [`enter`], without a look at what the listing says is no directory.
fn enter_kind(parent: impl AsFd, name: &OsStr, kind: FileType) -> io::Result<Option<OwnedFd>> {
    match kind {
        FileType::Directory | FileType::Unknown => enter(parent, name),
        _ => Ok(None),
    }
}

/// Opens it when it is a directory, and makes it ours to change first when its owner closed it.
fn enter(parent: impl AsFd, name: &OsStr) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let found = handle::open(&parent, Path::new(name), flags);
    let fd = match found {
        Ok(fd) => fd,
        Err(e) if handle::is_link(&e) => return Ok(None),
        Err(e) => return Err(e),
    };
    let stat = handle::stat(&fd)?;
    if handle::kind(&stat) != FileType::Directory {
        return Ok(None);
    }
    if stat.st_mode & 0o700 != 0o700 {
        // Through the handle, because the name could be a link by now; `fchmod` refuses handles without access.
        rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), Mode::RWXU)?;
    }
    handle::open_dir(&fd, Path::new("")).map(Some)
}
