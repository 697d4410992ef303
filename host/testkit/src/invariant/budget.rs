//! Money: never more than there is, never to the wrong account, and every call has exactly one end.

use super::{Checked, Observer, broken};
use sandgate_engine::{Allowance, Event, GateState, Run, RunState, TaskState, Timer};
use sandgate_model::{
    About, Amount, AttemptEnd, CallEnd, Caller, Grants, OverBudget, PlanTask, TaskIx, TaskWork,
};

fn spends(task: &PlanTask) -> bool {
    matches!(task.work, TaskWork::Agent { .. }) && (task.grants.spends() || task.budget.is_some())
}

fn reads(grants: &Grants) -> bool {
    !grants.model.is_empty()
}

impl Observer {
    /// A call begins only for who runs, under the next number, within what is left, and not while the run is stopping;
    /// it ends once, and never costs more than it reserved.
    pub(crate) fn invariant_calls(&self, event: &Event) -> Checked {
        const NAME: &str = "calls";
        let (by, call) = match event {
            Event::CallStarted { by, call, .. } | Event::CallEnded { by, call, .. } => (by, *call),
            _ => return Ok(()),
        };
        let runs = match by {
            Caller::Planner => self.state == RunState::Planning,
            Caller::Task { task, attempt } => self.running.get(task) == Some(attempt),
            Caller::Gate { gate, .. } => self.gates_running.contains(gate),
        };
        let purse = match by {
            Caller::Planner => Some(&self.books.planner),
            by => self.books.purses.get(by),
        };
        let Some(purse) = purse.filter(|_| runs) else {
            return broken(NAME, format!("{event:?}, and the caller does not run"));
        };
        let left = match by {
            Caller::Planner => self.books.free().minus(purse.pending()),
            _ => purse.left(),
        };
        let fits = match event {
            Event::CallStarted { request, .. } => {
                call == self.books.last(*by, purse) + 1
                    && !self.stopping
                    && left.covers(request.reserve)
            }
            Event::CallEnded { end, .. } => {
                let open = purse.open.get(&call);
                open.is_some_and(|(_, reserve)| match end {
                    CallEnd::Done { cost, .. } | CallEnd::Failed { cost, .. } => {
                        reserve.covers(*cost)
                    }
                    CallEnd::Interrupted => true,
                })
            }
            _ => true,
        };
        if fits {
            Ok(())
        } else {
            broken(NAME, format!("{event:?}, and the caller has {purse:?}"))
        }
    }

    /// What a start should reserve, from a walk over all tasks or gates; `None` for other events.
    pub(crate) fn expected_reservation(&self, event: &Event) -> Option<(Caller, Allowance)> {
        match event {
            Event::AttemptStarted { task, attempt } | Event::AttemptResumed { task, attempt } => {
                let by = Caller::Task {
                    task: *task,
                    attempt: *attempt,
                };
                Some((by, self.task_reservation(*task)?))
            }
            Event::GateStarted { gate, attempt } | Event::GateResumed { gate, attempt } => {
                let by = Caller::Gate {
                    gate: *gate,
                    attempt: *attempt,
                };
                let grants = &self.plan.gates.get(gate.get())?.grants;
                let share = |of: Option<u64>, what: fn(&Grants) -> bool| {
                    let to_come = self
                        .plan
                        .gates
                        .iter()
                        .zip(&self.gates)
                        .filter(|(g, state)| {
                            matches!(state, GateState::Pending | GateState::Ready)
                                && what(&g.grants)
                        });
                    let among = to_come.count() as u64;
                    of.map(|n| if what(grants) { n / among } else { 0 })
                };
                let free = self.books.free();
                let cap = Allowance {
                    micros: share(free.micros, Grants::spends),
                    tokens: share(free.tokens, reads),
                };
                Some((by, cap))
            }
            _ => None,
        }
    }

