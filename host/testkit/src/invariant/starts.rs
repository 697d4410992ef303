//! What may start, and when.

use super::{Checked, Observer, broken};
use sandgate_engine::{Command, Event, Run, RunState, Start, TaskState};
use sandgate_model::{AttemptNo, TaskIx};
use std::collections::BTreeSet;

impl Observer {
    /// Nothing starts while the run is paused.
    pub(crate) fn invariant_pause(&self, event: &Event) -> Checked {
        match event {
            Event::AttemptStarted { .. }
            | Event::GateStarted { .. }
            | Event::AttemptResumed { .. }
            | Event::GateResumed { .. }
                if self.paused =>
            {
                broken("pause", format!("{event:?} while the run is paused"))
            }
            _ => Ok(()),
        }
    }

    /// Nothing starts, and no new work is asked for, while the run is stopping.
    pub(crate) fn invariant_stop(&self, event: &Event, commands: &[Command]) -> Checked {
        let stopped =
            self.stopping || self.cancelled || matches!(event, Event::CancelRequested { .. });
        let reopened = matches!(event, Event::RetryRequested { .. } | Event::VerifyRequested);
        let work = commands.iter().find(|command| {
            matches!(
                command,
                Command::RunAttempt { .. }
                    | Command::RunGate { .. }
                    | Command::Evaluate { .. }
                    | Command::MakePlan { .. }
                    | Command::Ask { .. }
                    | Command::StartWait { .. }
            )
        });
        match work {
            Some(command) if stopped && !reopened => {
                broken("stop", format!("{command:?} although the run is stopping"))
            }
            _ => Ok(()),
        }
    }

    /// A task starts after everything it needs has succeeded and every artifact it takes is there; never after its
    /// own success; and its attempts are numbered without a gap.
    pub(crate) fn invariant_dependency_order(&self, event: &Event) -> Checked {
        const NAME: &str = "dependency-order";
        let (task, attempt, last) = match event {
            Event::AttemptStarted { task, attempt } => (task, attempt, attempt.0.wrapping_sub(1)),
            Event::AttemptResumed { task, attempt } => (task, attempt, attempt.0),
            _ => return Ok(()),
        };
        let (Some(fact), Some(planned)) = (self.fact(*task), self.planned(*task)) else {
            return broken(NAME, format!("task {task:?} started and does not exist"));
        };
        if fact.state == TaskState::Succeeded {
            return broken(NAME, format!("task {task:?} succeeded and started again"));
        }
        if last != fact.attempt {
            return broken(
                NAME,
                format!("attempt {attempt:?} of {task:?} after {}", fact.attempt),
            );
        }
        for need in &planned.needs {
            if self
                .fact(*need)
                .is_none_or(|need| need.state != TaskState::Succeeded)
            {
                return broken(
                    NAME,
                    format!("task {task:?} started before {need:?} succeeded"),
                );
            }
        }
        for artifact in &planned.consumes {
            let made = |ix: TaskIx| {
                self.fact(ix)
                    .is_some_and(|fact| fact.artifacts.contains(artifact.name.as_str()))
            };
            let members = self
                .fact(artifact.task)
                .map_or(&[][..], |fact| &fact.members);
            let each = self
                .planned(artifact.task)
                .is_some_and(|task| task.for_each.is_some());
            let there = if each {
                members.iter().all(|ix| made(*ix))
            } else {
                made(artifact.task)
            };
            if !there {
                return broken(NAME, format!("task {task:?} started without {artifact:?}"));
            }
        }
        Ok(())
    }

    /// No attempt beyond the limit, and none after a failure that is final.
    pub(crate) fn invariant_retry_limit(&self, event: &Event) -> Checked {
        const NAME: &str = "retry-limit";
        let Event::AttemptStarted { task, .. } = event else {
            return Ok(());
        };
        let (Some(fact), Some(planned)) = (self.fact(*task), self.planned(*task)) else {
            return broken(NAME, format!("task {task:?} does not exist"));
        };
        if fact.final_failure {
            return broken(
                NAME,
                format!("task {task:?} failed for good and started again"),
            );
        }
        if fact.failures >= planned.retry.attempts {
            let (failures, limit) = (fact.failures, planned.retry.attempts);
            return broken(
                NAME,
                format!("task {task:?} started after {failures} failures, limit {limit}"),
            );
        }
        Ok(())
    }

    /// Never more attempts and gates at once than there are slots.
    pub(crate) fn invariant_concurrency(&self) -> Checked {
        let (now, limit) = (
            self.running.len() + self.gates_running.len(),
            self.plan.concurrency,
        );
        if now > limit as usize {
            return broken("concurrency", format!("{now} run at once, limit {limit}"));
        }
        Ok(())
    }

    /// What runs is what the run says: work that waits for a person holds no slot.
    pub(crate) fn invariant_slots(&self, run: &Run) -> Checked {
        let now = self.running.len() + self.gates_running.len();
        if run.running_count() != now {
            let said = run.running_count();
            return broken("slots", format!("{now} run, and the run says {said}"));
        }
        let waits = |ix: &TaskIx| {
            let open = self.people.asks.iter().filter(|ask| ask.ended.is_none());
            let mut callers = open.filter_map(|ask| ask.about.caller());
            callers.any(|by| matches!(by, sandgate_model::Caller::Task { task, .. } if task == *ix))
        };
        match self.running.keys().find(|ix| waits(ix)) {
            Some(ix) => broken("slots", format!("{ix:?} waits for a person and runs")),
            None => Ok(()),
        }
    }

