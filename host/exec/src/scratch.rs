//! A directory for one command: its home, its temporary files, and where it starts when it has no workspace. Removed
//! when the command is gone. Must not be inside anything a plugin can write.

use crate::ExecError;
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// What the names begin with, so that leftovers can be told from other files.
const PREFIX: &str = "command-";

/// A command's own directory.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: Option<PathBuf>,
}

impl Scratch {
    /// Makes one in `parent`, which is made too when it is not there.
    pub(crate) fn make(parent: &Path) -> Result<Self, ExecError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        let failed = |e| ExecError::host("the scratch directory of the command cannot be made", e);
        fs::create_dir_all(parent).map_err(failed)?;
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{PREFIX}{}-{n}", std::process::id()));
            match private.create(&path) {
                Ok(()) => {
                    let made = Self {
                        path: Some(path.clone()),
                    };
                    for name in ["home", "tmp", "work"] {
                        private.create(path.join(name)).map_err(failed)?;
                    }
                    return Ok(made);
                }
                // Left over from a process with the same number.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Gives the directory away: whoever takes it removes it.
    pub(crate) fn take(&mut self) -> Option<PathBuf> {
        self.path.take()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            remove(&path);
        }
    }
}

/// Removes a directory, also where the command took away its own permissions.
pub(crate) fn remove(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    open_up(path, 0);
    // What is left now is found by `remove_leftovers` at the next start.
    let _ = fs::remove_dir_all(path);
}

/// Gives the owner back all rights to the directories of a tree; links are not followed.
fn open_up(path: &Path, depth: u32) {
    // Deeper than any path of 4,096 bytes can be: a bound for the stack.
    const DEPTH_MAX: u32 = 2048;
    let is_dir = fs::symlink_metadata(path).is_ok_and(|m| m.is_dir());
    if !is_dir || depth > DEPTH_MAX {
        return;
    }
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        open_up(&entry.path(), depth.saturating_add(1));
    }
}

/// Removes what commands of a killed host left in `parent`. Only for the one host that uses it, before it runs
/// commands.
///
/// # Errors
/// That the directory cannot be read. One that is not there is empty.
pub fn remove_leftovers(parent: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            remove(&entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_permissions_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let s = Scratch::make(dir.path()).unwrap();
        let inner = s.path().join("tmp/a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("f"), "x").unwrap();
        std::os::unix::fs::symlink("/usr", inner.join("l")).unwrap();
        fs::set_permissions(s.path().join("tmp/a"), fs::Permissions::from_mode(0o000)).unwrap();
        drop(s);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(Path::new("/usr/bin").exists());
    }

    #[test]
    fn leftovers_go_and_other_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let left = Scratch::make(dir.path()).unwrap().take().unwrap();
        assert!(left.exists());
        fs::write(dir.path().join("other"), "x").unwrap();
        remove_leftovers(dir.path()).unwrap();
        assert!(!left.exists() && dir.path().join("other").exists());
        remove_leftovers(&dir.path().join("none")).unwrap();
    }
}
