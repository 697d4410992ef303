//! The gate through its front door, with a host that plays the command.

mod formats;
mod hostile;
mod reports;
mod samples;

use crate::Command;
use sandgate_plugin::command::{CommandError, Ending, Finished};
use sandgate_plugin::testing::Bench;
use sandgate_plugin::{Check, Config, Gate, PluginError, Subject, Verdict};
use serde_json::{Value, json};
use std::time::Duration;

/// A command that ended by itself.
fn ended(code: i32, stdout: impl AsRef<[u8]>) -> Finished {
    Finished {
        ending: Ending::Exit(code),
        stdout: stdout.as_ref().to_vec(),
        stderr: Vec::new(),
        dropped: 0,
        took: Duration::from_millis(12),
    }
}

/// Runs the gate over a command that ends so.
fn check(config: &Value, done: Result<Finished, CommandError>) -> Vec<Check> {
    try_check(config, done).unwrap()
}

fn try_check(
    config: &Value,
    done: Result<Finished, CommandError>,
) -> Result<Vec<Check>, PluginError> {
    let bench = Bench::new().command(move |_| done.clone());
    let (answer, _) =
        bench.run(|| Command::check(Subject::default(), Config::new(config.to_string())));
    if let Ok(checks) = &answer {
        fits_the_host(checks);
    }
    answer
}

/// What the host demands of a gate's answer.
fn fits_the_host(checks: &[Check]) {
    assert!(
        !checks.is_empty() && checks.len() <= 200,
        "{}",
        checks.len()
    );
    let mut names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "two checks of one name");
    for check in checks {
        assert!((1..=200).contains(&check.name.len()), "{:?}", check.name);
        assert!(check.message.len() <= 16 << 10);
        let text = format!("{}{}", check.name, check.message);
        assert!(!text.contains(['\u{1b}', '\0', '\u{202e}']), "{text:?}");
    }
}

/// The worst of all checks, as the host sees them: any failure, else any doubt.
fn worst(checks: &[Check]) -> Verdict {
    for verdict in [Verdict::Fail, Verdict::NeedsHuman, Verdict::Inconclusive] {
        if checks.iter().any(|check| check.verdict == verdict) {
            return verdict;
        }
    }
    Verdict::Pass
}

fn find<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks
        .iter()
        .find(|check| check.name == name)
        .unwrap_or_else(|| panic!("no check {name}: {checks:#?}"))
}

fn config() -> Value {
    json!({ "program": "cargo", "args": ["test"] })
}

#[test]
fn the_exit_code_alone() {
    let checks = check(&config(), Ok(ended(0, "hello\n")));
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].name, "cargo");
    assert_eq!(checks[0].verdict, Verdict::Pass);
    assert_eq!(checks[0].took, Some(Duration::from_millis(12)));

    let mut done = ended(3, "one\n\x1b[31mtwo\x1b[0m\n");
    done.stderr = b"reason\n".to_vec();
    let checks = check(&config(), Ok(done));
    assert_eq!(checks[0].verdict, Verdict::Fail);
    for part in [
        "`cargo test` ended with exit code 3",
        "\n  two",
        "\n  reason",
    ] {
        assert!(checks[0].message.contains(part), "{}", checks[0].message);
    }
}

#[test]
fn whatever_keeps_it_from_running_is_inconclusive() {
    for error in [
        CommandError::NotGranted("add exec = [...]".to_owned()),
        CommandError::NotApproved("nobody approved".to_owned()),
        CommandError::NotContained("no Landlock".to_owned()),
        CommandError::NotStarted("no such program".to_owned()),
        CommandError::Limit("8 commands".to_owned()),
        CommandError::Host("journal".to_owned()),
    ] {
        let checks = check(&config(), Err(error.clone()));
        assert_eq!(checks.len(), 1);
        assert_eq!(worst(&checks), Verdict::Inconclusive, "{error}");
        assert!(checks[0].message.contains(error.text()));
    }
    for ending in [Ending::Signal(9), Ending::TimedOut(Duration::from_secs(5))] {
        let mut done = ended(0, "test result: ok. 3 passed; 0 failed; 0 ignored\n");
        done.ending = ending;
        let checks = check(&config(), Ok(done));
        assert_eq!(worst(&checks), Verdict::Inconclusive, "{ending}");
        // What it had written until then proves nothing.
        assert!(checks.iter().all(|check| check.verdict != Verdict::Pass));
    }
}

#[test]
fn exit_code_and_tests_have_to_agree() {
    let passed = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
    let failed = "test a ... FAILED\ntest result: FAILED. 2 passed; 1 failed; 0 ignored\n";
    assert_eq!(
        worst(&check(&config(), Ok(ended(0, passed)))),
        Verdict::Pass
    );
    let checks = check(&config(), Ok(ended(101, passed)));
    assert_eq!(worst(&checks), Verdict::Fail);
    assert!(find(&checks, "cargo").message.contains("although no test"));
    let checks = check(&config(), Ok(ended(0, failed)));
    assert_eq!(worst(&checks), Verdict::Fail);
    assert_eq!(find(&checks, "cargo").verdict, Verdict::Pass);
    assert!(
        find(&checks, "cargo: tests")
            .message
            .contains("exit code 0 all the same")
    );
    assert_eq!(find(&checks, "a").verdict, Verdict::Fail);
}

