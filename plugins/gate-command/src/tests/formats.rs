//! TAP and JUnit as they are written, and broken.

use crate::tally::{Outcome, Tally};
use crate::{junit, tap};
use std::time::Duration;

fn tap(text: &str) -> Tally {
    let mut tally = Tally::default();
    tap::read(text, &mut tally);
    tally
}

fn junit(text: &str) -> Tally {
    let mut tally = Tally::default();
    junit::read(text, "r.xml", &mut tally);
    tally
}

fn numbers(tally: &Tally) -> (u64, u64, u64) {
    (tally.passed, tally.failed, tally.skipped)
}

#[test]
fn tap_of_all_kinds() {
    let tally = tap(
        "TAP version 14\n1..7 # a plan\nok 1 - opens\nok 2 closes\nnot ok 3 - locks\n  ---\n  message: 'no key'\n  ...\n# more\n\
         ok 4 # SKIP no bell\nnot ok 5 - rings # TODO later\nok - a name without number\n    1..1\n    not ok 1 - a subtest\nok 7 - has \\# in it # skipped: why\n",
    );
    assert_eq!(numbers(&tally), (3, 1, 3));
    assert!(tally.doubts.is_empty(), "{:?}", tally.doubts);
    assert_eq!(tally.failures[0].name, "locks");
    assert_eq!(tally.failures[0].message, "message: 'no key'\nmore");
}

#[test]
fn node_prints_tap_in_a_pipe() {
    let text = "TAP version 13\n# Subtest: a\nok 1 - a\n  ---\n  duration_ms: 0.5\n  type: 'test'\n  ...\n# Subtest: b\n    # Subtest: inner\n    not ok 1 - inner\n      ---\n      error: 'x'\n      ...\n    1..1\nnot ok 2 - b\n  ---\n  duration_ms: 1\n  ...\n1..2\n# tests 2\n# pass 1\n# fail 1\n";
    assert!(tap::looks_like(text));
    let tally = tap(text);
    assert_eq!(numbers(&tally), (1, 1, 0));
    assert!(tally.doubts.is_empty(), "{:?}", tally.doubts);
}

#[test]
fn tap_that_cannot_be_trusted() {
    for (text, why) in [
        ("1..3\nok 1\nok 2\n", "3 tests are planned and 2"),
        ("1..1\nok 1\nok 2\n", "1 tests are planned and 2"),
        ("ok 1\nok 2\n", "no plan"),
        ("1..2\nok 1\nok 1\n", "two tests have the number 1"),
        ("1..2\nok 1\nok 3\n", "beyond the plan"),
        ("1..2\n1..2\nok 1\nok 2\n", "more than one plan"),
        ("1..2\nok 1\nBail out! no disk\n", "no disk"),
        ("1..0 # SKIP wrong platform\n", "wrong platform"),
        ("TAP version 13\n", "no plan"),
    ] {
        let tally = tap(text);
        assert!(
            tally.doubts.iter().any(|doubt| doubt.contains(why)),
            "{text:?}: {:?}",
            tally.doubts
        );
    }
    // A failure that says it was skipped did run.
    assert_eq!(numbers(&tap("1..1\nnot ok 1 # SKIP\n")), (0, 1, 0));
    assert!(!tap::looks_like("ok, all is well\n1..3 is a range\n"));
    assert!(!tap::looks_like("okay 1\n1..1\n"));
}

const PYTEST: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.050" timestamp="2026-11-21T10:00:00" hostname="h"><testcase classname="tests.test_a" name="test_one" time="0.001" /><testcase classname="tests.test_a" name="test_two" time="0.002"><failure message="assert 1 == 2&#10; +  where 1 = f()">def test_two():
&gt;       assert f() == 2</failure></testcase><testcase classname="tests.test_a" name="test_three" time="0.000"><skipped type="pytest.skip" message="later">x</skipped></testcase><testcase classname="tests.test_b" name="test_x" time="0.0"><error message="failed on setup">E</error></testcase></testsuite></testsuites>"#;

#[test]
fn junit_of_pytest() {
    let tally = junit(PYTEST);
    assert_eq!(numbers(&tally), (1, 2, 1));
    assert!(tally.doubts.is_empty(), "{:?}", tally.doubts);
    assert_eq!(tally.failures[0].name, "tests.test_a.test_two");
    assert_eq!(
        tally.failures[0].message,
        "assert 1 == 2\n +  where 1 = f()\ndef test_two():\n>       assert f() == 2"
    );
    assert_eq!(tally.failures[0].took, Some(Duration::from_millis(2)));
    assert_eq!(tally.others[1].outcome, Outcome::Skipped);
}

