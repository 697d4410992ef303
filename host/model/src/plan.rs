//! The plan: a frozen, validated graph. Whoever holds a [`Plan`] may rely on the invariants listed there.

use crate::{
    ArtifactName, Digest, GateId, Grants, Millis, PluginName, Role, SessionName, SignalType,
    TaskId, TaskIx, WorkflowName,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Version of the stored form of a plan.
pub const PLAN_FORMAT: u32 = 1;

/// What happens to the rest when a task fails for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Independent branches go on, dependents are skipped.
    Continue,
    /// Nothing new starts; what runs is cancelled.
    Stop,
}

/// How often and how fast a failed task is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts altogether, the first one included; at least 1.
    pub attempts: u32,
    /// Wait before the second attempt; doubles for each further one.
    pub backoff: Millis,
    /// The wait never grows past this.
    pub max_backoff: Millis,
}

/// Which instance an attempt runs in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Session {
    /// A fresh instance for each attempt.
    Spawn,
    /// One live instance, shared one task at a time by all tasks that name it.
    Pinned(SessionName),
}

/// An artifact of another task.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// The task that produces it.
    pub task: TaskIx,
    /// Its name there.
    pub name: ArtifactName,
}

/// A wait for something from outside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WaitFor {
    /// Type of the signal.
    pub signal: SignalType,
    /// Fields that have to be equal; values may be templates.
    #[serde(rename = "match")]
    pub matches: BTreeMap<String, String>,
    /// Fails when nothing came for so long.
    pub timeout: Option<Millis>,
}

/// What a task does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskWork {
    /// An agent does it.
    Agent {
        /// Which plugin.
        agent: PluginName,
        /// Input; strings in it may be templates.
        input: Value,
        /// The agent's configuration.
        config: Value,
        /// Which instance.
        session: Session,
    },
    /// It waits for a signal.
    Wait(WaitFor),
}

/// What one attempt may use at most, over what the project sets; absent fields are the project's. Can only lower.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TaskLimits {
    /// Memory of the instance, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Log, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<u64>,
    /// Output document, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// One artifact, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<u64>,
    /// Bytes written to directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// Files and directories made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Calls into the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Bytes over the network, both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<u64>,
    /// Tokens of text generation, in and out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Capability calls: requests, commands, generations, charges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<u64>,
}

impl TaskLimits {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens when the budget does not cover a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverBudget {
    /// The task is refused.
    #[default]
    Refuse,
    /// The task waits until a person decides.
    Ask,
}

/// What a run may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunBudget {
    /// Most it may cost, in millionths of the currency unit.
    pub limit: u64,
    /// Most tokens of text generation it may use; absent: as many as the money pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// What happens when that is not enough.
    #[serde(default)]
    pub over: OverBudget,
}

/// A task of a frozen plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlanTask {
    /// Unique in the plan.
    pub id: TaskId,
    /// For people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it does.
    pub work: TaskWork,
    /// Tasks that must succeed first; sorted, without repeats, includes the tasks of `consumes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<TaskIx>,
    /// Artifacts it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumes: Vec<ArtifactRef>,
    /// Artifacts it must make; one that is missing fails the attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub produces: Vec<ArtifactName>,
    /// Expression; false means: skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Expression that gives a list; the task runs once for each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// Tries.
    pub retry: Retry,
    /// Longest an attempt may take.
    pub timeout: Millis,
    /// Higher goes first among ready tasks.
    #[serde(default)]
    pub priority: i32,
    /// May run again although an earlier attempt's end is unknown.
    #[serde(default)]
    pub repeatable: bool,
    /// Needs a decision before it starts.
    #[serde(default)]
    pub approval_before: bool,
    /// Needs a decision on its result before its dependents start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval_after: bool,
    /// The rule of the run that says who decides about it; absent: anybody who may decide at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_rule: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub grants: Grants,
    /// Most it may cost, in millionths; absent: a fair share of what the run has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// What one attempt may use.
    #[serde(default, skip_serializing_if = "TaskLimits::is_empty")]
    pub limits: TaskLimits,
}

/// A gate of a frozen plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlanGate {
    /// Unique in the plan.
    pub id: GateId,
    /// Which plugin.
    pub plugin: PluginName,
    /// Its configuration.
    pub config: Value,
    /// Gates of a tier run together, after every gate of the lower tiers passed.
    pub tier: u32,
    /// Longest it may take.
    pub timeout: Millis,
    /// What it may do.
    #[serde(default)]
    pub grants: Grants,
}

/// A plugin as it was when the plan was frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlanPlugin {
    /// Its role.
    pub role: Role,
    /// Digest of the component.
    pub digest: Digest,
}

/// A frozen, validated graph of tasks.
///
/// Invariants, established by `workflow` when it freezes a plan: task and gate ids are unique; every index is
/// in range; there is no cycle; every plugin named by a task or a gate is in `plugins` with the right role;
/// `needs` is sorted, has no repeats and no self-reference.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The workflow it came from.
    pub workflow: WorkflowName,
    /// The goal, templates filled in.
    pub goal: String,
    /// 1 for the first plan of a run, counted up by replans.
    pub revision: u32,
    /// The planner that made it; absent when every task was written.
    pub planner: Option<PluginName>,
    /// How the planner read the goal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rationale: String,
    /// The run's inputs.
    pub inputs: BTreeMap<String, Value>,
    /// Plugins in use.
    pub plugins: BTreeMap<PluginName, PlanPlugin>,
    /// Tasks, in plan order.
    pub tasks: Vec<PlanTask>,
    /// Gates, in file order.
    pub gates: Vec<PlanGate>,
    /// Most attempts at once; at least 1.
    pub concurrency: u32,
    /// What happens when a task fails for good.
    pub on_failure: OnFailure,
    /// Longest the run may take.
    pub timeout: Option<Millis>,
    /// A person has to approve the plan before anything is dispatched.
    pub review: bool,
    /// The rule of the run that says who reviews it; absent: every rule about plans, or anybody where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_rule: Option<String>,
    /// What the run may cost; absent: what the project's budget has left, or anything where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<RunBudget>,
}

impl Plan {
    /// The digest that names the plan: SHA-256 of its JSON encoding. Maps are sorted and structs have a fixed
    /// field order, so equal plans have equal digests.
    ///
    /// # Errors
    /// When the plan cannot be encoded, which no valid plan is known to cause.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(&serde_json::to_vec(self)?))
    }

    /// The task at an index.
    #[must_use]
    pub fn task(&self, ix: TaskIx) -> Option<&PlanTask> {
        self.tasks.get(ix.get())
    }
}