#[test]
fn no_tests_where_tests_are_expected() {
    let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored\n";
    let silent = "all good\n";
    let skipped = "=== 4 skipped in 0.01s ===\n";
    for (text, parse, checks, verdict) in [
        (none, "auto", json!({}), Verdict::Inconclusive),
        (none, "auto", json!({ "min": 0 }), Verdict::Pass),
        (none, "exit-code", json!({}), Verdict::Pass),
        (skipped, "auto", json!({}), Verdict::Inconclusive),
        (silent, "auto", json!({}), Verdict::Pass),
        (silent, "auto", json!({ "min": 1 }), Verdict::Inconclusive),
        (
            silent,
            "auto",
            json!({ "expect": ["a"] }),
            Verdict::Inconclusive,
        ),
        (silent, "counts", json!({}), Verdict::Inconclusive),
        (silent, "tap", json!({}), Verdict::Inconclusive),
        (silent, "junit", json!({}), Verdict::Inconclusive),
        ("12 passed\n", "auto", json!({ "min": 12 }), Verdict::Pass),
        (
            "12 passed\n",
            "auto",
            json!({ "min": 13 }),
            Verdict::Inconclusive,
        ),
    ] {
        let config = json!({ "program": "p", "parse": parse, "checks": checks });
        let answer = check(&config, Ok(ended(0, text)));
        assert_eq!(worst(&answer), verdict, "{parse} {checks}: {answer:#?}");
    }
}

#[test]
fn tests_by_name() {
    let tap = "1..4\nok 1 - opens\nnot ok 2 - closes\nok 3 - locks # SKIP no key\nok 4 - opens\n";
    let config = json!({
        "program": "p", "name": "door",
        "checks": { "expect": ["opens", "closes", "locks", "rings"] }
    });
    let checks = check(&config, Ok(ended(1, tap)));
    for (name, verdict) in [
        ("opens", Verdict::Pass),
        ("closes", Verdict::Fail),
        ("locks", Verdict::Inconclusive),
        ("rings", Verdict::Inconclusive),
    ] {
        assert_eq!(
            find(&checks, &format!("door: expect {name}")).verdict,
            verdict
        );
    }
}

#[test]
fn many_tests_are_folded() {
    let mut tap = String::from("1..5000\n");
    for n in 1..=5000 {
        let ok = if n % 10 == 0 { "not ok" } else { "ok" };
        tap += &format!("{ok} {n} - test {n}\n");
    }
    let checks = check(&config(), Ok(ended(1, tap)));
    assert_eq!(checks.len(), 200);
    let sum = find(&checks, "cargo: tests");
    assert!(
        sum.message.starts_with("4500 passed, 500 failed"),
        "{}",
        sum.message
    );
    assert!(
        sum.message.contains("300 more have failed"),
        "{}",
        sum.message
    );
    // No list of those that passed when not all of them fit.
    assert!(
        checks
            .iter()
            .skip(2)
            .all(|check| check.verdict == Verdict::Fail)
    );
}

#[test]
fn a_wrong_configuration_says_what_to_change() {
    for (config, part) in [
        (json!({}), "no `program`"),
        (json!({ "program": "" }), "no `program`"),
        (json!({ "program": "a", "name": " " }), "`name` is empty"),
        (
            json!({ "program": "a", "reports": [1] }),
            "`reports` is a path",
        ),
        (
            json!({ "program": "a", "reports": "r.xml" }),
            "relative path `r.xml`",
        ),
        (
            json!({ "program": "a", "reports": "/r.xml", "parse": "tap" }),
            "`reports` are JUnit",
        ),
        (
            json!({ "program": "a", "parse": "exit-code", "checks": { "min": 1 } }),
            "can never hold",
        ),
        (
            json!({ "program": "a", "shell": true }),
            "unknown field `shell`",
        ),
        (
            json!({ "program": "a", "parse": "xml" }),
            "unknown variant `xml`",
        ),
    ] {
        let error = try_check(&config, Ok(ended(0, ""))).unwrap_err();
        assert!(matches!(error, PluginError::InvalidInput(_)), "{error}");
        assert!(error.text().contains(part), "{config}: {error}");
    }
}

#[test]
fn the_command_is_passed_on_as_it_is() {
    let bench = Bench::new().command(|_| Ok(ended(0, "")));
    let config = json!({ "program": "/bin/x", "args": ["a b", "$HOME", ""], "cwd": "/src" });
    let (_, bench) =
        bench.run(|| Command::check(Subject::default(), Config::new(config.to_string())));
    let asked = &bench.commands()[0];
    assert_eq!(bench.commands().len(), 1);
    assert_eq!(asked.program, "/bin/x");
    assert_eq!(asked.args, ["a b", "$HOME", ""]);
    assert_eq!(asked.cwd.as_deref(), Some("/src"));
}
