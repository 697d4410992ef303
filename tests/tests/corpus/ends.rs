//! How a row ended: what the guest answered, and whether the end is the one it has to have.

use super::{End, Role, Row, cut};
use crate::harness::{Done, Project, mentions};
use serde_json::Value;

/// The guest's answer, wherever its role puts it.
pub(super) fn told(project: &Project, role: Role, events: &[Value]) -> Value {
    if role == Role::Agent {
        let done = project.run(&["summary", "--task-output", "t"]);
        return serde_json::from_str(&done.stdout).unwrap_or(Value::Null);
    }
    fn find(value: &Value) -> Option<Value> {
        match value {
            Value::String(text) if text.starts_with('{') => serde_json::from_str(text).ok(),
            Value::Array(list) => list.iter().find_map(find),
            Value::Object(map) => map.values().find_map(find),
            _ => None,
        }
    }
    let kind = if role == Role::Planner {
        "plan-frozen"
    } else {
        "gate"
    };
    events
        .iter()
        .filter(|e| {
            e["event"]["type"]
                .as_str()
                .is_some_and(|t| t.starts_with(kind))
        })
        .find_map(|e| find(&e["event"]))
        .unwrap_or(Value::Null)
}

/// Whether the row ended as it says.
pub(super) fn ended_wrong(
    row: &Row,
    done: &Done,
    summary: &Value,
    task: &Value,
    told: &Value,
) -> Option<String> {
    let subject = if row.role == Role::Agent {
        task
    } else {
        summary
    };
    let fine = match row.role {
        Role::Agent => task["state"] == "succeeded" && done.code() == 0,
        Role::Planner | Role::Gate => summary["state"] == "verified" && done.code() == 0,
    };
    let fails = |words: &[&str]| {
        let code = match row.role {
            // Blocked by a budget, or failed.
            Role::Agent => [1, 6].contains(&done.code()) && task["state"] == "failed",
            Role::Planner => [1, 2, 3].contains(&done.code()),
            Role::Gate => done.code() == 3,
        };
        code && words.iter().any(|word| mentions(subject, word))
    };
    let (good, expected) = match &row.end {
        End::Fine => (fine, "fine".to_owned()),
        End::Fails(words) => (fails(words), format!("{words:?}")),
        End::FineOr(words) => (fine || fails(words), format!("fine or {words:?}")),
        End::Waits => (
            done.code() == 4 && task["blocked"]["reason"]["code"] == "approval",
            "an approval is waited for".to_owned(),
        ),
        End::Refused(codes, word) => (
            codes.contains(&done.code()) && done.stderr.contains(word),
            format!("exit {codes:?}, {word:?}"),
        ),
    };
    let shown = if row.role == Role::Agent {
        task
    } else {
        &summary["errors"]
    };
    (!good).then(|| {
        format!(
            "expected {expected}; exit {}; {}; told {}; {}",
            done.code(),
            cut(&shown.to_string(), 600),
            cut(&told.to_string(), 300),
            cut(&done.stderr, 600)
        )
    })
}
