//! The observer's own books: what events say was spent, reserved and called, added up once more from outside.

use sandgate_engine::{Allowance, CallCounts, Event};
use sandgate_model::{Amount, AttemptEnd, CallEnd, Caller, Charge, GateIx, NeedKind, Plan, TaskIx};
use std::collections::BTreeMap;

/// What a caller has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Purse {
    /// What the run said it reserved for it when it started.
    pub(crate) cap: Allowance,
    pub(crate) spent: Amount,
    pub(crate) last: u32,
    pub(crate) open: BTreeMap<u32, (NeedKind, Amount)>,
    /// Of those: begun with somebody's consent.
    pub(crate) consents: BTreeMap<u32, ()>,
}

impl Purse {
    pub(crate) fn pending(&self) -> Amount {
        self.open
            .values()
            .fold(Amount::NOTHING, |sum, (_, reserve)| sum.plus(*reserve))
    }

    pub(crate) fn left(&self) -> Allowance {
        self.cap.minus(self.spent).minus(self.pending())
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// What the project reserved for the run.
    pub(crate) given: Allowance,
    /// What the run may cost.
    pub(crate) limit: Allowance,
    /// What was spent before there was a plan, and so before its limit was known.
    pub(crate) before: Amount,
    pub(crate) spent: Amount,
    pub(crate) planner: Purse,
    pub(crate) purses: BTreeMap<Caller, Purse>,
    pub(crate) tasks: BTreeMap<TaskIx, Amount>,
    pub(crate) gates: BTreeMap<GateIx, Amount>,
    pub(crate) calls: BTreeMap<NeedKind, CallCounts>,
    /// What people let the run have beyond its limit.
    pub(crate) granted: Amount,
    /// The number of the last call of work that stopped in the middle.
    pub(crate) stopped: BTreeMap<Caller, u32>,
    /// The last end of an attempt reported more than the attempt had.
    pub(crate) over: bool,
    /// The last end of an attempt reported charges that people were to be asked about.
    pub(crate) unasked: bool,
}

impl Books {
    pub(crate) fn new(given: Allowance) -> Self {
        Self {
            given,
            limit: given,
            ..Self::default()
        }
    }

    /// What running callers keep from others.
    pub(crate) fn held(&self) -> Amount {
        let bounded = |n: Option<u64>, limit: Option<u64>| limit.and(n).unwrap_or(0);
        self.purses.values().fold(Amount::NOTHING, |sum, purse| {
            let left = purse.cap.minus(purse.spent);
            sum.plus(Amount {
                micros: bounded(left.micros, self.limit.micros),
                tokens: bounded(left.tokens, self.limit.tokens),
            })
        })
    }

    pub(crate) fn free(&self) -> Allowance {
        self.limit.minus(self.spent).minus(self.held())
    }

    fn purse(&mut self, by: Caller) -> &mut Purse {
        match by {
            Caller::Planner => &mut self.planner,
            _ => self.purses.entry(by).or_default(),
        }
    }

    fn book(&mut self, by: Caller, cost: Amount) {
        let purse = self.purse(by);
        purse.spent = purse.spent.plus(cost);
        self.spent = self.spent.plus(cost);
        let of = match by {
            Caller::Planner => return,
            Caller::Task { task, .. } => self.tasks.entry(task).or_default(),
            Caller::Gate { gate, .. } => self.gates.entry(gate).or_default(),
        };
        *of = of.plus(cost);
    }

    fn end(&mut self, by: Caller, call: u32, end: &CallEnd) {
        let Some((kind, reserve)) = self.purse(by).open.remove(&call) else {
            return;
        };
        let counts = self.calls.entry(kind).or_default();
        let cost = match end {
            CallEnd::Done { cost, .. } => {
                counts.done += 1;
                *cost
            }
            CallEnd::Failed { cost, .. } => {
                counts.failed += 1;
                *cost
            }
            CallEnd::Interrupted => {
                counts.interrupted += 1;
                reserve
            }
        };
        self.book(by, cost);
    }

