//! Deceptions. Each makes the engine do what it must not do, by telling it something else than the observer sees;
//! each has to be found out. So the observer is shown to be able to see what it is there for.

use super::World;
use sandgate_engine::{Event, GateEnd};
use sandgate_model::{
    About, Actor, Ask, AskNo, AttemptEnd, Check, Decision, Digest, OnFailure, Plan, Session,
    TaskWork, Verdict,
};
use std::sync::Arc;

/// What the engine is deceived about, and which promise has to break.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lie {
    /// No task needs anything: `dependency-order`.
    Needs,
    /// Artifacts are not needed: `dependency-order`.
    Artifacts,
    /// More slots: `concurrency`.
    Slots,
    /// No sessions: `sessions`.
    Sessions,
    /// More attempts: `retry-limit`.
    Attempts,
    /// Other priorities: `order-of-starts`.
    Priorities,
    /// All gates in one tier: `tiers`.
    Tiers,
    /// Every attempt may be repeated: `unknown-ends`.
    Repeatable,
    /// A cancel is not passed on: `cancel-wins`.
    Cancel,
    /// A pause is not passed on: `pause` or `reasons`.
    Pause,
    /// Every gate passes: `gates-fail-closed`.
    Gates,
    /// A success is told as a failure: `attempts-are-final`.
    Success,
    /// A failure is told as a success: `attempts-are-final`.
    Failure,
    /// The last end of an attempt is lost in a crash: `finished-stays` or `replay`.
    Memory,
    /// Attempts are forgotten: `ends-or-waits`.
    Idleness,
    /// Commands are not passed on to the observer: `commands`.
    Silence,
    /// The observer takes the end of an attempt for a pause: `no-owner-is-left`.
    Orphan,
    /// The replay sees another clock: `replay`.
    Clock,
    /// The wrong state is taken for the snapshot: `snapshot`.
    Snapshot,
    /// The run may cost anything: `ledger`.
    Limit,
    /// Tasks do not say what they may cost: `reservations`.
    Budgets,
    /// Calls reserve nothing: `ledger`.
    Reserve,
    /// Ends of calls are not passed on: `calls-pair`.
    Calls,
    /// Tasks need no approval: `approved-first`.
    Approvals,
    /// No use of a capability needs an approval: `approved-first`.
    Consent,
    /// Every approval is for the whole run: `used-once`.
    ForRun,
    /// Whoever decides may decide: `one-decision`.
    Votes,
    /// Each request is about something else: `asked-once`.
    Asks,
    /// Results need no approval: `results`.
    Results,
    /// A pause of a task is not passed on: `steered`.
    TaskPause,
    /// Each piece of tape is another one: `tape`.
    Tape,
    /// A pause is taken and said to be refused: `illegal-changes-nothing`.
    Refusal,
}

impl World {
    fn is_call(&self, no: AskNo) -> bool {
        let view = self.run.ask(no);
        view.is_some_and(|view| matches!(view.ask.about, About::Call { .. }))
    }

    /// What the engine is told of an event; `None`: nothing.
    pub(super) fn told(&self, event: &Event) -> Option<Event> {
        let Some(lie) = self.lie else {
            return Some(event.clone());
        };
        Some(match (lie, event) {
            (Lie::Cancel, Event::CancelRequested { .. }) | (Lie::Pause, Event::Paused { .. }) => {
                return None;
            }
            (Lie::TaskPause, Event::TaskPaused { .. }) => return None,
            (
                Lie::ForRun | Lie::Votes,
                Event::Decided {
                    ask,
                    digest,
                    decision,
                    by,
                    reason,
                },
            ) => Event::Decided {
                ask: *ask,
                digest: *digest,
                decision: match decision {
                    Decision::Approve { .. } if lie == Lie::ForRun && self.is_call(*ask) => {
                        Decision::Approve { for_run: true }
                    }
                    decision => *decision,
                },
                by: Actor {
                    operator: by.operator || lie == Lie::Votes,
                    ..by.clone()
                },
                reason: reason.clone(),
            },
            (
                Lie::Asks | Lie::Tape,
                Event::Suspended {
                    by,
                    ask,
                    tape,
                    took,
                },
            ) => Event::Suspended {
                by: *by,
                ask: Ask {
                    digest: match lie {
                        Lie::Asks => Digest::of(format!("other {}", self.journal.len()).as_bytes()),
                        _ => ask.digest,
                    },
                    ..ask.clone()
                },
                tape: match lie {
                    Lie::Tape => Digest::of(b"other"),
                    _ => *tape,
                },
                took: *took,
            },
            (_, Event::CallStarted { .. } | Event::CallEnded { .. }) => {
                return Self::told_of_call(lie, event);
            }
            (_, Event::PlanFrozen { digest, plan }) => Event::PlanFrozen {
                digest: *digest,
                plan: Arc::new(bent(lie, plan)),
            },
            (
                Lie::Gates,
                Event::GateEnded {
                    gate,
                    attempt,
                    took,
                    ..
                },
            ) => Event::GateEnded {
                gate: *gate,
                attempt: *attempt,
                end: GateEnd::Checks {
                    checks: vec![Check {
                        name: "lie".to_owned(),
                        verdict: Verdict::Pass,
                        message: String::new(),
                        duration: None,
                    }],
                },
                took: *took,
            },
            (
                Lie::Success,
                Event::AttemptEnded {
                    task,
                    attempt,
                    end: AttemptEnd::Output(_),
                    took,
                },
            ) => Event::AttemptEnded {
                task: *task,
                attempt: *attempt,
                end: AttemptEnd::Failed {
                    class: sandgate_model::FailureClass::Plugin,
                    message: "lie".to_owned(),
                    permanent: false,
                },
                took: *took,
            },
            (
                Lie::Failure,
                Event::AttemptEnded {
                    task,
                    attempt,
                    end: AttemptEnd::Failed { .. },
                    took,
                },
            ) => Event::AttemptEnded {
                task: *task,
                attempt: *attempt,
                end: AttemptEnd::Output(sandgate_model::TaskOutput {
                    output: sandgate_model::Payload::Inline(serde_json::Value::Null),
                    artifacts: Vec::new(),
                    charges: Vec::new(),
                }),
                took: *took,
            },
            _ => event.clone(),
        })
    }
}

/// The plan as the engine gets it.
fn bent(lie: Lie, plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    if lie == Lie::Slots {
        plan.concurrency += 2;
    }
    if lie == Lie::Limit {
        plan.budget = None;
    }
    for gate in &mut plan.gates {
        if lie == Lie::Tiers {
            gate.tier = 0;
        }
    }
    for task in &mut plan.tasks {
        match lie {
            Lie::Approvals => task.approval_before = false,
            Lie::Results => task.approval_after = false,
            Lie::Consent => {
                for grant in &mut task.grants.exec {
                    grant.approval = false;
                }
                for grant in &mut task.grants.model {
                    grant.approval = false;
                }
                task.grants.budget_approval = false;
            }
            Lie::Needs => {
                task.needs.clear();
                task.consumes.clear();
            }
            Lie::Artifacts => task.consumes.clear(),
            Lie::Sessions => {
                if let TaskWork::Agent { session, .. } = &mut task.work {
                    *session = Session::Spawn;
                }
            }
            Lie::Budgets => task.budget = None,
            Lie::Attempts => task.retry.attempts += 1,
            Lie::Priorities => task.priority = -task.priority,
            Lie::Repeatable => task.repeatable = true,
            // A stop would hide what follows.
            Lie::Failure | Lie::Success => plan.on_failure = OnFailure::Continue,
            _ => {}
        }
    }
    plan
}
