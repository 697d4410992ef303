//! Where an open handle really is. The kernel is asked for the path of the handle itself, so that whatever links a
//! guest went through to get it do not matter. Decides who may change what; changes nothing.

use super::protect::is_protected;
use crate::Preopen;
use cap_std::fs::Dir;
use rustix::fd::{AsFd, AsRawFd as _};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// A granted directory.
struct Root {
    dir: Arc<Dir>,
    write: bool,
    protect: bool,
}

/// The granted directories of a call.
#[derive(Default)]
pub(super) struct Roots(Vec<Root>);

/// Where a handle is: below which root, and how.
pub(super) struct Place {
    root: PathBuf,
    write: bool,
    protect: bool,
    /// Path below the root; empty for the root itself.
    below: PathBuf,
}

impl Roots {
    pub(super) fn new(files: &[Preopen]) -> Self {
        Self(
            files
                .iter()
                .map(|file| Root {
                    dir: Arc::clone(&file.dir),
                    write: file.write,
                    protect: file.protect,
                })
                .collect(),
        )
    }

    /// The place of a handle. Where granted directories lie inside each other the innermost counts, so that a
    /// directory granted for reading stays so within one granted for writing; granted twice, the stricter counts.
    ///
    /// # Errors
    /// `not-permitted` when it is below none of them (any more).
    pub(super) fn place(&self, handle: impl AsFd) -> Result<Place, ErrorCode> {
        let path = path_of(handle)?;
        let mut found: Option<Place> = None;
        for root in &self.0 {
            let at = path_of(&*root.dir)?;
            let Ok(below) = path.strip_prefix(&at) else {
                continue;
            };
            let place = Place {
                below: below.to_owned(),
                root: at,
                write: root.write,
                protect: root.protect,
            };
            found = Some(match found {
                Some(other) if other.root == place.root => Place {
                    write: other.write && place.write,
                    protect: other.protect || place.protect,
                    ..other
                },
                Some(other) if other.root.as_os_str().len() > place.root.as_os_str().len() => other,
                _ => place,
            });
        }
        found.ok_or(ErrorCode::NotPermitted)
    }
}

impl Place {
    /// Whether what is at this place, or `name` in it, may be changed.
    ///
    /// # Errors
    /// `not-permitted`: below a directory granted for reading, or a protected name.
    pub(super) fn may_change(&self, name: Option<&str>) -> Result<(), ErrorCode> {
        if !self.write {
            return Err(ErrorCode::NotPermitted);
        }
        let protected = |part: &OsStr| {
            // A name that is no text is none of ours, but may look like one to somebody: compare what it shows.
            is_protected(&part.to_string_lossy())
        };
        if self.protect
            && (self.below.iter().any(protected)
                || name.is_some_and(|name| protected(OsStr::new(name))))
        {
            return Err(ErrorCode::NotPermitted);
        }
        Ok(())
    }

    /// How many directories it is below its root.
    pub(super) fn depth(&self) -> usize {
        self.below.iter().count()
    }

    /// Whether both are below the same root.
    pub(super) fn same_root(&self, other: &Self) -> bool {
        self.root == other.root
    }

    /// Whether a symbolic link in this directory may say `target`: a relative path whose `..` all come first and do
    /// not climb out of the root. A `..` after a name could leave by way of another link.
    ///
    /// # Errors
    /// `not-permitted` for any other target.
    pub(super) fn may_link_to(&self, target: &[u8]) -> Result<(), ErrorCode> {
        let mut up = 0;
        let mut down = false;
        if target.first() == Some(&b'/') {
            return Err(ErrorCode::NotPermitted);
        }
        for part in target.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." if down => return Err(ErrorCode::NotPermitted),
                b".." => up += 1,
                _ => down = true,
            }
        }
        if up > self.depth() {
            return Err(ErrorCode::NotPermitted);
        }
        Ok(())
    }
}

/// The path of an open handle, as the kernel knows it now.
fn path_of(handle: impl AsFd) -> Result<PathBuf, ErrorCode> {
    let link = proc_path(handle);
    // Without /proc nothing can be checked, and so nothing is allowed.
    let path = rustix::fs::readlink(link, Vec::new()).map_err(|_| ErrorCode::NotPermitted)?;
    Ok(Path::new(OsStr::from_bytes(path.as_bytes())).to_owned())
}

/// The name of an open handle in `/proc`. Opening it opens that very object again.
pub(super) fn proc_path(handle: impl AsFd) -> String {
    format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(below: &str) -> Place {
        Place {
            root: "/r".into(),
            write: true,
            protect: true,
            below: below.into(),
        }
    }

    #[test]
    fn links_stay_inside() {
        for (below, target, fits) in [
            ("", "a", true),
            ("", "a/b/c", true),
            ("", "./a", true),
            ("", "..", false),
            ("", "../a", false),
            ("", "./../a", false),
            ("", "/a", false),
            ("", "a/../b", false),
            ("a", "..", true),
            ("a", "../b", true),
            ("a", "../../b", false),
            ("a/b", "../../c", true),
            ("a/b", "..//..//c", true),
            ("a/b", "../x/../../c", false),
            ("a/b", "../../../c", false),
            ("a/b", ".../c", true),
        ] {
            let told = place(below).may_link_to(target.as_bytes()).is_ok();
            assert_eq!(told, fits, "{below}: {target}");
        }
    }

    #[test]
    fn protected_names_count_at_any_depth() {
        assert!(place("src").may_change(Some("main.rs")).is_ok());
        assert!(place("src").may_change(Some("Makefile")).is_err());
        assert!(place(".git/hooks").may_change(Some("x")).is_err());
        assert!(place("a/.Cargo").may_change(None).is_err());
        let open = Place {
            protect: false,
            ..place(".git/hooks")
        };
        assert!(open.may_change(Some("x")).is_ok());
        let closed = Place {
            write: false,
            ..open
        };
        assert!(closed.may_change(None).is_err());
    }
}