    fn close(&mut self, by: Caller, charges: &[Charge]) {
        let open: Vec<u32> = self.purse(by).open.keys().copied().collect();
        for call in open {
            self.end(by, call, &CallEnd::Interrupted);
        }
        let sum = charges.iter().map(|charge| charge.micros).sum::<u64>();
        let left = self.purse(by).left().micros.unwrap_or(u64::MAX);
        self.over = sum > left;
        let cost = Amount {
            micros: sum.min(left),
            tokens: 0,
        };
        self.book(by, cost);
        let last = match by {
            Caller::Planner => self.planner.last,
            by => self.purses.get(&by).map_or(0, |purse| purse.last),
        };
        let stopped = self.stopped.entry(by).or_default();
        *stopped = last.max(*stopped);
        self.purses.remove(&by);
    }

    /// The number of the last call of a caller, before and after it stopped.
    pub(crate) fn last(&self, by: Caller, purse: &Purse) -> u32 {
        let stopped = self.stopped.get(&by).copied().unwrap_or(0);
        purse.last.max(stopped)
    }

    pub(crate) fn open_consents(&self, by: Caller) -> usize {
        self.purses.get(&by).map_or(0, |purse| {
            let open = purse.consents.keys();
            open.filter(|call| purse.open.contains_key(call)).count()
        })
    }

    /// People let the run have this much more.
    pub(crate) fn grant(&mut self, lacks: Amount) {
        self.granted = self.granted.plus(lacks);
        let more = |limit: Option<u64>, by: u64| limit.map(|limit| limit.saturating_add(by));
        self.limit = Allowance {
            micros: more(self.limit.micros, lacks.micros),
            tokens: more(self.limit.tokens, lacks.tokens),
        };
    }

    /// What the event itself says.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::PlannerFailed { .. } | Event::CancelRequested { .. } => {
                self.close(Caller::Planner, &[]);
            }
            Event::PlanFrozen { .. } => {
                self.close(Caller::Planner, &[]);
                self.stopped.remove(&Caller::Planner);
                self.before = self.spent;
            }
            Event::Suspended { by, .. } => self.close(*by, &[]),
            Event::AttemptEnded {
                task, attempt, end, ..
            } => {
                let by = Caller::Task {
                    task: *task,
                    attempt: *attempt,
                };
                match end {
                    AttemptEnd::Output(output) => self.close(by, &output.charges),
                    _ => self.close(by, &[]),
                }
            }
            Event::GateEnded { gate, attempt, .. } => {
                let by = Caller::Gate {
                    gate: *gate,
                    attempt: *attempt,
                };
                self.close(by, &[]);
            }
            Event::HostStarted => {
                let all: Vec<Caller> = self.purses.keys().copied().collect();
                for by in all.into_iter().chain([Caller::Planner]) {
                    self.close(by, &[]);
                }
            }
            Event::CallStarted { by, call, request } => {
                let purse = self.purse(*by);
                purse.last = *call;
                purse.open.insert(*call, (request.kind, request.reserve));
                if request.consent.is_some() {
                    purse.consents.insert(*call, ());
                }
                self.calls.entry(request.kind).or_default().started += 1;
            }
            Event::CallEnded { by, call, end, .. } => self.end(*by, *call, end),
            Event::CallRefused { request, .. } => {
                self.calls.entry(request.kind).or_default().refused += 1;
            }
            _ => {}
        }
    }

    /// There is no plan any more.
    pub(crate) fn unplanned(&mut self) {
        self.limit = self.given;
    }

    /// From now on the plan's limit counts, too.
    pub(crate) fn frozen(&mut self, plan: &Plan) {
        let least = |a: Option<u64>, b: Option<u64>| [a, b].into_iter().flatten().min();
        self.limit = Allowance {
            micros: least(self.given.micros, plan.budget.map(|b| b.limit)),
            tokens: least(self.given.tokens, plan.budget.and_then(|b| b.tokens)),
        };
    }
}
