//! What could start next, kept up to date with every change of a phase, so that the question costs O(log n) and
//! no event walks the plan. All of it follows from the phases: a snapshot does not contain it.
//!
//! One place per ready task: `heads` holds those that only need a slot. Tasks of a pinned session wait in the
//! session's own queue; while the session is free, the first of them is also in `heads`. So neither a busy
//! session nor a long queue behind it is ever searched.

use crate::{GateState, TaskState, Timer, budget::Lack, gate::Gate, table::Table, task::Phase};
use sandgate_model::{GateIx, Moment, TaskIx};
use std::collections::{BTreeMap, BTreeSet};

/// Order among ready tasks: higher priority, then plan order, then order of creation (instances).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    /// Negated and widened: a lower number goes first.
    rank: i64,
    plan: TaskIx,
    ix: TaskIx,
}

impl Key {
    pub(crate) fn new(priority: i32, plan: TaskIx, ix: TaskIx) -> Self {
        Self {
            rank: -i64::from(priority),
            plan,
            ix,
        }
    }

    pub(crate) fn task(self) -> TaskIx {
        self.ix
    }
}

#[derive(Clone, PartialEq, Debug, Default)]
struct Pinned {
    busy: Option<TaskIx>,
    queue: BTreeSet<Key>,
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Schedule {
    /// Tasks per state, by the state's place in its enum.
    counts: [u32; 8],
    good: u32,
    heads: BTreeSet<Key>,
    sessions: Vec<Pinned>,
    /// Running attempts.
    pub(crate) running: BTreeSet<TaskIx>,
    /// Tasks whose `Evaluate` has no answer yet.
    pub(crate) evaluating: BTreeSet<TaskIx>,
    /// Tasks whose instances run.
    pub(crate) expanded: BTreeSet<TaskIx>,
    /// Tasks that wait for a person, a signal or a retry.
    pub(crate) parked: BTreeSet<TaskIx>,
    /// Timers that were asked for, apart from the run's.
    pub(crate) timers: BTreeMap<Timer, Moment>,
    /// Gates of the current tier that may start.
    pub(crate) gates_ready: BTreeSet<GateIx>,
    /// Tasks that wait for what running ones give back.
    short: BTreeSet<Key>,
    /// The same for gates.
    pub(crate) gates_short: BTreeSet<GateIx>,
    /// Gates that run.
    pub(crate) gates_running: BTreeSet<GateIx>,
}

impl Schedule {
    pub(crate) fn new(sessions: usize) -> Self {
        Self {
            sessions: vec![Pinned::default(); sessions],
            ..Self::default()
        }
    }

    /// How many tasks, instances included, are in this state.
    pub(crate) fn count(&self, state: TaskState) -> u32 {
        self.counts.get(state as usize).copied().unwrap_or(0)
    }

    /// Tasks that have not ended.
    pub(crate) fn open(&self) -> u32 {
        self.count(TaskState::Pending)
            + self.count(TaskState::Ready)
            + self.count(TaskState::Running)
    }

    /// Tasks that ended well: succeeded, or skipped by a condition.
    pub(crate) fn good(&self) -> u32 {
        self.good
    }

    /// The first ready tasks, in the order in which they would start. At most one of each session.
    pub(crate) fn heads(&self) -> impl Iterator<Item = TaskIx> {
        self.heads.iter().map(|key| key.ix)
    }

    /// The first task that waits for what running ones give back.
    pub(crate) fn first_short(&self) -> Option<TaskIx> {
        Some(self.short.first()?.ix)
    }

    /// The task that runs in a session.
    pub(crate) fn holder(&self, session: Option<u32>) -> Option<TaskIx> {
        self.sessions.get(session? as usize)?.busy
    }

    pub(crate) fn leave(&mut self, key: Key, session: Option<u32>, phase: Phase) {
        if let Some(count) = self.counts.get_mut(phase.state() as usize) {
            *count = count.saturating_sub(1);
        }
        self.good -= u32::from(phase.good());
        match phase {
            Phase::Ready => self.unready(key, session),
            Phase::Running => {
                self.running.remove(&key.ix);
                self.release(session);
            }
            Phase::Evaluating => {
                self.evaluating.remove(&key.ix);
            }
            Phase::Expanded => {
                self.expanded.remove(&key.ix);
            }
            Phase::Funds(Lack::Later) => {
                self.short.remove(&key);
            }
            Phase::Approval
            | Phase::Held
            | Phase::Suspended
            | Phase::Paused
            | Phase::Lost
            | Phase::Funds(Lack::Person) => {
                self.parked.remove(&key.ix);
            }
            Phase::Signal { .. } => {
                self.parked.remove(&key.ix);
                self.timers.remove(&Timer::Wait(key.ix));
            }
            Phase::Backoff { .. } => {
                self.parked.remove(&key.ix);
                self.timers.remove(&Timer::Retry(key.ix));
            }
            Phase::Waiting
            | Phase::Succeeded
            | Phase::Failed
            | Phase::Skipped(_)
            | Phase::Cancelled => {}
        }
    }