    /// Never two tasks of a session at once.
    pub(crate) fn invariant_sessions(&self) -> Checked {
        let mut seen = BTreeSet::new();
        for ix in self.running.keys() {
            if let Some(session) = self.session(*ix)
                && !seen.insert(session)
            {
                return broken("sessions", format!("two tasks run in session `{session}`"));
            }
        }
        Ok(())
    }

    /// Work is commanded exactly when its start is recorded.
    pub(crate) fn invariant_commands(&self, event: &Event, commands: &[Command]) -> Checked {
        let started: Vec<&Command> = commands
            .iter()
            .filter(|c| matches!(c, Command::RunAttempt { .. } | Command::RunGate { .. }))
            .collect();
        let fits = match (event, started.as_slice()) {
            (
                Event::AttemptStarted { task, attempt },
                [
                    Command::RunAttempt {
                        task: t,
                        attempt: a,
                    },
                ],
            ) => task == t && attempt == a,
            (
                Event::GateStarted { gate, attempt },
                [
                    Command::RunGate {
                        gate: g,
                        attempt: a,
                    },
                ],
            ) => gate == g && attempt == a,
            (
                Event::AttemptResumed { task, attempt },
                [
                    Command::RunAttempt {
                        task: t,
                        attempt: a,
                    },
                ],
            ) => task == t && attempt == a,
            (
                Event::GateResumed { gate, attempt },
                [
                    Command::RunGate {
                        gate: g,
                        attempt: a,
                    },
                ],
            ) => gate == g && attempt == a,
            (
                Event::AttemptStarted { .. }
                | Event::GateStarted { .. }
                | Event::AttemptResumed { .. }
                | Event::GateResumed { .. },
                _,
            ) => false,
            (_, started) => started.is_empty(),
        };
        if fits {
            Ok(())
        } else {
            broken("commands", format!("{event:?} gave {started:?}"))
        }
    }

    /// `next_start` is what a walk over all tasks would choose.
    pub(crate) fn invariant_order_of_starts(&self, run: &Run) -> Checked {
        let expected = self.first_startable();
        let said = match run.next_start() {
            Some(Start::Attempt { task, attempt } | Start::AttemptResumed { task, attempt }) => {
                Some((task, attempt))
            }
            Some(Start::Gate { .. } | Start::GateResumed { .. })
                if run.state() == RunState::Verifying =>
            {
                return Ok(());
            }
            Some(start @ (Start::Gate { .. } | Start::GateResumed { .. })) => {
                return broken(
                    "order-of-starts",
                    format!("{start:?} while {:?}", run.state()),
                );
            }
            None => None,
        };
        if said != expected {
            return broken(
                "order-of-starts",
                format!("next is {said:?}, expected {expected:?}"),
            );
        }
        Ok(())
    }

    fn first_startable(&self) -> Option<(TaskIx, AttemptNo)> {
        let slots = self.plan.concurrency as usize;
        let full = self.running.len() + self.gates_running.len() >= slots;
        if self.state != RunState::Running || self.paused || self.stopping || full {
            return None;
        }
        let busy: BTreeSet<_> = self
            .running
            .keys()
            .filter_map(|ix| self.session(*ix))
            .collect();
        let mut ready: Vec<(i32, TaskIx, TaskIx)> = Vec::new();
        for (ix, fact) in (0u32..).map(TaskIx).zip(&self.tasks) {
            let may = fact.state == TaskState::Ready
                && !self.evaluating.contains(&ix)
                && self.paused_by(ix).is_none()
                && self
                    .session(ix)
                    .is_none_or(|session| !busy.contains(session));
            if may {
                ready.push((-self.planned(ix)?.priority, fact.plan, ix));
            }
        }
        ready.sort_unstable();
        let mut sessions = BTreeSet::new();
        let mut heads = ready.iter().filter(|(_, _, ix)| {
            let session = self.session(*ix);
            session.is_none_or(|session| sessions.insert(session))
        });
        let (_, _, ix) = *heads
            .by_ref()
            .take(32)
            .find(|(_, _, ix)| !self.too_many(*ix))?;
        let attempt = AttemptNo(self.fact(ix)?.attempt);
        let next = AttemptNo(attempt.0 + 1);
        let by = sandgate_model::Caller::Task { task: ix, attempt };
        let stopped = self.people.recorded(by);
        Some((ix, if stopped { attempt } else { next }))
    }

    /// Whether enough tasks wait for people in the middle, and this one would be one more that may.
    pub(crate) fn too_many(&self, ix: TaskIx) -> bool {
        let Some((planned, fact)) = self.planned(ix).zip(self.fact(ix)) else {
            return false;
        };
        let attempt = AttemptNo(fact.attempt);
        let open = self.people.asks.iter().filter(|ask| {
            let by = ask.about.caller();
            ask.ended.is_none() && matches!(by, Some(sandgate_model::Caller::Task { .. }))
        });
        let by = sandgate_model::Caller::Task { task: ix, attempt };
        planned.grants.may_wait() && !self.people.recorded(by) && open.count() >= 20
    }
}
