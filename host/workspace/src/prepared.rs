//! The workspace of one attempt, while the attempt lives.

use crate::{
    error::{FinishError, PrepareError, RemoveError},
    git::{Base, Catch, Changed, GitDirs, Merge, MergeError, Merged, Repository, catch, merge},
    handle,
    key::AttemptKey,
    remove::remove,
    tree::{Skipped, Skips},
    workspaces::Shared,
};
use cap_std::fs::Dir;
use rustix::{
    fs::{FlockOperation, Mode, fchmod, flock, mkdirat, renameat},
    io::Errno,
};
use sandgate_model::{Digest, FileGrant, FileMode, RunId, Workspace};
use std::{
    ffi::OsStr,
    fmt,
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// A directory that the attempt has.
#[derive(Clone, Debug)]
pub struct Root {
    /// Its handle: what is used, whatever becomes of the path.
    pub dir: Arc<Dir>,
    /// Where it was when it was opened: absolute, without links. For showing, and for commands, which know paths.
    pub path: PathBuf,
    /// Under which name the guest sees it; empty when it does not.
    pub guest: String,
    /// Read or write.
    pub mode: FileMode,
}

/// Into which run's branch changes go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MergeInto {
    /// The run; its branch is `sandgate/run-<id>`.
    pub run: RunId,
    /// First line of the commit's message: what made the changes.
    pub title: String,
}

/// What an attempt left.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    /// The changes of a worktree, as `git apply` reads them; `None` when nothing changed, or it is no worktree.
    pub patch: Option<Vec<u8>>,
    /// The same for people.
    pub changed: Changed,
    /// The run's branch, when the changes went there.
    pub merged: Option<Merged>,
    /// What was not kept: the first thousand.
    pub skipped: Vec<Skipped>,
}

/// The workspace of one attempt. Dropping it removes what was made for it, which may take a moment; an attempt that
/// will be made again needs [`Prepared::park`] instead.
pub struct Prepared {
    pub(crate) kind: Workspace,
    pub(crate) grants: Vec<FileGrant>,
    pub(crate) roots: Vec<Root>,
    pub(crate) skips: Skips,
    pub(crate) worktree: Option<Worktree>,
    pub(crate) scratch: OnceLock<Root>,
    /// Set when there is a record by which it can be reopened; with the digest of a worktree's list of files.
    pub(crate) kept: OnceLock<Option<Digest>>,
    /// It was in use when its host died.
    pub(crate) interrupted: bool,
    /// It was finished.
    pub(crate) over: bool,
    pub(crate) home: Home,
}

/// What a worktree is besides its directories.
pub(crate) struct Worktree {
    pub(crate) repository: Repository,
    pub(crate) dirs: GitDirs,
    pub(crate) base: Base,
    pub(crate) tree: OwnedFd,
    /// When the attempt got it.
    pub(crate) handed_over: (i64, i64),
}

impl Prepared {
    pub(crate) fn empty(kind: Workspace, grants: Vec<FileGrant>, home: Home) -> Self {
        Self {
            kind,
            grants,
            roots: Vec::new(),
            skips: Skips::default(),
            worktree: None,
            scratch: OnceLock::new(),
            kept: OnceLock::new(),
            interrupted: false,
            over: false,
            home,
        }
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Workspace {
        self.kind
    }

    /// The granted directories, in the order of the grants.
    #[must_use]
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// What a copy or a worktree was made without: the first thousand.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        self.skips.named()
    }

    /// How much that is in all.
    #[must_use]
    pub fn skipped_count(&self) -> u64 {
        self.skips.count()
    }

