//! The pure core of Sandgate: events in, state and commands out.
//!
//! [`Run::step`] is the whole interface for change; [`Run::next_start`] says what could start next. No clock, no
//! randomness, no I/O, no async, no logging. Live running and recovery are the same calls with events from
//! different places.

mod ask;
mod backoff;
mod budget;
mod command;
mod event;
mod flow;
mod gate;
mod graph;
mod illegal;
mod on;
mod reason;
mod run;
mod schedule;
mod signal;
mod snapshot;
mod start;
mod status;
mod step;
mod summary;
mod table;
mod task;
mod view;

pub use ask::{
    AskState, AskView, Consented, DecideRefusal, Feedback, Judged, Need, Restore, Standing, Vote,
};
pub use budget::{Allowance, CallCounts};
pub use command::Command;
pub use event::{EVENT_FORMAT, Evaluated, Event, GateEnd, Steps, Timer};
pub use illegal::Illegal;
pub use run::{PlannerFailure, Run};
pub use signal::{
    Inbox, InboxEvent, KEPT_FOR, KEPT_MAX, Kept, OpenWait, PastWait, Receipt, SIGNAL_FIELDS_MAX,
    SIGNAL_ID_MAX, SIGNAL_NAME_MAX, SIGNAL_VALUE_MAX, SignalRefusal, fits, signal_digest,
    validate_signal,
};
pub use snapshot::{RestoreError, SNAPSHOT_FORMAT, Snapshot};
pub use start::Start;
pub use status::{Blocked, GateState, Outcome, Reason, RunState, TaskState};
pub use summary::{
    ArtifactSummary, AskSummary, BlockedSummary, CheckSummary, ErrorSummary, ExecutionSummary,
    GateSummary, NextSummary, PlanSummary, SUMMARY_TYPE, TaskSummary,
};
pub use task::{INSTANCES_MAX, TASKS_MAX};
pub use view::{GateView, TaskView, Wait};

pub(crate) use run::Stop;
