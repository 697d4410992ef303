//! A directory tree with a granted part and a part outside, and an oracle that says where a path leads. The oracle walks
//! by itself, step by step, and shares nothing with what the sandbox does.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sandgate_sandbox::Preopen;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What no guest may ever be told: what is in files outside.
pub(crate) const CANARY: &str = "what is outside";

/// What is inside.
pub(crate) const INSIDE: &str = "inside";

/// A tree for one test.
pub(crate) struct Tree {
    place: tempfile::TempDir,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Self {
            place: tempfile::tempdir().unwrap(),
        };
        let top = tree.top();
        fs::create_dir_all(top.join("outside/CANARY-dir")).unwrap();
        for file in ["CANARY.txt", "outside/CANARY.txt", "outside/CANARY-dir/x"] {
            fs::write(top.join(file), CANARY).unwrap();
        }
        tree.plant();
        tree
    }

    pub(crate) fn top(&self) -> PathBuf {
        self.place.path().canonicalize().unwrap()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.top().join("root")
    }

    /// Makes the granted part anew.
    pub(crate) fn plant(&self) {
        let (top, root) = (self.top(), self.root());
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        fs::create_dir_all(root.join("dir/deep/deeper")).unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        for file in [
            "inside.txt",
            "dir/inside.txt",
            "dir/deep/inside.txt",
            "other.txt",
        ] {
            fs::write(root.join(file), INSIDE).unwrap();
        }
        let absolute = |path: &str| top.join(path);
        for (link, target) in [
            ("link-in", PathBuf::from("inside.txt")),
            ("link-dir-in", "dir/deep".into()),
            ("link-dot", ".".into()),
            ("link-loop", "link-loop".into()),
            ("link-dangling", "nothing".into()),
            ("dir/link-up-in", "../inside.txt".into()),
            ("link-file", "../CANARY.txt".into()),
            ("link-dir", "../outside".into()),
            ("link-up", "..".into()),
            ("dir/link-up-out", "../../CANARY.txt".into()),
            ("dir/deep/link-top", "../../..".into()),
            ("link-abs", absolute("CANARY.txt")),
            ("link-abs-dir", absolute("outside")),
            ("link-abs-in", absolute("root/inside.txt")),
            ("link-chain", "link-chain-2".into()),
            ("link-chain-2", "dir/link-up-out".into()),
            ("link-new", "../made-by-guest".into()),
            ("link-new-abs", absolute("made-by-guest")),
            ("link-proc", "/proc/self/root".into()),
            ("link-fd", "/proc/self/fd".into()),
            ("link-etc", "/etc".into()),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let fifo = root.join("fifo");
        mknodat(CWD, fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    }

    /// A grant of a directory below the top.
    pub(crate) fn grant(&self, path: &str, guest: &str, write: bool) -> Preopen {
        let dir = Dir::open_ambient_dir(self.top().join(path), ambient_authority()).unwrap();
        Preopen {
            dir: Arc::new(dir),
            guest: guest.to_owned(),
            write,
            protect: false,
        }
    }

    /// Everything outside the granted part.
    pub(crate) fn outside(&self) -> Snapshot {
        let mut all = Snapshot::new();
        look(&self.top(), &self.root(), &mut all);
        all
    }

    /// Everything in the granted part.
    pub(crate) fn inside(&self) -> Snapshot {
        let mut all = Snapshot::new();
        look(&self.root(), Path::new(""), &mut all);
        all
    }

    /// Targets of symbolic links that lead out by themselves, beyond those that were planted. (A planted one may come
    /// along when its directory is moved, and a new one may name a planted one: neither is a new way out.)
    pub(crate) fn new_ways_out(&self, planted: &Snapshot, now: &Snapshot) -> Vec<String> {
        let mut ways = self.ways_out(now);
        for known in self.ways_out(planted) {
            if let Some(at) = ways.iter().position(|way| *way == known) {
                ways.swap_remove(at);
            }
        }
        ways
    }

    fn ways_out(&self, all: &Snapshot) -> Vec<String> {
        let root = self.root();
        let links = all.iter().filter_map(|(path, what)| {
            let target = what.strip_prefix("link ")?.rsplitn(3, ' ').last()?;
            let below = path.strip_prefix(&root).unwrap();
            let mut depth = i32::try_from(below.components().count()).unwrap() - 1;
            let mut out = target.starts_with('/');
            for part in parts(Path::new(target)) {
                depth += match part.as_str() {
                    "." => 0,
                    ".." => -1,
                    _ => 1,
                };
                out |= depth < 0;
            }
            out.then(|| target.to_owned())
        });
        links.collect()
    }
}

/// What is where: kind, contents, mode, size, time of change.
pub(crate) type Snapshot = BTreeMap<PathBuf, String>;

fn look(at: &Path, except: &Path, all: &mut Snapshot) {
    let meta = fs::symlink_metadata(at).unwrap();
    let what = if meta.is_symlink() {
        format!("link {}", fs::read_link(at).unwrap().display())
    } else if meta.is_dir() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path != except {
                look(&path, except, all);
            }
        }
        "dir".to_owned()
    } else if meta.is_file() {
        format!("file {}", fs::read_to_string(at).unwrap())
    } else {
        "other".to_owned()
    };
    // The directory that holds the granted one changes when that is planted anew.
    let times = if except.starts_with(at) {
        String::new()
    } else {
        format!("{}.{}", meta.mtime(), meta.mtime_nsec())
    };
    all.insert(at.to_owned(), format!("{what} {:o} {times}", meta.mode()));
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// Somewhere inside, which may not exist.
    In(PathBuf),
    /// Out, at some step, even if it came back.
    Out,
    /// Nowhere: links in a circle.
    Nowhere,
}

/// Walks a path from `root`, following links, the last one only if `follow`.
pub(crate) fn walk(root: &Path, path: &str, follow: bool) -> Leads {
    if path.starts_with('/') {
        return Leads::Out;
    }
    let mut todo: Vec<String> = parts(Path::new(path));
    todo.reverse();
    let (mut at, mut links) = (root.to_owned(), 0);
    let slash = path.ends_with('/');
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "." => continue,
            ".." => {
                if at == root {
                    return Leads::Out;
                }
                at.pop();
                continue;
            }
            name => at.push(name),
        }
        let last = todo.is_empty() && !slash;
        let Ok(target) = fs::read_link(&at) else {
            continue;
        };
        if last && !follow {
            break;
        }
        links += 1;
        if links > 40 {
            return Leads::Nowhere;
        }
        if target.is_absolute() {
            return Leads::Out;
        }
        at.pop();
        todo.extend(parts(&target).into_iter().rev());
    }
    Leads::In(at)
}

fn parts(path: &Path) -> Vec<String> {
    path.components()
        .map(|part| match part {
            Component::ParentDir => "..".to_owned(),
            Component::Normal(name) => name.to_string_lossy().into_owned(),
            _ => ".".to_owned(),
        })
        .collect()
}

/// A path as the path guest takes it.
pub(crate) fn hex(path: &str) -> String {
    if path.is_empty() {
        return "-".to_owned();
    }
    path.bytes().map(|byte| format!("{byte:02x}")).collect()
}
