//! Leaving out what the project ignores: build products of an attempt are no changes.
//!
//! The rules are those that are committed in `.gitignore` files. They are written into a directory of ours that has
//! nothing else in it; what a guest makes of its own copies counts for nothing.

use super::{
    changes::{Catch, new_paths},
    checkout::Base,
    run::GitError,
};
use crate::{
    error::FinishError,
    settings::Quota,
    tree::{WriteError, Writer},
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ChildStdin,
};

/// Rules are small; a commit with more is not read further than this.
const RULES: Quota = Quota {
    max_bytes: 64 << 20,
    max_files: 100_000,
    max_patch: 0,
};

/// Removes new paths that are ignored.
pub(super) fn leave_out<T>(
    parts: &Catch<'_>,
    touched: &mut BTreeMap<PathBuf, T>,
) -> Result<(), FinishError> {
    let fresh = new_paths(parts.base, touched);
    if fresh.is_empty() || parts.base.ignores.is_empty() {
        return Ok(());
    }
    write_rules(parts, parts.base)?;
    let ignored = ask(parts, &fresh).map_err(FinishError::Git)?;
    for path in ignored {
        touched.remove(&path);
    }
    Ok(())
}

fn write_rules(parts: &Catch<'_>, base: &Base) -> Result<(), FinishError> {
    let mut writer = Writer::new(parts.ignore.0, RULES);
    for (path, object) in &base.ignores {
        let args = ["cat-file", "blob", object.as_str()];
        let text = parts
            .git
            .text(&parts.dirs.view, &args, None, &[])
            .map_err(FinishError::Git)?;
        let wrote = writer
            .take(text.len() as u64)
            .and_then(|()| writer.file(path))
            .and_then(|mut file| {
                file.write_all(&text).map_err(|source| WriteError::Io {
                    path: path.clone(),
                    source,
                })
            });
        wrote.map_err(|e| match e {
            WriteError::Quota { what, limit } => FinishError::Quota { what, limit },
            WriteError::Io { source, .. } => FinishError::Io {
                action: "write the rules of what to ignore",
                source,
            },
        })?;
    }
    Ok(())
}

fn ask(parts: &Catch<'_>, paths: &[&Path]) -> Result<Vec<PathBuf>, GitError> {
    let feed = |to: ChildStdin| -> io::Result<()> {
        let mut to = io::BufWriter::new(to);
        for path in paths {
            // `:` at the beginning would be magic.
            to.write_all(b"./")?;
            to.write_all(path.as_os_str().as_bytes())?;
            to.write_all(b"\0")?;
        }
        to.flush()
    };
    let args = ["check-ignore", "--no-index", "--stdin", "-z"];
    // Literal pathspecs are the one kind that this command does not take.
    let env = [
        ("GIT_WORK_TREE", parts.ignore.1.as_os_str().to_owned()),
        ("GIT_LITERAL_PATHSPECS", "0".into()),
    ];
    let ended = parts.git.pipe_in(
        parts.ignore.1,
        &parts.dirs.own,
        &args,
        &env,
        Some(feed),
        |from| {
            let mut text = Vec::new();
            from.read_to_end(&mut text).map(|_| text)
        },
    )?;
    // 1: none is ignored.
    if ended.code != 0 && ended.code != 1 {
        return Err(GitError::Failed {
            what: "check-ignore".into(),
            code: ended.code,
            said: ended.said,
        });
    }
    let text = ended.value.map_err(|source| GitError::Run {
        what: "check-ignore".into(),
        source,
    })?;
    Ok(text
        .split(|b| *b == 0)
        .filter(|p| !p.is_empty())
        .map(|p| PathBuf::from(OsStr::from_bytes(p.strip_prefix(b"./").unwrap_or(p))))
        .collect())
}
