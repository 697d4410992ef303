//! Which rules a request has to satisfy, and who may say something to it. Questions only.

use super::{
    Need,
    book::{Entry, Slot, until},
};
use crate::Run;
use sandgate_model::{About, Actor, Authenticated, Moment, Plan, Rule, RuleOn};

impl Run {
    /// Who has to agree, to what.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.order.rules
    }

    /// Who asked for the run; absent in journals of older versions.
    #[must_use]
    pub fn started_by(&self) -> Option<&Actor> {
        self.order.by.as_ref()
    }

    /// What a request has to satisfy. Never empty.
    pub(crate) fn slots(&self, about: &About, at: Moment) -> Vec<Slot> {
        let rules = (0u32..).zip(&self.order.rules);
        let on = |on: Option<RuleOn>| -> Vec<(u32, &Rule)> {
            let applies = |rule: &Rule| on.is_some_and(|on| rule.on.contains(&on));
            rules.clone().filter(|(_, rule)| applies(rule)).collect()
        };
        let named = |name: Option<&String>| -> Vec<(u32, &Rule)> {
            rules
                .clone()
                .filter(|(_, rule)| Some(&rule.name) == name)
                .take(1)
                .collect()
        };
        let apply = match about {
            About::Plan { .. } => match self.plan.as_ref().and_then(|p| p.review_rule.as_ref()) {
                Some(name) => named(Some(name)),
                None => on(Some(RuleOn::Plan)),
            },
            About::Task { task } | About::Result { task } => {
                named(self.planned(*task).and_then(|t| t.approval_rule.as_ref()))
            }
            About::Call { kind, .. } => on(RuleOn::of_call(*kind)),
            About::TaskBudget { .. } | About::GateBudget { .. } => on(Some(RuleOn::Budget)),
            About::Question { question, .. } => {
                let mut slot = anybody();
                slot.need.until = until(at, question.timeout);
                return vec![slot];
            }
        };
        if apply.is_empty() {
            return vec![anybody()];
        }
        let slot = |(place, rule): (u32, &Rule)| Slot {
            need: Need {
                rule: rule.name.clone(),
                roles: rule.roles.clone(),
                // A rule of nobody would be satisfied by nothing.
                count: rule.count.max(1),
                have: 0,
                self_approval: rule.self_approval,
                until: until(at, rule.timeout),
                escalated: false,
            },
            rule: Some(place),
        };
        apply.into_iter().map(slot).collect()
    }

    /// Rules that a plan names have to be rules of the run.
    pub(crate) fn rules_known(&self, plan: &Plan) -> Result<(), String> {
        let known = |name: &String| self.order.rules.iter().any(|rule| rule.name == *name);
        let tasks = plan
            .tasks
            .iter()
            .filter_map(|task| task.approval_rule.as_ref());
        match plan
            .review_rule
            .iter()
            .chain(tasks)
            .find(|name| !known(name))
        {
            None => Ok(()),
            Some(name) => Err(format!(
                "the plan names the approval rule `{name}`, which the run has not got"
            )),
        }
    }

    /// Places of the rules for which this principal may decide.
    pub(crate) fn counts(&self, entry: &Entry, by: &Actor) -> Vec<usize> {
        let slots = entry.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| self.qualifies(&slot.need, by))
            .map(|(place, _)| place)
            .collect()
    }

    fn qualifies(&self, need: &Need, by: &Actor) -> bool {
        if by.authenticated == Authenticated::Rule {
            return false;
        }
        let role = need.roles.is_empty() || need.roles.iter().any(|role| by.has(role));
        role && (need.self_approval || self.not_own(by))
    }

    /// Whether it is about the work of others: of whoever started the run, and whoever edited its plan. Where nobody
    /// knows who started it, everybody may have.
    fn not_own(&self, by: &Actor) -> bool {
        let other = |actor: &Actor| actor.name != by.name;
        self.order.by.as_ref().is_some_and(other) && self.editor.as_ref().is_none_or(other)
    }

    /// Why somebody may not decide, and who may.
    pub(crate) fn who_may(&self, entry: &Entry, by: &Actor) -> String {
        if by.authenticated == Authenticated::Rule {
            return "the host decides nothing itself; a person has to".to_owned();
        }
        let rule = |need: &Need| {
            let who = match need.roles.as_slice() {
                [] => "anybody".to_owned(),
                roles => format!("whoever has the role {}", list(roles)),
            };
            let but = match (need.self_approval, self.order.by.as_ref()) {
                (true, _) => String::new(),
                (false, Some(starter)) => {
                    format!(", but not `{}`, who started the run", starter.name)
                }
                (false, None) => {
                    ", but not whoever started the run, and that is not known".to_owned()
                }
            };
            let nor = match self.editor.as_ref().filter(|_| !need.self_approval) {
                Some(editor) => format!(", nor `{}`, who edited the plan", editor.name),
                None => String::new(),
            };
            format!("rule `{}` asks for {who}{but}{nor}", need.rule)
        };
        let rules: Vec<String> = entry.slots.iter().map(|slot| rule(&slot.need)).collect();
        format!(
            "`{}` may not decide about this: {}",
            by.name,
            rules.join("; ")
        )
    }
}

/// Without a rule: one yes of anybody who may decide at all.
fn anybody() -> Slot {
    Slot {
        need: Need {
            rule: String::new(),
            roles: Vec::new(),
            count: 1,
            have: 0,
            self_approval: true,
            until: None,
            escalated: false,
        },
        rule: None,
    }
}

/// `a`, `a` or `b`.
pub(crate) fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}
