//! Fills the summary in. Questions only.

use super::{
    ArtifactSummary, AskSummary, BlockedSummary, CheckSummary, ErrorSummary, ExecutionSummary,
    GateSummary, NextSummary, PlanSummary, SUMMARY_TYPE, TaskError, TaskSummary,
};
use crate::{
    AskView, Reason, Run, RunState, TaskState, TaskView,
    schedule::Key,
    task::{Failure, Phase, Task},
};
use sandgate_model::{Artifact, AttemptNo, FailureClass, TaskIx, TaskWork, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Most entries of `next_dispatch`: a screenful. What comes after it depends on what those do.
const NEXT_MAX: usize = 50;

/// Tasks named per reason in `blocked`; the count is beside them, and every task has its own reason.
const NAMED_MAX: usize = 10;

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
                    spent: gate.spent,
                })
                .collect(),
            charges: self.charges.clone(),
            cost_micros: self
                .charges
                .values()
                .fold(0, |sum, micros| sum.saturating_add(*micros)),
            spent: self.spent(),
            limit: self.limit(),
            calls: self.ledger.calls.clone(),
            refused_by_budget: self.refused_by_budget(),
            refused_by_policy: self.refused_by_policy(),
            errors: self.errors(),
            waits: self.waits(),
            asks: self
                .open_asks()
                .map(|view| self.ask_summary(&view))
                .collect(),
            ask_counts: self.asks().fold(BTreeMap::new(), |mut counts, view| {
                *counts.entry(view.state).or_default() += 1;
                counts
            }),
            tasks,
        }
    }

    fn ask_summary(&self, view: &AskView<'_>) -> AskSummary {
        AskSummary {
            no: view.no,
            task: view.task.and_then(|task| self.task_id(task)),
            asked: view.asked,
            needs: view.needs.clone(),
            votes: view.votes.to_vec(),
            ask: view.ask.clone(),
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
            spent: view.spent,
            since: view.since,
        }
    }

    /// Whether a task failed, or a gate did not run, because the budget did not cover it. O(tasks).
    #[must_use]
    pub fn refused_by_budget(&self) -> bool {
        self.gates.iter().any(|(_, gate)| gate.over) || self.failed_as(|failure| failure.budget)
    }

    /// Whether a task failed because it was not allowed; the budget has its own question. O(tasks).
    #[must_use]
    pub fn refused_by_policy(&self) -> bool {
        self.failed_as(|failure| failure.class == FailureClass::Refused && !failure.budget)
    }

    fn failed_as(&self, how: impl Fn(&Failure) -> bool) -> bool {
        self.tasks.iter().any(|(_, task)| {
            task.phase == Phase::Failed && task.failure.as_deref().is_some_and(&how)
        })
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
        let error = |(ix, task): (TaskIx, &Task)| {
            let failure = task.failure.as_deref()?;
            Some(ErrorSummary {
                task: self.task_id(ix)?,
                class: failure.class,
                message: failure.message.clone(),
                root: self.task_id(self.root(ix))?,
                over_budget: failure.budget,
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
