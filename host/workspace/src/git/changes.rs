//! What an attempt changed in its worktree: found by walking it, made into a commit, shown as a patch.
//!
//! The walk opens everything beneath the tree's handle and follows nothing; git gets names and bytes through a pipe
//! and never sees the directory. What a guest made of `.git`, `.gitattributes` or links there decides nothing.

use super::{
    checkout::{Base, has_dir},
    dirs::GitDirs,
    run::{Git, GitError, good},
};
use crate::{
    error::FinishError,
    handle,
    roots::{STATE_NAME, is_git_name},
    settings::Quota,
    tree::{SkipReason, Skips, Stamp, stays},
};
use rustix::fs::{FileType, readlinkat};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufWriter, Read, Write},
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    process::ChildStdin,
};

/// What changed, for people.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changed {
    /// The first thousand changed files, by path.
    pub files: Vec<ChangedFile>,
    /// All of them.
    pub count: u64,
    /// Lines added, in files that are text.
    pub insertions: u64,
    /// Lines removed, in files that are text.
    pub deletions: u64,
}

/// One changed file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedFile {
    /// Path in the repository.
    pub path: String,
    /// What happened to it.
    pub change: FileChange,
}

/// What happened to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileChange {
    /// New.
    Added,
    /// Other content, or other permissions.
    Changed,
    /// Gone.
    Removed,
}

/// The changes as objects in the attempt's own git directory.
pub(crate) struct Caught {
    pub(crate) commit: String,
    pub(crate) patch: Vec<u8>,
    pub(crate) changed: Changed,
}

/// How many changed files are named.
const NAMED: usize = 1000;

/// What stands at a path now.
enum Now {
    File { executable: bool },
    Link(PathBuf),
}

struct Walk<'a> {
    tree: &'a OwnedFd,
    base: &'a Base,
    handed_over: (i64, i64),
    skips: &'a mut Skips,
    found: BTreeSet<PathBuf>,
    /// Maybe other than in the base: what git finds to be equal is no change.
    touched: BTreeMap<PathBuf, Now>,
    seen: u64,
    quota: Quota,
}

/// Everything that one call needs.
pub(crate) struct Catch<'a> {
    pub(crate) git: &'a Git,
    pub(crate) dirs: &'a GitDirs,
    pub(crate) base: &'a Base,
    pub(crate) tree: &'a OwnedFd,
    /// A directory of ours for `.gitignore` files: handle and absolute path.
    pub(crate) ignore: (&'a OwnedFd, &'a Path),
    pub(crate) handed_over: (i64, i64),
    pub(crate) quota: Quota,
    pub(crate) ident: &'a str,
    pub(crate) message: &'a str,
}

