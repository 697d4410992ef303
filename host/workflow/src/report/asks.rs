//! What will ask a person.

use super::Ask;
use crate::{Review, TaskApproval, Workflow};
use sandgate_model::{OverBudget, RuleOn};
use std::collections::BTreeSet;

/// Everything, in the order in which a run comes to it: plan, tasks, single uses and charges, questions, budget. `lines` are
/// those of authority whose every use has to be approved, `asking` whoever may ask people itself.
pub(super) fn all(workflow: &Workflow, lines: &BTreeSet<String>, asking: &[String]) -> Vec<Ask> {
    let rules = |on: RuleOn| -> Vec<String> {
        workflow
            .approvals
            .iter()
            .filter(|r| r.is_on(on))
            .map(|r| r.name.value.clone())
            .collect()
    };
    let mut asks = Vec::new();
    let mut push = |on, what: &str, rules| {
        asks.push(Ask {
            on,
            what: what.to_owned(),
            rules,
        });
    };
    match workflow.planner.as_ref().map(|p| &p.review) {
        Some(Review::Rule(rule)) => push("plan", "", vec![rule.clone()]),
        Some(Review::Required) => push("plan", "", rules(RuleOn::Plan)),
        Some(Review::None) | None if workflow.asks_on(RuleOn::Plan) => {
            push("plan", "", rules(RuleOn::Plan));
        }
        Some(Review::None) | None => {}
    }
    for task in &workflow.tasks {
        let id = task.id.value.as_str();
        match &task.approval {
            TaskApproval::None => {}
            TaskApproval::Before => push("task", id, Vec::new()),
            TaskApproval::After => push("result", id, Vec::new()),
            TaskApproval::Rule(name) => {
                let before = workflow.rule(name).is_none_or(|r| r.is_on(RuleOn::Task));
                let on = if before { "task" } else { "result" };
                push(on, id, vec![name.clone()]);
            }
        }
    }
    for line in lines {
        let (on, about) = match line.split(' ').next() {
            Some("http") => ("http", RuleOn::Http),
            Some("model") => ("model", RuleOn::Model),
            Some("charge") => ("charge", RuleOn::Charge),
            _ => ("exec", RuleOn::Exec),
        };
        push(on, line, rules(about));
    }
    for who in asking {
        push("question", who, Vec::new());
    }
    if workflow.budget.is_some_and(|b| b.over == OverBudget::Ask) {
        push("budget", "", rules(RuleOn::Budget));
    }
    asks
}
