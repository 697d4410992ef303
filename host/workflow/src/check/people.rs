//! What concerns people and the outside: signals, approvals, review; and sessions, fallbacks.

use crate::{
    ApprovalRule, Code, Diagnostic, Diagnostics, Project, Review, Span, TaskApproval, WrittenWork,
    read::Read,
    suggest::{list, nearest},
};
use sandgate_model::{OverBudget, PluginName, RuleOn, RuleTimeout};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(read: &Read, project: &Project, out: &mut Diagnostics) {
    rules(read, out);
    deciders(read, project, out);
    waits(read, project, out);
    sessions(read, out);
    planner(read, out);
}

fn rules(read: &Read, out: &mut Diagnostics) {
    let workflow = &read.workflow;
    let source = &workflow.source;
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    for rule in &workflow.approvals {
        if let Some(first) = names.insert(&rule.name.value, rule.name.span) {
            out.push(
                Diagnostic::new(
                    Code::DUPLICATE_RULE,
                    format!("there are two approval rules `{}`", rule.name.value),
                    source,
                    rule.name.span,
                )
                .label("the second one")
                .also(source, first, "the first one")
                .help("give one of them another name"),
            );
        }
    }
    let mut used = BTreeSet::new();
    let mut look = |name: &str, span: Option<Span>, about: &[RuleOn], words: &[&str]| {
        let Some(rule) = workflow.rule(name) else {
            let all = || words.iter().copied().chain(names.keys().copied());
            let help = match nearest(name, all()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!(
                    "write {}, or add an [[approval]] with this name",
                    list(words)
                ),
            };
            let message = format!("there is no approval rule `{name}`");
            let at = span.unwrap_or_default();
            out.push(Diagnostic::new(Code::UNKNOWN_RULE, message, source, at).help(help));
            return;
        };
        used.insert(name.to_owned());
        if !about.iter().any(|on| rule.is_on(*on)) {
            let about: Vec<&str> = about.iter().map(|on| on.as_str()).collect();
            let message = format!("approval rule `{name}` is not about {}", list(&about));
            let quoted: Vec<String> = rule
                .on
                .iter()
                .map(|on| on.as_str())
                .chain(about.first().copied())
                .map(|on| format!("\"{on}\""))
                .collect();
            out.push(
                Diagnostic::new(Code::RULE_ABOUT, message, source, span.unwrap_or_default())
                    .also(source, rule.name.span, "the rule")
                    .help(format!(
                        "write on = [{}] in the rule, or name another one",
                        quoted.join(", ")
                    )),
            );
        }
    };
    for task in &workflow.tasks {
        if let TaskApproval::Rule(name) = &task.approval {
            let about = [RuleOn::Task, RuleOn::Result];
            look(name, task.spans.approval, &about, &["before", "after"]);
        }
    }
    if let Some(planner) = &workflow.planner
        && let Review::Rule(name) = &planner.review
    {
        let words = ["required", "none"];
        look(name, planner.review_span, &[RuleOn::Plan], &words);
    }
    let asks_for_budget = workflow.budget.is_some_and(|b| b.over == OverBudget::Ask);
    for rule in &workflow.approvals {
        let name = &rule.name.value;
        // Other rules apply by themselves; one about tasks has to be named, one about the budget needs one that asks.
        let idle = |on: &RuleOn| match on {
            RuleOn::Task | RuleOn::Result => !used.contains(name),
            RuleOn::Budget => !asks_for_budget,
            _ => false,
        };
        if rule.on.is_empty() || !rule.on.iter().all(idle) {
            continue;
        }
        let (message, help) = if rule.on == [RuleOn::Budget] {
            (
                format!("nothing asks for the approval rule `{name}`: the budget refuses"),
                "write over = \"ask\" in [budget], or remove the rule".to_owned(),
            )
        } else {
            (
                format!("no task asks for the approval rule `{name}`"),
                format!("write approval = \"{name}\" in a task, or remove the rule"),
            )
        };
        out.push(Diagnostic::new(Code::UNUSED_RULE, message, source, rule.name.span).help(help));
    }
}

