//! The promises of the engine, checked from outside: an observer sees events, commands and what the run says of
//! itself, keeps its own account, and compares. It must not use the engine's rules to check the engine's rules.

mod books;
mod budget;
mod decided;
mod ends;
mod gates;
mod people;
mod reasons;
mod starts;

use books::Books;
use people::People;
use sandgate_engine::{
    Allowance, Command, Event, GateEnd, GateState, Reason, Run, RunState, TaskState,
};
use sandgate_model::{
    About, Actor, AttemptEnd, AttemptNo, CallEnd, Caller, GateIx, Moment, NeedKind, Plan, PlanTask,
    Rule, Session, SessionName, TaskIx, TaskWork,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Violation {
    /// Which promise.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

pub(crate) type Checked = Result<(), Violation>;

pub(crate) fn broken(invariant: &'static str, what: impl Into<String>) -> Checked {
    Err(Violation {
        invariant,
        what: what.into(),
    })
}

/// What the observer knows of a task.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    /// Its place in the plan; an instance has its parent's.
    pub(crate) plan: TaskIx,
    pub(crate) state: TaskState,
    pub(crate) attempt: u32,
    /// Failures since the beginning or the last retry by a person.
    pub(crate) failures: u32,
    /// No further attempt may follow: permanent, or of a kind that never changes.
    pub(crate) final_failure: bool,
    /// The run says that it waits or failed because of the budget.
    pub(crate) lacks: bool,
    /// It gave an output.
    pub(crate) output: bool,
    pub(crate) artifacts: BTreeSet<String>,
    pub(crate) members: Vec<TaskIx>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Observer {
    /// The plan as the world knows it, whatever the engine was told.
    pub(crate) plan: Arc<Plan>,
    only: Option<&'static str>,
    pub(crate) state: RunState,
    pub(crate) tasks: Vec<Fact>,
    pub(crate) running: BTreeMap<TaskIx, AttemptNo>,
    pub(crate) evaluating: BTreeSet<TaskIx>,
    pub(crate) gates_running: BTreeSet<GateIx>,
    /// Last answer of each gate: whether it was a pass.
    pub(crate) passed: BTreeMap<GateIx, bool>,
    pub(crate) paused: bool,
    pub(crate) cancelled: bool,
    pub(crate) stopping: bool,
    /// Tasks whose own condition was false.
    pub(crate) false_conditions: BTreeSet<TaskIx>,
    /// States of gates, as the run says.
    pub(crate) gates: Vec<GateState>,
    /// Costs and calls.
    pub(crate) books: Books,
    /// What was put to people, and what they said.
    pub(crate) people: People,
    /// Recorded work that stopped in the middle and was interrupted: what it had begun may have been approved for one
    /// time.
    pub(crate) risky: BTreeSet<Caller>,
    /// Calls that began and did not end, with their kinds.
    pub(crate) under_way: BTreeMap<Caller, BTreeMap<u32, NeedKind>>,
    /// Whoever has a call that ended and whose answer is on no tape.
    pub(crate) untold: BTreeSet<Caller>,
}

impl Observer {
    /// An observer of a run that will be given this plan.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            only: None,
            state: RunState::Draft,
            tasks: Vec::new(),
            running: BTreeMap::new(),
            evaluating: BTreeSet::new(),
            gates_running: BTreeSet::new(),
            passed: BTreeMap::new(),
            paused: false,
            cancelled: false,
            stopping: false,
            false_conditions: BTreeSet::new(),
            gates: Vec::new(),
            books: Books::default(),
            people: People::default(),
            risky: BTreeSet::new(),
            under_way: BTreeMap::new(),
            untold: BTreeSet::new(),
        }
    }

    /// The run has these rules, and this is who asked for it.
    #[must_use]
    pub fn with_rules(mut self, rules: Vec<Rule>, by: Option<Actor>) -> Self {
        self.people = People::new(rules, by);
        self
    }

    /// The project's budget reserved so much for the run.
    #[must_use]
    pub fn with_budget(mut self, budget: Allowance) -> Self {
        self.books = Books::new(budget);
        self
    }

    /// Takes in an event that the engine accepted, the commands it gave, and the run after it; checks everything.
    ///
    /// # Errors
    /// The first broken promise.
    pub fn observe(
        &mut self,
        at: Moment,
        event: &Event,
        commands: &[Command],
        run: &Run,
    ) -> Checked {
        if let Event::PlanFrozen { plan, .. } | Event::PlanModified { plan, .. } = event {
            self.plan = Arc::clone(plan);
            self.tasks.clear();
            self.false_conditions.clear();
        }
        let early = [
            self.invariant_pause(event),
            self.invariant_stop(event, commands),
            self.invariant_dependency_order(event),
            self.invariant_retry_limit(event),
            self.invariant_tiers(event),
            self.invariant_commands(event, commands),
            self.invariant_calls(event),
            self.invariant_approved_first(event),
            self.invariant_used_once(event),
            self.invariant_asked_once(event),
        ];
        early
            .into_iter()
            .try_for_each(|checked| self.report(checked))?;
        let before = self.clone_states();
        let was_running: Vec<TaskIx> = self.running.keys().copied().collect();
        let was_stopping = self.stopping;
        let reservation = self.expected_reservation(event);
        let free = self.books.free();

        let was_risky = self.risky.clone();
        let was_loud: BTreeSet<Caller> =
            self.under_way.keys().chain(&self.untold).copied().collect();
        self.hear(at, event, commands);
        self.look(at, event, run);

        let reserved = self.invariant_reservations(reservation, free, run);
        let late = [
            reserved,
            self.invariant_ledger(run),
            self.invariant_calls_pair(run),
            self.invariant_refusals(event, &before, run),
            self.invariant_concurrency(),
            self.invariant_slots(run),
            self.invariant_one_decision(event, run),
            self.invariant_asks_end(run),
            self.invariant_results(&before),
            self.invariant_tape(event, run),
            self.invariant_signals(event, &before),
            self.invariant_steered(event, &before),
            self.invariant_sessions(),
            self.invariant_finished_stays(&before),
            self.invariant_attempts_are_final(event),
            self.invariant_unknown_ends(event, &was_running, was_stopping, (&was_risky, &was_loud)),
            self.invariant_cancel_wins(&before, run),
            self.invariant_gates_fail_closed(run),
            self.invariant_no_owner_is_left(run),
            self.invariant_outcome(run),
            self.invariant_reasons(run),
            self.invariant_order_of_starts(run),
        ];
        late.into_iter()
            .try_for_each(|checked| self.report(checked))
    }

    /// Looks out for one promise alone: the others do not get in its way when the observer itself is tested.
    #[must_use]
    pub fn only(mut self, promise: &'static str) -> Self {
        self.only = Some(promise);
        self
    }

    /// Drops what it does not look out for.
    pub(crate) fn report(&self, checked: Checked) -> Checked {
        match checked {
            Err(violation) if self.only.is_some_and(|only| only != violation.invariant) => Ok(()),
            checked => checked,
        }
    }

    fn clone_states(&self) -> Vec<TaskState> {
        self.tasks.iter().map(|fact| fact.state).collect()
    }

    pub(crate) fn fact(&self, ix: TaskIx) -> Option<&Fact> {
        self.tasks.get(ix.get())
    }

    pub(crate) fn planned(&self, ix: TaskIx) -> Option<&PlanTask> {
        self.plan.task(self.fact(ix)?.plan)
    }

    pub(crate) fn session(&self, ix: TaskIx) -> Option<&SessionName> {
        match &self.planned(ix)?.work {
            TaskWork::Agent {
                session: Session::Pinned(name),
                ..
            } => Some(name),
            _ => None,
        }
    }

    /// What the event itself says.
    fn hear(&mut self, at: Moment, event: &Event, commands: &[Command]) {
        self.hear_books(event);
        self.hear_people(at, event);
        match event {
            Event::AttemptStarted { task, attempt } | Event::AttemptResumed { task, attempt } => {
                self.running.insert(*task, *attempt);
            }
            Event::Suspended { by, .. } => match by {
                Caller::Planner => {}
                Caller::Task { task, .. } => {
                    self.running.remove(task);
                }
                Caller::Gate { gate, .. } => {
                    self.gates_running.remove(gate);
                }
            },
            Event::AttemptEnded { task, end, .. } => {
                self.running.remove(task);
                self.hear_end(*task, end);
            }
            Event::GateStarted { gate, .. } | Event::GateResumed { gate, .. } => {
                self.gates_running.insert(*gate);
                self.passed.remove(gate);
            }
            Event::GateEnded { gate, end, .. } => {
                self.gates_running.remove(gate);
                self.passed.insert(*gate, passes(end));
            }
            Event::TaskEvaluated { task, evaluated } => {
                self.evaluating.remove(task);
                if *evaluated == sandgate_engine::Evaluated::Skip {
                    self.false_conditions.insert(*task);
                }
            }
            Event::HostStarted => {
                self.running.clear();
                self.gates_running.clear();
            }
            Event::PlanFrozen { .. } | Event::PlanModified { .. } => {
                self.books.frozen(&self.plan);
            }
            Event::Paused { .. } => self.paused = true,
            Event::Resumed { .. } => self.paused = false,
            Event::CancelRequested { .. } => self.cancelled = true,
            Event::RetryRequested { .. } | Event::VerifyRequested => {
                self.cancelled = false;
                self.passed.clear();
            }
            _ => {}
        }
        for command in commands {
            if let Command::Evaluate { task } = command {
                self.evaluating.insert(*task);
            }
        }
    }

    /// What a tape does not know of.
    fn hear_calls(&mut self, event: &Event) {
        match event {
            Event::CallStarted { by, call, request } => {
                let calls = self.under_way.entry(*by).or_default();
                calls.insert(*call, request.kind);
            }
            Event::CallEnded {
                by,
                call,
                end,
                tape,
                ..
            } => {
                let calls = self.under_way.entry(*by).or_default();
                let kind = calls.remove(call);
                if calls.is_empty() {
                    self.under_way.remove(by);
                }
                let files = kind == Some(NeedKind::FilesWrite);
                match tape {
                    Some(_) => drop(self.untold.remove(by)),
                    None if files && matches!(end, CallEnd::Done { .. }) => {}
                    None => drop(self.untold.insert(*by)),
                }
            }
            Event::Suspended { by, .. } => self.hush(*by),
            Event::AttemptEnded { task, attempt, .. } => self.hush(Caller::Task {
                task: *task,
                attempt: *attempt,
            }),
            Event::GateEnded { gate, attempt, .. } => self.hush(Caller::Gate {
                gate: *gate,
                attempt: *attempt,
            }),
            Event::PlanFrozen { .. } | Event::PlannerFailed { .. } => self.hush(Caller::Planner),
            Event::HostStarted => {
                self.under_way.clear();
                self.untold.clear();
            }
            _ => {}
        }
    }

    fn hush(&mut self, by: Caller) {
        self.under_way.remove(&by);
        self.untold.remove(&by);
    }

    /// What it says about people, and what people said.
    fn hear_people(&mut self, at: Moment, event: &Event) {
        self.hear_calls(event);
        match event {
            // Open, and approved for one time: nobody knows whether it happened, should its caller stop now.
            Event::CallStarted { by, request, .. } if request.consent.is_some() => {
                self.risky.insert(*by);
            }
            Event::CallEnded {
                by, tape: Some(_), ..
            } if self.books.open_consents(*by) == 0 => {
                self.risky.remove(by);
            }
            Event::Suspended { by, .. } => {
                self.risky.remove(by);
            }
            Event::TaskCancelRequested { task, .. } => {
                let members = self.fact(*task).map_or(&[][..], |fact| &fact.members);
                let all = std::iter::once(*task).chain(members.iter().copied());
                let open = |ix: &TaskIx| self.fact(*ix).is_some_and(|fact| !fact.state.ended());
                let open: Vec<TaskIx> = all.filter(open).collect();
                self.people.called_off.extend(open);
            }
            _ => {}
        }
        let recorded = match event {
            Event::AttemptStarted { task, .. } => {
                self.planned(*task).is_some_and(|t| t.grants.may_wait())
            }
            Event::GateStarted { gate, .. } => {
                let gate = self.plan.gates.get(gate.get());
                gate.is_some_and(|gate| gate.grants.may_wait())
            }
            _ => false,
        };
        let named = match event {
            Event::Asked { ask } => match ask.about {
                About::Task { task } | About::Result { task } => {
                    self.planned(task).and_then(|t| t.approval_rule.clone())
                }
                _ => None,
            },
            _ => None,
        };
        let before = self
            .people
            .asks
            .iter()
            .filter(|ask| ask.ended.is_none())
            .count();
        self.people.hear(at, event, recorded, named.as_ref());
        let after = self
            .people
            .asks
            .iter()
            .filter(|ask| ask.ended.is_none())
            .count();
        if after < before
            && let Some(ask) = match event {
                Event::Decided { ask, .. }
                | Event::TimerFired {
                    timer: sandgate_engine::Timer::Ask(ask),
                } => self.people.get(*ask),
                _ => None,
            }
            && ask.ended == Some(sandgate_engine::AskState::Approved)
            && let About::TaskBudget { lacks, .. } | About::GateBudget { lacks, .. } = ask.about
        {
            self.books.grant(lacks);
        }
    }

    /// A report of charges of which each has to be approved is none.
    fn hear_books(&mut self, event: &Event) {
        self.books.unasked = false;
        if let Event::AttemptEnded {
            task,
            attempt,
            end: AttemptEnd::Output(output),
            took,
        } = event
        {
            let asks = (self.planned(*task)).is_some_and(|task| task.grants.budget_approval);
            if asks && output.charges.iter().any(|charge| charge.micros > 0) {
                let mut output = output.clone();
                output.charges.clear();
                self.books.hear(&Event::AttemptEnded {
                    task: *task,
                    attempt: *attempt,
                    end: AttemptEnd::Output(output),
                    took: *took,
                });
                self.books.unasked = true;
                return;
            }
        }
        self.books.hear(event);
    }

    fn hear_end(&mut self, task: TaskIx, end: &AttemptEnd) {
        let produces = self
            .planned(task)
            .map(|t| t.produces.clone())
            .unwrap_or_default();
        let stopping = self.stopping || self.cancelled || self.is_called_off(task);
        let over = self.books.over || self.books.unasked;
        let Some(fact) = self.tasks.get_mut(task.get()) else {
            return;
        };
        match end {
            _ if stopping => {}
            AttemptEnd::Output(output) => {
                fact.artifacts = output
                    .artifacts
                    .iter()
                    .map(|a| a.name.to_string())
                    .collect();
                let complete = produces
                    .iter()
                    .all(|name| fact.artifacts.contains(name.as_str()));
                fact.failures += u32::from(!complete || over);
                // A report beyond the reservation is a refusal.
                fact.final_failure = over;
            }
            AttemptEnd::Failed {
                class, permanent, ..
            } => {
                fact.failures += 1;
                fact.final_failure = *permanent || !class.retryable();
            }
            AttemptEnd::Cancelled => fact.failures += 1,
            AttemptEnd::Interrupted => {}
        }
    }

    /// What the run says of itself now.
    fn look(&mut self, at: Moment, event: &Event, run: &Run) {
        let mut fresh = Vec::new();
        if run.plan().is_none() {
            // It was rejected, and nothing of it is left.
            self.tasks.clear();
            self.false_conditions.clear();
            self.books.unplanned();
        }
        for view in run.tasks() {
            let waits = || {
                run.blocked(view.ix)
                    .is_some_and(|b| b.reason == Reason::Budget)
            };
            let lacks = match view.state {
                TaskState::Failed => view.over_budget,
                TaskState::Pending => waits(),
                _ => false,
            };
            match self.tasks.get_mut(view.ix.get()) {
                Some(fact) => {
                    let again = matches!(event, Event::RetryRequested { .. })
                        && matches!(
                            fact.state,
                            TaskState::Failed | TaskState::Lost | TaskState::Cancelled
                        )
                        && (view.state != fact.state
                            || (view.state == TaskState::Failed && view.since == at));
                    if again {
                        fact.failures = 0;
                        fact.final_failure = false;
                        self.people.again(view.ix);
                        // With an instance the whole is wanted again.
                        if let Some(parent) = view.parent {
                            self.people.called_off.remove(&parent);
                        }
                    }
                    if view.state.ended() {
                        self.people.paused.remove(&view.ix);
                    }
                    fact.state = view.state;
                    fact.attempt = view.attempt.0;
                    fact.lacks = lacks;
                    fact.output = view.output.is_some();
                }
                None => fresh.push((
                    view.parent,
                    Fact {
                        plan: view.parent.unwrap_or(view.ix),
                        state: view.state,
                        attempt: view.attempt.0,
                        failures: 0,
                        final_failure: false,
                        lacks,
                        output: view.output.is_some(),
                        artifacts: BTreeSet::new(),
                        members: Vec::new(),
                    },
                )),
            }
        }
        for (parent, fact) in fresh {
            let ix = TaskIx(u32::try_from(self.tasks.len()).unwrap_or(u32::MAX));
            self.tasks.push(fact);
            if let Some(parent) = parent.and_then(|parent| self.tasks.get_mut(parent.get())) {
                parent.members.push(ix);
            }
        }
        self.gates = run.gates().map(|gate| gate.state).collect();
        self.state = run.state();
        self.stopping = run.stopping();
        if run.state().ended() {
            self.paused = false;
        }
        // A stopped run forgets its questions.
        let tasks = &self.tasks;
        self.evaluating.retain(|ix| {
            tasks
                .get(ix.get())
                .is_some_and(|fact| fact.state == TaskState::Ready)
        });
    }
}

fn passes(end: &GateEnd) -> bool {
    match end {
        GateEnd::Checks { checks } => {
            !checks.is_empty()
                && checks
                    .iter()
                    .all(|c| c.verdict == sandgate_model::Verdict::Pass)
        }
        _ => false,
    }
}
