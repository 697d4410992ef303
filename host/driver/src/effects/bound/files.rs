//! What lies at the paths that an argument may name: opened as the kernel walks them, and only what truly lies below the
//! directories of the command is read. Must not run or change anything; what it says on an error names no path of the
//! host.

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};
use sandgate_model::Digest;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::names::normal;

/// Largest file that an approval is bound to. A larger one cannot be approved: nobody could say that it is still the
/// same. Scripts and configurations are small; documents of this size are data, which belongs into an artifact.
const FILE_MAX: u64 = 64 << 20;

/// What a path leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// A file, and the digest of what is in it.
    File(Digest),
    /// A directory. What is in it is not looked at.
    Directory,
    /// Something else: a pipe, a device.
    Special,
    /// The path begins in a directory of the command and leads out of all of them. Not read.
    Outside,
}

impl Found {
    /// As the record says it.
    pub(super) fn said(&self) -> String {
        match self {
            Self::File(digest) => digest.to_string(),
            Self::Directory => "directory".to_owned(),
            Self::Special => "not a file".to_owned(),
            Self::Outside => "outside".to_owned(),
        }
    }
}

/// A directory, whatever its path leads to later.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) number: u64,
    /// When it was made, in nanoseconds since 1970, where the file system knows: numbers are used again.
    pub(super) made: Option<u64>,
}

/// The directories of a command, and what was read below them so far.
pub(super) struct Roots {
    /// As they are written, and without links.
    paths: Vec<PathBuf>,
    /// By device, number: the same file under many names is read once.
    read: BTreeMap<(u64, u64), Digest>,
}

impl Roots {
    /// Those of `paths` that are there.
    pub(super) fn new(paths: impl Iterator<Item = PathBuf>) -> Self {
        let mut all = Vec::new();
        for path in paths {
            if let Ok(real) = std::fs::canonicalize(&path) {
                all.push(real);
                all.push(path);
            }
        }
        Self {
            paths: all,
            read: BTreeMap::new(),
        }
    }

    fn hold(&self, path: &Path) -> bool {
        self.paths.iter().any(|root| path.starts_with(root))
    }

    /// What is at `path`, which need not be below a root. `None`: nothing, or nothing of this command's.
    pub(super) fn look(&mut self, path: &Path) -> io::Result<Option<Found>> {
        let begins_inside = self.hold(&normal(path));
        let outside = begins_inside.then_some(Found::Outside);
        let file = match walk(path) {
            Ok(file) => file,
            // A link into somebody's `/proc`: where it leads depends on who reads it.
            Err(Errno::LOOP) => return Ok(outside),
            // Not there, or not to be reached. Once it is, that is a difference.
            Err(
                Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::ACCESS | Errno::INVAL,
            ) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !self.hold(&place(&file)?) {
            return Ok(outside);
        }
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Ok(Some(Found::Directory));
        }
        if !meta.is_file() {
            return Ok(Some(Found::Special));
        }
        let key = (meta.dev(), meta.ino());
        if let Some(digest) = self.read.get(&key) {
            return Ok(Some(Found::File(*digest)));
        }
        let digest = hash(&file)?;
        self.read.insert(key, digest);
        Ok(Some(Found::File(digest)))
    }

    /// The directory at `path`. `None`: it leads out of the roots.
    pub(super) fn directory(&self, path: &Path) -> io::Result<Option<Identity>> {
        let file = walk(path)?;
        if !self.hold(&place(&file)?) {
            return Ok(None);
        }
        let meta = file.metadata()?;
        let made = meta.created().ok();
        let made = made.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Ok(Some(Identity {
            device: meta.dev(),
            number: meta.ino(),
            made: made.and_then(|span| u64::try_from(span.as_nanos()).ok()),
        }))
    }
}

/// Opens a path only to know what is there: nothing is read, no pipe waits, no device notices.
fn walk(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let how = ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, path, flags, Mode::empty(), how).map(File::from)
}

