//! People who decide: the right ones and the wrong ones, in time and late, once, twice and against each other.

use super::{Due, World};
use crate::{Violation, actor, invariant::broken, rule};
use sandgate_engine::{Event, Judged};
use sandgate_model::{
    About, Actor, AskNo, Authenticated, Channel, Decision, Digest, Millis, Rule, RuleOn,
    RuleTimeout,
};

/// The rule that tasks name.
pub(super) const NAMED: &str = "named";

/// Everybody there is. Enough of them that three different ones can be found for any role but one.
pub(super) fn people() -> [Actor; 6] {
    [
        actor("ana", &["lead"]),
        actor("bo", &["ops"]),
        actor("cy", &["lead", "ops"]),
        actor("dan", &["lead", "ops", "security"]),
        actor("eve", &[]),
        Actor {
            operator: true,
            authenticated: Authenticated::Token,
            channel: Channel::Socket,
            ..actor("fay", &[])
        },
    ]
}

/// The rules of a run: none, or some of any kind.
pub(super) fn rules(rng: &mut crate::Rng) -> Vec<Rule> {
    let roles: [&[&str]; 4] = [&[], &["lead"], &["ops"], &["lead", "ops"]];
    let ons: [&[RuleOn]; 6] = [
        &[RuleOn::Plan],
        &[RuleOn::Exec, RuleOn::Http],
        &[RuleOn::Exec],
        &[RuleOn::Model, RuleOn::Charge],
        &[RuleOn::Budget],
        &[RuleOn::Http],
    ];
    let mut rules = Vec::new();
    for n in 0..rng.below(5) {
        let on = rng.pick(&ons).copied().unwrap_or(&[RuleOn::Plan]);
        let who = rng.pick(&roles).copied().unwrap_or(&[]);
        rules.push(rule(&format!("rule-{n}"), on, who));
    }
    let who = rng.pick(&roles).copied().unwrap_or(&[]);
    rules.push(rule(NAMED, &[RuleOn::Task, RuleOn::Result], who));
    for rule in &mut rules {
        rule.count = 1 + rng.below32(3) * rng.below32(2);
        rule.timeout = (rng.below(3) == 0).then(|| Millis(1_000 + rng.below(30_000)));
        rule.self_approval = rng.below(4) != 0;
        rule.on_timeout = match rng.below(4) {
            0 => RuleTimeout::Approve,
            1 => RuleTimeout::Escalate("security".to_owned()),
            _ => RuleTimeout::Reject,
        };
    }
    rules
}

impl World {
    fn somebody(&mut self) -> Actor {
        let people = people();
        let who = self.rng.pick(&people).cloned();
        who.unwrap_or_else(Actor::host)
    }

    /// Whoever asked for things just now gets visitors, by and by.
    pub(super) fn notice_asks(&mut self) {
        while let Some(no) = self.asked_until.checked_add(1).map(AskNo)
            && self.run.ask(no).is_some()
        {
            self.asked_until = no.0;
            self.tally.asks += 1;
            let money = self.run.ask(no).is_some_and(|view| {
                let about = &view.ask.about;
                matches!(about, About::TaskBudget { .. } | About::GateBudget { .. })
            });
            self.tally.asked += usize::from(money);
            let open = self.run.open_asks().count();
            self.tally.asks_open_most = self.tally.asks_open_most.max(open);
            for _ in 0..self.rng.below(4) {
                let at = self.now.after(Millis(self.rng.below(15_000)));
                self.due(at, Due::Visit(no));
            }
        }
    }

    /// Somebody says something about a request.
    pub(super) fn visit(&mut self, no: AskNo) -> Result<(), Violation> {
        let by = self.somebody();
        self.say(no, &by)?;
        // Some say it again, some change their minds, and some all at once.
        while self.rng.below(3) == 0 {
            let by = if self.rng.below(2) == 0 {
                self.somebody()
            } else {
                by.clone()
            };
            self.say(no, &by)?;
        }
        Ok(())
    }

