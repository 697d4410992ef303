//! Writing files into a workspace that is being made. Nobody else has it yet; the names may still be hostile, so
//! every one is created exclusively and beneath its directory's handle.

use crate::{handle, settings::Quota};
use rustix::fs::{
    Mode, OFlags, Stat, Timespec, Timestamps, fchmod, futimens, mkdirat, openat, symlinkat,
};
use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// Why it stopped.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// Over a cap.
    Quota { what: &'static str, limit: u64 },
    /// At this path.
    Io { path: PathBuf, source: io::Error },
}

/// By what one sees that a file was not touched. A guest can set the first two, and not the time of the last change
/// of its entry, which the kernel sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    ino: u64,
    size: i64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            ino: stat.st_ino,
            size: stat.st_size,
            mode: stat.st_mode,
            modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        }
    }

    /// As text, for [`Self::parse`].
    pub(crate) fn words(&self) -> String {
        format!(
            "{} {} {:o} {} {} {} {}",
            self.ino,
            self.size,
            self.mode,
            self.modified.0,
            self.modified.1,
            self.changed.0,
            self.changed.1
        )
    }

    /// What [`Self::words`] wrote, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let stamp = Self {
            ino: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
            mode: u32::from_str_radix(words.next()?, 8).ok()?,
            modified: (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
            changed: (words.next()?.parse().ok()?, words.next()?.parse().ok()?),
        };
        words.next().is_none().then_some(stamp)
    }

    /// Whether its last change is so long before `moment` that any later one has another time.
    pub(crate) fn settled(&self, moment: (i64, i64)) -> bool {
        let nanos = |(s, n): (i64, i64)| i128::from(s) * 1_000_000_000 + i128::from(n);
        nanos(self.changed) + SETTLING < nanos(moment)
    }
}

/// File times advance with the kernel's tick, at worst every 10 ms. Twice that, for a clock that is being adjusted.
const SETTLING: i128 = 20_000_000;

/// Writes below one directory, within caps.
pub(crate) struct Writer<'a> {
    root: &'a OwnedFd,
    quota: Quota,
    bytes: u64,
    files: u64,
    /// The directory used last: files come directory by directory.
    last: Option<(PathBuf, OwnedFd)>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(root: &'a OwnedFd, quota: Quota) -> Self {
        Self {
            root,
            quota,
            bytes: 0,
            files: 0,
            last: None,
        }
    }

    /// Counts an entry.
    fn entry(&mut self) -> Result<(), WriteError> {
        self.files = self.files.saturating_add(1);
        if self.files > self.quota.max_files {
            return Err(WriteError::Quota {
                what: "files",
                limit: self.quota.max_files,
            });
        }
        Ok(())
    }

    /// Bytes that may still be written.
    pub(crate) fn room(&self) -> u64 {
        self.quota.max_bytes.saturating_sub(self.bytes)
    }

    /// Counts bytes.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), WriteError> {
        if bytes > self.room() {
            return Err(WriteError::Quota {
                what: "bytes",
                limit: self.quota.max_bytes,
            });
        }
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// The directory, made with its parents when it is not there.
    fn dir(&mut self, path: &Path) -> Result<&OwnedFd, WriteError> {
        let failed = |source| WriteError::Io {
            path: path.to_path_buf(),
            source,
        };
        if self.last.as_ref().is_none_or(|(p, _)| p != path) {
            let fd = match handle::open_dir(self.root, path) {
                Ok(fd) => fd,
                Err(e) if e.kind() == io::ErrorKind::NotFound => self.make_dirs(path)?,
                Err(e) => return Err(failed(e)),
            };
            self.last = Some((path.to_path_buf(), fd));
        }
        match &self.last {
            Some((_, fd)) => Ok(fd),
            None => Err(failed(io::ErrorKind::NotFound.into())),
        }
    }

    fn make_dirs(&mut self, path: &Path) -> Result<OwnedFd, WriteError> {
        // From the nearest one that is there: usually its parent.
        let mut there = path;
        let mut at = loop {
            there = there.parent().unwrap_or(Path::new(""));
            match handle::open_dir(self.root, there) {
                Ok(fd) => break fd,
                Err(e) if e.kind() == io::ErrorKind::NotFound && !there.as_os_str().is_empty() => {}
                Err(source) => {
                    return Err(WriteError::Io {
                        path: there.to_path_buf(),
                        source,
                    });
                }
            }
        };
        let missing = path.strip_prefix(there).unwrap_or(path);
        for part in missing.components() {
            let failed = |source| WriteError::Io {
                path: path.to_path_buf(),
                source,
            };
            match mkdirat(&at, part.as_os_str(), Mode::RWXU) {
                Ok(()) => self.entry()?,
                Err(rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(failed(e.into())),
            }
            at = handle::open_dir(&at, Path::new(part.as_os_str())).map_err(failed)?;
        }
        Ok(at)
    }

    /// A directory with its parents.
    pub(crate) fn make_dir(&mut self, path: &Path) -> Result<(), WriteError> {
        self.dir(path).map(drop)
    }

    /// A new file, for the caller to fill (and to [`Writer::take`] what it writes).
    pub(crate) fn file(&mut self, path: &Path) -> Result<File, WriteError> {
        self.entry()?;
        let (parent, name) = split(path)?;
        let dir = self.dir(parent)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(dir, name, flags, Mode::RUSR | Mode::WUSR).map_err(|e| WriteError::Io {
            path: path.to_path_buf(),
            source: e.into(),
        })?;
        Ok(File::from(fd))
    }

    /// A new symbolic link. Whether it may be is the caller's to know ([`super::stays`]).
    pub(crate) fn link(&mut self, path: &Path, target: &Path) -> Result<(), WriteError> {
        self.entry()?;
        let (parent, name) = split(path)?;
        let dir = self.dir(parent)?;
        symlinkat(target, dir, name).map_err(|e| WriteError::Io {
            path: path.to_path_buf(),
            source: e.into(),
        })
    }

    /// What stands at `path`.
    pub(crate) fn stat(&mut self, path: &Path) -> Result<Stat, WriteError> {
        let (parent, name) = split(path)?;
        let dir = self.dir(parent)?;
        handle::stat_entry(dir, name).map_err(|source| WriteError::Io {
            path: path.to_path_buf(),
            source,
        })
    }
}

fn split(path: &Path) -> Result<(&Path, &OsStr), WriteError> {
    path.parent()
        .zip(path.file_name())
        .ok_or_else(|| WriteError::Io {
            path: path.to_path_buf(),
            source: io::ErrorKind::InvalidInput.into(),
        })
}

/// Permissions without set-user and its like, and the time of the last change.
pub(crate) fn dress(fd: impl AsFd, stat: &Stat, always: u32) -> io::Result<()> {
    fchmod(&fd, Mode::from_raw_mode(stat.st_mode & 0o777 | always))?;
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: stat.st_mtime,
            tv_nsec: stat.st_mtime_nsec.cast_signed(),
        },
    };
    Ok(futimens(fd, &times)?)
}
