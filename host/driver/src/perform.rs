//! The only interpreter of commands. It decides nothing: each arm calls a port or sets a timer.

use crate::{
    drive::Loop,
    work::{AttemptWork, Given, Job, JobKey, PlanOrder, Upstream},
};
use sandgate_engine::{Command, Run, TaskState};
use sandgate_model::{Artifact, Caller, RunId, TaskIx};
use std::{collections::BTreeMap, sync::Arc};

impl Loop {
    /// Performs one command of run `id`.
    pub(crate) fn perform(&mut self, id: RunId, command: Command) {
        let Some(active) = self.runs.get(&id) else {
            return;
        };
        let run = &active.run;
        let job = match command {
            Command::MakePlan { planner } => {
                let revision = run.plan().map_or(1, |plan| plan.revision.saturating_add(1));
                let order = PlanOrder {
                    planner,
                    revision,
                    source: run.source(),
                    file: run.file().to_owned(),
                    inputs: run.inputs().clone(),
                    allowance: run.allowance(Caller::Planner).unwrap_or_default(),
                };
                Some(Job::Plan {
                    order: Box::new(order),
                })
            }
            Command::Evaluate { task } => run.plan().map(|plan| Job::Evaluate {
                task,
                plan: Arc::clone(plan),
                upstream: upstream(run, task, crate::context::expressions),
            }),
            Command::RunAttempt { task, attempt } => attempt_job(run, task, attempt),
            Command::RunGate { gate, attempt } => run.plan().map(|plan| Job::Gate {
                gate,
                attempt,
                plan: Arc::clone(plan),
                finished: run
                    .tasks()
                    .filter(|t| t.state == TaskState::Succeeded)
                    .filter_map(|t| Some((t.id.clone(), Given::of(run, t.ix)?)))
                    .collect(),
                allowance: run
                    .allowance(Caller::Gate { gate, attempt })
                    .unwrap_or_default(),
            }),
            Command::AbandonPlan => return self.executor.cancel(id, JobKey::Plan),
            Command::CancelAttempt { task, attempt } => {
                return self.executor.cancel(id, JobKey::Attempt(task, attempt));
            }
            Command::CancelGate { gate, attempt } => {
                return self.executor.cancel(id, JobKey::Gate(gate, attempt));
            }
            Command::ArmTimer { timer, at } => return self.arm(id, timer, at),
            Command::Finish => {
                self.disarm_all(id);
                return self.executor.finish(id);
            }
        };
        if let Some(job) = job {
            let inbox = self.inbox();
            if let Some(active) = self.runs.get_mut(&id) {
                active.jobs.insert(job.key());
            }
            self.executor.start(id, job, inbox);
        }
    }
}

fn attempt_job(run: &Run, task: TaskIx, attempt: sandgate_model::AttemptNo) -> Option<Job> {
    let view = run.task(task)?;
    let plan = Arc::clone(run.plan()?);
    let mut readable: BTreeMap<String, Artifact> = BTreeMap::new();
    for wanted in &view.plan.consumes {
        let Some(producer) = run.task(wanted.task) else {
            continue;
        };
        // A task with `for_each` has its artifacts in its instances, under their own ids.
        let owners = std::iter::once(producer.ix).chain(run.instances(producer.ix));
        for owner in owners.filter_map(|ix| run.task(ix)) {
            let artifact = owner
                .output
                .and_then(|o| o.artifacts.iter().find(|a| a.name == wanted.name));
            if let Some(artifact) = artifact {
                readable.insert(format!("{}.{}", owner.id, wanted.name), artifact.clone());
            }
        }
    }
    let work = AttemptWork {
        place: view.parent.unwrap_or(task),
        id: view.id.clone(),
        plan,
        upstream: upstream(run, task, crate::context::input),
        readable,
        allowance: run
            .allowance(Caller::Task { task, attempt })
            .unwrap_or_default(),
    };
    Some(Job::Attempt {
        task,
        attempt,
        work: Box::new(work),
    })
}

/// The outputs that the templates of `task` name. Only those travel: most tasks name none.
fn upstream(
    run: &Run,
    task: TaskIx,
    named: fn(&sandgate_model::PlanTask) -> Vec<sandgate_model::TaskId>,
) -> Upstream {
    let Some(view) = run.task(task) else {
        return Upstream::default();
    };
    let mut outputs = BTreeMap::new();
    for id in named(view.plan) {
        if let Some(output) = run.find(&id).and_then(|ix| Given::of(run, ix)) {
            outputs.insert(id, output);
        }
    }
    Upstream {
        outputs,
        item: view.item.map(|(n, payload)| (n, payload.clone())),
    }
}
