//! The door: one event in, commands out. Routing only; each family of events has its file in `on/`.

use crate::{Command, Event, Illegal, Run};
use sandgate_model::Moment;

impl Run {
    /// Takes one event in and says what is to be done. `at` is the moment stamped on the event's record.
    ///
    /// # Errors
    /// The event is not possible in this state; then nothing has changed. Late and repeated events end here.
    pub fn step(&mut self, at: Moment, event: &Event) -> Result<Vec<Command>, Illegal> {
        let mut out = Vec::new();
        let handled = match event {
            Event::RunCreated { .. } => Err("the run exists already".into()),
            Event::PlanningStarted => self.on_planning_started(at, &mut out),
            Event::PlannerFailed { planner, message } => {
                self.on_planner_failed(at, planner.as_ref(), message, &mut out)
            }
            Event::PlanFrozen { digest, plan } => self.on_plan_frozen(at, *digest, plan, &mut out),
            Event::PlanModified {
                was,
                digest,
                plan,
                by,
                ..
            } => self.on_plan_modified(at, (*was, *digest), plan, by, &mut out),
            Event::Asked { ask } => self.on_asked(at, ask, &mut out),
            Event::Decided {
                ask,
                digest,
                decision,
                by,
                reason,
            } => self.on_decided(at, (*ask, *digest), *decision, (by, reason), &mut out),
            Event::Revoked { ask, .. } => self.on_revoked(*ask),
            Event::Answered { ask, answer, by } => self.on_answered(at, *ask, answer, by, &mut out),
            Event::Suspended {
                by,
                ask,
                tape,
                took,
            } => self.on_suspended(at, *by, ask, (*tape, *took), &mut out),
            Event::AttemptResumed { task, attempt } => {
                self.on_attempt_resumed(at, *task, *attempt, &mut out)
            }
            Event::GateResumed { gate, attempt } => {
                self.on_gate_resumed(at, *gate, *attempt, &mut out)
            }
            Event::WaitStarted { task, matches } => self.on_wait_started(at, *task, matches),
            Event::SignalDelivered { task, signal } => {
                self.on_signal_delivered(at, *task, signal, &mut out)
            }
            Event::TaskPaused { task, .. } => self.on_task_paused(at, *task),
            Event::TaskResumed { task, .. } => self.on_task_resumed(at, *task),
            Event::TaskCancelRequested { task, by, reason } => {
                self.on_task_cancel_requested(at, *task, by, reason, &mut out)
            }
            Event::DispatchRequested => self.on_dispatch_requested(at, &mut out),
            Event::VerifyRequested => self.on_verify_requested(at, &mut out),
            Event::TaskEvaluated { task, evaluated } => {
                self.on_task_evaluated(at, *task, evaluated, &mut out)
            }
            Event::AttemptStarted { task, attempt } => {
                self.on_attempt_started(at, *task, *attempt, &mut out)
            }
            Event::AttemptEnded {
                task,
                attempt,
                end,
                took,
            } => self.on_attempt_ended(at, (*task, *attempt), end, *took, &mut out),
            Event::GateStarted { gate, attempt } => {
                self.on_gate_started(at, *gate, *attempt, &mut out)
            }
            Event::GateEnded {
                gate,
                attempt,
                end,
                took,
            } => self.on_gate_ended(at, (*gate, *attempt), end, *took, &mut out),
            Event::CallStarted { by, call, request } => self.on_call_started(*by, *call, request),
            Event::CallEnded {
                by,
                call,
                end,
                tape,
                ..
            } => self.on_call_ended(*by, *call, end, *tape),
            Event::CallRefused { by, request, .. } => self.on_call_refused(*by, request),
            Event::TimerFired { timer } => self.on_timer_fired(at, *timer, &mut out),
            Event::Paused { .. } => self.on_paused(at),
            Event::Resumed { .. } => self.on_resumed(),
            Event::CancelRequested { reason, .. } => self.on_cancel_requested(at, reason, &mut out),
            Event::RetryRequested { tasks, .. } => self.on_retry_requested(at, tasks, &mut out),
            Event::HostStarted => self.on_host_started(at, &mut out),
        };
        match handled {
            Ok(()) => {
                self.fund(at, &mut out);
                while self.ask_next(at, &mut out) {
                    self.fund(at, &mut out);
                }
                Ok(out)
            }
            Err(why) => Err(Illegal::new(self.state, event, why)),
        }
    }
}
