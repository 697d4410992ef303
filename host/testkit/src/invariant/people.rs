//! The observer's own account of what was put to people and what they said, from the events alone: who may decide,
//! when a request is decided, which approvals are there and which are used up. Compared with what happens and with what
//! the run says of itself.

use sandgate_engine::{AskState, Event, Timer};
use sandgate_model::{
    About, Actor, Ask, AskNo, AttemptEnd, Caller, Decision, Digest, Moment, NeedKind, Rule, RuleOn,
    RuleTimeout, TaskIx,
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
    pub(super) deciding: u32,
    pub(super) for_run: bool,
    pub(super) revoked: bool,
    /// The run ended after it.
    pub(super) over: bool,
    pub(super) uses: u32,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    rules: Vec<Rule>,
    by: Option<Actor>,
    /// Who made the plan of now by an edit.
    editor: Option<Actor>,
    pub(crate) asks: Vec<AskFact>,
    /// Requests from this place on count for a task: what came before is of an earlier life of it.
    pub(super) since: BTreeMap<TaskIx, usize>,
    /// The same for all, since there is this plan.
    pub(super) plan_since: usize,
    /// The same for what a planner asks: another one is asked anew.
    pub(super) planner_since: usize,
    /// The request about the plan of now.
    pub(super) plan: Option<usize>,
    /// What the host answered to recorded work.
    pub(super) tapes: BTreeMap<Caller, Vec<Digest>>,
    /// Tasks that somebody paused.
    pub(crate) paused: BTreeSet<TaskIx>,
    /// Tasks that somebody cancelled.
    pub(crate) called_off: BTreeSet<TaskIx>,
    /// Waits that said what for.
    pub(crate) waits: BTreeMap<TaskIx, BTreeMap<String, String>>,
    /// The first thing that was wrong about a vote.
    pub(super) wrong: Option<String>,
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

    pub(super) fn get_mut(&mut self, no: AskNo) -> Option<&mut AskFact> {
        self.asks.get_mut((no.0 as usize).checked_sub(1)?)
    }

    /// Requests from this place on can be of this caller as it runs now.
    pub(super) fn from(&self, by: Caller) -> usize {
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
    pub(super) fn approvals(&self, task: TaskIx, of: impl Fn(&About) -> bool) -> usize {
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
            over: false,
            uses: 0,
        });
    }

    fn may(&self, want: &Want, about: &About, by: &Actor) -> bool {
        let role = want.roles.is_empty()
            || by.operator
            || want.roles.iter().any(|role| by.roles.contains(role));
        // There is no plan while one is made.
        let planned = about.caller() != Some(Caller::Planner);
        let edited = self.editor.as_ref().is_some_and(|e| e.name == by.name);
        let own = want.rule.as_ref().is_some_and(|rule| !rule.self_approval)
            && (planned && edited
                || self
                    .by
                    .as_ref()
                    .is_none_or(|starter| starter.name == by.name));
        role && !own
    }

    fn wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn vote(&mut self, no: AskNo, digest: Digest, decision: Decision, by: &Actor) {
        let Some(ask) = self.get(no) else {
            return self.wrong(format!("{no} was decided and does not exist"));
        };
        let counts: Vec<bool> = ask
            .wants
            .iter()
            .map(|want| self.may(want, &ask.about, by))
            .collect();
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
                self.editor = match event {
                    Event::PlanModified { by, .. } => Some(by.clone()),
                    _ => None,
                };
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
