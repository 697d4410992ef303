//! A plan as it is put to people: everything that is in it, in printable ASCII, nothing cut off. The short form for
//! whoever only looks is in `plan`.

use super::diff;
use crate::ui::{canonical, count, money, span, strict};
use sandgate_authority::authority_lines;
use sandgate_driver::CostRange;
use sandgate_model::{
    Grants, OnFailure, OverBudget, Plan, PlanTask, PluginName, Session, TaskLimits, TaskWork,
};
use sandgate_workflow::PlanDiff;
use serde_json::Value;

/// What the reviewer is told beside the plan itself.
#[derive(Default)]
pub(crate) struct Beside<'a> {
    /// What it can cost.
    pub(crate) cost: Option<CostRange>,
    /// What changed since the revision before.
    pub(crate) diff: Option<&'a PlanDiff>,
}

/// The lines, without any indentation of the whole.
pub(crate) fn lines(plan: &Plan, beside: &Beside<'_>) -> Vec<String> {
    let mut out = Vec::new();
    head(&mut out, plan, beside);
    out.push(String::new());
    out.push("plugins".to_owned());
    for (name, plugin) in &plan.plugins {
        out.push(format!(
            "  {name}  {}  {}",
            plugin.role.as_str(),
            plugin.digest
        ));
    }
    out.push(String::new());
    out.push(count(plan.tasks.len(), "task"));
    for task in &plan.tasks {
        one(&mut out, plan, task);
    }
    if !plan.gates.is_empty() {
        out.push(String::new());
        out.push(count(plan.gates.len(), "gate"));
    }
    for gate in &plan.gates {
        let digest = digest(plan, &gate.plugin);
        out.push(format!("  {}: gate {}{digest}", gate.id, gate.plugin));
        let rules = format!("tier {}, at most {}", gate.tier, span(gate.timeout));
        fact(&mut out, "rules", &rules);
        document(&mut out, "config", &gate.config);
        may(&mut out, &gate.grants);
    }
    if let Some(diff) = beside.diff {
        out.push(String::new());
        out.push(format!(
            "changes since revision {}",
            plan.revision.saturating_sub(1)
        ));
        out.extend(diff::lines(diff).into_iter().map(|l| format!("  {l}")));
    }
    out
}

fn head(out: &mut Vec<String>, plan: &Plan, beside: &Beside<'_>) {
    let by = plan
        .planner
        .as_ref()
        .map_or("written".to_owned(), |p| format!("by planner {p}"));
    out.push(format!(
        "plan of {}, revision {}, {by}",
        plan.workflow, plan.revision
    ));
    out.push(format!("goal      {}", strict(&plan.goal)));
    if !plan.rationale.is_empty() {
        out.push("the planner says".to_owned());
        out.extend(
            plan.rationale
                .split('\n')
                .map(|l| format!("  | {}", strict(l))),
        );
    }
    for (name, value) in &plan.inputs {
        out.push(format!("input     {} = {}", strict(name), json(value)));
    }
    let rest = match plan.on_failure {
        OnFailure::Continue => "when a task fails, independent ones go on",
        OnFailure::Stop => "when a task fails, the run stops",
    };
    let limit = plan
        .timeout
        .map_or(String::new(), |t| format!("; at most {} in all", span(t)));
    out.push(format!(
        "rules     at most {} at once; {rest}{limit}",
        plan.concurrency
    ));
    if let Some(budget) = &plan.budget {
        let tokens = budget
            .tokens
            .map_or(String::new(), |n| format!(", {n} tokens"));
        let over = match budget.over {
            OverBudget::Refuse => "more is refused",
            OverBudget::Ask => "more is asked for",
        };
        out.push(format!(
            "budget    at most {}{tokens}; {over}",
            money(budget.limit)
        ));
    }
    if let Some(cost) = &beside.cost {
        out.push(match cost.max_micros {
            Some(0) => "costs     nothing".to_owned(),
            Some(max) => format!("costs     {} to {}", money(cost.min_micros), money(max)),
            None => format!(
                "costs     {} or more; no budget bounds it",
                money(cost.min_micros)
            ),
        });
    }
}

fn digest(plan: &Plan, name: &PluginName) -> String {
    plan.plugins
        .get(name)
        .map_or(String::new(), |p| format!(" sha256:{}", p.digest.short()))
}

fn one(out: &mut Vec<String>, plan: &Plan, task: &PlanTask) {
    work(out, plan, task);
    facts(out, plan, task);
    if let TaskWork::Agent { input, config, .. } = &task.work {
        document(out, "input", input);
        document(out, "config", config);
    }
    may(out, &task.grants);
}

