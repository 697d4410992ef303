//! The way out against real servers on loopback. Every connection is recorded: what must not be reached was not.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

mod bombs;
mod headers;
mod kit;
mod limits;
mod rebinding;
mod redirects;
mod secrets;
mod spellings;
mod tls;
