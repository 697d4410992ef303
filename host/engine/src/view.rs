//! Looking at a run: tasks, gates, and what it waits for. Questions only.

use crate::{
    GateState, Reason, Run, RunState, TaskState,
    ask::Subject,
    budget::Lack,
    task::{Phase, Task},
};
use sandgate_model::{
    About, Amount, AskNo, AttemptNo, Check, FailureClass, GateId, GateIx, Millis, Moment, Payload,
    PlanGate, PlanTask, TaskId, TaskIx, TaskOutput, Verdict,
};
use serde::{Deserialize, Serialize};

/// A task, or an instance of a task with `for_each`, as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskView<'a> {
    /// Its index.
    pub ix: TaskIx,
    /// Its id; `TASK.N` for an instance.
    pub id: TaskId,
    /// What the plan says of it (for an instance: of its parent).
    pub plan: &'a PlanTask,
    /// Where it is.
    pub state: TaskState,
    /// Number of its last attempt; 0: none yet.
    pub attempt: AttemptNo,
    /// What it gave back, once it succeeded; see [`Run::output`].
    pub output: Option<&'a TaskOutput>,
    /// For an instance: its place and its item.
    pub item: Option<(u32, &'a Payload)>,
    /// For an instance: the task with the `for_each`.
    pub parent: Option<TaskIx>,
    /// How many instances it has.
    pub instances: u32,
    /// Why it failed, or why its last attempt did while the next one has not started.
    pub error: Option<(&'a FailureClass, &'a str)>,
    /// Since when it has been where it is.
    pub since: Moment,
    /// When its last attempt (with `for_each`: its first instance) started.
    pub started: Option<Moment>,
    /// How long its last attempt (with `for_each`: all of it) took.
    pub took: Option<Millis>,
    /// What its own attempts cost; with `for_each`, instances have their own.
    pub spent: Amount,
    /// It failed because the budget did not cover it.
    pub over_budget: bool,
}

/// A gate as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct GateView<'a> {
    /// Its index.
    pub ix: GateIx,
    /// What the plan says of it.
    pub plan: &'a PlanGate,
    /// Where it is.
    pub state: GateState,
    /// Number of its last attempt; 0: none yet.
    pub attempt: AttemptNo,
    /// The worst of its checks; absent until it answered, or failed to.
    pub verdict: Option<Verdict>,
    /// Its checks.
    pub checks: &'a [Check],
    /// Why there are no checks; empty when there are.
    pub message: &'a str,
    /// Since when it has been where it is.
    pub since: Moment,
    /// How long its last attempt took.
    pub took: Option<Millis>,
    /// What its attempts cost.
    pub spent: Amount,
    /// It did not run because the budget did not cover it.
    pub over_budget: bool,
}

/// Something from outside that a run waits for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum Wait {
    /// A person has to approve the plan.
    PlanApproval {
        /// The request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<AskNo>,
    },
    /// Somebody has to ask for dispatch.
    Dispatch,
    /// Somebody has to ask for verification.
    Verify,
    /// Somebody has to resume it.
    Resume,
    /// Somebody has to resume a task, or the one that it is an instance of.
    ResumeTask {
        /// The one that is paused.
        task: TaskId,
    },
    /// A person has to approve a task, or its result.
    Approval {
        /// The task.
        task: TaskId,
        /// The request; absent while it is not put to people yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<AskNo>,
    },
    /// A person has to approve a call in the middle of a piece of work.
    Call {
        /// The task that makes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskId>,
        /// The gate that makes it. Neither: the planner does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<GateId>,
        /// The request.
        ask: AskNo,
    },
    /// A person has to answer.
    Question {
        /// The task that asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskId>,
        /// The gate that asks. Neither: the planner does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<GateId>,
        /// The request.
        ask: AskNo,
    },
    /// A person has to decide about a lost task.
    Decision {
        /// The task.
        task: TaskId,
    },
    /// A signal has to come.
    Signal {
        /// The task.
        task: TaskId,
        /// Its type.
        signal: String,
        /// The task fails at this moment; absent: never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Moment>,
    },
    /// The budget does not cover a task, and a person has to decide.
    Budget {
        /// The task.
        task: TaskId,
        /// The request; absent while it is not put to people yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<AskNo>,
    },
    /// The budget does not cover a gate, and a person has to decide.
    GateBudget {
        /// The gate.
        gate: GateId,
        /// The request; absent while it is not put to people yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<AskNo>,
    },
    /// A failed task is tried again later. Happens by itself.
    Retry {
        /// The task.
        task: TaskId,
        /// When.
        until: Moment,
    },
}

impl Wait {
    /// Whether it ends without anybody doing anything.
    #[must_use]
    pub fn by_itself(&self) -> bool {
        matches!(self, Self::Retry { .. })
    }
}