fn work(out: &mut Vec<String>, plan: &Plan, task: &PlanTask) {
    match &task.work {
        TaskWork::Agent { agent, session, .. } => {
            let session = match session {
                Session::Spawn => String::new(),
                Session::Pinned(session) => format!(" in session {session}"),
            };
            let digest = digest(plan, agent);
            out.push(format!("  {}: agent {agent}{digest}{session}", task.id));
        }
        TaskWork::Wait(wait) => {
            let limit = wait
                .timeout
                .map_or(String::new(), |t| format!(", at most {}", span(t)));
            out.push(format!(
                "  {}: waits for a signal {}{limit}",
                task.id, wait.signal
            ));
            for (field, value) in &wait.matches {
                fact(
                    out,
                    "match",
                    &format!("{} = {}", strict(field), strict(value)),
                );
            }
        }
    }
}

fn fact(out: &mut Vec<String>, name: &str, text: &str) {
    if !text.is_empty() {
        out.push(format!("    {name:<9} {text}"));
    }
}

fn facts(out: &mut Vec<String>, plan: &Plan, task: &PlanTask) {
    let id = |ix| plan.task(ix).map_or_else(String::new, |t| t.id.to_string());
    let needs: Vec<String> = task.needs.iter().map(|ix| id(*ix)).collect();
    let consumes: Vec<String> = task
        .consumes
        .iter()
        .map(|a| format!("{}.{}", id(a.task), a.name))
        .collect();
    let produces: Vec<String> = task.produces.iter().map(ToString::to_string).collect();
    fact(out, "title", &strict(&task.title));
    fact(out, "needs", &needs.join(", "));
    fact(out, "consumes", &consumes.join(", "));
    fact(out, "produces", &produces.join(", "));
    fact(
        out,
        "when",
        &task.when.as_deref().map(strict).unwrap_or_default(),
    );
    fact(
        out,
        "for each",
        &task.for_each.as_deref().map(strict).unwrap_or_default(),
    );
    fact(out, "rules", &rules(task));
    fact(out, "limits", &limits(&task.limits));
}

fn rules(task: &PlanTask) -> String {
    let mut parts = vec![format!("at most {}", span(task.timeout))];
    if task.retry.attempts > 1 {
        parts.push(format!(
            "{}, {} to {} between them",
            count(task.retry.attempts as usize, "attempt"),
            span(task.retry.backoff),
            span(task.retry.max_backoff)
        ));
    }
    if task.priority != 0 {
        parts.push(format!("priority {}", task.priority));
    }
    if task.repeatable {
        parts.push("may run again when its end is unknown".to_owned());
    }
    let rule = task
        .approval_rule
        .as_ref()
        .map_or(String::new(), |r| format!(" by rule {}", strict(r)));
    if task.approval_before {
        parts.push(format!("starts after an approval{rule}"));
    }
    if task.approval_after {
        parts.push(format!("its result needs an approval{rule}"));
    }
    if let Some(micros) = task.budget {
        parts.push(format!("costs at most {}", money(micros)));
    }
    parts.join(", ")
}

fn limits(limits: &TaskLimits) -> String {
    let all = [
        ("memory", limits.memory),
        ("log", limits.log),
        ("output", limits.output),
        ("artifact", limits.artifact),
        ("disk", limits.disk),
        ("files", limits.files),
        ("calls", limits.calls),
        ("network", limits.network),
        ("tokens", limits.tokens),
        ("effects", limits.effects),
    ];
    let set: Vec<String> = all
        .into_iter()
        .filter_map(|(name, limit)| Some(format!("{name} {}", limit?)))
        .collect();
    set.join(", ")
}

/// A document that a plugin is given; nothing where it is given none.
fn document(out: &mut Vec<String>, name: &str, value: &Value) {
    if *value == Value::Null {
        return;
    }
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let mut name = name;
    for line in canonical(&bytes).lines {
        out.push(format!("    {name:<9} {line}"));
        name = "";
    }
}

fn may(out: &mut Vec<String>, grants: &Grants) {
    let mut name = "may";
    for line in authority_lines(grants) {
        out.push(format!("    {name:<9} {}", strict(&line)));
        name = "";
    }
}

fn json(value: &Value) -> String {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let lines = canonical(&bytes).lines;
    let parts: Vec<&str> = lines.iter().map(|l| l.trim_start()).collect();
    parts.join(" ")
}
