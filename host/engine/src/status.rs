//! The words of a run's life, as SPEC fixes them.

use sandgate_model::{Moment, SessionName, TaskId};
use serde::{Deserialize, Serialize};

/// Where a run is. `paused` is a flag beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Asked for.
    Draft,
    /// A plan is being made.
    Planning,
    /// There is a plan; it waits for a decision, or for `dispatch`.
    PlanReview,
    /// Tasks run.
    Running,
    /// Gates run.
    Verifying,
    /// Every task succeeded (or was skipped by its condition) and every check passed.
    Verified,
    /// It ended otherwise.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunState {
    /// Whether the run has ended.
    #[must_use]
    pub fn ended(self) -> bool {
        matches!(self, Self::Verified | Self::Failed | Self::Cancelled)
    }

    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Planning => "planning",
            Self::PlanReview => "plan-review",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where a task is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Something it needs is not there yet.
    Pending,
    /// It could start now.
    Ready,
    /// An attempt runs, or the instances of its `for_each` do.
    Running,
    /// It gave an output.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It will not run: its condition is false, or something it needs did not succeed.
    Skipped,
    /// It was cancelled.
    Cancelled,
    /// A crash left its end unknown, and it may have had an effect. A person decides.
    Lost,
}

impl TaskState {
    /// Whether nothing more happens to it by itself.
    #[must_use]
    pub fn ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Ready | Self::Running)
    }

    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// Where a gate is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateState {
    /// Its tier is not open yet.
    Pending,
    /// It could start now.
    Ready,
    /// It runs.
    Running,
    /// At least one check, and all of them pass.
    Passed,
    /// Any other answer, or none.
    Blocked,
    /// The run ended before it.
    NotRun,
    /// It was taken down.
    Cancelled,
}

impl GateState {
    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Blocked => "blocked",
            Self::NotRun => "not-run",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What came of a run. Absent until it ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every task and every check is good.
    Verified,
    /// Some branches succeeded, some did not.
    Partial,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl Outcome {
    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a task is neither running nor successful. The machine-readable word is `code`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Reason {
    /// Tasks it needs have not ended.
    Dependency {
        /// At most the first ten of them.
        waiting_for: Vec<TaskId>,
        /// How many there are.
        count: u32,
    },
    /// A task it needs failed, was skipped, cancelled or lost.
    DependencyFailed {
        /// The task at the root of it.
        because: TaskId,
    },
    /// A task succeeded without an artifact that this one needs.
    ArtifactMissing {
        /// `TASK.NAME`.
        artifact: String,
    },
    /// A person has to approve.
    Approval,
    /// A signal has to come.
    Signal {
        /// Its type.
        signal: String,
    },
    /// A person has to answer.
    Response,
    /// Another task runs in its session.
    SessionBusy {
        /// The session.
        session: SessionName,
    },
    /// Every slot is taken.
    DispatchLimit {
        /// Most attempts at once.
        limit: u32,
    },
    /// It failed and waits before the next try.
    RetryBackoff {
        /// When it becomes ready.
        until: Moment,
    },
    /// The budget does not cover it.
    Budget,
    /// The run is paused.
    RunPaused,
    /// The run was cancelled, or stopped because of `on_failure = "stop"`.
    RunCancelled,
    /// The plan has not been approved or dispatched.
    PlanReview,
    /// Its `when` is false, or that of a task it needs.
    ConditionFalse {
        /// The task with the condition.
        because: TaskId,
    },
}

impl Reason {
    /// The machine-readable word: `code` in JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dependency { .. } => "dependency",
            Self::DependencyFailed { .. } => "dependency-failed",
            Self::ArtifactMissing { .. } => "artifact-missing",
            Self::Approval => "approval",
            Self::Signal { .. } => "signal",
            Self::Response => "response",
            Self::SessionBusy { .. } => "session-busy",
            Self::DispatchLimit { .. } => "dispatch-limit",
            Self::RetryBackoff { .. } => "retry-backoff",
            Self::Budget => "budget",
            Self::RunPaused => "run-paused",
            Self::RunCancelled => "run-cancelled",
            Self::PlanReview => "plan-review",
            Self::ConditionFalse { .. } => "condition-false",
        }
    }
}

/// A reason with what would change it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Blocked {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: Moment,
    /// What would unblock it, for a person.
    pub unblocks: String,
    /// Who can do it: `nobody` (it happens by itself), `operator`, or a role.
    pub who: String,
}