/// Where the project says who its people are, somebody has to be able to decide.
fn deciders(read: &Read, project: &Project, out: &mut Diagnostics) {
    let source = &read.workflow.source;
    if project.principals.is_empty() {
        return;
    }
    let mut report = |message: String, span: Span, help: String| {
        out.push(Diagnostic::new(Code::NOBODY_DECIDES, message, source, span).help(help));
    };
    let held = || project.principals.iter().flat_map(|p| &p.roles);
    for rule in &read.workflow.approvals {
        let mut held_by_all = true;
        let escalate = match (&rule.on_timeout, rule.escalate_span) {
            (RuleTimeout::Escalate(role), Some(span)) => Some((role.as_str(), span)),
            _ => None,
        };
        let roles = rule.roles.iter().map(|r| (r.value.as_str(), r.span));
        for (role, span) in roles.chain(escalate) {
            if held().any(|r| r == role) {
                continue;
            }
            held_by_all = false;
            let help = match nearest(role, held().map(String::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add \"{role}\" to the roles of a [[principal]] in sandgate.toml"),
            };
            report(
                format!("no principal has the role `{role}`, so nobody could ever decide"),
                span,
                help,
            );
        }
        let deciding = project.principals.iter().filter(|p| may(rule, p)).count();
        if held_by_all && (deciding as u64) < u64::from(rule.count) {
            let message = format!(
                "rule `{}` wants {} people to agree, and only {deciding} of the project may decide",
                rule.name.value, rule.count
            );
            let help = "lower `count`, name further roles, or add a [[principal]] in sandgate.toml";
            report(message, rule.name.span, help.to_owned());
        }
    }
}

fn may(rule: &ApprovalRule, principal: &crate::Principal) -> bool {
    rule.roles.is_empty() || rule.roles.iter().any(|r| principal.has(&r.value))
}

fn waits(read: &Read, project: &Project, out: &mut Diagnostics) {
    for task in &read.workflow.tasks {
        let WrittenWork::Wait { signal, .. } = &task.work else {
            continue;
        };
        if project.knows_signal(signal.value.as_str()) {
            continue;
        }
        let known = Project::KNOWN_SIGNALS
            .into_iter()
            .chain(project.signals.iter().map(|s| s.as_str()));
        let help = match nearest(signal.value.as_str(), known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!(
                "declare it in sandgate.toml: [signals] types = [\"{}\"]",
                signal.value
            ),
        };
        out.push(
            Diagnostic::new(
                Code::UNKNOWN_SIGNAL,
                format!("the project knows no signal type `{}`", signal.value),
                &read.workflow.source,
                signal.span,
            )
            .help(help),
        );
    }
}

fn sessions(read: &Read, out: &mut Diagnostics) {
    let source = &read.workflow.source;
    let mut seen: BTreeMap<&str, (&PluginName, &Value, Span)> = BTreeMap::new();
    for task in &read.workflow.tasks {
        let WrittenWork::Agent {
            agent,
            config,
            session: Some(session),
            ..
        } = &task.work
        else {
            continue;
        };
        let here = task.spans.session.unwrap_or(task.id.span);
        match seen.get(session.as_str()) {
            None => {
                seen.insert(session.as_str(), (&agent.value, config, here));
            }
            Some((other, _, there)) if **other != agent.value => out.push(
                Diagnostic::new(
                    Code::SESSION_TWO_AGENTS,
                    format!(
                        "session `{session}` belongs to agent `{other}`, not to `{}`",
                        agent.value
                    ),
                    source,
                    here,
                )
                .also(source, *there, "used here first")
                .help("a session is one live instance of one agent: give this one another name"),
            ),
            Some((_, first, there)) if *first != config => out.push(
                Diagnostic::new(
                    Code::SESSION_CONFIG,
                    format!("session `{session}` was opened with another configuration"),
                    source,
                    here,
                )
                .also(source, *there, "opened here")
                .help("use the same config, or give this session another name"),
            ),
            Some(_) => {}
        }
    }
}

fn planner(read: &Read, out: &mut Diagnostics) {
    let workflow = &read.workflow;
    let source = &workflow.source;
    let Some(planner) = &workflow.planner else {
        return;
    };
    let mut tried = BTreeSet::from([&planner.plugin.value]);
    for fallback in &planner.fallback {
        if !tried.insert(&fallback.value) {
            out.push(
                Diagnostic::new(
                    Code::REPEATED_FALLBACK,
                    format!(
                        "planner `{}` has already been tried by then",
                        fallback.value
                    ),
                    source,
                    fallback.span,
                )
                .help("remove it from `fallback`"),
            );
        }
    }
}
