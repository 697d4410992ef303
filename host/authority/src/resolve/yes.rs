//! What is allowed or not, without anything to choose among: charges and questions.

use super::{Case, allow};
use crate::{ChargeRule, Layer, Origin, Rule};
use sandgate_model::NeedKind;

/// One of them, and what every layer says of it.
struct Asked<'a> {
    kind: NeedKind,
    /// The key in files.
    key: &'static str,
    /// For messages: `to charge the budget`.
    to_do: &'static str,
    /// For messages: `charges`.
    plural: &'static str,
    /// The line that allows it.
    allow: String,
    project: Option<&'a Origin>,
    task: Option<bool>,
    operator: Option<&'a Rule<bool>>,
}

impl Case<'_> {
    /// How it may charge the budget. The approval is the project's alone: no other layer can take it away.
    pub(super) fn charge(&mut self) -> Option<ChargeRule> {
        let rule = self.project.charge();
        let asked = Asked {
            kind: NeedKind::Budget,
            key: "charge",
            to_do: "to charge the budget",
            plural: "charges",
            allow: allow::charge(),
            project: rule.map(|r| &r.origin),
            task: self.request.narrowing.charge,
            operator: self.operator.and_then(|o| o.charge.as_ref()),
        };
        self.yes(&asked).then_some(rule?.grant)
    }

    pub(super) fn question(&mut self) -> bool {
        let asked = Asked {
            kind: NeedKind::Question,
            key: "question",
            to_do: "to ask people",
            plural: "questions",
            allow: allow::question(),
            project: self.project.question(),
            task: self.request.narrowing.question,
            operator: self.operator.and_then(|o| o.question.as_ref()),
        };
        self.yes(&asked)
    }

    fn yes(&mut self, asked: &Asked<'_>) -> bool {
        let kind = asked.kind;
        let Some(origin) = asked.project else {
            // Nothing is on offer; whether that matters is for the completeness of needs.
            if asked.task == Some(true) {
                let message = format!("wants {}, which the project does not allow", asked.to_do);
                let line = asked.allow.clone();
                self.refuse(Layer::Project, Some(kind), message, Some(line), None);
            }
            return false;
        };
        if !self.asks(kind) {
            self.not_asked(kind, "", Some(origin));
            return false;
        }
        if asked.task == Some(false) {
            let why = format!("it says {} = false", asked.key);
            self.deny(Layer::Task, kind, "", why, None, Some(origin));
            return false;
        }
        if let Some(rule) = asked.operator
            && !rule.grant
        {
            let line = allow::operator(&format!("{} = true", asked.key));
            let why = format!("the operator does not allow {}", asked.plural);
            self.deny(
                Layer::Operator,
                kind,
                "",
                why,
                Some(line),
                Some(&rule.origin),
            );
            return false;
        }
        true
    }
}
