//! A project in a temporary directory, and the built binary run in it.
//!
//! Every project has its own home and XDG directories, so no test sees the machine's configuration or another
//! test's state. Only the compile cache is shared: compiling the first-party components once per test would be
//! most of the time, and sharing it is what users do.

mod binary;
mod dice;
mod history;
mod normal;
mod project;
mod run;
mod terminal;
mod web;

pub(crate) use binary::{binary, root};
pub(crate) use dice::Dice;
pub(crate) use history::{dangerous, mentions};
pub(crate) use normal::normal;
pub(crate) use project::Project;
pub(crate) use run::{Done, Running};
pub(crate) use web::Recorder;
