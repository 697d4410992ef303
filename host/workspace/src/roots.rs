//! Opening what is granted. The names come from the project's policy; what stands behind them does not.

use crate::{error::RootError, handle};
use rustix::fs::OFlags;
use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// What the state directory is called by default. Kept out by this name at every level, besides by its identity: a
/// project that lies inside another one has a history to protect too.
pub(crate) const STATE_NAME: &str = ".sandgate";

/// A granted host path as relative path; `.` is the empty one.
pub(crate) fn relative(host: &str) -> Result<PathBuf, RootError> {
    if host == "." {
        return Ok(PathBuf::new());
    }
    if host.is_empty() || host.contains('\0') {
        return Err(RootError::Spelling);
    }
    for part in host.split('/') {
        match part {
            "" | "." | ".." => return Err(RootError::Spelling),
            STATE_NAME => return Err(RootError::State),
            _ => {}
        }
    }
    Ok(PathBuf::from(host))
}

/// Whether a name is `.git` for git on some file system: in other cases, with characters that are ignored, with a
/// trailing dot or space, or as the short name of old Windows disks.
pub(crate) fn is_git_name(name: &OsStr) -> bool {
    let text = String::from_utf8_lossy(name.as_bytes());
    // From a colon on, Windows takes it for a stream of the file.
    let text = text.split(':').next().unwrap_or_default();
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .collect();
    let plain = plain.trim_end_matches(['.', ' ']);
    plain == ".git" || plain == "git~1"
}

/// The directories that nobody may be given: the state directory and everything that contains it.
pub(crate) struct Forbidden {
    state: (u64, u64),
    above: Vec<(u64, u64)>,
}

impl Forbidden {
    pub(crate) fn of(state: impl AsFd) -> io::Result<Self> {
        let mut above = Vec::new();
        let mut at = identity(&state)?;
        let own = at;
        let mut dir = rustix::fs::openat(&state, ".", PATH_ONLY, rustix::fs::Mode::empty())?;
        loop {
            dir = rustix::fs::openat(&dir, "..", PATH_ONLY, rustix::fs::Mode::empty())?;
            let next = identity(&dir)?;
            // The root is its own parent.
            if next == at {
                break;
            }
            above.push(next);
            at = next;
        }
        Ok(Self { state: own, above })
    }

    pub(crate) fn is_state(&self, identity: (u64, u64)) -> bool {
        identity == self.state
    }

    fn contains_state(&self, identity: (u64, u64)) -> bool {
        self.above.contains(&identity)
    }
}

const PATH_ONLY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn identity(fd: impl AsFd) -> io::Result<(u64, u64)> {
    Ok(handle::identity(&handle::stat(fd)?))
}

/// Opens a directory below the project, one component after the other, refusing links, special file systems and the
/// state directory. `whole`: the project's own directory is possible, which only a copy is.
pub(crate) fn open_granted(
    project: impl AsFd,
    path: &Path,
    forbidden: &Forbidden,
    whole: bool,
) -> Result<OwnedFd, RootError> {
    let mut at: Option<OwnedFd> = None;
    let mut parts = path.components().peekable();
    if parts.peek().is_none() {
        if !whole {
            return Err(RootError::Whole);
        }
        return handle::open_dir(project, Path::new("")).map_err(RootError::Io);
    }
    while let Some(part) = parts.next() {
        // A directory on the way may be closed for reading; only the last one is listed.
        let flags = if parts.peek().is_none() {
            OFlags::RDONLY | OFlags::DIRECTORY
        } else {
            PATH_ONLY
        };
        let name = Path::new(part.as_os_str());
        let opened = match &at {
            None => handle::open(&project, name, flags),
            Some(dir) => handle::open(dir, name, flags),
        };
        let dir = opened.map_err(|e| failed(e, at.as_ref().map(AsFd::as_fd), &project, name))?;
        let id = identity(&dir).map_err(RootError::Io)?;
        if forbidden.is_state(id) {
            return Err(RootError::State);
        }
        if let Some(kind) = handle::special(&dir).map_err(RootError::Io)? {
            return Err(RootError::Special(kind));
        }
        if parts.peek().is_none() && !whole && forbidden.contains_state(id) {
            return Err(RootError::State);
        }
        at = Some(dir);
    }
    at.ok_or(RootError::Spelling)
}

fn failed(error: io::Error, at: Option<impl AsFd>, project: impl AsFd, name: &Path) -> RootError {
    if handle::is_link(&error) {
        return RootError::Link;
    }
    match error.kind() {
        io::ErrorKind::NotFound => RootError::Absent,
        io::ErrorKind::NotADirectory => {
            // With DIRECTORY and NOFOLLOW a link is "not a directory" too.
            let stat = match at {
                Some(dir) => handle::stat_entry(dir, name.as_os_str()),
                None => handle::stat_entry(project, name.as_os_str()),
            };
            match stat {
                Ok(s) if handle::kind(&s) == rustix::fs::FileType::Symlink => RootError::Link,
                _ => RootError::NotADirectory,
            }
        }
        _ => RootError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_paths() {
        for good in ["a", "a/b", "a.b/..c", "...", "-"] {
            assert_eq!(relative(good).unwrap(), Path::new(good));
        }
        assert_eq!(relative(".").unwrap(), Path::new(""));
        for bad in [
            "", "/", "/a", "a/", "a//b", "..", "a/..", "../a", "./a", "a/.", "a\0b",
        ] {
            assert!(matches!(relative(bad), Err(RootError::Spelling)), "{bad:?}");
        }
        for state in [".sandgate", ".sandgate/x", "a/.sandgate"] {
            assert!(
                matches!(relative(state), Err(RootError::State)),
                "{state:?}"
            );
        }
    }

    #[test]
    fn names_that_are_git_somewhere() {
        for bad in [
            ".git",
            ".GIT",
            ".Git",
            ".git.",
            ".git ",
            ".git. .",
            "git~1",
            "GIT~1",
            ".g\u{200c}it",
            ".git::$INDEX_ALLOCATION",
        ] {
            assert!(is_git_name(OsStr::new(bad)), "{bad:?}");
        }
        for good in [
            "git",
            ".gitignore",
            ".github",
            ".gitattributes",
            "x.git",
            "git~12",
            ".gi t",
        ] {
            assert!(!is_git_name(OsStr::new(good)), "{good:?}");
        }
    }
}
