//! The port to whoever does the work: jobs out, one answer each back. The loop knows nothing of components, and
//! an executor knows nothing of the journal; another executor can be put in without touching a rule.

use crate::{
    control::{Done, Wanted, WishError},
    room::Room,
};
use sandgate_engine::{Allowance, Consented, Event, Feedback, Restore, Run, Timer};
use sandgate_model::{
    About, Amount, Artifact, AttemptNo, CallRequest, Caller, Digest, GateIx, NeedKind, Payload,
    Plan, PluginName, RunId, TaskId, TaskIx, TaskOutput,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

/// Which piece of work, so that it can be taken down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum JobKey {
    /// Making the plan.
    Plan,
    /// Evaluating a task's expressions.
    Evaluate(TaskIx),
    /// Making the record of what is asked about a task.
    Ask(TaskIx),
    /// The same about a gate.
    AskGate(GateIx),
    /// Filling in what a wait matches by.
    Wait(TaskIx),
    /// An attempt.
    Attempt(TaskIx, AttemptNo),
    /// A gate.
    Gate(GateIx, AttemptNo),
}

/// What a finished task hands on. The output of a task with `for_each` is put together from its instances here,
/// by index, and not from what an instance says about stored values.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The output.
    pub(crate) output: GivenOutput,
    /// The artifacts.
    pub(crate) artifacts: Vec<Artifact>,
}

/// An output, whole or by instance.
#[derive(Clone, Debug)]
pub(crate) enum GivenOutput {
    /// Of a task.
    One(Payload),
    /// Of each instance, in order.
    Each(Vec<Payload>),
}

impl Given {
    /// What task `ix` of `run` hands on; absent unless it succeeded.
    pub(crate) fn of(run: &Run, ix: TaskIx) -> Option<Self> {
        let output = run.output(ix)?;
        let each = run
            .task(ix)
            .is_some_and(|t| t.parent.is_none() && t.plan.for_each.is_some());
        let given = if each {
            let parts = run
                .instances(ix)
                .filter_map(|n| Some(run.output(n)?.output.clone()));
            GivenOutput::Each(parts.collect())
        } else {
            GivenOutput::One(output.output.clone())
        };
        Some(Self {
            output: given,
            artifacts: output.artifacts.clone(),
        })
    }
}

/// What templates of a task may see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upstream {
    /// Outputs of earlier tasks, by id.
    pub(crate) outputs: BTreeMap<TaskId, Given>,
    /// The item of an instance that `for_each` made.
    pub(crate) item: Option<(u32, Payload)>,
}

/// What a plan is asked for.
#[derive(Clone, Debug)]
pub(crate) struct PlanOrder {
    /// The planner; absent: freeze the written tasks.
    pub(crate) planner: Option<PluginName>,
    /// Revision of the plan to make.
    pub(crate) revision: u32,
    /// The workflow's text, in the artifact store.
    pub(crate) source: Digest,
    /// The workflow's file name, for messages.
    pub(crate) file: String,
    /// The run's inputs.
    pub(crate) inputs: BTreeMap<String, Value>,
    /// What the planner may spend.
    pub(crate) allowance: Allowance,
    /// What was said of earlier plans of this run, the oldest first.
    pub(crate) feedback: Vec<Feedback>,
    /// Where the planner stopped, when it waited for a person.
    pub(crate) restore: Option<Restore>,
}

/// What an attempt does.
#[derive(Clone, Debug)]
pub(crate) struct AttemptWork {
    /// The task's place in the plan: an instance has that of the task with `for_each`.
    pub(crate) place: TaskIx,
    /// Its id.
    pub(crate) id: TaskId,
    /// The plan.
    pub(crate) plan: Arc<Plan>,
    /// What its templates may see.
    pub(crate) upstream: Upstream,
    /// Artifacts it may read, by `TASK.NAME`.
    pub(crate) readable: BTreeMap<String, Artifact>,
    /// What it may spend.
    pub(crate) allowance: Allowance,
    /// The record that was approved, when somebody had to; what is done is what it says.
    pub(crate) approved: Option<Digest>,
    /// Where it stopped, when it is taken up again.
    pub(crate) restore: Option<Restore>,
}

/// What is to be put to people.
#[derive(Clone, Debug)]
pub(crate) enum AskJob {
    /// A task before it starts.
    Task {
        /// The task in the run.
        task: TaskIx,
        /// What it would do.
        work: Box<AttemptWork>,
    },
    /// A task's result.
    Result {
        /// The task in the run.
        task: TaskIx,
        /// Its id.
        id: TaskId,
        /// The result.
        output: Box<TaskOutput>,
    },
    /// Going over the budget.
    Budget {
        /// As the engine says it.
        about: About,
        /// For whom: `task pay`, `gate tests`.
        who: String,
        /// What it lacks.
        lacks: Amount,
        /// What the run has spent.
        spent: Amount,
        /// What it may.
        limit: Allowance,
    },
}

impl AskJob {
    /// What it is about.
    pub(crate) fn about(&self) -> About {
        match self {
            Self::Task { task, .. } => About::Task { task: *task },
            Self::Result { task, .. } => About::Result { task: *task },
            Self::Budget { about, .. } => about.clone(),
        }
    }
}

/// A wait that begins.
#[derive(Clone, Debug)]
pub(crate) struct WaitJob {
    /// The task in the run.
    pub(crate) task: TaskIx,
    /// The plan.
    pub(crate) plan: Arc<Plan>,
    /// What it matches by, templates as they are written.
    pub(crate) matches: BTreeMap<String, String>,
    /// What the templates may see.
    pub(crate) upstream: Upstream,
}

