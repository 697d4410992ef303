//! What people may want of one task: hold it back, give it back, stop it for good. Cancelling wins every race: whatever
//! a running attempt reports afterwards, its result is not used. The rest of the run goes on; a task that somebody
//! cancelled stops no run, not even with `on_failure = "stop"`.

use crate::{
    Blocked, Command, Reason, Run,
    illegal::{Handled, Why},
    on::attempt::no_task,
    reason::OPERATOR,
    task::{Cancelled, Phase, Skip},
};
use sandgate_model::{Actor, AttemptNo, Moment, TaskIx};

impl Run {
    /// Whether somebody paused this task, or the one that it is an instance of.
    #[must_use]
    pub fn task_paused(&self, ix: TaskIx) -> bool {
        self.pauser(ix).is_some()
    }

    pub(crate) fn on_task_paused(&mut self, at: Moment, ix: TaskIx) -> Handled {
        self.may_steer(ix)?;
        if let Some(paused) = self.pauser(ix) {
            return Err(format!("task `{}` is paused already", self.name(paused)).into());
        }
        self.tasks[ix].steer().paused = Some(at);
        for ix in self.with_instances(ix) {
            if self.tasks[ix].phase == Phase::Ready {
                self.enter(ix, at, Phase::Paused);
            }
        }
        Ok(())
    }

    pub(crate) fn on_task_resumed(&mut self, at: Moment, ix: TaskIx) -> Handled {
        self.may_steer(ix)?;
        match self.pauser(ix) {
            None => return Err(format!("task `{}` is not paused", self.name(ix)).into()),
            Some(parent) if self.tasks[ix].paused().is_none() => {
                return Err(format!(
                    "task `{}` is paused with all its instances: resume that",
                    self.name(parent)
                )
                .into());
            }
            Some(_) => {}
        }
        self.tasks[ix].steer().paused = None;
        for ix in self.with_instances(ix) {
            if self.tasks[ix].phase == Phase::Paused {
                // Stays where it is when somebody paused it by itself, too.
                self.enter(ix, at, Phase::Ready);
            }
        }
        Ok(())
    }

    pub(crate) fn on_task_cancel_requested(
        &mut self,
        at: Moment,
        ix: TaskIx,
        by: &Actor,
        reason: &str,
        out: &mut Vec<Command>,
    ) -> Handled {
        self.may_steer(ix)?;
        if self.tasks[ix].cancel().is_some() {
            return Err(format!("task `{}` is being cancelled already", self.name(ix)).into());
        }
        let note = Cancelled {
            by: by.name.clone(),
            reason: reason.to_owned(),
        };
        // The task first, so that its end counts as cancelled, whichever instance brings it about.
        for member in self.with_instances(ix) {
            self.call_off(member, at, &note, out);
        }
        self.settle(at, out);
        Ok(())
    }

    fn call_off(&mut self, ix: TaskIx, at: Moment, note: &Cancelled, out: &mut Vec<Command>) {
        let task = &mut self.tasks[ix];
        if task.phase.state().ended() || task.cancel().is_some() {
            return;
        }
        task.steer().cancel = Some(note.clone());
        match task.phase {
            Phase::Running => out.push(Command::CancelAttempt {
                task: ix,
                attempt: AttemptNo(task.attempt),
            }),
            Phase::Expanded => {}
            _ => self.cancelled_for_good(ix, at, out),
        }
    }

    /// The end of a task that somebody cancelled, or of one whose instances were.
    pub(crate) fn cancelled_for_good(&mut self, ix: TaskIx, at: Moment, out: &mut Vec<Command>) {
        let root = self.root(ix);
        if self.tasks[ix].cancel().is_none() {
            // A task with instances of which some were cancelled.
            let note = self.tasks[root].cancel().cloned();
            self.tasks[ix].steer().cancel = note;
        }
        let task = &mut self.tasks[ix];
        task.output = None;
        task.failure = None;
        self.enter(ix, at, Phase::Cancelled);
        match self.parent(ix) {
            Some(parent) => {
                if let Some(expansion) = &mut self.tasks[parent].expansion {
                    expansion.open = expansion.open.saturating_sub(1);
                    expansion.cancelled += 1;
                    expansion.first_cancelled.get_or_insert(ix);
                }
                self.conclude(parent, at, out);
            }
            None => self.skip_dependents(ix, at, Skip::Dependency(ix)),
        }
    }

    /// A task that is paused does not become ready.
    pub(crate) fn heed_pause(&mut self, ix: TaskIx, phase: Phase) -> Phase {
        if let (true, Some(steer)) = (phase.state().ended(), &mut self.tasks[ix].steer) {
            steer.paused = None;
        }
        match phase {
            Phase::Ready if self.task_paused(ix) => Phase::Paused,
            phase => phase,
        }
    }

    /// Why a paused task that could start does not.
    pub(crate) fn held_back(&self, ix: TaskIx, since: Moment) -> Blocked {
        let paused = self.pauser(ix).unwrap_or(ix);
        Blocked {
            reason: Reason::RunPaused,
            since,
            unblocks: format!("`resume` of task `{}`", self.name(paused)),
            who: OPERATOR.to_owned(),
        }
    }

    /// Why a task that somebody cancelled does not run.
    pub(crate) fn called_off(&self, ix: TaskIx, since: Moment) -> Blocked {
        let name = self.name(ix);
        let by = self.tasks[ix].cancel().map_or("", |c| c.by.as_str());
        Blocked {
            reason: Reason::RunCancelled,
            since,
            unblocks: format!("a retry of task `{name}`, which {by} cancelled"),
            who: OPERATOR.to_owned(),
        }
    }

    /// The task that is paused: this one, or the one that it is an instance of.
    pub(crate) fn pauser(&self, ix: TaskIx) -> Option<TaskIx> {
        let paused = |ix: &TaskIx| self.tasks.row(*ix).is_some_and(|t| t.paused().is_some());
        Some(ix).filter(paused).or_else(|| {
            let instance = self.tasks.row(ix)?.instance.as_ref()?;
            Some(instance.parent).filter(paused)
        })
    }

    fn with_instances(&self, ix: TaskIx) -> impl Iterator<Item = TaskIx> + use<> {
        std::iter::once(ix).chain(self.instances(ix))
    }

    fn may_steer(&self, ix: TaskIx) -> Result<(), Why> {
        let task = self.tasks.row(ix).ok_or_else(|| no_task(ix))?;
        if self.state.ended() {
            return Err("the run has ended".into());
        }
        if self.stop.is_some() {
            return Err("the run is stopping".into());
        }
        let state = task.phase.state();
        if task.phase == Phase::Lost {
            return Err(format!(
                "task `{}` is lost: look whether it had an effect, then retry it or cancel the run",
                self.name(ix)
            )
            .into());
        }
        if state.ended() {
            return Err(format!("task `{}` is {}", self.name(ix), state.as_str()).into());
        }
        Ok(())
    }
}
