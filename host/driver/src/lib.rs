//! The loop around the pure engine: it takes what happened, steps the engine, makes the events durable, and only
//! then performs what the engine wants.
//!
//! [`Project`] is a directory with `sandgate.toml`; [`Host`] is the one process that drives it; [`Reader`] looks at
//! it from anywhere. Nothing here prints, exits or reads the environment, and no rule of the product is decided
//! here: the engine decides, the sandbox enforces.

mod accept;
mod answer;
mod ask;
mod attempt;
mod call;
mod clock;
mod context;
mod control;
mod decided;
mod drive;
mod effects;
mod errors;
mod evaluate;
mod gate;
mod host;
mod jobs;
mod local;
mod logs;
mod notice;
mod options;
mod packet;
mod perform;
mod planning;
mod plugins;
mod predict;
mod project;
mod reader;
mod record;
mod room;
mod sessions;
mod setup;
mod signals;
mod wishes;
mod work;

pub use accept::{Acceptance, LOCK_FILE, LockError, imports};
pub use control::{
    Client, Control, Done, Offline, Reach, ReachError, Speaker, Wish, WishError, reach,
};
pub use errors::{AdoptError, DriveError, HostError, RequestError, SubmitError};
pub use host::{Checked, DryRun, Host, Request, Submission, check, sandbox, unusable};
pub use notice::{LogLevel, LogLine, LogSource, Notice};
pub use options::{HostOptions, ModelSource};
pub use plugins::{Plugin, PluginProblem, Plugins, read_component};
pub use predict::{Asked, CostRange, Denied, PredictedGate, Prediction};
pub use project::{PROJECT_FILE, Project, ProjectError, STATE_DIR};
pub use reader::{LookError, Reader, RunRow, row};
pub use record::{ReplayError, decode, replay};
pub use setup::BrokerError;

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