    fn task_reservation(&self, ix: TaskIx) -> Option<Allowance> {
        let planned = self.planned(ix)?;
        let free = self.books.free();
        if !spends(planned) {
            return Some(Allowance {
                micros: free.micros.map(|_| 0),
                tokens: free.tokens.map(|_| 0),
            });
        }
        let to_come = || {
            (0u32..)
                .map(TaskIx)
                .zip(&self.tasks)
                .filter(|(_, fact)| {
                    let waits = matches!(fact.state, TaskState::Pending | TaskState::Ready);
                    waits && !fact.output
                })
                .filter_map(|(ix, _)| Some((ix, self.planned(ix)?)))
                .filter(|(_, planned)| spends(planned))
        };
        let micros = match (self.own_budget(ix), free.micros) {
            (Some(own), _) => Some(own),
            (None, None) => None,
            (None, Some(free)) => {
                let promised: u64 = to_come().filter_map(|(ix, _)| self.own_budget(ix)).sum();
                let others = to_come().filter(|(_, t)| t.budget.is_none()).count() as u64;
                let share = free.saturating_sub(promised) / others;
                Some(if share > 0 {
                    share
                } else {
                    free / to_come().count() as u64
                })
            }
        };
        let tokens = free.tokens.map(|free| {
            if !reads(&planned.grants) {
                return 0;
            }
            let share = free / to_come().filter(|(_, t)| reads(&t.grants)).count() as u64;
            share.min(planned.limits.tokens.unwrap_or(u64::MAX))
        });
        Some(Allowance { micros, tokens })
    }

    /// What a task may still cost by its own budget.
    fn own_budget(&self, ix: TaskIx) -> Option<u64> {
        let budget = self.planned(ix)?.budget?;
        let fact = self.fact(ix)?;
        let part = if fact.plan == ix {
            budget
        } else {
            let members = &self.fact(fact.plan)?.members;
            let count = members.len() as u64;
            let n = members.iter().position(|member| *member == ix)? as u64;
            // The first ones get what does not divide.
            (budget + count - 1 - n) / count
        };
        let paid = self.books.tasks.get(&ix).map_or(0, |paid| paid.micros);
        Some(part.saturating_sub(paid))
    }

    /// What started has reserved what it should have, and there was so much.
    pub(crate) fn invariant_reservations(
        &mut self,
        expected: Option<(Caller, Allowance)>,
        free: Allowance,
        run: &Run,
    ) -> Checked {
        const NAME: &str = "reservations";
        let Some((by, expected)) = expected else {
            return Ok(());
        };
        let Some(cap) = run.allowance(by) else {
            return broken(NAME, format!("{by:?} started and has no account"));
        };
        let purse = self.books.purses.entry(by).or_default();
        purse.cap = cap;
        // Work that goes on where it stopped does so without money, too; and what people granted is for one task.
        let resumes = self.books.stopped.contains_key(&by);
        let granted = !self.books.granted.is_nothing();
        if cap != expected && !resumes && !granted {
            return broken(NAME, format!("{by:?} has {cap:?}, expected {expected:?}"));
        }
        let taken = Amount {
            micros: cap.micros.unwrap_or(0),
            tokens: cap.tokens.unwrap_or(0),
        };
        if !free.covers(taken) {
            return broken(NAME, format!("{by:?} took {cap:?} of {free:?}"));
        }
        let useless = match by {
            Caller::Task { task, .. } => {
                self.planned(task).is_some_and(spends) && cap.micros == Some(0) && !resumes
            }
            _ => false,
        };
        if useless {
            return broken(NAME, format!("{by:?} spends, started, and has nothing"));
        }
        Ok(())
    }

    /// At all times: spent and held together are within the limit, nobody spends more than was reserved for it, all
    /// parts add up to the whole, and the run says the same of itself.
    pub(crate) fn invariant_ledger(&self, run: &Run) -> Checked {
        const NAME: &str = "ledger";
        let books = &self.books;
        let (spent, held) = (books.spent, books.held());
        // A planner that spends before there is a plan cannot keep to the plan's limit.
        let within = |limit: Option<u64>, before: u64, sum: u64| {
            limit.is_none_or(|limit| sum <= limit.max(before))
        };
        let sum = spent.plus(held);
        if !within(books.limit.micros, books.before.micros, sum.micros)
            || !within(books.limit.tokens, books.before.tokens, sum.tokens)
        {
            return broken(
                NAME,
                format!("{spent:?} spent, {held:?} held: {:?}", books.limit),
            );
        }
        for (by, purse) in &books.purses {
            if !purse.cap.covers(purse.spent.plus(purse.pending())) {
                return broken(NAME, format!("{by:?} is over its reservation: {purse:?}"));
            }
            if run.allowance(*by) != Some(purse.left()) {
                let said = run.allowance(*by);
                return broken(NAME, format!("{by:?} has {said:?}, not {:?}", purse.left()));
            }
        }
        let parts = books.tasks.values().chain(books.gates.values());
        let parts = parts.fold(books.planner.spent, |sum, part| sum.plus(*part));
        if parts != spent || run.spent() != spent || run.limit() != books.limit {
            let (said, limit) = (run.spent(), run.limit());
            return broken(
                NAME,
                format!("parts {parts:?}, spent {spent:?}, said {said:?} of {limit:?}"),
            );
        }
        let differs = run.tasks().find(|view| {
            let own = books.tasks.get(&view.ix).copied().unwrap_or_default();
            own != view.spent
        });
        if let Some(view) = differs {
            return broken(
                NAME,
                format!("{:?} is said to cost {:?}", view.ix, view.spent),
            );
        }
        let idle = books.purses.is_empty() && books.planner.open.is_empty();
        if idle && !run.reserved().is_nothing() {
            return broken(
                NAME,
                format!("nothing runs, {:?} is reserved", run.reserved()),
            );
        }
        Ok(())
    }

