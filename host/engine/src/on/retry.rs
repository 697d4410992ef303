//! A person wants something tried again. Rare, so it may walk the plan once: needs before dependents, each task
//! decided from the tasks before it.

use crate::{
    Command, Run, RunState,
    illegal::{Handled, Why},
    on::attempt::no_task,
    task::{Phase, Skip},
};
use sandgate_model::{Moment, TaskIx};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Run {
    pub(crate) fn on_retry_requested(
        &mut self,
        at: Moment,
        tasks: &[TaskIx],
        out: &mut Vec<Command>,
    ) -> Handled {
        let chosen = self.may_retry(tasks)?;

        let ended = self.state.ended();
        if ended {
            self.reopen(at);
            self.go(at, RunState::Running);
            self.arm_deadline(at, out);
        }
        let mut members = Vec::new();
        let mut parents = BTreeSet::new();
        for &ix in &chosen {
            self.reset(ix);
            match self.parent(ix) {
                Some(parent) => {
                    parents.insert(parent);
                    members.push(ix);
                }
                None if self.tasks[ix].expansion.is_some() => {
                    parents.insert(ix);
                }
                None => self.enter(ix, at, Phase::Waiting),
            }
        }
        self.decide_again(at, &parents, out);
        for &member in &members {
            self.admit(member, at, out);
        }
        for &parent in &parents {
            self.recount(parent, at, out);
        }
        self.settle(at, out);
        Ok(())
    }

    /// What is to be reset: the tasks named (or all failed and lost ones), instances of those, and everything that
    /// was cancelled, which did nothing wrong itself.
    fn may_retry(&self, tasks: &[TaskIx]) -> Result<BTreeSet<TaskIx>, Why> {
        match self.state {
            RunState::Running if self.stop.is_some() => return Err("the run is stopping".into()),
            RunState::Running => {}
            RunState::Failed | RunState::Cancelled if self.plan.is_none() => {
                return Err("it has no plan: nothing was ever tried".into());
            }
            RunState::Failed | RunState::Cancelled if !self.plan_approved() => {
                return Err("its plan was never approved: nothing of it may be tried".into());
            }
            RunState::Failed | RunState::Cancelled => {}
            RunState::Verified => return Err("every task succeeded".into()),
            RunState::Verifying => return Err("every task succeeded, and the gates run".into()),
            RunState::Draft | RunState::Planning | RunState::PlanReview => {
                return Err("nothing of it was dispatched yet".into());
            }
        }
        let mut chosen = BTreeSet::new();
        for &ix in tasks {
            let phase = self.tasks.row(ix).ok_or_else(|| no_task(ix))?.phase;
            match phase {
                Phase::Failed | Phase::Lost | Phase::Cancelled => {}
                Phase::Skipped(_) => {
                    let name = self.name(ix);
                    return Err(format!(
                        "task `{name}` was skipped: retry the task that is the cause"
                    )
                    .into());
                }
                _ => {
                    let state = phase.state().as_str();
                    return Err(format!(
                        "task `{}` is {state}: there is nothing to retry",
                        self.name(ix)
                    )
                    .into());
                }
            }
            chosen.insert(ix);
            let again = |member: &TaskIx| {
                matches!(
                    self.tasks[*member].phase,
                    Phase::Failed | Phase::Lost | Phase::Cancelled
                )
            };
            chosen.extend(self.instances(ix).filter(again));
        }
        for (ix, task) in self.tasks.iter() {
            match task.phase {
                Phase::Failed | Phase::Lost if tasks.is_empty() => chosen.insert(ix),
                // One that somebody cancelled on purpose is tried again only by name.
                Phase::Cancelled if task.cancel().is_none() => chosen.insert(ix),
                _ => continue,
            };
        }
        if chosen.is_empty() {
            if let Some((ix, _)) = self.tasks.iter().find(|(_, task)| task.cancel().is_some()) {
                return Err(format!(
                    "no task of it failed or was lost; task `{}` was cancelled on purpose: name it",
                    self.name(ix)
                )
                .into());
            }
            return Err("no task of it failed, was lost or was cancelled".into());
        }
        Ok(chosen)
    }

    /// A new budget of attempts; their numbers go on.
    fn reset(&mut self, ix: TaskIx) {
        let task = &mut self.tasks[ix];
        task.spent = 0;
        task.failure = None;
        task.output = None;
        task.took = None;
        if let Some(human) = &mut task.human {
            human.approved = None;
            human.restore = None;
        }
        task.steer = None;
    }

    /// Walks the plan once: what was skipped waits again when nothing it needs is dead any more.
    fn decide_again(&mut self, at: Moment, parents: &BTreeSet<TaskIx>, out: &mut Vec<Command>) {
        for &parent in parents {
            // A pause of it goes on: it is of the task, and not of what came of it.
            if let Some(steer) = &mut self.tasks[parent].steer {
                steer.cancel = None;
            }
            self.enter(parent, at, Phase::Expanded);
        }
        let graph = Arc::clone(&self.graph);
        for &ix in graph.order() {
            match self.tasks[ix].phase {
                Phase::Waiting => {}
                // Its own condition or a missing artifact: what it depends on succeeded and stays as it is.
                Phase::Skipped(Skip::Condition(root)) if root == ix => continue,
                Phase::Skipped(Skip::Artifact(_)) => continue,
                Phase::Skipped(_) => {}
                _ => continue,
            }
            let (waiting, dead) = self.needs_now(ix);
            self.tasks[ix].waiting = waiting;
            let before = self.tasks[ix].phase;
            let now = dead.map_or(Phase::Waiting, Phase::Skipped);
            if now != before {
                self.enter(ix, at, now);
            }
            if now == Phase::Waiting && waiting == 0 {
                self.unblock(ix, at, out);
            }
        }
    }

    /// How many needs of a task have not succeeded, and why it cannot run, if it cannot.
    fn needs_now(&self, ix: TaskIx) -> (u32, Option<Skip>) {
        let needs = self.planned(ix).map_or(&[][..], |task| &task.needs);
        let mut waiting = 0;
        let mut dead = None;
        for &need in needs {
            let phase = self.tasks[need].phase;
            waiting += u32::from(phase != Phase::Succeeded);
            let because = match phase {
                // What was only swept away with the run has been reset before.
                Phase::Failed | Phase::Cancelled => Some(Skip::Dependency(self.root(need))),
                Phase::Skipped(Skip::Artifact(_)) => Some(Skip::Dependency(need)),
                Phase::Skipped(skip) => Some(skip),
                _ => None,
            };
            dead = dead.or(because);
        }
        (waiting, dead)
    }

    /// Counts the instances of a task anew after some of them were reset.
    fn recount(&mut self, parent: TaskIx, at: Moment, out: &mut Vec<Command>) {
        let (mut open, mut failed, mut first_failed) = (0, 0, None);
        let (mut cancelled, mut first_cancelled) = (0, None);
        for member in self.instances(parent) {
            match self.tasks[member].phase {
                Phase::Succeeded => {}
                Phase::Failed => {
                    failed += 1;
                    first_failed = first_failed.or(Some(member));
                }
                Phase::Cancelled if self.tasks[member].cancel().is_some() => {
                    cancelled += 1;
                    first_cancelled = first_cancelled.or(Some(member));
                }
                _ => open += 1,
            }
        }
        self.tasks[parent].failure = None;
        if let Some(expansion) = &mut self.tasks[parent].expansion {
            expansion.open = open;
            expansion.failed = failed;
            expansion.first_failed = first_failed;
            expansion.cancelled = cancelled;
            expansion.first_cancelled = first_cancelled;
        }
        self.conclude(parent, at, out);
    }
}