    pub(crate) fn join(&mut self, key: Key, session: Option<u32>, phase: Phase) {
        if let Some(count) = self.counts.get_mut(phase.state() as usize) {
            *count += 1;
        }
        self.good += u32::from(phase.good());
        match phase {
            Phase::Ready => self.ready(key, session),
            Phase::Running => {
                self.running.insert(key.ix);
                self.occupy(key.ix, session);
            }
            Phase::Evaluating => {
                self.evaluating.insert(key.ix);
            }
            Phase::Expanded => {
                self.expanded.insert(key.ix);
            }
            Phase::Funds(Lack::Later) => {
                self.short.insert(key);
            }
            Phase::Approval
            | Phase::Held
            | Phase::Suspended
            | Phase::Paused
            | Phase::Lost
            | Phase::Funds(Lack::Person) => {
                self.parked.insert(key.ix);
            }
            Phase::Signal { until } => {
                self.parked.insert(key.ix);
                if let Some(until) = until {
                    self.timers.insert(Timer::Wait(key.ix), until);
                }
            }
            Phase::Backoff { until } => {
                self.parked.insert(key.ix);
                self.timers.insert(Timer::Retry(key.ix), until);
            }
            Phase::Waiting
            | Phase::Succeeded
            | Phase::Failed
            | Phase::Skipped(_)
            | Phase::Cancelled => {}
        }
    }

    fn pinned(&mut self, session: Option<u32>) -> Option<&mut Pinned> {
        self.sessions.get_mut(session? as usize)
    }

    fn ready(&mut self, key: Key, session: Option<u32>) {
        let Some(pinned) = self.pinned(session) else {
            self.heads.insert(key);
            return;
        };
        let first = pinned.queue.first().copied();
        pinned.queue.insert(key);
        if pinned.busy.is_none() && first.is_none_or(|first| key < first) {
            if let Some(first) = first {
                self.heads.remove(&first);
            }
            self.heads.insert(key);
        }
    }

    fn unready(&mut self, key: Key, session: Option<u32>) {
        self.heads.remove(&key);
        let Some(pinned) = self.pinned(session) else {
            return;
        };
        pinned.queue.remove(&key);
        if pinned.busy.is_none()
            && let Some(first) = pinned.queue.first().copied()
        {
            self.heads.insert(first);
        }
    }

    fn occupy(&mut self, ix: TaskIx, session: Option<u32>) {
        if let Some(pinned) = self.pinned(session) {
            pinned.busy = Some(ix);
            if let Some(first) = pinned.queue.first().copied() {
                self.heads.remove(&first);
            }
        }
    }

    fn release(&mut self, session: Option<u32>) {
        if let Some(pinned) = self.pinned(session) {
            pinned.busy = None;
            if let Some(first) = pinned.queue.first().copied() {
                self.heads.insert(first);
            }
        }
    }

    /// Puts the gates back from their states.
    pub(crate) fn regate(&mut self, gates: &Table<GateIx, Gate>) {
        let with = |state, lack| {
            let those = gates
                .iter()
                .filter(move |(_, gate)| gate.state == state && gate.lack == lack);
            those.map(|(ix, _)| ix).collect()
        };
        self.gates_ready = with(GateState::Ready, None);
        self.gates_short = with(GateState::Ready, Some(Lack::Later));
        self.gates_running = with(GateState::Running, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(priority: i32, ix: u32) -> Key {
        Key::new(priority, TaskIx(ix), TaskIx(ix))
    }

    fn heads(schedule: &Schedule) -> Vec<u32> {
        schedule.heads().map(|ix| ix.0).collect()
    }

    #[test]
    fn priority_then_plan_order() {
        let mut schedule = Schedule::new(0);
        for k in [
            key(0, 0),
            key(5, 1),
            key(-5, 2),
            key(5, 3),
            key(i32::MIN, 4),
            key(i32::MAX, 5),
        ] {
            schedule.join(k, None, Phase::Ready);
        }
        assert_eq!(heads(&schedule), [5, 1, 3, 0, 2, 4]);
    }

    #[test]
    fn a_session_shows_one_head_and_none_while_busy() {
        let mut schedule = Schedule::new(1);
        let s = Some(0);
        schedule.join(key(0, 3), s, Phase::Ready);
        schedule.join(key(0, 1), s, Phase::Ready);
        schedule.join(key(0, 2), None, Phase::Ready);
        assert_eq!(
            heads(&schedule),
            [1, 2],
            "the better one took the head's place"
        );

        schedule.leave(key(0, 1), s, Phase::Ready);
        schedule.join(key(0, 1), s, Phase::Running);
        assert_eq!(heads(&schedule), [2]);
        assert_eq!(schedule.holder(s), Some(TaskIx(1)));

        schedule.join(key(9, 7), s, Phase::Ready);
        assert_eq!(
            heads(&schedule),
            [2],
            "not even a better one while it is busy"
        );

        schedule.leave(key(0, 1), s, Phase::Running);
        schedule.join(key(0, 1), s, Phase::Succeeded);
        assert_eq!(heads(&schedule), [7, 2]);

        schedule.leave(key(9, 7), s, Phase::Ready);
        schedule.join(key(9, 7), s, Phase::Cancelled);
        assert_eq!(
            heads(&schedule),
            [2, 3],
            "a head that goes away is replaced"
        );
    }
}
