//! Who is still to come and will want a part of the budget. Kept up to date with every change of a phase, so that a
//! fair share costs O(1). All of it follows from the phases: a snapshot does not contain it.

use crate::{Run, task::Phase};
use sandgate_model::{PlanTask, TaskIx, TaskWork};

/// See the module. Present only in a run in which something is bounded.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Claims {
    /// Tasks that spend and may still start.
    pub(crate) all: u32,
    /// Of those: without a budget of their own.
    pub(crate) unwritten: u32,
    /// Of those: with text generation.
    pub(crate) readers: u32,
    /// What the others may still cost by their own budgets. Wide enough for the sum over all tasks of a run.
    pub(crate) promised: u128,
    /// Tasks and gates of the plan that spend, however far they are.
    pub(crate) planned: u32,
}

/// What one task will want.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    /// What is left of its own budget.
    pub(crate) own: Option<u64>,
    /// It generates text.
    pub(crate) reads: bool,
}

impl Claims {
    pub(crate) fn add(&mut self, claim: Claim) {
        self.all += 1;
        self.readers += u32::from(claim.reads);
        match claim.own {
            Some(own) => self.promised += u128::from(own),
            None => self.unwritten += 1,
        }
    }

    pub(crate) fn remove(&mut self, claim: Claim) {
        self.all = self.all.saturating_sub(1);
        self.readers = self.readers.saturating_sub(u32::from(claim.reads));
        match claim.own {
            Some(own) => self.promised = self.promised.saturating_sub(u128::from(own)),
            None => self.unwritten = self.unwritten.saturating_sub(1),
        }
    }
}

impl Phase {
    /// Whether a task in this phase may still start.
    pub(crate) fn to_come(self) -> bool {
        matches!(
            self,
            Self::Waiting
                | Self::Evaluating
                | Self::Approval
                | Self::Signal { .. }
                | Self::Backoff { .. }
                | Self::Ready
                | Self::Paused
                | Self::Suspended
                | Self::Funds(_)
        )
    }
}

/// Whether a task reserves: it can cost money, or it says what it may cost.
fn spends(task: &PlanTask) -> bool {
    matches!(task.work, TaskWork::Agent { .. }) && (task.grants.spends() || task.budget.is_some())
}

impl Run {
    /// Whether anything is bounded of what the plan has in it.
    fn metered(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| {
            !self.limit().is_open() || plan.tasks.iter().any(|task| task.budget.is_some())
        })
    }

    /// Counts all claims anew. O(tasks): when a plan is frozen, and after a snapshot.
    pub(crate) fn claim_all(&mut self) {
        self.claims = None;
        if !self.metered() {
            return;
        }
        let mut claims = Claims::default();
        if let Some(plan) = &self.plan {
            let tasks = plan.tasks.iter().filter(|task| spends(task)).count();
            let gates = plan.gates.iter().filter(|gate| gate.grants.spends());
            claims.planned = u32::try_from(tasks + gates.count()).unwrap_or(u32::MAX);
        }
        for ix in self.tasks.keys() {
            if let (true, Some(claim)) = (self.tasks[ix].phase.to_come(), self.claim(ix)) {
                claims.add(claim);
            }
        }
        self.claims = Some(Box::new(claims));
    }

    /// A task went from one phase to another; `None`: it is new.
    pub(crate) fn reclaim(&mut self, ix: TaskIx, old: Option<Phase>, new: Phase) {
        let before = old.is_some_and(Phase::to_come);
        if self.claims.is_none() || before == new.to_come() {
            return;
        }
        if let (Some(claim), Some(claims)) = (self.claim(ix), &mut self.claims) {
            if before {
                claims.remove(claim);
            } else {
                claims.add(claim);
            }
        }
    }

    /// What a task wants; `None` when it does not spend. Changes only while an attempt of it runs.
    pub(crate) fn claim(&self, ix: TaskIx) -> Option<Claim> {
        let planned = self.planned(ix)?;
        spends(planned).then(|| Claim {
            own: self.own(ix).map(|own| own.saturating_sub(self.paid(ix))),
            reads: !planned.grants.model.is_empty(),
        })
    }

    /// What a task may cost by its own budget, or by what a person let it have, whichever is more.
    fn own(&self, ix: TaskIx) -> Option<u64> {
        let human = self.tasks[ix].human.as_ref();
        let granted = human
            .and_then(|human| human.granted)
            .map(|g| g.micros)
            .filter(|micros| *micros > 0);
        let written = self.planned(ix)?.budget.map(|budget| self.part(ix, budget));
        written.max(granted)
    }

    /// A task's part of its written budget: all of it, or for an instance an even part. What does not divide goes to
    /// the first ones, a millionth each.
    pub(crate) fn part(&self, ix: TaskIx, budget: u64) -> u64 {
        let Some(instance) = &self.tasks[ix].instance else {
            return budget;
        };
        let count = self.tasks[instance.parent]
            .expansion
            .as_ref()
            .map_or(1, |e| u64::from(e.count.max(1)));
        budget / count + u64::from(u64::from(instance.n) < budget % count)
    }

    /// Money that all attempts of a task have cost so far.
    pub(crate) fn paid(&self, ix: TaskIx) -> u64 {
        self.tasks[ix].paid.as_ref().map_or(0, |paid| paid.micros)
    }
}
