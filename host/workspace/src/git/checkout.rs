//! Writing the granted part of a commit into an empty directory. Git only lists and prints objects; every file is
//! created by us, beneath a handle, so names and links in the commit cannot lead anywhere, and no filter, hook or
//! attribute takes part: a file has exactly the bytes that are committed.

use super::{
    dirs::GitDirs,
    run::{Git, GitError},
};
use crate::{
    roots::{STATE_NAME, is_git_name},
    tree::{SkipReason, Skips, Stamp, WriteError, Writer, stays},
};
use rustix::fs::{Mode, fchmod};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{self, BufRead, Read, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    process::ChildStdin,
};

/// What the worktree was made from.
#[derive(Debug, Default)]
pub(crate) struct Base {
    /// Object name of the commit.
    pub(crate) commit: String,
    /// Its files in the granted directories, by path in the repository.
    pub(crate) files: BTreeMap<PathBuf, BaseFile>,
    /// Its `.gitignore` files that count there: path and object.
    pub(crate) ignores: Vec<(PathBuf, String)>,
    /// The granted directories, outermost only, by path in the repository.
    pub(crate) roots: Vec<PathBuf>,
}

/// One file, link or submodule of the commit.
#[derive(Debug)]
pub(crate) struct BaseFile {
    /// As git writes it: `100644`, `100755`, `120000`, `160000`.
    pub(crate) mode: String,
    /// How it was written; `None`: it was not.
    pub(crate) stamp: Option<Stamp>,
}

/// Why it was not done.
pub(crate) enum CheckoutError {
    Git(GitError),
    Write(WriteError),
}

impl From<GitError> for CheckoutError {
    fn from(e: GitError) -> Self {
        Self::Git(e)
    }
}

impl From<WriteError> for CheckoutError {
    fn from(e: WriteError) -> Self {
        Self::Write(e)
    }
}

struct Entry {
    mode: String,
    kind: String,
    object: String,
    size: u64,
    path: PathBuf,
}

const LARGEST_IGNORE: u64 = 1 << 20;

/// Writes what `commit` has in `roots` through `writer`.
pub(crate) fn checkout(
    git: &Git,
    dirs: &GitDirs,
    commit: String,
    roots: Vec<PathBuf>,
    writer: &mut Writer<'_>,
    skips: &mut Skips,
) -> Result<Base, CheckoutError> {
    let entries = list(git, dirs, &commit, &roots)?;
    let mut base = Base {
        commit,
        roots,
        ..Base::default()
    };
    let mut wanted: Vec<Entry> = Vec::new();
    let mut total = 0_u64;
    for entry in entries {
        let is_blob = entry.kind == "blob";
        let regular = matches!(entry.mode.as_str(), "100644" | "100755" | "100664");
        if regular
            && entry.path.file_name() == Some(OsStr::new(".gitignore"))
            && entry.size <= LARGEST_IGNORE
        {
            base.ignores
                .push((entry.path.clone(), entry.object.clone()));
        }
        if !base.roots.iter().any(|r| entry.path.starts_with(r)) {
            continue;
        }
        let note = |base: &mut Base, entry: &Entry| {
            let file = BaseFile {
                mode: entry.mode.clone(),
                stamp: None,
            };
            base.files.insert(entry.path.clone(), file);
        };
        let mut names = entry.path.components().map(|c| c.as_os_str());
        if names.clone().any(|n| n == STATE_NAME) {
            skips.add(&entry.path, SkipReason::State);
            note(&mut base, &entry);
        } else if names.any(|n| n == ".." || n == "." || is_git_name(n)) {
            skips.add(&entry.path, SkipReason::GitRefuses);
            note(&mut base, &entry);
        } else if entry.mode == "160000" {
            skips.add(&entry.path, SkipReason::Submodule);
            writer.make_dir(&entry.path)?;
            note(&mut base, &entry);
        } else if is_blob && (regular || entry.mode == "120000") {
            total = total.saturating_add(entry.size);
            if total > writer.room() {
                writer.take(total)?;
            }
            wanted.push(entry);
        } else {
            return Err(answer("ls-tree").into());
        }
    }
    write(git, dirs, &wanted, writer, skips, &mut base)?;
    Ok(base)
}

fn answer(what: &str) -> GitError {
    GitError::Answer { what: what.into() }
}

/// What is listed: the granted directories, and the `.gitignore` files above them.
fn list(
    git: &Git,
    dirs: &GitDirs,
    commit: &str,
    roots: &[PathBuf],
) -> Result<Vec<Entry>, GitError> {
    let mut args: Vec<OsString> = ["ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--"]
        .iter()
        .map(OsString::from)
        .collect();
    if !roots.iter().any(|r| r.as_os_str().is_empty()) {
        for root in roots {
            args.push(root.clone().into());
            for above in root.ancestors().skip(1) {
                args.push(above.join(".gitignore").into());
            }
        }
    }
    let text = git.text(&dirs.view, &args, None, &[])?;
    text.split(|b| *b == 0)
        .filter(|line| !line.is_empty())
        .map(|line| parse(line).ok_or_else(|| answer("ls-tree")))
        .collect()
}

