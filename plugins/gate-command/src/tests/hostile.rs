//! Output that wants to break the gate: floods, bombs, control characters, random bytes. Whatever comes, the answer
//! fits the host, and a command that failed never passes.

use super::{check, ended, worst};
use proptest::prelude::*;
use sandgate_plugin::Verdict;
use serde_json::json;
use std::time::Instant;

/// Most seconds for one megabyte in a debug build on a loaded machine; quadratic reading takes minutes.
const SECONDS: u64 = 20;

fn floods(bytes: usize) -> Vec<(&'static str, String)> {
    let many = |text: &str| text.repeat(bytes / text.len());
    vec![
        ("one line", many("x")),
        ("one line of digits", many("9")),
        ("one line of results", many("12 passed, ")),
        ("lines of results", many("999999999999999999 passed\n")),
        ("failures", many("test a ... FAILED\n")),
        ("pairs in a line", many("1 failed | ")),
        ("escapes", many("\x1b[31m")),
        ("links", many("\x1b]8;;http://a\x1b\\")),
        ("nul", many("\0")),
        ("carriage returns", many("\r")),
        ("tap plans", many("1..1\n")),
        (
            "tap tests",
            format!("TAP version 13\n{}", many("not ok 1 - a\n")),
        ),
        (
            "tap details",
            format!("1..1\nnot ok 1\n  ---\n{}", many("  a: b\n")),
        ),
        ("tap hashes", format!("1..1\nok 1 {}", many("#"))),
        ("depth", many("<testsuite>")),
        ("an open tag", format!("<testsuite {}", many("a='b' "))),
        ("attributes", format!("<testsuite {}/>", many("a='b' "))),
        (
            "one attribute",
            format!("<testsuite name='{}'/>", many("&amp;")),
        ),
        (
            "cases",
            format!(
                "<testsuite>{}</testsuite>",
                many("<testcase name='a'><failure/></testcase>")
            ),
        ),
        (
            "references",
            format!("<testsuite><testcase><failure>{}", many("&#x202e;&lol;")),
        ),
        ("comments", format!("<testsuite><!--{}", many("-"))),
        (
            "entities",
            format!(
                "<!DOCTYPE l [<!ENTITY a 'lol'>{}]><testsuite>&z;</testsuite>",
                many("<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>")
            ),
        ),
        ("go", many("--- FAIL: T (0.00s)\n")),
        ("equal signs", many("=")),
        ("pytest", many("1 passed in 1s in 1s ")),
    ]
}

#[test]
fn floods_are_read_in_bounded_time() {
    let mut slowest = (0, "");
    let mut probes = 0;
    // All at full size in the way that looks at everything, and small ones in each way.
    for (bytes, ways) in [
        (1 << 20, &["auto"][..]),
        (1 << 16, &["junit", "tap", "counts"]),
    ] {
        for (name, text) in floods(bytes) {
            for parse in ways {
                let start = Instant::now();
                let config = json!({ "program": "p", "parse": parse });
                let checks = check(&config, Ok(ended(1, &text)));
                assert_ne!(worst(&checks), Verdict::Pass, "{name}");
                let took = start.elapsed();
                assert!(took.as_secs() < SECONDS, "{name} as {parse}: {took:?}");
                slowest = slowest.max((took.as_millis(), name));
                probes += 1;
            }
        }
    }
    println!(
        "{probes} floods; the slowest of 1 MiB ({}) took {} ms",
        slowest.1, slowest.0
    );
}

/// Pieces that mean something to one of the readers.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "ok",
            "not ok",
            "1..",
            "# SKIP",
            "# TODO",
            "Bail out!",
            "TAP version 13",
            " - ",
            "\n",
            "\n",
            "\n",
            "    ",
            "<testsuite>",
            "</testsuite>",
            "<testcase name='a'>",
            "</testcase>",
            "<failure message='",
            "'/>",
            "<![CDATA[",
            "]]>",
            "&#0;",
            "&lt;",
            "<!--",
            "-->",
            "<?xml version='1.0'?>",
            "test result: ok. ",
            "passed",
            "failed",
            "; ",
            ", ",
            " in ",
            "s",
            "Tests: ",
            "Tests run: ",
            "Failures: ",
            "Errors: ",
            "Summary [",
            "] ",
            "tests run: ",
            "Ran ",
            " tests in ",
            "OK (",
            "FAILED (",
            "--- PASS: ",
            "ok  \t",
            "FAIL\t",
            "% tests passed",
            "[  PASSED  ] ",
            "\x1b[",
            "\u{9b}",
            "\u{202e}",
            "\u{0}",
            "ä",
            "\r",
            "=",
            "Executed ",
            ", with ",
        ])
        .prop_map(str::to_owned),
        any::<u64>().prop_map(|n| n.to_string()),
        (0u8..20).prop_map(|n| n.to_string()),
        "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("SANDGATE_PROBES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
    ))]

    /// Any output, any exit code, any way of reading.
    #[test]
    fn no_output_lets_a_failed_command_pass(
        pieces in prop::collection::vec(piece(), 0..60),
        code in prop_oneof![Just(0), Just(1), any::<i32>()],
        parse in prop::sample::select(vec!["auto", "exit-code", "junit", "tap", "counts"]),
    ) {
        let text = pieces.concat();
        let checks = check(&json!({ "program": "p", "parse": parse }), Ok(ended(code, &text)));
        if code != 0 {
            prop_assert_ne!(worst(&checks), Verdict::Pass);
        }
        let again = check(&json!({ "program": "p", "parse": parse }), Ok(ended(code, &text)));
        prop_assert_eq!(checks, again);
    }

    /// Any bytes.
    #[test]
    fn bytes_that_are_no_text(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&json!({ "program": "p", "checks": { "min": 1 } }), Ok(ended(0, bytes)));
    }

    /// A failed test anywhere in a TAP stream or a JUnit report is never lost.
    #[test]
    fn a_failed_test_is_never_lost(outcomes in prop::collection::vec(any::<bool>(), 1..300)) {
        let failed = outcomes.iter().filter(|ok| !**ok).count();
        let mut tap = format!("1..{}\n", outcomes.len());
        let mut xml = format!("<testsuite tests='{}' failures='{failed}'>", outcomes.len());
        for (n, ok) in outcomes.iter().enumerate() {
            tap += &format!("{} {} - t{n}\n", if *ok { "ok" } else { "not ok" }, n + 1);
            xml += &format!("<testcase name='t{n}'>{}</testcase>", if *ok { "" } else { "<failure/>" });
        }
        xml += "</testsuite>";
        let expected = if failed == 0 { Verdict::Pass } else { Verdict::Fail };
        for text in [tap, xml] {
            let checks = check(&json!({ "program": "p" }), Ok(ended(0, &text)));
            prop_assert_eq!(worst(&checks), expected);
            let numbers = format!("{} passed, {failed} failed", outcomes.len() - failed);
            prop_assert!(checks[1].message.starts_with(&numbers), "{}", checks[1].message);
        }
    }
}
