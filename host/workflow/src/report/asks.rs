//! What will ask a person.

use super::Ask;
use crate::{ApprovalOn, Review, TaskApproval, Workflow};
use sandgate_model::OverBudget;
use std::collections::BTreeSet;

/// Everything, in the order in which a run comes to it: plan, tasks, single uses, charges, budget.
pub(super) fn all(workflow: &Workflow, lines: &BTreeSet<String>) -> Vec<Ask> {
    let rules = |on: ApprovalOn| -> Vec<String> {
        workflow
            .approvals
            .iter()
            .filter(|r| r.on.contains(&on))
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
        Some(Review::Required) => push("plan", "", rules(ApprovalOn::Plan)),
        Some(Review::Rule(rule)) => push("plan", "", vec![rule.clone()]),
        Some(Review::None) | None => {}
    }
    for task in &workflow.tasks {
        let id = task.id.value.as_str();
        match &task.approval {
            TaskApproval::None => {}
            TaskApproval::Before => push("task", id, Vec::new()),
            TaskApproval::After => push("result", id, Vec::new()),
            TaskApproval::Rule(rule) => push("task", id, vec![rule.clone()]),
        }
    }
    for line in lines {
        let (on, about) = match line.split(' ').next() {
            Some("http") => ("http", ApprovalOn::Http),
            Some("model") => ("model", ApprovalOn::Model),
            _ => ("exec", ApprovalOn::Exec),
        };
        push(on, line, rules(about));
    }
    let charge = rules(ApprovalOn::Charge);
    if !charge.is_empty() {
        push("charge", "", charge);
    }
    if workflow.budget.is_some_and(|b| b.over == OverBudget::Ask) {
        push("budget", "", Vec::new());
    }
    asks
}
