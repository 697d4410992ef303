//! Capability calls: the intent before, the outcome after. Nothing outside happens without an intent on record, so an
//! intent is possible only for whoever runs, in order, and within what it has left.

use crate::{
    Allowance, GateState, Run, RunState,
    budget::{Open, amount},
    illegal::Handled,
    on::{attempt::no_task, gate::no_gate},
    task::Phase,
};
use sandgate_model::{Amount, CallEnd, CallRequest, Caller, Digest, NeedKind};

impl Run {
    /// The number of a caller's next call, from 1; `None` when it does not run.
    #[must_use]
    pub fn next_call(&self, by: Caller) -> Option<u32> {
        self.runs(by).ok()?;
        Some(self.number(by))
    }

    /// The same for a caller that runs. The numbers of one that was suspended go on.
    fn number(&self, by: Caller) -> u32 {
        let before = self.restore_of(by).map_or(0, |restore| restore.calls);
        match self.ledger.account(by) {
            Some(account) => account.next().max(before.saturating_add(1)),
            None => before.saturating_add(1),
        }
    }

    pub(crate) fn on_call_started(
        &mut self,
        by: Caller,
        call: u32,
        request: &CallRequest,
    ) -> Handled {
        self.runs(by)?;
        if self.stop.is_some() {
            return Err("the run is stopping, nothing new starts".into());
        }
        let next = self.number(by);
        if call != next {
            return Err(format!("the next call of {} is {next}, not {call}", self.who(by)).into());
        }
        self.consented(by, request)?;
        let left = self.left(by);
        if !left.covers(request.reserve) {
            return Err(self.over(by, left, request.reserve).into());
        }

        let open = Open {
            kind: request.kind,
            reserve: request.reserve,
            consent: request.consent.is_some(),
        };
        if let Some(consent) = request.consent {
            self.asks.consume(consent.ask);
            if let Some(restore) = self.restore_mut(by)
                && restore.ask == Some(consent.ask)
            {
                restore.ask = None;
            }
        }
        self.open_account(by).begin(call, open);
        let counts = self.ledger.count(request.kind);
        counts.started = counts.started.saturating_add(1);
        Ok(())
    }

    pub(crate) fn on_call_ended(
        &mut self,
        by: Caller,
        call: u32,
        end: &CallEnd,
        tape: Option<Digest>,
    ) -> Handled {
        self.runs(by)?;
        if tape.is_some() && self.restore_of(by).is_none() && by != Caller::Planner {
            return Err(format!("{} is not recorded", self.who(by)).into());
        }
        let account = self.ledger.account(by);
        let Some(open) = account.and_then(|account| account.open.get(&call)).copied() else {
            return Err(format!(
                "call {call} of {} is not open: it never began, or ended before",
                self.who(by)
            )
            .into());
        };
        let reserve = Allowance::from(open.reserve);
        let cost = match end {
            CallEnd::Done { cost, .. } | CallEnd::Failed { cost, .. } => *cost,
            CallEnd::Interrupted => open.reserve,
        };
        if !reserve.covers(cost) {
            return Err(format!(
                "call {call} of {} reserved {} and cannot have cost {}",
                self.who(by),
                amount(open.reserve),
                amount(cost)
            )
            .into());
        }

        self.end_call(by, call, |counts, _| {
            let count = match end {
                CallEnd::Done { .. } => &mut counts.done,
                CallEnd::Failed { .. } => &mut counts.failed,
                CallEnd::Interrupted => &mut counts.interrupted,
            };
            *count = count.saturating_add(1);
            cost
        });
        // What a guest changed in directories by itself is known when that is said to be done, without an answer.
        let done = matches!(end, CallEnd::Done { .. }) && open.kind == NeedKind::FilesWrite;
        match tape {
            None if !done => self.open_account(by).untold = true,
            _ => {}
        }
        match tape {
            // On it is every answer since the last piece.
            Some(tape) => {
                let heard = self.answered(by);
                let restore = self.record(by);
                restore.tape.push(tape);
                if heard {
                    restore.ask = None;
                }
                let account = self.open_account(by);
                account.unsaved = false;
                account.untold = false;
            }
            // Should it stop now, it would do again what was approved for one time.
            None if open.consent => self.open_account(by).unsaved = true,
            None => {}
        }
        Ok(())
    }

    pub(crate) fn on_call_refused(&mut self, by: Caller, request: &CallRequest) -> Handled {
        self.runs(by)?;
        if !self.left(by).covers(request.reserve) {
            self.open_account(by).over = true;
        }
        let counts = self.ledger.count(request.kind);
        counts.refused = counts.refused.saturating_add(1);
        Ok(())
    }

    /// Whether this caller runs now.
    pub(crate) fn runs(&self, by: Caller) -> Handled {
        match by {
            Caller::Planner => {
                let asked = self.asked_planner().is_some() && !self.planner_suspended();
                if self.state != RunState::Planning || !asked {
                    return Err("no planner runs".into());
                }
            }
            Caller::Task { task, attempt } => {
                let row = self.tasks.row(task).ok_or_else(|| no_task(task))?;
                if row.phase != Phase::Running || row.attempt != attempt.0 {
                    return Err(format!("{} does not run", self.who(by)).into());
                }
            }
            Caller::Gate { gate, attempt } => {
                let row = self.gates.row(gate).ok_or_else(|| no_gate(gate))?;
                if row.state != GateState::Running || row.attempt != attempt.0 {
                    return Err(format!("{} does not run", self.who(by)).into());
                }
            }
        }
        Ok(())
    }

    /// A caller's name for people.
    pub(crate) fn who(&self, by: Caller) -> String {
        match by {
            Caller::Planner => "the planner".to_owned(),
            Caller::Task { task, attempt } => {
                format!("attempt {} of task `{}`", attempt.0, self.name(task))
            }
            Caller::Gate { gate, attempt } => {
                format!("attempt {} of gate `{}`", attempt.0, self.gate_name(gate))
            }
        }
    }

    fn over(&self, by: Caller, left: Allowance, reserve: Amount) -> String {
        // Only what is bounded can be too little.
        let bounded = |n: u64, left: Option<u64>| left.map_or(0, |_| n);
        let needs = Amount {
            micros: bounded(reserve.micros, left.micros),
            tokens: bounded(reserve.tokens, left.tokens),
        };
        let left = Amount {
            micros: left.micros.unwrap_or(0),
            tokens: left.tokens.unwrap_or(0),
        };
        format!(
            "over the budget: this may cost {}, and {} is left of what {} may spend",
            amount(needs),
            amount(left),
            self.who(by)
        )
    }
}
