//! The lines for people.

use super::{FieldDiff, PlanDiff, TaskChange, TaskDiff};
use crate::render::escape;

/// Most characters of a value in a line.
const VALUE_MAX: usize = 160;

/// Characters before the first difference of two long values that are shown.
const BEFORE: usize = 40;

pub(super) fn of(diff: &PlanDiff) -> Vec<String> {
    let mut out = Vec::new();
    for field in &diff.fields {
        out.push(format!("~ {}", field_line(field)));
    }
    for plugin in &diff.plugins {
        let name = escape(&plugin.name);
        out.push(match (plugin.old, plugin.new) {
            (None, Some(new)) => format!("+ plugin {name} {new}"),
            (Some(old), None) => format!("- plugin {name} {old}"),
            (Some(old), Some(new)) => format!("~ plugin {name}: {old} -> {new}"),
            (None, None) => continue,
        });
    }
    for (what, list) in [("task", &diff.tasks), ("gate", &diff.gates)] {
        for item in list {
            lines_of(what, item, &mut out);
        }
    }
    out
}

fn lines_of(what: &str, item: &TaskDiff, out: &mut Vec<String>) {
    let (mark, added) = match item.change {
        TaskChange::Added => ('+', true),
        TaskChange::Removed => ('-', false),
        TaskChange::Changed => ('~', false),
    };
    out.push(format!("{mark} {what} {}", escape(&item.id)));
    // The waits between attempts of a task that has one say nothing.
    let retried = item.fields.iter().any(|f| f.field == "attempts");
    let idle = |f: &FieldDiff| matches!(f.field.as_str(), "backoff" | "max_backoff");
    for field in &item.fields {
        if added && !retried && idle(field) {
            continue;
        }
        let line = if added {
            format!("{}: {}", escape(&field.field), cut(&field.new, 0))
        } else {
            field_line(field)
        };
        out.push(format!("    {line}"));
    }
    if item.change == TaskChange::Removed {
        return;
    }
    out.extend(item.widened.iter().map(|l| format!("    + {}", escape(l))));
    out.extend(item.narrowed.iter().map(|l| format!("    - {}", escape(l))));
}

fn field_line(field: &FieldDiff) -> String {
    let same = field
        .old
        .chars()
        .zip(field.new.chars())
        .take_while(|(a, b)| a == b)
        .count();
    format!(
        "{}: {} -> {}",
        escape(&field.field),
        cut(&field.old, same),
        cut(&field.new, same)
    )
}

/// A value on one line. A long one is cut around what differs, and says how long it is.
fn cut(text: &str, same: usize) -> String {
    if text.is_empty() {
        return "(none)".to_owned();
    }
    let chars = text.chars().count();
    if chars <= VALUE_MAX {
        return escape(text);
    }
    let from = same
        .saturating_sub(BEFORE)
        .min(chars.saturating_sub(VALUE_MAX));
    let part: String = text.chars().skip(from).take(VALUE_MAX).collect();
    let (before, after) = (
        if from > 0 { "…" } else { "" },
        if from + VALUE_MAX < chars { "…" } else { "" },
    );
    format!("{before}{}{after} ({} bytes)", escape(&part), text.len())
}