impl Run {
    /// All tasks in order of their indices: the plan's, then instances.
    pub fn tasks(&self) -> impl Iterator<Item = TaskView<'_>> {
        self.tasks
            .iter()
            .filter_map(|(ix, task)| self.task_view(ix, task))
    }

    /// One task.
    #[must_use]
    pub fn task(&self, ix: TaskIx) -> Option<TaskView<'_>> {
        self.task_view(ix, self.tasks.row(ix)?)
    }

    /// All gates in plan order.
    pub fn gates(&self) -> impl Iterator<Item = GateView<'_>> {
        self.gates.iter().filter_map(|(ix, gate)| {
            Some(GateView {
                ix,
                plan: self.planned_gate(ix)?,
                state: gate.state,
                attempt: AttemptNo(gate.attempt),
                verdict: gate.verdict,
                checks: &gate.checks,
                message: &gate.message,
                since: gate.since,
                took: gate.took,
                spent: gate.paid,
                over_budget: gate.over,
            })
        })
    }

    /// Whether nothing is under way: no attempt or gate runs or could start, no plan is being made, nothing is
    /// being evaluated, no draft waits for planning. An idle run has ended or waits for one of [`Run::waits`].
    #[must_use]
    pub fn idle(&self) -> bool {
        let planning = self.state == RunState::Planning && !self.planner_suspended();
        self.state != RunState::Draft
            && !planning
            && self.running_count() == 0
            && self.schedule.evaluating.is_empty()
            && self.asks.asking.is_empty()
            && self.next_start().is_none()
            // The last question, since it looks at whatever waits.
            && self.waits_to_start().next().is_none()
    }

    /// What the run waits for from outside, in order of tasks. Other tasks may run meanwhile; see [`Run::idle`].
    /// Costs as much as there is to name, not as much as there are tasks.
    #[must_use]
    pub fn waits(&self) -> Vec<Wait> {
        let mut waits = Vec::new();
        if self.state.ended() || self.stop.is_some() {
            return waits;
        }
        if self.paused.is_some() {
            waits.push(Wait::Resume);
        }
        match self.state {
            RunState::PlanReview if !self.plan_approved() => {
                waits.push(Wait::PlanApproval {
                    ask: self.asks.plan,
                });
            }
            RunState::Planning => {
                let ask = self.planner.as_ref().and_then(|restore| restore.ask);
                waits.extend(ask.and_then(|no| self.stopped_for(no, None, None)));
            }
            RunState::PlanReview => waits.push(Wait::Dispatch),
            RunState::Running if self.all_ended() => waits.push(Wait::Verify),
            _ => {}
        }
        if self.state == RunState::Verifying {
            let asked = self
                .gates
                .iter()
                .filter(|(_, g)| g.lack == Some(Lack::Person));
            waits.extend(asked.filter_map(|(ix, _)| {
                let gate = self.planned_gate(ix)?.id.clone();
                let ask = self.asks.open_about(Subject::GateBudget(ix));
                Some(Wait::GateBudget { gate, ask })
            }));
            let suspended = self.gates.iter().filter(|(_, gate)| gate.suspended);
            waits.extend(suspended.filter_map(|(ix, gate)| {
                let no = gate.restore.as_ref()?.ask?;
                self.stopped_for(no, None, Some(self.planned_gate(ix)?.id.clone()))
            }));
        }
        waits.extend(
            self.schedule
                .parked
                .iter()
                .filter_map(|ix| self.task_wait(*ix)),
        );
        waits
    }

    fn task_wait(&self, ix: TaskIx) -> Option<Wait> {
        let task = self.task_id(ix)?;
        Some(match self.tasks[ix].phase {
            Phase::Approval => {
                let ask = self.asks.open_about(Subject::Task(ix));
                Wait::Approval { task, ask }
            }
            Phase::Held => {
                let ask = self.asks.open_about(Subject::Result(ix));
                Wait::Approval { task, ask }
            }
            Phase::Suspended => {
                let human = self.tasks[ix].human.as_ref();
                let no = human.and_then(|human| human.restore.as_ref()?.ask)?;
                return self.stopped_for(no, Some(task), None);
            }
            Phase::Lost => Wait::Decision { task },
            Phase::Paused => Wait::ResumeTask {
                task: self.task_id(self.pauser(ix)?)?,
            },
            Phase::Funds(Lack::Person) => {
                let ask = self.asks.open_about(Subject::TaskBudget(ix));
                Wait::Budget { task, ask }
            }
            Phase::Backoff { until } => Wait::Retry { task, until },
            Phase::Signal { until } => match self.blocked(ix)?.reason {
                Reason::Signal { signal } => Wait::Signal {
                    task,
                    signal,
                    until,
                },
                _ => return None,
            },
            _ => return None,
        })
    }

    /// What a piece of work waits for that stopped in the middle.
    fn stopped_for(&self, no: AskNo, task: Option<TaskId>, gate: Option<GateId>) -> Option<Wait> {
        let entry = self.asks.get(no).filter(|_| self.asks.is_open(no))?;
        Some(match entry.ask.about {
            About::Question { .. } => Wait::Question {
                task,
                gate,
                ask: no,
            },
            _ => Wait::Call {
                task,
                gate,
                ask: no,
            },
        })
    }

    fn task_view<'a>(&'a self, ix: TaskIx, task: &'a Task) -> Option<TaskView<'a>> {
        let failure = task.failure.as_deref();
        let instance = task.instance.as_deref();
        Some(TaskView {
            ix,
            id: self.task_id(ix)?,
            plan: self.planned(ix)?,
            state: task.phase.state(),
            attempt: AttemptNo(task.attempt),
            output: task.output.as_deref(),
            item: instance.map(|instance| (instance.n, &instance.item)),
            parent: instance.map(|instance| instance.parent),
            instances: task.expansion.as_ref().map_or(0, |e| e.count),
            error: failure.map(|failure| (&failure.class, failure.message.as_str())),
            since: task.since,
            started: task.started,
            took: task.took,
            spent: self.paid_by(ix),
            over_budget: failure.is_some_and(|failure| failure.budget),
        })
    }
}
