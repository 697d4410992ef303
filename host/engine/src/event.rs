//! Everything that can happen to a run. Events are what the journal stores; the state of a run is what they add
//! up to. An event says what happened, never what to do about it, and carries no time of its own: the moment is
//! stamped on the record and handed to [`crate::Run::step`] beside it.

use crate::Allowance;
use sandgate_model::{
    Actor, Ask, AskNo, AttemptEnd, AttemptNo, CallEnd, CallRequest, Caller, Check, Decision,
    Digest, GateIx, Millis, Payload, Plan, PluginName, Rule, Signal, TaskIx, WorkflowName,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Version of the stored form of an event.
pub const EVENT_FORMAT: u32 = 1;

/// How far a run goes by itself. `sandgate run` sets both; `plan` and `dispatch` take one step at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Steps {
    /// Dispatch as soon as there is a plan that needs no review.
    pub dispatch: bool,
    /// Verify as soon as every task has ended.
    pub verify: bool,
}

/// What `when` or `for_each` came to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Evaluated {
    /// `when` is false: skip.
    Skip,
    /// `when` is true and there is no `for_each`: run it once.
    Once,
    /// `for_each` gave these items, in order: run it once for each. None at all: it succeeds with `[]`.
    Each {
        /// The items.
        items: Vec<Payload>,
    },
    /// The expression could not be evaluated: the task fails, and is not tried again.
    Failed {
        /// Why.
        message: String,
    },
}

/// How a gate ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum GateEnd {
    /// It answered. No checks at all is inconclusive.
    Checks {
        /// The answer.
        checks: Vec<Check>,
    },
    /// It could not answer: trap, timeout, missing plugin, bad answer.
    Inconclusive {
        /// Why.
        message: String,
    },
    /// The host took it down on purpose (cancel).
    Cancelled,
    /// The host stopped or died under it. Gates have no effects: it runs again.
    Interrupted,
}

/// What a timer was for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timer {
    /// A failed task may be tried again.
    Retry(TaskIx),
    /// A wait for a signal is over.
    Wait(TaskIx),
    /// The run has taken as long as it may.
    Run,
    /// A request to people has waited as long as it may.
    Ask(AskNo),
}

