//! What the engine wants done. One closed enum with one interpreter, in the driver. Commands are not stored:
//! they follow from events, and a restarted host gets them again from `HostStarted`.

use crate::Timer;
use sandgate_model::{About, AttemptNo, GateIx, Moment, PluginName, TaskIx};

/// An effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Make a plan: ask this planner, or freeze the written tasks alone when there is none. Answer with
    /// `PlanFrozen`, `PlannerFailed` or `Suspended`. With feedback of a rejected plan: [`crate::Run::feedback`].
    MakePlan {
        /// The planner.
        planner: Option<PluginName>,
    },
    /// Stop asking for a plan; the answer would be refused.
    AbandonPlan,
    /// Evaluate `when` and `for_each`. Answer with `TaskEvaluated`.
    Evaluate {
        /// The task.
        task: TaskIx,
    },
    /// Put this to people: make the canonical record of exactly what will happen, store it, and answer with `Asked`. Only
    /// for tasks, results and budgets. A task whose record cannot be made (a template fails) is answered with
    /// `TaskEvaluated` and `Evaluated::Failed`.
    Ask {
        /// What it is about.
        about: About,
    },
    /// Fill in what a wait matches by. Answer with `WaitStarted`, or with `TaskEvaluated` and `Evaluated::Failed`.
    StartWait {
        /// The task.
        task: TaskIx,
    },
    /// Run this attempt (its `AttemptStarted` or `AttemptResumed` is recorded; after the latter it goes on with
    /// [`crate::Run::restore_of`]). Answer with `AttemptEnded` or `Suspended`.
    RunAttempt {
        /// The task.
        task: TaskIx,
        /// Which try.
        attempt: AttemptNo,
    },
    /// Take this attempt down. Answer with `AttemptEnded`, whatever its end was.
    CancelAttempt {
        /// The task.
        task: TaskIx,
        /// Which try.
        attempt: AttemptNo,
    },
    /// Run this gate (its `GateStarted` or `GateResumed` is recorded). Answer with `GateEnded` or `Suspended`.
    RunGate {
        /// The gate.
        gate: GateIx,
        /// Which try.
        attempt: AttemptNo,
    },
    /// Take this gate down. Answer with `GateEnded`.
    CancelGate {
        /// The gate.
        gate: GateIx,
        /// Which try.
        attempt: AttemptNo,
    },
    /// Answer with `TimerFired` at this moment, or at once when it has passed.
    ArmTimer {
        /// What for.
        timer: Timer,
        /// When.
        at: Moment,
    },
    /// The run has ended: close sessions, drop timers.
    Finish,
}
