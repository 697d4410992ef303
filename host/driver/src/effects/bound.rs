//! What the approval of a command is bound to: arguments and environment, the program's bytes, the directories it may
//! act in and the one it starts in, and the contents of files that its arguments name. Only looks; must not run anything.

mod files;
mod names;

use super::command::{CommandDir, CommandParts};
use files::{Found, Roots};
use names::{Start, paths, words as names_in};
use sandgate_authority::ExecPermit;
use sandgate_exec::Program;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// For whoever approves: what the record says nothing of.
const NOT_BOUND: &str = "files that the program reads by itself, and what is in directories";

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
    let env = permit.env().values();
    let place = Place {
        cwd: cwd.clone(),
        directory,
        scratch: parts.runner.scratch().to_owned(),
        dirs: parts.dirs.clone(),
        read: permit.read().iter().map(PathBuf::from).collect(),
        words: permit.args().iter().chain(env).cloned().collect(),
    };
    let looked = tokio::task::spawn_blocking(move || look(&program, &place));
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
        "workspace": parts.workspace,
        "directories": directories(&parts.dirs, parts.desk.shared.project.dir()),
        "found": found,
        "not_bound": NOT_BOUND,
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

/// The directories that it may act in. Those of the project are named as the project does.
fn directories(dirs: &[CommandDir], project: &Path) -> Value {
    let said = dirs.iter().map(|dir| {
        let host = match dir.path.strip_prefix(project) {
            Ok(rest) if rest.as_os_str().is_empty() => Path::new("."),
            Ok(rest) => rest,
            Err(_) => &dir.path,
        };
        json!({
            "guest": dir.guest,
            "host": host.display().to_string(),
            "mode": if dir.write { "write" } else { "read" },
        })
    });
    said.collect()
}

/// Where a command would run, and what it would be told.
struct Place {
    /// Where it starts, as the guest says it, and on the host.
    cwd: Option<String>,
    directory: Option<PathBuf>,
    /// Where commands have directories of their own.
    scratch: PathBuf,
    dirs: Vec<CommandDir>,
    /// Further directories that it may read.
    read: Vec<PathBuf>,
    /// Its arguments, and the values of its environment.
    words: Vec<String>,
}

fn look(program: &Program, place: &Place) -> Result<Value, String> {
    let digest = program.sha256().map_err(|error| crate::chain(&error))?;
    let mut found = Map::new();
    found.insert(
        "program".to_owned(),
        json!({ "path": program.real().display().to_string(), "sha256": digest }),
    );
    let roots = place.dirs.iter().map(|dir| dir.path.clone());
    let mut roots = Roots::new(roots.chain(place.read.iter().cloned()));
    let start = match (&place.directory, &place.cwd) {
        (Some(dir), Some(guest)) => {
            let unread = |error: io::Error| format!("`{guest}` cannot be looked at: {error}");
            let identity = roots
                .directory(dir)
                .map_err(unread)?
                .ok_or_else(|| format!("`{guest}` leads out of the directories of this attempt"))?;
            found.insert(
                "directory".to_owned(),
                json!({
                    "device": identity.device,
                    "number": identity.number,
                    "made_ns": identity.made,
                }),
            );
            Start::Directory(dir.clone())
        }
        _ => {
            let scratch = std::fs::canonicalize(&place.scratch);
            // The names that the runner gives do not matter: only ways out of there lead anywhere.
            let scratch = scratch.unwrap_or_else(|_| place.scratch.clone());
            Start::Fresh(scratch.join("command/work"))
        }
    };
    let files = files(&mut roots, &start, &place.dirs, &place.words)?;
    found.insert("files".to_owned(), files);
    Ok(Value::Object(found))
}

