//! Freezing: everything that a run depends on is fixed here, and named by the plan's digest.

use super::{PlanErrors, draft};
use crate::{
    Catalog, Code, Context, Diagnostic, Diagnostics, Project, Review, Subject, TaskApproval,
    Workflow, WrittenTask, WrittenWork,
    check::{Plugins, index},
    graph::Graph,
    read::{DEFAULT_BACKOFF, DEFAULT_MAX_BACKOFF},
    render_text,
};
use sandgate_authority::Narrowing;
use sandgate_model::{
    ArtifactRef, DraftPlan, DraftTask, Grants, Millis, PLAN_FORMAT, Plan, PlanGate, PlanPlugin,
    PlanTask, PluginName, Retry, Role, RuleOn, Session, TaskIx, TaskLimits, TaskWork, WaitFor,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Freezes a plan: written tasks first, as they are, then the planner's. Everything is checked again that depends
/// on plugins, policy or draft, so a plan that comes out holds the invariants that [`Plan`] lists.
///
/// `draft` is what a planner proposed, and which planner; `revision` is 1 for the first plan of a run.
///
/// # Errors
/// Every reason that was found. Reasons in the draft name the task and the field, reasons in the workflow have a
/// place in the file.
pub fn freeze(
    workflow: &Workflow,
    project: &Project,
    catalog: &Catalog,
    inputs: BTreeMap<String, Value>,
    draft: Option<(PluginName, DraftPlan)>,
    revision: u32,
) -> Result<Plan, PlanErrors> {
    let (planner, draft) = draft.map_or_else(Default::default, |(p, d)| (Some(p), d));
    freeze_edited(workflow, project, catalog, inputs, planner, draft, revision)
}

/// Freezes a plan that a person edited: what [`crate::read_edited`] read takes the place of what the planner proposed. It
/// is checked like a planner's draft. `planner` is the one of the plan that was edited; without one the draft only adds to
/// the written tasks.
///
/// # Errors
/// As [`freeze`].
pub fn freeze_edited(
    workflow: &Workflow,
    project: &Project,
    catalog: &Catalog,
    inputs: BTreeMap<String, Value>,
    planner: Option<PluginName>,
    draft: DraftPlan,
    revision: u32,
) -> Result<Plan, PlanErrors> {
    let mut out = Diagnostics::default();
    let plugins = Plugins::new(project, Some(catalog));
    crate::check::check_plugins(workflow, project, Some(catalog), &mut out);
    bound(workflow, &inputs, &mut out);
    let goal = render_text(&workflow.goal.value, &Context::new(&inputs)).unwrap_or_else(|error| {
        out.push(
            Diagnostic::new(
                Code::TEMPLATE_SYNTAX,
                format!("the goal cannot be filled in: {error}"),
                &workflow.source,
                workflow.goal.span,
            )
            .help("check the values of the inputs"),
        );
        String::new()
    });

    let index = index(&workflow.tasks);
    let needs = written_needs(workflow, &index);
    if let Some(planner) = &planner
        && let Err((code, message, help)) = plugins.find(planner, Role::Planner)
    {
        let subject = Subject {
            kind: "plan",
            name: String::new(),
            field: "planner",
        };
        out.push(Diagnostic::about(code, message, subject).maybe_help(help));
    }
    let outcome = draft::check(workflow, needs, &draft, &plugins, &mut out);
    let (Some(outcome), false) = (outcome, out.has_errors()) else {
        return Err(PlanErrors::new(out));
    };

    let DraftPlan {
        tasks: proposed,
        rationale,
    } = draft;
    let mut used: BTreeMap<PluginName, PlanPlugin> = BTreeMap::new();
    let mut note = |name: &PluginName| {
        if let Some(entry) = catalog.get(name) {
            used.insert(
                name.clone(),
                PlanPlugin {
                    role: entry.role,
                    digest: entry.digest,
                },
            );
        }
    };
    planner.iter().for_each(&mut note);
    let mut tasks = Vec::with_capacity(workflow.tasks.len() + proposed.len());
    for (i, task) in workflow.tasks.iter().enumerate() {
        if let WrittenWork::Agent { agent, .. } = &task.work {
            note(&agent.value);
        }
        tasks.push(written(
            workflow,
            task,
            &outcome.graph,
            i,
            &index,
            &plugins,
            catalog,
        ));
    }
    for (i, (task, checked)) in proposed.into_iter().zip(outcome.tasks).enumerate() {
        note(&checked.agent);
        tasks.push(planned(
            workflow,
            task,
            checked,
            &outcome.graph,
            workflow.tasks.len() + i,
            project,
        ));
    }
    let mut gates = Vec::with_capacity(workflow.gates.len());
    for gate in &workflow.gates {
        note(&gate.plugin.value);
        let who = format!("gate `{}`", gate.id.value);
        gates.push(PlanGate {
            id: gate.id.value.clone(),
            plugin: gate.plugin.value.clone(),
            config: gate.config.clone(),
            tier: gate.tier,
            timeout: limit(gate.timeout, project),
            grants: workflow.under_rules(granted(
                &who,
                &gate.plugin.value,
                &gate.narrowing,
                &plugins,
                catalog,
            )),
        });
    }
    // What a person wrote, a person has seen: without a planner only a rule asks for a review.
    let written_review = workflow.planner.as_ref().map(|p| &p.review);
    let (by_planner, review_rule) = match written_review.filter(|_| planner.is_some()) {
        Some(Review::Rule(rule)) => (true, Some(rule.clone())),
        Some(Review::Required) => (true, None),
        Some(Review::None) | None => (false, None),
    };
    Ok(Plan {
        format: PLAN_FORMAT,
        workflow: workflow.name.clone(),
        goal,
        revision,
        planner,
        rationale,
        inputs,
        plugins: used,
        tasks,
        gates,
        concurrency: workflow.concurrency.min(project.limits.concurrency).max(1),
        on_failure: workflow.on_failure,
        timeout: workflow.timeout,
        review: by_planner || workflow.asks_on(RuleOn::Plan),
        review_rule,
        budget: workflow.budget,
    })
}

/// The inputs are those that the workflow declares: neither more nor fewer, and of the declared types.
fn bound(workflow: &Workflow, inputs: &BTreeMap<String, Value>, out: &mut Diagnostics) {
    let given = inputs
        .iter()
        .map(|(k, v)| (k.clone(), crate::Given::Value(v.clone())))
        .collect();
    match workflow.bind_inputs(&given) {
        // A default would be filled in here, after the goal and the planner had to do without it.
        Ok(all) if all.len() == inputs.len() => {}
        Ok(all) => {
            for name in all.keys().filter(|n| !inputs.contains_key(*n)) {
                let subject = Subject {
                    kind: "input",
                    name: name.clone(),
                    field: "",
                };
                out.push(Diagnostic::about(
                    Code::MISSING_INPUT,
                    format!("input `{name}` was not bound"),
                    subject,
                ));
            }
        }
        Err(found) => out.extend(found),
    }
}

fn written_needs(workflow: &Workflow, index: &HashMap<&str, u32>) -> Vec<Vec<u32>> {
    let at = |id: &str| index.get(id).copied();
    workflow
        .tasks
        .iter()
        .map(|task| {
            let needs = task.needs.iter().filter_map(|n| at(n.value.as_str()));
            needs
                .chain(task.consumes.iter().filter_map(|c| at(c.value.0.as_str())))
                .collect()
        })
        .collect()
}

fn needs(graph: &Graph, at: usize) -> Vec<TaskIx> {
    u32::try_from(at)
        .map(|at| graph.needs(at).iter().map(|n| TaskIx(*n)).collect())
        .unwrap_or_default()
}

/// A written timeout, or the project's limit. An operator's limit has lowered the latter and caps the former.
fn limit(timeout: Option<Millis>, project: &Project) -> Millis {
    match timeout {
        Some(timeout) => project.cap_attempt.map_or(timeout, |cap| timeout.min(cap)),
        None => project.limits.attempt,
    }
}

/// What a task lowers, as far as the operator has not lowered it further. What is not below the project's limit is
/// left out: it says nothing.
fn lowered(task: TaskLimits, project: &Project) -> TaskLimits {
    let most = &project.limits;
    let below = |mine: Option<u64>, most: u64| mine.filter(|m| *m < most);
    TaskLimits {
        memory: below(task.memory, most.memory),
        log: below(task.log, most.log),
        output: below(task.output, most.output),
        artifact: below(task.artifact, most.artifact),
        disk: below(task.disk, most.disk),
        files: below(task.files, most.files),
        calls: below(task.calls, most.calls),
        network: below(task.network, most.network),
        tokens: below(task.tokens, most.tokens),
        effects: below(task.effects, most.effects),
    }
}

fn granted(
    who: &str,
    name: &PluginName,
    narrowing: &Narrowing,
    plugins: &Plugins<'_>,
    catalog: &Catalog,
) -> Grants {
    // Refusals have been reported before; nothing is granted where something was refused.
    catalog
        .get(name)
        .and_then(|entry| plugins.grants(who, name, entry, narrowing).ok())
        .unwrap_or_default()
}

/// When somebody decides about a task, before and after, and by which rule.
fn approval(workflow: &Workflow, approval: &TaskApproval) -> (bool, bool, Option<String>) {
    match approval {
        TaskApproval::None => (false, false, None),
        TaskApproval::Before => (true, false, None),
        TaskApproval::After => (false, true, None),
        TaskApproval::Rule(name) => {
            // A rule that is not there has been reported; nothing is dispatched without a decision in any case.
            let after = workflow
                .rule(name)
                .is_some_and(|r| r.is_on(RuleOn::Result) && !r.is_on(RuleOn::Task));
            (!after, after, Some(name.clone()))
        }
    }
}

fn written(
    workflow: &Workflow,
    task: &WrittenTask,
    graph: &Graph,
    at: usize,
    index: &HashMap<&str, u32>,
    plugins: &Plugins<'_>,
    catalog: &Catalog,
) -> PlanTask {
    let mut consumes: Vec<ArtifactRef> = task
        .consumes
        .iter()
        .filter_map(|c| {
            let task = TaskIx(*index.get(c.value.0.as_str())?);
            Some(ArtifactRef {
                task,
                name: c.value.1.clone(),
            })
        })
        .collect();
    consumes.sort();
    consumes.dedup();
    let mut produces: Vec<_> = Vec::with_capacity(task.produces.len());
    for artifact in &task.produces {
        if !produces.contains(&artifact.value) {
            produces.push(artifact.value.clone());
        }
    }
    let (work, grants, timeout) = match &task.work {
        WrittenWork::Agent {
            agent,
            input,
            config,
            session,
        } => {
            let who = format!("task `{}`", task.id.value);
            let grants = granted(&who, &agent.value, &task.narrowing, plugins, catalog);
            let grants = workflow.under_rules(grants);
            let session = session.clone().map_or(Session::Spawn, Session::Pinned);
            let work = TaskWork::Agent {
                agent: agent.value.clone(),
                input: input.clone(),
                config: config.clone(),
                session,
            };
            (work, grants, limit(task.timeout, plugins.project))
        }
        WrittenWork::Wait {
            signal,
            matches,
            timeout,
        } => {
            let work = TaskWork::Wait(WaitFor {
                signal: signal.value.clone(),
                matches: matches.clone(),
                timeout: *timeout,
            });
            (
                work,
                Grants::default(),
                timeout.unwrap_or(plugins.project.limits.attempt),
            )
        }
    };
    let (approval_before, approval_after, approval_rule) = approval(workflow, &task.approval);
    PlanTask {
        id: task.id.value.clone(),
        title: task.title.clone(),
        work,
        needs: needs(graph, at),
        consumes,
        produces,
        when: task.when.as_ref().map(|e| e.value.clone()),
        for_each: task.for_each.as_ref().map(|e| e.value.clone()),
        retry: Retry {
            attempts: task.attempts,
            backoff: task.backoff,
            max_backoff: task.max_backoff,
        },
        timeout,
        priority: task.priority,
        repeatable: task.repeatable,
        approval_before,
        approval_after,
        approval_rule,
        grants,
        budget: task.budget,
        limits: lowered(task.limits, plugins.project),
    }
}

/// The input of a planner's task. `null` stands for a planner that gave none.
pub(super) fn input(value: &Value) -> Value {
    match value {
        Value::Null => Value::Object(serde_json::Map::new()),
        other => other.clone(),
    }
}

fn planned(
    workflow: &Workflow,
    task: DraftTask,
    checked: draft::Checked,
    graph: &Graph,
    at: usize,
    project: &Project,
) -> PlanTask {
    PlanTask {
        id: checked.id,
        title: task.title,
        work: TaskWork::Agent {
            agent: checked.agent,
            input: match task.input {
                Value::Null => Value::Object(serde_json::Map::new()),
                other => other,
            },
            config: Value::Null,
            session: Session::Spawn,
        },
        needs: needs(graph, at),
        consumes: checked.consumes,
        produces: checked.produces,
        when: None,
        for_each: None,
        retry: Retry {
            attempts: 1,
            backoff: DEFAULT_BACKOFF,
            max_backoff: DEFAULT_MAX_BACKOFF,
        },
        timeout: project.limits.attempt,
        priority: 0,
        repeatable: false,
        approval_before: false,
        approval_after: false,
        approval_rule: None,
        grants: workflow.under_rules(checked.grants),
        budget: None,
        limits: TaskLimits::default(),
    }
}
