//! What the engine wants done. One closed enum with one interpreter, in the driver. Commands are not stored:
//! they follow from events, and a restarted host gets them again from `HostStarted`.

use crate::Timer;
use sandgate_model::{AttemptNo, GateIx, Moment, PluginName, TaskIx};

/// An effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Make a plan: ask this planner, or freeze the written tasks alone when there is none. Answer with
    /// `PlanFrozen` or `PlannerFailed`.
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
    /// Run this attempt (its `AttemptStarted` is recorded). Answer with `AttemptEnded`.
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
    /// Run this gate (its `GateStarted` is recorded). Answer with `GateEnded`.
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
