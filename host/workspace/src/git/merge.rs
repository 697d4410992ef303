//! Bringing an attempt's commit into the run's branch.
//!
//! The merge is computed on objects, in the attempt's own git directory, and only when it is clean do its objects
//! and the branch's new end go into the repository. The branch is moved only if it still is where it was when the
//! merge was computed; else it is computed again. No working tree and no index takes part.

use super::{
    changes::line,
    dirs::GitDirs,
    repo::Repository,
    run::{Git, GitError, good},
};
use crate::settings::Author;
use std::{
    ffi::OsString,
    io::{self, BufRead, Read, Write},
    process::ChildStdin,
};

/// What became of the changes in the repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Merged {
    /// The run's branch, without `refs/heads/`.
    pub branch: String,
    /// Its new end.
    pub commit: String,
}

/// Why they did not get there. The branch is as it was.
pub(crate) enum MergeError {
    Conflict(Vec<String>),
    CheckedOut,
    Moving(u32),
    Git(GitError),
}

impl From<GitError> for MergeError {
    fn from(e: GitError) -> Self {
        Self::Git(e)
    }
}

/// How often a merge is computed again because the branch moved. Inside one host merges take turns, so that only a
/// person or another program can move it.
const TRIES: u32 = 8;

/// Everything that one call needs.
pub(crate) struct Merge<'a> {
    pub(crate) git: &'a Git,
    pub(crate) dirs: &'a GitDirs,
    pub(crate) repository: &'a Repository,
    pub(crate) author: &'a Author,
    /// The commit that the worktree was made from, and that of its changes.
    pub(crate) base: &'a str,
    pub(crate) commit: &'a str,
    /// Without `refs/heads/`.
    pub(crate) branch: &'a str,
    pub(crate) message: &'a str,
}

/// Merges; the branch is made from the base when it is not there yet.
pub(crate) fn merge(parts: &Merge<'_>) -> Result<Merged, MergeError> {
    let full = format!("refs/heads/{}", parts.branch);
    if parts.repository.is_checked_out(&full) {
        return Err(MergeError::CheckedOut);
    }
    for _ in 0..TRIES {
        let tip = tip(parts, &full)?;
        let new = match &tip {
            Some(tip) if tip != parts.base => join(parts, tip)?,
            _ => parts.commit.to_owned(),
        };
        publish(parts, &new, tip.as_deref())?;
        let old = tip.clone().unwrap_or_else(|| parts.dirs.zero());
        let args = ["update-ref", "--end-of-options", &full, &new, &old];
        match parts.git.text(&parts.dirs.view, &args, None, &[]) {
            Ok(_) => {
                return Ok(Merged {
                    branch: parts.branch.to_owned(),
                    commit: new,
                });
            }
            // Somebody was quicker; or it can never be.
            Err(e) if self::tip(parts, &full)? == tip => return Err(e.into()),
            Err(_) => {}
        }
    }
    Err(MergeError::Moving(TRIES))
}

fn tip(parts: &Merge<'_>, full: &str) -> Result<Option<String>, GitError> {
    let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", full];
    let no_input = None::<fn(ChildStdin) -> io::Result<()>>;
    let ended = parts
        .git
        .pipe(&parts.dirs.view, &args, &[], no_input, |from| {
            let mut text = Vec::new();
            let _ = from.take(256).read_to_end(&mut text);
            text
        })?;
    if ended.code == 1 && ended.said.is_empty() {
        return Ok(None);
    }
    // With `--end-of-options` older versions print that too.
    good("rev-parse", ended).map(|text| {
        let text = line(&text);
        Some(text.lines().last().unwrap_or_default().to_owned())
    })
}

/// A commit with both histories.
fn join(parts: &Merge<'_>, tip: &str) -> Result<String, MergeError> {
    let own = &parts.dirs.own;
    let env = [("GIT_ATTR_SOURCE", OsString::from(parts.dirs.empty_tree()))];
    let args = [
        "merge-tree",
        "--write-tree",
        "--name-only",
        "--no-messages",
        "-z",
        tip,
        parts.commit,
    ];
    let no_input = None::<fn(ChildStdin) -> io::Result<()>>;
    let ended = parts.git.pipe(own, &args, &env, no_input, |from| {
        let mut text = Vec::new();
        from.read_to_end(&mut text).map(|_| text)
    })?;
    let (code, said) = (ended.code, ended.said);
    let text = ended.value.map_err(|source| GitError::Run {
        what: "merge-tree".into(),
        source,
    })?;
    let mut fields = text.split(|b| *b == 0).map(line).filter(|f| !f.is_empty());
    let tree = fields.next();
    match (code, tree) {
        (0, Some(tree)) => {
            let name = parts.author.ident();
            let (name, email) = name.split_once(" <").unwrap_or((&name, ""));
            let email = email.trim_end_matches('>');
            let env = [
                ("GIT_AUTHOR_NAME", name.into()),
                ("GIT_AUTHOR_EMAIL", email.into()),
                ("GIT_COMMITTER_NAME", name.into()),
                ("GIT_COMMITTER_EMAIL", email.into()),
            ];
            let args = [
                "commit-tree",
                &tree,
                "-p",
                tip,
                "-p",
                parts.commit,
                "-F",
                "-",
            ];
            let message = format!("Merge: {}", parts.message);
            let commit = parts.git.text(own, &args, Some(message.as_bytes()), &env)?;
            Ok(line(&commit))
        }
        (1, Some(_)) => Err(MergeError::Conflict(fields.collect())),
        _ => Err(GitError::Failed {
            what: "merge-tree".into(),
            code,
            said,
        }
        .into()),
    }
}

/// Copies by hand: between two pipes `io::copy` lets the kernel do it, which reports a broken pipe when the reader
/// has ended after the last byte, and there was nothing left to write.
fn pour(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let piece = from.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        to.write_all(piece)?;
        let size = piece.len();
        from.consume(size);
    }
}

/// Puts what the repository does not have yet into it, checked.
fn publish(parts: &Merge<'_>, new: &str, tip: Option<&str>) -> Result<(), GitError> {
    let mut wanted = format!("{new}\n^{}\n", parts.base);
    if let Some(tip) = tip {
        wanted.push_str(&format!("^{tip}\n"));
    }
    let mut packing = Ok(());
    let feed = |mut to: ChildStdin| -> io::Result<()> {
        let args = [
            "pack-objects",
            "--revs",
            "--thin",
            "--stdout",
            "-q",
            "--delta-base-offset",
        ];
        let revisions = |mut input: ChildStdin| input.write_all(wanted.as_bytes());
        let packed = parts
            .git
            .pipe(&parts.dirs.own, &args, &[], Some(revisions), |from| {
                pour(from, &mut to)
            });
        match packed.and_then(|p| good("pack-objects", p)) {
            Ok(poured) => poured,
            Err(e) => {
                packing = Err(e);
                Ok(())
            }
        }
    };
    let args = ["index-pack", "--stdin", "--fix-thin", "--strict"];
    let ended = parts
        .git
        .pipe(&parts.dirs.view, &args, &[], Some(feed), |from| {
            io::copy(from, &mut io::sink())
        });
    packing?;
    let copied = good("index-pack", ended?)?;
    copied.map(drop).map_err(|source| GitError::Run {
        what: "index-pack".into(),
        source,
    })
}
