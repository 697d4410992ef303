//! `agent-compare`: ranks rows by criteria.
//!
//! Rows come from research (the fields of its findings), from an artifact, or from the input itself. Rows of
//! the same name from different files are joined; within a file they stay apart. The agent must not guess: a
//! row without the compared value is left out and named, and a criterion whose direction nobody can know is an
//! error.

mod compare;
mod gather;
mod table;

use sandgate_plugin::{Agent, Config, Description, Output, PluginError, Result, Task, artifacts};
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows in the answer when the task does not say how many.
const DEFAULT_LIMIT: usize = 50;

/// What the task asks for.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Input {
    /// Output of `agent-research`, or a list of such.
    research: Value,
    /// Rows, or CSV or JSON text.
    rows: Value,
    /// An artifact with CSV or JSON, `TASK.NAME`.
    artifact: Option<String>,
    criteria: Vec<compare::Criterion>,
    filters: Vec<compare::Filter>,
    /// A sentence whose limits are filters.
    topic: Option<String>,
    /// The column that names a row.
    key: Option<String>,
    limit: Option<usize>,
}

struct Comparer;

impl Agent for Comparer {
    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Compares rows by criteria such as price and shows them as a table, best first",
        )
        .input_schema(input_schema())
        .output_schema(output_schema())
    }

    fn open(_config: Config) -> Result<Self> {
        Ok(Self)
    }

    fn run(&mut self, task: Task) -> Result<Output> {
        let input: Input = task.input()?;
        for name in &task.produces {
            if !matches!(name.as_str(), "comparison" | "comparison.csv") {
                return Err(PluginError::invalid_input(format!(
                    "`produces` names `{name}`, and agent-compare makes only `comparison` (Markdown) and `comparison.csv`"
                )));
            }
        }
        let items = gather::gather(&input)?;
        let comparison = compare::compare(items, &input)?;
        artifacts::write_declared(&task, "comparison", "text/markdown", comparison.markdown())?;
        artifacts::write_declared(&task, "comparison.csv", "text/csv", comparison.csv()?)?;
        Output::json(&comparison.json(input.limit.unwrap_or(DEFAULT_LIMIT)))
    }
}

fn input_schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "research": { "description": "output of agent-research, or a list of such; the fields of its findings are the rows" },
            "rows": { "description": "a list of objects, or CSV or JSON text" },
            "artifact": { "type": "string", "description": "an artifact with CSV or JSON, TASK.NAME" },
            "criteria": {
                "type": "array",
                "description": "what counts; left out: the price, lower is better",
                "items": {
                    "type": "object", "required": ["field"], "additionalProperties": false,
                    "properties": {
                        "field": { "type": "string" },
                        "weight": { "type": "number", "exclusiveMinimum": 0 },
                        "better": { "enum": ["lower", "higher"] }
                    }
                }
            },
            "filters": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["field", "op", "value"], "additionalProperties": false,
                    "properties": {
                        "field": { "type": "string" },
                        "op": { "enum": ["<", "<=", ">", ">=", "=", "!=", "contains"] },
                        "value": {}
                    }
                }
            },
            "topic": { "type": ["string", "null"], "description": "a sentence; its limits, such as `under 1200`, are filters" },
            "key": { "type": "string", "description": "the column that names a row" },
            "limit": { "type": "integer", "minimum": 1 }
        }
    })
}

fn output_schema() -> Value {
    json!({
        "type": "object",
        "required": ["columns", "rows", "best", "table_markdown"],
        "properties": {
            "columns": { "type": "array", "items": { "type": "string" } },
            "rows": { "type": "array", "items": {
                "type": "object",
                "required": ["rank", "name", "score", "values", "citations"],
                "properties": { "rank": { "type": "integer" }, "name": { "type": "string" }, "score": { "type": "number" } }
            } },
            "best": { "type": ["object", "null"] },
            "dropped": { "type": "array" },
            "table_markdown": { "type": "string" },
            "note": { "type": "string" }
        }
    })
}

sandgate_plugin::export!(agent: Comparer);

#[cfg(test)]
mod tests;
