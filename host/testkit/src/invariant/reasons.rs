//! Every task that is not running and not finished has a reason, and the reason is true.

use super::{Checked, Observer, broken};
use sandgate_engine::{Reason, Run, RunState, TaskState};
use sandgate_model::{About, Caller, TaskId, TaskIx, TaskWork};

fn is_of(by: Caller, ix: TaskIx) -> bool {
    matches!(by, Caller::Task { task, .. } if task == ix)
}

impl Observer {
    /// There is a reason exactly when there should be one, and it agrees with what the observer knows.
    pub(crate) fn invariant_reasons(&self, run: &Run) -> Checked {
        for (ix, fact) in (0u32..).map(TaskIx).zip(&self.tasks) {
            let blocked = run.blocked(ix);
            let running = matches!(
                fact.state,
                TaskState::Running | TaskState::Succeeded | TaskState::Failed
            );
            let reason = match (&blocked, running) {
                (None, true) => continue,
                (Some(blocked), false) => &blocked.reason,
                (said, _) => {
                    return broken(
                        "reasons",
                        format!("task {ix:?} is {:?}, reason {said:?}", fact.state),
                    );
                }
            };
            if !self.is_true(ix, fact.state, reason, run) {
                return broken(
                    "reasons",
                    format!(
                        "task {ix:?} is {:?}, and {reason:?} is not true",
                        fact.state
                    ),
                );
            }
        }
        Ok(())
    }

    /// Whether something in the middle of this task's work waits for a person.
    fn asks_about(&self, ix: TaskIx, question: bool) -> bool {
        let open = self.people.asks.iter().filter(|ask| ask.ended.is_none());
        let mut kinds = open.filter(|ask| match ask.about {
            About::Question { by, .. } => question && is_of(by, ix),
            About::Call { by, .. } => !question && is_of(by, ix),
            _ => false,
        });
        kinds.next().is_some()
    }

    fn is_true(&self, ix: TaskIx, state: TaskState, reason: &Reason, run: &Run) -> bool {
        let Some(planned) = self.planned(ix) else {
            return false;
        };
        let named = |id: &TaskId| run.find(id).and_then(|ix| self.fact(ix));
        let ready = state == TaskState::Ready;
        let pending = state == TaskState::Pending;
        match reason {
            Reason::PlanReview => pending && run.state() == RunState::PlanReview,
            Reason::Dependency { waiting_for, count } => {
                let open = planned.needs.iter().filter(|need| {
                    self.fact(**need)
                        .is_some_and(|f| f.state != TaskState::Succeeded)
                });
                let open = open.count();
                let dead = |id: &TaskId| {
                    named(id).is_none_or(|f| {
                        matches!(
                            f.state,
                            TaskState::Succeeded
                                | TaskState::Failed
                                | TaskState::Skipped
                                | TaskState::Cancelled
                        )
                    })
                };
                pending
                    && open > 0
                    && *count as usize == open
                    && !waiting_for.is_empty()
                    && !waiting_for.iter().any(dead)
            }
            Reason::DependencyFailed { because } => {
                let bad = |f: &super::Fact| {
                    matches!(
                        f.state,
                        TaskState::Failed | TaskState::Skipped | TaskState::Cancelled
                    )
                };
                state == TaskState::Skipped && named(because).is_some_and(bad)
            }
            Reason::ArtifactMissing { artifact } => {
                state == TaskState::Skipped
                    && planned.consumes.iter().any(|a| {
                        let id = self.plan.task(a.task).map_or("", |task| task.id.as_str());
                        *artifact == format!("{id}.{}", a.name)
                    })
            }
            Reason::ConditionFalse { because } => {
                state == TaskState::Skipped
                    && run
                        .find(because)
                        .is_some_and(|root| self.false_conditions.contains(&root))
            }
            Reason::Approval => {
                let marked = planned.approval_before || planned.approval_after;
                pending && (marked || self.asks_about(ix, false)) || ready && self.too_many(ix)
            }
            Reason::Signal { signal } => {
                pending
                    && matches!(&planned.work, TaskWork::Wait(wait) if wait.signal.as_str() == signal)
            }
            Reason::RetryBackoff { .. } => {
                let failures = self.fact(ix).map_or(0, |fact| fact.failures);
                pending && failures > 0 && failures < planned.retry.attempts
            }
            Reason::RunPaused => ready && (self.paused || self.paused_by(ix).is_some()),
            Reason::SessionBusy { session } => {
                let busy = self
                    .running
                    .keys()
                    .any(|other| self.session(*other) == Some(session));
                ready && !self.paused && busy && self.session(ix) == Some(session)
            }
            Reason::DispatchLimit { limit } => {
                let free_to_go = self.evaluating.contains(&ix) || !self.paused;
                ready && *limit == self.plan.concurrency && free_to_go
            }
            Reason::RunCancelled => {
                let members = self.fact(ix).map_or(&[][..], |fact| &fact.members);
                let called_off = self.is_called_off(ix)
                    || members.iter().any(|member| self.is_called_off(*member));
                let ends = run.stopping() || run.state().ended();
                state == TaskState::Cancelled && (ends || called_off)
            }
            Reason::Response => state == TaskState::Lost || (pending && self.asks_about(ix, true)),
            Reason::Budget => pending && self.may_lack(ix),
        }
    }
}
