//! What the approval of a command is bound to: arguments and environment, the program's bytes, the directory it starts
//! in, and the contents of files that its arguments name. Only looks; must not run anything.

use super::command::{CommandDir, CommandParts};
use sandgate_authority::ExecPermit;
use sandgate_exec::Program;
use sandgate_model::Digest;
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Largest file that an approval is bound to. A larger one cannot be approved: nobody could say that it is still the
/// same. Scripts and configurations are small; documents of this size are data, which belongs into an artifact.
const FILE_MAX: u64 = 64 << 20;

/// The record of a command: everything that decides what will happen.
///
/// # Errors
/// When something it is about cannot be read.
pub(super) async fn action(
    parts: &Arc<CommandParts>,
    permit: &ExecPermit,
) -> Result<Value, String> {
    let program = match parts.programs.get(permit.rule()) {
        Some(Ok(program)) => program.clone(),
        Some(Err(why)) => return Err(why.clone()),
        None => return Err("its program was not found when it was granted".to_owned()),
    };
    let cwd = permit.cwd().map(str::to_owned);
    let directory = match &cwd {
        None => None,
        Some(guest) => Some(
            host_path(&parts.dirs, guest)
                .ok_or_else(|| format!("`{guest}` lies in no directory of this attempt"))?,
        ),
    };
    let files = files(&parts.dirs, directory.as_deref(), permit.args());
    let looked = tokio::task::spawn_blocking(move || look(&program, directory.as_deref(), &files));
    let found = looked
        .await
        .map_err(|error| format!("what it is about could not be looked at: {error}"))??;
    Ok(json!({
        "program": permit.program(),
        "args": permit.args(),
        "cwd": cwd,
        "rule": permit.name(),
        "env": permit.env(),
        "secrets": permit.secrets(),
        "network": permit.network(),
        "read": permit.read(),
        "timeout_ms": permit.timeout().map(|t| t.0),
        "found": found,
    }))
}

/// Program, arguments and directory, as a record says them.
pub(super) fn words(action: &Value) -> Option<(String, Vec<String>, Option<String>)> {
    let program = action.get("program")?.as_str()?.to_owned();
    let args = action.get("args")?.as_array()?.iter();
    let args = args
        .map(|arg| arg.as_str().map(str::to_owned))
        .collect::<Option<_>>()?;
    let cwd = match action.get("cwd")? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        _ => return None,
    };
    Some((program, args, cwd))
}

/// Files that the arguments name, below the directories of the attempt: a script, a configuration, a document.
fn files(dirs: &[CommandDir], cwd: Option<&Path>, args: &[String]) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for arg in args {
        // `--config=file` names one as well.
        let words = [
            Some(arg.as_str()),
            arg.split_once('=').map(|(_, value)| value),
        ];
        for word in words.into_iter().flatten() {
            let plain = !word.is_empty() && word.split('/').all(|part| part != "..");
            let path = match (plain, word.starts_with('/')) {
                (false, _) => None,
                (true, true) => host_path(dirs, word),
                (true, false) => cwd.map(|cwd| cwd.join(word)),
            };
            if let Some(path) = path {
                found.push((word.to_owned(), path));
            }
        }
    }
    found
}

fn look(
    program: &Program,
    directory: Option<&Path>,
    files: &[(String, PathBuf)],
) -> Result<Value, String> {
    let unread =
        |path: &Path, error: io::Error| format!("{} cannot be read: {error}", path.display());
    let digest = program.sha256().map_err(|error| crate::chain(&error))?;
    let mut found = Map::new();
    found.insert(
        "program".to_owned(),
        json!({ "path": program.real().display().to_string(), "sha256": digest }),
    );
    if let Some(dir) = directory {
        let meta = std::fs::symlink_metadata(dir).map_err(|error| unread(dir, error))?;
        // The very directory, whatever its path leads to later.
        let place = json!({ "device": meta.dev(), "number": meta.ino() });
        found.insert("directory".to_owned(), place);
    }
    let mut contents = Map::new();
    for (name, path) in files {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_file() => {
                let digest = hash(path).map_err(|error| unread(path, error))?;
                contents.insert(name.clone(), json!(digest));
            }
            // Not a file, or not there: then it is no file that could change. One that appears is a difference.
            _ => {}
        }
    }
    found.insert("files".to_owned(), Value::Object(contents));
    Ok(Value::Object(found))
}

fn hash(path: &Path) -> io::Result<Digest> {
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_MAX {
        return Err(io::Error::other(format!(
            "it is larger than {} MiB, and an approval could not be bound to it",
            FILE_MAX >> 20
        )));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(Digest::of(&bytes))
}

/// Where a guest's path is on the host, as text: the directories of the attempt are roots, and what is below one of
/// them is opened beneath it.
pub(super) fn host_path(dirs: &[CommandDir], guest: &str) -> Option<PathBuf> {
    dirs.iter().find_map(|dir| {
        let rest = guest.strip_prefix(dir.guest.as_str())?;
        let rest = match (rest, dir.guest.as_str()) {
            ("", _) => return Some(dir.path.clone()),
            (rest, "/") => rest,
            (rest, _) => rest.strip_prefix('/')?,
        };
        let plain = rest.split('/').all(|part| !matches!(part, "" | "." | ".."));
        plain.then(|| dir.path.join(rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_paths_stay_in_their_directories() {
        let dir = |guest: &str, path: &str| CommandDir {
            path: path.into(),
            identity: None,
            guest: guest.into(),
            write: false,
        };
        let dirs = [dir("/notes", "/host/notes"), dir("/data", "/host/w")];
        let path = |guest: &str| host_path(&dirs, guest).map(|p| p.display().to_string());
        assert_eq!(path("/notes").as_deref(), Some("/host/notes"));
        assert_eq!(path("/data/a/b").as_deref(), Some("/host/w/a/b"));
        for bad in [
            "/notesx",
            "/notes/..",
            "/notes/../../etc",
            "/notes//x",
            "/notes/./x",
            "/",
            "/etc",
            "notes",
            "",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
