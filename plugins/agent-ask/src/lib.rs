//! `agent-ask`: one question to a person as a task.
//!
//! The answer is text for later tasks, through templates. It is no approval: whoever may answer a question has not agreed to
//! anything that needs agreement. The agent must not read meaning into the answer, and must not ask twice.

use sandgate_plugin::{
    Agent, Config, Description, NeedKind, Output, PluginError, Result, Task, question,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// What the task asks for.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Input {
    question: String,
    /// Answers to choose from; any text when empty.
    #[serde(default)]
    choices: Vec<String>,
    /// The answer when nobody gives one in time.
    #[serde(default)]
    default: Option<String>,
    /// How long is waited, such as `4h`; for as long as the run when absent.
    #[serde(default)]
    timeout: Option<String>,
}

struct Asker;

impl Agent for Asker {
    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Asks a person one question and hands on the answer",
        )
        .need(NeedKind::Question, "asks the question of its input")
        .input_schema(input_schema())
        .output_schema(json!({
            "type": "object",
            "required": ["answer"],
            "properties": { "answer": { "type": "string" } }
        }))
    }

    fn open(_config: Config) -> Result<Self> {
        Ok(Self)
    }

    fn run(&mut self, task: Task) -> Result<Output> {
        let input: Input = task.input()?;
        if let Some(name) = task.produces.first() {
            return Err(PluginError::invalid_input(format!(
                "`produces` names `{name}`, and agent-ask makes no artifact; the answer is `answer` in its output"
            )));
        }
        if input.question.trim().is_empty() {
            return Err(PluginError::invalid_input(
                "`question` is empty; say what a person is to be asked",
            ));
        }
        if let Some(default) = &input.default
            && !input.choices.is_empty()
            && !input.choices.contains(default)
        {
            return Err(PluginError::invalid_input(format!(
                "`default` is `{default}`, which is none of `choices`"
            )));
        }
        let mut question = question::ask(input.question).choices(&input.choices);
        question.default = input.default;
        question.timeout = input.timeout.as_deref().map(duration).transpose()?;
        Output::json(&json!({ "answer": question.send()? }))
    }
}

/// A time as workflows write it: a whole number and `ms`, `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Result<Duration> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok();
    number
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale))
        .filter(|time| *time > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            PluginError::invalid_input(format!(
                "`timeout` is `{text}`, which is no time; write a number above 0 and ms, s, m, h or d, such as \"4h\""
            ))
        })
}

fn input_schema() -> Value {
    json!({
        "type": "object",
        "required": ["question"],
        "additionalProperties": false,
        "properties": {
            "question": { "type": "string", "minLength": 1, "maxLength": 4096, "description": "what a person is asked" },
            "choices": {
                "type": "array", "maxItems": 20, "items": { "type": "string", "minLength": 1, "maxLength": 200 },
                "description": "answers to choose from; any text when absent"
            },
            "default": { "type": "string", "description": "the answer when nobody gives one in time; with choices, one of them" },
            "timeout": { "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "description": "how long is waited, such as 4h; as long as the run unless said" }
        }
    })
}

sandgate_plugin::export!(agent: Asker);

#[cfg(test)]
mod tests;
