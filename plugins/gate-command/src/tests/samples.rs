//! What real test runners print, cut to what matters, and what it means: passed, failed, skipped.

use crate::counts;
use crate::tally::Tally;

/// Name, output, passed, failed, skipped.
const SAMPLES: &[(&str, &str, u64, u64, u64)] = &[
    (
        "cargo test of three targets",
        "running 2 tests\ntest tests::adds ... ok\ntest tests::slow ... ignored, takes an hour\n\ntest result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
         running 1 test\ntest lives ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\n\
         Doc-tests sample\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        2,
        0,
        1,
    ),
    (
        "cargo test that fails",
        "test tests::it ... FAILED\n\nfailures:\n\n---- tests::it stdout ----\nassertion `left == right` failed\n  left: 1\n right: 2\n\n\
         test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.03s\n\nerror: test failed, to rerun pass `--lib`\n",
        4,
        1,
        0,
    ),
    (
        "cargo nextest",
        "    Starting 4 tests across 2 binaries\n        PASS [   0.004s] a tests::one\n        FAIL [   0.004s] a tests::two\n------------\n     Summary [   0.051s] 4 tests run: 2 passed (1 flaky), 1 failed, 1 timed out, 7 skipped\n        FAIL [   0.004s] a tests::two\nerror: test run failed\n",
        2,
        2,
        7,
    ),
    (
        "cargo nextest that stopped early",
        "     Summary [   0.020s] 3/10 tests run: 2 passed, 1 failed, 0 skipped\n",
        2,
        1,
        0,
    ),
    (
        "pytest",
        "tests/test_a.py ..F.s                                    [100%]\n=========================== short test summary info ============================\nFAILED tests/test_a.py::test_two - assert 1 == 2\nERROR tests/test_b.py::test_x - fixture 'db' not found\n\
         ============= 1 failed, 3 passed, 1 skipped, 2 xfailed, 1 xpassed, 4 warnings, 1 error in 0.12s =============\n",
        4,
        2,
        3,
    ),
    ("pytest -q", "...\n3 passed in 0.02s\n", 3, 0, 0),
    (
        "pytest that took minutes",
        "=== 120 passed, 2 deselected in 75.31s (0:01:15) ===\n",
        120,
        0,
        0,
    ),
    (
        "pytest without tests",
        "============================ no tests ran in 0.01s =============================\n",
        0,
        0,
        0,
    ),
    (
        "unittest",
        ".s..\n----------------------------------------------------------------------\nRan 4 tests in 0.001s\n\nOK (skipped=1)\n",
        3,
        0,
        1,
    ),
    ("unittest, plain", "Ran 1 test in 0.000s\n\nOK\n", 1, 0, 0),
    (
        "unittest that fails",
        "Ran 9 tests in 0.003s\n\nFAILED (failures=2, errors=1, skipped=1, expected failures=1, unexpected successes=1)\n",
        3,
        4,
        2,
    ),
    (
        "unittest without tests",
        "Ran 0 tests in 0.000s\n\nNO TESTS RAN\n",
        0,
        0,
        0,
    ),
    (
        "jest",
        "Test Suites: 1 failed, 3 passed, 4 total\nTests:       1 failed, 2 skipped, 1 todo, 10 passed, 14 total\nSnapshots:   5 passed, 5 total\nTime:        1.2 s\nRan all test suites.\n",
        10,
        1,
        3,
    ),
    (
        "jest, all passed",
        "Test Suites: 1 passed, 1 total\nTests:       3 passed, 3 total\nSnapshots:   0 total\n",
        3,
        0,
        0,
    ),
    (
        "vitest",
        " Test Files  1 failed | 3 passed (4)\n      Tests  1 failed | 10 passed | 2 skipped (13)\n   Start at  10:00:00\n   Duration  312ms (transform 20ms)\n",
        10,
        1,
        2,
    ),
    (
        "mocha",
        "\n  door\n    ✔ opens\n    1) closes\n\n  10 passing (32ms)\n  2 pending\n  1 failing\n\n  1) door closes:\n",
        10,
        1,
        2,
    ),
    (
        "go test of packages",
        "ok  \texample.com/a\t0.003s\nok  \texample.com/b\t(cached)\n?   \texample.com/c\t[no test files]\nok  \texample.com/d\t0.001s [no tests to run]\n",
        2,
        0,
        0,
    ),
    (
        "go test that fails",
        "--- FAIL: TestTwo (0.00s)\n    --- FAIL: TestTwo/sub (0.00s)\n        a_test.go:9: no\nFAIL\nFAIL\texample.com/a\t0.003s\nok  \texample.com/b\t0.1s\nFAIL\n",
        1,
        1,
        0,
    ),
    (
        "go test -v",
        "=== RUN   TestOne\n--- PASS: TestOne (0.00s)\n=== RUN   TestTwo\n=== RUN   TestTwo/x\n--- PASS: TestTwo (0.01s)\n    --- PASS: TestTwo/x (0.00s)\n=== RUN   TestThree\n    a_test.go:3: later\n--- SKIP: TestThree (0.00s)\nPASS\nok  \texample.com/a\t0.012s\n",
        2,
        0,
        1,
    ),
    (
        "go test that does not build",
        "FAIL\texample.com/a [build failed]\nFAIL\n",
        0,
        1,
        0,
    ),
    (
        "maven",
        "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s -- in a.ATest\n[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 1, Time elapsed: 0.2 s <<< FAILURE! -- in a.BTest\n[INFO] Results:\n[ERROR] Tests run: 5, Failures: 1, Errors: 0, Skipped: 1\n",
        3,
        1,
        1,
    ),
    (
        "maven, one class",
        "Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s - in a.ATest\n",
        3,
        0,
        0,
    ),
    (
        "gradle",
        "> Task :test FAILED\n\nATest > two() FAILED\n\n12 tests completed, 1 failed, 2 skipped\n",
        9,
        1,
        2,
    ),
    ("phpunit", "OK (12 tests, 34 assertions)\n", 12, 0, 0),
    (
        "phpunit that fails",
        "FAILURES!\nTests: 12, Assertions: 34, Errors: 1, Failures: 1, Skipped: 2, Incomplete: 1.\n",
        7,
        2,
        3,
    ),
    (
        "rspec",
        "Finished in 0.1 seconds (files took 0.2 seconds to load)\n12 examples, 1 failure, 2 pending\n",
        9,
        1,
        2,
    ),
    ("rspec, one", "1 example, 0 failures\n", 1, 0, 0),
    (
        "minitest",
        "12 runs, 30 assertions, 1 failures, 1 errors, 2 skips\n",
        8,
        2,
        2,
    ),
    (
        "exunit",
        "Finished in 0.1 seconds\n5 doctests, 12 tests, 1 failure, 2 excluded\n",
        14,
        1,
        2,
    ),
    (
        "bats, pretty",
        " ✓ opens\n ✗ closes\n\n2 tests, 1 failure\n",
        1,
        1,
        0,
    ),
    (
        "ctest",
        "98% tests passed, 1 tests failed out of 50\n\nTotal Test time (real) =   0.1 sec\n",
        49,
        1,
        0,
    ),
    (
        "ctest, all passed",
        "100% tests passed, 0 tests failed out of 3\n",
        3,
        0,
        0,
    ),
    ("ctest without tests", "No tests were found!!!\n", 0, 0, 0),
    (
        "dotnet test",
        "Failed!  - Failed:     1, Passed:    11, Skipped:     2, Total:    14, Duration: 5 ms - a.dll (net9.0)\nPassed!  - Failed:     0, Passed:     3, Skipped:     0, Total:     3, Duration: 1 ms - b.dll (net9.0)\n",
        14,
        1,
        2,
    ),
    (
        "dotnet test, terminal",
        "Test summary: total: 12, failed: 1, succeeded: 10, skipped: 1, duration: 1.2s\n",
        10,
        1,
        1,
    ),
    (
        "node --test, spec",
        "ℹ tests 12\nℹ suites 0\nℹ pass 10\nℹ fail 1\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0\nℹ duration_ms 50.1\n",
        10,
        1,
        1,
    ),
    (
        "deno",
        "ok | 12 passed (3 steps) | 0 failed | 2 ignored (32ms)\n",
        12,
        0,
        2,
    ),
    (
        "deno that fails",
        "FAILED | 3 passed | 1 failed (12ms)\n",
        3,
        1,
        0,
    ),
    (
        "bun",
        " 12 pass\n 1 fail\n 2 skip\n 34 expect() calls\nRan 15 tests across 2 files. [50.00ms]\n",
        12,
        1,
        2,
    ),
    (
        "googletest",
        "[==========] 3 tests from 1 test suite ran. (0 ms total)\n[  PASSED  ] 2 tests.\n[  FAILED  ] 1 test, listed below:\n[  FAILED  ] Door.Closes\n\n 1 FAILED TEST\n",
        2,
        1,
        0,
    ),
    (
        "xctest",
        "Test Suite 'A' passed\n\t Executed 3 tests, with 0 failures (0 unexpected) in 0.1 (0.1) seconds\nTest Suite 'All tests' failed\n\t Executed 12 tests, with 1 test skipped and 1 failure (0 unexpected) in 0.1 (0.2) seconds\n",
        10,
        1,
        1,
    ),
    (
        "scalatest",
        "[info] Tests: succeeded 12, failed 1, canceled 0, ignored 2, pending 1\n",
        12,
        1,
        3,
    ),
    (
        "playwright",
        "Running 3 tests using 2 workers\n\n  1 failed\n    [chromium] › a.spec.ts:3:1 › closes\n  1 skipped\n  12 passed (3.4s)\n",
        12,
        1,
        0,
    ),
    ("plain", "12 passed, 1 failed\n", 12, 1, 0),
    (
        "plain with a label",
        "Result: 12 passed; 1 failed; 2 skipped; 15 total\n",
        12,
        1,
        2,
    ),
    (
        "plain in words",
        "5 tests passed and 2 tests failed\n",
        5,
        2,
        0,
    ),
    ("zig", "All 12 tests passed.\n", 12, 0, 0),
    (
        "in colour",
        "\x1b[1mTests:       \x1b[22m\x1b[1m\x1b[31m1 failed\x1b[39m\x1b[22m, \x1b[32m10 passed\x1b[39m, 11 total\n",
        10,
        1,
        0,
    ),
    (
        "two runners",
        "test result: ok. 2 passed; 0 failed; 0 ignored\n=== 1 failed, 3 passed in 0.1s ===\n",
        5,
        1,
        0,
    ),
];

