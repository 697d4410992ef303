//! Write Sandgate plugins in Rust: one trait for each role, one macro to export it.
//!
//! | role | trait | what it does |
//! |---|---|---|
//! | planner | [`Planner`] | turns a goal into a draft plan |
//! | agent | [`Agent`] | does a task |
//! | gate | [`Gate`] | verifies what a run produced |
//!
//! A whole agent:
//!
//! ```
//! use sandgate_plugin::{Agent, Config, Description, Output, Result, Task};
//!
//! #[derive(serde::Deserialize)]
//! struct Input {
//!     text: String,
//! }
//!
//! struct WordCount;
//!
//! impl Agent for WordCount {
//!     fn describe() -> Description {
//!         Description::new("word-count", env!("CARGO_PKG_VERSION"), "Counts the words of a text")
//!             .input_schema(serde_json::json!({
//!                 "type": "object",
//!                 "required": ["text"],
//!                 "properties": { "text": { "type": "string" } }
//!             }))
//!     }
//!
//!     fn open(_config: Config) -> Result<Self> {
//!         Ok(Self)
//!     }
//!
//!     fn run(&mut self, task: Task) -> Result<Output> {
//!         let input: Input = task.input()?;
//!         Output::json(&serde_json::json!({ "words": input.text.split_whitespace().count() }))
//!     }
//! }
//!
//! sandgate_plugin::export!(agent: WordCount);
//! # fn main() {}
//! ```
//!
//! Build it with `cargo build --release --target wasm32-wasip2` and name the file in `sandgate.toml`.
//!
//! A component imports only what it uses: `log` when it calls [`log`], `artifacts` when it calls [`artifacts`],
//! `wasi:filesystem` when it calls `std::fs` or [`files`], and likewise [`command`], [`model`], [`budget`] and [`http`]. What is imported has to be granted, so do not call what you
//! do not need.
//!
//! The crate also compiles natively, so that a plugin's logic can be unit-tested with a plain `cargo test`;
//! [`testing`] stands in for the host there.
//!
//! This crate must not do anything when a component starts: the host makes a fresh instance for each attempt.

pub mod artifacts;
mod bindings;
pub mod budget;
pub mod command;
mod description;
mod error;
mod export;
pub mod files;
pub mod http;
pub mod log;
pub mod model;
pub mod progress;
pub mod question;
mod role;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use description::{Description, NeedKind};
pub use error::{PluginError, Result};
pub use role::agent::{Agent, Output, Task};
pub use role::config::Config;
pub use role::gate::{Check, FinishedTask, Gate, Subject, Verdict};
pub use role::planner::{
    DraftPlan, DraftTask, ListedFile, OfferedAgent, OfferedGate, Packet, Planner,
};
pub use role::target::{Target, View};

/// Holds the code of the README to what compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What [`export!`] expands to. Not for direct use.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::{agent, describe, gate, planner};
    pub use crate::export::{AgentComponent, GateComponent, PlannerComponent};
}
