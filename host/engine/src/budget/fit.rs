//! Whether what wants to start can reserve what it needs. Questions only; what follows is in `fund`.

use super::say::money;
use crate::{Allowance, GateState, Run};
use sandgate_model::{Amount, GateIx, TaskIx};

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
        let Some((micros, tokens)) = self.parts(ix) else {
            return Fit::Free;
        };
        let fit = self.together(micros, tokens, || format!("task `{}`", self.name(ix)));
        self.or_nothing(fit, self.tasks[ix].restores())
    }

    /// Work that goes on where it stopped may do so without money: what costs something is then refused by itself.
    fn or_nothing(&self, fit: Fit, resumes: bool) -> Fit {
        match fit {
            Fit::Never(_) if resumes => Fit::Now(Allowance {
                micros: Some(0),
                tokens: self.limit().tokens.map(|_| 0),
            }),
            fit => fit,
        }
    }

    /// What a task would reserve of each; `None`: it does not spend.
    fn parts(&self, ix: TaskIx) -> Option<(Part, Part)> {
        let (claims, claim) = (self.claims.as_ref()?, self.claim(ix)?);
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
            Some(purse) if self.tokens_granted(ix) > 0 => purse.whole(self.tokens_granted(ix)),
            Some(purse) => {
                let most = self.planned(ix).and_then(|task| task.limits.tokens);
                purse
                    .share(purse.free() / u64::from(claims.readers.max(1)))
                    .map(|share| Some(share?.min(most.unwrap_or(u64::MAX))))
            }
        };
        Some((micros, tokens))
    }

    fn tokens_granted(&self, ix: TaskIx) -> u64 {
        let human = self.tasks[ix].human.as_ref();
        human
            .and_then(|human| human.granted)
            .map_or(0, |granted| granted.tokens)
    }

    /// What a task lacks to start, of what it would reserve: nothing when it could.
    pub(crate) fn lacks(&self, ix: TaskIx) -> Amount {
        let own = self.planned(ix).and_then(|task| task.budget);
        let own = own.map_or(0, |budget| self.part(ix, budget));
        self.parts(ix)
            .map_or(Amount::NOTHING, |(micros, tokens)| Amount {
                micros: self.lack(micros, own),
                tokens: self.lack(tokens, own),
            })
    }

    /// The same for a gate.
    pub(crate) fn lacks_of_gate(&self, ix: GateIx) -> Amount {
        self.gate_parts(ix)
            .map_or(Amount::NOTHING, |(micros, tokens)| Amount {
                micros: self.lack(micros, 0),
                tokens: self.lack(tokens, 0),
            })
    }

    /// What has no budget of its own lacks an even share of what the run was given for all who spend.
    fn lack(&self, part: Part, own: u64) -> u64 {
        let Err(lacks) = part else {
            return 0;
        };
        match lacks {
            Lacks::Later => 0,
            // A part of nothing (a budget of 0, or of less than there are instances) lacks something all the same.
            Lacks::Own => own.max(1),
            Lacks::Whole(purse, own) => own.saturating_sub(purse.left()),
            Lacks::Share(purse) => {
                let granted = match purse.unit {
                    Unit::Money => self.ledger.granted.micros,
                    Unit::Tokens => self.ledger.granted.tokens,
                };
                let all = self
                    .claims
                    .as_ref()
                    .map_or(1, |claims| claims.planned.max(1));
                (purse.limit.saturating_sub(granted) / u64::from(all)).max(1)
            }
        }
    }

    /// Whether a gate can reserve. O(gates), of which there are few.
    pub(crate) fn fit_gate(&self, ix: GateIx) -> Fit {
        let Some((micros, tokens)) = self.gate_parts(ix) else {
            return Fit::Free;
        };
        let fit = self.together(micros, tokens, || format!("gate `{}`", self.gate_name(ix)));
        self.or_nothing(fit, self.gates[ix].restore.is_some())
    }

    /// What a gate would reserve of each; `None`: it does not spend, or nothing is bounded.
    fn gate_parts(&self, ix: GateIx) -> Option<(Part, Part)> {
        let spends = |ix| self.planned_gate(ix).is_some_and(|g| g.grants.spends());
        if self.limit().is_open() || !spends(ix) {
            return None;
        }
        let granted = self.gates[ix].granted;
        let reads = |ix| {
            let gate = self.planned_gate(ix);
            gate.is_some_and(|g| !g.grants.model.is_empty())
        };
        let among = |what: &dyn Fn(GateIx) -> bool| {
            let to_come = |state| matches!(state, GateState::Pending | GateState::Ready);
            let all = self.gates.iter().filter(|(_, g)| to_come(g.state));
            all.filter(|(ix, _)| what(*ix)).count().max(1) as u64
        };
        let micros = self.money().map_or(Ok(None), |purse| match granted.micros {
            0 => purse.share(purse.free() / among(&spends)),
            granted => purse.whole(granted),
        });
        let tokens = match self.tokens() {
            None => Ok(None),
            Some(_) if !reads(ix) => Ok(Some(0)),
            Some(purse) if granted.tokens > 0 => purse.whole(granted.tokens),
            Some(purse) => purse.share(purse.free() / among(&reads)),
        };
        Some((micros, tokens))
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
