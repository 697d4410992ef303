//! The sandbox against guests that misbehave. Every limit and every outcome is provoked here with its figure, by real
//! components: `tests/guests` and a few written by hand in `wats`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do, and print their figures"
)]

mod artifacts;
mod crowd;
mod files;
mod limits;
mod linking;
mod loading;
mod outcomes;
mod paths;
mod powers;
mod quotas;
mod roles;
mod sessions;
mod support;
mod tape;
mod time;
mod tree;
mod wats;
mod words;
mod worker;
