//! A gate's answer. An empty one is passed on as it is: whoever decides treats it as inconclusive.

use super::Reasons;
use crate::bindings::exports::sandgate::plugin::checking::{CheckLine, Verdict as Word};
use sandgate_model::{Check, Millis, Verdict};
use std::collections::BTreeSet;

/// Most checks in an answer: more than any person reads.
const CHECKS_MAX: usize = 10_000;

/// Longest name of a check: it is shown in a column.
const NAME_MAX: usize = 200;

/// Longest message: a failing test's output, cut to its end, fits.
const MESSAGE_MAX: usize = 16 << 10;

/// Longest duration that is believed: a year, in milliseconds.
const DURATION_MAX: u64 = 366 * 24 * 3_600 * 1_000;

pub(crate) fn checks(lines: Vec<CheckLine>) -> Result<Vec<Check>, Vec<String>> {
    let mut reasons = Reasons::default();
    if lines.len() > CHECKS_MAX {
        reasons.add(format!(
            "{} checks, and {CHECKS_MAX} is the most",
            lines.len()
        ));
        return reasons.give(Vec::new());
    }
    let mut names = BTreeSet::new();
    for (i, line) in lines.iter().enumerate() {
        if line.name.is_empty() {
            reasons.add(format!("check {i} has no name"));
        }
        reasons.length(|| format!("the name of check {i}"), &line.name, NAME_MAX);
        reasons.length(
            || format!("the message of check {i}"),
            &line.message,
            MESSAGE_MAX,
        );
        if !names.insert(line.name.as_str()) {
            reasons.add(format!("two checks are named {:?}", line.name));
        }
        if line.duration_ms.is_some_and(|ms| ms > DURATION_MAX) {
            reasons.add(format!("check {i} took more than a year"));
        }
    }
    drop(names);
    reasons.give(
        lines
            .into_iter()
            .map(|line| Check {
                name: line.name,
                verdict: match line.verdict {
                    Word::Pass => Verdict::Pass,
                    Word::Fail => Verdict::Fail,
                    Word::Inconclusive => Verdict::Inconclusive,
                    Word::NeedsHuman => Verdict::NeedsHuman,
                },
                message: line.message,
                duration: line.duration_ms.map(Millis),
            })
            .collect(),
    )
}
