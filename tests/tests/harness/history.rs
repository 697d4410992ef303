//! What the journal says happened, read through the binary.

use super::{Project, run::Done};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The events of one run, oldest first.
pub(crate) struct History {
    events: Vec<Value>,
}

impl Project {
    /// The ids of all runs, as `sandgate runs` lists them.
    pub(crate) fn runs(&self) -> Vec<String> {
        let listed = self.run(&["runs", "--format", "json"]);
        if listed.code() != 0 && listed.stderr.contains("nothing has run") {
            return Vec::new();
        }
        let listed = listed.expect(0);
        let mut ids = Vec::new();
        for line in listed.stdout.lines() {
            if let Ok(value) = serde_json::from_str::<Value>(line) {
                collect_ids(&value, &mut ids);
            }
        }
        ids
    }

    /// The only run.
    pub(crate) fn only_run(&self) -> String {
        let mut runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.pop().unwrap()
    }

    /// The history of a run.
    pub(crate) fn history(&self, run: &str) -> History {
        let done = self.run(&["events", run, "--format", "json"]).expect(0);
        History {
            events: done.json_lines(),
        }
    }

    /// The execution summary of a run.
    pub(crate) fn summary(&self, run: &str) -> Value {
        self.run(&["summary", run, "--format", "json"]).json()
    }
}

/// Run ids in a document: values of `id` or `run` that are UUIDs, each once.
fn collect_ids(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text)
                        if ["id", "run"].contains(&key.as_str()) && text.len() == 36 =>
                    {
                        if !ids.contains(text) {
                            ids.push(text.clone());
                        }
                    }
                    _ => collect_ids(value, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| collect_ids(v, ids)),
        _ => {}
    }
}

/// The object whose `type` is an event's word, wherever the line keeps it.
fn event<'a>(line: &'a Value, kind: &str) -> Option<&'a Value> {
    let map = line.as_object()?;
    if map.get("type").is_some_and(|t| t == kind) {
        return Some(line);
    }
    map.values().find_map(|v| event(v, kind))
}

impl History {
    /// The events of one kind.
    pub(crate) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter_map(move |line| event(line, kind))
    }

    /// How each attempt ended: (task, attempt, end).
    pub(crate) fn ends(&self) -> Vec<(String, u64, String)> {
        self.of("attempt-ended")
            .map(|e| {
                let end = e["end"]["end"].as_str().unwrap_or("").to_owned();
                (e["task"].to_string(), e["attempt"].as_u64().unwrap(), end)
            })
            .collect()
    }

    /// Checks what every history has to hold: an attempt starts once and ends at most once; a task that gave its
    /// output never starts again and gives no second one.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut started: BTreeSet<(String, u64)> = BTreeSet::new();
        let mut ended: BTreeSet<(String, u64)> = BTreeSet::new();
        let mut outputs: BTreeMap<String, u64> = BTreeMap::new();
        for line in &self.events {
            if let Some(e) = event(line, "attempt-started") {
                let key = (e["task"].to_string(), e["attempt"].as_u64().unwrap());
                if let Some(before) = outputs.get(&key.0) {
                    return Err(format!(
                        "{key:?} started after attempt {before} gave the output"
                    ));
                }
                if !started.insert(key.clone()) {
                    return Err(format!("{key:?} started twice"));
                }
            } else if let Some(e) = event(line, "attempt-ended") {
                let key = (e["task"].to_string(), e["attempt"].as_u64().unwrap());
                if !started.contains(&key) {
                    return Err(format!("{key:?} ended without a start"));
                }
                if !ended.insert(key.clone()) {
                    return Err(format!("{key:?} ended twice"));
                }
                if e["end"]["end"] == "output" && outputs.insert(key.0.clone(), key.1).is_some() {
                    return Err(format!("{key:?} is a second output"));
                }
            }
        }
        Ok(())
    }
}

/// What `needle` stands for anywhere in a document.
pub(crate) fn mentions(value: &Value, needle: &str) -> bool {
    match value {
        Value::String(text) => text.contains(needle),
        Value::Array(items) => items.iter().any(|v| mentions(v, needle)),
        Value::Object(map) => map.values().any(|v| mentions(v, needle)),
        _ => false,
    }
}

/// Every byte the binary printed that could move a cursor, hide text or start a line of its own.
pub(crate) fn dangerous(done: &Done) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in [("stdout", &done.stdout), ("stderr", &done.stderr)] {
        for (n, line) in text.split('\n').enumerate() {
            for c in line.chars() {
                let bad = (c.is_control() && c != '\t')
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
                    || matches!(c, '\u{2066}'..='\u{2069}' | '\u{feff}');
                if bad {
                    found.push(format!("{name} line {}: {c:?} in {line:?}", n + 1));
                }
            }
        }
    }
    found
}

#[test]
fn a_broken_history_is_found() {
    let line = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let start = r#"{"$type":"event","event":{"type":"attempt-started","task":1,"attempt":1}}"#;
    let again = r#"{"$type":"event","event":{"type":"attempt-started","task":1,"attempt":2}}"#;
    let end = r#"{"$type":"event","event":{"type":"attempt-ended","task":1,"attempt":1,"end":{"end":"output"}}}"#;
    let check = |lines: &[&str]| {
        History {
            events: lines.iter().map(|t| line(t)).collect(),
        }
        .check()
        .is_ok()
    };
    assert!(check(&[start, end]));
    assert!(
        check(&[start, again]),
        "an unknown end is followed by a second attempt"
    );
    assert!(!check(&[start, end, again]), "a finished task ran again");
    assert!(!check(&[start, start]));
    assert!(!check(&[end]));
    assert!(!check(&[start, end, end]));
}
