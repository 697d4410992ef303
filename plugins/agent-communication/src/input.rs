//! What the writer is handed, read as leniently as templates demand.

use sandgate_plugin::{PluginError, Result};
use sandgate_plugin_shared::{Finding, Row, loose};
use serde::Deserialize;
use serde_json::Value;

/// Points of an email when the task does not say how many: what a person reads to the end.
const EMAIL_POINTS: usize = 6;
/// Points of a short message.
const MESSAGE_POINTS: usize = 3;

/// The input document.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Input {
    kind: Kind,
    to: Option<String>,
    from: Option<String>,
    subject: Option<String>,
    topic: Option<String>,
    tone: Tone,
    findings: Value,
    comparison: Value,
    max_points: Option<usize>,
}

/// What is written.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    #[default]
    Email,
    Message,
    Summary,
}

/// How it sounds: greeting and closing.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tone {
    Friendly,
    #[default]
    Neutral,
    Formal,
}

/// The part of a comparison that is used.
#[derive(Deserialize, Debug)]
pub(crate) struct Comparison {
    #[serde(default)]
    pub(crate) best: Option<Best>,
    #[serde(default)]
    pub(crate) compared: usize,
    #[serde(default)]
    pub(crate) table_markdown: String,
    #[serde(default)]
    pub(crate) rows: Vec<Compared>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Best {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) citations: Vec<String>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Compared {
    #[serde(default)]
    pub(crate) citations: Vec<String>,
}

/// The input, ready to write from.
#[derive(Debug, Default)]
pub(crate) struct Material {
    pub(crate) kind: Kind,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) subject: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) tone: Tone,
    pub(crate) findings: Vec<Finding>,
    pub(crate) comparison: Option<Comparison>,
    pub(crate) max_points: usize,
}

/// One line, without the characters that would start another header.
fn line(text: Option<String>) -> String {
    text.unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

impl Material {
    pub(crate) fn of(input: Input) -> Result<Self> {
        let mut topic = None;
        let mut findings = Vec::new();
        read_findings(loose(input.findings), &mut findings, &mut topic)?;
        // The number of a citation is how the text refers to it, so numbers of several researches must differ.
        let several = findings.iter().filter(|finding| finding.rank == 1).count() > 1;
        if several {
            for (n, finding) in findings.iter_mut().enumerate() {
                finding.citation = format!("[{}] {}", n + 1, finding.source.place());
            }
        }
        let comparison = match loose(input.comparison) {
            Value::Null => None,
            value => Some(serde_json::from_value(value).map_err(|error| {
                PluginError::invalid_input(format!(
                    "`comparison` is not what agent-compare answers: {error}"
                ))
            })?),
        };
        let not_empty = |text: Option<String>| Some(line(text)).filter(|text| !text.is_empty());
        Ok(Self {
            kind: input.kind,
            to: line(input.to),
            from: line(input.from),
            subject: not_empty(input.subject),
            topic: not_empty(input.topic).or(topic),
            tone: input.tone,
            findings,
            comparison,
            max_points: input.max_points.unwrap_or(match input.kind {
                Kind::Message => MESSAGE_POINTS,
                Kind::Email | Kind::Summary => EMAIL_POINTS,
            }),
        })
    }
}

fn read_findings(value: Value, found: &mut Vec<Finding>, topic: &mut Option<String>) -> Result<()> {
    match value {
        Value::Null => {}
        Value::String(text) => found.extend(
            text.lines()
                .map(|line| line.trim_start_matches(['-', '*', ' ', '\t']).trim())
                .filter(|line| !line.is_empty())
                .map(plain),
        ),
        Value::Array(items) => {
            for item in items {
                read_findings(loose(item), found, topic)?;
            }
        }
        Value::Object(mut object) => {
            if let Some(Value::String(text)) = object.get("topic") {
                topic.get_or_insert_with(|| text.clone());
            }
            if let Some(inner) = object.remove("findings") {
                return read_findings(loose(inner), found, topic);
            }
            if object.contains_key("text") {
                found.push(
                    serde_json::from_value(Value::Object(object)).map_err(|error| {
                        PluginError::invalid_input(format!(
                            "one of `findings` is not a finding: {error}"
                        ))
                    })?,
                );
            } else {
                // Any other document is handed on as a row.
                let fields: Row = object.into_iter().collect();
                found.push(Finding {
                    fields: Some(sandgate_plugin_shared::flatten(&fields)),
                    ..Finding::default()
                });
            }
        }
        other => found.push(plain(&other.to_string())),
    }
    Ok(())
}

fn plain(text: &str) -> Finding {
    Finding {
        text: text.to_owned(),
        ..Finding::default()
    }
}