    /// Whether a call of this caller is under way.
    pub(crate) fn calls_open(&self, by: Caller) -> bool {
        let purse = match by {
            Caller::Planner => Some(&self.books.planner),
            by => self.books.purses.get(&by),
        };
        purse.is_some_and(|purse| !purse.open.is_empty())
    }

    /// Whether a task waits because of the budget.
    pub(crate) fn lacking(&self) -> bool {
        let waits = |fact: &super::Fact| fact.lacks && fact.state == TaskState::Pending;
        self.tasks.iter().any(waits)
    }

    /// Whether the budget can be a reason for this task to wait.
    pub(crate) fn may_lack(&self, ix: TaskIx) -> bool {
        let bounded = !self.books.limit.is_open();
        self.planned(ix)
            .is_some_and(|task| spends(task) && (bounded || task.budget.is_some()))
    }

    /// When a run has ended, every call that began has exactly one end, and the summary says so.
    pub(crate) fn invariant_calls_pair(&self, run: &Run) -> Checked {
        const NAME: &str = "calls-pair";
        if !run.state().ended() {
            return Ok(());
        }
        let summary = run.summary();
        for (kind, counts) in &self.books.calls {
            if counts.started != counts.done + counts.failed + counts.interrupted {
                return broken(NAME, format!("{kind:?}: {counts:?}"));
            }
        }
        if summary.calls != self.books.calls || summary.cost_micros != summary.spent.micros {
            return broken(
                NAME,
                format!("{:?}, said {:?}", self.books.calls, summary.calls),
            );
        }
        Ok(())
    }

    /// What is refused because of the budget was not affordable, and the plan says to refuse.
    pub(crate) fn invariant_refusals(
        &self,
        event: &Event,
        before: &[TaskState],
        run: &Run,
    ) -> Checked {
        const NAME: &str = "refusals";
        // It had its attempt, and failed by that.
        let own = |ix| match event {
            Event::AttemptEnded { task, end, .. } => {
                *task == ix && (self.books.over || matches!(end, AttemptEnd::Failed { .. }))
            }
            // Somebody was asked, and said no, or nothing.
            Event::Decided { ask, .. }
            | Event::TimerFired {
                timer: Timer::Ask(ask),
            } => self.people.get(*ask).is_some_and(
                |ask| matches!(ask.about, About::TaskBudget { task, .. } if task == ix),
            ),
            _ => false,
        };
        let asks = self.plan.budget.is_some_and(|b| b.over == OverBudget::Ask);
        let refused = run.tasks().filter(|view| {
            let was = before.get(view.ix.get());
            let fresh = view.state == TaskState::Failed && was != Some(&TaskState::Failed);
            fresh && view.over_budget && view.instances == 0 && !own(view.ix)
        });
        for view in refused {
            if asks {
                return broken(NAME, format!("{:?} was not asked about", view.ix));
            }
            let left = self.books.limit.minus(self.books.spent);
            let many = self.tasks.len() as u64;
            let affordable = match self.own_budget(view.ix) {
                Some(own) => own > 0 && left.micros.is_none_or(|left| own <= left),
                None => left.micros.is_none_or(|left| left >= many),
            };
            let read = !reads(&view.plan.grants) || left.tokens.is_none_or(|left| left >= many);
            if affordable && read {
                return broken(
                    NAME,
                    format!("{:?} was refused with {left:?} left", view.ix),
                );
            }
        }
        Ok(())
    }
}
