//! The execution summary: everything a program or a person asks of a run, in one document. Deterministic: equal
//! events give equal bytes.

use crate::{
    Blocked, GateState, Outcome, Reason, Run, RunState, TaskState, TaskView, Wait, schedule::Key,
    task::Phase,
};
use sandgate_model::{
    Artifact, AttemptNo, Digest, FailureClass, GateId, Millis, Moment, Payload, PluginName, RunId,
    TaskId, TaskIx, TaskWork, Verdict, WorkflowName,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The document's `$type`.
pub const SUMMARY_TYPE: &str = "sandgate.execution-summary/1";

/// Most entries of `next_dispatch`: a screenful. What comes after it depends on what those do.
const NEXT_MAX: usize = 50;

/// Tasks named per reason in `blocked`; the count is beside them, and every task has its own reason.
const NAMED_MAX: usize = 10;

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
    /// Every failed task.
    pub errors: Vec<ErrorSummary>,
    /// What it waits for from outside.
    pub waits: Vec<Wait>,
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
}

impl Run {
    /// The execution summary. O(tasks): for people and programs that ask, not for every event.
    #[must_use]
    pub fn summary(&self) -> ExecutionSummary {
        let tasks: Vec<TaskSummary> = self.tasks().map(|view| self.task_summary(&view)).collect();
        let artifacts = tasks.iter().flat_map(|task| {
            let of = |artifact: &Artifact| ArtifactSummary {
                task: task.id.clone(),
                artifact: artifact.clone(),
            };
            task.artifacts.iter().map(of)
        });
        let mut counts: BTreeMap<TaskState, u32> = BTreeMap::new();
        for task in &tasks {
            *counts.entry(task.state).or_default() += 1;
        }
        let succeeded = counts.get(&TaskState::Succeeded).copied().unwrap_or(0);
        ExecutionSummary {
            kind: SUMMARY_TYPE.to_owned(),
            run: self.id,
            workflow: self.order.workflow.clone(),
            state: self.state,
            outcome: self.outcome,
            paused: self.paused(),
            stopping: self.stopping(),
            partial: self.state.ended() && succeeded > 0 && !self.all_good(),
            created: self.created,
            ended: self.ended,
            goal: self.order.goal.clone(),
            plan: self.plan.as_ref().map(|plan| PlanSummary {
                digest: self.digest,
                revision: plan.revision,
                planner: plan.planner.clone(),
            }),
            counts,
            next_dispatch: self.next_dispatch(),
            blocked: by_reason(&tasks),
            artifacts: artifacts.collect(),
            checks: self.checks(),
            gates: self
                .gates()
                .map(|gate| GateSummary {
                    id: gate.plan.id.clone(),
                    state: gate.state,
                    verdict: gate.verdict,
                    took_ms: gate.took,
                })
                .collect(),
            charges: self.charges.clone(),
            cost_micros: self
                .charges
                .values()
                .fold(0, |sum, micros| sum.saturating_add(*micros)),
            errors: self.errors(),
            waits: self.waits(),
            tasks,
        }
    }

    fn task_summary(&self, view: &TaskView<'_>) -> TaskSummary {
        TaskSummary {
            id: view.id.clone(),
            title: view.plan.title.clone(),
            agent: match &view.plan.work {
                TaskWork::Agent { agent, .. } => Some(agent.clone()),
                TaskWork::Wait(_) => None,
            },
            state: view.state,
            attempts: view.attempt.0,
            blocked: self.blocked(view.ix),
            needs: view
                .plan
                .needs
                .iter()
                .filter_map(|need| self.task_id(*need))
                .collect(),
            parent: view.parent.and_then(|parent| self.task_id(parent)),
            output: view.output.map(|output| output.output.clone()),
            artifacts: view
                .output
                .map(|output| output.artifacts.clone())
                .unwrap_or_default(),
            error: view.error.map(|(class, message)| TaskError {
                class: *class,
                message: message.to_owned(),
            }),
            took_ms: view.took,
            since: view.since,
        }
    }

    fn next_dispatch(&self) -> Vec<NextSummary> {
        let next = |ix: TaskIx| {
            Some(NextSummary {
                task: self.task_id(ix)?,
                attempt: AttemptNo(self.tasks[ix].attempt + 1),
            })
        };
        match self.state {
            RunState::PlanReview => {
                let mut first: BTreeSet<Key> = BTreeSet::new();
                for (ix, task) in self.tasks.iter() {
                    let agent = self.planned(ix).is_some_and(|planned| {
                        matches!(planned.work, TaskWork::Agent { .. }) && !planned.approval_before
                    });
                    if agent && task.phase == Phase::Waiting && task.waiting == 0 {
                        first.insert(self.place(ix).0);
                        if first.len() > NEXT_MAX {
                            first.pop_last();
                        }
                    }
                }
                first
                    .into_iter()
                    .filter_map(|key| next(key.task()))
                    .collect()
            }
            RunState::Running if self.stop.is_none() => self
                .schedule
                .heads()
                .take(NEXT_MAX)
                .filter_map(next)
                .collect(),
            _ => Vec::new(),
        }
    }

    fn checks(&self) -> Vec<CheckSummary> {
        let mut checks = Vec::new();
        if self.plan.is_none() && self.state == RunState::Failed {
            let reasons = self.failures.iter().map(|failure| match &failure.planner {
                Some(planner) => format!("{planner}: {}", failure.message),
                None => failure.message.clone(),
            });
            checks.push(CheckSummary {
                gate: None,
                name: "plan_generation".to_owned(),
                verdict: Verdict::Fail,
                message: reasons.collect::<Vec<_>>().join("\n"),
                duration_ms: None,
            });
        }
        for gate in self.gates() {
            checks.extend(gate.checks.iter().map(|check| CheckSummary {
                gate: Some(gate.plan.id.clone()),
                name: check.name.clone(),
                verdict: check.verdict,
                message: check.message.clone(),
                duration_ms: check.duration,
            }));
            if let (Some(verdict), true) = (gate.verdict, gate.checks.is_empty()) {
                checks.push(CheckSummary {
                    gate: Some(gate.plan.id.clone()),
                    name: gate.plan.id.to_string(),
                    verdict,
                    message: gate.message.to_owned(),
                    duration_ms: gate.took,
                });
            }
        }
        checks
    }

    fn errors(&self) -> Vec<ErrorSummary> {
        let failed = self
            .tasks
            .iter()
            .filter(|(_, task)| task.phase == Phase::Failed);
        let error = |(ix, task): (TaskIx, &crate::task::Task)| {
            let failure = task.failure.as_deref()?;
            Some(ErrorSummary {
                task: self.task_id(ix)?,
                class: failure.class,
                message: failure.message.clone(),
                root: self.task_id(self.root(ix))?,
            })
        };
        failed.filter_map(error).collect()
    }
}

fn by_reason(tasks: &[TaskSummary]) -> Vec<BlockedSummary> {
    let mut groups: BTreeMap<&'static str, BlockedSummary> = BTreeMap::new();
    for task in tasks {
        let Some(code) = task
            .blocked
            .as_ref()
            .map(|blocked| Reason::code(&blocked.reason))
        else {
            continue;
        };
        let group = groups.entry(code).or_insert_with(|| BlockedSummary {
            code: code.to_owned(),
            count: 0,
            tasks: Vec::new(),
        });
        group.count += 1;
        if group.tasks.len() < NAMED_MAX {
            group.tasks.push(task.id.clone());
        }
    }
    groups.into_values().collect()
}
