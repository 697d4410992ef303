//! From a guest's path to a handle. A path is looked up once, by the kernel, below the guest's directory; what was
//! found is looked at and then used by its handle, so that nothing can be swapped in between. Every name that is made,
//! removed or renamed is one component in a directory held open.

use super::place::proc_path;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use rustix::io::Errno;
use std::fs::File;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// How often a lookup is tried again when something is renamed during it. The kernel gives up on `..` then, and
/// somebody who renames all the time must not keep us here.
const TRIES: usize = 32;

/// What a rustix error means to a guest.
pub(super) fn code(error: Errno) -> ErrorCode {
    match error {
        // A path that leaves its directory.
        Errno::XDEV => ErrorCode::NotPermitted,
        Errno::AGAIN => ErrorCode::Busy,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::DQUOT => ErrorCode::Quota,
        // Without `openat2` nothing keeps a path inside; `doctor` says so.
        Errno::NOSYS => ErrorCode::Unsupported,
        other => std::io::Error::from(other).into(),
    }
}

/// Finds what a path below `dir` names, without opening it: nothing happens to what is found, be it a FIFO or a device.
/// A last component that is a link is followed if `follow` says so.
pub(super) fn look(dir: impl AsFd, path: &str, follow: bool) -> Result<OwnedFd, ErrorCode> {
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    find(dir, path, flags)
}

/// The directory that a path's last component is in, and that component.
pub(super) fn parent(dir: impl AsFd, path: &str) -> Result<(OwnedFd, Last<'_>), ErrorCode> {
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = match trimmed.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((parent, name)) => (parent, name),
        None => (".", trimmed),
    };
    let name = match (path, name) {
        ("", _) => return Err(ErrorCode::NoEntry),
        (_, "" | ".." | ".") => return Err(ErrorCode::Invalid),
        (_, name) => name,
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let last = Last {
        name,
        slash: trimmed.len() < path.len(),
    };
    Ok((find(dir, parent, flags)?, last))
}

/// The last component of a path.
#[derive(Clone, Copy)]
pub(super) struct Last<'p> {
    /// Not empty, not `.`, not `..`, without a slash.
    pub(super) name: &'p str,
    /// The path went on with a slash, so that only a directory is meant.
    pub(super) slash: bool,
}

fn find(dir: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, ErrorCode> {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut last = Errno::AGAIN;
    for _ in 0..TRIES {
        match openat2(&dir, path, flags, Mode::empty(), beneath) {
            Ok(found) => return Ok(found),
            Err(Errno::AGAIN) => last = Errno::AGAIN,
            Err(error) => return Err(code(error)),
        }
    }
    Err(code(last))
}

/// What a handle is.
pub(super) fn kind(handle: impl AsFd) -> Result<FileType, ErrorCode> {
    let stat = fstat(handle).map_err(code)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// Opens what [`look`] found for reading or writing.
pub(super) fn reopen(found: &OwnedFd, flags: OFlags) -> Result<File, ErrorCode> {
    // NONBLOCK does nothing to regular files and directories, and nothing else comes here.
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    open(proc_path(found), flags, Mode::empty())
        .map(File::from)
        .map_err(code)
}