    /// The commit that a worktree is made from.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        self.worktree.as_ref().map(|w| w.base.commit.as_str())
    }

    /// Whether it was reopened after its host died while it was in use: its files may be ahead of what was recorded of
    /// the attempt last. False for one that was parked since, and for a fresh one.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// Where a command starts when its rule names no directory: the only granted one, otherwise [`Self::scratch`].
    ///
    /// # Errors
    /// As [`Self::scratch`].
    pub fn cwd(&self) -> Result<&Root, PrepareError> {
        match self.roots.as_slice() {
            [only] => Ok(only),
            _ => self.scratch(),
        }
    }

    /// An empty directory of the attempt's own, outside of all roots: for a command's home and temporary files. Made
    /// when it is first asked for.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn scratch(&self) -> Result<&Root, PrepareError> {
        if self.scratch.get().is_none() {
            let _alone = self.home.making.lock();
            if self.scratch.get().is_none() {
                let (fd, path) = self.home.own()?.dir("scratch")?;
                let made = Root {
                    dir: Arc::new(Dir::from_std_file(File::from(fd))),
                    path,
                    guest: String::new(),
                    mode: FileMode::Write,
                };
                // Before anybody has it, so that what is in it is never lost sight of.
                self.note(&made)?;
                let _ = self.scratch.set(made);
            }
        }
        self.scratch.get().ok_or_else(|| PrepareError::Io {
            action: "make a directory",
            source: std::io::ErrorKind::NotFound.into(),
        })
    }

    /// Takes the changes of a worktree, merges them into the run's branch when that is asked for, and removes the
    /// workspace. The attempt must be over: nothing may write into it any more. After an error it is still there,
    /// and can be finished again, say without merging.
    ///
    /// # Errors
    /// The changes cannot be read or are over a cap, they conflict, or git cannot do its part. The run's branch is
    /// then as it was. [`FinishError::Remove`] alone means that everything else was done.
    pub fn finish(&mut self, into: Option<&MergeInto>) -> Result<Finished, FinishError> {
        let finished = self.take_changes(into)?;
        self.roots.clear();
        self.worktree = None;
        self.scratch.take();
        self.over = true;
        self.home.remove().map_err(FinishError::Remove)?;
        Ok(finished)
    }

    /// As [`Self::finish`], but leaves the workspace where it is, to be dropped when the end of the attempt is
    /// recorded. For one that is kept: had it been removed before, a crash between the two would leave an attempt that
    /// cannot be resumed. Done again after such a crash, it gives the same patch, and merges what is merged already,
    /// which changes no file.
    ///
    /// # Errors
    /// As [`Self::finish`], but for [`FinishError::Remove`].
    pub fn take_changes(&mut self, into: Option<&MergeInto>) -> Result<Finished, FinishError> {
        let mut finished = Finished::default();
        if let Some(worktree) = &self.worktree {
            let mut skips = Skips::default();
            finished = worktree.finish(&self.home, into, &mut skips)?;
            finished.skipped = skips.named().to_vec();
        }
        Ok(finished)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("kind", &self.kind)
            .field("roots", &self.roots)
            .field("base", &self.base())
            .finish_non_exhaustive()
    }
}

/// A title as one line, no longer than a line.
fn title(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect();
    let line = line.trim();
    if line.is_empty() {
        "Changes of an attempt".into()
    } else {
        line.into()
    }
}

impl Worktree {
    fn finish(
        &self,
        home: &Home,
        into: Option<&MergeInto>,
        skips: &mut Skips,
    ) -> Result<Finished, FinishError> {
        let shared = &home.shared;
        let message = title(into.map_or("", |m| &m.title));
        let own = home.own().map_err(|e| FinishError::Io {
            action: "find the attempt's directory",
            source: std::io::Error::other(e),
        })?;
        // Tried again after an error, the rules may be there already.
        remove(&own.fd, OsStr::new("ignore")).map_err(FinishError::Remove)?;
        let (rules, rules_path) = own.dir("ignore").map_err(|e| FinishError::Io {
            action: "make a directory",
            source: std::io::Error::other(e),
        })?;
        let ident = shared.settings.author.ident();
        let caught = catch(
            &Catch {
                git: &shared.git,
                dirs: &self.dirs,
                base: &self.base,
                tree: &self.tree,
                ignore: (&rules, &rules_path),
                handed_over: self.handed_over,
                quota: shared.settings.quota,
                ident: &ident,
                message: &message,
            },
            skips,
        )?;
        let Some(caught) = caught else {
            return Ok(Finished::default());
        };
        let merged = match into {
            None => None,
            Some(into) => Some(self.merge(home, into, &caught.commit, &message)?),
        };
        Ok(Finished {
            patch: Some(caught.patch),
            changed: caught.changed,
            merged,
            skipped: Vec::new(),
        })
    }

