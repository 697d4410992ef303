//! The observer's own account of what was put to people and what they said, from the events alone: who may decide,
//! when a request is decided, which approvals are there and which are used up. Compared with what happens and with what
//! the run says of itself.

use super::{Checked, Observer, broken};
use sandgate_engine::{AskState, Event, Run, TaskState, Timer};
use sandgate_model::{
    About, Actor, Ask, AskNo, AttemptEnd, CallRequest, Caller, Decision, Digest, Moment, NeedKind,
    Rule, RuleOn, RuleTimeout, TaskIx,
};
use std::collections::{BTreeMap, BTreeSet};

/// One rule of a request.
#[derive(Clone, Debug)]
struct Want {
    rule: Option<Rule>,
    roles: Vec<String>,
    count: u32,
    yes: BTreeSet<String>,
    /// Nobody decided in time, and that counts as a yes.
    lapsed: bool,
    until: Option<Moment>,
    escalated: bool,
}

impl Want {
    fn met(&self) -> bool {
        self.lapsed || self.yes.len() >= self.count as usize
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct AskFact {
    pub(crate) about: About,
    pub(crate) digest: Digest,
    wants: Vec<Want>,
    said: BTreeMap<String, Decision>,
    pub(crate) ended: Option<AskState>,
    /// Votes that decided it.
    deciding: u32,
    for_run: bool,
    revoked: bool,
    uses: u32,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    rules: Vec<Rule>,
    by: Option<Actor>,
    pub(crate) asks: Vec<AskFact>,
    /// Requests from this place on count for a task: what came before is of an earlier life of it.
    since: BTreeMap<TaskIx, usize>,
    /// The same for all, since there is this plan.
    plan_since: usize,
    /// The same for what a planner asks: another one is asked anew.
    planner_since: usize,
    /// The request about the plan of now.
    plan: Option<usize>,
    /// What the host answered to recorded work.
    tapes: BTreeMap<Caller, Vec<Digest>>,
    /// Tasks that somebody paused.
    pub(crate) paused: BTreeSet<TaskIx>,
    /// Tasks that somebody cancelled.
    pub(crate) called_off: BTreeSet<TaskIx>,
    /// Waits that said what for.
    pub(crate) waits: BTreeMap<TaskIx, BTreeMap<String, String>>,
    /// The first thing that was wrong about a vote.
    wrong: Option<String>,
}

impl People {
    pub(crate) fn new(rules: Vec<Rule>, by: Option<Actor>) -> Self {
        Self {
            rules,
            by,
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, no: AskNo) -> Option<&AskFact> {
        self.asks.get((no.0 as usize).checked_sub(1)?)
    }

    fn get_mut(&mut self, no: AskNo) -> Option<&mut AskFact> {
        self.asks.get_mut((no.0 as usize).checked_sub(1)?)
    }

    /// Requests from this place on can be of this caller as it runs now.
    fn from(&self, by: Caller) -> usize {
        match by {
            Caller::Planner => self.planner_since,
            _ => self.plan_since,
        }
    }

    /// Whether this work was recorded and has not ended.
    pub(crate) fn recorded(&self, by: Caller) -> bool {
        self.tapes.contains_key(&by)
    }

    /// Approvals of this kind that count for a task now.
    fn approvals(&self, task: TaskIx, of: impl Fn(&About) -> bool) -> usize {
        let since = self.since.get(&task).copied().unwrap_or(0);
        let from = since.max(self.plan_since);
        let asks = self.asks.iter().skip(from);
        asks.filter(|ask| of(&ask.about) && ask.ended == Some(AskState::Approved))
            .count()
    }

    /// A person wants a task tried again: it is asked about anew.
    pub(crate) fn again(&mut self, task: TaskIx) {
        self.since.insert(task, self.asks.len());
        self.called_off.remove(&task);
        self.waits.remove(&task);
        self.paused.remove(&task);
    }

    fn open(&mut self, at: Moment, ask: &Ask, named: Option<&String>) {
        let on = |on: Option<RuleOn>| {
            let rules = self.rules.iter();
            let fits = move |rule: &&Rule| on.is_some_and(|on| rule.on.contains(&on));
            rules.filter(fits).cloned().collect::<Vec<_>>()
        };
        let by_name = |name: &String| {
            let rules = self.rules.iter().filter(|rule| rule.name == *name);
            rules.take(1).cloned().collect::<Vec<_>>()
        };
        let rules = match (&ask.about, named) {
            (About::Question { .. }, _) => Vec::new(),
            (_, Some(name)) => by_name(name),
            (About::Plan { .. }, None) => on(Some(RuleOn::Plan)),
            (About::Task { .. } | About::Result { .. }, None) => Vec::new(),
            (About::Call { kind, .. }, _) => on(match kind {
                NeedKind::Exec => Some(RuleOn::Exec),
                NeedKind::Http => Some(RuleOn::Http),
                NeedKind::Model => Some(RuleOn::Model),
                NeedKind::Budget => Some(RuleOn::Charge),
                _ => None,
            }),
            (About::TaskBudget { .. } | About::GateBudget { .. }, _) => on(Some(RuleOn::Budget)),
        };
        let mut wants: Vec<Want> = rules
            .into_iter()
            .map(|rule| Want {
                roles: rule.roles.clone(),
                count: rule.count.max(1),
                yes: BTreeSet::new(),
                lapsed: false,
                until: rule.timeout.map(|timeout| at.after(timeout)),
                escalated: false,
                rule: Some(rule),
            })
            .collect();
        if wants.is_empty() {
            let timeout = match &ask.about {
                About::Question { question, .. } => question.timeout,
                _ => None,
            };
            wants.push(Want {
                rule: None,
                roles: Vec::new(),
                count: 1,
                yes: BTreeSet::new(),
                lapsed: false,
                until: timeout.map(|timeout| at.after(timeout)),
                escalated: false,
            });
        }
        self.asks.push(AskFact {
            about: ask.about.clone(),
            digest: ask.digest,
            wants,
            said: BTreeMap::new(),
            ended: None,
            deciding: 0,
            for_run: false,
            revoked: false,
            uses: 0,
        });
    }

    fn may(&self, want: &Want, by: &Actor) -> bool {
        let role = want.roles.is_empty()
            || by.operator
            || want.roles.iter().any(|role| by.roles.contains(role));
        let own = want.rule.as_ref().is_some_and(|rule| !rule.self_approval)
            && self
                .by
                .as_ref()
                .is_none_or(|starter| starter.name == by.name);
        role && !own
    }

    fn wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn vote(&mut self, no: AskNo, digest: Digest, decision: Decision, by: &Actor) {
        let Some(ask) = self.get(no) else {
            return self.wrong(format!("{no} was decided and does not exist"));
        };
        let counts: Vec<bool> = ask.wants.iter().map(|want| self.may(want, by)).collect();
        if ask.ended.is_some() || ask.said.contains_key(&by.name) || ask.digest != digest {
            return self.wrong(format!("{} decided {decision:?} about {ask:?}", by.name));
        }
        if !counts.contains(&true) || matches!(ask.about, About::Question { .. }) {
            return self.wrong(format!("{} may not decide about {ask:?}", by.name));
        }
        let Some(ask) = self.get_mut(no) else {
            return;
        };
        ask.said.insert(by.name.clone(), decision);
        if decision.approves() {
            for (want, counts) in ask.wants.iter_mut().zip(counts) {
                if counts {
                    want.yes.insert(by.name.clone());
                }
            }
            ask.settle();
        } else {
            ask.deciding += 1;
            ask.ended = Some(AskState::Rejected);
        }
    }

    fn timer(&mut self, at: Moment, no: AskNo) {
        let Some(ask) = self.get_mut(no) else {
            return self.wrong(format!("a timer of {no}, which does not exist"));
        };
        if ask.ended.is_some() {
            return self.wrong(format!("a timer of {no}, which has ended"));
        }
        let due = |want: &Want| want.until.is_some_and(|until| until <= at);
        if let About::Question { question, .. } = &ask.about {
            if !ask.wants.iter().any(due) {
                return;
            }
            ask.ended = Some(match question.default {
                Some(_) => AskState::Answered,
                None => AskState::Expired,
            });
            return;
        }
        for place in 0..ask.wants.len() {
            let Some(want) = ask.wants.get_mut(place) else {
                continue;
            };
            let due = want.until.is_some_and(|until| until <= at) && !want.met();
            if !due || ask.ended.is_some() {
                continue;
            }
            let rule = want.rule.as_ref();
            match rule.map(|rule| rule.on_timeout.clone()) {
                Some(RuleTimeout::Approve) => {
                    want.lapsed = true;
                    ask.settle();
                }
                Some(RuleTimeout::Escalate(role)) if !want.escalated => {
                    want.escalated = true;
                    want.roles = vec![role];
                    let span = rule.and_then(|rule| rule.timeout);
                    want.until = span.map(|span| at.after(span));
                }
                _ => ask.ended = Some(AskState::Expired),
            }
        }
    }

    /// What the event itself says. `named`: the rule that a task or a plan names.
    pub(crate) fn hear(
        &mut self,
        at: Moment,
        event: &Event,
        recorded: bool,
        named: Option<&String>,
    ) {
        match event {
            Event::PlanFrozen { digest, plan } | Event::PlanModified { digest, plan, .. } => {
                self.plan_since = self.asks.len();
                self.planner_since = self.asks.len();
                self.since.clear();
                self.paused.clear();
                self.called_off.clear();
                self.waits.clear();
                self.tapes.clear();
                self.plan = None;
                if plan.review {
                    self.plan = Some(self.asks.len());
                    let ask = Ask {
                        about: About::Plan {
                            revision: plan.revision,
                        },
                        what: String::new(),
                        digest: *digest,
                    };
                    self.open(at, &ask, plan.review_rule.as_ref());
                }
            }
            Event::Asked { ask } => self.open(at, ask, named),
            Event::Suspended { by, ask, tape, .. } => {
                self.tapes.entry(*by).or_default().push(*tape);
                self.open(at, ask, None);
            }
            Event::Decided {
                ask,
                digest,
                decision,
                by,
                ..
            } => self.vote(*ask, *digest, *decision, by),
            Event::Answered { ask, .. } => match self.get_mut(*ask) {
                Some(fact) if fact.ended.is_none() => {
                    fact.deciding += 1;
                    fact.ended = Some(AskState::Answered);
                }
                _ => self.wrong(format!("{ask} was answered and is not open")),
            },
            Event::Revoked { ask, .. } => {
                if let Some(fact) = self.get_mut(*ask) {
                    fact.revoked = true;
                }
            }
            Event::TimerFired {
                timer: Timer::Ask(no),
            } => self.timer(at, *no),
            Event::AttemptStarted { task, attempt } if recorded => {
                let by = Caller::Task {
                    task: *task,
                    attempt: *attempt,
                };
                self.tapes.insert(by, Vec::new());
            }
            Event::GateStarted { gate, attempt } if recorded => {
                let by = Caller::Gate {
                    gate: *gate,
                    attempt: *attempt,
                };
                self.tapes.insert(by, Vec::new());
            }
            Event::CallStarted { request, .. } => {
                let consent = request.consent;
                if let Some(fact) = consent.and_then(|consent| self.get_mut(consent.ask)) {
                    fact.uses += 1;
                }
            }
            Event::CallEnded {
                by,
                tape: Some(tape),
                ..
            } => self.tapes.entry(*by).or_default().push(*tape),
            Event::AttemptEnded {
                task, attempt, end, ..
            } if !matches!(end, AttemptEnd::Interrupted) => {
                self.tapes.remove(&Caller::Task {
                    task: *task,
                    attempt: *attempt,
                });
            }
            Event::PlannerFailed { .. } | Event::CancelRequested { .. } => {
                self.tapes.remove(&Caller::Planner);
                self.planner_since = self.asks.len();
            }
            Event::WaitStarted { task, matches } => {
                self.waits.insert(*task, matches.clone());
            }
            Event::TaskPaused { task, .. } => {
                self.paused.insert(*task);
            }
            Event::TaskResumed { task, .. } => {
                self.paused.remove(task);
            }
            _ => {}
        }
    }
}

impl AskFact {
    fn settle(&mut self) {
        if !self.wants.iter().all(Want::met) {
            return;
        }
        self.deciding += 1;
        self.ended = Some(AskState::Approved);
        let all = |said: &BTreeMap<String, Decision>| {
            said.values()
                .all(|d| *d == Decision::Approve { for_run: true })
        };
        let task = matches!(
            self.about,
            About::Call {
                by: Caller::Task { .. },
                ..
            }
        );
        self.for_run = task && all(&self.said) && !self.wants.iter().any(|want| want.lapsed);
    }
}

impl Observer {
    /// Whether somebody cancelled this task.
    #[must_use]
    pub fn is_called_off(&self, task: TaskIx) -> bool {
        self.people.called_off.contains(&task)
    }

    /// Nothing that is marked starts without exactly one approval of exactly that, decided before it.
    pub(crate) fn invariant_approved_first(&self, event: &Event) -> Checked {
        const NAME: &str = "approved-first";
        let people = &self.people;
        match event {
            Event::AttemptStarted { task, .. } | Event::AttemptResumed { task, .. } => {
                let marked = self.planned(*task).is_some_and(|t| t.approval_before);
                let about = |about: &About| *about == About::Task { task: *task };
                let approvals = people.approvals(*task, about);
                if marked && approvals != 1 {
                    return broken(NAME, format!("{event:?} with {approvals} approvals"));
                }
                let plan = people.plan.and_then(|at| people.asks.get(at));
                let agreed = plan.is_some_and(|ask| ask.ended == Some(AskState::Approved));
                if self.plan.review && !agreed {
                    return broken(NAME, format!("{event:?}, and the plan is not approved"));
                }
                Ok(())
            }
            Event::CallStarted { by, request, .. } => self.consented(NAME, *by, request),
            _ => Ok(()),
        }
    }

    fn consented(&self, name: &'static str, by: Caller, request: &CallRequest) -> Checked {
        let grants = match by {
            Caller::Planner => None,
            Caller::Task { task, .. } => self.planned(task).map(|task| &task.grants),
            Caller::Gate { gate, .. } => self.plan.gates.get(gate.get()).map(|gate| &gate.grants),
        };
        let always = grants.is_some_and(|grants| match request.kind {
            NeedKind::Http => !grants.http.is_empty() && grants.http.iter().all(|g| g.approval),
            NeedKind::Exec => !grants.exec.is_empty() && grants.exec.iter().all(|g| g.approval),
            NeedKind::Model => !grants.model.is_empty() && grants.model.iter().all(|g| g.approval),
            NeedKind::Budget => grants.budget && grants.budget_approval,
            _ => false,
        });
        let Some(consent) = request.consent else {
            if request.approval || always {
                return broken(name, format!("{by:?} began {request:?} without approval"));
            }
            return Ok(());
        };
        let people = &self.people;
        let Some(ask) = people.get(consent.ask) else {
            return broken(name, format!("{by:?} began {request:?}: no such approval"));
        };
        let About::Call { by: asked, kind } = ask.about else {
            return broken(name, format!("{by:?} began {request:?} with {ask:?}"));
        };
        let same = ask.ended == Some(AskState::Approved)
            && !ask.revoked
            && (kind, ask.digest) == (request.kind, request.digest);
        let whose = match (consent.for_run, by, asked) {
            (false, by, asked) => by == asked,
            (true, Caller::Task { task, .. }, Caller::Task { task: asked, .. }) => task == asked,
            (true, _, _) => false,
        };
        if !same || !whose {
            return broken(name, format!("{by:?} began {request:?} with {ask:?}"));
        }
        Ok(())
    }

    /// An approval is for one use, unless it was given for the whole run.
    pub(crate) fn invariant_used_once(&self, event: &Event) -> Checked {
        const NAME: &str = "used-once";
        let Event::CallStarted { by, request, .. } = event else {
            return Ok(());
        };
        let Some(consent) = request.consent else {
            return Ok(());
        };
        let Some(ask) = self.people.get(consent.ask) else {
            return Ok(());
        };
        let again = ask.uses > 0 && !ask.for_run;
        if again || (consent.for_run && !ask.for_run) || (!consent.for_run && ask.uses > 0) {
            return broken(NAME, format!("{by:?} began {request:?} with {ask:?}"));
        }
        Ok(())
    }

    /// Nothing is asked a second time while the first answer stands.
    pub(crate) fn invariant_asked_once(&self, event: &Event) -> Checked {
        const NAME: &str = "asked-once";
        let people = &self.people;
        let ask = match event {
            Event::Asked { ask } | Event::Suspended { ask, .. } => ask,
            _ => return Ok(()),
        };
        let again = match &ask.about {
            About::Task { task } => {
                let from = people.since.get(task).copied().unwrap_or(0);
                let mut before = people.asks.iter().skip(from.max(people.plan_since));
                before.any(|a| a.about == ask.about && a.ended != Some(AskState::Withdrawn))
            }
            About::Call { by, kind } => people.asks.iter().skip(people.from(*by)).any(|a| {
                let same = a.about == ask.about && a.digest == ask.digest;
                let stands = match a.ended {
                    Some(AskState::Approved) => (a.uses == 0 || a.for_run) && !a.revoked,
                    ended => ended != Some(AskState::Withdrawn),
                };
                let covered = |a: &AskFact| {
                    let (Caller::Task { task, .. }, About::Call { by, kind: k }) = (by, &a.about)
                    else {
                        return false;
                    };
                    let whose = matches!(by, Caller::Task { task: t, .. } if t == task);
                    let same = whose && k == kind && a.digest == ask.digest;
                    same && a.for_run && !a.revoked && a.ended == Some(AskState::Approved)
                };
                (same && stands) || covered(a)
            }),
            about => people
                .asks
                .iter()
                .any(|a| a.ended.is_none() && a.about == *about),
        };
        if again {
            return broken(NAME, format!("{event:?} was asked before"));
        }
        Ok(())
    }

    /// Each request has at most one vote that decides, of somebody who may; the run says the same of it.
    pub(crate) fn invariant_one_decision(&mut self, event: &Event, run: &Run) -> Checked {
        const NAME: &str = "one-decision";
        if let Some(wrong) = self.people.wrong.take() {
            return broken(NAME, wrong);
        }
        if let Some(ask) = self.people.asks.iter().find(|ask| ask.deciding > 1) {
            return broken(NAME, format!("decided {} times: {ask:?}", ask.deciding));
        }
        let touched = run.state().ended()
            || matches!(
                event,
                Event::Decided { .. }
                    | Event::Answered { .. }
                    | Event::Revoked { .. }
                    | Event::Asked { .. }
                    | Event::Suspended { .. }
                    | Event::TimerFired { .. }
                    | Event::PlanFrozen { .. }
                    | Event::PlanModified { .. }
            );
        for (no, fact) in (1u32..).map(AskNo).zip(&mut self.people.asks) {
            if !touched && fact.ended.is_some() {
                continue;
            }
            let Some(view) = run.ask(no) else {
                return broken(NAME, format!("the run has no request {no}"));
            };
            match (fact.ended, view.state) {
                // Nobody says so in an event: what it was about is gone.
                (None, AskState::Withdrawn) => fact.ended = Some(AskState::Withdrawn),
                (ended, state) if ended.unwrap_or(AskState::Open) == state => {}
                (ended, state) => {
                    return broken(NAME, format!("{no} is {ended:?}, the run says {state:?}"));
                }
            }
            let standing = fact.for_run && !fact.revoked;
            if view.standing != standing || view.consumed != (fact.uses > 0) {
                return broken(NAME, format!("{view:?} is not {fact:?}"));
            }
        }
        let next = u32::try_from(self.people.asks.len()).unwrap_or(u32::MAX);
        if run.ask(AskNo(next.saturating_add(1))).is_some() {
            return broken(NAME, "the run has a request that nobody made");
        }
        Ok(())
    }

    /// What is open has somebody who waits for it, and a run that ended asks nobody.
    pub(crate) fn invariant_asks_end(&self, run: &Run) -> Checked {
        const NAME: &str = "asks-end";
        let mut commanded = 0;
        for view in run.open_asks() {
            if run.state().ended() || run.stopping() {
                return broken(NAME, format!("{view:?} is open, and the run stops"));
            }
            let pending = |ix: &TaskIx| {
                self.fact(*ix)
                    .is_some_and(|f| f.state == TaskState::Pending)
            };
            let waits = match &view.ask.about {
                About::Plan { .. } => run.digest() == Some(view.ask.digest),
                About::Task { task } | About::Result { task } | About::TaskBudget { task, .. } => {
                    pending(task)
                }
                About::Call { by, .. } | About::Question { by, .. } => match by {
                    Caller::Planner => run.state() == sandgate_engine::RunState::Planning,
                    Caller::Task { task, .. } => pending(task) && !self.running.contains_key(task),
                    Caller::Gate { gate, .. } => !self.gates_running.contains(gate),
                },
                About::GateBudget { .. } => true,
            };
            if !waits {
                return broken(NAME, format!("{view:?} is open, and nobody waits for it"));
            }
            commanded += usize::from(matches!(
                view.ask.about,
                About::Task { .. }
                    | About::Result { .. }
                    | About::TaskBudget { .. }
                    | About::GateBudget { .. }
            ));
        }
        if commanded > 20 {
            return broken(NAME, format!("{commanded} requests at once"));
        }
        Ok(())
    }

    /// A result that people have to agree to counts only when they did.
    pub(crate) fn invariant_results(&self, before: &[TaskState]) -> Checked {
        for (ix, (was, fact)) in (0u32..).map(TaskIx).zip(before.iter().zip(&self.tasks)) {
            let fresh = fact.state == TaskState::Succeeded && *was != TaskState::Succeeded;
            let marked = self.planned(ix).is_some_and(|task| task.approval_after);
            let each = self.planned(ix).is_some_and(|task| task.for_each.is_some());
            if !fresh || !marked || (each && fact.plan == ix) {
                continue;
            }
            let about = |about: &About| *about == About::Result { task: ix };
            if self.people.approvals(ix, about) == 0 {
                return broken("results", format!("{ix:?} succeeded and nobody agreed"));
            }
        }
        Ok(())
    }

    /// What the host answered to recorded work is only ever added to, until its attempt ends.
    pub(crate) fn invariant_tape(&mut self, event: &Event, run: &Run) -> Checked {
        const NAME: &str = "tape";
        let resumed = match event {
            Event::AttemptResumed { task, attempt } => Some(Caller::Task {
                task: *task,
                attempt: *attempt,
            }),
            Event::GateResumed { gate, attempt } => Some(Caller::Gate {
                gate: *gate,
                attempt: *attempt,
            }),
            _ => None,
        };
        if let Some(by) = resumed
            && !self.people.tapes.contains_key(&by)
        {
            return broken(NAME, format!("{by:?} goes on and was never recorded"));
        }
        let mut over = Vec::new();
        for (by, tape) in &self.people.tapes {
            match run.restore_of(*by) {
                Some(restore) if restore.tape == *tape => {}
                Some(restore) => {
                    return broken(NAME, format!("{by:?}: {:?}, not {tape:?}", restore.tape));
                }
                None => over.push(*by),
            }
        }
        for by in over {
            self.people.tapes.remove(&by);
        }
        Ok(())
    }

    /// A signal ends a wait of its type whose fields it has, and nothing else.
    pub(crate) fn invariant_signals(&self, event: &Event, before: &[TaskState]) -> Checked {
        const NAME: &str = "signals";
        let Event::SignalDelivered { task, signal } = event else {
            return Ok(());
        };
        let wait = match self.planned(*task).map(|planned| &planned.work) {
            Some(sandgate_model::TaskWork::Wait(wait)) => wait,
            _ => return broken(NAME, format!("{task:?} waits for nothing")),
        };
        let said = self.people.waits.get(task);
        let fits = wait.signal == signal.kind
            && said.is_some_and(|said| {
                said.iter()
                    .all(|(name, value)| signal.fields.get(name) == Some(value))
            });
        if !fits || before.get(task.get()) != Some(&TaskState::Pending) {
            return broken(NAME, format!("{event:?} ended {said:?}"));
        }
        Ok(())
    }

    /// The task that is paused: this one, or the one that it is an instance of.
    pub(crate) fn paused_by(&self, ix: TaskIx) -> Option<TaskIx> {
        let parent = self.fact(ix)?.plan;
        let paused = |ix: &TaskIx| self.people.paused.contains(ix);
        Some(ix)
            .filter(paused)
            .or_else(|| Some(parent).filter(paused))
    }

    /// Nothing of a paused task starts, and nothing of one that was cancelled succeeds.
    pub(crate) fn invariant_steered(&self, event: &Event, before: &[TaskState]) -> Checked {
        const NAME: &str = "steered";
        if let Event::AttemptStarted { task, .. } | Event::AttemptResumed { task, .. } = event
            && (self.paused_by(*task).is_some() || self.is_called_off(*task))
        {
            return broken(NAME, format!("{event:?} of a task that is held back"));
        }
        for ix in &self.people.called_off {
            let is = self.fact(*ix).map(|fact| fact.state);
            let was = before.get(ix.get());
            let fine = match is {
                Some(TaskState::Running) => {
                    self.running.contains_key(ix) || was == Some(&TaskState::Running)
                }
                Some(state) => matches!(state, TaskState::Cancelled | TaskState::Lost),
                None => true,
            };
            if !fine {
                return broken(NAME, format!("{ix:?} was cancelled and is {is:?}"));
            }
        }
        Ok(())
    }
}
