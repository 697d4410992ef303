//! Which file a program's name means. Found once, remembered, and looked at again before each start. Must not use the
//! environment: the path is fixed.

use crate::{ExecError, wire::FileIdentity};
use sandgate_model::Digest;
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Where programs are looked for, in this order, before the directories that the embedder names.
pub(crate) const PATH: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin"];

/// A program that was found, and what it was then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    path: PathBuf,
    real: PathBuf,
    identity: FileIdentity,
}

impl Program {
    /// Finds a program: a name in `path`, or an absolute path. One that lies in one of `writable` is refused: what
    /// runs there could have replaced it.
    pub(crate) fn find(
        name: &str,
        path: &[PathBuf],
        writable: &[PathBuf],
    ) -> Result<Self, ExecError> {
        let not_started = |why: String| ExecError::NotStarted(why);
        let found = if Path::new(name).is_absolute() {
            PathBuf::from(name)
        } else if name.is_empty() || name.contains('/') {
            return Err(not_started(format!(
                "`{name}` is neither the name of a program nor an absolute path"
            )));
        } else {
            let list: Vec<_> = path.iter().map(|d| d.display().to_string()).collect();
            path.iter()
                .map(|dir| dir.join(name))
                .find(|p| is_program(p))
                .ok_or_else(|| {
                    not_started(format!(
                        "there is no program `{name}` in {}; install it there, or name it by its absolute path",
                        list.join(", ")
                    ))
                })?
        };
        let shown = found.display().to_string();
        let real = fs::canonicalize(&found)
            .map_err(|e| not_started(format!("the program {shown} cannot be found: {e}")))?;
        if !is_program(&real) {
            return Err(not_started(format!(
                "{shown} is not a program that can be run"
            )));
        }
        for dir in writable {
            let dir_real = fs::canonicalize(dir).unwrap_or_else(|_| dir.clone());
            if found.starts_with(dir) || real.starts_with(&dir_real) || real.starts_with(dir) {
                return Err(not_started(format!(
                    "the program {shown} lies in {}, which plugins or commands can write: what runs there could have replaced it; use one outside",
                    dir.display()
                )));
            }
        }
        let identity = identity(&real)
            .map_err(|e| not_started(format!("the program {shown} cannot be opened: {e}")))?;
        Ok(Self {
            path: found,
            real,
            identity,
        })
    }

    /// The path it is started by. May be a link: some programs go by the name they are called with.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, links followed.
    #[must_use]
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Whether this was found for that name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        if Path::new(name).is_absolute() {
            self.path == Path::new(name)
        } else {
            self.path.file_name().is_some_and(|n| n == name)
        }
    }

    pub(crate) fn identity(&self) -> &FileIdentity {
        &self.identity
    }

    /// Digest of the file as it is now.
    ///
    /// # Errors
    /// That it cannot be read, or is no longer the file that was found.
    pub fn sha256(&self) -> Result<Digest, ExecError> {
        let failed = |e| ExecError::host("the program cannot be read", e);
        let mut file = File::open(&self.real).map_err(failed)?;
        if of(&file.metadata().map_err(failed)?) != self.identity {
            return Err(self.changed());
        }
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(Digest::from_bytes(hash.finalize().into())),
                n => hash.update(buffer.get(..n).unwrap_or_default()),
            }
        }
    }

    /// Whether it is still the file that was found.
    pub(crate) fn check(&self) -> Result<(), ExecError> {
        let same_link = fs::canonicalize(&self.path).is_ok_and(|p| p == self.real);
        if same_link && identity(&self.real).is_ok_and(|now| now == self.identity) {
            return Ok(());
        }
        Err(self.changed())
    }

    fn changed(&self) -> ExecError {
        ExecError::NotStarted(format!(
            "the program {} is not the file that was granted: it has been replaced or changed since; grant it again by starting anew",
            self.path.display()
        ))
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn identity(path: &Path) -> io::Result<FileIdentity> {
    Ok(of(&fs::metadata(path)?))
}

pub(crate) fn of(m: &fs::Metadata) -> FileIdentity {
    FileIdentity {
        dev: m.dev(),
        ino: m.ino(),
        size: m.size(),
        mtime_s: m.mtime(),
        mtime_ns: m.mtime_nsec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(r: Result<T, ExecError>) -> String {
        r.unwrap_err().to_string()
    }

    #[test]
    fn programs_are_found_remembered_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("tool");
        let path = [dir.path().to_owned()];
        assert!(message(Program::find("tool", &path, &[])).contains("no program `tool`"));
        fs::write(&tool, "#!/bin/sh\n").unwrap();
        assert!(
            message(Program::find("tool", &path, &[])).contains("no program"),
            "not executable"
        );
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let found = Program::find("tool", &path, &[]).unwrap();
        assert_eq!(found.path(), tool);
        assert_eq!(found.sha256().unwrap(), Digest::of(b"#!/bin/sh\n"));
        found.check().unwrap();
        fs::write(&tool, "#!/bin/sh\nevil\n").unwrap();
        assert!(message(found.check()).contains("not the file that was granted"));
        assert!(found.sha256().is_err());
    }

    #[test]
    fn programs_in_writable_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("tool");
        fs::write(&tool, "").unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let writable = [dir.path().to_owned()];
        assert!(
            message(Program::find(tool.to_str().unwrap(), &[], &writable))
                .contains("could have replaced")
        );
        // Also through a link from elsewhere.
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&tool, other.path().join("tool")).unwrap();
        let path = [other.path().to_owned()];
        assert!(message(Program::find("tool", &path, &writable)).contains("could have replaced"));
        for bad in ["bin/tool", "../tool", ""] {
            assert!(
                message(Program::find(bad, &path, &[])).contains("neither"),
                "{bad}"
            );
        }
    }
}
