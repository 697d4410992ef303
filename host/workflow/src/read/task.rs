//! Reads one task of a workflow file.

use super::{limits, narrowing::narrowing, present};
use crate::{
    Code, Diagnostic, Diagnostics, Located, Source, Span, TaskApproval, WrittenTask, WrittenWork,
    node::{Leaf, Node},
    scalar::show_duration,
    template::is_template,
    workflow::TaskSpans,
};
use sandgate_model::{ArtifactName, Millis, PluginName, SessionName, SignalType, TaskId};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use toml::de::DeValue;

/// Wait before the second attempt when the file does not say.
pub(crate) const DEFAULT_BACKOFF: Millis = Millis(1_000);

/// Longest wait between attempts when the file does not say.
pub(crate) const DEFAULT_MAX_BACKOFF: Millis = Millis(60_000);

/// Keys that only the task of an agent can have, and what to do instead.
const AGENT_KEYS: &[(&str, &str)] = &[
    (
        "input",
        "a wait has no input; put what identifies the signal into `match`",
    ),
    ("config", "a wait runs no plugin; remove it"),
    ("session", "a wait runs no plugin; remove it"),
    ("workspace", "a wait runs no plugin; remove it"),
    ("merge", "a wait runs no plugin; remove it"),
    ("files", "a wait runs no plugin; remove it"),
    ("http", "a wait runs no plugin; remove it"),
    ("exec", "a wait runs no plugin; remove it"),
    ("model", "a wait runs no plugin; remove it"),
    ("secrets", "a wait runs no plugin; remove it"),
    ("charge", "a wait runs no plugin; remove it"),
    ("question", "a wait runs no plugin; remove it"),
    ("limits", "a wait runs no plugin; remove it"),
    ("budget", "a wait costs nothing; remove it"),
    ("produces", "a wait makes no artifacts; remove it"),
    ("retry", "a wait is not tried again; set its `timeout`"),
    ("timeout", "write the timeout inside of `wait_for`"),
    ("repeatable", "a wait runs no plugin; remove it"),
];

/// Reads a task. `None` when it has no id or no work, which has been reported then.
pub(super) fn read_task(
    source: &Arc<Source>,
    node: Node<'_>,
    out: &mut Diagnostics,
) -> Option<WrittenTask> {
    let mut spans = TaskSpans::default();
    let work = work(source, node, &mut spans, out);
    let (attempts, backoff, max_backoff) = retry(source, node, out);
    let (narrowing, picks) = narrowing(source, node, out);
    spans.picks = picks;
    spans.limits = node.table("limits").map(|n| n.span);
    spans.budget = node.get("budget").map(|l| l.span);
    let needs = node.list("needs").iter().filter_map(Leaf::parsed).collect();
    let consumes = node
        .list("consumes")
        .iter()
        .filter_map(|l| consume(source, l, out))
        .collect();
    let produces = node
        .list("produces")
        .iter()
        .filter_map(Leaf::parsed)
        .collect();
    let expression = |key: &str| {
        node.text(key)
            .map(|t| Located::new(t.value.to_owned(), t.span))
    };
    let approval = match node.text("approval").map(|t| t.value) {
        None => TaskApproval::None,
        Some("before") => TaskApproval::Before,
        Some("after") => TaskApproval::After,
        Some(rule) => TaskApproval::Rule(rule.to_owned()),
    };
    spans.approval = node.get("approval").map(|l| l.span);
    Some(WrittenTask {
        id: node.parsed::<TaskId>("id")?,
        title: node.string("title"),
        work: work?,
        needs,
        consumes,
        produces,
        when: expression("when"),
        for_each: expression("for_each"),
        attempts,
        backoff,
        max_backoff,
        timeout: node.duration("timeout"),
        priority: node.int("priority").unwrap_or(0),
        repeatable: node.bool("repeatable").unwrap_or(false),
        approval,
        narrowing,
        limits: node.table("limits").map(limits::task).unwrap_or_default(),
        budget: node.amount("budget"),
        spans,
    })
}