    fn merge(
        &self,
        home: &Home,
        into: &MergeInto,
        commit: &str,
        message: &str,
    ) -> Result<Merged, FinishError> {
        let shared = &home.shared;
        let branch = format!("sandgate/run-{}", into.run);
        // A merge that panicked left nothing half done: the branch moves in one step.
        let _turn = shared.merging.lock().unwrap_or_else(|e| e.into_inner());
        merge(&Merge {
            git: &shared.git,
            dirs: &self.dirs,
            repository: &self.repository,
            author: &shared.settings.author,
            base: &self.base.commit,
            commit,
            branch: &branch,
            message,
        })
        .map_err(|e| match e {
            MergeError::Conflict(files) => FinishError::Conflict { branch, files },
            MergeError::CheckedOut => FinishError::CheckedOut { branch },
            MergeError::Moving(tries) => FinishError::Moving { branch, tries },
            MergeError::Git(e) => FinishError::Git(e),
        })
    }
}

/// The attempt's directory in the place for workspaces, made when it is first needed.
pub(crate) struct Home {
    pub(crate) shared: Arc<Shared>,
    key: AttemptKey,
    own: OnceLock<Own>,
    pub(crate) making: std::sync::Mutex<()>,
}

/// The attempt's directory: handle and absolute path.
pub(crate) struct Own {
    pub(crate) fd: OwnedFd,
    pub(crate) path: PathBuf,
}

impl Home {
    pub(crate) fn new(shared: Arc<Shared>, key: AttemptKey) -> Self {
        Self {
            shared,
            key,
            own: OnceLock::new(),
            making: std::sync::Mutex::new(()),
        }
    }

    /// One that was found again.
    pub(crate) fn again(shared: Arc<Shared>, key: AttemptKey, own: Own) -> Self {
        let mut home = Self::new(shared, key);
        home.own = OnceLock::from(own);
        home
    }

    pub(crate) fn key(&self) -> &AttemptKey {
        &self.key
    }

    /// Forgets it, and removes nothing.
    pub(crate) fn release(&mut self) {
        if let Some(own) = self.own.take() {
            // Closing it would not do: a process that is being started at this moment still has it until it is another
            // program. When this fails, that moment is all that is lost.
            let _ = flock(&own.fd, FlockOperation::Unlock);
        }
    }

    pub(crate) fn own(&self) -> Result<&Own, PrepareError> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let name = self.key.as_str();
        let failed = |source| PrepareError::Io {
            action: "make a directory",
            source,
        };
        match mkdirat(&self.shared.place, name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(PrepareError::Exists(self.key.clone())),
            Err(e) => return Err(failed(e.into())),
        }
        let fd = handle::open_dir(&self.shared.place, Path::new(name)).map_err(failed)?;
        // The process may be set up to take permissions away.
        fchmod(&fd, Mode::RWXU).map_err(|e| failed(e.into()))?;
        lock(&fd).map_err(failed)?;
        Ok(self.own.get_or_init(|| Own {
            fd,
            path: self.shared.place_path.join(name),
        }))
    }

    /// Removes it, when it was made.
    fn remove(&mut self) -> Result<(), RemoveError> {
        match self.own.take() {
            None => Ok(()),
            // Its lock is held until it is gone.
            Some(_own) => Self::discard(&self.shared, &self.key),
        }
    }

    /// Removes what is under a key. First it gets another name, in one step: a crash on the way leaves a whole
    /// workspace or none, and never a part of one that could be reopened.
    pub(crate) fn discard(shared: &Shared, key: &AttemptKey) -> Result<(), RemoveError> {
        let (at, name) = (&shared.place, key.as_str());
        let gone = format!("gone-{name}");
        let failed = |source: std::io::Error| RemoveError {
            path: name.into(),
            source,
        };
        // Of the same attempt, once before.
        remove(at, OsStr::new(&gone))?;
        match renameat(at, name, at, &gone) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(()),
            Err(e) => return Err(failed(e.into())),
        }
        remove(at, OsStr::new(&gone))
    }
}

/// Says that a process uses the attempt's directory. The kernel takes it back when that process ends, however it does.
pub(crate) fn lock(own: &OwnedFd) -> std::io::Result<()> {
    Ok(flock(own, FlockOperation::NonBlockingLockExclusive)?)
}

impl Drop for Home {
    fn drop(&mut self) {
        // What stays is swept at the next start.
        let _ = self.remove();
    }
}
