//! Touches files as its input says: `"read:/notes/a.txt"`, `"list:/notes"`, `"write:/out/b.txt"`,
//! `"remove:/out/b.txt"`. What happened is its output, as a JSON string.

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "agent" });
}

use bindings::exports::sandgate::plugin::describing::{Description, Guest as Describing};
use bindings::exports::sandgate::plugin::working::{
    Guest as Working, GuestSession, Session, Task, TaskOutput,
};
use bindings::sandgate::plugin::types::{Need, NeedKind, PluginError};
use std::fs;

struct Files;

impl Describing for Files {
    fn describe() -> Description {
        Description {
            name: "files".into(),
            version: "0.1.0".into(),
            summary: "Touches files".into(),
            needs: vec![Need {
                kind: NeedKind::FilesRead,
                reason: "to read the files it is told to read".into(),
                optional: false,
            }],
            input_schema: None,
            output_schema: None,
            config_schema: Some("{}".into()),
        }
    }
}

impl Working for Files {
    type Session = Files;
    fn open(_config: String) -> Result<Session, PluginError> {
        Ok(Session::new(Files))
    }
}

fn act(verb: &str, path: &str) -> std::io::Result<String> {
    match verb {
        "read" => fs::read_to_string(path),
        "write" => fs::write(path, "written by a guest").map(|()| "written".into()),
        "remove" => fs::remove_file(path).map(|()| "removed".into()),
        "list" => {
            let mut names = fs::read_dir(path)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<std::io::Result<Vec<_>>>()?;
            names.sort();
            Ok(names.join(","))
        }
        _ => Err(std::io::Error::other("unknown verb")),
    }
}

impl GuestSession for Files {
    fn run(&self, task: Task) -> Result<TaskOutput, PluginError> {
        let input = bare(&task.input);
        let (verb, path) = input.split_once(':').unwrap_or((input, ""));
        match act(verb, path) {
            Ok(text) => Ok(TaskOutput {
                output: format!("{text:?}"),
                charges: Vec::new(),
            }),
            Err(error) => Err(PluginError::Failed(format!("{verb} {path}: {error}"))),
        }
    }
}

bindings::export!(Files with_types_in bindings);

/// The order in a JSON document: a string, or, since tasks in a file have tables, `{"act": "..."}`.
fn bare(json: &str) -> &str {
    let inner = json
        .strip_prefix("{\"act\":")
        .and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or(json).trim_matches('"')
}