/// Files that words name, below the directories of the command: a script, a configuration, a document. By the name as
/// it is written; a name that may mean several things has all of them.
fn files(
    roots: &mut Roots,
    start: &Start,
    dirs: &[CommandDir],
    words: &[String],
) -> Result<Value, String> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (word, value) in words.iter().flat_map(|word| names_in(word)) {
        if !seen.insert((word.clone(), value)) {
            continue;
        }
        for path in paths(&word, start, dirs) {
            let unread = |error: io::Error| format!("`{word}` cannot be read: {error}");
            match roots.look(&path).map_err(unread)? {
                // A word in the middle of a text is seldom a directory's name.
                Some(Found::Directory) if !value => {}
                Some(what) => {
                    found.entry(word.clone()).or_default().insert(what.said());
                }
                None => {}
            }
        }
    }
    let said = found.into_iter().map(|(name, what)| {
        let mut what: Vec<Value> = what.into_iter().map(Value::String).collect();
        let what = match (what.len(), what.pop()) {
            (1, Some(one)) => one,
            (_, last) => {
                what.extend(last);
                Value::Array(what)
            }
        };
        (name, what)
    });
    Ok(Value::Object(said.collect()))
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

    #[test]
    fn every_spelling_of_a_file_binds_it() {
        let tmp = tempfile::tempdir().unwrap();
        let at = |name: &str| tmp.path().join(name);
        for dir in ["w/sub/deep", "r", "w/state"] {
            std::fs::create_dir_all(at(dir)).unwrap();
        }
        let dirs = [CommandDir {
            path: at("w"),
            identity: None,
            guest: "/data".into(),
            write: true,
        }];
        let host = |name: &str| at(name).display().to_string();
        let spellings = [
            "run.sh".to_owned(),
            "./run.sh".to_owned(),
            "deep/../run.sh".to_owned(),
            "absent/../run.sh".to_owned(),
            "../sub/run.sh".to_owned(),
            "../../w/sub/run.sh".to_owned(),
            "../../../../../../../../../../../../../../../..".to_owned() + &host("w/sub/run.sh"),
            host("w/sub/run.sh"),
            "/".to_owned() + &host("w/./sub/deep/../run.sh"),
            "/data/sub/run.sh".to_owned(),
            "/proc/self/cwd/run.sh".to_owned(),
            "-frun.sh".to_owned(),
            "@run.sh".to_owned(),
            "x:run.sh".to_owned(),
            "--config=run.sh".to_owned(),
            format!("--config={}", host("w/sub/run.sh")),
            "type=bind,src=./run.sh,ro".to_owned(),
            ". ./run.sh && true".to_owned(),
            host("r/run.sh"),
        ];
        let start = Start::Directory(at("w/sub"));
        let look = |start: &Start, arg: &str| {
            let mut roots = Roots::new([at("w"), at("r")].into_iter());
            files(&mut roots, start, &dirs, &[arg.to_owned()]).unwrap()
        };
        for arg in &spellings {
            let write = |text: &str| {
                std::fs::write(at("w/sub/run.sh"), text).unwrap();
                std::fs::write(at("r/run.sh"), text).unwrap();
            };
            write("good");
            let good = look(&start, arg);
            assert!(!good.as_object().unwrap().is_empty(), "{arg}");
            write("evil");
            assert_ne!(look(&start, arg), good, "{arg}");
        }
        println!("{} spellings, each bound", spellings.len());
        // From an empty directory of its own.
        let fresh = Start::Fresh(at("w/state/command/work"));
        let climbs = "../../../sub/run.sh";
        assert!(look(&fresh, climbs).get(climbs).is_some());
        assert_eq!(look(&fresh, "run.sh"), json!({}));
        // Said, and not read.
        std::os::unix::fs::symlink("/etc/passwd", at("w/sub/out")).unwrap();
        assert_eq!(look(&start, "out"), json!({ "out": "outside" }));
        assert_eq!(look(&start, "--in=deep"), json!({ "deep": "directory" }));
        assert_eq!(look(&start, "/etc/passwd"), json!({}));
        // Two files that one word may mean.
        std::fs::create_dir_all(at("w/other/dir")).unwrap();
        std::fs::write(at("w/other/run.sh"), "other").unwrap();
        std::os::unix::fs::symlink("../other/dir", at("w/sub/way")).unwrap();
        let two = look(&start, "way/../run.sh");
        let both = two.get("way/../run.sh").and_then(Value::as_array);
        assert_eq!(both.map(Vec::len), Some(2), "{two}");
    }

    #[test]
    fn directories_are_named_as_the_project_does() {
        let dir = |guest: &str, path: &str, write: bool| CommandDir {
            path: path.into(),
            identity: None,
            guest: guest.into(),
            write,
        };
        let dirs = [
            dir("/", "/p", false),
            dir("/notes", "/p/docs/notes", true),
            dir("/data", "/other", true),
        ];
        assert_eq!(
            directories(&dirs, Path::new("/p")),
            json!([
                { "guest": "/", "host": ".", "mode": "read" },
                { "guest": "/notes", "host": "docs/notes", "mode": "write" },
                { "guest": "/data", "host": "/other", "mode": "write" },
            ])
        );
    }
}
