//! `agent-research`: ranked passages with citations from the text, Markdown, CSV and JSON files of the granted
//! directories.
//!
//! Ranking is BM25 over paragraphs, rows and objects, with a second pass that widens the query by words of the
//! first answers (so that a price list which never says "laptop" is found through the models that the notes
//! name). Limits in the topic, such as "under 1200", exclude rows by their fields. The agent must not write
//! files and must not invent: every finding is a passage that stands in a file.

mod markdown;
mod passage;
mod rank;
mod report;
mod structured;
mod walk;

use sandgate_plugin::{
    Agent, Config, Description, NeedKind, Output, PluginError, Result, Task, artifacts, files,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Findings when the task does not say how many: about two screens, and as much as one email can use.
const DEFAULT_LIMIT: usize = 8;
/// Most findings of one answer; keeps the output document far below what the host accepts.
const MAX_LIMIT: usize = 200;

/// What the task asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    topic: String,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    kinds: Vec<Kind>,
    #[serde(default)]
    fields: Vec<String>,
    /// Add the other rows of every table of which a row was found.
    #[serde(default)]
    whole_tables: bool,
}

/// Kinds of passages.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Paragraphs.
    Text,
    /// Rows of tables and JSON objects.
    Row,
}

struct Researcher;

impl Agent for Researcher {
    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Finds passages about a topic in text, Markdown, CSV and JSON files, ranks and cites them",
        )
        .need(
            NeedKind::FilesRead,
            "searches the files of the granted directories",
        )
        .input_schema(input_schema())
        .output_schema(output_schema())
    }

    fn open(_config: Config) -> Result<Self> {
        Ok(Self)
    }

    fn run(&mut self, task: Task) -> Result<Output> {
        let input: Input = task.input()?;
        if input.topic.trim().is_empty() {
            return Err(PluginError::invalid_input(
                "`topic` is empty; say what to look for",
            ));
        }
        for name in &task.produces {
            if !matches!(name.as_str(), "findings" | "findings.md") {
                return Err(PluginError::invalid_input(format!(
                    "`produces` names `{name}`, and agent-research makes only `findings` (JSON) and `findings.md`"
                )));
            }
        }
        let roots = files::roots();
        if roots.is_empty() {
            return Err(PluginError::unavailable(
                "no directory is granted; add one to `files` in [policy] of sandgate.toml, such as \
                 { host = \"notes\", guest = \"/notes\", mode = \"read\" }",
            ));
        }
        let mut collection = walk::collect(&roots, &input.paths);
        let answer = report::answer(&mut collection, &input);
        let output = Output::json(&answer)?;
        if task.produces("findings") {
            let text = serde_json::to_string_pretty(&answer).unwrap_or_default();
            artifacts::write("findings", "application/json", text)?;
        }
        artifacts::write_declared(
            &task,
            "findings.md",
            "text/markdown",
            report::markdown(&answer),
        )?;
        Ok(output)
    }
}

fn input_schema() -> Value {
    json!({
        "type": "object",
        "required": ["topic"],
        "additionalProperties": false,
        "properties": {
            "topic": {
                "type": "string", "minLength": 1,
                "description": "what to look for; limits such as `under 1200 EUR` or `at least 16 GB` exclude rows"
            },
            "limit": { "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "description": "most findings; 8 unless said" },
            "paths": { "type": "array", "items": { "type": "string" }, "description": "files, folders or patterns with *; all unless said" },
            "kinds": { "type": "array", "items": { "enum": ["text", "row"] }, "description": "text: paragraphs; row: table rows and JSON objects; both unless said" },
            "fields": { "type": "array", "items": { "type": "string" }, "description": "columns of rows to keep; all unless said" },
            "whole_tables": { "type": "boolean", "description": "add the other rows of every table of which a row was found; so it is when kinds is just row" }
        }
    })
}

fn output_schema() -> Value {
    json!({
        "type": "object",
        "required": ["topic", "findings", "sources", "searched"],
        "properties": {
            "topic": { "type": "string" },
            "findings": { "type": "array", "items": {
                "type": "object",
                "required": ["rank", "score", "text", "source", "citation"],
                "properties": {
                    "rank": { "type": "integer" },
                    "score": { "type": "number" },
                    "text": { "type": "string" },
                    "source": { "type": "object", "required": ["path", "line_start", "line_end"] },
                    "citation": { "type": "string" },
                    "fields": { "type": "object" }
                }
            } },
            "sources": { "type": "array", "items": { "type": "string" } },
            "searched": { "type": "object" },
            "note": { "type": "string" }
        }
    })
}

sandgate_plugin::export!(agent: Researcher);

#[cfg(test)]
mod tests;