fn work(
    source: &Arc<Source>,
    node: Node<'_>,
    spans: &mut TaskSpans,
    out: &mut Diagnostics,
) -> Option<WrittenWork> {
    match (node.get("agent"), node.table("wait_for")) {
        (Some(agent), Some(wait)) => {
            out.push(
                Diagnostic::new(
                    Code::TWO_KINDS_OF_WORK,
                    "a task has an agent or waits, not both",
                    source,
                    agent.span,
                )
                .also(source, wait.span, "it waits here")
                .help("make two tasks; the one that comes second names the other in `needs`"),
            );
            None
        }
        (None, None) => {
            // A `wait_for` of the wrong type has been reported.
            if node.get("wait_for").is_none() && node.key_span("id").is_some() {
                let at = node.get("id").map_or(node.span, |l| l.span);
                out.push(
                    Diagnostic::new(Code::NO_WORK, "this task has nothing to do", source, at)
                        .help("add agent = \"NAME\", or wait_for = { signal = \"ci\" }"),
                );
            }
            None
        }
        (Some(agent), None) => {
            let input = node.get("input");
            if let Some(leaf) = input {
                spans.input = Some(leaf.span);
                templates(leaf.raw(), leaf.span, spans);
            }
            let config = present(node, "config");
            spans.config = config.as_ref().map(|c| c.span);
            let session = node.table("session");
            spans.session = session.map(|s| s.span);
            Some(WrittenWork::Agent {
                agent: agent.parsed::<PluginName>()?,
                // What is there but has no JSON form has been reported; `null` says so to later checks.
                input: match input {
                    Some(leaf) => leaf.json().unwrap_or(Value::Null),
                    None => Value::Object(serde_json::Map::new()),
                },
                config: config.map_or(Value::Null, |c| c.value),
                session: session
                    .and_then(|s| s.parsed::<SessionName>("pinned"))
                    .map(|s| s.value),
            })
        }
        (None, Some(wait)) => {
            for (key, help) in AGENT_KEYS {
                if let Some(span) = node.key_span(key) {
                    out.push(
                        Diagnostic::new(
                            Code::KEY_NEEDS_AGENT,
                            format!("a task that waits cannot have `{key}`"),
                            source,
                            span,
                        )
                        .help(*help),
                    );
                }
            }
            let mut matches = BTreeMap::new();
            for (key, leaf) in wait.entries("match") {
                if let Some(text) = leaf.text() {
                    matches.insert(key.value.to_owned(), text.value.to_owned());
                    templates(leaf.raw(), leaf.span, spans);
                }
            }
            Some(WrittenWork::Wait {
                signal: wait.parsed::<SignalType>("signal")?,
                matches,
                timeout: wait.duration("timeout"),
            })
        }
    }
}

/// Collects the strings that hold template text, and keys that do.
fn templates(value: &DeValue<'_>, span: Span, spans: &mut TaskSpans) {
    match value {
        DeValue::String(text) if is_template(text) => {
            spans
                .templates
                .push(Located::new(text.as_ref().to_owned(), span));
        }
        DeValue::Array(items) => {
            for item in items.iter() {
                templates(item.get_ref(), item.span().into(), spans);
            }
        }
        DeValue::Table(table) => {
            for (key, item) in table {
                if is_template(key.get_ref()) {
                    spans.keys.push(key.span().into());
                }
                templates(item.get_ref(), item.span().into(), spans);
            }
        }
        _ => {}
    }
}

fn retry(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> (u32, Millis, Millis) {
    let Some(retry) = node.table("retry") else {
        return (1, DEFAULT_BACKOFF, DEFAULT_MAX_BACKOFF);
    };
    let attempts = retry.int("attempts").unwrap_or(1);
    let backoff = retry.duration("backoff").unwrap_or(DEFAULT_BACKOFF);
    // A long backoff without a written maximum is its own maximum.
    let max_backoff = retry
        .duration("max_backoff")
        .unwrap_or(DEFAULT_MAX_BACKOFF.max(backoff));
    if max_backoff < backoff
        && let Some(leaf) = retry.get("max_backoff")
    {
        out.push(
            Diagnostic::new(
                Code::BAD_RETRY,
                format!(
                    "`max_backoff` is shorter than the first wait, {}",
                    show_duration(backoff)
                ),
                source,
                leaf.span,
            )
            .help(format!(
                "write max_backoff = \"{}\" or more, or a shorter `backoff`",
                show_duration(backoff)
            )),
        );
    }
    if attempts == 1
        && let Some(span) = retry
            .key_span("backoff")
            .or_else(|| retry.key_span("max_backoff"))
    {
        out.push(
            Diagnostic::new(
                Code::BAD_RETRY,
                "one attempt is never tried again, so there is no wait",
                source,
                span,
            )
            .help("write attempts = 2 or more, or remove `retry`"),
        );
    }
    (attempts, backoff, max_backoff)
}

fn consume(
    source: &Arc<Source>,
    leaf: &Leaf<'_>,
    out: &mut Diagnostics,
) -> Option<Located<(TaskId, ArtifactName)>> {
    let text = leaf.text()?;
    let parsed = artifact_ref(text.value);
    match parsed {
        Ok(found) => Some(Located::new(found, text.span)),
        Err(message) => {
            out.push(
                Diagnostic::new(Code::BAD_ARTIFACT_REF, message, source, text.span)
                    .help("write \"TASK.ARTIFACT\", such as \"research.findings\""),
            );
            None
        }
    }
}

/// Reads `TASK.ARTIFACT`. Ids of tasks have no dot, so the first dot is the border.
pub(crate) fn artifact_ref(text: &str) -> Result<(TaskId, ArtifactName), String> {
    let Some((task, artifact)) = text.split_once('.') else {
        return Err("this names no artifact: there is no `.`".to_owned());
    };
    let task = TaskId::new(task)
        .map_err(|e| format!("the part before `.` is not the id of a task: {e}"))?;
    let artifact = ArtifactName::new(artifact)
        .map_err(|e| format!("the part after `.` is not a name: {e}"))?;
    Ok((task, artifact))
}
