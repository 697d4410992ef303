//! The interpreter of commands: everything takes its time, and much of it goes wrong.

use super::{Due, Lie, World};
use sandgate_engine::{Command, Evaluated, Event, GateEnd};
use sandgate_model::{
    About, Artifact, Ask, AttemptEnd, Caller, Check, Digest, FailureClass, Millis, Moment, Payload,
    Plan, TaskIx, TaskOutput, Verdict,
};
use serde_json::json;
use std::sync::Arc;

/// Longest that anything takes, in milliseconds: retries, waits and run timeouts are of the same order.
const LONGEST: u64 = 5_000;

impl World {
    pub(super) fn act(&mut self, command: &Command) {
        match command {
            Command::MakePlan { planner } => {
                let restored = self.run.restore_of(Caller::Planner).is_some();
                if restored || planner.is_some() && self.rng.permille(self.script.guests) {
                    self.start_guest(Caller::Planner);
                    return;
                }
                let event = self.planned();
                self.later(event);
                if planner.is_some() {
                    self.first_call(Caller::Planner);
                }
            }
            Command::Evaluate { task } => {
                let event = Event::TaskEvaluated {
                    task: *task,
                    evaluated: self.evaluated(*task),
                };
                self.later(event);
            }
            Command::RunAttempt { task, attempt } => {
                if self.lie == Some(Lie::Idleness) && self.rng.below(8) == 0 {
                    return;
                }
                let by = Caller::Task {
                    task: *task,
                    attempt: *attempt,
                };
                if self.recorded(by) {
                    self.start_guest(by);
                    return;
                }
                let event = Event::AttemptEnded {
                    task: *task,
                    attempt: *attempt,
                    end: self.end(*task),
                    took: Millis(self.rng.below(LONGEST)),
                };
                self.later(event);
                self.first_call(by);
            }
            Command::CancelAttempt { task, attempt } => {
                let event = Event::AttemptEnded {
                    task: *task,
                    attempt: *attempt,
                    end: AttemptEnd::Cancelled,
                    took: Millis(self.rng.below(LONGEST)),
                };
                // The natural end is still on its way: one of the two comes first.
                self.later(event);
            }
            Command::RunGate { gate, attempt } => {
                let by = Caller::Gate {
                    gate: *gate,
                    attempt: *attempt,
                };
                if self.recorded(by) {
                    self.start_guest(by);
                    return;
                }
                let event = Event::GateEnded {
                    gate: *gate,
                    attempt: *attempt,
                    end: self.gate_end(),
                    took: Millis(self.rng.below(LONGEST)),
                };
                self.later(event);
                self.first_call(by);
            }
            Command::CancelGate { gate, attempt } => {
                let event = Event::GateEnded {
                    gate: *gate,
                    attempt: *attempt,
                    end: GateEnd::Cancelled,
                    took: Millis(self.rng.below(LONGEST)),
                };
                self.later(event);
            }
            Command::ArmTimer { timer, at } => {
                self.at(*at, Event::TimerFired { timer: *timer });
            }
            Command::AbandonPlan => {
                self.guests.remove(&Caller::Planner);
            }
            Command::Ask { about } => {
                let event = match about {
                    About::Task { task } if self.rng.permille(20) => Event::TaskEvaluated {
                        task: *task,
                        evaluated: Evaluated::Failed {
                            message: "no such input".to_owned(),
                        },
                    },
                    about => Event::Asked {
                        ask: Ask {
                            about: about.clone(),
                            what: about.word().to_owned(),
                            digest: Digest::of(format!("{about:?}").as_bytes()),
                        },
                    },
                };
                self.later(event);
            }
            Command::StartWait { task } => {
                let event = self.wait_started(*task);
                self.later(event);
            }
            Command::Finish => {
                let left = std::mem::take(&mut self.pending);
                // Timers are dropped; answers may still arrive.
                let late = left.into_values().filter_map(|due| match due {
                    Due::Event(Event::TimerFired { .. }) | Due::Turn(_) | Due::Visit(_) => None,
                    Due::Event(event) => Some(event),
                });
                self.stale.extend(late);
                self.guests.clear();
            }
        }
    }

    /// What a planner answers.
    pub(super) fn planned(&mut self) -> Event {
        if self.rng.permille(self.script.planner) {
            return Event::PlannerFailed {
                planner: self
                    .run
                    .planners()
                    .get(self.run.planner_failures().len())
                    .cloned(),
                message: "no idea".to_owned(),
            };
        }
        self.frozen()
    }

