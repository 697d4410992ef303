//! What one caller has: a reservation, what it spent of it, and its open calls. Knows nothing of the run.

use crate::Allowance;
use sandgate_model::{Amount, NeedKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A call whose end is not known yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) kind: NeedKind,
    pub(crate) reserve: Amount,
    /// Somebody agreed to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) consent: bool,
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Most it may spend.
    pub(crate) cap: Allowance,
    /// What it still keeps out of the run's hands: its cap less what it spent, where the run is bounded.
    pub(crate) held: Amount,
    /// What is settled.
    pub(crate) spent: Amount,
    /// Number of the last call; 0: none yet.
    pub(crate) last: u32,
    /// Open calls by number.
    pub(crate) open: BTreeMap<u32, Open>,
    /// Sum of their reserves; without meaning where the cap does not bound.
    pub(crate) pending: Amount,
    /// It was refused something because its reservation did not cover it.
    pub(crate) over: bool,
    /// A call that somebody agreed to has ended, and its answer is not recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unsaved: bool,
    /// A call has ended, or nobody knows how, and its answer is not recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) untold: bool,
}

impl Account {
    /// An account that may spend so much, in a run with this limit.
    pub(crate) fn new(cap: Allowance, limit: Allowance) -> Self {
        Self {
            cap,
            held: cap.within(limit),
            ..Self::default()
        }
    }

    /// Whether something that was approved for one time could happen a second time, should its caller stop now.
    pub(crate) fn risky(&self) -> bool {
        self.unsaved || self.open.values().any(|open| open.consent)
    }

    /// Whether nothing happened outside, or can be happening, that its tape does not know.
    pub(crate) fn quiet(&self) -> bool {
        !self.untold && self.open.is_empty()
    }

    /// What it may still reserve.
    pub(crate) fn left(&self) -> Allowance {
        self.cap.minus(self.spent).minus(self.pending)
    }

    pub(crate) fn next(&self) -> u32 {
        self.last.saturating_add(1)
    }

    pub(crate) fn begin(&mut self, call: u32, open: Open) {
        self.last = call;
        self.pending = self.pending.plus(open.reserve);
        self.open.insert(call, open);
    }

    /// Takes a call off the open ones; what it cost is settled by the ledger.
    pub(crate) fn end(&mut self, call: u32) -> Option<Open> {
        let open = self.open.remove(&call)?;
        self.pending = self.pending.minus(open.reserve);
        Some(open)
    }

    /// Books a cost; gives back how much of it comes out of what was held.
    pub(crate) fn book(&mut self, cost: Amount) -> Amount {
        let freed = cost.min(self.held);
        self.spent = self.spent.plus(cost);
        self.held = self.held.minus(freed);
        freed
    }
}
