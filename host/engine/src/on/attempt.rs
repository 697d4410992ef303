//! Attempts start and end. What the end of one means for others is in `flow`.

use crate::{
    Allowance, Command, Run, RunState, Stop, Timer,
    backoff::backoff,
    budget::{Fit, money},
    illegal::{Handled, Why},
    on::suspend::Return,
    task::{Cause, Phase},
};
use sandgate_model::{
    AttemptEnd, AttemptNo, Caller, Charge, FailureClass, Millis, Moment, TaskIx, TaskOutput,
};

impl Run {
    pub(crate) fn on_attempt_started(
        &mut self,
        at: Moment,
        ix: TaskIx,
        attempt: AttemptNo,
        out: &mut Vec<Command>,
    ) -> Handled {
        let cap = self.may_start(ix, attempt, false)?;
        let recorded = self.planned(ix).is_some_and(|task| task.grants.may_wait());
        let task = &mut self.tasks[ix];
        task.attempt = attempt.0;
        task.started = Some(at);
        task.took = None;
        task.failure = None;
        self.enter(ix, at, Phase::Running);
        let by = Caller::Task { task: ix, attempt };
        self.reserve(by, cap);
        if recorded {
            self.record(by);
        }
        out.push(Command::RunAttempt { task: ix, attempt });
        Ok(())
    }

    /// What it reserves, if it may start and has to.
    pub(crate) fn may_start(
        &self,
        ix: TaskIx,
        attempt: AttemptNo,
        resumes: bool,
    ) -> Result<Option<Allowance>, Why> {
        if self.state != RunState::Running {
            return Err("tasks start only while the run is running".into());
        }
        if self.stop.is_some() {
            return Err("the run is stopping, nothing new starts".into());
        }
        if self.paused.is_some() {
            return Err("the run is paused, nothing new starts".into());
        }
        let task = self.tasks.row(ix).ok_or_else(|| no_task(ix))?;
        if task.phase == Phase::Paused {
            return Err(format!("task `{}` is paused", self.name(ix)).into());
        }
        if task.phase != Phase::Ready {
            let state = task.phase.state().as_str();
            return Err(format!("task `{}` is {state}, not ready", self.name(ix)).into());
        }
        let name = || format!("task `{}`", self.name(ix));
        Self::is_next(attempt, task.attempt, (task.restores(), resumes), &name)?;
        if let Some(holder) = self.schedule.holder(self.graph.session(task.plan)) {
            return Err(format!(
                "task `{}` runs in the session of task `{}`",
                self.name(holder),
                self.name(ix)
            )
            .into());
        }
        if !self.slot_free() {
            return Err("every slot is taken".into());
        }
        match self.fit(ix) {
            Fit::Free => Ok(None),
            Fit::Now(cap) => Ok(Some(cap)),
            Fit::Later | Fit::Never(_) => {
                let name = self.name(ix);
                Err(format!("the budget does not cover task `{name}` now").into())
            }
        }
    }

    pub(crate) fn on_attempt_ended(
        &mut self,
        at: Moment,
        (ix, attempt): (TaskIx, AttemptNo),
        end: &AttemptEnd,
        took: Millis,
        out: &mut Vec<Command>,
    ) -> Handled {
        let task = self.tasks.row(ix).ok_or_else(|| no_task(ix))?;
        if task.phase != Phase::Running {
            let state = task.phase.state().as_str();
            return Err(
                format!("task `{}` is {state}, no attempt of it runs", self.name(ix)).into(),
            );
        }
        if task.attempt != attempt.0 {
            let (name, runs) = (self.name(ix), task.attempt);
            return Err(format!(
                "attempt {runs} of task `{name}` runs, not attempt {}",
                attempt.0
            )
            .into());
        }

        // Parts of it before it was suspended count, too.
        let before = self.tasks[ix].took.unwrap_or(Millis(0));
        self.tasks[ix].took = Some(Millis(before.0.saturating_add(took.0)));
        let by = Caller::Task { task: ix, attempt };
        let back = self.return_of(by);
        let charges = match end {
            AttemptEnd::Output(output) => &output.charges[..],
            _ => &[],
        };
        let unasked = self.unasked(ix, charges);
        let charges = if unasked.is_some() { &[] } else { charges };
        let over = self.close_account(by, charges);
        if !matches!(end, AttemptEnd::Interrupted) {
            self.drop_record(by);
        }
        match end {
            AttemptEnd::Interrupted => self.interrupted(ix, at, back, out),
            // Stopping wins against every end: the result is not used. Only an end that nobody knows stays one.
            _ if self.stop.is_some() => self.close(ix, at, Phase::Cancelled),
            _ if self.tasks[ix].cancel().is_some() => self.cancelled_for_good(ix, at, out),
            AttemptEnd::Output(_) if let Some(why) = &unasked => {
                let cause = Cause::new(FailureClass::Refused, why);
                self.on_failed(ix, at, cause, false, out);
            }
            AttemptEnd::Output(output) => match over {
                Ok(_) => self.on_output(ix, at, output, out),
                Err(why) => {
                    let cause = Cause::new(FailureClass::Refused, &why).by_budget(true);
                    self.on_failed(ix, at, cause, false, out);
                }
            },
            AttemptEnd::Failed {
                class,
                message,
                permanent,
            } => {
                let again = class.retryable() && !permanent;
                let cause = Cause::new(*class, message).by_budget(over.unwrap_or(true));
                self.on_failed(ix, at, cause, again, out);
            }
            AttemptEnd::Cancelled => {
                let message = "the attempt was taken down although nobody asked for it";
                self.on_failed(ix, at, Cause::new(FailureClass::Host, message), true, out);
            }
        }
        self.settle(at, out);
        Ok(())
    }

