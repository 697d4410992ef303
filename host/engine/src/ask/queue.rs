//! What is put to people next. A bounded number at once, and no walk: a task that has to wait for people joins the queue
//! with its phase, and leaves it with its phase.

use super::Subject;
use crate::{Command, GateState, Run, budget::Lack, task::Phase};
use sandgate_model::{About, Moment, TaskIx};

impl Run {
    /// Asks as many as there is room for. At the end of every event. Says whether something that was to be asked does
    /// not have to be any more, and may be able to start.
    pub(crate) fn ask_next(&mut self, at: Moment, out: &mut Vec<Command>) -> bool {
        let mut again = false;
        while self.asks.room()
            && let Some(subject) = self.asks.queue.pop_first()
        {
            let about = match subject {
                Subject::Task(task) => About::Task { task },
                Subject::Result(task) => About::Result { task },
                Subject::TaskBudget(task) => {
                    let lacks = self.lacks(task);
                    if lacks.is_nothing() {
                        self.enter(task, at, Phase::Funds(Lack::Later));
                        again = true;
                        continue;
                    }
                    About::TaskBudget { task, lacks }
                }
                Subject::GateBudget(gate) => {
                    let lacks = self.lacks_of_gate(gate);
                    if lacks.is_nothing() {
                        self.set_gate(gate, at, GateState::Ready);
                        again = true;
                        continue;
                    }
                    About::GateBudget { gate, lacks }
                }
            };
            self.asks.asking.push(about.clone());
            out.push(Command::Ask { about });
        }
        again
    }

    /// A task went from one phase to another: what it waits for people with, if with anything.
    pub(crate) fn requeue(&mut self, ix: TaskIx, at: Moment, old: Phase, new: Phase) {
        if old == Phase::Suspended {
            self.end_suspension(ix, at, new);
        }
        let (before, after) = (subject(ix, old), subject(ix, new));
        if before == after {
            return;
        }
        if let Some(subject) = before {
            self.asks.forget(subject, at, gone(new));
        }
        if let Some(subject) = after {
            self.asks.queue.insert(subject);
        }
    }

    /// A suspended attempt that does not wait any more, and was not decided about, is not to be decided about.
    fn end_suspension(&mut self, ix: TaskIx, at: Moment, new: Phase) {
        let human = self.tasks[ix].human.as_ref();
        let ask = human.and_then(|human| human.restore.as_ref()?.ask);
        if let Some(no) = ask {
            self.asks.withdraw(no, at, gone(new));
        }
        if new.state().ended()
            && let Some(human) = &mut self.tasks[ix].human
        {
            human.restore = None;
        }
    }

    /// After a snapshot: what waits for people and is neither asked nor being asked.
    pub(crate) fn requeue_all(&mut self) {
        self.asks.index();
        let waiting = self.schedule.parked.iter();
        let tasks = waiting.filter_map(|ix| subject(*ix, self.tasks[*ix].phase));
        let gates = self
            .gates
            .iter()
            .filter(|(_, gate)| gate.lack == Some(Lack::Person));
        let all = tasks.chain(gates.map(|(ix, _)| Subject::GateBudget(ix)));
        let unasked: Vec<Subject> = all
            .filter(|subject| {
                let asking = |about: &About| Subject::of(about) == Some(*subject);
                self.asks.open_about(*subject).is_none() && !self.asks.asking.iter().any(asking)
            })
            .collect();
        self.asks.queue.extend(unasked);
    }
}

/// What a task in this phase waits for people with.
pub(crate) fn subject(ix: TaskIx, phase: Phase) -> Option<Subject> {
    match phase {
        Phase::Approval => Some(Subject::Task(ix)),
        Phase::Held => Some(Subject::Result(ix)),
        Phase::Funds(Lack::Person) => Some(Subject::TaskBudget(ix)),
        _ => None,
    }
}

fn gone(new: Phase) -> &'static str {
    match new {
        Phase::Cancelled => "the task was cancelled",
        Phase::Failed => "the task has failed",
        _ => "the task does not wait for it any more",
    }
}
