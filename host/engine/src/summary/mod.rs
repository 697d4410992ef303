//! The execution summary: everything a program or a person asks of a run, in one document. Deterministic: equal
//! events give equal bytes. This file is its format; `make` fills it in.

mod make;

use crate::{
    Allowance, AskState, Blocked, CallCounts, GateState, Need, Outcome, RunState, TaskState, Vote,
    Wait,
};
use sandgate_model::{
    Amount, Artifact, Ask, AskNo, AttemptNo, Digest, FailureClass, GateId, Millis, Moment,
    NeedKind, Payload, PluginName, RunId, TaskId, Verdict, WorkflowName,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document's `$type`.
pub const SUMMARY_TYPE: &str = "sandgate.execution-summary/1";

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ExecutionSummary {
    /// [`SUMMARY_TYPE`].
    #[serde(rename = "$type")]
    pub kind: String,
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowName,
    /// Where it is.
    pub state: RunState,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it is on its way to an early end.
    pub stopping: bool,
    /// Whether some tasks succeeded and some did not: the result is not the whole.
    pub partial: bool,
    /// When it was asked for.
    pub created: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// The goal.
    pub goal: String,
    /// The plan; absent until there is one.
    pub plan: Option<PlanSummary>,
    /// Tasks per state, instances included; states without a task are absent.
    pub counts: BTreeMap<TaskState, u32>,
    /// All tasks: the plan's in plan order, then instances.
    pub tasks: Vec<TaskSummary>,
    /// What would start next, in this order, at most 50. Before dispatch: what dispatch would start first.
    pub next_dispatch: Vec<NextSummary>,
    /// Tasks that are neither running nor successful, by reason, sorted by it.
    pub blocked: Vec<BlockedSummary>,
    /// All artifacts, in order of tasks.
    pub artifacts: Vec<ArtifactSummary>,
    /// All checks in gate order; a gate without an answer has one line of its own, and so has failed planning.
    pub checks: Vec<CheckSummary>,
    /// All gates, in plan order.
    pub gates: Vec<GateSummary>,
    /// Costs by what was paid for, in millionths of the project's currency unit.
    pub charges: BTreeMap<String, u64>,
    /// Their sum.
    pub cost_micros: u64,
    /// Money and tokens, all together: what tasks, gates and planners spent.
    #[serde(default, skip_serializing_if = "Amount::is_nothing")]
    pub spent: Amount,
    /// What it may cost at most.
    #[serde(default, skip_serializing_if = "Allowance::is_open")]
    pub limit: Allowance,
    /// Capability calls by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<NeedKind, CallCounts>,
    /// A task failed or a gate did not run because the budget did not cover it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused_by_budget: bool,
    /// A task failed because it was not allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused_by_policy: bool,
    /// Every failed task.
    pub errors: Vec<ErrorSummary>,
    /// What it waits for from outside.
    pub waits: Vec<Wait>,
    /// Requests that wait for people, in the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<AskSummary>,
    /// All requests to people, by where they are; those without any are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ask_counts: BTreeMap<AskState, u32>,
}

/// A request that waits for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AskSummary {
    /// Its number in the run.
    pub no: AskNo,
    /// The task it concerns, if one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<TaskId>,
    /// Since when it is open.
    pub asked: Moment,
    /// Which rules have to be satisfied, and how far they are.
    pub needs: Vec<Need>,
    /// What was said so far.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub votes: Vec<Vote>,
    /// What is asked. Its one line is plugin text in part: escape it where it is shown.
    pub ask: Ask,
}

/// Which plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlanSummary {
    /// Its digest.
    pub digest: Option<Digest>,
    /// 1 for the first.
    pub revision: u32,
    /// Who made it; absent when every task was written.
    pub planner: Option<PluginName>,
}

/// One task.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Its id.
    pub id: TaskId,
    /// For people; may be empty.
    pub title: String,
    /// Its agent; absent when it waits for a signal.
    pub agent: Option<PluginName>,
    /// Where it is.
    pub state: TaskState,
    /// How many attempts started. None of them are listed before it could be counted: 0 is never started.
    pub attempts: u32,
    /// Why it is neither running nor successful.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blocked: Option<Blocked>,
    /// What it needs, in plan order.
    pub needs: Vec<TaskId>,
    /// For an instance: the task with the `for_each`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<TaskId>,
    /// Its output: the value, or where the artifact store has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Payload>,
    /// Its artifacts.
    pub artifacts: Vec<Artifact>,
    /// Why it, or its last attempt, failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<TaskError>,
    /// How long its last attempt took.
    pub took_ms: Option<Millis>,
    /// What its own attempts cost; instances of a `for_each` have their own.
    #[serde(default, skip_serializing_if = "Amount::is_nothing")]
    pub spent: Amount,
    /// Since when it has been where it is.
    pub since: Moment,
}

/// Why a task failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskError {
    /// The kind of failure.
    pub class: FailureClass,
    /// For a person. Plugin text: escape it where it is shown.
    pub message: String,
}

/// What would start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NextSummary {
    /// The task.
    pub task: TaskId,
    /// Which try.
    pub attempt: AttemptNo,
}

/// Tasks that share a reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BlockedSummary {
    /// The reason's word.
    pub code: String,
    /// How many.
    pub count: u32,
    /// The first ten of them.
    pub tasks: Vec<TaskId>,
}

/// One artifact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArtifactSummary {
    /// Who made it.
    pub task: TaskId,
    /// What it is.
    #[serde(flatten)]
    pub artifact: Artifact,
}

/// One check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckSummary {
    /// The gate; absent for a check of the host's own (`plan_generation`).
    pub gate: Option<GateId>,
    /// What was checked.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, for a person.
    pub message: String,
    /// How long it took: as the plugin says, or the whole gate for a line of its own.
    pub duration_ms: Option<Millis>,
}

/// One gate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GateSummary {
    /// The gate.
    pub id: GateId,
    /// Where it is.
    pub state: GateState,
    /// The worst of its checks.
    pub verdict: Option<Verdict>,
    /// How long it took.
    pub took_ms: Option<Millis>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Amount::is_nothing")]
    pub spent: Amount,
}

/// A failed branch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorSummary {
    /// The task.
    pub task: TaskId,
    /// The kind of failure.
    pub class: FailureClass,
    /// For a person. Plugin text: escape it where it is shown.
    pub message: String,
    /// Where it began: the task itself, or the first failed instance.
    pub root: TaskId,
    /// Because the budget did not cover it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_budget: bool,
}
