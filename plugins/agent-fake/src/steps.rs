//! Steps that need other parts of the product, in the order of the input: questions to people, commands.

use sandgate_plugin::command::{self, Ending};
use sandgate_plugin::{Result, log, question};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// One step: `{ ask = { text = "..." } }`, `{ command = { program = "..." } }`, `{ log = "..." }`, `{ sleep_ms = 5 }`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Ask(Ask),
    Command(Command),
    Log(String),
    SleepMs(u64),
}

/// A question to a person; the answer is what came of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    text: String,
    #[serde(default)]
    choices: Vec<String>,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

/// A command, whatever its exit code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    program: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    cwd: Option<String>,
}

/// Does all of them, and gives what came of each.
pub(crate) fn all(steps: &[Step]) -> Result<Vec<Value>> {
    steps.iter().map(one).collect()
}

fn one(step: &Step) -> Result<Value> {
    Ok(match step {
        Step::Ask(ask) => {
            let mut question = question::ask(&ask.text).choices(&ask.choices);
            question.default.clone_from(&ask.default);
            question.timeout = ask.timeout_ms.map(Duration::from_millis);
            json!(question.send()?)
        }
        Step::Command(wanted) => {
            let done = command::run(&wanted.program, &wanted.args, wanted.cwd.as_deref())?;
            match done.ending {
                Ending::Exit(code) => json!({ "exit_code": code, "stdout": done.stdout_text() }),
                other => json!({ "ended": other.to_string() }),
            }
        }
        Step::Log(line) => {
            log::info(line);
            Value::Null
        }
        Step::SleepMs(time) => {
            std::thread::sleep(Duration::from_millis(*time));
            Value::Null
        }
    })
}

pub(crate) fn schema() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "array", "items": text });
    let table = |required: &str, properties: Value| {
        json!({
            "type": "object", "required": [required], "additionalProperties": false, "properties": properties
        })
    };
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {
                "ask": table("text", json!({
                    "text": text, "choices": texts, "default": text,
                    "timeout_ms": { "type": "integer", "minimum": 1 }
                })),
                "command": table("program", json!({ "program": text, "args": texts, "cwd": text })),
                "log": text,
                "sleep_ms": { "type": "integer", "minimum": 0 }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandgate_plugin::PluginError;
    use sandgate_plugin::command::{CommandError, Finished};
    use sandgate_plugin::testing::Bench;

    fn run(input: Value, bench: Bench) -> (Result<Vec<Value>>, Bench) {
        let steps: Vec<Step> = serde_json::from_value(input).unwrap();
        bench.run(|| all(&steps))
    }

    #[test]
    fn in_order() {
        let bench = Bench::new()
            .person(|question| Ok(format!("{} it is", question.choices[1])))
            .command(|request| {
                Ok(Finished {
                    ending: Ending::Exit(3),
                    stdout: request.args.join(" ").into_bytes(),
                    stderr: Vec::new(),
                    dropped: 0,
                    took: Duration::ZERO,
                })
            });
        let ask = json!({ "ask": { "text": "Which?", "choices": ["a", "b"], "default": "a", "timeout_ms": 5 } });
        let command =
            json!({ "command": { "program": "git", "args": ["tag", "v1"], "cwd": "/repo" } });
        let (done, bench) = run(
            json!([command, ask, { "log": "x" }, { "sleep_ms": 0 }, command]),
            bench,
        );
        let ran = json!({ "exit_code": 3, "stdout": "tag v1" });
        assert_eq!(
            done.unwrap(),
            [ran.clone(), json!("b it is"), Value::Null, Value::Null, ran]
        );
        let asked = &bench.questions()[0];
        assert_eq!(asked.default.as_deref(), Some("a"));
        assert_eq!(asked.timeout, Some(Duration::from_millis(5)));
        assert_eq!(bench.commands()[1].cwd.as_deref(), Some("/repo"));
    }

    #[test]
    fn the_first_failure_is_the_end() {
        let bench =
            Bench::new().command(|_| Err(CommandError::NotApproved("rejected by ada".to_owned())));
        let (done, bench) = run(
            json!([{ "command": { "program": "git" } }, { "log": "never" }]),
            bench,
        );
        assert!(matches!(done, Err(PluginError::Unavailable(text)) if text.contains("ada")));
        assert!(bench.logged().is_empty());
    }
}
