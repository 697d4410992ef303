//! What an end means, and who wins.

use super::{Checked, Observer, broken};
use sandgate_engine::{Event, Outcome, Run, RunState, TaskState};
use sandgate_model::{AttemptEnd, AttemptNo, Caller, TaskIx};
use std::collections::BTreeSet;

impl Observer {
    /// What succeeded stays so for ever, and a condition that was false stays false.
    pub(crate) fn invariant_finished_stays(&self, before: &[TaskState]) -> Checked {
        for (ix, (was, is)) in before.iter().zip(&self.tasks).enumerate() {
            if *was == TaskState::Succeeded && is.state != TaskState::Succeeded {
                return broken(
                    "finished-stays",
                    format!("task {ix} succeeded and is now {:?}", is.state),
                );
            }
        }
        for ix in &self.false_conditions {
            let state = self.fact(*ix).map(|fact| fact.state);
            if state != Some(TaskState::Skipped) {
                return broken(
                    "finished-stays",
                    format!("the condition of {ix:?} was false, it is {state:?}"),
                );
            }
        }
        Ok(())
    }

    /// The end of an attempt is not lost: complete output is success, the last failure is failure.
    pub(crate) fn invariant_attempts_are_final(&self, event: &Event) -> Checked {
        let Event::AttemptEnded { task, end, .. } = event else {
            return Ok(());
        };
        let (Some(fact), Some(planned)) = (self.fact(*task), self.planned(*task)) else {
            return Ok(());
        };
        let exhausted = fact.final_failure || fact.failures >= planned.retry.attempts;
        let complete = planned
            .produces
            .iter()
            .all(|name| fact.artifacts.contains(name.as_str()));
        let expected: &[TaskState] = match end {
            _ if self.cancelled || self.is_called_off(*task) => {
                &[TaskState::Cancelled, TaskState::Lost]
            }
            AttemptEnd::Output(_) if self.books.over || self.books.unasked => {
                &[TaskState::Failed, TaskState::Cancelled]
            }
            AttemptEnd::Output(_) if complete && planned.approval_after => {
                &[TaskState::Pending, TaskState::Cancelled]
            }
            AttemptEnd::Output(_) if complete => &[TaskState::Succeeded, TaskState::Cancelled],
            AttemptEnd::Interrupted => &[TaskState::Ready, TaskState::Lost, TaskState::Cancelled],
            _ if exhausted => &[TaskState::Failed, TaskState::Cancelled],
            _ => &[TaskState::Pending, TaskState::Ready, TaskState::Cancelled],
        };
        let stopped = self.stopping || self.state.ended();
        // What may go on and is not covered is decided at once.
        let goes_on = expected.contains(&TaskState::Ready) && fact.lacks;
        let fits = (expected.contains(&fact.state) || goes_on)
            && (stopped || self.is_called_off(*task) || fact.state != TaskState::Cancelled);
        if fits {
            return Ok(());
        }
        broken(
            "attempts-are-final",
            format!("{event:?} left the task {:?}", fact.state),
        )
    }

    /// An attempt whose end nobody knows runs again only when that can do no harm.
    pub(crate) fn invariant_unknown_ends(
        &self,
        event: &Event,
        running: &[TaskIx],
        stopping: bool,
        (risky, loud): (&BTreeSet<Caller>, &BTreeSet<Caller>),
    ) -> Checked {
        let stopped = self.stopping || self.state.ended();
        let interrupted: &[TaskIx] = match event {
            Event::HostStarted => running,
            Event::AttemptEnded {
                task,
                end: AttemptEnd::Interrupted,
                ..
            } => std::slice::from_ref(task),
            _ => return Ok(()),
        };
        for ix in interrupted {
            let (Some(fact), Some(planned)) = (self.fact(*ix), self.planned(*ix)) else {
                continue;
            };
            let attempt = AttemptNo(fact.attempt);
            let by = Caller::Task { task: *ix, attempt };
            let unknown = risky.contains(&by);
            // Its tape knows of everything that it did.
            let exact = planned.grants.may_wait() && !planned.grants.merge && !loud.contains(&by);
            let harmless =
                !unknown && (exact || planned.repeatable || !planned.grants.outside_effect());
            let stopping = stopping || self.is_called_off(*ix);
            let expected = match (harmless, stopping) {
                (true, false) => TaskState::Ready,
                (true, true) => TaskState::Cancelled,
                (false, _) => TaskState::Lost,
            };
            let decided = expected == TaskState::Ready
                && (fact.lacks || stopped && fact.state == TaskState::Cancelled);
            if fact.state != expected && !decided {
                let is = fact.state;
                return broken(
                    "unknown-ends",
                    format!("{ix:?} is {is:?} after an unknown end, not {expected:?}"),
                );
            }
        }
        Ok(())
    }

