//! `agent-communication`: drafts an email, a message or a summary from what it is handed, and cites it.
//!
//! A template writer: the same input always gives the same text, and every point is a sentence or a row of a
//! finding. It must not invent facts, and it sends nothing.

mod input;
mod letter;
mod points;

use sandgate_plugin::{Agent, Config, Description, Output, Result, Task, artifacts};
use serde_json::{Value, json};

struct Writer;

impl Agent for Writer {
    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Drafts an email, a message or a summary from findings and comparisons, with citations",
        )
        .input_schema(input_schema())
        .output_schema(output_schema())
    }

    fn open(_config: Config) -> Result<Self> {
        Ok(Self)
    }

    fn run(&mut self, task: Task) -> Result<Output> {
        let material = input::Material::of(task.input()?)?;
        let letter = letter::write(&material);
        for name in &task.produces {
            let (media_type, text) = match name.rsplit_once('.').map(|(_, extension)| extension) {
                Some("eml") => ("message/rfc822", letter.rfc822()),
                Some("json") => ("application/json", letter.json().to_string()),
                Some("txt") => ("text/plain", letter.text()),
                _ => ("text/markdown", letter.text()),
            };
            artifacts::write(name, media_type, text)?;
        }
        Output::json(&letter.json())
    }
}

fn input_schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "kind": { "enum": ["email", "message", "summary"], "description": "email unless said" },
            "to": { "type": ["string", "null"], "description": "address or name" },
            "from": { "type": ["string", "null"], "description": "name under the text" },
            "subject": { "type": ["string", "null"] },
            "topic": { "type": ["string", "null"], "description": "what it is about" },
            "tone": { "enum": ["friendly", "neutral", "formal"] },
            "findings": { "description": "output of agent-research, a list of such, a list of findings, or text with a point in each line" },
            "comparison": { "description": "output of agent-compare" },
            "max_points": { "type": "integer", "minimum": 1, "maximum": 50 }
        }
    })
}

fn output_schema() -> Value {
    json!({
        "type": "object",
        "required": ["to", "subject", "body", "citations"],
        "properties": {
            "to": { "type": "string" },
            "subject": { "type": "string" },
            "body": { "type": "string" },
            "points": { "type": "integer" },
            "citations": { "type": "array", "items": { "type": "string" } }
        }
    })
}

sandgate_plugin::export!(agent: Writer);

#[cfg(test)]
mod tests;
