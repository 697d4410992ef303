//! Whether what wants to start can reserve what it needs. Questions only; what follows is in `fund`.

use super::say::money;
use crate::{Allowance, GateState, Run};
use sandgate_model::{GateIx, TaskIx};

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fit {
    /// It does not spend: nothing to reserve.
    Free,
    /// This much would be reserved now.
    Now(Allowance),
    /// Not now. What runs may give back enough.
    Later,
    /// Never in this run; why, and what would change it.
    Never(String),
}

/// One bound of a run.
#[derive(Clone, Copy)]
struct Purse {
    unit: Unit,
    limit: u64,
    spent: u64,
    held: u64,
}

#[derive(Clone, Copy)]
enum Unit {
    Money,
    Tokens,
}

impl Purse {
    fn free(self) -> u64 {
        self.left().saturating_sub(self.held)
    }

    fn left(self) -> u64 {
        self.limit.saturating_sub(self.spent)
    }

    fn say(self, n: u64) -> String {
        match self.unit {
            Unit::Money => money(n),
            Unit::Tokens => format!("{n} tokens"),
        }
    }

    /// A share of what is left, at least 1.
    fn share(self, share: u64) -> Part {
        match share {
            0 if self.held > 0 => Err(Lacks::Later),
            0 => Err(Lacks::Share(self)),
            share => Ok(Some(share)),
        }
    }

    /// All or nothing: for a task that says what it may cost.
    fn whole(self, own: u64) -> Part {
        if own <= self.free() {
            Ok(Some(own))
        } else if own <= self.left() {
            Err(Lacks::Later)
        } else {
            Err(Lacks::Whole(self, own))
        }
    }
}

/// Why a part of an answer is no.
#[derive(Clone, Copy)]
enum Lacks {
    Later,
    Share(Purse),
    Whole(Purse, u64),
    /// Its own budget is spent.
    Own,
}

type Part = Result<Option<u64>, Lacks>;

impl Run {
    /// Whether a task can reserve. O(1).
    pub(crate) fn fit(&self, ix: TaskIx) -> Fit {
        let (Some(claims), Some(claim)) = (&self.claims, self.claim(ix)) else {
            return Fit::Free;
        };
        let micros = match (claim.own, self.money()) {
            (Some(0), _) => Err(Lacks::Own),
            (own, None) => Ok(own),
            (Some(own), Some(purse)) => purse.whole(own),
            (None, Some(purse)) => {
                let spare = u128::from(purse.free()).saturating_sub(claims.promised);
                let spare = u64::try_from(spare).unwrap_or(u64::MAX);
                // When the written budgets promise more than there is, nobody comes first.
                purse.share(match spare / u64::from(claims.unwritten.max(1)) {
                    0 => purse.free() / u64::from(claims.all.max(1)),
                    share => share,
                })
            }
        };
        let tokens = match self.tokens() {
            None => Ok(None),
            Some(_) if !claim.reads => Ok(Some(0)),
            Some(purse) => {
                let most = self.planned(ix).and_then(|task| task.limits.tokens);
                purse
                    .share(purse.free() / u64::from(claims.readers.max(1)))
                    .map(|share| Some(share?.min(most.unwrap_or(u64::MAX))))
            }
        };
        self.together(micros, tokens, || format!("task `{}`", self.name(ix)))
    }

    /// Whether a gate can reserve. O(gates), of which there are few.
    pub(crate) fn fit_gate(&self, ix: GateIx) -> Fit {
        let spends = |ix| self.planned_gate(ix).is_some_and(|g| g.grants.spends());
        if self.limit().is_open() || !spends(ix) {
            return Fit::Free;
        }
        let reads = |ix| {
            let gate = self.planned_gate(ix);
            gate.is_some_and(|g| !g.grants.model.is_empty())
        };
        let among = |what: &dyn Fn(GateIx) -> bool| {
            let to_come = |state| matches!(state, GateState::Pending | GateState::Ready);
            let all = self.gates.iter().filter(|(_, g)| to_come(g.state));
            all.filter(|(ix, _)| what(*ix)).count().max(1) as u64
        };
        let micros = self
            .money()
            .map_or(Ok(None), |purse| purse.share(purse.free() / among(&spends)));
        let tokens = match self.tokens() {
            None => Ok(None),
            Some(_) if !reads(ix) => Ok(Some(0)),
            Some(purse) => purse.share(purse.free() / among(&reads)),
        };
        self.together(micros, tokens, || format!("gate `{}`", self.gate_name(ix)))
    }

    fn money(&self) -> Option<Purse> {
        Some(Purse {
            unit: Unit::Money,
            limit: self.limit().micros?,
            spent: self.ledger.spent.micros,
            held: self.ledger.held.micros,
        })
    }

    fn tokens(&self) -> Option<Purse> {
        Some(Purse {
            unit: Unit::Tokens,
            limit: self.limit().tokens?,
            spent: self.ledger.spent.tokens,
            held: self.ledger.held.tokens,
        })
    }

    fn together(&self, micros: Part, tokens: Part, who: impl Fn() -> String) -> Fit {
        let lacks = match (micros, tokens) {
            (Ok(micros), Ok(tokens)) => return Fit::Now(Allowance { micros, tokens }),
            // What can never be is not worth waiting for.
            (Err(Lacks::Later), Err(lacks)) | (Err(lacks), _) | (Ok(_), Err(lacks)) => lacks,
        };
        let why = match lacks {
            Lacks::Later => return Fit::Later,
            Lacks::Own => "has spent its own `budget`; raise `budget` of the task".to_owned(),
            Lacks::Whole(purse, own) => format!(
                "needs {}, and {} of the run's {} are left; {}, or lower `budget` of the task",
                purse.say(own),
                purse.say(purse.left()),
                purse.say(purse.limit),
                self.remedy(purse.unit),
            ),
            Lacks::Share(purse) => format!(
                "needs a share of what is left, and {} of the run's {} are; {}",
                purse.say(purse.left()),
                purse.say(purse.limit),
                self.remedy(purse.unit),
            ),
        };
        Fit::Never(format!("over the budget: {} {why}", who()))
    }

    /// Which line to change.
    fn remedy(&self, unit: Unit) -> String {
        let planned = self.plan.as_ref().and_then(|plan| plan.budget);
        let given = self.order.budget;
        let (line, own, given) = match unit {
            Unit::Money => ("limit", planned.map(|b| b.limit), given.micros),
            Unit::Tokens => ("tokens", planned.and_then(|b| b.tokens), given.tokens),
        };
        let file = match (own, given) {
            (Some(own), Some(given)) if given < own => "project",
            (Some(_), _) => "workflow",
            (None, _) => "project",
        };
        format!("raise `{line}` under [budget] of the {file}")
    }
}
