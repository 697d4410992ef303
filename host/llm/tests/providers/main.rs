//! Text generation over real HTTP on loopback, through the way out, against a server that speaks both protocols well
//! and badly.

mod budgets;
mod permissions;
mod replay;
mod retries;
mod scenarios;
mod secrets;
mod support;
