//! Finding the project's repository, and making sure that it is the project's.
//!
//! A repository that came in an archive may be made to lead into another one: `.git` as a link, a `gitdir:` that
//! points anywhere, borrowed or linked objects, a linked ref. Its files would then show another project's history to
//! this project's plugins. So nothing is followed that git itself did not put there, and nothing in it is a link.

use super::run::{Git, GitError};
use crate::handle;
use rustix::fs::{CWD, FileType, Mode, OFlags, openat};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
};

/// Why a project has no repository that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// None found.
    #[error("{} is in no git repository; run `git init` and commit, or use the workspace `clone`", .0.display())]
    None(PathBuf),
    /// No commit yet.
    #[error("the repository has no commit yet; commit once, or use the workspace `clone`")]
    NoCommit,
    /// Something in it leads elsewhere.
    #[error("{} {why}, so it could show another repository's files; use the workspace `clone`", path.display())]
    Elsewhere {
        /// What.
        path: PathBuf,
        /// How.
        why: &'static str,
    },
    /// A format that we do not know.
    #[error("the repository uses {0}, which is not supported; use the workspace `clone`")]
    Format(String),
    /// A file of the repository cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The project's repository.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The project's directory, relative to the top of the working tree.
    pub(crate) prefix: PathBuf,
    /// Where `HEAD` is.
    pub(crate) git_dir: PathBuf,
    /// Where objects and refs are.
    pub(crate) common: PathBuf,
}

/// Bytes of a small file of git's.
const SMALL: u64 = 4096;

impl Repository {
    /// Goes up from `project`, an absolute path without links.
    pub(crate) fn find(project: &Path) -> Result<Self, RepositoryError> {
        let io_at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| RepositoryError::Io { path, source }
        };
        let device = project.metadata().map_err(io_at(project))?.dev();
        for top in project.ancestors() {
            // As git does: another file system is another place.
            if top.metadata().map_err(io_at(top))?.dev() != device {
                break;
            }
            let dot = top.join(".git");
            let meta = match dot.symlink_metadata() {
                Ok(meta) => meta,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(io_at(&dot)(e)),
            };
            let git_dir = if meta.is_dir() {
                dot
            } else if meta.is_file() {
                pointed(top, &dot)?
            } else {
                return Err(RepositoryError::Elsewhere {
                    path: dot,
                    why: "is a link",
                });
            };
            let common = common(&git_dir)?;
            let found = Self {
                prefix: project
                    .strip_prefix(top)
                    .map(Path::to_path_buf)
                    .unwrap_or_default(),
                git_dir,
                common,
            };
            found.check()?;
            return Ok(found);
        }
        Err(RepositoryError::None(project.to_path_buf()))
    }

    /// What `HEAD` says: a branch, or a commit.
    pub(crate) fn head(&self) -> Result<String, RepositoryError> {
        head(&self.git_dir)
    }

    /// Whether somebody works on this branch, here or in another working tree of the repository.
    pub(crate) fn is_checked_out(&self, branch: &str) -> bool {
        let on = |dir: &Path| head(dir).is_ok_and(|h| h == branch);
        let others = self.common.join("worktrees");
        on(&self.common)
            || on(&self.git_dir)
            || others
                .read_dir()
                .is_ok_and(|list| list.filter_map(Result::ok).any(|entry| on(&entry.path())))
    }

    /// Objects, refs and the files beside them are the repository's own.
    fn check(&self) -> Result<(), RepositoryError> {
        let dir = open(&self.common)?;
        for (name, needed) in [
            ("objects", true),
            ("refs", true),
            ("packed-refs", false),
            ("shallow", false),
            ("config", false),
        ] {
            let path = self.common.join(name);
            match handle::stat_entry(&dir, OsStr::new(name)) {
                Ok(stat) if needed && handle::kind(&stat) == FileType::Directory => {
                    own(&dir, Path::new(name), &self.common)?;
                }
                Ok(stat) if !needed && handle::kind(&stat) == FileType::RegularFile => {}
                Ok(_) => {
                    return Err(RepositoryError::Elsewhere {
                        path,
                        why: "is a link or something else that git does not make",
                    });
                }
                Err(e) if !needed && e.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(RepositoryError::Io { path, source }),
            }
        }
        let borrowed = self.common.join("objects/info/alternates");
        if read_small(&borrowed)?.is_some_and(|text| !text.trim().is_empty()) {
            return Err(RepositoryError::Elsewhere {
                path: borrowed,
                why: "borrows objects from another repository (`git repack -ad`, then remove that file)",
            });
        }
        Ok(())
    }

    /// The hash function, after a look at what else the repository uses. Reads the configuration as a list of
    /// values, which runs nothing.
    pub(crate) fn object_format(
        &self,
        git: &Git,
        dir: &Path,
    ) -> Result<Result<String, RepositoryError>, GitError> {
        let config = self.common.join("config");
        if !config.exists() {
            return Ok(Ok("sha1".into()));
        }
        let args: [&OsStr; 6] = [
            "config".as_ref(),
            "--file".as_ref(),
            config.as_os_str(),
            "--no-includes".as_ref(),
            "--null".as_ref(),
            "--list".as_ref(),
        ];
        let list = git.text(dir, &args, None, &[])?;
        let list = String::from_utf8_lossy(&list).into_owned();
        let value = |wanted: &str| {
            list.split('\0')
                .filter_map(|line| line.split_once('\n'))
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_owned())
                .next_back()
        };
        let refs = value("extensions.refstorage").unwrap_or_else(|| "files".into());
        if refs != "files" {
            return Ok(Err(RepositoryError::Format(format!(
                "refs stored as {refs:?}"
            ))));
        }
        let format = value("extensions.objectformat").unwrap_or_else(|| "sha1".into());
        Ok(match format.as_str() {
            "sha1" | "sha256" => Ok(format),
            other => Err(RepositoryError::Format(format!("the hash {other:?}"))),
        })
    }
}

