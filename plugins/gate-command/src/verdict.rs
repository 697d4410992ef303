//! From what happened to checks. Whatever is not known blocks: it never passes.

use crate::settings::Settings;
use crate::tally::{KEPT, Outcome, Tally, Test};
use sandgate_plugin::command::{CommandError, Ending, Finished};
use sandgate_plugin::{Check, Verdict};
use sandgate_plugin_shared::{cut, last_lines, plain};
use std::collections::BTreeSet;

/// Lines of output in a message, from the end.
const LINES: usize = 12;
/// Characters of such a line.
const WIDTH: usize = 160;
/// Bytes of a check's name; the host takes 200, and repeated names get a number.
const NAME: usize = 180;

/// Words that all checks of one gate share.
pub(crate) struct Words {
    name: String,
    command: String,
}

impl Words {
    pub(crate) fn of(settings: &Settings) -> Self {
        let program = settings.program.rsplit('/').next().unwrap_or_default();
        let program = if program.is_empty() {
            "command"
        } else {
            program
        };
        let name = settings.name.as_deref().unwrap_or(program);
        let mut command = settings.program.clone();
        for arg in &settings.args {
            command.push(' ');
            command.push_str(arg);
        }
        Self {
            name: cut(&plain(name.as_bytes()), 40),
            command: cut(&plain(command.as_bytes()), 200),
        }
    }

    /// It did not run.
    pub(crate) fn not_run(&self, error: &CommandError) -> Check {
        Check::inconclusive(&self.name, bounded(format!("`{}`: {error}", self.command)))
    }

    /// It ran: the exit code, the tests as a whole, the tests that were asked for, and single tests as far as they fit.
    pub(crate) fn checks(
        &self,
        settings: &Settings,
        done: &Finished,
        tally: Option<&Tally>,
    ) -> Vec<Check> {
        let mut checks = vec![self.ending(done, tally)];
        if let Some(tally) = tally {
            checks.push(self.tests(settings, done, tally));
            for (name, outcome) in &tally.expected {
                checks.push(self.expected(name, *outcome));
            }
            single_tests(tally, &mut checks);
        }
        distinct(&mut checks);
        checks
    }

    fn ending(&self, done: &Finished, tally: Option<&Tally>) -> Check {
        let mut message = format!(
            "`{}` {} after {} ms",
            self.command,
            done.ending,
            done.took.as_millis()
        );
        let verdict = match done.ending {
            Ending::Exit(0) => Verdict::Pass,
            Ending::Exit(_) => Verdict::Fail,
            Ending::Signal(_) | Ending::TimedOut(_) => Verdict::Inconclusive,
        };
        if verdict == Verdict::Fail
            && let Some(tally) = tally
            && tally.failed == 0
            && tally.passed > 0
        {
            message += ", although no test that it reports failed";
        }
        if verdict != Verdict::Pass {
            message += &excerpt(done);
        }
        Check::new(&self.name, verdict, bounded(message)).took(done.took)
    }

    fn tests(&self, settings: &Settings, done: &Finished, tally: &Tally) -> Check {
        let name = format!("{}: tests", self.name);
        let mut message = tally.numbers();
        let verdict = if tally.failed > 0 {
            if done.succeeded() {
                message += "; the command ended with exit code 0 all the same";
            }
            Verdict::Fail
        } else if !tally.doubts.is_empty() {
            Verdict::Inconclusive
        } else if !tally.is_found() {
            message = "no test results were found, neither JUnit nor TAP nor a summary line; write a JUnit report and \
                       name it in `reports`, or say `parse = \"exit-code\"`"
                .to_owned();
            message += &excerpt(done);
            Verdict::Inconclusive
        } else if tally.ran() < settings.least() {
            message += &format!(
                "; {} ran, at least {} wanted",
                tally.ran(),
                settings.least()
            );
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        };
        for doubt in &tally.doubts {
            message += &format!("\n{doubt}");
        }
        let shown = tally.failures.len().min(KEPT) as u64;
        if tally.failed > shown && shown > 0 {
            message += &format!(
                "\n{} more have failed than are listed",
                tally.failed - shown
            );
        }
        Check::new(name, verdict, bounded(message))
    }

    fn expected(&self, name: &str, outcome: Option<Outcome>) -> Check {
        let label = format!("{}: expect {}", self.name, plain(name.as_bytes()));
        match outcome {
            Some(Outcome::Passed) => Check::pass(label, "it passed"),
            Some(Outcome::Failed) => Check::fail(label, "it failed"),
            Some(Outcome::Skipped) => Check::inconclusive(label, "it was skipped"),
            None => Check::inconclusive(label, "no test of this name has reported"),
        }
    }
}

/// Failed tests first; the others only when all of them fit.
fn single_tests(tally: &Tally, checks: &mut Vec<Check>) {
    let room = KEPT.saturating_sub(checks.len());
    checks.extend(tally.failures.iter().take(room).map(single));
    let left = KEPT.saturating_sub(checks.len());
    if tally.others.len() as u64 == tally.all().saturating_sub(tally.failed)
        && tally.others.len() <= left
    {
        let passed = tally
            .others
            .iter()
            .filter(|test| test.outcome == Outcome::Passed);
        checks.extend(passed.map(single));
    }
}

fn single(test: &Test) -> Check {
    let (verdict, otherwise) = match test.outcome {
        Outcome::Passed => (Verdict::Pass, "passed"),
        // A skipped test is no check: it neither holds nor blocks. None comes here.
        Outcome::Skipped => (Verdict::Inconclusive, "skipped"),
        Outcome::Failed => (Verdict::Fail, "failed"),
    };
    let message = plain(test.message.as_bytes());
    let message = if message.trim().is_empty() {
        otherwise.to_owned()
    } else {
        message
    };
    let check = Check::new(plain(test.name.as_bytes()), verdict, bounded(message));
    match test.took {
        Some(took) => check.took(took),
        None => check,
    }
}

/// The end of what it wrote: errors first, since there the reason stands more often.
fn excerpt(done: &Finished) -> String {
    let mut text = String::new();
    for (what, bytes) in [
        ("standard error", &done.stderr),
        ("standard output", &done.stdout),
    ] {
        let lines = last_lines(&plain(bytes), LINES, WIDTH);
        if !lines.is_empty() {
            text += &format!("\nthe end of its {what}:");
            for line in lines {
                text += "\n  ";
                text += &line;
            }
        }
    }
    text
}

/// A message in the host's limit, whatever its characters: 16 KiB, of which half is plenty.
fn bounded(mut message: String) -> String {
    const BYTES: usize = 8 << 10;
    if message.len() > BYTES {
        message.truncate(message.floor_char_boundary(BYTES));
        message.push('…');
    }
    message
}

/// Names short and different from each other: the host refuses an answer that has two of a name.
fn distinct(checks: &mut [Check]) {
    let mut taken = BTreeSet::new();
    for check in checks {
        let mut name = check.name.trim().to_owned();
        if name.is_empty() {
            "a test without a name".clone_into(&mut name);
        }
        name.truncate(name.floor_char_boundary(NAME));
        check.name.clone_from(&name);
        let mut number = 2u32;
        while !taken.insert(check.name.clone()) {
            check.name = format!("{name} ({number})");
            number += 1;
        }
    }
}
