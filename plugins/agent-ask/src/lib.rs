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

/// Units of a time, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

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

/// A time as workflows write it: `90s`, `1h30m`; larger units first, each once.
fn duration(text: &str) -> Result<Duration> {
    let wrong = || {
        PluginError::invalid_input(format!(
            "`timeout` is `{text}`, which is no time; write a number with d, h, m, s or ms, such as \"4h\" or \"1h30m\""
        ))
    };
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, milliseconds) in UNITS {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(tail.len());
        let (found, tail) = tail.split_at(letters);
        if found != unit {
            continue;
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total = number
            .checked_mul(milliseconds)
            .and_then(|more| total.checked_add(more))
            .ok_or_else(wrong)?;
        rest = tail;
    }
    if total == 0 || !rest.is_empty() {
        return Err(wrong());
    }
    Ok(Duration::from_millis(total))
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
            "timeout": { "type": "string", "pattern": "^([0-9]+(d|h|m|s|ms))+$", "description": "how long is waited, such as 4h; as long as the run unless said" }
        }
    })
}

sandgate_plugin::export!(agent: Asker);

#[cfg(test)]
mod tests;