fn head(git_dir: &Path) -> Result<String, RepositoryError> {
    let path = git_dir.join("HEAD");
    let text = read_small(&path)?.ok_or_else(|| RepositoryError::Io {
        path: path.clone(),
        source: io::ErrorKind::NotFound.into(),
    })?;
    let text = text.trim();
    let name = text.strip_prefix("ref:").map_or(text, str::trim);
    // A branch, or digits. Anything else could mean something else to git.
    let plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '+' | '#' | '@' | '=' | ',')
    };
    if name.is_empty()
        || name.starts_with('-')
        || name.contains("..")
        || name.contains("@{")
        || !name.chars().all(plain)
    {
        return Err(RepositoryError::Format(format!("the HEAD {name:?}")));
    }
    Ok(name.to_owned())
}

/// Where a `.git` file points, when that place belongs to this working tree.
fn pointed(top: &Path, dot: &Path) -> Result<PathBuf, RepositoryError> {
    let text = read_small(dot)?.unwrap_or_default();
    let elsewhere = |why| RepositoryError::Elsewhere {
        path: dot.to_path_buf(),
        why,
    };
    let target = text
        .trim_end_matches(['\n', '\r'])
        .strip_prefix("gitdir:")
        .map(str::trim)
        .ok_or_else(|| elsewhere("is no file of git's"))?;
    let git_dir = top
        .join(target)
        .canonicalize()
        .map_err(|source| RepositoryError::Io {
            path: top.join(target),
            source,
        })?;
    // A working tree that git added: its directory points back here.
    if let Some(back) = read_small(&git_dir.join("gitdir"))? {
        let back = git_dir.join(back.trim_end_matches(['\n', '\r']));
        if back.canonicalize().is_ok_and(|b| b == dot) {
            return Ok(git_dir);
        }
    }
    // A submodule: its directory is kept by a repository around this one.
    let kept = |above: &Path| git_dir.starts_with(above.join(".git/modules"));
    if top.ancestors().skip(1).any(kept) {
        return Ok(git_dir);
    }
    Err(elsewhere("points to a repository that does not point back"))
}

/// Where refs and objects are: for an added working tree in the repository it was added to.
fn common(git_dir: &Path) -> Result<PathBuf, RepositoryError> {
    let file = git_dir.join("commondir");
    let Some(text) = read_small(&file)? else {
        return Ok(git_dir.to_path_buf());
    };
    let common = git_dir
        .join(text.trim_end_matches(['\n', '\r']))
        .canonicalize()
        .map_err(|source| RepositoryError::Io {
            path: file.clone(),
            source,
        })?;
    let inside = git_dir
        .parent()
        .is_some_and(|p| p == common.join("worktrees"));
    if inside {
        Ok(common)
    } else {
        Err(RepositoryError::Elsewhere {
            path: file,
            why: "points to another repository",
        })
    }
}

fn open(path: &Path) -> Result<OwnedFd, RepositoryError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(|e| RepositoryError::Io {
        path: path.to_path_buf(),
        source: e.into(),
    })
}

/// Deepest directory below `objects` or `refs`: a branch name has at most 255 bytes per level and 4,096 in all.
const DEEPEST: usize = 128;

/// Everything below is a regular file or a directory.
fn own(dir: &OwnedFd, name: &Path, shown: &Path) -> Result<(), RepositoryError> {
    let mut todo = vec![(name.to_path_buf(), 0_usize)];
    while let Some((path, depth)) = todo.pop() {
        let failed = |source| RepositoryError::Io {
            path: shown.join(&path),
            source,
        };
        let open = handle::open_dir(dir, &path).map_err(failed)?;
        for entry in handle::entries(&open).map_err(failed)? {
            let (entry, kind) = entry.map_err(failed)?;
            let kind = match kind {
                FileType::Unknown => {
                    handle::kind(&handle::stat_entry(&open, &entry).map_err(failed)?)
                }
                known => known,
            };
            match kind {
                FileType::RegularFile => {}
                FileType::Directory if depth < DEEPEST => todo.push((path.join(&entry), depth + 1)),
                _ => {
                    return Err(RepositoryError::Elsewhere {
                        path: shown.join(&path).join(&entry),
                        why: "is a link or something else that git does not make",
                    });
                }
            }
        }
    }
    Ok(())
}

/// A small regular file; `None` when there is none.
fn read_small(path: &Path) -> Result<Option<String>, RepositoryError> {
    let failed = |source: io::Error| RepositoryError::Io {
        path: path.to_path_buf(),
        source,
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match openat(CWD, path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => {
            return Err(RepositoryError::Elsewhere {
                path: path.to_path_buf(),
                why: "is a link",
            });
        }
        Err(e) => return Err(failed(e.into())),
    };
    if handle::kind(&handle::stat(&fd).map_err(failed)?) != FileType::RegularFile {
        return Err(RepositoryError::Elsewhere {
            path: path.to_path_buf(),
            why: "is not a regular file",
        });
    }
    let mut bytes = Vec::new();
    File::from(fd)
        .take(SMALL)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    // Paths that are no text are none that we can be pointed to.
    Ok(Some(
        OsStr::from_bytes(&bytes).to_string_lossy().into_owned(),
    ))
}