/// One piece of work. Everything it needs travels with it: the run may change while it is done.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Make a plan.
    Plan {
        /// What is asked for.
        order: Box<PlanOrder>,
    },
    /// Evaluate `when` and `for_each`.
    Evaluate {
        /// The task.
        task: TaskIx,
        /// The plan and the task's place in it.
        plan: Arc<Plan>,
        /// What the expressions may see.
        upstream: Upstream,
    },
    /// Make the record of what is put to people.
    Ask {
        /// What.
        job: AskJob,
    },
    /// Fill in what a wait matches by.
    Wait {
        /// Which.
        job: Box<WaitJob>,
    },
    /// Run an attempt.
    Attempt {
        /// The task in the run.
        task: TaskIx,
        /// Which try.
        attempt: AttemptNo,
        /// What is to be done.
        work: Box<AttemptWork>,
    },
    /// Run a gate.
    Gate {
        /// The gate.
        gate: GateIx,
        /// Which try.
        attempt: AttemptNo,
        /// The plan.
        plan: Arc<Plan>,
        /// The tasks that succeeded, in plan order.
        finished: Vec<(TaskId, Given)>,
        /// What it may spend.
        allowance: Allowance,
        /// Where it stopped, when it is taken up again.
        restore: Option<Restore>,
    },
}

impl Job {
    /// The key to cancel it by.
    pub(crate) fn key(&self) -> JobKey {
        match self {
            Self::Plan { .. } => JobKey::Plan,
            Self::Evaluate { task, .. } => JobKey::Evaluate(*task),
            Self::Ask { job } => match job.about() {
                About::GateBudget { gate, .. } => JobKey::AskGate(gate),
                About::Task { task } | About::Result { task } | About::TaskBudget { task, .. } => {
                    JobKey::Ask(task)
                }
                // Nothing else is asked by a job.
                _ => JobKey::Plan,
            },
            Self::Wait { job } => JobKey::Wait(job.task),
            Self::Attempt { task, attempt, .. } => JobKey::Attempt(*task, *attempt),
            Self::Gate { gate, attempt, .. } => JobKey::Gate(*gate, *attempt),
        }
    }
}

/// Directories on their way to be parked.
pub(crate) struct Parking(pub(crate) Box<Room>);

impl std::fmt::Debug for Parking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parking")
    }
}

/// What comes back to the loop.
#[derive(Debug)]
pub(crate) enum Message {
    /// A job ended; the event says how.
    Done {
        /// The run.
        run: RunId,
        /// Which job.
        key: JobKey,
        /// What to record; absent when there is nothing.
        event: Option<Event>,
        /// Directories to be parked when it is recorded that the work waits.
        room: Option<Parking>,
    },
    /// A plugin wants to do something outside: record the intent, and say when it is durable.
    Call {
        /// The run.
        run: RunId,
        /// Who wants it.
        by: Caller,
        /// What.
        request: Box<CallRequest>,
        /// The call's number once the intent is durable; why not otherwise.
        reply: oneshot::Sender<Result<u32, String>>,
    },
    /// Something to record beside a job: the outcome of a call, a refusal.
    Record {
        /// The run.
        run: RunId,
        /// What to record.
        event: Event,
        /// Told when it is durable, if anybody waits for that; dropped when it was not recorded.
        reply: Option<oneshot::Sender<()>>,
    },
    /// Whether a call that needs an approval has one.
    Consent {
        /// The run.
        run: RunId,
        /// Who wants it.
        by: Caller,
        /// Which kind of authority.
        kind: NeedKind,
        /// Digest of exactly what would happen.
        digest: Digest,
        /// The engine's answer.
        reply: oneshot::Sender<Consented>,
    },
    /// The answer to a question, if there is one.
    AnswerOf {
        /// The run.
        run: RunId,
        /// Who asked.
        by: Caller,
        /// Digest of the question.
        digest: Digest,
        /// The engine's answer.
        reply: oneshot::Sender<Option<Result<String, String>>>,
    },
    /// Somebody outside wants something.
    Wish {
        /// What, prepared so far that the loop can take it in without waiting for anything.
        prepared: Box<Prepared>,
        /// What came of it, when it is durable.
        reply: oneshot::Sender<Result<Done, WishError>>,
    },
    /// A timer went off.
    Timer {
        /// The run.
        run: RunId,
        /// Which.
        timer: Timer,
    },
}

/// The way back. Unbounded on purpose: each running job sends one message and the engine bounds the jobs; calls wait
/// for their answer, so each attempt has at most a few on the way. A sender that had to wait could deadlock with a
/// loop that waits for the disk.
pub(crate) type Inbox = UnboundedSender<Message>;

/// Does jobs.
pub(crate) trait Executor: Send + Sync {
    /// Starts a job and returns at once. Exactly one [`Message::Done`] follows, whatever happens.
    fn start(&self, run: RunId, job: Job, inbox: Inbox);
    /// Takes a job down; its message says that it was cancelled, or how it ended if that came first. A job
    /// that is not there is fine.
    fn cancel(&self, run: RunId, key: JobKey);
    /// The run has ended: nothing of it may stay alive.
    fn finish(&self, run: RunId);
    /// The host is about to stop: what is cancelled from now on will be taken up again.
    fn stopping(&self);
}

/// A wish that needs nothing any more but the loop.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// As it is.
    Plain(Wanted),
    /// A signal, its data stored where it is large.
    Signal(sandgate_model::Signal),
    /// A new run.
    Create {
        /// Its id.
        run: RunId,
        /// Its first event.
        first: Event,
    },
    /// An edited plan, validated.
    Modify {
        /// The run.
        run: RunId,
        /// The event.
        event: Event,
        /// The new plan's digest.
        digest: Digest,
        /// Its revision.
        revision: u32,
    },
}
