//! What the end of one task means for others, and when a run ends. No recursion: every walk has its own list, and
//! each edge of the graph is visited a constant number of times in a run.

use crate::{
    Command, GateState, Outcome, Run, RunState, Stop, TaskState,
    task::{Cause, Expansion, Failure, Phase, Skip, Task},
};
use sandgate_model::{
    AttemptNo, FailureClass, Moment, OnFailure, Payload, TaskIx, TaskOutput, TaskWork,
};
use serde_json::{Value, json};
use std::sync::Arc;

impl Task {
    pub(crate) fn fail(&mut self, cause: Cause<'_>) {
        self.failure = Some(Box::new(Failure {
            class: cause.class,
            message: cause.message.to_owned(),
            budget: cause.budget,
        }));
    }
}

impl Run {
    /// A task whose output is in place succeeds.
    pub(crate) fn succeed(&mut self, ix: TaskIx, at: Moment, out: &mut Vec<Command>) {
        self.tasks[ix].failure = None;
        self.enter(ix, at, Phase::Succeeded);
        match self.parent(ix) {
            Some(parent) => self.member_ended(parent, ix, false, at, out),
            None => self.release(ix, at, out),
        }
    }

    /// A task fails and is not tried again.
    pub(crate) fn fail_for_good(
        &mut self,
        ix: TaskIx,
        at: Moment,
        cause: Cause<'_>,
        out: &mut Vec<Command>,
    ) {
        self.tasks[ix].fail(cause);
        self.enter(ix, at, Phase::Failed);
        if self
            .plan
            .as_ref()
            .is_none_or(|plan| plan.on_failure == OnFailure::Stop)
        {
            if let Some(parent) = self.parent(ix) {
                self.count_member(parent, ix, true);
            }
            self.begin_stop(at, Stop::Failure { task: ix }, out);
            return;
        }
        match self.parent(ix) {
            Some(parent) => self.member_ended(parent, ix, true, at, out),
            None => self.skip_dependents(ix, at, Skip::Dependency(self.root(ix))),
        }
    }

    /// Everything a task needs has succeeded: what now?
    pub(crate) fn unblock(&mut self, ix: TaskIx, at: Moment, out: &mut Vec<Command>) {
        if let Some(place) = self.missing_artifact(ix) {
            self.enter(ix, at, Phase::Skipped(Skip::Artifact(place)));
            self.skip_dependents(ix, at, Skip::Dependency(ix));
            return;
        }
        let evaluate = self
            .planned(ix)
            .is_some_and(|task| task.when.is_some() || task.for_each.is_some());
        if evaluate {
            self.enter(ix, at, Phase::Evaluating);
            out.push(Command::Evaluate { task: ix });
        } else {
            self.admit(ix, at, out);
        }
    }

    /// A task or an instance that may run as far as the graph is concerned.
    pub(crate) fn admit(&mut self, ix: TaskIx, at: Moment, out: &mut Vec<Command>) {
        let Some(task) = self.planned(ix) else {
            return;
        };
        match &task.work {
            _ if task.approval_before => self.enter(ix, at, Phase::Approval),
            TaskWork::Agent { .. } => self.enter(ix, at, Phase::Ready),
            TaskWork::Wait(_) => self.begin_wait(ix, at, out),
        }
    }

    /// Skips what can no longer run, all the way down. A dependent that waits has a need that has not succeeded,
    /// so nothing that started is ever reached.
    pub(crate) fn skip_dependents(&mut self, ix: TaskIx, at: Moment, skip: Skip) {
        let graph = Arc::clone(&self.graph);
        let mut list = vec![ix];
        while let Some(ix) = list.pop() {
            for &dependent in graph.dependents(ix) {
                if self.tasks[dependent].phase == Phase::Waiting {
                    self.enter(dependent, at, Phase::Skipped(skip));
                    list.push(dependent);
                }
            }
        }
    }

    /// The task at the root of another one's failure: a failed instance for its parent, otherwise itself.
    pub(crate) fn root(&self, ix: TaskIx) -> TaskIx {
        let expansion = self.tasks[ix].expansion.as_ref();
        expansion
            .and_then(|e| e.first_failed.or(e.first_cancelled))
            .unwrap_or(ix)
    }

    pub(crate) fn parent(&self, ix: TaskIx) -> Option<TaskIx> {
        Some(self.tasks[ix].instance.as_ref()?.parent)
    }

    fn release(&mut self, ix: TaskIx, at: Moment, out: &mut Vec<Command>) {
        let graph = Arc::clone(&self.graph);
        for &dependent in graph.dependents(ix) {
            let task = &mut self.tasks[dependent];
            task.waiting = task.waiting.saturating_sub(1);
            if task.waiting == 0 && task.phase == Phase::Waiting {
                self.unblock(dependent, at, out);
            }
        }
    }

