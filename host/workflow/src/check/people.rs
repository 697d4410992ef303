//! What concerns people and the outside: signals, approvals, review; and sessions, fallbacks.

use crate::{
    ApprovalOn, Code, Diagnostic, Diagnostics, Project, Review, Span, TaskApproval, WrittenWork,
    read::Read,
    suggest::{list, nearest},
};
use sandgate_model::PluginName;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(read: &Read, project: &Project, out: &mut Diagnostics) {
    rules(read, out);
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
    let mut look = |name: &str, span: Option<Span>, words: &[&str], out: &mut Diagnostics| {
        if names.contains_key(name) {
            used.insert(name.to_owned());
            return;
        }
        let all = || words.iter().copied().chain(names.keys().copied());
        let help = match nearest(name, all()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!(
                "write {}, or add an [[approval]] with this name",
                list(words)
            ),
        };
        out.push(
            Diagnostic::new(
                Code::UNKNOWN_RULE,
                format!("there is no approval rule `{name}`"),
                source,
                span.unwrap_or_default(),
            )
            .help(help),
        );
    };
    for task in &workflow.tasks {
        if let TaskApproval::Rule(name) = &task.approval {
            look(name, task.spans.approval, &["before", "after"], out);
        }
    }
    if let Some(planner) = &workflow.planner
        && let Review::Rule(name) = &planner.review
    {
        look(name, planner.review_span, &["required", "none"], out);
    }
    for rule in &workflow.approvals {
        // Other rules apply by themselves; one about tasks has to be named.
        let only_tasks = rule.on.iter().all(|on| *on == ApprovalOn::Task) && !rule.on.is_empty();
        if only_tasks && !used.contains(&rule.name.value) {
            out.push(
                Diagnostic::new(
                    Code::UNUSED_RULE,
                    format!("no task asks for the approval rule `{}`", rule.name.value),
                    source,
                    rule.name.span,
                )
                .help(format!(
                    "write approval = \"{}\" in a task, or remove the rule",
                    rule.name.value
                )),
            );
        }
    }
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
    match &workflow.planner {
        Some(planner) => {
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
        None => {
            for rule in &workflow.approvals {
                if rule.on == [ApprovalOn::Plan] {
                    out.push(
                        Diagnostic::new(
                            Code::REVIEW_WITHOUT_PLANNER,
                            format!(
                                "approval rule `{}` is about plans, but no planner makes one",
                                rule.name.value
                            ),
                            source,
                            rule.name.span,
                        )
                        .help("add a [planner], or remove the rule"),
                    );
                }
            }
        }
    }
}
