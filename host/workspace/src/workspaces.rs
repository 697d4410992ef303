//! The workspaces of one project: where they are, making them, and sweeping up after a crash.

use crate::{
    error::{OpenError, PrepareError, RootError, SweepError},
    git::{
        Base, CheckoutError, DirsError, Git, GitDirs, Repository, RepositoryError, checkout,
        has_dir,
    },
    handle,
    kept::reopen,
    key::AttemptKey,
    prepared::{Home, Own, Prepared, Root, Worktree},
    remove::remove,
    roots::{Forbidden, is_git_name, open_granted, relative},
    settings::Settings,
    tree::{Skips, WriteError, Writer, copy},
};
use cap_std::fs::Dir;
use rustix::{
    fs::{CWD, Mode, OFlags, mkdirat, openat},
    io::Errno,
};
use sandgate_model::{FileGrant, FileMode, Workspace};
use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

/// Where all workspaces of a project are, below its state directory.
const PLACE: &str = "workspaces";

/// The workspaces of one project.
pub struct Workspaces {
    shared: Arc<Shared>,
}

/// What all workspaces of a project have in common.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// The project's directory: handle, and path without links.
    pub(crate) project: OwnedFd,
    pub(crate) project_path: PathBuf,
    /// `workspaces`: handle, and path without links.
    pub(crate) place: OwnedFd,
    pub(crate) place_path: PathBuf,
    pub(crate) forbidden: Forbidden,
    pub(crate) git: Git,
    /// Held while something is merged: merges of one host take turns.
    pub(crate) merging: Mutex<()>,
}

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Workspaces that were removed.
    pub removed: usize,
    /// Workspaces of live attempts.
    pub kept: usize,
}

impl Workspaces {
    /// Opens the project's and the state directory and makes the place for workspaces, for this user alone.
    ///
    /// # Errors
    /// A directory cannot be used, or the kernel does not offer what keeps links in.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        let failed = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source: io::Error| OpenError::Io {
                action,
                path,
                source,
            }
        };
        let dir = |path: &Path| -> Result<(OwnedFd, PathBuf), OpenError> {
            let real = path.canonicalize().map_err(failed("find", path))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = openat(CWD, &real, flags, Mode::empty())
                .map_err(|e| failed("open", path)(e.into()))?;
            Ok((fd, real))
        };
        let (project, project_path) = dir(&settings.project_dir)?;
        let (state, state_path) = dir(&settings.state_dir)?;
        match handle::open_dir(&state, Path::new("")) {
            Ok(_) => {}
            Err(e)
                if [Errno::NOSYS, Errno::PERM]
                    .iter()
                    .any(|c| e.raw_os_error() == Some(c.raw_os_error())) =>
            {
                return Err(OpenError::NoOpenat2);
            }
            Err(e) => return Err(failed("open", &state_path)(e)),
        }
        let place_path = state_path.join(PLACE);
        match mkdirat(&state, PLACE, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(failed("create", &place_path)(e.into())),
        }
        let place =
            handle::open_dir(&state, Path::new(PLACE)).map_err(failed("open", &place_path))?;
        rustix::fs::fchmod(&place, Mode::RWXU)
            .map_err(|e| failed("make private", &place_path)(e.into()))?;
        let forbidden = Forbidden::of(&state).map_err(failed("look around", &state_path))?;
        Ok(Self {
            shared: Arc::new(Shared {
                git: Git::new(settings.git.clone()),
                settings,
                project,
                project_path,
                place,
                place_path,
                forbidden,
                merging: Mutex::new(()),
            }),
        })
    }

    /// Makes the workspace of one attempt. What it made is gone when the result is dropped.
    ///
    /// # Errors
    /// A directory cannot be granted, a cap is hit, or git cannot do its part. Nothing is left then.
    pub fn prepare(
        &self,
        key: &AttemptKey,
        kind: Workspace,
        grants: &[FileGrant],
    ) -> Result<Prepared, PrepareError> {
        let shared = &self.shared;
        let home = Home::new(shared.clone(), key.clone());
        let mut prepared = Prepared::empty(kind, grants.to_vec(), home);
        match kind {
            Workspace::None => {}
            Workspace::Shared => {
                for grant in grants {
                    prepared.roots.push(shared.share(grant)?);
                }
            }
            Workspace::Clone => shared.copy_into(&mut prepared, grants)?,
            Workspace::Worktree => shared.check_out_into(&mut prepared, grants)?,
        }
        Ok(prepared)
    }

    /// Gives back the workspace of an attempt that is made again: after [`Prepared::park`], or after a crash while it
    /// was kept ([`Prepared::keep`]) or had been reopened. It is in use again, and stays kept until it is finished or
    /// dropped. Its directories have the same content and permissions, and maybe other paths, when the project moved
    /// on its file system.
    ///
    /// `None`: nothing is kept, and [`Self::prepare`] can make a fresh one (what the attempt left without being kept is
    /// removed for that). An attempt that has recorded answers, and no workspace that belongs to them, must not go on
    /// with a fresh one.
    ///
    /// # Errors
    /// [`PrepareError::Kept`]: it is not asked for as it was made, or is not the very one: exchanged, a link, of another
    /// owner, with other permissions than it was parked with, incomplete after the machine stopped; or somebody still
    /// uses it. Other errors as in [`Self::prepare`]. What the attempt left is untouched then.
    pub fn reopen(
        &self,
        key: &AttemptKey,
        kind: Workspace,
        files: &[FileGrant],
    ) -> Result<Option<Prepared>, PrepareError> {
        reopen(&self.shared, key, kind, files)
    }

    /// Removes the workspaces of all attempts but these, parked or not. For the start of a host, before it prepares or
    /// reopens any: a host that was killed could not clean up. `live` are the attempts that will be resumed: the
    /// suspended ones, and those that were interrupted while they were kept.
    ///
    /// # Errors
    /// Something cannot be removed; everything else is.
    pub fn sweep(&self, live: &BTreeSet<AttemptKey>) -> Result<Swept, SweepError> {
        let place =
            handle::open_dir(&self.shared.place, Path::new("")).map_err(SweepError::List)?;
        let names: Vec<_> = handle::entries(&place)
            .and_then(Iterator::collect)
            .map_err(SweepError::List)?;
        let mut swept = Swept::default();
        let mut failures = Vec::new();
        for (name, _) in names {
            if name
                .to_str()
                .is_some_and(|n| live.iter().any(|k| k.as_str() == n))
            {
                swept.kept += 1;
                continue;
            }
            match remove(&place, &name) {
                Ok(()) => swept.removed += 1,
                Err(e) => failures.push(e),
            }
        }
        let count = failures.len();
        match failures.into_iter().next() {
            None => Ok(swept),
            Some(first) => Err(SweepError::Remove { count, first }),
        }
    }
}

