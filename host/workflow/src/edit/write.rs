//! A plan as TOML with comments. What a planner wrote into it is quoted so that it can neither leave its place nor hide
//! on a screen.

use crate::{Workflow, render::escape, render::invisible};
use sandgate_model::{Plan, PlanTask, TaskId, TaskWork};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _};

/// Deepest input that is written as TOML. A deeper one is written as JSON, which nobody reads better, but which is read
/// back the same.
const DEPTH_MAX: usize = 16;

/// Longest line of a comment, in characters.
const COMMENT_MAX: usize = 200;

/// The plan as a document for an editor: what a planner (or a person) added to the written tasks, as tables; the written
/// tasks as comments, for they are edited in the workflow's file. [`crate::read_edited`] reads it back.
#[must_use]
pub fn editable(plan: &Plan, workflow: &Workflow) -> String {
    let written: BTreeSet<&TaskId> = workflow.tasks.iter().map(|t| &t.id.value).collect();
    let mut out = String::new();
    head(&mut out, plan, workflow, &written);
    if !plan.rationale.is_empty() {
        let _ = writeln!(out, "\nrationale = {}", quoted(&plan.rationale));
    }
    for task in &plan.tasks {
        if !written.contains(&task.id) {
            table(&mut out, plan, task);
        }
    }
    out
}

fn comment(out: &mut String, text: &str) {
    let line = escape(text);
    let cut: String = line.chars().take(COMMENT_MAX).collect();
    let more = if cut.len() < line.len() { "…" } else { "" };
    let _ = writeln!(out, "# {cut}{more}");
}

fn head(out: &mut String, plan: &Plan, workflow: &Workflow, written: &BTreeSet<&TaskId>) {
    comment(
        out,
        &format!("Plan of `{}`, revision {}.", plan.workflow, plan.revision),
    );
    comment(out, &format!("Goal: {}", plan.goal));
    match &plan.planner {
        Some(planner) => comment(out, &format!("Proposed by `{planner}`.")),
        None => comment(
            out,
            "No planner made it: what stands here is added to the written tasks.",
        ),
    }
    out.push_str(
        "#\n\
         # Change, add or remove [[task]] tables. What comes out is checked like any plan and gets a digest of its own.\n\
         # Keys: id, title, agent, needs, consumes (\"TASK.ARTIFACT\"), produces, input (or input_json, a JSON document as text).\n\
         # Texts of an input may be templates, such as {{ inputs.NAME }} and {{ tasks.ID.output }}.\n",
    );
    if written.is_empty() {
        return;
    }
    out.push_str("#\n");
    comment(
        out,
        &format!(
            "Written in {}, and edited there; to be named in `needs` and `consumes`:",
            workflow.source().name()
        ),
    );
    for task in plan.tasks.iter().filter(|t| written.contains(&t.id)) {
        let work = match &task.work {
            TaskWork::Agent { agent, .. } => format!("agent {agent}"),
            TaskWork::Wait(wait) => format!("waits for {}", wait.signal),
        };
        let mut line = format!("  {}: {work}", task.id);
        let needs: Vec<&str> = names(plan, task).collect();
        if !needs.is_empty() {
            let _ = write!(line, "; needs {}", needs.join(", "));
        }
        if !task.produces.is_empty() {
            let made: Vec<&str> = task.produces.iter().map(|p| p.as_str()).collect();
            let _ = write!(line, "; produces {}", made.join(", "));
        }
        comment(out, &line);
    }
}

fn names<'a>(plan: &'a Plan, task: &'a PlanTask) -> impl Iterator<Item = &'a str> {
    task.needs
        .iter()
        .filter_map(|n| Some(plan.task(*n)?.id.as_str()))
}

fn table(out: &mut String, plan: &Plan, task: &PlanTask) {
    // A wait is always written in the file.
    let TaskWork::Agent { agent, input, .. } = &task.work else {
        return;
    };
    let _ = write!(out, "\n[[task]]\nid = \"{}\"\n", task.id);
    if !task.title.is_empty() {
        let _ = writeln!(out, "title = {}", quoted(&task.title));
    }
    let _ = writeln!(out, "agent = \"{agent}\"");
    // What is consumed is needed in any case.
    let consumed = |need| task.consumes.iter().any(|c| c.task == need);
    let needs: Vec<&str> = task
        .needs
        .iter()
        .filter(|n| !consumed(**n))
        .filter_map(|n| Some(plan.task(*n)?.id.as_str()))
        .collect();
    // Ids and names hold no character that TOML would have to escape.
    list(out, "needs", needs.iter().map(ToString::to_string));
    let consumes = task
        .consumes
        .iter()
        .filter_map(|c| Some(format!("{}.{}", plan.task(c.task)?.id, c.name)));
    list(out, "consumes", consumes);
    list(
        out,
        "produces",
        task.produces.iter().map(ToString::to_string),
    );
    if !has_toml(input, DEPTH_MAX) {
        let text = serde_json::to_string_pretty(input).unwrap_or_default();
        let _ = writeln!(out, "input_json = {}", quoted(&text));
        return;
    }
    match input {
        Value::Object(map) if map.is_empty() => {}
        Value::Object(map) => {
            out.push_str("[task.input]\n");
            for (key, value) in map {
                let _ = write!(out, "{} = ", single(key));
                match value {
                    Value::String(text) => out.push_str(&quoted(text)),
                    other => inline(out, other),
                }
                out.push('\n');
            }
        }
        other => {
            out.push_str("input = ");
            inline(out, other);
            out.push('\n');
        }
    }
}

fn list(out: &mut String, key: &str, items: impl Iterator<Item = String>) {
    let quoted: Vec<String> = items.map(|i| format!("\"{i}\"")).collect();
    if !quoted.is_empty() {
        let _ = writeln!(out, "{key} = [{}]", quoted.join(", "));
    }
}

/// Whether TOML has this value: no `null`, no number over 63 bits, and not too deep.
fn has_toml(value: &Value, levels: usize) -> bool {
    if levels == 0 {
        return false;
    }
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(n) => n.is_i64() || n.is_f64(),
        Value::Array(items) => items.iter().all(|v| has_toml(v, levels - 1)),
        Value::Object(map) => map.values().all(|v| has_toml(v, levels - 1)),
    }
}

fn inline(out: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        // Debug, so that a float has a point or an exponent and is a float again.
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => {
                let _ = write!(out, "{n}");
            }
            (None, Some(n)) => {
                let _ = write!(out, "{n:?}");
            }
            (None, None) => {}
        },
        Value::String(text) => out.push_str(&single(text)),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                inline(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                out.push_str(if i == 0 { " " } else { ", " });
                out.push_str(&single(key));
                out.push_str(" = ");
                inline(out, item);
            }
            out.push_str(if map.is_empty() { "}" } else { " }" });
        }
    }
}

/// A text as a TOML basic string, over several lines where it has some.
fn quoted(text: &str) -> String {
    if !text.contains('\n') {
        return single(text);
    }
    let mut out = String::from("\"\"\"\n");
    for c in text.chars() {
        match c {
            '\n' => out.push('\n'),
            c => push(&mut out, c),
        }
    }
    out.push_str("\"\"\"");
    out
}

fn single(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            c => push(&mut out, c),
        }
    }
    out.push('"');
    out
}

fn push(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\t' => out.push_str("\\t"),
        c if c.is_control() || invisible(c) => {
            let _ = write!(out, "\\U{:08X}", u32::from(c));
        }
        c => out.push(c),
    }
}
