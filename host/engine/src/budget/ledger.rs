//! The books of a run: what is spent, what is held, whose calls are open. Every cost goes through [`Run::book`], so
//! that the run, the caller and the kind always add up to the same.

use super::{Account, account::Open};
use crate::{Allowance, Run, illegal::Why};
use sandgate_model::{Amount, Caller, Charge, GateIx, NeedKind, TaskIx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Capability calls of one kind, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CallCounts {
    /// Begun.
    pub started: u64,
    /// Of those: happened.
    pub done: u64,
    /// Of those: tried in vain.
    pub failed: u64,
    /// Of those: the end is unknown.
    pub interrupted: u64,
    /// Not begun, because they were not allowed or not covered. Hosts record a bounded number of them.
    pub refused: u64,
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// All that is settled.
    pub(crate) spent: Amount,
    /// All that running callers keep out of the run's hands.
    pub(crate) held: Amount,
    /// The planner's account. It holds nothing: while it plans, all is its own. Its numbers go on from planner to
    /// planner, since a caller `planner` is all that a record says.
    pub(crate) planner: Account,
    /// Accounts of running attempts that spend or made a call.
    pub(crate) tasks: BTreeMap<TaskIx, Account>,
    /// The same for gates.
    pub(crate) gates: BTreeMap<GateIx, Account>,
    /// What people let the run have beyond its limit.
    #[serde(default, skip_serializing_if = "Amount::is_nothing")]
    pub(crate) granted: Amount,
    /// All calls by kind.
    pub(crate) calls: BTreeMap<NeedKind, CallCounts>,
}

impl Ledger {
    pub(crate) fn account(&self, by: Caller) -> Option<&Account> {
        match by {
            Caller::Planner => Some(&self.planner),
            Caller::Task { task, .. } => self.tasks.get(&task),
            Caller::Gate { gate, .. } => self.gates.get(&gate),
        }
    }

    /// The account, opened with `new` when there is none.
    pub(crate) fn account_or(&mut self, by: Caller, new: Account) -> &mut Account {
        match by {
            Caller::Planner => &mut self.planner,
            Caller::Task { task, .. } => self.tasks.entry(task).or_insert(new),
            Caller::Gate { gate, .. } => self.gates.entry(gate).or_insert(new),
        }
    }

    fn account_mut(&mut self, by: Caller) -> Option<&mut Account> {
        match by {
            Caller::Planner => Some(&mut self.planner),
            Caller::Task { task, .. } => self.tasks.get_mut(&task),
            Caller::Gate { gate, .. } => self.gates.get_mut(&gate),
        }
    }

    pub(crate) fn count(&mut self, kind: NeedKind) -> &mut CallCounts {
        self.calls.entry(kind).or_default()
    }

    /// Every account that is open.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.tasks.values().chain(self.gates.values())
    }
}

impl Run {
    /// What the run may cost: the smaller of what the project reserved for it and what its plan says, and what people
    /// let it have beyond that.
    #[must_use]
    pub fn limit(&self) -> Allowance {
        let planned = self.plan.as_ref().and_then(|plan| plan.budget);
        let planned = planned.map_or(Allowance::OPEN, |budget| Allowance {
            micros: Some(budget.limit),
            tokens: budget.tokens,
        });
        planned.min(self.order.budget).plus(self.ledger.granted)
    }

    /// What the run has spent. Never goes back, not even by a retry.
    #[must_use]
    pub fn spent(&self) -> Amount {
        self.ledger.spent
    }

    /// What is reserved for whatever runs, and not spent by it; nothing where the run is not bounded.
    #[must_use]
    pub fn reserved(&self) -> Amount {
        match self.limit() {
            Allowance::OPEN => Amount::NOTHING,
            limit => self
                .ledger
                .held
                .plus(Allowance::from(self.ledger.planner.pending).within(limit)),
        }
    }

    /// What nobody has reserved.
    pub(crate) fn free(&self) -> Allowance {
        self.limit()
            .minus(self.ledger.spent)
            .minus(self.ledger.held)
    }

    /// What this caller may still reserve; `None` when it does not run.
    #[must_use]
    pub fn allowance(&self, by: Caller) -> Option<Allowance> {
        self.runs(by).ok()?;
        Some(self.left(by))
    }

