//! The decisions about HTTP requests against oracles that are written another way.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

mod address;
mod pattern;
mod permit;
mod target;

/// How many cases a property tries; `PROPTEST_CASES` raises it for long nights.
fn cases(normal: u32) -> proptest::test_runner::Config {
    let asked = proptest::test_runner::Config::default();
    proptest::test_runner::Config {
        cases: asked.cases.max(normal),
        failure_persistence: None,
        ..asked
    }
}