    /// After a cancel no task succeeds, the run cannot end otherwise, and it ends when the last attempt has.
    pub(crate) fn invariant_cancel_wins(&self, before: &[TaskState], run: &Run) -> Checked {
        const NAME: &str = "cancel-wins";
        if !self.cancelled {
            return Ok(());
        }
        let pairs = before.iter().zip(&self.tasks);
        for (ix, (was, is)) in pairs.enumerate() {
            if *was != TaskState::Succeeded && is.state == TaskState::Succeeded {
                return broken(NAME, format!("task {ix} succeeded after the cancel"));
            }
        }
        if !run.stopping() && run.state() != RunState::Cancelled {
            return broken(NAME, format!("the run is {:?} after a cancel", run.state()));
        }
        let idle = self.running.is_empty() && self.gates_running.is_empty();
        if idle && run.state() != RunState::Cancelled {
            return broken(NAME, "nothing runs any more, and the run has not ended");
        }
        Ok(())
    }

    /// An ended run leaves nothing running, ready or waiting.
    pub(crate) fn invariant_no_owner_is_left(&self, run: &Run) -> Checked {
        const NAME: &str = "no-owner-is-left";
        if !run.state().ended() {
            return Ok(());
        }
        if !self.running.is_empty() || !self.gates_running.is_empty() || run.running_count() != 0 {
            return broken(NAME, format!("the run ended, and {:?} run", self.running));
        }
        let open = self.tasks.iter().position(|fact| !fact.state.ended());
        match open {
            Some(ix) => broken(
                NAME,
                format!(
                    "the run ended, and task {ix} is {:?}",
                    self.tasks.get(ix).map(|f| f.state)
                ),
            ),
            None => Ok(()),
        }
    }

    /// State and outcome say the same as the tasks.
    pub(crate) fn invariant_outcome(&self, run: &Run) -> Checked {
        let count = |state| self.tasks.iter().filter(|fact| fact.state == state).count();
        let some = count(TaskState::Succeeded) > 0;
        let bad = [TaskState::Failed, TaskState::Cancelled, TaskState::Lost]
            .map(count)
            .iter()
            .sum::<usize>();
        // Skipped ones count as bad only when something else is, or an artifact was missing.
        let fits = match (run.state(), run.outcome()) {
            (RunState::Verified, Some(Outcome::Verified)) => bad == 0,
            (RunState::Failed, Some(Outcome::Partial)) => some,
            (RunState::Failed, Some(Outcome::Failed)) => !some || bad == 0,
            (RunState::Cancelled, Some(Outcome::Cancelled)) => true,
            (state, None) => !state.ended(),
            _ => false,
        };
        if fits && run.summary_counts_fit(self) {
            return Ok(());
        }
        broken(
            "outcome",
            format!("{:?} {:?}, {bad} bad tasks", run.state(), run.outcome()),
        )
    }
}

trait Counts {
    fn summary_counts_fit(&self, observer: &Observer) -> bool;
}

impl Counts for Run {
    /// Only at the end: a summary costs as much as there are tasks.
    fn summary_counts_fit(&self, observer: &Observer) -> bool {
        if !self.state().ended() {
            return true;
        }
        let summary = self.summary();
        let sum: u32 = summary.counts.values().sum();
        let failed = observer
            .tasks
            .iter()
            .filter(|f| f.state == TaskState::Failed)
            .count();
        sum as usize == observer.tasks.len()
            && summary.errors.len() == failed
            && (summary.partial || self.outcome() != Some(Outcome::Partial))
            && !(summary.partial && self.outcome() == Some(Outcome::Verified))
    }
}

#[cfg(test)]
mod tests {
    use crate::{PlanBuilder, Script, TaskBuilder, World};
    use sandgate_engine::TaskState;

    #[test]
    fn an_outcome_that_is_not_that_of_the_tasks_is_seen() {
        let plan = PlanBuilder::new()
            .task(TaskBuilder::new("a"))
            .task(TaskBuilder::new("b"))
            .build();
        let mut world = World::new(plan, Script::calm(), 0);
        world.live().unwrap();
        let (run, mut observer) = (world.run().clone(), world.observer().clone());
        assert_eq!(observer.invariant_outcome(&run), Ok(()));
        for state in [TaskState::Failed, TaskState::Cancelled, TaskState::Lost] {
            observer.tasks[1].state = state;
            assert!(observer.invariant_outcome(&run).is_err(), "{state:?}");
        }
        observer.tasks.pop();
        assert!(
            observer.invariant_outcome(&run).is_err(),
            "a task is missing"
        );
    }
}
