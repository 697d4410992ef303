//! Giving a workspace back. Every directory is opened by its parent's handle without following a link, and is then
//! asked who it is; nothing is used before that, and nothing that the attempt sees is changed or removed when it is
//! refused.

use super::{
    base, boot, has_tree,
    record::{BASE, Commit, Place, Record, State, read_own},
};
use crate::{
    error::{KeptError, PrepareError},
    git::{Base, GitDirs, Repository, RepositoryError},
    handle,
    key::AttemptKey,
    prepared::{Home, Own, Prepared, Root, Worktree, lock},
    remove::remove,
    roots::relative,
    tree::{SkipReason, Skipped, Skips},
    workspaces::{Shared, dirs_failed, no, outermost, root},
};
use rustix::fs::{FileType, Stat};
use sandgate_model::{Digest, FileGrant, FileMode, Workspace};
use std::{
    ffi::OsStr,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Permissions of a directory that only we use.
const PRIVATE: u32 = 0o700;

/// How long the lock is waited for: a process that a dead host was just starting has it until it is another program,
/// which takes milliseconds, and more where the machine is busy.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// What the list of a worktree's files may have in bytes: far more than it has under any cap that is set.
const LARGEST_BASE: u64 = 4 << 30;

/// As [`crate::Workspaces::reopen`].
pub(crate) fn reopen(
    shared: &Arc<Shared>,
    key: &AttemptKey,
    kind: Workspace,
    grants: &[FileGrant],
) -> Result<Option<Prepared>, PrepareError> {
    let kept = |source| PrepareError::Kept {
        key: key.clone(),
        source,
    };
    let Some(fd) = take(shared, key).map_err(kept)? else {
        return Ok(None);
    };
    let Some(record) = Record::read(&fd).map_err(kept)? else {
        // Of an attempt that was not kept: it died with its host.
        Home::discard(shared, key).map_err(|e| PrepareError::Io {
            action: "remove what a dead attempt left",
            source: io::Error::other(e),
        })?;
        return Ok(None);
    };
    let path = shared.place_path.join(key.as_str());
    let again = Again {
        shared,
        key,
        device: handle::stat(&shared.place)
            .map_err(look)
            .map_err(kept)?
            .st_dev,
        own: Own { fd, path },
        record,
    };
    let mut prepared = again.prepared(kind, grants)?;
    // Before anybody writes: from now on the directories are not as they were flushed.
    if let Err(e) = prepared.save(State::InUse, prepared.scratch.get()) {
        prepared.home.release();
        return Err(kept(KeptError::Io {
            action: "write the record",
            source: io::Error::other(e),
        }));
    }
    Ok(Some(prepared))
}

/// The attempt's directory when there is one: ours, and from now on for us alone.
fn take(shared: &Shared, key: &AttemptKey) -> Result<Option<OwnedFd>, KeptError> {
    const WHAT: &str = "its directory";
    let name = Path::new(key.as_str());
    let fd = match handle::open_dir(&shared.place, name) {
        Ok(fd) => fd,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(not_opened(WHAT, e)),
    };
    take_lock(&fd)?;
    let stat = handle::stat(&fd).map_err(look)?;
    let place = handle::stat(&shared.place).map_err(look)?;
    ours(WHAT, &stat, place.st_dev)?;
    if stat.st_mode & 0o7777 != PRIVATE {
        return Err(changed(WHAT, "is open to others"));
    }
    // Who removes it gives it another name first, and holds the lock meanwhile.
    match handle::stat_entry(&shared.place, OsStr::new(key.as_str())) {
        Ok(found) if handle::identity(&found) == handle::identity(&stat) => Ok(Some(fd)),
        _ => Err(KeptError::InUse),
    }
}

fn take_lock(own: &OwnedFd) -> Result<(), KeptError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match lock(own) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {
                thread::sleep(PAUSE);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(KeptError::InUse),
            Err(source) => {
                return Err(KeptError::Io {
                    action: "lock the attempt's directory",
                    source,
                });
            }
        }
    }
}

fn look(source: io::Error) -> KeptError {
    KeptError::Io {
        action: "look at the attempt's directory",
        source,
    }
}

fn changed(what: &str, why: &str) -> KeptError {
    KeptError::Changed {
        what: what.into(),
        why: why.into(),
    }
}

fn damaged(why: &str) -> KeptError {
    KeptError::Damaged { why: why.into() }
}

fn not_opened(what: &str, error: io::Error) -> KeptError {
    match error.kind() {
        io::ErrorKind::NotFound => changed(what, "is gone"),
        io::ErrorKind::NotADirectory => changed(what, "is a link or no directory"),
        _ if handle::is_link(&error) => changed(what, "is a link or lies behind one"),
        _ => KeptError::Io {
            action: "open a directory of the attempt",
            source: error,
        },
    }
}

