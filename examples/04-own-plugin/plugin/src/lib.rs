//! Counts words and sentences, says how long the text takes to read, and names the longest sentence.

use sandgate_plugin::{Agent, Config, Description, Output, PluginError, Result, Task, artifacts};
use serde_json::json;

/// Words a minute of a person who reads without haste.
const PACE: f64 = 230.0;

#[derive(serde::Deserialize)]
struct Input {
    text: Option<String>,
    /// An artifact to read instead, `TASK.NAME`.
    artifact: Option<String>,
}

struct WordCount;

impl Agent for WordCount {
    fn describe() -> Description {
        let name = env!("CARGO_PKG_NAME");
        let summary = "Counts the words and sentences of a text";
        Description::new(name, env!("CARGO_PKG_VERSION"), summary).input_schema(json!({
            "type": "object",
            "properties": { "text": { "type": "string" }, "artifact": { "type": "string" } }
        }))
    }

    fn open(_config: Config) -> Result<Self> {
        Ok(Self)
    }

    fn run(&mut self, task: Task) -> Result<Output> {
        let text = match task.input()? {
            Input {
                text: Some(text), ..
            } => text,
            Input {
                artifact: Some(name),
                ..
            } => artifacts::read_text(&name)?,
            Input { .. } => return Err(PluginError::invalid_input("give `text` or `artifact`")),
        };
        let count = |text: &str| text.split_whitespace().count();
        let sentences: Vec<&str> = text
            .split_inclusive(['.', '!', '?'])
            .map(str::trim)
            .filter(|sentence| sentence.contains(char::is_alphanumeric))
            .collect();
        Output::json(&json!({
            "words": count(&text),
            "sentences": sentences.len(),
            "reading_minutes": (count(&text) as f64 / PACE * 10.0).round() / 10.0,
            "longest_sentence": sentences.iter().max_by_key(|sentence| count(sentence)),
        }))
    }
}

sandgate_plugin::export!(agent: WordCount);
