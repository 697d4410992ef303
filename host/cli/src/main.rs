//! The binary `sandgate`: arguments in, requests to the driver, what it answers shown to a person or a program.
//! This crate decides nothing about a run: no state changes here, no rule is applied here, and nothing that is
//! shown is trusted by anything below.

mod args;
mod error;
mod exit;
mod suggest;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::SUCCESS
}