/// `100644 blob <object> <size>\t<path>`
fn parse(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|b| *b == b'\t')?;
    let (head, path) = line.split_at_checked(tab)?;
    let head = std::str::from_utf8(head).ok()?;
    let mut words = head.split_ascii_whitespace();
    Some(Entry {
        mode: words.next()?.to_owned(),
        kind: words.next()?.to_owned(),
        object: words.next()?.to_owned(),
        // A submodule has `-`.
        size: words.next()?.parse().unwrap_or(0),
        path: PathBuf::from(OsStr::from_bytes(path.get(1..)?)),
    })
}

fn write(
    git: &Git,
    dirs: &GitDirs,
    wanted: &[Entry],
    writer: &mut Writer<'_>,
    skips: &mut Skips,
    base: &mut Base,
) -> Result<(), CheckoutError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let feed = |to: ChildStdin| -> io::Result<()> {
        let mut to = io::BufWriter::new(to);
        for entry in wanted {
            writeln!(to, "{}", entry.object)?;
        }
        to.flush()
    };
    let args = ["cat-file", "--batch", "--buffer"];
    let ended = git.pipe(&dirs.view, &args, &[], Some(feed), |from| {
        for entry in wanted {
            let stamp = one(from, entry, writer, skips)?;
            let file = BaseFile {
                mode: entry.mode.clone(),
                stamp,
            };
            base.files.insert(entry.path.clone(), file);
        }
        Ok(())
    })?;
    let (code, said) = (ended.code, ended.said);
    match ended.value {
        Ok(()) if code == 0 => Ok(()),
        // It ended before it had printed everything.
        Ok(()) | Err(CheckoutError::Git(_)) if code > 0 => Err(GitError::Failed {
            what: "cat-file".into(),
            code,
            said,
        }
        .into()),
        // We stopped listening; that it failed then is no news.
        other => other,
    }
}

/// Reads `<object> blob <size>\n<bytes>\n` and writes the file.
fn one(
    from: &mut impl BufRead,
    entry: &Entry,
    writer: &mut Writer<'_>,
    skips: &mut Skips,
) -> Result<Option<Stamp>, CheckoutError> {
    let broken = || CheckoutError::Git(answer("cat-file"));
    let failed = |source| WriteError::Io {
        path: entry.path.clone(),
        source,
    };
    let mut head = String::new();
    from.by_ref()
        .take(256)
        .read_line(&mut head)
        .map_err(failed)?;
    if head.trim_end().ends_with(" missing") {
        return Err(CheckoutError::Git(GitError::Failed {
            what: "cat-file".into(),
            code: 0,
            said: format!(
                "the content of {} is not in the repository; if it is a partial clone, fetch everything first",
                entry.path.display()
            ),
        }));
    }
    if head.trim_end() != format!("{} blob {}", entry.object, entry.size) {
        return Err(broken());
    }
    let mut content = from.by_ref().take(entry.size);
    let written = if entry.mode == "120000" {
        let mut target = Vec::new();
        content.read_to_end(&mut target).map_err(failed)?;
        let target = PathBuf::from(OsString::from_vec(target));
        let depth = entry.path.components().count().saturating_sub(1);
        if stays(&target, depth) && !target.as_os_str().as_bytes().contains(&0) {
            writer.link(&entry.path, &target)?;
            true
        } else {
            skips.add(&entry.path, SkipReason::LinkLeaves);
            false
        }
    } else {
        writer.take(entry.size)?;
        let mut file = writer.file(&entry.path)?;
        let size = io::copy(&mut content, &mut file).map_err(failed)?;
        if size != entry.size {
            return Err(broken());
        }
        let bits = if entry.mode == "100755" { 0o755 } else { 0o644 };
        fchmod(&file, Mode::from_raw_mode(bits)).map_err(|e| failed(e.into()))?;
        true
    };
    let mut end = [0_u8; 1];
    from.read_exact(&mut end).map_err(failed)?;
    if end != *b"\n" {
        return Err(broken());
    }
    if !written {
        return Ok(None);
    }
    Ok(Some(Stamp::of(&writer.stat(&entry.path)?)))
}

/// Whether a path of the commit is a directory there.
pub(crate) fn has_dir(base: &Base, path: &Path) -> bool {
    path.as_os_str().is_empty()
        || base
            .files
            .range(path.to_path_buf()..)
            .next()
            .is_some_and(|(p, _)| p != path && p.starts_with(path))
}
