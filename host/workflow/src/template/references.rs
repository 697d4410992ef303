//! Which values a template needs, so that the caller loads those and no others.

use super::scan::{self, Piece, Step};
use serde_json::Value;
use std::collections::BTreeSet;

/// The values that templates name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Inputs, by name.
    pub inputs: BTreeSet<String>,
    /// Tasks, by id.
    pub tasks: BTreeSet<String>,
}

/// The values that the strings of a document name. What cannot be read is passed over: rendering will say so.
#[must_use]
pub fn references(value: &Value) -> References {
    let mut found = References::default();
    walk(value, &mut found);
    found
}

/// The values that a bare expression names.
#[must_use]
pub fn expression_references(expr: &str) -> References {
    let mut found = References::default();
    collect(expr, &mut found);
    found
}

fn walk(value: &Value, found: &mut References) {
    match value {
        Value::String(text) if super::render::is_template(text) => {
            for piece in scan::split(text).unwrap_or_default() {
                if let Piece::Expr(expr, _) = piece {
                    collect(expr, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
        Value::Object(map) => map.values().for_each(|v| walk(v, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn collect(expr: &str, found: &mut References) {
    for path in scan::uses(expr).unwrap_or_default().paths {
        let Some(Step::Name(name)) = path.steps.first() else {
            continue;
        };
        match path.root {
            "inputs" => found.inputs.insert((*name).to_owned()),
            "tasks" => found.tasks.insert((*name).to_owned()),
            _ => false,
        };
    }
}
