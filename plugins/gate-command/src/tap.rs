//! The Test Anything Protocol, versions 12 to 14, top level. Subtests are summed up by their parent's line.

use crate::tally::{Outcome, Tally, Test};
use std::collections::BTreeSet;

/// Most test numbers that are remembered to find repeated ones.
const NUMBERS: usize = 1_000_000;
/// Longest line that is read; of a longer one the beginning.
const LINE: usize = 4096;

/// Whether it is TAP: says so, or has a plan and a test line.
pub(crate) fn looks_like(text: &str) -> bool {
    let (mut has_plan, mut has_test) = (false, false);
    for line in text.lines() {
        let line = crate::counts::head(line, LINE);
        if line.starts_with("TAP version ") {
            return true;
        }
        has_plan |= plan(line).is_some();
        has_test |= test(line).is_some();
    }
    has_plan && has_test
}

/// Reads it. Whatever breaks the protocol is a reason for doubt.
pub(crate) fn read(text: &str, tally: &mut Tally) {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.line(crate::counts::head(line, LINE), tally);
    }
    reader.end(tally);
}

#[derive(Default)]
struct Reader {
    planned: Option<u64>,
    seen: u64,
    numbers: BTreeSet<u64>,
    /// The failed test whose details may follow.
    open: Option<Test>,
    in_details: bool,
}

impl Reader {
    fn line(&mut self, line: &str, tally: &mut Tally) {
        if line.trim_start().starts_with("Bail out!") {
            tally.found("TAP");
            let why = line.trim_start().trim_start_matches("Bail out!").trim();
            tally.doubt(format!(
                "the tests bailed out: {}",
                or(why, "no reason given")
            ));
            return;
        }
        if self.details(line) {
            return;
        }
        if line.starts_with("TAP version ") {
            tally.found("TAP");
        } else if let Some((planned, reason)) = plan(line) {
            tally.found("TAP");
            if self.planned.replace(planned).is_some() {
                tally.doubt("there is more than one plan".to_owned());
            }
            if planned == 0 && !reason.is_empty() {
                tally.doubt(format!("all tests are skipped: {reason}"));
            }
        } else if let Some(found) = test(line) {
            tally.found("TAP");
            self.close(tally);
            self.point(&found, tally);
        }
    }

    /// Whether a line belongs to the details of a test: YAML between `---` and `...`, or a diagnostic.
    fn details(&mut self, line: &str) -> bool {
        let indented = line.starts_with(' ');
        if self.in_details && indented {
            if line.trim() == "..." {
                self.in_details = false;
            } else {
                self.add(line.trim());
            }
            return true;
        }
        self.in_details = false;
        if indented && line.trim() == "---" {
            self.in_details = true;
            return true;
        }
        match line.strip_prefix('#') {
            Some(diagnostic) => {
                self.add(diagnostic.trim());
                true
            }
            // Anything else that is indented is a subtest.
            None => indented,
        }
    }

    fn add(&mut self, detail: &str) {
        if let Some(test) = &mut self.open
            && test.message.len() < LINE
        {
            if !test.message.is_empty() {
                test.message.push('\n');
            }
            test.message.push_str(detail);
        }
    }

    fn close(&mut self, tally: &mut Tally) {
        if let Some(test) = self.open.take() {
            let name = test.name.clone();
            tally.test(test, &[&name]);
        }
    }

    fn point(&mut self, found: &Point<'_>, tally: &mut Tally) {
        self.seen += 1;
        let number = found.number.unwrap_or(self.seen);
        if self.numbers.len() < NUMBERS && !self.numbers.insert(number) {
            tally.doubt(format!("two tests have the number {number}"));
        }
        let outcome = match (found.ok, found.directive) {
            (true, Some(Directive::Skip)) | (false, Some(Directive::Todo)) => Outcome::Skipped,
            (true, _) => Outcome::Passed,
            // A failure that calls itself skipped did run.
            (false, _) => Outcome::Failed,
        };
        self.open = Some(Test {
            name: or(found.name, &format!("test {number}")).to_owned(),
            outcome,
            message: found.reason.to_owned(),
            took: None,
        });
    }

    fn end(mut self, tally: &mut Tally) {
        self.close(tally);
        match self.planned {
            None if tally.sources.is_empty() => {}
            None => tally.doubt("there is no plan, so the output may have broken off".to_owned()),
            Some(planned) if planned != self.seen => tally.doubt(format!(
                "{planned} tests are planned and {} have reported",
                self.seen
            )),
            Some(planned) if self.numbers.last().is_some_and(|last| *last > planned) => {
                tally.doubt("a test's number is beyond the plan".to_owned());
            }
            Some(_) => {}
        }
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// `1..N`, and why when there is a comment.
fn plan(line: &str) -> Option<(u64, &str)> {
    let rest = line.strip_prefix("1..")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at_checked(end)?;
    let after = after.trim();
    if !after.is_empty() && !after.starts_with('#') {
        return None;
    }
    Some((digits.parse().ok()?, after.trim_start_matches('#').trim()))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Directive {
    Skip,
    Todo,
}

/// A test line.
#[derive(PartialEq, Eq, Debug)]
struct Point<'a> {
    ok: bool,
    number: Option<u64>,
    name: &'a str,
    directive: Option<Directive>,
    reason: &'a str,
}

fn test(line: &str) -> Option<Point<'_>> {
    let (ok, rest) = match line.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok")?),
    };
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let rest = rest.trim();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at_checked(end)?;
    let (number, rest) = match digits.parse() {
        Ok(number) if after.is_empty() || after.starts_with([' ', '\t', '-', '#']) => {
            (Some(number), after.trim_start())
        }
        _ => (None, rest),
    };
    let rest = rest.strip_prefix("- ").unwrap_or(rest);
    let (name, directive, reason) = directive(rest);
    Some(Point {
        ok,
        number,
        name: name.trim(),
        directive,
        reason: reason.trim(),
    })
}

/// `NAME # SKIP why`; a `#` after a backslash is part of the name.
fn directive(rest: &str) -> (&str, Option<Directive>, &str) {
    for (at, _) in rest.match_indices('#') {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        if before.ends_with('\\') {
            continue;
        }
        let word = after.trim_start_matches('#').trim_start();
        let upper: String = word
            .chars()
            .take(4)
            .collect::<String>()
            .to_ascii_uppercase();
        let directive = match upper.as_str() {
            "SKIP" => Directive::Skip,
            "TODO" => Directive::Todo,
            _ => continue,
        };
        let reason = word.get(4..).unwrap_or_default();
        // `# SKIPPED why` is common, `# todos` is a remark.
        let reason = match directive {
            Directive::Skip => reason.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
            Directive::Todo if reason.starts_with(|c: char| c.is_alphanumeric()) => continue,
            Directive::Todo => reason,
        };
        return (before, Some(directive), reason);
    }
    (rest, None, "")
}