/// Finds the changes; `None` when there are none.
pub(crate) fn catch(parts: &Catch<'_>, skips: &mut Skips) -> Result<Option<Caught>, FinishError> {
    let mut walk = Walk {
        tree: parts.tree,
        base: parts.base,
        handed_over: parts.handed_over,
        skips,
        found: BTreeSet::new(),
        touched: BTreeMap::new(),
        seen: 0,
        quota: parts.quota,
    };
    walk.run()?;
    let (found, mut touched) = (walk.found, walk.touched);
    super::ignore::leave_out(parts, &mut touched)?;
    let gone: Vec<&PathBuf> = parts
        .base
        .files
        .iter()
        .filter(|(path, file)| file.stamp.is_some() && !found.contains(*path))
        .map(|(path, _)| path)
        .collect();
    if touched.is_empty() && gone.is_empty() {
        return Ok(None);
    }
    let commit = import(parts, &gone, &touched)?;
    let changed = summary(parts, &commit).map_err(FinishError::Git)?;
    if changed.count == 0 {
        return Ok(None);
    }
    let patch = patch(parts, &commit)?;
    Ok(Some(Caught {
        commit,
        patch,
        changed,
    }))
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), FinishError> {
        let mut todo: VecDeque<PathBuf> = self.base.roots.iter().cloned().collect();
        while let Some(path) = todo.pop_front() {
            let dir = match handle::open_dir(self.tree, &path) {
                Ok(dir) => dir,
                // A root that was removed: everything in it is gone.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(FinishError::Read { path, source }),
            };
            let failed = |source| FinishError::Read {
                path: path.clone(),
                source,
            };
            for entry in handle::entries(&dir).map_err(failed)? {
                let (name, _) = entry.map_err(failed)?;
                self.seen = self.seen.saturating_add(1);
                if self.seen > self.quota.max_files {
                    return Err(FinishError::Quota {
                        what: "files",
                        limit: self.quota.max_files,
                    });
                }
                if let Some(sub) = self.entry(&dir, path.join(&name), &name)? {
                    todo.push_back(sub);
                }
            }
        }
        Ok(())
    }

    /// Looks at one entry; gives a directory back to be done later.
    fn entry(
        &mut self,
        dir: &OwnedFd,
        path: PathBuf,
        name: &OsStr,
    ) -> Result<Option<PathBuf>, FinishError> {
        let failed = |source| FinishError::Read {
            path: path.clone(),
            source,
        };
        let stat = handle::stat_entry(dir, name).map_err(failed)?;
        let known = self.base.files.get(&path);
        if name == STATE_NAME {
            self.skips.add(&path, SkipReason::State);
            return Ok(None);
        }
        // On Windows a backslash separates directories; git refuses such names everywhere.
        let new = || known.is_none() && !has_dir(self.base, &path);
        if is_git_name(name) || (name.as_bytes().contains(&b'\\') && new()) {
            self.skips.add(&path, SkipReason::GitRefuses);
            return Ok(None);
        }
        let untouched = known
            .and_then(|file| file.stamp)
            .is_some_and(|s| s == Stamp::of(&stat) && s.settled(self.handed_over));
        match handle::kind(&stat) {
            FileType::Directory if known.is_some_and(|k| k.mode == "160000") => {
                let mut inside = handle::open_dir(dir, Path::new(name))
                    .and_then(handle::entries)
                    .map_err(failed)?;
                if inside.next().is_some() {
                    self.skips.add(&path, SkipReason::Submodule);
                }
                return Ok(None);
            }
            FileType::Directory => return Ok(Some(path)),
            FileType::RegularFile if untouched => {}
            FileType::RegularFile => {
                let executable = stat.st_mode & 0o100 != 0;
                self.touched.insert(path.clone(), Now::File { executable });
            }
            FileType::Symlink if untouched => {}
            FileType::Symlink => {
                let target = readlinkat(dir, name, Vec::new()).map_err(|e| failed(e.into()))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                let depth = path.components().count().saturating_sub(1);
                if stays(&target, depth) {
                    self.touched.insert(path.clone(), Now::Link(target));
                } else {
                    self.skips.add(&path, SkipReason::LinkLeaves);
                }
            }
            _ => {
                self.skips.add(&path, SkipReason::NotAFile);
                return Ok(None);
            }
        }
        self.found.insert(path);
        Ok(None)
    }
}

/// Where the new commit is kept in the attempt's own git directory.
const RESULT: &str = "refs/heads/result";

fn import(
    parts: &Catch<'_>,
    gone: &[&PathBuf],
    touched: &BTreeMap<PathBuf, Now>,
) -> Result<String, FinishError> {
    let mut failure = None;
    let feed = |to: ChildStdin| -> io::Result<()> {
        let mut to = BufWriter::with_capacity(1 << 16, to);
        match stream(parts, gone, touched, &mut to) {
            Ok(()) => to.flush(),
            Err(Stop::Pipe(e)) => Err(e),
            Err(Stop::Finish(e)) => {
                failure = Some(e);
                // Without `done` git keeps nothing.
                Ok(())
            }
        }
    };
    let args = [
        "fast-import",
        "--quiet",
        "--done",
        "--force",
        "--date-format=now",
    ];
    let ended = parts
        .git
        .pipe(&parts.dirs.own, &args, &[], Some(feed), |from| {
            io::copy(from, &mut io::sink())
        });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let _printed = ended
        .and_then(|e| good("fast-import", e))
        .map_err(FinishError::Git)?;
    let args = ["rev-parse", "--verify", RESULT];
    let name = parts.git.text(&parts.dirs.own, &args, None, &[]);
    Ok(line(&name.map_err(FinishError::Git)?))
}

pub(super) fn line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().to_owned()
}

enum Stop {
    Pipe(io::Error),
    Finish(FinishError),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Pipe(e)
    }
}

fn stream(
    parts: &Catch<'_>,
    gone: &[&PathBuf],
    touched: &BTreeMap<PathBuf, Now>,
    to: &mut impl Write,
) -> Result<(), Stop> {
    writeln!(to, "commit {RESULT}")?;
    writeln!(to, "committer {} now", parts.ident)?;
    data(to, format!("{}\n", parts.message).as_bytes())?;
    writeln!(to, "from {}", parts.base.commit)?;
    for path in gone {
        to.write_all(b"D ")?;
        to.write_all(&quoted(path))?;
        to.write_all(b"\n")?;
    }
    let mut room = parts.quota.max_bytes;
    for (path, now) in touched {
        let mode = match now {
            Now::File { executable: false } => "100644",
            Now::File { executable: true } => "100755",
            Now::Link(_) => "120000",
        };
        write!(to, "M {mode} inline ")?;
        to.write_all(&quoted(path))?;
        to.write_all(b"\n")?;
        match now {
            Now::Link(target) => data(to, target.as_os_str().as_bytes())?,
            Now::File { .. } => file(parts, path, &mut room, to)?,
        }
    }
    to.write_all(b"done\n")?;
    Ok(())
}

