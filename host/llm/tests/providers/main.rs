//! Text generation over real HTTP on loopback, through the way out, against a server that speaks both protocols well
//! and badly.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod budgets;
mod permissions;
mod replay;
mod retries;
mod scenarios;
mod secrets;
mod support;