    fn say(&mut self, no: AskNo, by: &Actor) -> Result<(), Violation> {
        let (question, digest, call, plan) = match self.run.ask(no) {
            Some(view) => {
                let question = match &view.ask.about {
                    About::Question { question, .. } => Some(question.clone()),
                    _ => None,
                };
                let call = matches!(view.ask.about, About::Call { .. });
                let plan = matches!(view.ask.about, About::Plan { .. });
                (question, view.ask.digest, call, plan)
            }
            None => (None, Digest::of(b"nothing"), false, false),
        };
        if question.is_some() != self.rng.permille(50) {
            let choices = question.map(|question| question.choices);
            let choice = choices.and_then(|choices| self.rng.pick(&choices).cloned());
            let answer = match self.rng.below(8) {
                0 => "neither".to_owned(),
                _ => choice.unwrap_or_else(|| "this".to_owned()),
            };
            return self.answer(no, answer, by).map(drop);
        }
        let digest = match self.rng.below(12) {
            0 => Digest::of(b"something else"),
            _ => digest,
        };
        let decision = match self.rng.below(10) {
            0 | 1 => Decision::NO,
            2..=4 if plan => Decision::Reject { replan: true },
            2 | 3 if call => Decision::Approve { for_run: true },
            4 if self.rng.below(4) == 0 => Decision::Approve { for_run: true },
            _ => Decision::YES,
        };
        self.decide(no, digest, decision, by).map(drop)
    }

    /// The channel judges first, and the engine has to agree with what it said.
    pub(super) fn decide(
        &mut self,
        no: AskNo,
        digest: Digest,
        decision: Decision,
        by: &Actor,
    ) -> Result<bool, Violation> {
        let judged = self.run.judge(no, digest, decision, by);
        let event = Event::Decided {
            ask: no,
            digest,
            decision,
            by: by.clone(),
            reason: "because".to_owned(),
        };
        let new = matches!(judged, Ok(Judged::New { .. }));
        self.tally.decisions += usize::from(new);
        self.tally.decisions_refused += usize::from(!new);
        self.judged(event, new)
    }

    fn answer(&mut self, no: AskNo, answer: String, by: &Actor) -> Result<bool, Violation> {
        let judged = self.run.judge_answer(no, &answer, by);
        let event = Event::Answered {
            ask: no,
            answer,
            by: by.clone(),
        };
        let new = matches!(judged, Ok(Judged::New { .. }));
        self.judged(event, new)
    }

    fn judged(&mut self, event: Event, new: bool) -> Result<bool, Violation> {
        let taken = self.offer(event.clone())?;
        if taken != new && self.lie.is_none() {
            let differs = broken("judge", format!("judged {new}, taken {taken}: {event:?}"));
            self.observer.report(differs)?;
        }
        Ok(taken)
    }

    /// Somebody who may decide about something that is open does. `None`: there is nothing, or nobody.
    pub(super) fn help(&mut self) -> Result<Option<bool>, Violation> {
        let open: Vec<AskNo> = self.run.open_asks().map(|view| view.no).collect();
        let Some(no) = self.rng.pick(&open).copied() else {
            return Ok(None);
        };
        let Some(view) = self.run.ask(no) else {
            return Ok(None);
        };
        let digest = view.ask.digest;
        if let About::Question { question, .. } = &view.ask.about {
            let answer = question.choices.first().cloned();
            let answer = answer.unwrap_or_else(|| "this".to_owned());
            let by = self.somebody();
            return self.answer(no, answer, &by).map(Some);
        }
        let decision = match self.rng.below(6) {
            0 => Decision::NO,
            _ => Decision::YES,
        };
        let may: Vec<Actor> = people()
            .into_iter()
            .filter(|by| {
                let judged = self.run.judge(no, digest, decision, by);
                matches!(judged, Ok(Judged::New { .. }))
            })
            .collect();
        match self.rng.pick(&may).cloned() {
            Some(by) => self.decide(no, digest, decision, &by).map(Some),
            None => Ok(None),
        }
    }

    /// An approval for the run is taken back.
    pub(super) fn revocation(&mut self) -> Event {
        let standing: Vec<AskNo> = self.run.standing().iter().map(|s| s.ask).collect();
        let ask = self.rng.pick(&standing).copied().unwrap_or(AskNo(1));
        Event::Revoked {
            ask,
            by: self.somebody(),
            reason: String::new(),
        }
    }

    /// Who asked for the run.
    pub(super) fn starter(rng: &mut crate::Rng) -> Option<Actor> {
        let people = people();
        let who = rng.pick(&people).cloned();
        who.filter(|_| rng.below(6) != 0)
    }

    pub(super) fn anybody(&mut self) -> Actor {
        self.somebody()
    }
}
