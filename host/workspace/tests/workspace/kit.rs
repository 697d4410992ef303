//! A project on disk, and short words for what tests do with it.

use sandgate_model::{FileGrant, FileMode, RunId, Workspace};
use sandgate_workspace::{AttemptKey, MergeInto, Prepared, Settings, Workspaces};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};
use tempfile::TempDir;

pub(crate) struct Project {
    pub(crate) tmp: TempDir,
    pub(crate) dir: PathBuf,
}

impl Project {
    /// An empty project with a state directory.
    pub(crate) fn new() -> Self {
        Self::below("project")
    }

    /// The same at `path` below a temporary directory.
    pub(crate) fn below(path: &str) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join(path);
        fs::create_dir_all(dir.join(".sandgate")).unwrap();
        fs::write(dir.join(".sandgate/journal"), "canary of the journal").unwrap();
        let dir = dir.canonicalize().unwrap();
        Self { tmp, dir }
    }

    /// A project that is a git repository with these files committed.
    pub(crate) fn git(files: &[(&str, &str)]) -> Self {
        let project = Self::new();
        project.commit_all(files);
        project
    }

    pub(crate) fn commit_all(&self, files: &[(&str, &str)]) {
        if !self.dir.join(".git").exists() {
            self.run_git(&["init", "-q", "-b", "main"]);
        }
        for (path, text) in files {
            self.write(path, text);
        }
        self.write(".git/info/exclude", ".sandgate\n");
        self.run_git(&["add", "-A"]);
        self.run_git(&["commit", "-q", "--allow-empty", "-m", "files"]);
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Git as a user runs it here.
    pub(crate) fn git_output(&self, args: &[&str]) -> Output {
        Command::new("git")
            .args(["-c", "user.name=User", "-c", "user.email=user@localhost"])
            .args(["-c", "protocol.file.allow=always"])
            .args(args)
            .current_dir(&self.dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn run_git(&self, args: &[&str]) -> String {
        let out = self.git_output(args);
        assert!(out.status.success(), "git {args:?}: {out:?}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new(&self.dir, self.dir.join(".sandgate"))
    }

    pub(crate) fn open(&self) -> Workspaces {
        Workspaces::open(self.settings()).unwrap()
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.dir.join(".sandgate/workspaces")
    }

    /// What stands in the place for workspaces.
    pub(crate) fn leftovers(&self) -> usize {
        self.place().read_dir().unwrap().count()
    }
}

pub(crate) fn grant(host: &str, mode: FileMode) -> FileGrant {
    FileGrant {
        host: host.into(),
        guest: format!("/{}", if host == "." { "all" } else { host }),
        mode,
    }
}

pub(crate) fn write_to(host: &str) -> Vec<FileGrant> {
    vec![grant(host, FileMode::Write)]
}

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) fn key() -> AttemptKey {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    AttemptKey::new(&["run", "task", &n.to_string()])
}

pub(crate) fn prepare(at: &Workspaces, kind: Workspace, host: &str) -> Prepared {
    at.prepare(&key(), kind, &write_to(host)).unwrap()
}

pub(crate) fn run_id(n: u128) -> RunId {
    RunId::new(uuid::Uuid::from_u128(n))
}

pub(crate) fn into(n: u128) -> MergeInto {
    MergeInto {
        run: run_id(n),
        title: "task build, attempt 1".into(),
    }
}

/// Everything below a directory: path, kind and permissions, content or target. Two equal ones mean that nothing
/// changed.
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let kind = meta.file_type();
            let text = if kind.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().display())
            } else if kind.is_file() {
                format!("{:o} {:?}", meta.mode(), fs::read(&path).unwrap())
            } else {
                format!("{:o}", meta.mode())
            };
            if kind.is_dir() {
                todo.push(path.clone());
            }
            found.insert(path.strip_prefix(dir).unwrap().to_path_buf(), text);
        }
    }
    found
}

pub(crate) fn chmod(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// How many more things a test does than usual.
pub(crate) fn volume(name: &str, usual: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(usual)
}

/// Whether a canary stands in any file below, or in any name.
pub(crate) fn holds(dir: &Path, canary: &str) -> bool {
    tree(dir).iter().any(|(path, text)| {
        path.to_string_lossy().contains(canary)
            || text.contains(&format!("{:?}", canary.as_bytes()).replace(['[', ']'], ""))
    })
}

pub(crate) fn has_name(dir: &Path, name: &str) -> bool {
    tree(dir)
        .keys()
        .any(|p| p.file_name() == Some(OsStr::new(name)))
}
