//! A value from a file.
//!
//! A file below the project's directory is opened without following any link: a task with write access there could
//! have planted one, and the host would send what it leads to. An absolute path is the operator's own and may have
//! links, as mounted secrets do. A file that every user can read is refused rather than warned about: whoever wrote
//! the path believes that the value is secret, a warning scrolls by, and the remedy is one `chmod`.

use super::{ROOM, buffer};
use crate::error::ReadError;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};
use zeroize::Zeroizing;

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;

pub(crate) fn from_file(project: &Path, path: &Path) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let failed = |source: io::Error| ReadError::File {
        path: path.to_path_buf(),
        source,
    };
    let file = open(project, path)?;
    let stat = fstat(&file).map_err(|e| failed(e.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(ReadError::NotAFile(path.to_path_buf()));
    }
    let mode = stat.st_mode & 0o777;
    for (bit, what) in [(OTHERS_READ, "read"), (OTHERS_WRITE, "changed")] {
        if mode & bit != 0 {
            return Err(ReadError::Open {
                path: path.to_path_buf(),
                what,
                mode,
            });
        }
    }
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(ReadError::Foreign(path.to_path_buf()));
    }
    let mut value = buffer();
    file.take(ROOM as u64)
        .read_to_end(&mut value)
        .map_err(failed)?;
    Ok(value)
}

fn open(project: &Path, path: &Path) -> Result<File, ReadError> {
    let failed = |source: io::Error| ReadError::File {
        path: path.to_path_buf(),
        source,
    };
    // Without NONBLOCK opening a pipe would wait for somebody to write into it.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = if path.is_absolute() {
        openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
    } else {
        let dir = File::open(project).map_err(failed)?;
        let inside =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(&dir, path, flags, Mode::empty(), inside)
    };
    match opened {
        Ok(fd) => Ok(fd.into()),
        Err(Errno::LOOP | Errno::XDEV) => Err(ReadError::Link(path.to_path_buf())),
        Err(e) => Err(failed(e.into())),
    }
}
