//! What people want, in the loop: looked at against the state of the run, recorded, answered when it is durable. A run
//! that this process does not drive is taken in as it is, only to be recorded in. Must not decide: the engine judges.

use crate::{
    control::{Done, Wanted, Wish, WishError},
    decided::{Decided, Told},
    drive::{Active, Loop},
    errors::DriveError,
    reader::LookError,
    record::ReplayError,
    signals::project_stream,
    work::Prepared,
};
use sandgate_engine::{Allowance, AskState, Command, Event, Judged, Run, RunState, Timer};
use sandgate_model::{Actor, AskNo, Decision, Digest, Moment, RunId, TaskIx};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

pub(crate) type Reply = oneshot::Sender<Result<Done, WishError>>;

/// What a wish comes to when its records are durable, or why there are none.
type Granted = Result<Done, WishError>;

impl Loop {
    /// Takes a wish in. The runs that it moved are added to `touched`.
    pub(crate) fn grant(
        &mut self,
        prepared: Prepared,
        now: Moment,
        reply: Reply,
        touched: &mut BTreeSet<RunId>,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        let about = match &prepared {
            Prepared::Plain(wanted) => wanted.wish.run(),
            Prepared::Modify { run, .. } => Some(*run),
            Prepared::Create { .. } | Prepared::Signal(_) => None,
        };
        if let Some(run) = about {
            self.ring(run, now, decided)?;
        }
        let granted = match prepared {
            Prepared::Signal(signal) => self.on_signal(signal, now, touched, decided)?,
            Prepared::Create { run, first } => self.on_create(run, first, now, decided)?,
            Prepared::Modify {
                run,
                event,
                digest,
                revision,
            } => self
                .one(run, event, now, decided)?
                .map(|_| Done::Modified { digest, revision }),
            Prepared::Plain(Wanted { by, wish }) => self.on_plain(by, wish, now, decided)?,
        };
        match granted {
            // Told when whatever was recorded is durable; with nothing recorded that is at once.
            Ok(done) => decided.told.push(Told::Wish(reply, done)),
            // Whoever asked may be gone.
            Err(error) => drop(reply.send(Err(error))),
        }
        Ok(())
    }

    fn on_create(
        &mut self,
        id: RunId,
        first: Event,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        if id == project_stream() {
            let state = RunState::Draft;
            let why = "a run has an id of its own, and this one is the project's".to_owned();
            return Ok(Err(WishError::Illegal { state, why }));
        }
        match self.at_hand(id) {
            // Asked for twice, it is started once.
            Ok(_) => return Ok(Ok(self.recorded(id))),
            Err(WishError::NoRun { .. }) => {}
            Err(error) => return Ok(Err(error)),
        }
        let first = match self.within_budget(first) {
            Ok(first) => first,
            Err(error) => return Ok(Err(error)),
        };
        match Run::create(id, now, &first) {
            Ok((run, commands)) => {
                self.runs.insert(id, Active::new(run, self.offline));
                decided
                    .push(id, now, first, commands)
                    .map_err(DriveError::Encode)?;
            }
            Err(illegal) => {
                return Ok(Err(WishError::Illegal {
                    state: illegal.state,
                    why: illegal.why,
                }));
            }
        }
        self.one(id, Event::PlanningStarted, now, decided)
    }

    fn on_plain(
        &mut self,
        by: Actor,
        wish: Wish,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        let by_some = Some(by.clone());
        Ok(match wish {
            Wish::Ping | Wish::Signal { .. } | Wish::Submit { .. } | Wish::Modify { .. } => {
                Ok(Done::Here {
                    pid: std::process::id(),
                })
            }
            Wish::Decide {
                run,
                asks,
                decision,
                reason,
            } => self.on_decide(run, &asks, decision, &by, &reason, now, decided)?,
            Wish::Answer { run, ask, answer } => {
                self.on_answer(run, ask, answer, by, now, decided)?
            }
            Wish::Revoke { run, ask, reason } => {
                let event = Event::Revoked { ask, by, reason };
                self.one(run, event, now, decided)?
            }
            Wish::Pause { run, tasks } if tasks.is_empty() => {
                self.taken_over(run, Event::Paused { by: by_some }, now, decided)?
            }
            Wish::Pause { run, tasks } => {
                let event = |task| Event::TaskPaused {
                    task,
                    by: by.clone(),
                };
                self.each(run, &tasks, event, now, decided)?
            }
            Wish::Resume { run, tasks } if tasks.is_empty() => {
                self.on_resume(run, by, now, decided)?
            }
            Wish::Resume { run, tasks } => {
                let event = |task| Event::TaskResumed {
                    task,
                    by: by.clone(),
                };
                self.each(run, &tasks, event, now, decided)?
            }
            Wish::Cancel { run, tasks, reason } if tasks.is_empty() => {
                let event = Event::CancelRequested {
                    reason,
                    by: by_some,
                };
                self.taken_over(run, event, now, decided)?
            }
            Wish::Cancel { run, tasks, reason } => {
                let event = |task| Event::TaskCancelRequested {
                    task,
                    by: by.clone(),
                    reason: reason.clone(),
                };
                self.each(run, &tasks, event, now, decided)?
            }
            Wish::Retry { run, tasks } => {
                let event = Event::RetryRequested { tasks, by: by_some };
                self.driven(run, event, now, decided)?
            }
            Wish::Dispatch { run } => self.driven(run, Event::DispatchRequested, now, decided)?,
            Wish::Verify { run } => self.driven(run, Event::VerifyRequested, now, decided)?,
        })
    }

