//! Two git directories of an attempt, both with a configuration that we write, and neither where a guest can see it.
//!
//! `own` has objects of its own and borrows the repository's: everything is made there. `view` is the repository
//! itself without its configuration, hooks and attributes: objects and refs are links to the real ones. It is used
//! to read `HEAD` and to add to the run's branch. Whatever stands in the repository's `config`, git never reads it
//! as configuration here.

use super::{
    repo::{Repository, RepositoryError},
    run::{Git, GitError},
};
use rustix::fs::{Mode, OFlags, mkdirat, openat, symlinkat};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

/// The directories, by absolute path: git takes no handles.
#[derive(Debug)]
pub(crate) struct GitDirs {
    pub(crate) own: PathBuf,
    pub(crate) view: PathBuf,
    /// `sha1` or `sha256`.
    format: String,
}

/// Why they could not be made.
pub(crate) enum DirsError {
    Io(io::Error),
    Git(GitError),
    Repository(RepositoryError),
}

impl From<io::Error> for DirsError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<GitError> for DirsError {
    fn from(e: GitError) -> Self {
        Self::Git(e)
    }
}

impl GitDirs {
    /// Makes them in `home`, whose absolute path is `path`.
    pub(crate) fn make(
        git: &Git,
        repository: &Repository,
        home: &OwnedFd,
        path: &Path,
    ) -> Result<Self, DirsError> {
        let own = dir(home, "own")?;
        let refs = dir(&own, "refs")?;
        dir(&refs, "heads")?;
        file(&own, "HEAD", "ref: refs/heads/none\n")?;
        let objects = dir(&own, "objects")?;
        let info = dir(&objects, "info")?;
        dir(&objects, "pack")?;
        // By a link of ours: a path with a line break or a quote could not be written into that file.
        symlinkat(repository.common.join("objects"), &own, "borrowed").map_err(io::Error::from)?;
        file(&info, "alternates", "../borrowed\n")?;
        symlinkat(repository.common.join("shallow"), &own, "shallow").map_err(io::Error::from)?;

        let view = dir(home, "view")?;
        file(&view, "HEAD", "ref: refs/heads/none\n")?;
        for name in ["objects", "refs", "packed-refs", "shallow"] {
            symlinkat(repository.common.join(name), &view, name).map_err(io::Error::from)?;
        }

        file(&own, "config", config("sha1"))?;
        let made = path.join("own");
        let format = repository
            .object_format(git, &made)?
            .map_err(DirsError::Repository)?;
        rustix::fs::unlinkat(&own, "config", rustix::fs::AtFlags::empty())
            .map_err(io::Error::from)?;
        for dir in [&own, &view] {
            file(dir, "config", config(&format))?;
        }
        Ok(Self {
            own: made,
            view: path.join("view"),
            format,
        })
    }

    /// The tree without files: where attributes are read from, so that there are none. A repository could otherwise
    /// have what a guest sees differ from what is committed.
    pub(crate) fn empty_tree(&self) -> &'static str {
        if self.format == "sha256" {
            "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
        } else {
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        }
    }

    /// The name of no object.
    pub(crate) fn zero(&self) -> String {
        "0".repeat(if self.format == "sha256" { 64 } else { 40 })
    }
}

fn config(format: &str) -> &'static str {
    if format == "sha256" {
        "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tlogAllRefUpdates = false\n[extensions]\n\tobjectFormat = sha256\n"
    } else {
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tlogAllRefUpdates = false\n"
    }
}

fn dir(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    mkdirat(parent, name, Mode::RWXU)?;
    crate::handle::open_dir(parent, Path::new(name))
}

fn file(parent: &OwnedFd, name: &str, text: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let fd = openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?;
    File::from(fd).write_all(text.as_bytes())
}
