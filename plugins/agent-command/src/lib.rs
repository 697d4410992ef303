//! `agent-command`: one allowed command as a task.
//!
//! The output says how it ended and what it wrote; the whole of its standard output can become an artifact. A command that was
//! not granted, not approved or cannot be contained makes the task unavailable; an exit code that is not among
//! `ok_codes` fails it, and it may be tried again. The agent decides nothing about what may run: the host
//! compares program and arguments with the project's rules.

use sandgate_plugin::command::{self, Ending, Finished};
use sandgate_plugin::{
    Agent, Config, Description, NeedKind, Output, PluginError, Result, Task, artifacts,
};
use sandgate_plugin_shared::{last_lines, plain};
use serde::Deserialize;
use serde_json::{Value, json};

/// Bytes of each stream in the output document; the end is kept. Later tasks read it through templates, so it stays
/// far below what a document may have; the artifact has everything.
const STREAM: usize = 64 << 10;
/// Lines of output in the message of a failure, and characters of each.
const EXCERPT: (usize, usize) = (8, 200);

/// What the task asks for.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Input {
    program: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    cwd: Option<String>,
    /// The standard output is a JSON document.
    #[serde(default)]
    parse_json: bool,
    /// Name of the artifact that takes the standard output.
    #[serde(default)]
    artifact: Option<String>,
    /// Exit codes that are a success.
    #[serde(default = "zero")]
    ok_codes: Vec<i32>,
}

fn zero() -> Vec<i32> {
    vec![0]
}

struct Runner;

impl Agent for Runner {
    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Runs one allowed command and hands on what it wrote, as text, JSON or an artifact",
        )
        .need(NeedKind::Exec, "runs the command that its input names")
        .optional_need(
            NeedKind::FilesRead,
            "the command works in the directories that the task is granted",
        )
        .optional_need(
            NeedKind::FilesWrite,
            "the command writes where the task may write",
        )
        .optional_need(
            NeedKind::Secrets,
            "secrets that a rule hands to its command",
        )
        .input_schema(input_schema())
        .output_schema(output_schema())
    }

    fn open(_config: Config) -> Result<Self> {
        Ok(Self)
    }

    fn run(&mut self, task: Task) -> Result<Output> {
        let input: Input = task.input()?;
        validate(&input, &task)?;
        let done = command::run(&input.program, &input.args, input.cwd.as_deref())?;
        let code = exit_code(&input, &done)?;
        let document = match input.parse_json {
            true => Some(document(&done)?),
            false => None,
        };
        if let Some(name) = &input.artifact {
            let media_type = match input.parse_json {
                true => "application/json",
                false => "text/plain",
            };
            artifacts::write(name, media_type, &done.stdout)?;
        }
        let (stdout, stdout_cut) = end(&done.stdout);
        let (stderr, stderr_cut) = end(&done.stderr);
        let mut answer = json!({
            "exit_code": code,
            "stdout": stdout,
            "stderr": stderr,
            "cut_bytes": (stdout_cut + stderr_cut) as u64 + done.dropped,
            "duration_ms": u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
        });
        if let (Some(document), Some(fields)) = (document, answer.as_object_mut()) {
            fields.insert("json".to_owned(), document);
        }
        Output::json(&answer)
    }
}

fn validate(input: &Input, task: &Task) -> Result<()> {
    if input.program.is_empty() {
        return Err(PluginError::invalid_input(
            "`program` is empty; name the program as the `exec` rule of [policy] in sandgate.toml does",
        ));
    }
    if input.ok_codes.is_empty() {
        return Err(PluginError::invalid_input(
            "`ok_codes` is empty, so no end would be a success; leave it out for [0]",
        ));
    }
    for name in &task.produces {
        if input.artifact.as_ref() != Some(name) {
            return Err(PluginError::invalid_input(format!(
                "`produces` names `{name}`, and the input does not say `artifact = \"{name}\"`; agent-command makes \
                 that one artifact, its standard output"
            )));
        }
    }
    match &input.artifact {
        Some(name) if !task.produces(name) => Err(PluginError::invalid_input(format!(
            "`artifact` is `{name}`, and the task does not declare it; add it to `produces`"
        ))),
        _ => Ok(()),
    }
}

/// The exit code, when it is a success.
fn exit_code(input: &Input, done: &Finished) -> Result<i32> {
    match done.ending {
        Ending::Exit(code) if input.ok_codes.contains(&code) => Ok(code),
        // It may be a test that fails now and then, or a server that is away: trying again can help.
        Ending::Exit(_) | Ending::Signal(_) | Ending::TimedOut(_) => {
            let mut text = format!("`{}` {}", plain(input.program.as_bytes()), done.ending);
            for stream in [&done.stderr, &done.stdout] {
                let lines = last_lines(&plain(stream), EXCERPT.0, EXCERPT.1);
                if !lines.is_empty() {
                    text += ":\n";
                    text += &lines.join("\n");
                    break;
                }
            }
            Err(PluginError::failed(text))
        }
    }
}

/// The end of a stream as plain text, and how many bytes are missing before it.
fn end(stream: &[u8]) -> (String, usize) {
    let from = stream.len().saturating_sub(STREAM);
    (plain(stream.get(from..).unwrap_or_default()), from)
}

fn document(done: &Finished) -> Result<Value> {
    serde_json::from_slice(&done.stdout).map_err(|error| {
        if done.dropped > 0 {
            return cut_json(done);
        }
        PluginError::permanent(format!(
            "`parse_json` is set, and the standard output is no JSON document: {error}"
        ))
    })
}

fn cut_json(done: &Finished) -> PluginError {
    PluginError::permanent(format!(
        "the command wrote more than the host keeps ({} bytes are gone), so its standard output is no whole JSON \
         document; let it write less, or to a file",
        done.dropped
    ))
}

fn input_schema() -> Value {
    json!({
        "type": "object",
        "required": ["program"],
        "additionalProperties": false,
        "properties": {
            "program": { "type": "string", "minLength": 1, "description": "program, exactly as an `exec` rule names it" },
            "args": { "type": "array", "items": { "type": "string" }, "description": "arguments, exactly as in the rule, holes filled" },
            "cwd": { "type": "string", "minLength": 1, "description": "directory to start in, as the agent sees it; the rule's unless said" },
            "parse_json": { "type": "boolean", "description": "the standard output is a JSON document; it is then `json` in the output" },
            "artifact": { "type": "string", "description": "name of the artifact that takes the standard output, one of `produces`" },
            "ok_codes": { "type": "array", "minItems": 1, "items": { "type": "integer" }, "description": "exit codes that are a success; [0] unless said" }
        }
    })
}

fn output_schema() -> Value {
    json!({
        "type": "object",
        "required": ["exit_code", "stdout", "stderr", "cut_bytes", "duration_ms"],
        "properties": {
            "exit_code": { "type": "integer" },
            "stdout": { "type": "string", "description": "its end, as plain text" },
            "stderr": { "type": "string", "description": "its end, as plain text" },
            "cut_bytes": { "type": "integer", "description": "bytes of both that are not in here" },
            "duration_ms": { "type": "integer" },
            "json": { "description": "the document, with `parse_json`" }
        }
    })
}

sandgate_plugin::export!(agent: Runner);

#[cfg(test)]
mod tests;
