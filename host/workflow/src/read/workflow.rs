//! Reads a workflow file into values. Reports what concerns one value or one table; what concerns several tasks is
//! checked later, in `check`.

use super::{narrowing::narrowing, open, present, task::read_task};
use crate::{
    ApprovalRule, Code, DEFAULT_CONCURRENCY, Diagnostic, Diagnostics, InputDecl, InputType,
    Located, PlannerUse, Review, Source, Span, Workflow, WrittenGate,
    node::{Leaf, Node},
    shape::WORKFLOW,
    suggest::list,
};
use sandgate_model::{
    GateId, OnFailure, OverBudget, PluginName, RuleOn, RuleTimeout, RunBudget, WorkflowName,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// What could be read. When anything was reported, parts may be missing or stand-ins.
pub(crate) struct Read {
    pub(crate) workflow: Workflow,
    /// Ids of tasks that were written but could not be kept. References to them are not reported again.
    pub(crate) lost: HashSet<String>,
    /// Inputs that were written but could not be kept.
    pub(crate) lost_inputs: HashSet<String>,
    /// The file has syntax errors: nothing that concerns several places can be said.
    pub(crate) broken: bool,
}

/// Reads a workflow.
pub(crate) fn read_workflow(source: &Arc<Source>, out: &mut Diagnostics) -> Option<Read> {
    let doc = open(source, &WORKFLOW, out)?;
    let root = doc.root(&WORKFLOW);
    let mut lost = HashSet::new();
    let mut tasks = Vec::new();
    for node in root.tables("task") {
        match read_task(source, node, out) {
            Some(task) => tasks.push(task),
            None => lost.extend(node.text("id").map(|t| t.value.to_owned())),
        }
    }
    let mut inputs = BTreeMap::new();
    let mut lost_inputs = HashSet::new();
    for (key, leaf) in root.entries("inputs") {
        match leaf
            .table()
            .and_then(|node| input(source, key.span, node, out))
        {
            Some(decl) => {
                inputs.insert(key.value.to_owned(), decl);
            }
            None => {
                lost_inputs.insert(key.value.to_owned());
            }
        }
    }
    let stand_in = || WorkflowName::new("workflow").ok();
    let goal = root
        .text("goal")
        .map(|g| Located::new(g.value.to_owned(), g.span));
    let workflow = Workflow {
        source: Arc::clone(source),
        name: root.parsed("name").map(|n| n.value).or_else(stand_in)?,
        goal: goal.unwrap_or_else(|| Located::new(String::new(), Span::default())),
        concurrency: root.int("concurrency").unwrap_or(DEFAULT_CONCURRENCY),
        on_failure: match root.text("on_failure").map(|t| t.value) {
            Some("stop") => OnFailure::Stop,
            _ => OnFailure::Continue,
        },
        timeout: root.duration("timeout"),
        inputs,
        planner: root
            .table("planner")
            .and_then(|node| planner(source, node, out)),
        tasks,
        gates: root
            .tables("gate")
            .into_iter()
            .filter_map(|node| gate(source, node, out))
            .collect(),
        approvals: root
            .tables("approval")
            .into_iter()
            .filter_map(|node| approval(source, node, out))
            .collect(),
        budget: root.table("budget").and_then(budget),
    };
    Some(Read {
        workflow,
        lost,
        lost_inputs,
        broken: doc.broken,
    })
}

fn input(
    source: &Arc<Source>,
    key: Span,
    node: Node<'_>,
    out: &mut Diagnostics,
) -> Option<InputDecl> {
    let kind = node.text("type").and_then(|t| InputType::find(t.value));
    let default = node.json("default");
    let allowed: Vec<Value> = node
        .json("enum")
        .and_then(|e| e.value.as_array().cloned())
        .unwrap_or_default();
    let kind = kind?;
    let allowed_span = node.get("enum").map(|l| l.span);
    if let Some(value) = allowed.iter().find(|v| !kind.admits(v)) {
        out.push(
            Diagnostic::new(
                Code::DEFAULT_TYPE,
                format!(
                    "`enum` holds {value}, which is not of type `{}`",
                    kind.as_str()
                ),
                source,
                allowed_span.unwrap_or(key),
            )
            .help(format!(
                "write values of type `{}`, or change the type",
                kind.as_str()
            )),
        );
    } else if allowed_span.is_some() && allowed.is_empty() {
        out.push(
            Diagnostic::new(
                Code::DEFAULT_NOT_IN_ENUM,
                "an empty `enum` allows no value",
                source,
                allowed_span.unwrap_or(key),
            )
            .help("list the allowed values, or leave `enum` out"),
        );
    } else if let Some(default) = &default {
        if !kind.admits(&default.value) {
            out.push(
                Diagnostic::new(
                    Code::DEFAULT_TYPE,
                    format!("the default is not of type `{}`", kind.as_str()),
                    source,
                    default.span,
                )
                .label(format!("expected type `{}`", kind.as_str()))
                .help("change the default or the type"),
            );
        } else if !allowed.is_empty() && !allowed.contains(&default.value) {
            out.push(
                Diagnostic::new(
                    Code::DEFAULT_NOT_IN_ENUM,
                    "the default is not one of the allowed values",
                    source,
                    default.span,
                )
                .also(source, allowed_span.unwrap_or(key), "allowed values")
                .help("add it to `enum`, or choose another default"),
            );
        }
    }
    Some(InputDecl {
        kind,
        default: default.map(|d| d.value),
        description: node.string("description"),
        allowed,
        span: key,
    })
}

fn budget(node: Node<'_>) -> Option<RunBudget> {
    Some(RunBudget {
        limit: node.amount("limit")?,
        tokens: node.int("tokens"),
        over: match node.text("over").map(|t| t.value) {
            Some("ask") => OverBudget::Ask,
            _ => OverBudget::Refuse,
        },
    })
}

fn planner(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> Option<PlannerUse> {
    let (narrowing, picks) = narrowing(source, node, out);
    let review = match node.text("review").map(|t| t.value) {
        None | Some("none") => Review::None,
        Some("required") => Review::Required,
        Some(rule) => Review::Rule(rule.to_owned()),
    };
    let config = present(node, "config");
    let fallback = node
        .list("fallback")
        .iter()
        .filter_map(Leaf::parsed)
        .collect();
    Some(PlannerUse {
        plugin: node.parsed::<PluginName>("use")?,
        fallback,
        review,
        config_span: config.as_ref().map(|c| c.span),
        review_span: node.get("review").map(|l| l.span),
        config: config.map_or(Value::Null, |c| c.value),
        timeout: node.duration("timeout"),
        narrowing,
        picks,
    })
}

fn gate(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> Option<WrittenGate> {
    let config = present(node, "config");
    let (narrowing, picks) = narrowing(source, node, out);
    Some(WrittenGate {
        id: node.parsed::<GateId>("id")?,
        plugin: node.parsed::<PluginName>("use")?,
        config_span: config.as_ref().map(|c| c.span),
        config: config.map_or(Value::Null, |c| c.value),
        tier: node.int("tier").unwrap_or(1),
        timeout: node.duration("timeout"),
        narrowing,
        picks,
    })
}

fn approval(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> Option<ApprovalRule> {
    let find = |word: &str| RuleOn::ALL.into_iter().find(|on| on.as_str() == word);
    let mut on: Vec<RuleOn> = node
        .list("on")
        .iter()
        .filter_map(|l| find(l.text()?.value))
        .collect();
    if let Some(leaf) = node.get("on").filter(|l| l.items().is_empty()) {
        out.push(
            Diagnostic::new(
                Code::BAD_RULE,
                "this rule is about nothing",
                source,
                leaf.span,
            )
            .help(format!("write {}", list(ApprovalRule::ON))),
        );
    }
    on.sort();
    on.dedup();
    let roles: Vec<Located<String>> = node
        .list("roles")
        .iter()
        .filter_map(Leaf::text)
        .map(|t| Located::new(t.value.to_owned(), t.span))
        .collect();
    if let Some(leaf) = node.get("roles").filter(|l| l.items().is_empty()) {
        out.push(
            Diagnostic::new(
                Code::BAD_RULE,
                "no role may decide, so this can never be approved",
                source,
                leaf.span,
            )
            .help("name a role, or leave `roles` out so that anybody who may approve can decide"),
        );
    }
    let timeout = node.duration("timeout");
    let escalate = node.text("escalate");
    let approve = node
        .text("on_timeout")
        .filter(|word| word.value == "approve");
    for key in ["on_timeout", "escalate"] {
        if let Some(leaf) = node.get(key).filter(|_| node.get("timeout").is_none()) {
            out.push(
                Diagnostic::new(
                    Code::BAD_RULE,
                    format!("`{key}` without a `timeout` never happens"),
                    source,
                    leaf.span,
                )
                .help(format!(
                    "add a timeout, such as timeout = \"4h\", or leave `{key}` out"
                )),
            );
        }
    }
    if let (Some(approve), Some(role)) = (&approve, &escalate) {
        out.push(
            Diagnostic::new(
                Code::BAD_RULE,
                "what is approved by its timeout is not escalated",
                source,
                role.span,
            )
            .also(source, approve.span, "approved here")
            .help("keep `escalate`, or on_timeout = \"approve\""),
        );
    }
    let on_timeout = match (approve, &escalate) {
        (Some(_), _) => RuleTimeout::Approve,
        (None, Some(role)) => RuleTimeout::Escalate(role.value.to_owned()),
        (None, None) => RuleTimeout::Reject,
    };
    let name = node.text("name")?;
    if matches!(name.value, "before" | "after" | "required" | "none") {
        out.push(
            Diagnostic::new(
                Code::BAD_RULE,
                format!(
                    "`{}` is a word of its own and cannot name a rule",
                    name.value
                ),
                source,
                name.span,
            )
            .help("choose another name, such as \"lead-signs\""),
        );
    }
    Some(ApprovalRule {
        name: Located::new(name.value.to_owned(), name.span),
        on,
        roles,
        count: node.int("count").unwrap_or(1),
        timeout,
        on_timeout,
        self_approval: node.bool("self_approval").unwrap_or(true),
        escalate_span: escalate.map(|e| e.span),
    })
}