    /// Why a report of charges does not count: each one has to be approved before, and nobody was asked about these.
    fn unasked(&self, ix: TaskIx, charges: &[Charge]) -> Option<String> {
        let grants = &self.planned(ix)?.grants;
        let charge = charges.iter().find(|charge| charge.micros > 0)?;
        (grants.budget && grants.budget_approval).then(|| {
            format!(
                "it reports a cost of {} for {:?}, which it may not charge by itself: each charge of this task has to be \
                 approved before, through the interface `budget`",
                money(charge.micros),
                charge.what
            )
        })
    }

    fn on_output(&mut self, ix: TaskIx, at: Moment, output: &TaskOutput, out: &mut Vec<Command>) {
        let produces = self.planned(ix).map_or(&[][..], |task| &task.produces);
        let missing = produces.iter().find(|name| {
            !output
                .artifacts
                .iter()
                .any(|artifact| artifact.name == **name)
        });
        if let Some(name) = missing {
            let message = format!("the artifact `{name}`, named in `produces`, was not made");
            let cause = Cause::new(FailureClass::BadAnswer, &message);
            self.on_failed(ix, at, cause, true, out);
            return;
        }
        self.tasks[ix].output = Some(Box::new(output.clone()));
        if self.planned(ix).is_some_and(|task| task.approval_after) {
            self.enter(ix, at, Phase::Held);
        } else {
            self.succeed(ix, at, out);
        }
    }

    fn on_failed(
        &mut self,
        ix: TaskIx,
        at: Moment,
        cause: Cause<'_>,
        again: bool,
        out: &mut Vec<Command>,
    ) {
        self.tasks[ix].spent += 1;
        let (spent, attempt) = (self.tasks[ix].spent, self.tasks[ix].attempt);
        let retry = self.planned(ix).map(|task| task.retry);
        match retry {
            Some(retry) if again && spent < retry.attempts => {
                self.tasks[ix].fail(cause);
                let wait = backoff(self.id, ix, AttemptNo(attempt), spent, retry);
                if wait == Millis(0) {
                    self.enter(ix, at, Phase::Ready);
                    return;
                }
                let until = at.after(wait);
                self.enter(ix, at, Phase::Backoff { until });
                out.push(Command::ArmTimer {
                    timer: Timer::Retry(ix),
                    at: until,
                });
            }
            _ => self.fail_for_good(ix, at, cause, out),
        }
    }

    /// The end of an attempt is unknown. It runs again when that can do no harm; otherwise a person decides.
    pub(crate) fn interrupted(
        &mut self,
        ix: TaskIx,
        at: Moment,
        back: Return,
        out: &mut Vec<Command>,
    ) {
        let attempt = AttemptNo(self.tasks[ix].attempt);
        self.note_ahead(Caller::Task { task: ix, attempt }, back);
        let may = |exact: bool| {
            self.planned(ix).is_some_and(|task| {
                // The host itself merges what an attempt changed, when that has ended.
                let exact = exact && !task.grants.merge;
                exact || task.repeatable || !task.grants.outside_effect()
            })
        };
        let harmless = match back {
            // Not even what may be repeated: what was approved was approved for one time.
            Return::Unknown => false,
            Return::Exact => may(true),
            Return::Resume | Return::Anew => may(false),
        };
        match (harmless, &self.stop) {
            (true, None) if self.tasks[ix].cancel().is_some() => {
                self.cancelled_for_good(ix, at, out);
            }
            (true, None) => self.enter(ix, at, Phase::Ready),
            (true, Some(_)) => self.close(ix, at, Phase::Cancelled),
            (false, _) => self.enter(ix, at, Phase::Lost),
        }
    }

    /// Ends a task of a stopping run.
    fn close(&mut self, ix: TaskIx, at: Moment, phase: Phase) {
        debug_assert!(matches!(
            self.stop,
            Some(Stop::Cancel { .. } | Stop::Failure { .. } | Stop::Timeout)
        ));
        self.enter(ix, at, phase);
    }
}

pub(crate) fn no_task(ix: TaskIx) -> Why {
    format!("there is no task #{}", ix.0).into()
}
