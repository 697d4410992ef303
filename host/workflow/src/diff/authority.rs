//! Which authority came and which went, as lines.

use super::FieldDiff;
use sandgate_authority::{APPROVAL, DENY, authority_lines};
use sandgate_model::Grants;
use std::collections::BTreeSet;

/// Lines by which the new grants give more, and by which they give less. What no line says becomes a field, so that no
/// difference is lost.
pub(super) fn changes(
    old: &Grants,
    new: &Grants,
    fields: &mut Vec<FieldDiff>,
) -> (Vec<String>, Vec<String>) {
    if old == new {
        return (Vec::new(), Vec::new());
    }
    if old.workspace != new.workspace {
        fields.push(FieldDiff {
            field: "workspace".to_owned(),
            old: old.workspace.as_str().to_owned(),
            new: new.workspace.as_str().to_owned(),
        });
    }
    let lines = |grants: &Grants| -> BTreeSet<String> {
        authority_lines(grants)
            .into_iter()
            .filter(|l| !l.starts_with("workspace "))
            .collect()
    };
    let (before, after) = (lines(old), lines(new));
    let (mut widened, mut narrowed) = (Vec::new(), Vec::new());
    for line in after.difference(&before) {
        let free = line.strip_suffix(APPROVAL);
        if line.starts_with(DENY) || free.is_some_and(|free| before.contains(free)) {
            narrowed.push(line.clone());
        } else {
            widened.push(line.clone());
        }
    }
    for line in before.difference(&after) {
        if line.starts_with(DENY) {
            widened.push(format!("no longer: {line}"));
        } else if line
            .strip_suffix(APPROVAL)
            .is_some_and(|free| after.contains(free))
            || after.contains(&format!("{line}{APPROVAL}"))
        {
            // The other line of the pair says it.
        } else {
            narrowed.push(format!("no longer: {line}"));
        }
    }
    let told = !widened.is_empty() || !narrowed.is_empty() || old.workspace != new.workspace;
    // Time limits of commands are in no line, and some differences hide behind lines that others share.
    let json = |grants: &Grants| serde_json::to_string(grants).unwrap_or_default();
    if !told || times(old) != times(new) {
        fields.push(FieldDiff {
            field: "grants".to_owned(),
            old: json(old),
            new: json(new),
        });
    }
    (widened, narrowed)
}

fn times(grants: &Grants) -> Vec<(&str, Option<u64>)> {
    grants
        .exec
        .iter()
        .filter(|e| e.timeout.is_some())
        .map(|e| (e.name.as_str(), e.timeout.map(|t| t.0)))
        .collect()
}
