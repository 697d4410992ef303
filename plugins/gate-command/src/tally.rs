//! What the test results say, whichever way they were written. Bounded: everything is counted, and of names only
//! as many are kept as become checks.

use sandgate_plugin_shared::cut;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most failed tests, and most others, of which the name is kept.
pub(crate) const KEPT: usize = 200;
/// Characters of a test's message.
const MESSAGE: usize = 600;
/// Characters of a test's name; the host takes 200 bytes.
const NAME: usize = 150;
/// Most reasons for doubt that are kept; one is enough to block.
const REASONS: usize = 8;
/// Longest time that is believed, in seconds: a week.
const LONGEST: f64 = 7.0 * 86_400.0;

/// How a test ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It did not run, or it is expected to fail.
    Skipped,
}

/// One test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Test {
    /// Its name.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Why, if it said so.
    pub(crate) message: String,
    /// How long it took.
    pub(crate) took: Option<Duration>,
}

/// All results.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that did not run.
    pub(crate) skipped: u64,
    /// Failed tests with a name, the first of them.
    pub(crate) failures: Vec<Test>,
    /// Other tests with a name, the first of them.
    pub(crate) others: Vec<Test>,
    /// Where the results come from, such as `JUnit`.
    pub(crate) sources: Vec<&'static str>,
    /// Why they cannot be trusted.
    pub(crate) doubts: Vec<String>,
    /// Tests that were asked for by name, and how they ended.
    pub(crate) expected: BTreeMap<String, Option<Outcome>>,
}

impl Tally {
    /// No results; watches for tests with these names.
    pub(crate) fn new(expected: &[String]) -> Self {
        Self {
            expected: expected.iter().map(|name| (name.clone(), None)).collect(),
            ..Self::default()
        }
    }

    /// Says that results of this kind were found, if only of no test.
    pub(crate) fn found(&mut self, source: &'static str) {
        if !self.sources.contains(&source) {
            self.sources.push(source);
        }
    }

    /// Whether results were found, or what should have been results.
    pub(crate) fn is_found(&self) -> bool {
        !self.sources.is_empty() || !self.doubts.is_empty()
    }

    /// A reason why the results cannot be trusted.
    pub(crate) fn doubt(&mut self, reason: String) {
        if self.doubts.len() < REASONS {
            self.doubts.push(cut(&reason, MESSAGE));
        }
    }

    /// Counts tests of which only the number is known.
    pub(crate) fn count(&mut self, passed: u64, failed: u64, skipped: u64) {
        self.passed = self.passed.saturating_add(passed);
        self.failed = self.failed.saturating_add(failed);
        self.skipped = self.skipped.saturating_add(skipped);
    }

    /// Counts a test. `aliases` are further names by which it may be expected.
    pub(crate) fn test(&mut self, test: Test, aliases: &[&str]) {
        match test.outcome {
            Outcome::Passed => self.count(1, 0, 0),
            Outcome::Failed => self.count(0, 1, 0),
            Outcome::Skipped => self.count(0, 0, 1),
        }
        self.name(test, aliases);
    }

    /// Takes note of a test by its name; it is counted elsewhere.
    pub(crate) fn name(&mut self, test: Test, aliases: &[&str]) {
        for name in aliases.iter().copied().chain([test.name.as_str()]) {
            if let Some(seen) = self.expected.get_mut(name) {
                // Of two tests with one name the worse counts.
                *seen = Some(match (*seen, test.outcome) {
                    (Some(Outcome::Failed), _) | (_, Outcome::Failed) => Outcome::Failed,
                    (Some(Outcome::Skipped), _) | (_, Outcome::Skipped) => Outcome::Skipped,
                    _ => Outcome::Passed,
                });
            }
        }
        self.keep(test);
    }

    /// Keeps a test for the answer.
    fn keep(&mut self, test: Test) {
        let list = match test.outcome {
            Outcome::Failed => &mut self.failures,
            Outcome::Passed | Outcome::Skipped => &mut self.others,
        };
        if list.len() < KEPT {
            list.push(Test {
                name: cut(&one_line(&test.name), NAME),
                message: cut(test.message.trim(), MESSAGE),
                ..test
            });
        }
    }

    /// Tests that ran.
    pub(crate) fn ran(&self) -> u64 {
        self.passed.saturating_add(self.failed)
    }

    /// All tests.
    pub(crate) fn all(&self) -> u64 {
        self.ran().saturating_add(self.skipped)
    }

    /// The numbers for people.
    pub(crate) fn numbers(&self) -> String {
        let mut text = format!("{} passed, {} failed", self.passed, self.failed);
        if self.skipped > 0 {
            text += &format!(", {} skipped", self.skipped);
        }
        if !self.sources.is_empty() {
            text += &format!(" ({})", self.sources.join(", "));
        }
        text
    }
}

fn one_line(name: &str) -> String {
    let mut line = String::new();
    for word in name.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// A time in seconds as a report writes it.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.trim().replace(',', "").parse().ok()?;
    (number.is_finite() && (0.0..LONGEST).contains(&number))
        .then(|| Duration::from_secs_f64(number))
}