#[test]
fn junit_of_others() {
    for (name, text, expected) in [
        (
            "surefire",
            r#"<?xml version="1.0"?><testsuite xmlns:xsi="x" name="a.ATest" time="1,000.5" tests="2" errors="0" skipped="0" failures="1"><properties><property name="java" value="&lt;21&gt;"/></properties><testcase name="one" classname="a.ATest" time="0.1"/><testcase name="two" classname="a.ATest" time="0.1"><failure message="no" type="AssertionError"><![CDATA[at a.ATest <two>]]></failure><rerunFailure message="again"/><system-out><![CDATA[<failure>]]></system-out></testcase></testsuite>"#,
            (1, 1, 0),
        ),
        (
            "flaky, passed in the end",
            r#"<testsuite tests="1" failures="0"><testcase name="a"><flakyFailure message="first"/></testcase></testsuite>"#,
            (1, 0, 0),
        ),
        (
            "jest-junit",
            r#"<testsuites name="jest tests" tests="2" failures="0" errors="0" time="1.2"><testsuite name="s" errors="0" failures="0" skipped="1" tests="2"><testcase classname="s opens" name="s opens" time="0.004"></testcase><testcase classname="s c" name="s c"><skipped/></testcase></testsuite></testsuites>"#,
            (1, 0, 1),
        ),
        (
            "googletest",
            r#"<testsuites tests="2" failures="0" disabled="1" errors="0"><testsuite name="D" tests="2"><testcase name="A" status="run" classname="D"/><testcase name="B" status="notrun" classname="D"/></testsuite></testsuites>"#,
            (1, 0, 1),
        ),
        (
            "nextest",
            r#"<testsuites name="nextest-run" tests="1" failures="0" errors="0"><testsuite name="a" tests="1" disabled="0" errors="0" failures="0"><testcase name="t::one" classname="a" time="0.01"><system-out>1 &amp; 2 & 3 &unknown;</system-out></testcase></testsuite></testsuites>"#,
            (1, 0, 0),
        ),
        (
            "nested suites",
            r#"<testsuites><testsuite tests="2"><testsuite tests="1"><testcase name="a"/></testsuite><testsuite tests="1"><testcase name="b"><failure/></testcase></testsuite></testsuite></testsuites>"#,
            (1, 1, 0),
        ),
        ("no tests", "<testsuites/>", (0, 0, 0)),
        (
            "a byte order mark",
            "\u{feff}<testsuite><testcase name='a'/></testsuite>",
            (1, 0, 0),
        ),
        (
            "a crash outside of any test",
            r#"<testsuite tests="1" errors="2"><testcase name="a"/><system-err>boom</system-err></testsuite>"#,
            (1, 2, 0),
        ),
    ] {
        let tally = junit(text);
        assert_eq!(numbers(&tally), expected, "{name}: {tally:?}");
        assert!(tally.doubts.is_empty(), "{name}: {:?}", tally.doubts);
        assert!(junit::looks_like(text), "{name}");
    }
}

#[test]
fn junit_that_cannot_be_trusted() {
    let deep = format!("<testsuites>{}", "<testsuite>".repeat(100_000));
    for (text, why) in [
        ("", "no <testsuites>"),
        ("hello", "no <testsuites>"),
        ("<html></html>", "begins with <html>"),
        ("<testsuite><testcase name='a'/>", "breaks off"),
        (
            "<testsuite><testcase name='a'></testsuite>",
            "r.xml is no whole",
        ),
        ("<testsuite/><testsuite/>", "more than one document"),
        (
            "<testsuite tests='5'><testcase name='a'/></testsuite>",
            "counts 5 tests and shows 1",
        ),
        (
            "<!DOCTYPE x [<!ENTITY a 'aaa'>]><testsuite><testcase name='&a;'/></testsuite>",
            "document type",
        ),
        (
            "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><testsuite/>",
            "document type",
        ),
        (&deep, "64 elements deep"),
    ] {
        let tally = junit(text);
        assert!(
            tally.doubts.iter().any(|doubt| doubt.contains(why)),
            "{}: {:?}",
            crate::counts::head(text, 80),
            tally.doubts
        );
    }
}
