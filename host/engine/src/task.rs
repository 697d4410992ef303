//! What the engine keeps of a task. Small on purpose: a run may have 100,000 of them, so what only some tasks
//! have is boxed, and what the plan says is not repeated. This module must not decide anything.

use crate::{Restore, TaskState, budget::Lack};
use sandgate_model::{
    Amount, Digest, FailureClass, Millis, Moment, Payload, Signal, TaskIx, TaskOutput,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most items of one `for_each`. Ten thousand instances fit a person's patience and a summary; more is a mistake
/// in the expression, or hostile.
pub const INSTANCES_MAX: usize = 10_000;

/// Most tasks of a run, instances included: bounds what several `for_each` can add up to (about 200 MB of state).
pub const TASKS_MAX: usize = 1_000_000;

/// Where a task is, finer than [`TaskState`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Something it needs has not succeeded yet.
    Waiting,
    /// `Evaluate` was commanded.
    Evaluating,
    /// A person has to approve.
    Approval,
    /// It gave an output, and a person has to approve that before it counts.
    Held,
    /// A signal has to come.
    Signal {
        until: Option<Moment>,
    },
    /// It failed and is tried again later.
    Backoff {
        until: Moment,
    },
    /// It could start, but for the budget.
    Funds(Lack),
    /// It could start now.
    Ready,
    /// It could, but somebody paused it.
    Paused,
    /// An attempt runs.
    Running,
    /// An attempt stopped in the middle and waits for a person.
    Suspended,
    /// Its instances run.
    Expanded,
    Succeeded,
    Failed,
    Skipped(Skip),
    Cancelled,
    Lost,
}

/// Why a task was skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Skip {
    /// The condition of this task (itself, or one that it needs) is false.
    Condition(TaskIx),
    /// This task, at the root of it, did not succeed.
    Dependency(TaskIx),
    /// The artifact at this place of `consumes` was not made.
    Artifact(u32),
}

impl Phase {
    pub(crate) fn state(self) -> TaskState {
        match self {
            Self::Waiting
            | Self::Approval
            | Self::Held
            | Self::Signal { .. }
            | Self::Backoff { .. }
            | Self::Suspended
            | Self::Funds(_) => TaskState::Pending,
            Self::Evaluating | Self::Ready | Self::Paused => TaskState::Ready,
            Self::Running | Self::Expanded => TaskState::Running,
            Self::Succeeded => TaskState::Succeeded,
            Self::Failed => TaskState::Failed,
            Self::Skipped(_) => TaskState::Skipped,
            Self::Cancelled => TaskState::Cancelled,
            Self::Lost => TaskState::Lost,
        }
    }

    /// Ended in a way that lets the run be verified.
    pub(crate) fn good(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped(Skip::Condition(_)))
    }
}

/// What makes a task an instance of a `for_each`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) parent: TaskIx,
    pub(crate) n: u32,
    pub(crate) item: Payload,
}

/// The instances of a task: `count` of them from index `first` on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Expansion {
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// Instances that neither succeeded nor failed.
    pub(crate) open: u32,
    /// Instances that failed for good.
    pub(crate) failed: u32,
    /// The first of those that failed.
    pub(crate) first_failed: Option<TaskIx>,
    /// Instances that somebody cancelled.
    #[serde(default)]
    pub(crate) cancelled: u32,
    /// The first of those.
    #[serde(default)]
    pub(crate) first_cancelled: Option<TaskIx>,
}

impl Expansion {
    pub(crate) fn members(&self) -> impl DoubleEndedIterator<Item = TaskIx> + use<> {
        (self.first..self.first.saturating_add(self.count)).map(TaskIx)
    }
}

/// Why it failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) class: FailureClass,
    pub(crate) message: String,
    /// Because the budget did not cover it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) budget: bool,
}

/// Somebody wanted this one task to stop for good.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Cancelled {
    /// Who, for a person.
    pub(crate) by: String,
    /// Why; may be empty.
    pub(crate) reason: String,
}

/// What a wait for a signal said it waits for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Waited {
    /// Fields that have to be equal.
    pub(crate) matches: BTreeMap<String, String>,
    /// When it said so.
    pub(crate) since: Moment,
    /// What ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signal: Option<Signal>,
}

/// A failure on its way into a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause<'a> {
    pub(crate) class: FailureClass,
    pub(crate) message: &'a str,
    pub(crate) budget: bool,
}

impl<'a> Cause<'a> {
    pub(crate) fn new(class: FailureClass, message: &'a str) -> Self {
        Self {
            class,
            message,
            budget: false,
        }
    }

    /// Whether it comes of the budget.
    pub(crate) fn by_budget(self, budget: bool) -> Self {
        Self { budget, ..self }
    }
}

/// One task, or one instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Its place in the plan; an instance has its parent's.
    pub(crate) plan: TaskIx,
    pub(crate) phase: Phase,
    /// When the phase began.
    pub(crate) since: Moment,
    /// Number of the last attempt; 0: none yet.
    pub(crate) attempt: u32,
    /// Failed attempts that count against `retry.attempts`.
    pub(crate) spent: u32,
    /// Needs that have not succeeded.
    pub(crate) waiting: u32,
    /// When the last attempt (or the first instance) started.
    pub(crate) started: Option<Moment>,
    /// How long the last attempt took.
    pub(crate) took: Option<Millis>,
    pub(crate) instance: Option<Box<Instance>>,
    pub(crate) expansion: Option<Box<Expansion>>,
    pub(crate) output: Option<Box<TaskOutput>>,
    pub(crate) failure: Option<Box<Failure>>,
    /// What it cost, all its attempts together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paid: Option<Box<Amount>>,
    /// What only tasks have that people decide about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) human: Option<Box<Human>>,
    /// What only tasks have that people steer, or that wait for a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) steer: Option<Box<Steer>>,
}

/// What only tasks have that people steer, or that wait for a signal.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Steer {
    /// Somebody paused it, then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Moment>,
    /// Somebody wants it to stop for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cancel: Option<Cancelled>,
    /// For a wait that said what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waited: Option<Waited>,
}

/// What only tasks have that people decide about, or that wait for something from outside.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Human {
    /// Digest of the record that was approved before it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approved: Option<Digest>,
    /// What a person let it have although the budget did not cover it, all its attempts together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) granted: Option<Amount>,
    /// For an attempt that may be taken up where it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restore: Option<Restore>,
}

impl Task {
    pub(crate) fn new(plan: TaskIx, at: Moment) -> Self {
        Self {
            plan,
            phase: Phase::Waiting,
            since: at,
            attempt: 0,
            spent: 0,
            waiting: 0,
            started: None,
            took: None,
            instance: None,
            expansion: None,
            output: None,
            failure: None,
            paid: None,
            human: None,
            steer: None,
        }
    }

    pub(crate) fn paused(&self) -> Option<Moment> {
        self.steer.as_ref()?.paused
    }

    pub(crate) fn cancel(&self) -> Option<&Cancelled> {
        self.steer.as_ref()?.cancel.as_ref()
    }

    pub(crate) fn waited(&self) -> Option<&Waited> {
        self.steer.as_ref()?.waited.as_ref()
    }

    /// Whether its next start goes on where its last attempt stopped.
    pub(crate) fn restores(&self) -> bool {
        self.human
            .as_ref()
            .is_some_and(|human| human.restore.is_some())
    }

    pub(crate) fn steer(&mut self) -> &mut Steer {
        self.steer.get_or_insert_default()
    }
}
