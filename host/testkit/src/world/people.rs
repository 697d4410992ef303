//! What comes from outside: people with their whims, people who are asked, and events that make no sense.

use super::{World, act::digest};
use crate::{Violation, invariant::broken};
use sandgate_engine::{Evaluated, Event, RunState, Timer, Wait};
use sandgate_model::{
    About, Ask, AskNo, AttemptNo, CallEnd, Caller, Decision, Digest, GateIx, Millis, NeedKind,
    Plan, TaskIx,
};
use std::sync::Arc;

const NAME: &str = "ends-or-waits";

impl World {
    /// Something a person may want at any moment.
    pub(super) fn whim(&mut self) -> Event {
        if self.rng.permille(self.script.cancel) {
            return Event::CancelRequested {
                reason: "changed my mind".to_owned(),
                by: None,
            };
        }
        match self.rng.below(14) {
            8 | 9 => Event::TaskPaused {
                task: self.some_task(),
                by: self.anybody(),
            },
            10 => Event::TaskResumed {
                task: self.some_task(),
                by: self.anybody(),
            },
            11 => Event::TaskCancelRequested {
                task: self.some_task(),
                by: self.anybody(),
                reason: "not needed".to_owned(),
            },
            12 => self.revocation(),
            13 => self.edit(),
            0..3 => Event::Paused { by: None },
            3..6 => Event::Resumed { by: None },
            6 => self.retry(),
            _ => Event::DispatchRequested,
        }
    }

    /// What a person may want of a run that has ended.
    pub(super) fn encore(&mut self) -> Event {
        if self.rng.below(4) == 0 {
            Event::VerifyRequested
        } else {
            self.retry()
        }
    }

    /// Somebody edits the plan that waits for review; sometimes another one than there is, or against the rules.
    fn edit(&mut self) -> Event {
        let was = self.run.digest().unwrap_or_else(|| Digest::of(b"none"));
        let mut plan = Plan::clone(&self.plan);
        plan.revision += 1 + self.rng.below32(2) * self.rng.below32(2);
        plan.concurrency = 1 + self.rng.below32(5);
        if self.rng.below(8) == 0 {
            plan.review = !plan.review;
        }
        if self.rng.below(3) == 0 && plan.tasks.len() < 60 {
            let more = crate::TaskBuilder::new(&format!("more-{}", plan.revision));
            plan.tasks.push(more.build());
        }
        Event::PlanModified {
            was: match self.rng.below(6) {
                0 => Digest::of(b"older"),
                _ => was,
            },
            digest: digest(&plan),
            plan: Arc::new(plan),
            by: self.anybody(),
            reason: String::new(),
        }
    }

    fn retry(&mut self) -> Event {
        let tasks = (0..self.rng.below(3)).map(|_| self.some_task()).collect();
        Event::RetryRequested { tasks, by: None }
    }

    fn some_task(&mut self) -> TaskIx {
        let known = u32::try_from(self.observer.tasks.len()).unwrap_or(0);
        TaskIx(self.rng.below32(known + 1))
    }

    /// Nothing is under way: somebody is needed. Says whether somebody came.
    pub(super) fn ask_people(&mut self) -> Result<bool, Violation> {
        if self.rng.below(8) == 0 {
            return Ok(false);
        }
        if self.run.state() == RunState::PlanReview && self.rng.below(3) == 0 {
            let edit = self.edit();
            if self.offer(edit)? {
                return Ok(true);
            }
        }
        // What waits for people waits for people, whatever else it waits for.
        if self.rng.below(4) != 0 {
            match self.help()? {
                Some(true) => return Ok(true),
                Some(false) if self.lie.is_none() => {
                    let refused = broken(NAME, "somebody may decide, and is refused");
                    return self.observer.report(refused).map(|()| false);
                }
                _ => {}
            }
        }
        let event = match self.asked() {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(false),
            Err(violation) => return self.observer.report(Err(violation)).map(|()| false),
        };
        let taken = self.offer(event.clone())?;
        if !taken {
            let refused = broken(NAME, format!("it waits for {event:?} and refuses it"));
            self.observer.report(refused)?;
        }
        Ok(taken)
    }

