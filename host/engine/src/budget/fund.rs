//! What follows when something cannot reserve: it waits for what others give back, fails, or waits for a person.
//! Decided at the head of the queue alone, at the end of every event, so that what is offered to start can reserve and
//! nothing is ever searched.

use super::{Account, Fit};
use crate::{
    Allowance, Command, GateEnd, GateState, Run, RunState,
    ask::Subject,
    task::{Cause, Phase},
};
use sandgate_model::{Amount, Caller, FailureClass, GateIx, Moment, OverBudget, TaskIx};
use serde::{Deserialize, Serialize};

/// How the budget does not cover something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lack {
    /// What runs holds so much that this has to wait for its end.
    Later,
    /// It will never be covered, and a person is asked.
    Person,
}

impl Run {
    /// Looks at what would start next. Costs O(log n), apart from what it ends.
    pub(crate) fn fund(&mut self, at: Moment, out: &mut Vec<Command>) {
        while self.claims.is_some() && self.stop.is_none() {
            let changed = match self.state {
                RunState::Running => self.fund_task(at, out),
                RunState::Verifying => self.fund_gate(at),
                _ => false,
            };
            if !changed {
                return;
            }
            self.settle(at, out);
        }
    }

    /// Puts a reservation aside for what starts now.
    pub(crate) fn reserve(&mut self, by: Caller, cap: Option<Allowance>) {
        let Some(cap) = cap else {
            return;
        };
        let account = Account::new(cap, self.limit());
        self.ledger.held = self.ledger.held.plus(account.held);
        self.ledger.account_or(by, account);
    }

    fn fund_task(&mut self, at: Moment, out: &mut Vec<Command>) -> bool {
        let head = self.first_head();
        if let Some(head) = head {
            match self.fit(head) {
                Fit::Free | Fit::Now(_) => {}
                Fit::Later => {
                    self.enter(head, at, Phase::Funds(Lack::Later));
                    return true;
                }
                Fit::Never(why) => {
                    self.refuse_task(head, at, &why, out);
                    return true;
                }
            }
        }
        // One at a time, first things first: with the next event the next one follows. So a large need is not passed by
        // small ones behind it, and a task that finds the money gone when its turn comes costs one event.
        let Some(first) = self.schedule.first_short() else {
            return false;
        };
        match self.fit(first) {
            Fit::Free | Fit::Now(_) => self.enter(first, at, Phase::Ready),
            Fit::Later => {}
            Fit::Never(why) => {
                self.refuse_task(first, at, &why, out);
                return true;
            }
        }
        false
    }

    fn refuse_task(&mut self, ix: TaskIx, at: Moment, why: &str, out: &mut Vec<Command>) {
        match self.over_budget() {
            OverBudget::Ask => self.enter(ix, at, Phase::Funds(Lack::Person)),
            OverBudget::Refuse => {
                let cause = Cause::new(FailureClass::Refused, why).by_budget(true);
                self.fail_for_good(ix, at, cause, out);
            }
        }
    }

    fn fund_gate(&mut self, at: Moment) -> bool {
        if let Some(&head) = self.schedule.gates_ready.first() {
            match self.fit_gate(head) {
                Fit::Free | Fit::Now(_) => {}
                Fit::Later => {
                    self.lack_gate(head, Lack::Later);
                    return true;
                }
                Fit::Never(why) => {
                    self.refuse_gate(head, at, why);
                    return true;
                }
            }
        }
        let Some(&first) = self.schedule.gates_short.first() else {
            return false;
        };
        match self.fit_gate(first) {
            Fit::Free | Fit::Now(_) => self.set_gate(first, at, GateState::Ready),
            Fit::Later => {}
            Fit::Never(why) => {
                self.refuse_gate(first, at, why);
                return true;
            }
        }
        false
    }

    fn refuse_gate(&mut self, ix: GateIx, at: Moment, message: String) {
        match self.over_budget() {
            OverBudget::Ask => self.lack_gate(ix, Lack::Person),
            OverBudget::Refuse => self.refuse_gate_for_good(ix, at, message),
        }
    }

    /// A gate that cannot be paid for has no answer.
    pub(crate) fn refuse_gate_for_good(&mut self, ix: GateIx, at: Moment, message: String) {
        self.gates[ix].answer(&GateEnd::Inconclusive { message });
        self.gates[ix].over = true;
        let state = self.gates[ix].state;
        self.set_gate(ix, at, state);
    }

    /// A person let the run have this much more, for this task.
    pub(crate) fn grant(&mut self, ix: TaskIx, lacks: Amount, at: Moment) {
        let before = self.claim(ix);
        let own = before.and_then(|claim| claim.own).unwrap_or(0);
        let paid = self.paid(ix);
        let human = self.tasks[ix].human.get_or_insert_default();
        let granted = human.granted.get_or_insert_default();
        if lacks.micros > 0 && own == 0 {
            granted.micros = paid.saturating_add(lacks.micros);
        }
        granted.tokens = granted.tokens.max(lacks.tokens);
        let after = self.claim(ix);
        if let (Some(claims), Some(before), Some(after)) = (&mut self.claims, before, after) {
            claims.remove(before);
            claims.add(after);
        }
        self.ledger.granted = self.ledger.granted.plus(lacks);
        self.enter(ix, at, Phase::Ready);
    }

    /// The same for a gate.
    pub(crate) fn grant_gate(&mut self, ix: GateIx, lacks: Amount, at: Moment) {
        let gate = &mut self.gates[ix];
        gate.granted = gate.granted.plus(lacks);
        self.ledger.granted = self.ledger.granted.plus(lacks);
        self.set_gate(ix, at, GateState::Ready);
    }

    /// A gate that is ready as far as the tiers are concerned waits all the same.
    fn lack_gate(&mut self, ix: GateIx, lack: Lack) {
        self.schedule.gates_ready.remove(&ix);
        self.schedule.gates_short.remove(&ix);
        match lack {
            Lack::Later => {
                self.schedule.gates_short.insert(ix);
            }
            Lack::Person => {
                self.asks.queue.insert(Subject::GateBudget(ix));
            }
        }
        self.gates[ix].lack = Some(lack);
    }

    fn over_budget(&self) -> OverBudget {
        let budget = self.plan.as_ref().and_then(|plan| plan.budget);
        budget.map_or(OverBudget::Refuse, |budget| budget.over)
    }

    /// What a task cost so far, all its attempts together.
    pub(crate) fn paid_by(&self, ix: TaskIx) -> Amount {
        self.tasks
            .row(ix)
            .and_then(|task| task.paid.as_deref().copied())
            .unwrap_or_default()
    }
}