fn data(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    writeln!(to, "data {}", bytes.len())?;
    to.write_all(bytes)?;
    to.write_all(b"\n")
}

fn file(parts: &Catch<'_>, path: &Path, room: &mut u64, to: &mut impl Write) -> Result<(), Stop> {
    let failed = |source| {
        Stop::Finish(FinishError::Read {
            path: path.to_path_buf(),
            source,
        })
    };
    let fd = handle::open_file(parts.tree, path).map_err(failed)?;
    let stat = handle::stat(&fd).map_err(failed)?;
    if handle::kind(&stat) != FileType::RegularFile {
        return Err(failed(io::Error::other("it is no file any more")));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    *room = room.checked_sub(size).ok_or({
        Stop::Finish(FinishError::Quota {
            what: "bytes",
            limit: parts.quota.max_bytes,
        })
    })?;
    writeln!(to, "data {size}")?;
    let sent = io::copy(&mut File::from(fd).take(size), to)?;
    if sent != size {
        return Err(failed(io::Error::other("it changed while it was read")));
    }
    to.write_all(b"\n")?;
    Ok(())
}

/// A path as `fast-import` reads it, always in quotes.
fn quoted(path: &Path) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            0..0x20 | 0x7f => text.extend(format!("\\{byte:03o}").into_bytes()),
            _ => text.push(*byte),
        }
    }
    text.push(b'"');
    text
}

fn attributes(dirs: &GitDirs) -> [(&'static str, OsString); 1] {
    [("GIT_ATTR_SOURCE", dirs.empty_tree().into())]
}

/// Reads `:100644 100644 <object> <object> M\0<path>\0` and then `3\t1\t<path>\0`.
fn summary(parts: &Catch<'_>, commit: &str) -> Result<Changed, GitError> {
    let args = [
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--numstat",
        "--no-renames",
        "--no-ext-diff",
        &parts.base.commit,
        commit,
    ];
    let text = parts
        .git
        .text(&parts.dirs.own, &args, None, &attributes(parts.dirs))?;
    let mut changed = Changed::default();
    let mut fields = text.split(|b| *b == 0);
    while let Some(field) = fields.next() {
        if field.first() == Some(&b':') {
            let path = fields.next().unwrap_or_default();
            changed.count = changed.count.saturating_add(1);
            let change = match field.last() {
                Some(b'A') => FileChange::Added,
                Some(b'D') => FileChange::Removed,
                _ => FileChange::Changed,
            };
            if changed.files.len() < NAMED {
                changed.files.push(ChangedFile {
                    path: String::from_utf8_lossy(path).into_owned(),
                    change,
                });
            }
        } else {
            let mut columns = field.split(|b| *b == b'\t').map(|c| {
                // `-` for a file that is not text.
                std::str::from_utf8(c)
                    .ok()
                    .and_then(|n| n.parse::<u64>().ok())
            });
            let (more, less) = (columns.next().flatten(), columns.next().flatten());
            changed.insertions = changed.insertions.saturating_add(more.unwrap_or(0));
            changed.deletions = changed.deletions.saturating_add(less.unwrap_or(0));
        }
    }
    Ok(changed)
}

fn patch(parts: &Catch<'_>, commit: &str) -> Result<Vec<u8>, FinishError> {
    let limit = parts.quota.max_patch;
    let args = [
        "diff-tree",
        "-r",
        "-p",
        "--binary",
        "--full-index",
        "--no-renames",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        &parts.base.commit,
        commit,
    ];
    let no_input = None::<fn(ChildStdin) -> io::Result<()>>;
    let env = attributes(parts.dirs);
    let ended = parts
        .git
        .pipe(&parts.dirs.own, &args, &env, no_input, |from| {
            let mut text = Vec::new();
            let read = from
                .by_ref()
                .take(limit.saturating_add(1))
                .read_to_end(&mut text);
            read.map(|_| text)
        })
        .map_err(FinishError::Git)?;
    if ended
        .value
        .as_ref()
        .is_ok_and(|text| text.len() as u64 > limit)
    {
        return Err(FinishError::Quota {
            what: "bytes of patch",
            limit,
        });
    }
    let text = good("diff-tree", ended).map_err(FinishError::Git)?;
    text.map_err(|source| {
        FinishError::Git(GitError::Run {
            what: "diff-tree".into(),
            source,
        })
    })
}

/// The paths that are new, so that rules of what to ignore count for them.
pub(super) fn new_paths<'a, T>(base: &'a Base, touched: &'a BTreeMap<PathBuf, T>) -> Vec<&'a Path> {
    touched
        .keys()
        .filter(|path| !base.files.contains_key(*path))
        .map(PathBuf::as_path)
        .collect()
}
