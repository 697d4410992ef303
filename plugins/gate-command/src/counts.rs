//! Test results from the lines that usual test runners print for people. What each runner prints is in `runners`;
//! here the lines are added up.

use crate::runners::{self, Counts, Line};
use crate::tally::{Outcome, Tally, Test};
use std::collections::{BTreeMap, BTreeSet};

/// Longest line that can be a summary: the longest of a real runner has some 200 bytes.
const LINE: usize = 1024;

/// At most so many bytes from the beginning of a text.
pub(crate) fn head(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// Reads all summary lines of these texts.
pub(crate) fn read(texts: &[&str], tally: &mut Tally) {
    let mut sums = Sums::default();
    for line in texts.iter().flat_map(|text| text.lines()) {
        sums.line(head(line, LINE), tally);
    }
    sums.end(tally);
}

#[derive(Default)]
struct Sums {
    by_runner: BTreeMap<&'static str, Counts>,
    go: Go,
    /// `Ran N tests` of Python's unittest, until the line that says how they ended.
    ran: Option<u64>,
    /// Failed tests are often listed twice.
    failures: BTreeSet<String>,
}

impl Sums {
    fn line(&mut self, line: &str, tally: &mut Tally) {
        if let Some(found) = runners::named(line) {
            self.named(found, tally);
        }
        if self.go.line(line, tally) {
            return;
        }
        match runners::summary(line, self.ran) {
            Some(Line::Add(runner, counts)) => {
                let sum = self.by_runner.entry(runner).or_default();
                *sum = sum.plus(counts);
                self.ran = None;
            }
            Some(Line::Last(runner, counts)) => {
                self.by_runner.insert(runner, counts);
            }
            Some(Line::Ran(tests)) => self.ran = Some(tests),
            None => {}
        }
    }

    fn named(&mut self, test: Test, tally: &mut Tally) {
        let again = test.outcome == Outcome::Failed
            && (self.failures.len() >= crate::tally::KEPT
                || !self.failures.insert(test.name.clone()));
        if !again {
            tally.name(test, &[]);
        }
    }

    fn end(mut self, tally: &mut Tally) {
        if let Some(tests) = self.ran {
            tally.found("unittest");
            tally.doubt(format!(
                "{tests} tests ran, and how they ended is not in the output"
            ));
        }
        // Maven prints a line for each class, and a sum for each module.
        if self.by_runner.contains_key(runners::SUREFIRE) {
            self.by_runner.remove(runners::SUREFIRE_CLASS);
        }
        if let Some(counts) = self.go.counts() {
            self.by_runner.insert("go test", counts);
        }
        for (runner, counts) in self.by_runner {
            tally.found(runner);
            tally.count(counts.passed, counts.failed, counts.skipped);
        }
    }
}

/// `go test` prints a line for each package, and with `-v` lines for each test.
#[derive(Default)]
struct Go {
    packages: Counts,
    tests: Counts,
    verbose: bool,
    seen: bool,
}

impl Go {
    fn line(&mut self, line: &str, tally: &mut Tally) -> bool {
        let mut is_test = |word: &str, outcome: Outcome| -> bool {
            let Some(rest) = line.strip_prefix(word) else {
                return false;
            };
            let (name, time) = rest.split_once(" (").unwrap_or((rest, ""));
            let took = crate::tally::seconds(time.trim_end_matches("s)"));
            let test = Test {
                name: name.trim().to_owned(),
                outcome,
                message: String::new(),
                took,
            };
            tally.name(test, &[]);
            true
        };
        if is_test("--- PASS: ", Outcome::Passed) {
            self.verbose = true;
            self.tests.passed += 1;
        } else if is_test("--- FAIL: ", Outcome::Failed) {
            self.tests.failed += 1;
        } else if is_test("--- SKIP: ", Outcome::Skipped) {
            self.tests.skipped += 1;
        } else if line.starts_with("=== RUN ") {
            self.verbose = true;
        } else if let Some(rest) = line.strip_prefix("ok  \t") {
            self.packages.passed += u64::from(!rest.contains("[no test"));
        } else if line.starts_with("?   \t") && line.contains("[no test files]") {
        } else if let Some(package) = line.strip_prefix("FAIL\t") {
            self.packages.failed += 1;
            // A package that was not built has no failed test to show.
            if package.contains("[build failed]") || package.contains("[setup failed]") {
                self.tests.failed += 1;
            }
        } else {
            return false;
        }
        self.seen = true;
        true
    }

    fn counts(&self) -> Option<Counts> {
        let mut counts = if self.verbose {
            self.tests
        } else {
            self.packages
        };
        // A package fails also for what is no test of its own, such as `TestMain`.
        counts.failed = counts.failed.max(self.packages.failed);
        self.seen.then_some(counts)
    }
}
