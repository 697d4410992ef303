//! Where rows come from, and joining rows that speak of the same thing.

use crate::Input;
use sandgate_plugin::{PluginError, Result, artifacts};
use sandgate_plugin_shared::{Finding, Row, csv_rows, json_rows, loose};
use serde_json::Value;

/// A thing to compare.
#[derive(Debug, Default)]
pub(crate) struct Item {
    /// What it is called.
    pub(crate) name: String,
    /// Everything known of it.
    pub(crate) row: Row,
    /// Where that stands.
    pub(crate) citations: Vec<String>,
    /// Files it comes from; empty text for rows of the input.
    sources: Vec<String>,
}

/// All rows of the input, joined.
pub(crate) fn gather(input: &Input) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let key = input.key.as_deref();
    let mut asked = false;
    for finding in findings(&input.research, &mut asked)? {
        if let Some(row) = finding.fields {
            add(
                &mut items,
                row,
                key,
                &finding.source.path,
                Some(finding.citation),
            );
        }
    }
    if !input.rows.is_null() {
        asked = true;
        for row in rows(&input.rows)? {
            add(&mut items, row, key, "", None);
        }
    }
    if let Some(name) = &input.artifact {
        asked = true;
        let text = artifacts::read_text(name)?;
        for row in text_rows(&text).map_err(|why| {
            PluginError::invalid_input(format!("artifact `{name}` has no rows: {why}"))
        })? {
            add(&mut items, row, key, name, None);
        }
    }
    if asked {
        Ok(items)
    } else {
        Err(PluginError::invalid_input(
            "nothing to compare: give `research` (output of agent-research), `rows` or `artifact`",
        ))
    }
}

/// Findings of one research or of several; also of a JSON document in a text.
fn findings(research: &Value, asked: &mut bool) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    let list = match loose(research.clone()) {
        Value::Null => return Ok(found),
        Value::Array(list) => list,
        one => vec![one],
    };
    *asked = true;
    for one in list {
        let one = loose(one);
        let findings = match one.get("findings") {
            Some(findings) => findings.clone(),
            // The list itself may be the findings.
            None => Value::Array(vec![one]),
        };
        let findings: Vec<Finding> = serde_json::from_value(findings).map_err(|error| {
            PluginError::invalid_input(format!(
                "`research` is not what agent-research answers: {error}"
            ))
        })?;
        found.extend(findings);
    }
    Ok(found)
}

fn rows(value: &Value) -> Result<Vec<Row>> {
    match value {
        Value::String(text) => text_rows(text)
            .map_err(|why| PluginError::invalid_input(format!("`rows` has no rows: {why}"))),
        other => Ok(json_rows(other)),
    }
}

/// Rows of a text: JSON when it begins like it, else CSV.
fn text_rows(text: &str) -> std::result::Result<Vec<Row>, String> {
    if text.trim_start().starts_with(['{', '[']) {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        // Findings written by agent-research as an artifact.
        if let Some(Value::Array(findings)) = value.get("findings") {
            return Ok(findings
                .iter()
                .filter_map(|finding| finding.get("fields"))
                .flat_map(json_rows)
                .collect());
        }
        return Ok(json_rows(&value));
    }
    csv_rows(text)
        .map(|rows| rows.into_iter().map(|(_, row)| row).collect())
        .map_err(|error| error.to_string())
}

fn add(items: &mut Vec<Item>, row: Row, key: Option<&str>, source: &str, citation: Option<String>) {
    let named = key
        .and_then(|key| row.get(key))
        .map(sandgate_plugin_shared::show)
        .or_else(|| row.name().map(|(_, name)| name.to_owned()));
    let name = named.unwrap_or_else(|| format!("row {}", items.len() + 1));
    let same = |item: &&mut Item| {
        item.name.eq_ignore_ascii_case(name.trim())
            && !item.sources.iter().any(|known| known == source)
    };
    if let Some(item) = items.iter_mut().find(same) {
        for (column, cell) in row.iter() {
            // The better ranked source came first: its word stands.
            if item.row.get(column).is_none() {
                item.row.insert(column, cell.clone());
            }
        }
        item.citations.extend(citation);
        item.sources.push(source.to_owned());
        return;
    }
    items.push(Item {
        name: name.trim().to_owned(),
        row,
        citations: citation.into_iter().collect(),
        sources: vec![source.to_owned()],
    });
}