    /// What is over by now is over before anything else happens to the run, also in a project that nobody drove when
    /// it ended: requests, waits, the run itself.
    pub(crate) fn ring(
        &mut self,
        id: RunId,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        let Ok(active) = self.at_hand(id) else {
            return Ok(());
        };
        // The timers of a run that is driven here are armed, and went off.
        if !active.passive || active.run.state().ended() {
            return Ok(());
        }
        // Whoever takes a run over is told every timer; here only what is due goes off.
        let commands = active.run.clone().step(now, &Event::HostStarted);
        let due = commands
            .unwrap_or_default()
            .into_iter()
            .filter_map(|c| match c {
                Command::ArmTimer { timer, at } if at <= now => Some(timer),
                _ => None,
            });
        for timer in due.collect::<Vec<_>>() {
            if matches!(timer, Timer::Ask(_) | Timer::Wait(_) | Timer::Run) {
                let _late = self.step(id, now, Event::TimerFired { timer }, decided)?;
            }
        }
        Ok(())
    }

    /// A run in which something was decided goes on here, when this process drives the project and nobody drives the run.
    pub(crate) fn goes_on(
        &mut self,
        id: RunId,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<(), DriveError> {
        if !self.offline {
            // One that cannot be taken over stays as it is: what was decided is on record.
            let _taken = self.take_over(id, now, decided)?;
        }
        Ok(())
    }

    /// All of the decisions or none.
    #[expect(clippy::too_many_arguments, reason = "the parts of one wish")]
    fn on_decide(
        &mut self,
        id: RunId,
        asks: &[(AskNo, Digest)],
        decision: Decision,
        by: &Actor,
        reason: &str,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        let run = match self.at_hand(id) {
            Ok(active) => &active.run,
            Err(error) => return Ok(Err(error)),
        };
        let mut each = Vec::with_capacity(asks.len());
        for (ask, digest) in asks {
            match run.judge(*ask, *digest, decision, by) {
                Ok(judged) => each.push((*ask, judged)),
                Err(refusal) => {
                    return Ok(Err(WishError::Decision { ask: *ask, refusal }));
                }
            }
        }
        for ((ask, digest), (_, judged)) in asks.iter().zip(&mut each) {
            if !matches!(judged, Judged::New { .. }) {
                continue;
            }
            let event = Event::Decided {
                ask: *ask,
                digest: *digest,
                decision,
                by: by.clone(),
                reason: reason.to_owned(),
            };
            // A no to one may be the end of what the next one was about: then there is nothing to decide any more.
            if self.step(id, now, event, decided)?.is_err() {
                *judged = Judged::New {
                    ends: Some(AskState::Withdrawn),
                };
            }
        }
        self.goes_on(id, now, decided)?;
        Ok(Ok(Done::Decided { each }))
    }

    fn on_answer(
        &mut self,
        id: RunId,
        ask: AskNo,
        answer: String,
        by: Actor,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        let judged = match self.at_hand(id) {
            Ok(active) => active.run.judge_answer(ask, &answer, &by),
            Err(error) => return Ok(Err(error)),
        };
        let judged = match judged {
            Ok(judged) => judged,
            Err(refusal) => return Ok(Err(WishError::Decision { ask, refusal })),
        };
        if let Judged::New { .. } = judged {
            let event = Event::Answered { ask, answer, by };
            if let Err(error) = self.one(id, event, now, decided)? {
                return Ok(Err(error));
            }
            self.goes_on(id, now, decided)?;
        }
        let each = vec![(ask, judged)];
        Ok(Ok(Done::Decided { each }))
    }

    /// The end of a pause, and the run is driven from here on.
    fn on_resume(
        &mut self,
        id: RunId,
        by: Actor,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        if let Err(error) = self.take_over(id, now, decided)? {
            return Ok(Err(error));
        }
        let paused = self.runs.get(&id).is_some_and(|a| a.run.paused());
        if paused {
            return self.one(id, Event::Resumed { by: Some(by) }, now, decided);
        }
        Ok(Ok(self.recorded(id)))
    }

    /// Something that makes the run go on: it is driven from here on.
    fn driven(
        &mut self,
        id: RunId,
        event: Event,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        self.taken_over(id, event, now, decided)
    }

    /// An event for a run that nobody else drives: what ran in a process that is gone is ended first.
    fn taken_over(
        &mut self,
        id: RunId,
        event: Event,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        if let Err(error) = self.take_over(id, now, decided)? {
            return Ok(Err(error));
        }
        self.one(id, event, now, decided)
    }

    /// Makes this process the one that drives the run.
    fn take_over(
        &mut self,
        id: RunId,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Result<(), WishError>, DriveError> {
        let offline = self.offline;
        let active = match self.at_hand(id) {
            Ok(active) => active,
            Err(error) => return Ok(Err(error)),
        };
        if !active.passive || active.taken {
            return Ok(Ok(()));
        }
        active.passive = offline;
        active.taken = true;
        let event = match active.run.state() {
            state if state.ended() => return Ok(Ok(())),
            RunState::Draft => Event::PlanningStarted,
            _ => Event::HostStarted,
        };
        Ok(self.one(id, event, now, decided)?.map(|_| ()))
    }

    /// One event for each task, in order. A task that does not take it ends this with the reason; what was recorded for
    /// those before it stays.
    fn each(
        &mut self,
        id: RunId,
        tasks: &[TaskIx],
        event: impl Fn(TaskIx) -> Event,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        if let Err(error) = self.take_over(id, now, decided)? {
            return Ok(Err(error));
        }
        for &task in tasks {
            if let Err(error) = self.one(id, event(task), now, decided)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(self.recorded(id)))
    }

    /// One event.
    pub(crate) fn one(
        &mut self,
        id: RunId,
        event: Event,
        now: Moment,
        decided: &mut Decided,
    ) -> Result<Granted, DriveError> {
        if let Err(error) = self.at_hand(id) {
            return Ok(Err(error));
        }
        match self.step(id, now, event, decided)? {
            Ok(()) => Ok(Ok(self.recorded(id))),
            Err(why) => {
                let state = self
                    .runs
                    .get(&id)
                    .map_or(RunState::Draft, |a| a.run.state());
                Ok(Err(WishError::Illegal { state, why }))
            }
        }
    }

    /// The first event of a run with what the project's budget has left at this moment: two that were prepared side by
    /// side do not get the same money.
    pub(crate) fn within_budget(&self, first: Event) -> Result<Event, WishError> {
        let Some(limit) = self.project.file().budget_micros else {
            return Ok(first);
        };
        let rows = self.reader.runs();
        let rows = rows.map_err(|error| WishError::host(crate::chain(&error)))?;
        let known: BTreeSet<RunId> = rows.iter().map(|row| row.run).collect();
        let fresh = self.runs.values().filter(|a| !known.contains(&a.run.id()));
        let held = rows
            .iter()
            .map(|row| row.held_micros)
            .chain(fresh.map(|a| crate::row(&a.run).held_micros))
            .fold(0_u64, u64::saturating_add);
        let left = Allowance {
            micros: Some(limit.saturating_sub(held)),
            tokens: None,
        };
        Ok(match first {
            Event::RunCreated {
                workflow,
                file,
                source,
                goal,
                inputs,
                steps,
                planners,
                budget,
                rules,
                by,
            } => Event::RunCreated {
                budget: budget.min(left),
                workflow,
                file,
                source,
                goal,
                inputs,
                steps,
                planners,
                rules,
                by,
            },
            other => other,
        })
    }

    fn recorded(&self, id: RunId) -> Done {
        let state = self
            .runs
            .get(&id)
            .map_or(RunState::Draft, |a| a.run.state());
        Done::Recorded { state }
    }

    /// A run, read from the journal when it is not at hand. One that was only read is not driven here.
    pub(crate) fn at_hand(&mut self, id: RunId) -> Result<&mut Active, WishError> {
        if !self.runs.contains_key(&id) {
            let run = match self.reader.run(id) {
                Ok(run) => run,
                Err(LookError::Replay(ReplayError::Missing(run))) => {
                    return Err(WishError::NoRun { run });
                }
                Err(error) => return Err(WishError::host(crate::chain(&error))),
            };
            self.runs.insert(id, Active::new(run, true));
        }
        self.runs.get_mut(&id).ok_or(WishError::NoRun { run: id })
    }
}