    /// The plan, or the next one when one was rejected.
    pub(super) fn frozen(&self) -> Event {
        let mut plan = Plan::clone(&self.plan);
        if let Some(feedback) = self.run.feedback().last() {
            plan.revision = feedback.revision + 1;
            plan.concurrency = 1 + plan.revision % 4;
        }
        let plan = Arc::new(plan);
        Event::PlanFrozen {
            digest: digest(&plan),
            plan,
        }
    }

    pub(super) fn later(&mut self, event: Event) {
        let at = self.now.after(Millis(self.rng.below(LONGEST)));
        self.at(at, event);
    }

    fn at(&mut self, at: Moment, event: Event) {
        self.due(at, Due::Event(event));
    }

    pub(super) fn due(&mut self, at: Moment, due: Due) {
        self.serial += 1;
        self.pending.insert((at.max(self.now), self.serial), due);
    }

    pub(super) fn evaluated(&mut self, ix: TaskIx) -> Evaluated {
        let planned = self.plan.task(ix);
        let when = planned.is_some_and(|task| task.when.is_some());
        let for_each = planned.is_some_and(|task| task.for_each.is_some());
        match self.rng.below(20) {
            0 => Evaluated::Failed {
                message: "no such field".to_owned(),
            },
            1..5 if when => Evaluated::Skip,
            _ if for_each => Evaluated::Each {
                items: (0..self.rng.below(5))
                    .map(|n| Payload::Inline(json!(n)))
                    .collect(),
            },
            _ => Evaluated::Once,
        }
    }

    pub(super) fn end(&mut self, ix: TaskIx) -> AttemptEnd {
        if self.rng.permille(self.script.failure) {
            let classes = [
                FailureClass::Plugin,
                FailureClass::Trap,
                FailureClass::Timeout,
                FailureClass::Limit,
                FailureClass::Refused,
            ];
            let class = self
                .rng
                .pick(&classes)
                .copied()
                .unwrap_or(FailureClass::Plugin);
            let final_class = !class.retryable() && !self.rng.permille(self.script.permanent);
            return match self.rng.below(20) {
                0 => AttemptEnd::Cancelled,
                1 => AttemptEnd::Interrupted,
                _ => AttemptEnd::Failed {
                    class: if final_class {
                        FailureClass::Plugin
                    } else {
                        class
                    },
                    message: "it broke".to_owned(),
                    permanent: self.rng.permille(self.script.permanent),
                },
            };
        }
        let parent = self.run.task(ix).and_then(|view| view.parent).unwrap_or(ix);
        let produces = self
            .plan
            .task(parent)
            .map(|task| task.produces.clone())
            .unwrap_or_default();
        let incomplete = self.rng.permille(self.script.incomplete);
        let artifacts = produces
            .into_iter()
            .filter(|_| !incomplete)
            .map(|name| Artifact {
                name,
                digest: Digest::of(b"bytes"),
                size: 5,
                media_type: "text/plain".to_owned(),
            });
        let stored = Payload::Stored {
            digest: Digest::of(b"large"),
            size: 100_000,
        };
        AttemptEnd::Output(TaskOutput {
            output: if self.rng.below(4) == 0 {
                stored
            } else {
                Payload::Inline(json!({ "task": ix.0 }))
            },
            artifacts: artifacts.collect(),
            charges: self.charges(ix),
        })
    }

    pub(super) fn gate_end(&mut self) -> GateEnd {
        let check = |verdict| Check {
            name: "check".to_owned(),
            verdict,
            message: String::new(),
            duration: None,
        };
        let pass = check(Verdict::Pass);
        if !self.rng.permille(self.script.gate) {
            return GateEnd::Checks { checks: vec![pass] };
        }
        match self.rng.below(7) {
            0 => GateEnd::Checks { checks: Vec::new() },
            1 => GateEnd::Inconclusive {
                message: "trap".to_owned(),
            },
            2 => GateEnd::Interrupted,
            3 => GateEnd::Cancelled,
            n => {
                let verdicts = [Verdict::Fail, Verdict::Inconclusive, Verdict::NeedsHuman];
                let verdict = verdicts.get(usize::try_from(n).unwrap_or(0) % 3).copied();
                GateEnd::Checks {
                    checks: vec![pass, check(verdict.unwrap_or(Verdict::Fail))],
                }
            }
        }
    }
}

/// What names a plan.
pub(super) fn digest(plan: &Plan) -> Digest {
    plan.digest().unwrap_or_else(|_| Digest::of(b"plan"))
}