    /// What somebody does who is needed; `None`: nobody comes.
    fn asked(&mut self) -> Result<Option<Event>, Violation> {
        let none = |what: &str| broken(NAME, what).map(|()| None);
        if !self.run.idle() {
            return none("it is not idle, and nothing will ever happen");
        }
        let waits = self.run.waits();
        let wait = self.rng.pick(&waits).cloned();
        Ok(Some(match wait {
            None => return none("it is idle, and it waits for nothing"),
            Some(Wait::Resume) => Event::Resumed { by: None },
            Some(Wait::Dispatch) => Event::DispatchRequested,
            Some(Wait::Verify) => Event::VerifyRequested,
            Some(Wait::Decision { task }) => Event::RetryRequested {
                tasks: self.run.find(&task).into_iter().collect(),
                by: None,
            },
            Some(Wait::Retry { .. } | Wait::Signal { until: Some(_), .. }) => {
                return none("it waits for a timer that is not armed");
            }
            Some(Wait::ResumeTask { task }) => Event::TaskResumed {
                task: self.run.find(&task).unwrap_or(TaskIx(0)),
                by: self.anybody(),
            },
            Some(Wait::Signal { until: None, .. }) if self.rng.below(4) != 0 => {
                match self.fitting() {
                    Some(event) => event,
                    None => return none("it waits for a signal and has not said for which"),
                }
            }
            Some(_) if self.rng.below(2) == 0 => return Ok(None),
            Some(_) => Event::CancelRequested {
                reason: "nobody came".to_owned(),
                by: None,
            },
        }))
    }

    /// An event that is late, repeated, or makes no sense. It may be possible all the same, by chance.
    pub(super) fn nonsense(&mut self) -> Event {
        if self.rng.below(2) == 0
            && let Some(event) = self.rng.clone().pick(&self.stale).cloned()
        {
            self.rng.any();
            return event;
        }
        let task = self.some_task();
        let gate = GateIx(self.rng.below32(4));
        let current = self.observer.fact(task).map_or(0, |fact| fact.attempt);
        let attempt =
            AttemptNo((current + self.rng.below32(3)).saturating_sub(self.rng.below32(2)));
        let took = Millis(1);
        let by = match self.rng.below(3) {
            0 => Caller::Planner,
            1 => Caller::Task { task, attempt },
            _ => Caller::Gate { gate, attempt },
        };
        let call = self.rng.below32(4);
        let no = AskNo(self.rng.below32(6));
        let digest = match self.run.ask(no) {
            Some(view) => view.ask.digest,
            None => Digest::of(b"nothing"),
        };
        let ask = Ask {
            about: match self.rng.below(4) {
                0 => About::Task { task },
                1 => About::Result { task },
                2 => About::Plan { revision: 1 },
                _ => About::Call {
                    by,
                    kind: NeedKind::Exec,
                },
            },
            what: "late".to_owned(),
            digest,
        };
        match self.rng.below(25) {
            16 => Event::Asked { ask },
            17 => Event::Suspended {
                by,
                ask,
                tape: Digest::of(b"no tape"),
                took,
            },
            18 => Event::AttemptResumed { task, attempt },
            19 => Event::GateResumed { gate, attempt },
            20 => Event::Decided {
                ask: no,
                digest,
                decision: Decision::YES,
                by: self.anybody(),
                reason: String::new(),
            },
            21 => Event::Answered {
                ask: no,
                answer: "this".to_owned(),
                by: self.anybody(),
            },
            22 => self.delivery(task, true),
            23 => self.wait_started(task),
            24 => Event::TimerFired {
                timer: Timer::Ask(no),
            },
            13 => Event::CallStarted {
                by,
                call,
                request: self.request(by),
            },
            14 => Event::CallEnded {
                by,
                call,
                end: CallEnd::Interrupted,
                took,
                tape: None,
            },
            15 => Event::CallRefused {
                by,
                request: self.request(by),
                reason: "no".to_owned(),
            },
            0 => Event::PlanningStarted,
            1 => self.frozen(),
            2 => Event::PlannerFailed {
                planner: None,
                message: "late".to_owned(),
            },
            3 => Event::AttemptStarted { task, attempt },
            4 => Event::AttemptEnded {
                task,
                attempt,
                end: self.end(task),
                took,
            },
            5 => Event::GateStarted { gate, attempt },
            6 => Event::GateEnded {
                gate,
                attempt,
                end: self.gate_end(),
                took,
            },
            7 => Event::TaskEvaluated {
                task,
                evaluated: if self.rng.below(2) == 0 {
                    Evaluated::Skip
                } else {
                    self.evaluated(task)
                },
            },
            8 => Event::TimerFired {
                timer: match self.rng.below(3) {
                    0 => Timer::Run,
                    1 => Timer::Wait(task),
                    _ => Timer::Retry(task),
                },
            },
            9 => Event::VerifyRequested,
            10 => self.retry(),
            11 if self.run.state() != RunState::Draft => Event::DispatchRequested,
            _ => self
                .journal
                .first()
                .map_or(Event::Resumed { by: None }, |(_, event)| event.clone()),
        }
    }
}