    /// The first artifact in `consumes` that its producer did not make. A task with `for_each` has made an artifact
    /// when every instance has.
    fn missing_artifact(&self, ix: TaskIx) -> Option<u32> {
        let consumes = &self.planned(ix)?.consumes;
        let made = |ix: TaskIx, name: &str| {
            let output = self.tasks[ix].output.as_ref();
            output.is_some_and(|output| output.artifacts.iter().any(|a| a.name.as_str() == name))
        };
        let missing = consumes.iter().position(|artifact| {
            let name = artifact.name.as_str();
            match &self.tasks[artifact.task].expansion {
                Some(expansion) => !expansion.members().all(|member| made(member, name)),
                None => !made(artifact.task, name),
            }
        });
        u32::try_from(missing?).ok()
    }

    fn count_member(&mut self, parent: TaskIx, member: TaskIx, failed: bool) {
        if let Some(expansion) = &mut self.tasks[parent].expansion {
            expansion.open = expansion.open.saturating_sub(1);
            if failed {
                expansion.failed += 1;
                expansion.first_failed.get_or_insert(member);
            }
        }
    }

    fn member_ended(
        &mut self,
        parent: TaskIx,
        member: TaskIx,
        failed: bool,
        at: Moment,
        out: &mut Vec<Command>,
    ) {
        self.count_member(parent, member, failed);
        self.conclude(parent, at, out);
    }

    /// Ends a task with `for_each` when all its instances have ended.
    pub(crate) fn conclude(&mut self, parent: TaskIx, at: Moment, out: &mut Vec<Command>) {
        let Some(expansion) = self.tasks[parent].expansion.as_deref().cloned() else {
            return;
        };
        if expansion.open > 0 {
            return;
        }
        self.tasks[parent].took = self.tasks[parent].started.map(|started| at.since(started));
        let cancelled = expansion.failed == 0 && expansion.cancelled > 0;
        if cancelled || self.tasks[parent].cancel().is_some() {
            self.cancelled_for_good(parent, at, out);
            return;
        }
        if expansion.failed > 0 {
            let (message, class, budget) = self.members_failure(&expansion);
            let cause = Cause::new(class, &message).by_budget(budget);
            self.fail_for_good(parent, at, cause, out);
            return;
        }
        let output = TaskOutput {
            output: Payload::Inline(self.members_output(&expansion)),
            artifacts: Vec::new(),
            charges: Vec::new(),
        };
        self.tasks[parent].output = Some(Box::new(output));
        self.succeed(parent, at, out);
    }

    fn members_failure(&self, expansion: &Expansion) -> (String, FailureClass, bool) {
        let first = expansion.first_failed;
        let failure = first.and_then(|ix| self.tasks[ix].failure.as_deref());
        let class = failure.map_or(FailureClass::Host, |failure| failure.class);
        let reason = failure.map_or("", |failure| failure.message.as_str());
        let name = first.map_or_else(String::new, |ix| self.name(ix));
        let (failed, count) = (expansion.failed, expansion.count);
        (
            format!("{failed} of {count} instances failed, first `{name}`: {reason}"),
            class,
            failure.is_some_and(|failure| failure.budget),
        )
    }

    fn members_output(&self, expansion: &Expansion) -> Value {
        let value = |ix: TaskIx| match self.tasks[ix].output.as_ref().map(|output| &output.output) {
            Some(Payload::Inline(value)) => value.clone(),
            Some(Payload::Stored { digest, size }) => {
                json!({ "$payload": { "stored": { "digest": digest, "size": size } } })
            }
            None => Value::Null,
        };
        expansion.members().map(value).collect()
    }

