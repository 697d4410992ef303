//! One line of one test runner: what it says. Pure, and told apart by what only that runner prints; a line that is
//! nobody's is read only when it consists of numbers and words such as "12 passed, 1 failed".

use crate::tally::{Outcome, Test};

/// A sum of Maven.
pub(crate) const SUREFIRE: &str = "surefire";
/// A class of Maven, part of the sum.
pub(crate) const SUREFIRE_CLASS: &str = "surefire (by class)";

/// Numbers of tests.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed.saturating_add(other.passed),
            failed: self.failed.saturating_add(other.failed),
            skipped: self.skipped.saturating_add(other.skipped),
        }
    }

    /// Of so many tests these failed and these were skipped; the rest passed.
    fn of(total: u64, failed: u64, skipped: u64) -> Self {
        Self {
            passed: total.saturating_sub(failed.saturating_add(skipped)),
            failed,
            skipped,
        }
    }
}

/// What a line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// To be added to the runner's sum.
    Add(&'static str, Counts),
    /// The runner's sum so far.
    Last(&'static str, Counts),
    /// So many tests ran; how they ended is said later.
    Ran(u64),
}

/// Reads a summary line. `ran` is the number of a [`Line::Ran`] before it.
pub(crate) fn summary(line: &str, ran: Option<u64>) -> Option<Line> {
    let line = line.trim();
    // Most lines have no digit and are done here.
    if !line.bytes().any(|byte| byte.is_ascii_digit()) && !line.starts_with(['O', 'F', 'N']) {
        return None;
    }
    cargo(line)
        .or_else(|| nextest(line))
        .or_else(|| unittest(line, ran))
        .or_else(|| pytest(line))
        .or_else(|| maven(line))
        .or_else(|| dotnet(line))
        .or_else(|| phpunit(line))
        .or_else(|| jest(line))
        .or_else(|| node(line))
        .or_else(|| short(line))
        .or_else(|| gtest(line))
        .or_else(|| ctest(line))
        .or_else(|| xctest(line))
        .or_else(|| scalatest(line))
        .or_else(|| totals(line))
        .or_else(|| plain(line))
}

/// A number before each word: `12 passed; 1 failed` gives 12 for `passed`.
fn before(line: &str, word: &str) -> Option<u64> {
    let mut words = line
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    let mut last = "";
    words.find_map(|next| {
        let number = (next == word).then(|| number(last)).flatten();
        last = next;
        number
    })
}

/// A number after a label: `Failures: 3` and `failures=3`.
fn after(line: &str, label: &str) -> Option<u64> {
    line.match_indices(label).find_map(|(at, _)| {
        let rest = line.get(at + label.len()..)?;
        let rest = rest.strip_prefix([':', '=', ' '])?.trim_start();
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        number(rest.get(..end)?)
    })
}

/// Up to 18 digits: what is longer is no number of tests.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn sum(line: &str, words: &[&str]) -> u64 {
    words
        .iter()
        .filter_map(|word| before(line, word))
        .fold(0, u64::saturating_add)
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s`
fn cargo(line: &str) -> Option<Line> {
    let rest = line.strip_prefix("test result: ")?;
    let counts = Counts {
        passed: before(rest, "passed")?,
        failed: before(rest, "failed")?,
        skipped: sum(rest, &["ignored"]),
    };
    Some(Line::Add("cargo test", counts))
}

/// `Summary [   0.051s] 3 tests run: 2 passed (1 flaky), 1 failed, 1 timed out, 4 skipped`
fn nextest(line: &str) -> Option<Line> {
    let rest = line.strip_prefix("Summary [")?;
    let (total, rest) = rest.split_once(" run: ")?;
    // Tests that end for any other reason than passing have failed, by whatever name.
    // `3 tests`, or `3/10 tests` where it stopped early.
    let (_, total) = total.split_once(']')?;
    let total = number_at_start(total.trim_start())?;
    let passed = before(rest, "passed").unwrap_or(0);
    let counts = Counts {
        passed,
        failed: total.saturating_sub(passed),
        skipped: sum(rest, &["skipped"]),
    };
    Some(Line::Add("nextest", counts))
}

/// `Ran 12 tests in 0.001s`, then `OK (skipped=1)` or `FAILED (failures=1, errors=2)`.
fn unittest(line: &str, ran: Option<u64>) -> Option<Line> {
    if let Some(rest) = line.strip_prefix("Ran ")
        && (rest.contains(" tests in ") || rest.contains(" test in "))
    {
        let tests = before(rest, "tests").or_else(|| before(rest, "test"))?;
        return Some(Line::Ran(tests));
    }
    let total = ran?;
    let (word, rest) = line.split_once(" (").unwrap_or((line, ""));
    if !matches!(word, "OK" | "FAILED" | "NO TESTS RAN") {
        return None;
    }
    let number = |label: &str| after(rest, label).unwrap_or(0);
    let unexpected = number("unexpected successes");
    // `failures` is also the end of `expected failures`.
    let alone = format!(" {}", rest.replace("expected failures", "foreseen"));
    let mut failed = after(&alone, "failures")
        .unwrap_or(0)
        .saturating_add(number("errors"))
        .saturating_add(unexpected);
    if word == "FAILED" {
        failed = failed.max(1);
    }
    let foreseen = after(&alone, "foreseen").unwrap_or(0);
    let skipped = number("skipped").saturating_add(foreseen);
    Some(Line::Add("unittest", Counts::of(total, failed, skipped)))
}

/// `=== 3 failed, 10 passed, 2 skipped, 1 xfailed, 2 errors in 1.23s (0:00:01) ===`
fn pytest(line: &str) -> Option<Line> {
    let line = line.trim_matches(['=', ' ']);
    let (counts, time) = line.rsplit_once(" in ")?;
    let time = time.split(' ').next()?;
    crate::tally::seconds(time.strip_suffix('s')?)?;
    if counts == "no tests ran" {
        return Some(Line::Add("pytest", Counts::default()));
    }
    const WORDS: &[&str] = &[
        "passed",
        "failed",
        "error",
        "errors",
        "skipped",
        "xfailed",
        "xpassed",
        "deselected",
        "warning",
        "warnings",
        "rerun",
        "subtests",
        "tests",
        "test",
    ];
    let known = counts.split(", ").all(|part| {
        let mut words = part.split(' ');
        words.next().is_some_and(|n| number(n).is_some())
            && words.next().is_some_and(|word| WORDS.contains(&word))
    });
    known.then(|| {
        let found = Counts {
            passed: sum(counts, &["passed", "xpassed"]),
            failed: sum(counts, &["failed", "error", "errors"]),
            skipped: sum(counts, &["skipped", "xfailed"]),
        };
        Line::Add("pytest", found)
    })
}

/// `[ERROR] Tests run: 12, Failures: 1, Errors: 0, Skipped: 2[, Time elapsed: 0.1 s -- in com.acme.T]`
fn maven(line: &str) -> Option<Line> {
    let at = line.find("Tests run: ")?;
    if at > "[WARNING] ".len() {
        return None;
    }
    let failed = after(line, "Failures")?.saturating_add(after(line, "Errors")?);
    let counts = Counts::of(
        after(line, "Tests run")?,
        failed,
        after(line, "Skipped").unwrap_or(0),
    );
    let runner = match line.contains("Time elapsed") {
        true => SUREFIRE_CLASS,
        false => SUREFIRE,
    };
    Some(Line::Add(runner, counts))
}

/// `Failed!  - Failed:     1, Passed:    11, Skipped:     0, Total:    12, Duration: 5 ms - a.dll (net9.0)`, and
/// `Test summary: total: 12, failed: 1, succeeded: 11, skipped: 0, duration: 1.2s`
fn dotnet(line: &str) -> Option<Line> {
    let (passed, failed, skipped) = if line.starts_with("Test summary: ") {
        ("succeeded", "failed", "skipped")
    } else if line.starts_with("Passed! ") || line.starts_with("Failed! ") {
        ("Passed", "Failed", "Skipped")
    } else {
        return None;
    };
    // Each word also stands at the beginning of the line, as a verdict.
    let counts = Counts {
        passed: after(line, passed)?,
        failed: after(line, failed)?,
        skipped: after(line, skipped)?,
    };
    Some(Line::Add("dotnet test", counts))
}

/// `OK (12 tests, 34 assertions)`, and `Tests: 12, Assertions: 34, Errors: 1, Failures: 1, Skipped: 1.`
fn phpunit(line: &str) -> Option<Line> {
    let counts = if let Some(rest) = line.strip_prefix("OK (")
        && rest.contains("assertion")
    {
        let total = before(rest, "tests").or_else(|| before(rest, "test"))?;
        Counts::of(total, 0, 0)
    } else if line.starts_with("Tests: ") && line.contains("Assertions: ") {
        let number = |label: &str| after(line, label).unwrap_or(0);
        let failed = number("Failures").saturating_add(number("Errors"));
        let skipped = number("Skipped").saturating_add(number("Incomplete"));
        Counts::of(after(line, "Tests")?, failed, skipped)
    } else {
        return None;
    };
    Some(Line::Add("phpunit", counts))
}

/// `Tests:       1 failed, 2 skipped, 10 passed, 13 total`, and of vitest
/// `Tests  1 failed | 10 passed | 2 skipped (13)`
fn jest(line: &str) -> Option<Line> {
    let rest = line
        .strip_prefix("Tests:")
        .or_else(|| line.strip_prefix("Tests  "))?;
    if !rest.contains(" total") && !rest.trim_end().ends_with(')') {
        return None;
    }
    let counts = Counts {
        passed: sum(rest, &["passed"]),
        failed: sum(rest, &["failed"]),
        skipped: sum(rest, &["skipped", "todo", "pending"]),
    };
    let known = counts != Counts::default() || before(rest, "total").is_some();
    known.then_some(Line::Add("jest", counts))
}

/// `# pass 12` and `ℹ pass 12` of Node's own runner.
fn node(line: &str) -> Option<Line> {
    let rest = line
        .strip_prefix("# ")
        .or_else(|| line.strip_prefix("ℹ "))?;
    let (word, count) = rest.split_once(' ')?;
    one_word(
        word,
        number(count)?,
        "node",
        &["pass"],
        &["fail", "cancelled"],
        &["skipped", "todo"],
    )
}

/// A line that has one number and one word: `12 passing (32ms)` of Mocha, `12 pass` of Bun.
fn short(line: &str) -> Option<Line> {
    let (count, rest) = line.split_once(' ')?;
    let count = number(count)?;
    let word = match rest.split_once(" (") {
        Some((word, time)) if time.ends_with(')') => word,
        _ => rest,
    };
    one_word(
        word,
        count,
        "mocha",
        &["passing"],
        &["failing"],
        &["pending"],
    )
    .or_else(|| one_word(word, count, "bun", &["pass"], &["fail"], &["skip", "todo"]))
}

fn one_word(
    word: &str,
    count: u64,
    runner: &'static str,
    passed: &[&str],
    failed: &[&str],
    skipped: &[&str],
) -> Option<Line> {
    let number = |words: &[&str]| if words.contains(&word) { count } else { 0 };
    let known = [passed, failed, skipped]
        .iter()
        .any(|words| words.contains(&word));
    let counts = Counts {
        passed: number(passed),
        failed: number(failed),
        skipped: number(skipped),
    };
    known.then_some(Line::Add(runner, counts))
}

/// `[  PASSED  ] 12 tests.`, `[  FAILED  ] 1 test, listed below:`
fn gtest(line: &str) -> Option<Line> {
    let (word, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim();
    let count = before(rest, "tests").or_else(|| before(rest, "test"))?;
    let is_sum =
        rest.ends_with("listed below:") || rest.ends_with("tests.") || rest.ends_with("test.");
    let mut counts = Counts::default();
    match word.trim() {
        "PASSED" => counts.passed = count,
        "FAILED" => counts.failed = count,
        "SKIPPED" => counts.skipped = count,
        _ => return None,
    }
    is_sum.then_some(Line::Add("googletest", counts))
}

/// `98% tests passed, 1 tests failed out of 50`
fn ctest(line: &str) -> Option<Line> {
    if line == "No tests were found!!!" {
        return Some(Line::Add("ctest", Counts::default()));
    }
    let (_, rest) = line.split_once("% tests passed")?;
    let total = number(rest.rsplit(' ').next()?)?;
    let failed = rest
        .strip_prefix(", ")
        .and_then(|rest| number(rest.split(' ').next()?));
    Some(Line::Add(
        "ctest",
        Counts::of(total, failed.unwrap_or(0), 0),
    ))
}

/// `Executed 12 tests, with 1 test skipped and 1 failure (0 unexpected) in 0.1 (0.2) seconds`: for each suite, and
/// for all of them at the end.
fn xctest(line: &str) -> Option<Line> {
    let rest = line.strip_prefix("Executed ")?;
    let (total, rest) = rest.split_once(", with ")?;
    let total = before(total, "tests").or_else(|| before(total, "test"))?;
    let failed = before(rest, "failures").or_else(|| before(rest, "failure"))?;
    let skipped = rest
        .split_once(" skipped")
        .and_then(|(before, _)| number(before.split(' ').next()?));
    Some(Line::Last(
        "xctest",
        Counts::of(total, failed, skipped.unwrap_or(0)),
    ))
}

/// `Tests: succeeded 12, failed 1, canceled 0, ignored 2, pending 0`
fn scalatest(line: &str) -> Option<Line> {
    let rest = line
        .trim_start_matches("[info] ")
        .strip_prefix("Tests: succeeded ")?;
    let number = |label: &str| after(rest, label).unwrap_or(0);
    let counts = Counts {
        passed: number_at_start(rest)?,
        failed: number("failed"),
        skipped: number("ignored")
            .saturating_add(number("pending"))
            .saturating_add(number("canceled")),
    };
    Some(Line::Add("scalatest", counts))
}

fn number_at_start(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    number(text.get(..end)?)
}

/// A total first and then what did not pass: `12 examples, 1 failure, 2 pending` (RSpec), `5 doctests, 12 tests, 0 failures,
/// 1 excluded` (ExUnit), `12 runs, 30 assertions, 1 failures, 0 errors, 0 skips` (Minitest), `12 tests completed,
/// 1 failed` (Gradle).
fn totals(line: &str) -> Option<Line> {
    let line = line.trim_end_matches('.');
    number_at_start(line)?;
    let total = sum(
        line,
        &["examples", "example", "runs", "run", "doctests", "doctest"],
    )
    .saturating_add(
        before(line, "tests")
            .or_else(|| before(line, "test"))
            .unwrap_or(0),
    );
    let failed = before(line, "failures")
        .or_else(|| before(line, "failure"))
        .or_else(|| {
            line.contains("completed, ")
                .then(|| before(line, "failed"))
                .flatten()
        })?;
    let failed = failed.saturating_add(sum(line, &["errors", "error", "invalid"]));
    let skipped = sum(
        line,
        &[
            "pending",
            "pendings",
            "skipped",
            "skips",
            "skip",
            "excluded",
            "omissions",
        ],
    );
    let tidy = line.split(", ").all(|part| number_at_start(part).is_some());
    tidy.then_some(Line::Add("totals", Counts::of(total, failed, skipped)))
}

/// Numbers and words and nothing else: `12 passed, 1 failed`, `Result: 12 passed; 1 failed; 13 total`,
/// `ok | 12 passed (3 steps) | 0 failed (32ms)`, `All 12 tests passed`.
fn plain(line: &str) -> Option<Line> {
    let mut rest = line.trim_matches(['=', '*', ' ', '.', '✓', '✗', '✖', '✔']);
    for label in ["ok | ", "FAILED | ", "All "] {
        rest = rest.strip_prefix(label).unwrap_or(rest);
    }
    if let Some((label, after)) = rest.split_once(": ")
        && label.len() <= 30
        && !label.bytes().any(|byte| byte.is_ascii_digit())
    {
        // Other things that are counted beside tests.
        if ["Suites", "Snapshots", "Files"]
            .iter()
            .any(|other| label.contains(other))
        {
            return None;
        }
        rest = after.trim_start();
    }
    let mut counts = Counts::default();
    let mut known = false;
    for part in rest
        .split([',', ';', '|'])
        .flat_map(|part| part.split(" and "))
    {
        let (count, word) = plain_part(part.trim())?;
        match word {
            "passed" | "succeeded" | "ok" => counts.passed = counts.passed.saturating_add(count),
            "failed" | "errored" | "timed" => counts.failed = counts.failed.saturating_add(count),
            "skipped" | "ignored" | "pending" | "todo" => {
                counts.skipped = counts.skipped.saturating_add(count);
            }
            "total" | "measured" | "filtered" | "flaky" | "tests" => continue,
            _ => return None,
        }
        known |= matches!(word, "passed" | "failed" | "succeeded");
    }
    known.then_some(Line::Add("summary line", counts))
}

/// `N passed`, `N tests passed`, `N passed (3 steps)`, `N passed in 0.1s`.
fn plain_part(part: &str) -> Option<(u64, &str)> {
    let part = match part.split_once(" (") {
        Some((words, note)) if note.ends_with(')') => words,
        _ => part,
    };
    let part = part.split_once(" in ").map_or(part, |(words, _)| words);
    let mut words = part.split_whitespace();
    let count = number(words.next()?)?;
    let mut word = words.next()?;
    if matches!(
        word,
        "tests" | "test" | "specs" | "spec" | "checks" | "check"
    ) && let Some(next) = words.next()
    {
        word = next;
    }
    let rest = words.next();
    (rest.is_none() || matches!((word, rest), ("filtered" | "timed", Some("out"))))
        .then_some((count, word))
}

/// A test by its name: `test a::b ... FAILED` (cargo), `FAILED tests/a.py::b - why` (pytest), `FAIL [ 0.1s] crate a::b`
/// (nextest), `[  FAILED  ] A.b (1 ms)` (GoogleTest).
pub(crate) fn named(line: &str) -> Option<Test> {
    let trimmed = line.trim();
    let test = |name: &str, outcome, message: &str| Test {
        name: name.trim().to_owned(),
        outcome,
        message: message.trim().to_owned(),
        took: None,
    };
    if let Some((name, how)) = trimmed
        .strip_prefix("test ")
        .and_then(|rest| rest.rsplit_once(" ... "))
    {
        let outcome = match how {
            "ok" => Outcome::Passed,
            "FAILED" => Outcome::Failed,
            how if how.starts_with("ignored") => Outcome::Skipped,
            _ => return None,
        };
        return Some(test(name, outcome, ""));
    }
    if let Some(rest) = line
        .strip_prefix("FAILED ")
        .or_else(|| line.strip_prefix("ERROR "))
        && rest.contains(".py")
    {
        let (name, why) = rest.split_once(" - ").unwrap_or((rest, ""));
        return Some(test(name, Outcome::Failed, why));
    }
    if let Some(rest) = trimmed.strip_prefix("FAIL [") {
        let (_, name) = rest.split_once(']')?;
        return Some(test(name, Outcome::Failed, ""));
    }
    if let Some(rest) = trimmed.strip_prefix("[  FAILED  ] ")
        && !rest.contains(" test")
    {
        let name = rest.split_once(" (").map_or(rest, |(name, _)| name);
        return Some(test(name, Outcome::Failed, ""));
    }
    None
}