impl fmt::Debug for Workspaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspaces")
            .field("project", &self.shared.project_path)
            .finish_non_exhaustive()
    }
}

pub(crate) fn no(host: &str) -> impl Fn(RootError) -> PrepareError + '_ {
    |source| PrepareError::Root {
        host: host.to_owned(),
        source,
    }
}

fn write_failed(error: WriteError) -> PrepareError {
    match error {
        WriteError::Quota { what, limit } => PrepareError::Quota { what, limit },
        WriteError::Io { path, source } => PrepareError::Copy { path, source },
    }
}

pub(crate) fn dirs_failed(error: DirsError) -> PrepareError {
    match error {
        DirsError::Io(source) => PrepareError::Io {
            action: "make the worktree's git directory",
            source,
        },
        DirsError::Git(e) => PrepareError::Git(e),
        DirsError::Repository(e) => PrepareError::Repository(e),
    }
}

/// The outermost of some directories.
pub(crate) fn outermost(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !kept.iter().any(|k| path.starts_with(k)) {
            kept.push(path);
        }
    }
    kept
}

pub(crate) fn now() -> (i64, i64) {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        i64::from(since.subsec_nanos()),
    )
}

impl Shared {
    /// One of the project's own directories.
    pub(crate) fn share(&self, grant: &FileGrant) -> Result<Root, PrepareError> {
        let refuse = no(&grant.host);
        let path = relative(&grant.host).map_err(&refuse)?;
        let in_git = path.components().any(|c| is_git_name(c.as_os_str()));
        if grant.mode == FileMode::Write && in_git {
            return Err(refuse(RootError::Git));
        }
        let dir = open_granted(&self.project, &path, &self.forbidden, false).map_err(refuse)?;
        Ok(root(dir, self.project_path.join(path), grant))
    }

    /// The grants as roots below `tree`, where their host paths are below `prefix`.
    fn roots(
        &self,
        tree: &OwnedFd,
        path: &Path,
        prefix: &Path,
        grants: &[FileGrant],
    ) -> Result<Vec<Root>, PrepareError> {
        grants
            .iter()
            .map(|grant| {
                let refuse = no(&grant.host);
                let inner = prefix.join(relative(&grant.host).map_err(&refuse)?);
                let dir = handle::open_dir(tree, &inner).map_err(|e| refuse(RootError::Io(e)))?;
                Ok(root(dir, path.join(inner), grant))
            })
            .collect()
    }

    fn copy_into(&self, prepared: &mut Prepared, grants: &[FileGrant]) -> Result<(), PrepareError> {
        let mut paths = Vec::new();
        for grant in grants {
            let refuse = no(&grant.host);
            let path = relative(&grant.host).map_err(&refuse)?;
            // All of them, also those that lie in another one: a link between would be refused here, and not be
            // noticed when it is copied.
            open_granted(&self.project, &path, &self.forbidden, true).map_err(refuse)?;
            paths.push(path);
        }
        if paths.is_empty() {
            return Ok(());
        }
        let own = prepared.home.own()?;
        let (tree, path) = own.dir("tree")?;
        let mut writer = Writer::new(&tree, self.settings.quota);
        let mut skips = Skips::default();
        for path in outermost(paths) {
            let host = if path.as_os_str().is_empty() {
                ".".into()
            } else {
                path.to_string_lossy()
            };
            let source =
                open_granted(&self.project, &path, &self.forbidden, true).map_err(no(&host))?;
            copy(
                &source,
                &path,
                &mut writer,
                &tree,
                &self.forbidden,
                &mut skips,
            )
            .map_err(write_failed)?;
        }
        prepared.roots = self.roots(&tree, &path, Path::new(""), grants)?;
        prepared.skips = skips;
        Ok(())
    }

