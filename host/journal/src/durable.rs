//! Making directory entries durable.

use rustix::fs::{Mode, OFlags};
use std::{io, os::fd::AsFd, path::Path};

/// Flushes the entries of a directory that is open in any way, also as `O_PATH` (which `fsync` itself refuses).
pub(crate) fn sync_dir_at(dir: impl AsFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = rustix::fs::openat(dir, ".", flags, Mode::empty())?;
    Ok(rustix::fs::fsync(readable)?)
}

/// Flushes the entries of a directory.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty())?;
    Ok(rustix::fs::fsync(dir)?)
}

/// The directory that holds `path`; the current one when it has no parent of its own.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
