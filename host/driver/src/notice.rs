//! What a driving host tells whoever watches. Notices are for eyes: nothing is decided by them, and they come
//! after the event is durable.

use sandgate_engine::Event;
use sandgate_model::{Moment, RunId, TaskId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How much a log line matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For the plugin's author.
    Debug,
    /// For whoever reads the log.
    Info,
    /// Something is odd.
    Warn,
    /// Something went wrong.
    Error,
}

/// Where a line came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogSource {
    /// The plugin called `log`.
    Log,
    /// The plugin wrote to standard output.
    Stdout,
    /// The plugin wrote to standard error.
    Stderr,
    /// The host says something about the plugin, such as that lines were dropped.
    Host,
}

/// One line of a plugin, as it was stored: raw text, to be escaped where it is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Moment,
    /// What the plugin worked on: a task id, `gate:ID` or `planner:NAME`.
    pub who: String,
    /// How much it matters.
    pub level: LogLevel,
    /// Where it came from.
    pub source: LogSource,
    /// The text.
    pub text: String,
}

/// Something to show.
#[derive(Clone, Debug)]
pub enum Notice {
    /// An event is durable.
    Event {
        /// The run.
        run: RunId,
        /// Sequence number in the project's journal.
        seq: u64,
        /// When.
        at: Moment,
        /// The event.
        event: Arc<Event>,
    },
    /// A plugin wrote a line.
    Log {
        /// The run.
        run: RunId,
        /// The line.
        line: LogLine,
    },
    /// A plugin says how far it is.
    Progress {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskId,
        /// What it does.
        message: String,
        /// How much is done, in thousandths.
        permille: Option<u16>,
    },
    /// A broken invariant: this run is no longer driven, the others are. Its record is complete up to here.
    Fault {
        /// The run.
        run: RunId,
        /// What broke.
        message: String,
    },
}