/// What looks like results and is none.
const NONE: &[&str] = &[
    "",
    "I have 3 failed attempts behind me, 2 passed over\n",
    "warning: 12 warnings emitted\n",
    "error: could not compile `a` due to 2 previous errors\n",
    "Compiling passed v0.1.0\n",
    "Downloaded 12 crates (3.4 MB) in 0.1s\n",
    "HTTP 200 OK in 0.3s\n",
    "2026-11-21 12:00:00 INFO 3 passed through the door, 1 failed\n",
    "Snapshots:   5 passed, 5 total in all\nOK\nFAILED (x=1)\n",
    "✖ 12 problems (10 errors, 2 warnings)\n",
    "999999999999999999999999999 passed\n",
    "-1 passed\n",
    "1e9 passed\n",
    "12  passed, but really\n",
];

fn read(text: &str) -> Tally {
    let mut tally = Tally::default();
    counts::read(
        &[&sandgate_plugin_shared::plain(text.as_bytes())],
        &mut tally,
    );
    tally
}

#[test]
fn what_the_runners_print() {
    let mut wrong = Vec::new();
    for (name, text, passed, failed, skipped) in SAMPLES {
        let tally = read(text);
        let found = (tally.passed, tally.failed, tally.skipped);
        if !tally.is_found() || !tally.doubts.is_empty() || found != (*passed, *failed, *skipped) {
            wrong.push(format!("{name}: {tally:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{} samples read as they are meant", SAMPLES.len());
}

#[test]
fn what_is_no_result() {
    for text in NONE {
        let tally = read(text);
        assert!(!tally.is_found(), "{text:?}: {tally:?}");
    }
}

#[test]
fn names_of_tests_that_failed() {
    for (text, name) in [
        ("test a::b ... FAILED\n", "a::b"),
        (
            "FAILED tests/a.py::b[1] - assert x == 2\n",
            "tests/a.py::b[1]",
        ),
        (
            "        FAIL [   0.004s] a tests::two\n        FAIL [   0.004s] a tests::two\n",
            "a tests::two",
        ),
        (
            "[  FAILED  ] Door.Closes (1 ms)\n[  FAILED  ] Door.Closes\n",
            "Door.Closes",
        ),
        ("--- FAIL: TestTwo (0.50s)\n", "TestTwo"),
    ] {
        let tally = read(text);
        let names: Vec<&str> = tally
            .failures
            .iter()
            .map(|test| test.name.as_str())
            .collect();
        assert_eq!(names, [name], "{text}");
    }
}

#[test]
fn results_without_an_end() {
    let tally = read("Ran 12 tests in 0.1s\nSegmentation fault\n");
    assert_eq!(tally.doubts.len(), 1, "{tally:?}");
    assert_eq!(tally.passed, 0);
}
