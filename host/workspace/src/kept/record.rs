//! The record of a workspace that is kept: format 1, JSON. It lies in the attempt's directory beside what the attempt
//! sees, where no guest and no command reaches it. Read strictly: whatever is not understood is a damaged record.

use crate::{error::KeptError, handle};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fsync, openat, renameat, unlinkat};
use sandgate_model::{Digest, FileGrant, Workspace};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// What the record is called.
pub(super) const RECORD: &str = "kept.json";
/// What the list of a worktree's files is called.
pub(super) const BASE: &str = "base";
/// A file that is being written.
const NEW: &str = "new";

const FORMAT: u64 = 1;

/// A record is small: at most a thousand paths of 4 KiB, each byte written as six, and the grants.
const LARGEST: u64 = 64 << 20;

/// Everything that is needed to have a workspace again. Absolute paths and numbers of devices are not: both may be
/// others after a restart. Nor is what it takes on the disk: that is counted when its changes are taken.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) format: u64,
    pub(super) key: String,
    pub(super) kind: Workspace,
    pub(super) grants: Vec<FileGrant>,
    pub(super) state: State,
    /// Since which start of the machine it is in use.
    pub(super) boot: String,
    /// The attempt's directory.
    pub(super) home: Place,
    /// What was made for it; `None` when nothing was.
    pub(super) tree: Option<Place>,
    /// `None`: not yet asked for.
    pub(super) scratch: Option<Place>,
    /// The granted directories in the tree, in the order of the grants; none when they are the project's own.
    pub(super) roots: Vec<Place>,
    pub(super) skipped: Vec<Left>,
    pub(super) skipped_count: u64,
    pub(super) worktree: Option<Commit>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// Nobody uses it, and everything in it has reached the disk.
    Parked,
    /// An attempt uses it, or did when its host died.
    InUse,
}

/// By what a directory is known again. That it lies on the file system of the place is known besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) ino: u64,
    /// Permissions. While it is in use the attempt may change them.
    pub(super) mode: u32,
}

#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Left {
    pub(super) path: String,
    pub(super) why: String,
}

#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Commit {
    pub(super) commit: String,
    pub(super) handed_over: (i64, i64),
    /// Of the file [`BASE`].
    pub(super) base: Digest,
}

impl Record {
    pub(super) const FORMAT: u64 = FORMAT;

    /// The record in `home`; `None` when there is none.
    pub(super) fn read(home: &OwnedFd) -> Result<Option<Self>, KeptError> {
        let Some(bytes) = read_own(home, RECORD, LARGEST)? else {
            return Ok(None);
        };
        let damaged = |e: serde_json::Error| KeptError::Damaged { why: e.to_string() };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(FORMAT) => {}
            Some(other) => return Err(KeptError::Format(other)),
            None => {
                return Err(KeptError::Damaged {
                    why: "it does not say its format".into(),
                });
            }
        }
        serde_json::from_value(value).map(Some).map_err(damaged)
    }

    /// Puts the record into `home`, or exchanges it, in one step that lasts.
    pub(super) fn write(&self, home: &OwnedFd) -> io::Result<()> {
        write_own(home, RECORD, &serde_json::to_vec(self)?)
    }
}

/// A file of ours; `None` when there is none.
pub(super) fn read_own(
    home: &OwnedFd,
    name: &'static str,
    largest: u64,
) -> Result<Option<Vec<u8>>, KeptError> {
    let failed = |source| KeptError::Io {
        action: "read the record",
        source,
    };
    let changed = |why: &str| KeptError::Changed {
        what: format!("its file `{name}`"),
        why: why.into(),
    };
    let fd = match handle::open_file(home, Path::new(name)) {
        Ok(fd) => fd,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if handle::is_link(&e) => return Err(changed("is a link")),
        Err(e) => return Err(failed(e)),
    };
    let stat = handle::stat(&fd).map_err(failed)?;
    let ours = stat.st_uid == rustix::process::geteuid().as_raw();
    if handle::kind(&stat) != FileType::RegularFile || stat.st_nlink != 1 || !ours {
        return Err(changed("is not a file of this user alone"));
    }
    if stat.st_mode & 0o7777 != 0o600 {
        return Err(changed("has other permissions than it was made with"));
    }
    let mut bytes = Vec::new();
    File::from(fd)
        .take(largest.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > largest {
        return Err(changed("is too large"));
    }
    Ok(Some(bytes))
}

/// Writes a file of ours: whole and on the disk, or not at all.
pub(super) fn write_own(home: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    match unlinkat(home, NEW, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let mut file = File::from(openat(home, NEW, flags, mode)?);
    // The process may be set up to take permissions away.
    rustix::fs::fchmod(&file, mode)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    renameat(home, NEW, home, OsStr::new(name))?;
    Ok(fsync(home.as_fd())?)
}