    /// From here on nothing new starts; what runs is taken down; the run ends when that has reported its end.
    pub(crate) fn begin_stop(&mut self, at: Moment, stop: Stop, out: &mut Vec<Command>) {
        let cancel_sent = self.stop.is_some();
        self.stop = Some(stop);
        self.deadline = None;
        if cancel_sent {
            return;
        }
        self.asks.withdraw_all(at, self.stopped_by());
        for ix in self.tasks.keys() {
            match self.tasks[ix].phase {
                Phase::Waiting
                | Phase::Evaluating
                | Phase::Approval
                | Phase::Signal { .. }
                | Phase::Backoff { .. }
                | Phase::Funds(_)
                | Phase::Suspended
                | Phase::Ready
                | Phase::Paused => self.enter(ix, at, Phase::Cancelled),
                Phase::Held => {
                    self.tasks[ix].output = None;
                    self.enter(ix, at, Phase::Cancelled);
                }
                Phase::Running => out.push(Command::CancelAttempt {
                    task: ix,
                    attempt: AttemptNo(self.tasks[ix].attempt),
                }),
                Phase::Expanded
                | Phase::Succeeded
                | Phase::Failed
                | Phase::Skipped(_)
                | Phase::Cancelled
                | Phase::Lost => {}
            }
        }
        for ix in self.gates.keys() {
            if self.gates[ix].restore.is_some() && self.gates[ix].state != GateState::Running {
                self.gates[ix].restore = None;
                self.set_gate(ix, at, GateState::Cancelled);
            }
        }
        for &gate in &self.schedule.gates_running {
            out.push(Command::CancelGate {
                gate,
                attempt: AttemptNo(self.gates[gate].attempt),
            });
        }
    }

    /// Why nobody is asked any more, for people.
    fn stopped_by(&self) -> &'static str {
        match self.stop {
            Some(Stop::Cancel { .. }) => "the run was cancelled",
            Some(Stop::Failure { .. }) => "the run stopped because a task failed",
            Some(Stop::Timeout) => "the run took longer than it may",
            None => "the run has ended",
        }
    }

    /// Moves the run on when an event left nothing to do in its state. Called at the end of every handler that may
    /// have ended something.
    pub(crate) fn settle(&mut self, at: Moment, out: &mut Vec<Command>) {
        if self.state.ended() {
            return;
        }
        if let Some(stop) = &self.stop {
            if self.running_count() == 0 {
                match stop {
                    Stop::Cancel { .. } => {
                        self.finish(at, RunState::Cancelled, Outcome::Cancelled, out)
                    }
                    Stop::Failure { .. } | Stop::Timeout => self.finish_failed(at, out),
                }
            }
            return;
        }
        match self.state {
            RunState::Running if self.all_ended() => {
                if !self.all_good() {
                    self.finish_failed(at, out);
                } else if self.order.steps.verify {
                    self.begin_verifying(at, out);
                }
            }
            RunState::Verifying => self.settle_gates(at, out),
            _ => {}
        }
    }

    /// Whether every task has ended, and none in a way that a person has to look at.
    pub(crate) fn all_ended(&self) -> bool {
        self.schedule.open() == 0 && self.schedule.count(TaskState::Lost) == 0
    }

    /// Whether every task succeeded or was skipped by a condition.
    pub(crate) fn all_good(&self) -> bool {
        self.schedule.good() as usize == self.tasks.len()
    }

    fn finish_failed(&mut self, at: Moment, out: &mut Vec<Command>) {
        let some = self.schedule.count(TaskState::Succeeded) > 0;
        let tasks_failed = !self.all_good();
        let outcome = if some && tasks_failed {
            Outcome::Partial
        } else {
            Outcome::Failed
        };
        self.finish(at, RunState::Failed, outcome, out);
    }

    /// The end of the run. Leaves nothing open.
    pub(crate) fn finish(
        &mut self,
        at: Moment,
        state: RunState,
        outcome: Outcome,
        out: &mut Vec<Command>,
    ) {
        let expanded: Vec<TaskIx> = self.schedule.expanded.iter().copied().collect();
        for parent in expanded {
            self.tasks[parent].took = self.tasks[parent].started.map(|started| at.since(started));
            match self.tasks[parent].expansion.as_deref().cloned() {
                Some(expansion)
                    if expansion.failed > 0 && self.tasks[parent].cancel().is_none() =>
                {
                    let (message, class, budget) = self.members_failure(&expansion);
                    self.tasks[parent].fail(Cause::new(class, &message).by_budget(budget));
                    self.enter(parent, at, Phase::Failed);
                }
                _ => self.enter(parent, at, Phase::Cancelled),
            }
        }
        let ixs: Vec<_> = self.gates.keys().collect();
        for ix in ixs {
            if matches!(self.gates[ix].state, GateState::Pending | GateState::Ready) {
                self.gates[ix].state = GateState::NotRun;
                self.gates[ix].lack = None;
                self.gates[ix].since = at;
            }
        }
        self.asks.withdraw_all(at, self.stopped_by());
        self.asks.end_standing();
        self.schedule.gates_ready.clear();
        self.schedule.gates_short.clear();
        self.deadline = None;
        self.paused = None;
        self.outcome = Some(outcome);
        self.ended = Some(at);
        self.go(at, state);
        out.push(Command::Finish);
    }

    /// The only way the run changes its state.
    pub(crate) fn go(&mut self, at: Moment, state: RunState) {
        self.state = state;
        self.since = at;
    }
}
