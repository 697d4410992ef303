//! What starts next, and the one door through which tasks change their phase.

use crate::{Run, RunState, schedule::Key, task::Phase};
use sandgate_model::{AttemptNo, GateIx, Moment, TaskIx};

/// Ready tasks that are looked at for one that will not ask people, while enough wait for them. More than wait at once, so
/// that it looks past those that were next, and few, so that a question costs the same in every run.
const HEADS_MAX: usize = 32;

/// Something that may start now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Record `AttemptStarted` with these.
    Attempt {
        /// The task.
        task: TaskIx,
        /// Which try.
        attempt: AttemptNo,
    },
    /// Record `AttemptResumed` with these: the attempt stopped in the middle and goes on where it stopped.
    AttemptResumed {
        /// The task.
        task: TaskIx,
        /// Which try: the one that stopped.
        attempt: AttemptNo,
    },
    /// Record `GateResumed` with these.
    GateResumed {
        /// The gate.
        gate: GateIx,
        /// Which try: the one that stopped.
        attempt: AttemptNo,
    },
    /// Record `GateStarted` with these.
    Gate {
        /// The gate.
        gate: GateIx,
        /// Which try.
        attempt: AttemptNo,
    },
}

impl Run {
    /// What could start now, first things first: ready tasks by priority, then plan order, or gates of the current
    /// tier. `None` while every slot is taken, the run is paused or stopping, or nothing is ready; while 20 or more tasks
    /// wait for people in the middle of their work, also when the next tasks may ask people, too. A pure query,
    /// O(log n): the driver records the answer as an event, steps with it, and asks again.
    #[must_use]
    pub fn next_start(&self) -> Option<Start> {
        if self.paused.is_some() || self.stop.is_some() || !self.slot_free() {
            return None;
        }
        match self.state {
            RunState::Running => {
                let task = self.first_head()?;
                let (row, last) = (&self.tasks[task], self.tasks[task].attempt);
                Some(if row.restores() {
                    let attempt = AttemptNo(last);
                    Start::AttemptResumed { task, attempt }
                } else {
                    let attempt = AttemptNo(last + 1);
                    Start::Attempt { task, attempt }
                })
            }
            RunState::Verifying => {
                let gate = *self.schedule.gates_ready.first()?;
                let (row, last) = (&self.gates[gate], self.gates[gate].attempt);
                Some(if row.restore.is_some() {
                    let attempt = AttemptNo(last);
                    Start::GateResumed { gate, attempt }
                } else {
                    let attempt = AttemptNo(last + 1);
                    Start::Gate { gate, attempt }
                })
            }
            _ => None,
        }
    }

    /// The first ready task that may start as far as people are concerned: while many tasks wait for them, only one
    /// that goes on, or that will not ask them, starts. A bounded number of tasks is looked at.
    pub(crate) fn first_head(&self) -> Option<TaskIx> {
        let mut heads = self.schedule.heads().take(HEADS_MAX);
        if self.asks.crowded() {
            heads.find(|ix| !self.crowds(*ix))
        } else {
            heads.next()
        }
    }

    /// Whether a ready task would be one more that may ask people.
    pub(crate) fn crowds(&self, ix: TaskIx) -> bool {
        let row = self.tasks.row(ix);
        row.is_some_and(|task| !task.restores())
            && self.planned(ix).is_some_and(|task| task.grants.may_wait())
    }

    /// How many attempts and gates run.
    #[must_use]
    pub fn running_count(&self) -> usize {
        self.schedule.running.len() + self.schedule.gates_running.len()
    }

    pub(crate) fn slot_free(&self) -> bool {
        let slots = self.plan.as_ref().map_or(0, |plan| plan.concurrency);
        self.running_count() < slots as usize
    }

    /// The only way a task changes its phase.
    pub(crate) fn enter(&mut self, ix: TaskIx, at: Moment, phase: Phase) {
        let (key, session) = self.place(ix);
        let phase = self.heed_pause(ix, phase);
        let task = &mut self.tasks[ix];
        if matches!(phase, Phase::Failed | Phase::Cancelled | Phase::Lost)
            && let Some(human) = &mut task.human
            && task.phase != Phase::Suspended
        {
            human.restore = None;
        }
        let old = std::mem::replace(&mut task.phase, phase);
        task.since = at;
        self.schedule.leave(key, session, old);
        self.schedule.join(key, session, phase);
        self.reclaim(ix, Some(old), phase);
        self.requeue(ix, at, old, phase);
    }

    /// A new task takes its place.
    pub(crate) fn enlist(&mut self, ix: TaskIx) {
        let (key, session) = self.place(ix);
        let phase = self.tasks[ix].phase;
        self.schedule.join(key, session, phase);
        self.reclaim(ix, None, phase);
    }

    /// A task's place in the queues.
    pub(crate) fn place(&self, ix: TaskIx) -> (Key, Option<u32>) {
        let plan = self.tasks[ix].plan;
        let priority = self.planned(ix).map_or(0, |task| task.priority);
        (Key::new(priority, plan, ix), self.graph.session(plan))
    }
}