fn ours(what: &str, stat: &Stat, device: u64) -> Result<(), KeptError> {
    if handle::kind(stat) != FileType::Directory {
        return Err(changed(what, "is no directory"));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(changed(what, "belongs to another user"));
    }
    if stat.st_dev != device {
        return Err(changed(what, "lies on another file system"));
    }
    Ok(())
}

/// What was made, in words.
fn words(kind: Workspace, grants: &[FileGrant]) -> String {
    let grants: Vec<String> = grants
        .iter()
        .map(|g| {
            let mode = match g.mode {
                FileMode::Read => "read",
                FileMode::Write => "write",
            };
            format!("{} as {} ({mode})", g.host, g.guest)
        })
        .collect();
    let grants = if grants.is_empty() {
        "nothing".into()
    } else {
        grants.join(", ")
    };
    format!("as workspace `{}` with {grants}", kind.as_str())
}

/// A record, and the directory that it was found in.
struct Again<'a> {
    shared: &'a Arc<Shared>,
    key: &'a AttemptKey,
    device: u64,
    own: Own,
    record: Record,
}

impl Again<'_> {
    fn prepared(self, kind: Workspace, grants: &[FileGrant]) -> Result<Prepared, PrepareError> {
        let key = self.key.clone();
        let kept = |source| PrepareError::Kept {
            key: key.clone(),
            source,
        };
        self.asked(kind, grants).map_err(kept)?;
        let skips = self.skips().map_err(kept)?;
        let scratch = self.scratch().map_err(kept)?;
        let mut roots = Vec::new();
        let mut worktree = None;
        match kind {
            Workspace::None => {}
            Workspace::Shared => {
                for grant in grants {
                    roots.push(self.shared.share(grant)?);
                }
            }
            Workspace::Clone if self.record.tree.is_none() => {}
            Workspace::Clone => {
                let tree = self.tree().map_err(kept)?;
                roots = self.roots(&tree, Path::new(""), grants)?;
            }
            Workspace::Worktree => {
                let repository = Repository::find(&self.shared.project_path)
                    .map_err(PrepareError::Repository)?;
                let tree = self.tree().map_err(kept)?;
                roots = self.roots(&tree, &repository.prefix, grants)?;
                worktree = Some(self.worktree(repository, tree, grants)?);
            }
        }
        let base = self.record.worktree.as_ref().map(|w| w.base);
        let interrupted = self.record.state == State::InUse;
        let home = Home::again(self.shared.clone(), self.key.clone(), self.own);
        let mut prepared = Prepared::empty(kind, grants.to_vec(), home);
        let _ = prepared.kept.set(base);
        if let Some(scratch) = scratch {
            let _ = prepared.scratch.set(scratch);
        }
        prepared.interrupted = interrupted;
        prepared.roots = roots;
        prepared.worktree = worktree;
        prepared.skips = skips;
        Ok(prepared)
    }

    /// It is this attempt's, asked for as it was made, and whole.
    fn asked(&self, kind: Workspace, grants: &[FileGrant]) -> Result<(), KeptError> {
        let record = &self.record;
        if record.key != self.key.as_str() {
            return Err(damaged("it is another attempt's"));
        }
        if record.kind != kind || record.grants != grants {
            return Err(KeptError::Asked {
                was: words(record.kind, &record.grants),
                asked: words(kind, grants),
            });
        }
        let with_tree = has_tree(kind, grants);
        let consistent = record.tree.is_some() == with_tree
            && record.roots.len() == if with_tree { grants.len() } else { 0 }
            && record.worktree.is_some() == (kind == Workspace::Worktree);
        if !consistent {
            return Err(damaged("it does not say what such a workspace has"));
        }
        let home = handle::stat(&self.own.fd).map_err(look)?;
        if home.st_ino != record.home.ino {
            return Err(changed("its directory", "is another one"));
        }
        let has_files = record.tree.is_some() || record.scratch.is_some();
        if record.state == State::InUse && has_files && record.boot != boot().map_err(look)? {
            return Err(KeptError::Unsynced);
        }
        Ok(())
    }

    fn same(&self, what: &str, fd: &OwnedFd, expected: Place) -> Result<(), KeptError> {
        let stat = handle::stat(fd).map_err(look)?;
        ours(what, &stat, self.device)?;
        if stat.st_ino != expected.ino {
            return Err(changed(what, "is another directory"));
        }
        // While it was in use, the attempt's commands could change them: they are its own.
        if self.record.state == State::Parked && stat.st_mode & 0o7777 != expected.mode {
            return Err(changed(what, "has other permissions than it was left with"));
        }
        Ok(())
    }

    fn dir(&self, name: &str, expected: Place) -> Result<OwnedFd, KeptError> {
        let what = format!("its directory `{name}`");
        let fd =
            handle::open_dir(&self.own.fd, Path::new(name)).map_err(|e| not_opened(&what, e))?;
        self.same(&what, &fd, expected)?;
        Ok(fd)
    }

    fn tree(&self) -> Result<OwnedFd, KeptError> {
        let expected = self.record.tree;
        self.dir("tree", expected.ok_or_else(|| damaged("it has no tree"))?)
    }

    fn scratch(&self) -> Result<Option<Root>, KeptError> {
        let Some(expected) = self.record.scratch else {
            // Made, and not noted before the host died: nobody had it yet.
            remove(&self.own.fd, OsStr::new("scratch")).map_err(|e| look(io::Error::other(e)))?;
            return Ok(None);
        };
        let fd = self.dir("scratch", expected)?;
        let grant = FileGrant {
            host: String::new(),
            guest: String::new(),
            mode: FileMode::Write,
        };
        Ok(Some(root(fd, self.own.path.join("scratch"), &grant)))
    }

    fn skips(&self) -> Result<Skips, KeptError> {
        let left = self.record.skipped.iter().map(|left| {
            let why = SkipReason::of_word(&left.why)
                .ok_or_else(|| damaged("it leaves something out for no known reason"))?;
            Ok(Skipped {
                path: left.path.clone(),
                why,
            })
        });
        Ok(Skips::again(
            left.collect::<Result<_, _>>()?,
            self.record.skipped_count,
        ))
    }

    fn roots(
        &self,
        tree: &OwnedFd,
        prefix: &Path,
        grants: &[FileGrant],
    ) -> Result<Vec<Root>, PrepareError> {
        let mut roots = Vec::new();
        for (grant, expected) in grants.iter().zip(&self.record.roots) {
            let inner = prefix.join(relative(&grant.host).map_err(no(&grant.host))?);
            let what = format!("the granted directory `{}`", grant.host);
            let opened = handle::open_dir(tree, &inner).map_err(|e| not_opened(&what, e));
            let checked = opened.and_then(|fd| self.same(&what, &fd, *expected).map(|()| fd));
            let fd = checked.map_err(|source| self.kept(source))?;
            let path = self.own.path.join("tree").join(inner);
            roots.push(root(fd, path, grant));
        }
        Ok(roots)
    }

    fn kept(&self, source: KeptError) -> PrepareError {
        PrepareError::Kept {
            key: self.key.clone(),
            source,
        }
    }

    fn worktree(
        &self,
        repository: Repository,
        tree: OwnedFd,
        grants: &[FileGrant],
    ) -> Result<Worktree, PrepareError> {
        let recorded = self.record.worktree.as_ref();
        let Commit {
            commit,
            handed_over,
            base,
        } = recorded.ok_or_else(|| self.kept(damaged("it has no commit")))?;
        if commit.is_empty() || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.kept(damaged("its commit is no commit's name")));
        }
        let base = self.base(commit, *base).map_err(|e| self.kept(e))?;
        let mut paths: Vec<PathBuf> = Vec::new();
        for grant in grants {
            let path = relative(&grant.host).map_err(no(&grant.host))?;
            paths.push(repository.prefix.join(path));
        }
        if outermost(paths) != base.roots {
            let why = "lies elsewhere in its repository than before";
            return Err(self.kept(changed("the project", why)));
        }
        // Made anew: what was in it can be made again from the tree, and the repository may have moved.
        remove(&self.own.fd, OsStr::new("git")).map_err(|e| PrepareError::Io {
            action: "remove the worktree's old git directory",
            source: io::Error::other(e),
        })?;
        let (git_home, git_path) = self.own.dir("git")?;
        let dirs = GitDirs::make(&self.shared.git, &repository, &git_home, &git_path)
            .map_err(dirs_failed)?;
        match self.shared.commit(&dirs, commit) {
            Ok(found) if found == *commit => {}
            Ok(_) | Err(PrepareError::Repository(RepositoryError::NoCommit)) => {
                return Err(self.kept(KeptError::NoCommit {
                    commit: commit.clone(),
                }));
            }
            Err(e) => return Err(e),
        }
        Ok(Worktree {
            repository,
            dirs,
            base,
            tree,
            handed_over: *handed_over,
        })
    }

    fn base(&self, commit: &str, digest: Digest) -> Result<Base, KeptError> {
        let text = read_own(&self.own.fd, BASE, LARGEST_BASE)?
            .ok_or_else(|| changed("the list of its files", "is gone"))?;
        if Digest::of(&text) != digest {
            return Err(damaged(
                "the list of its files is not the one it was made with",
            ));
        }
        base::read(&text, commit.to_owned())
            .ok_or_else(|| damaged("the list of its files cannot be read"))
    }
}