    fn check_out_into(
        &self,
        prepared: &mut Prepared,
        grants: &[FileGrant],
    ) -> Result<(), PrepareError> {
        let repository = Repository::find(&self.project_path).map_err(PrepareError::Repository)?;
        let head = repository.head().map_err(PrepareError::Repository)?;
        let mut paths = Vec::new();
        for grant in grants {
            let path = relative(&grant.host).map_err(no(&grant.host))?;
            if path.components().any(|c| is_git_name(c.as_os_str())) {
                return Err(no(&grant.host)(RootError::NotInHead));
            }
            paths.push(repository.prefix.join(path));
        }
        let own = prepared.home.own()?;
        let (git_home, git_path) = own.dir("git")?;
        let dirs =
            GitDirs::make(&self.git, &repository, &git_home, &git_path).map_err(dirs_failed)?;
        let commit = self.commit(&dirs, &head)?;
        let (tree, path) = own.dir("tree")?;
        let mut writer = Writer::new(&tree, self.settings.quota);
        let mut skips = Skips::default();
        let base = checkout(
            &self.git,
            &dirs,
            commit,
            outermost(paths),
            &mut writer,
            &mut skips,
        )
        .map_err(|e| match e {
            CheckoutError::Git(e) => PrepareError::Git(e),
            CheckoutError::Write(e) => write_failed(e),
        })?;
        for grant in grants {
            self.needed(&dirs, &base, &repository.prefix, grant, &mut writer)?;
        }
        prepared.roots = self.roots(&tree, &path, &repository.prefix, grants)?;
        prepared.skips = skips;
        prepared.worktree = Some(Worktree {
            repository,
            dirs,
            base,
            tree,
            handed_over: now(),
        });
        Ok(())
    }

    /// The commit that HEAD means.
    pub(crate) fn commit(&self, dirs: &GitDirs, head: &str) -> Result<String, PrepareError> {
        let wanted = format!("{head}^{{commit}}");
        let args = ["rev-parse", "--verify", "--quiet", &wanted];
        match self.git.text(&dirs.view, &args, None, &[]) {
            Ok(text) => Ok(String::from_utf8_lossy(&text).trim().to_owned()),
            Err(crate::GitError::Failed { code: 1, .. }) => {
                Err(PrepareError::Repository(RepositoryError::NoCommit))
            }
            Err(e) => Err(PrepareError::Git(e)),
        }
    }

    /// A granted directory is in the commit; one to write into is made when it is not.
    fn needed(
        &self,
        dirs: &GitDirs,
        base: &Base,
        prefix: &Path,
        grant: &FileGrant,
        writer: &mut Writer<'_>,
    ) -> Result<(), PrepareError> {
        let refuse = no(&grant.host);
        let path = prefix.join(relative(&grant.host).map_err(&refuse)?);
        if has_dir(base, &path) {
            return writer.make_dir(&path).map_err(write_failed);
        }
        // The first thing on the way that is in the commit and is no directory.
        for above in path.ancestors().filter(|p| !p.as_os_str().is_empty()) {
            let args = [
                "ls-tree".as_ref(),
                "-z".as_ref(),
                "--full-tree".as_ref(),
                base.commit.as_ref(),
                "--".as_ref(),
                above.as_os_str(),
            ];
            let text = self
                .git
                .text(&dirs.view, &args, None, &[])
                .map_err(PrepareError::Git)?;
            match text.get(..6) {
                None | Some(b"040000") => {}
                Some(b"120000") => return Err(refuse(RootError::Link)),
                Some(_) => return Err(refuse(RootError::NotADirectory)),
            }
        }
        match grant.mode {
            FileMode::Read => Err(refuse(RootError::NotInHead)),
            FileMode::Write => writer.make_dir(&path).map_err(write_failed),
        }
    }
}

pub(crate) fn root(dir: OwnedFd, path: PathBuf, grant: &FileGrant) -> Root {
    Root {
        dir: Arc::new(Dir::from_std_file(File::from(dir))),
        path,
        guest: grant.guest.clone(),
        mode: grant.mode,
    }
}

impl Own {
    /// A new directory of the attempt: handle and path.
    pub(crate) fn dir(&self, name: &'static str) -> Result<(OwnedFd, PathBuf), PrepareError> {
        let made = mkdirat(self.fd.as_fd(), name, Mode::RWXU)
            .map_err(io::Error::from)
            .and_then(|()| handle::open_dir(self.fd.as_fd(), Path::new(name)));
        let fd = made.map_err(|source| PrepareError::Io {
            action: "make a directory",
            source,
        })?;
        Ok((fd, self.path.join(name)))
    }
}