/// One thing that happened to a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The run was asked for. Always the first event, and only the first.
    RunCreated {
        /// The workflow's name.
        workflow: WorkflowName,
        /// The workflow's file, as it was given, relative to the project; for people.
        file: String,
        /// The workflow's text, in the artifact store: a resumed run does not depend on the file.
        source: Digest,
        /// The goal, templates filled in.
        goal: String,
        /// Inputs, defaults filled in.
        inputs: BTreeMap<String, Value>,
        /// How far to go alone.
        steps: Steps,
        /// Planners to ask, the first one first; empty when every task is written.
        planners: Vec<PluginName>,
        /// What it may cost at most: what the project's budget reserved for it. The plan can only lower that, and the
        /// planner has nothing else to go by.
        #[serde(default, skip_serializing_if = "Allowance::is_open")]
        budget: Allowance,
        /// Who has to agree, to what.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rules: Vec<Rule>,
        /// Who asked for it; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// Planning began (or began again, after a rejected plan).
    PlanningStarted,
    /// A planner did not give an acceptable plan. The next planner in the list is asked; after the last one
    /// the run fails with the check `plan_generation`. Never retried by itself.
    PlannerFailed {
        /// Which planner; absent when freezing the written tasks alone failed.
        planner: Option<PluginName>,
        /// All reasons, for a person.
        message: String,
    },
    /// There is a plan.
    PlanFrozen {
        /// Its digest.
        digest: Digest,
        /// The plan.
        plan: Arc<Plan>,
    },
    /// Somebody edited the plan that waits for review: the run has another one, with the next revision, to be reviewed
    /// anew. What was asked about the old one is withdrawn.
    PlanModified {
        /// The digest of the plan that was edited.
        was: Digest,
        /// The new plan's digest.
        digest: Digest,
        /// The new plan.
        plan: Arc<Plan>,
        /// Who edited it.
        by: Actor,
        /// Why, for the record; may be empty.
        reason: String,
    },
    /// Something is put to people. The engine asks for this with [`crate::Command::Ask`]; plans are put to people by
    /// freezing them, calls and questions by [`Event::Suspended`].
    Asked {
        /// What.
        ask: Ask,
    },
    /// Somebody decided about a request. With a rule that wants several, it is one of several.
    Decided {
        /// Which request.
        ask: AskNo,
        /// The digest of what was seen.
        digest: Digest,
        /// What was said.
        decision: Decision,
        /// By whom.
        by: Actor,
        /// Why, for the record; feedback for a plan; may be empty.
        reason: String,
    },
    /// An approval for every later use in the run is taken back. Uses that have begun are not touched.
    Revoked {
        /// The request that was approved so.
        ask: AskNo,
        /// By whom.
        by: Actor,
        /// Why, for the record; may be empty.
        reason: String,
    },
    /// Somebody answered a question.
    Answered {
        /// Which.
        ask: AskNo,
        /// The answer.
        answer: String,
        /// By whom.
        by: Actor,
    },
    /// Work stopped in the middle of a call that waits for a person. Nothing of it runs any more; when there is a decision
    /// it is taken up where it stopped, by giving it again what the host answered until then.
    Suspended {
        /// Who.
        by: Caller,
        /// What is put to people.
        ask: Ask,
        /// What the host answered since the last recorded call, in the artifact store.
        tape: Digest,
        /// How long it ran, on a monotonic clock.
        took: Millis,
    },
    /// An attempt that was suspended or interrupted goes on where it stopped.
    AttemptResumed {
        /// The task.
        task: TaskIx,
        /// Which try: the one that stopped.
        attempt: AttemptNo,
    },
    /// The same for a gate.
    GateResumed {
        /// The gate.
        gate: GateIx,
        /// Which try: the one that stopped.
        attempt: AttemptNo,
    },
    /// A task that waits for a signal says exactly what it waits for, its templates filled in.
    WaitStarted {
        /// The task.
        task: TaskIx,
        /// Fields that have to be equal.
        matches: BTreeMap<String, String>,
    },
    /// A signal that fits came: the task has succeeded.
    SignalDelivered {
        /// The task.
        task: TaskIx,
        /// The signal.
        signal: Signal,
    },
    /// Nothing of this task starts until `TaskResumed`; what runs goes on.
    TaskPaused {
        /// The task.
        task: TaskIx,
        /// By whom.
        by: Actor,
    },
    /// The pause of a task is over.
    TaskResumed {
        /// The task.
        task: TaskIx,
        /// By whom.
        by: Actor,
    },
    /// Somebody wants one task to stop for good; what needs it is skipped, the rest of the run goes on.
    TaskCancelRequested {
        /// The task.
        task: TaskIx,
        /// By whom.
        by: Actor,
        /// Why, for the record; may be empty.
        reason: String,
    },
    /// Somebody asked for the plan to be dispatched.
    DispatchRequested,
    /// Somebody asked for verification.
    VerifyRequested,
    /// `when` and `for_each` of a task whose dependencies succeeded were evaluated.
    TaskEvaluated {
        /// The task.
        task: TaskIx,
        /// The outcome.
        evaluated: Evaluated,
    },
    /// An attempt started.
    AttemptStarted {
        /// The task.
        task: TaskIx,
        /// Which try.
        attempt: AttemptNo,
    },
    /// An attempt ended.
    AttemptEnded {
        /// The task.
        task: TaskIx,
        /// Which try.
        attempt: AttemptNo,
        /// How.
        end: AttemptEnd,
        /// How long it took, on a monotonic clock.
        took: Millis,
    },
    /// A gate started.
    GateStarted {
        /// The gate.
        gate: GateIx,
        /// Which try, from 1; only an interruption makes a second.
        attempt: AttemptNo,
    },
    /// A gate ended.
    GateEnded {
        /// The gate.
        gate: GateIx,
        /// Which try.
        attempt: AttemptNo,
        /// How.
        end: GateEnd,
        /// How long it took, on a monotonic clock.
        took: Millis,
    },
    /// A capability call begins. What it does happens only after this is durable.
    CallStarted {
        /// Who makes it.
        by: Caller,
        /// Its number: the caller's calls are numbered from 1 without a gap.
        call: u32,
        /// What is asked for, and what is reserved for it.
        request: CallRequest,
    },
    /// A capability call ended. Those of a caller that ends are ended by that: no event of their own.
    CallEnded {
        /// Who made it.
        by: Caller,
        /// Its number.
        call: u32,
        /// How. It cannot have cost more than was reserved for it.
        end: CallEnd,
        /// How long it took, on a monotonic clock.
        took: Millis,
        /// For work that may be suspended: what the host answered since the last recorded call, this answer included, in
        /// the artifact store.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tape: Option<Digest>,
    },
    /// Something was asked for that is not allowed or not covered, and did not begin. Hosts record a bounded number of
    /// these for each caller.
    CallRefused {
        /// Who asked.
        by: Caller,
        /// For what.
        request: CallRequest,
        /// Why not, for a person.
        reason: String,
    },
    /// A timer that the engine asked for went off.
    TimerFired {
        /// Which.
        timer: Timer,
    },
    /// Nothing new starts until `Resumed`; what runs goes on.
    Paused {
        /// By whom; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// The pause is over.
    Resumed {
        /// By whom; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// Somebody wants the run to stop for good.
    CancelRequested {
        /// Why, for the record; may be empty.
        reason: String,
        /// By whom; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// Somebody wants a failed, lost or cancelled task tried again, in a run that ended. Tasks that were
    /// skipped because of it become pending again, and so does the run.
    RetryRequested {
        /// The tasks; empty means every failed and lost one.
        tasks: Vec<TaskIx>,
        /// By whom; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A host took the run over: nothing that was running before runs any more. Attempts without outside effect
    /// or declared repeatable become ready again; the others are lost.
    HostStarted,
}

impl Event {
    /// The event's word: its `type` in JSON and the `kind` of its record.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunCreated { .. } => "run-created",
            Self::PlanningStarted => "planning-started",
            Self::PlannerFailed { .. } => "planner-failed",
            Self::PlanFrozen { .. } => "plan-frozen",
            Self::PlanModified { .. } => "plan-modified",
            Self::Asked { .. } => "asked",
            Self::Decided { .. } => "decided",
            Self::Revoked { .. } => "revoked",
            Self::Answered { .. } => "answered",
            Self::Suspended { .. } => "suspended",
            Self::AttemptResumed { .. } => "attempt-resumed",
            Self::GateResumed { .. } => "gate-resumed",
            Self::WaitStarted { .. } => "wait-started",
            Self::SignalDelivered { .. } => "signal-delivered",
            Self::TaskPaused { .. } => "task-paused",
            Self::TaskResumed { .. } => "task-resumed",
            Self::TaskCancelRequested { .. } => "task-cancel-requested",
            Self::DispatchRequested => "dispatch-requested",
            Self::VerifyRequested => "verify-requested",
            Self::TaskEvaluated { .. } => "task-evaluated",
            Self::AttemptStarted { .. } => "attempt-started",
            Self::AttemptEnded { .. } => "attempt-ended",
            Self::GateStarted { .. } => "gate-started",
            Self::GateEnded { .. } => "gate-ended",
            Self::CallStarted { .. } => "call-started",
            Self::CallEnded { .. } => "call-ended",
            Self::CallRefused { .. } => "call-refused",
            Self::TimerFired { .. } => "timer-fired",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::CancelRequested { .. } => "cancel-requested",
            Self::RetryRequested { .. } => "retry-requested",
            Self::HostStarted => "host-started",
        }
    }
}
