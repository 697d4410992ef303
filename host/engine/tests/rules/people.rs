//! People, rules and requests for the tests of them.

use crate::play::{Play, frozen};
use sandgate_engine::{Allowance, Command, Event, Run, Steps, Timer};
use sandgate_model::{
    About, Actor, Ask, AskNo, Authenticated, CallRequest, Caller, Channel, Decision, Digest,
    Millis, Moment, NeedKind, Plan, Question, Rule, RuleOn, RuleTimeout,
};
use sandgate_testkit::{created_by, run_id};
use std::sync::Arc;

pub(crate) fn who(name: &str, roles: &[&str]) -> Actor {
    Actor {
        name: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        operator: false,
        authenticated: Authenticated::Token,
        channel: Channel::Socket,
    }
}

pub(crate) fn rule(name: &str, on: RuleOn, roles: &[&str]) -> Rule {
    Rule {
        name: name.to_owned(),
        on: vec![on],
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        count: 1,
        timeout: None,
        on_timeout: RuleTimeout::Reject,
        self_approval: true,
    }
}

/// A run with these rules that `starter` asked for; its plan is frozen.
pub(crate) fn governed(
    rules: Vec<Rule>,
    planners: &[&str],
    plan: Arc<Plan>,
) -> (Play, Vec<Command>) {
    let mut play = drafted(rules, planners);
    play.must(Event::PlanningStarted);
    let commands = play.must(frozen(plan));
    (play, commands)
}

pub(crate) fn drafted(rules: Vec<Rule>, planners: &[&str]) -> Play {
    let steps = Steps {
        dispatch: true,
        verify: true,
    };
    let by = Some(who("starter", &["dev"]));
    let first = created_by(steps, planners, Allowance::OPEN, rules, by);
    let (run, _) = Run::create(run_id(1), Moment(0), &first).unwrap();
    Play { run, now: 0 }
}

/// The plan with a change that the builder has no word for.
pub(crate) fn with(plan: Arc<Plan>, change: impl FnOnce(&mut Plan)) -> Arc<Plan> {
    let mut plan = Plan::clone(&plan);
    change(&mut plan);
    Arc::new(plan)
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

impl Play {
    pub(crate) fn decision(&self, no: u32, decision: Decision, by: &Actor) -> Event {
        Event::Decided {
            ask: AskNo(no),
            digest: self.run.ask(AskNo(no)).unwrap().ask.digest,
            decision,
            by: by.clone(),
            reason: "because".to_owned(),
        }
    }

    pub(crate) fn approve(&mut self, no: u32, by: &Actor) -> Vec<Command> {
        let event = self.decision(no, Decision::YES, by);
        self.must(event)
    }

    pub(crate) fn reject(&mut self, no: u32, by: &Actor) -> Vec<Command> {
        let event = self.decision(no, Decision::NO, by);
        self.must(event)
    }

    /// Answers every `Command::Ask` among these, as the driver does.
    pub(crate) fn put(&mut self, commands: &[Command]) -> Vec<Command> {
        let mut more = Vec::new();
        for command in commands {
            if let Command::Ask { about } = command {
                more.extend(self.must(asked(about.clone())));
            }
        }
        more
    }

    pub(crate) fn timer(&mut self, no: u32) -> Vec<Command> {
        self.must(Event::TimerFired {
            timer: Timer::Ask(AskNo(no)),
        })
    }

    pub(crate) fn ask_state(&self, no: u32) -> &'static str {
        self.run.ask(AskNo(no)).unwrap().state.as_str()
    }

    pub(crate) fn open(&self) -> Vec<u32> {
        self.run.open_asks().map(|ask| ask.no.0).collect()
    }
}

pub(crate) fn asked(about: About) -> Event {
    Event::Asked {
        ask: Ask {
            digest: digest(&format!("{about:?}")),
            what: "something".to_owned(),
            about,
        },
    }
}

/// The piece of work stops with a call that has to be approved.
pub(crate) fn stops(by: Caller, text: &str) -> Event {
    Event::Suspended {
        by,
        ask: Ask {
            about: About::Call {
                by,
                kind: NeedKind::Exec,
            },
            what: text.to_owned(),
            digest: digest(text),
        },
        tape: digest(&format!("tape before {text}")),
        took: Millis(3),
    }
}

/// The piece of work stops with a question.
pub(crate) fn wonders(by: Caller, question: Question) -> Event {
    Event::Suspended {
        by,
        ask: Ask {
            what: question.text.clone(),
            digest: digest(&question.text),
            about: About::Question { by, question },
        },
        tape: digest("tape before the question"),
        took: Millis(3),
    }
}

pub(crate) fn command(text: &str, consent: Option<sandgate_model::Consent>) -> CallRequest {
    CallRequest {
        kind: NeedKind::Exec,
        what: text.to_owned(),
        digest: digest(text),
        rule: String::new(),
        secrets: Vec::new(),
        reserve: sandgate_model::Amount::NOTHING,
        approval: true,
        consent,
    }
}
