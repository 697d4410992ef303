//! Plans, tasks and gates as names and texts. What says nothing (an empty list, a default) has no entry.

use crate::scalar::show_duration;
use sandgate_model::{Millis, Plan, PlanGate, PlanTask, Session, TaskIx, TaskWork};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

type Fields = BTreeMap<String, String>;

/// Deepest level of a document that is compared part by part; below it parts are compared whole.
const LEVELS: usize = 8;

fn text(out: &mut Fields, field: &str, value: impl ToString) {
    let value = value.to_string();
    if !value.is_empty() {
        out.insert(field.to_owned(), value);
    }
}

fn json(out: &mut Fields, field: &str, value: &impl Serialize) {
    let value = serde_json::to_value(value).unwrap_or(Value::Null);
    document(out, field.to_owned(), &value, LEVELS);
}

/// A document by its parts, so that a difference can be pointed at.
fn document(out: &mut Fields, path: String, value: &Value, levels: usize) {
    match value {
        Value::Object(map) if levels > 0 && !map.is_empty() => {
            for (key, part) in map {
                // As in JSON pointers and a little more, so that two paths are never one.
                let key = key.replace('~', "~0").replace('/', "~1").replace('[', "~2");
                document(out, format!("{path}/{key}"), part, levels - 1);
            }
        }
        Value::Array(items) if levels > 0 && !items.is_empty() => {
            for (i, part) in items.iter().enumerate() {
                document(out, format!("{path}[{i}]"), part, levels - 1);
            }
        }
        whole => {
            out.insert(path, whole.to_string());
        }
    }
}

fn duration(out: &mut Fields, field: &str, value: Option<Millis>) {
    if let Some(value) = value {
        text(out, field, show_duration(value));
    }
}

fn ids(plan: &Plan, list: &[TaskIx]) -> String {
    let names: Vec<String> = list.iter().map(|ix| id(plan, *ix)).collect();
    names.join(", ")
}

fn id(plan: &Plan, ix: TaskIx) -> String {
    plan.task(ix).map_or_else(String::new, |t| t.id.to_string())
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

pub(super) fn task_fields(plan: &Plan, task: &PlanTask) -> Fields {
    let mut out = Fields::new();
    text(&mut out, "title", &task.title);
    match &task.work {
        TaskWork::Agent {
            agent,
            input,
            config,
            session,
        } => {
            text(&mut out, "agent", agent);
            json(&mut out, "input", input);
            if *config != Value::Null {
                json(&mut out, "config", config);
            }
            if let Session::Pinned(name) = session {
                text(&mut out, "session", name);
            }
        }
        TaskWork::Wait(wait) => {
            text(&mut out, "waits for", &wait.signal);
            for (field, value) in &wait.matches {
                out.insert(format!("match {field}"), value.clone());
            }
            duration(&mut out, "wait timeout", wait.timeout);
        }
    }
    text(&mut out, "needs", ids(plan, &task.needs));
    let consumes = task
        .consumes
        .iter()
        .map(|c| format!("{}.{}", id(plan, c.task), c.name));
    text(&mut out, "consumes", joined(consumes));
    text(
        &mut out,
        "produces",
        joined(task.produces.iter().map(ToString::to_string)),
    );
    text(&mut out, "when", task.when.as_deref().unwrap_or_default());
    text(
        &mut out,
        "for_each",
        task.for_each.as_deref().unwrap_or_default(),
    );
    if task.retry.attempts > 1 {
        text(&mut out, "attempts", task.retry.attempts);
    }
    duration(&mut out, "backoff", Some(task.retry.backoff));
    duration(&mut out, "max_backoff", Some(task.retry.max_backoff));
    duration(&mut out, "timeout", Some(task.timeout));
    if task.priority != 0 {
        text(&mut out, "priority", task.priority);
    }
    if task.repeatable {
        text(&mut out, "repeatable", "yes");
    }
    if task.approval_before {
        text(&mut out, "approval before", "yes");
    }
    if task.approval_after {
        text(&mut out, "approval after", "yes");
    }
    text(
        &mut out,
        "approval rule",
        task.approval_rule.as_deref().unwrap_or_default(),
    );
    if let Some(micros) = task.budget {
        text(&mut out, "budget", money(micros));
    }
    for (field, value) in limits(&task.limits) {
        text(&mut out, &format!("limit {field}"), value);
    }
    out
}

pub(super) fn gate_fields(gate: &PlanGate) -> Fields {
    let mut out = Fields::new();
    text(&mut out, "plugin", &gate.plugin);
    if gate.config != Value::Null {
        json(&mut out, "config", &gate.config);
    }
    text(&mut out, "tier", gate.tier);
    duration(&mut out, "timeout", Some(gate.timeout));
    out
}

pub(super) fn plan_fields(plan: &Plan) -> Fields {
    let mut out = Fields::new();
    text(&mut out, "format", plan.format);
    text(&mut out, "workflow", &plan.workflow);
    text(&mut out, "goal", &plan.goal);
    if let Some(planner) = &plan.planner {
        text(&mut out, "planner", planner);
    }
    text(&mut out, "rationale", &plan.rationale);
    for (name, value) in &plan.inputs {
        document(&mut out, format!("inputs/{name}"), value, LEVELS);
    }
    for (name, plugin) in &plan.plugins {
        text(&mut out, &format!("role of {name}"), plugin.role.as_str());
    }
    text(&mut out, "concurrency", plan.concurrency);
    json(&mut out, "on_failure", &plan.on_failure);
    duration(&mut out, "timeout", plan.timeout);
    if plan.review {
        text(&mut out, "review", "yes");
    }
    text(
        &mut out,
        "review rule",
        plan.review_rule.as_deref().unwrap_or_default(),
    );
    if let Some(budget) = &plan.budget {
        text(&mut out, "budget", money(budget.limit));
        if let Some(tokens) = budget.tokens {
            text(&mut out, "budget tokens", tokens);
        }
        json(&mut out, "budget over", &budget.over);
    }
    out
}

fn limits(limits: &sandgate_model::TaskLimits) -> Vec<(String, u64)> {
    let Ok(Value::Object(map)) = serde_json::to_value(limits) else {
        return Vec::new();
    };
    map.into_iter()
        .filter_map(|(field, value)| Some((field, value.as_u64()?)))
        .collect()
}

/// Millionths, as an amount with six decimals: `0.500000`.
fn money(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