    /// The same for a caller that is known to run.
    pub(crate) fn left(&self, by: Caller) -> Allowance {
        match (by, self.ledger.account(by)) {
            (Caller::Planner, _) => self.free().minus(self.ledger.planner.pending),
            (_, Some(account)) => account.left(),
            // It reserved nothing.
            (_, None) => self.limit().nothing(),
        }
    }

    /// The account of a caller that runs, opened when it reserved nothing.
    pub(crate) fn open_account(&mut self, by: Caller) -> &mut Account {
        let limit = self.limit();
        self.ledger
            .account_or(by, Account::new(limit.nothing(), limit))
    }

    /// Books a cost of a caller that runs.
    pub(crate) fn book(&mut self, by: Caller, what: &str, cost: Amount) {
        if cost.is_nothing() {
            return;
        }
        if let Some(account) = self.ledger.account_mut(by) {
            let freed = account.book(cost);
            self.ledger.held = self.ledger.held.minus(freed);
        }
        self.ledger.spent = self.ledger.spent.plus(cost);
        match by {
            Caller::Planner => {}
            Caller::Task { task, .. } => {
                let paid = self.tasks[task].paid.get_or_insert_default();
                **paid = paid.plus(cost);
            }
            Caller::Gate { gate, .. } => {
                let gate = &mut self.gates[gate];
                gate.paid = gate.paid.plus(cost);
            }
        }
        if cost.micros > 0 {
            let sum = match self.charges.get_mut(what) {
                Some(sum) => sum,
                None => self.charges.entry(what.to_owned()).or_default(),
            };
            *sum = sum.saturating_add(cost.micros);
        }
    }

    /// The end of a caller: what it reported is booked as far as its reservation goes, the rest of the reservation
    /// goes back to the run. Says how it was over its reservation, if it was; `Err` when by its own report.
    pub(crate) fn close_account(&mut self, by: Caller, charges: &[Charge]) -> Result<bool, Why> {
        // Most attempts neither spend nor call.
        if self.ledger.account(by).is_none() && charges.is_empty() {
            return Ok(false);
        }
        self.interrupt_calls(by);
        let mut over = Ok(self.ledger.account(by).is_some_and(|account| account.over));
        for charge in charges {
            let left = self.left(by).micros.unwrap_or(u64::MAX);
            if charge.micros > left && over.is_ok() {
                over = Err(super::say::over_reported(charges, left));
            }
            let cost = Amount {
                micros: charge.micros.min(left),
                tokens: 0,
            };
            self.book(by, &charge.what, cost);
        }
        let last = self.ledger.account(by).map_or(0, |account| account.last);
        if let Some(restore) = self.restore_mut(by) {
            restore.calls = restore.calls.max(last);
        }
        if by == Caller::Planner {
            self.ledger.planner.unsaved = false;
        }
        let closed = match by {
            // The numbers of its calls go on.
            Caller::Planner => None,
            Caller::Task { task, .. } => self.ledger.tasks.remove(&task),
            Caller::Gate { gate, .. } => self.ledger.gates.remove(&gate),
        };
        if let Some(account) = closed {
            self.ledger.held = self.ledger.held.minus(account.held);
        }
        over
    }

    /// Ends every open call of a caller: nobody will ever know how, so all it reserved counts as spent.
    fn interrupt_calls(&mut self, by: Caller) {
        let open: Vec<u32> = match self.ledger.account(by) {
            Some(account) => account.open.keys().copied().collect(),
            None => return,
        };
        for call in open {
            self.end_call(by, call, |counts, open| {
                counts.interrupted = counts.interrupted.saturating_add(1);
                open.reserve
            });
        }
    }

    /// Ends an open call: `end` counts it and says what it cost.
    pub(crate) fn end_call(
        &mut self,
        by: Caller,
        call: u32,
        end: impl FnOnce(&mut CallCounts, Open) -> Amount,
    ) {
        let open = self.ledger.account_mut(by).and_then(|a| a.end(call));
        if let Some(open) = open {
            let cost = end(self.ledger.count(open.kind), open);
            self.book(by, super::word(open.kind), cost);
        }
    }
}