/// This process's own name for what it has open.
fn own_name(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Where what was opened truly lies, every link followed.
fn place(file: &File) -> io::Result<PathBuf> {
    std::fs::read_link(own_name(file))
}

/// Digest of what is in a regular file that was found by [`walk`]: of that very file, whatever its path leads to now.
fn hash(found: &File) -> io::Result<Digest> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file: OwnedFd = rustix::fs::open(own_name(found), flags, Mode::empty())?;
    let mut bytes = Vec::new();
    let most = FILE_MAX.saturating_add(1);
    File::from(file).take(most).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!(
            "it is larger than {} MiB, and an approval could not be bound to it",
            FILE_MAX >> 20
        )));
    }
    Ok(Digest::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn links_are_followed_inside_only() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("w/sub")).unwrap();
        fs::create_dir_all(at("r")).unwrap();
        fs::write(at("w/run.sh"), "one").unwrap();
        fs::write(at("r/lib.sh"), "two").unwrap();
        fs::write(at("secret"), "three").unwrap();
        symlink("../run.sh", at("w/sub/in")).unwrap();
        symlink(at("r/lib.sh"), at("w/over")).unwrap();
        symlink("../secret", at("w/out")).unwrap();
        symlink("..", at("w/up")).unwrap();
        symlink("/proc/self/cwd/Cargo.toml", at("w/proc")).unwrap();
        symlink("nowhere", at("w/dangling")).unwrap();
        symlink("round", at("w/round")).unwrap();
        symlink("w", at("way")).unwrap();
        rustix::fs::mknodat(CWD, at("w/pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        let mut roots = Roots::new([at("w"), at("r"), at("absent")].into_iter());
        let file = |text: &str| Some(Found::File(Digest::of(text.as_bytes())));
        for (name, found) in [
            ("w/run.sh", file("one")),
            ("w/sub/../run.sh", file("one")),
            ("w/sub/in", file("one")),
            ("w/over", file("two")),
            ("r/lib.sh", file("two")),
            ("w/up/w/run.sh", file("one")),
            // Somebody's own link to the project.
            ("way/run.sh", file("one")),
            ("w/out", Some(Found::Outside)),
            ("w/up", Some(Found::Outside)),
            ("w/up/secret", Some(Found::Outside)),
            ("w/proc", Some(Found::Outside)),
            ("w/round", Some(Found::Outside)),
            ("w/pipe", Some(Found::Special)),
            ("w/sub", Some(Found::Directory)),
            ("w", Some(Found::Directory)),
            ("w/dangling", None),
            ("w/absent", None),
            ("w/run.sh/x", None),
            ("secret", None),
            ("w/../secret", None),
            ("", None),
        ] {
            assert_eq!(roots.look(&at(name)).unwrap(), found, "{name}");
        }
        assert_eq!(roots.look(Path::new("/etc/passwd")).unwrap(), None);
        assert_eq!(roots.look(Path::new("/proc/self/fd/0")).unwrap(), None);
    }

    #[test]
    fn a_directory_made_anew_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("w/repo")).unwrap();
        symlink("..", at("w/up")).unwrap();
        let roots = Roots::new([at("w")].into_iter());
        let was = roots.directory(&at("w/repo")).unwrap().unwrap();
        assert_eq!(roots.directory(&at("w/repo")).unwrap().unwrap(), was);
        fs::remove_dir(at("w/repo")).unwrap();
        fs::create_dir(at("w/repo")).unwrap();
        let now = roots.directory(&at("w/repo")).unwrap().unwrap();
        assert_ne!(now, was);
        assert_eq!(roots.directory(&at("w/up")).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_too_large_binds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        // Sparse: it takes no room.
        File::create(&path).unwrap().set_len(FILE_MAX + 1).unwrap();
        let mut roots = Roots::new([dir.path().to_owned()].into_iter());
        let error = roots.look(&path).unwrap_err().to_string();
        assert!(error.contains("64 MiB"), "{error}");
        assert!(!error.contains('/'), "{error}");
    }
}
