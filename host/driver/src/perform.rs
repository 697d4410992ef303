//! The only interpreter of commands. It decides nothing: each arm calls a port or sets a timer.

use crate::{
    drive::Loop,
    work::{AskJob, AttemptWork, Given, Job, JobKey, PlanOrder, Upstream, WaitJob},
};
use sandgate_engine::{Command, Run, TaskState};
use sandgate_model::{About, Artifact, AttemptNo, Caller, RunId, TaskIx, TaskWork};
use std::{collections::BTreeMap, sync::Arc};

impl Loop {
    /// Performs one command of run `id`.
    pub(crate) fn perform(&mut self, id: RunId, command: Command) {
        let Some(active) = self.runs.get(&id).filter(|active| !active.passive) else {
            return;
        };
        let run = &active.run;
        let job = match command {
            Command::MakePlan { planner } => {
                // A rejected plan is gone; what was said of it says which it was.
                let revision = run
                    .feedback()
                    .last()
                    .map_or(1, |said| said.revision.saturating_add(1));
                let order = PlanOrder {
                    planner,
                    revision,
                    source: run.source(),
                    file: run.file().to_owned(),
                    inputs: run.inputs().clone(),
                    allowance: run.allowance(Caller::Planner).unwrap_or_default(),
                    feedback: run.feedback().to_vec(),
                    restore: run.restore_of(Caller::Planner).cloned(),
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
            Command::Ask { about } => ask_job(run, about),
            Command::StartWait { task } => wait_job(run, task),
            Command::RunAttempt { task, attempt } => {
                attempt_work(run, task, attempt).map(|work| Job::Attempt {
                    task,
                    attempt,
                    work: Box::new(work),
                })
            }
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
                restore: run.restore_of(Caller::Gate { gate, attempt }).cloned(),
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

/// What an attempt at a task would do now.
fn attempt_work(run: &Run, task: TaskIx, attempt: AttemptNo) -> Option<AttemptWork> {
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
    Some(AttemptWork {
        place: view.parent.unwrap_or(task),
        id: view.id.clone(),
        plan,
        upstream: upstream(
            run,
            task,
            match view.plan.work {
                TaskWork::Agent { .. } => crate::context::input,
                TaskWork::Wait(_) => crate::context::waits,
            },
        ),
        readable,
        allowance: run
            .allowance(Caller::Task { task, attempt })
            .unwrap_or_default(),
        approved: run.approved(task),
        restore: run.restore_of(Caller::Task { task, attempt }).cloned(),
    })
}

fn ask_job(run: &Run, about: About) -> Option<Job> {
    let job = match about {
        About::Task { task } => AskJob::Task {
            task,
            work: Box::new(attempt_work(run, task, AttemptNo(0))?),
        },
        About::Result { task } => AskJob::Result {
            task,
            id: run.task(task)?.id,
            output: Box::new(run.output(task)?.clone()),
        },
        About::TaskBudget { task, lacks } => AskJob::Budget {
            who: format!("task {}", run.task(task)?.id),
            about,
            lacks,
            spent: run.spent(),
            limit: run.limit(),
        },
        About::GateBudget { gate, lacks } => AskJob::Budget {
            who: format!("gate {}", run.gates().nth(gate.get())?.plan.id),
            about,
            lacks,
            spent: run.spent(),
            limit: run.limit(),
        },
        // Plans are put to people by being frozen, calls and questions by being made.
        About::Plan { .. } | About::Call { .. } | About::Question { .. } => return None,
    };
    Some(Job::Ask { job })
}

fn wait_job(run: &Run, task: TaskIx) -> Option<Job> {
    let view = run.task(task)?;
    let TaskWork::Wait(wait) = &view.plan.work else {
        return None;
    };
    let job = WaitJob {
        task,
        plan: Arc::clone(run.plan()?),
        matches: wait.matches.clone(),
        upstream: upstream(run, task, crate::context::waits),
    };
    Some(Job::Wait { job: Box::new(job) })
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
