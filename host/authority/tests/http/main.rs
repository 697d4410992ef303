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

/// How many cases a property tries; `SANDGATE_CASES` raises it for long nights.
fn cases(normal: u32) -> proptest::test_runner::Config {
    let factor = std::env::var("SANDGATE_CASES")
        .ok()
        .and_then(|f| f.parse().ok())
        .unwrap_or(1);
    proptest::test_runner::Config {
        cases: normal.saturating_mul(factor),
        failure_persistence: None,
        ..Default::default()
    }
}
