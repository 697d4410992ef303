//! The effective policy of a workflow, as data: what each planner, task and gate gets, from which line, what it does not
//! get and why, which secrets go where, what will ask a person. It comes from the same decision that a run uses. Must
//! not render, and must not decide anything.
//!
//! All places are `FILE:LINE`. All lists have a fixed order: uses as in the workflow (planner, its fallbacks, tasks,
//! gates), everything else sorted.

mod asks;
mod data;
mod warn;

pub use data::{
    Ask, DeniedLine, GrantLine, LimitsReport, PluginReport, PolicyReport, ReportedSecret, Subject,
    UseReport,
};

use crate::{
    Catalog, CatalogEntry, Imports, Project, Workflow, WrittenWork,
    check::Plugins,
    lock::diff::{harmless, unversioned},
};
use sandgate_authority::{
    Denial, Narrowing, Origin, Refusal, Resolution, plugin_lines, secret_target, sources,
};
use sandgate_model::{Grants, NeedKind, PluginName, TaskLimits};
use std::collections::{BTreeMap, BTreeSet};

/// One use, before it was decided about.
struct Use<'a> {
    kind: &'static str,
    id: &'a str,
    plugin: &'a PluginName,
    narrowing: &'a Narrowing,
    limits: TaskLimits,
    budget: Option<u64>,
}

/// Makes the report. `imports` is what the binaries import; a plugin that is not in it is shown without.
#[must_use]
pub fn policy_report(
    workflow: &Workflow,
    project: &Project,
    catalog: &Catalog,
    imports: &Imports,
) -> PolicyReport {
    let plugins = Plugins::new(project, Some(catalog));
    let mut in_use: BTreeMap<&PluginName, &CatalogEntry> = BTreeMap::new();
    let mut reports = Vec::new();
    let mut lines = BTreeSet::new();
    let mut asking = Vec::new();
    for one in uses(workflow) {
        let entry = catalog.get(one.plugin);
        if let Some(entry) = entry {
            in_use.insert(one.plugin, entry);
        }
        let report = used(&one, entry, workflow, project, &plugins);
        lines.extend(report.asks.iter().cloned());
        let question = |g: &GrantLine| g.kind == Some(NeedKind::Question);
        if report.grants.iter().any(question) {
            asking.push(format!("{} `{}`", one.kind, one.id));
        }
        reports.push(report);
    }
    // A planner may use any agent: what each can get at most belongs to the picture.
    if workflow.planner.is_some() {
        let agents = catalog
            .plugins
            .iter()
            .filter(|(_, e)| e.role == sandgate_model::Role::Agent);
        in_use.extend(agents);
    }
    let asks = asks::all(workflow, &lines, &asking);
    PolicyReport {
        project: project.name.to_string(),
        workflow: workflow.name.to_string(),
        warnings: warn::whole(workflow, project, &reports),
        uses: reports,
        plugins: in_use
            .into_iter()
            .map(|(name, entry)| plugin(name, entry, project, imports))
            .collect(),
        secrets: secrets(project),
        asks,
        limits: LimitsReport::from(&project.limits),
        budget: workflow.budget,
        project_budget: project.budget_micros,
    }
}

fn uses(workflow: &Workflow) -> Vec<Use<'_>> {
    let mut all = Vec::new();
    if let Some(planner) = &workflow.planner {
        let named = std::iter::once(("planner", &planner.plugin))
            .chain(planner.fallback.iter().map(|f| ("fallback", f)));
        for (kind, plugin) in named {
            all.push(Use {
                kind,
                id: plugin.value.as_str(),
                plugin: &plugin.value,
                narrowing: &planner.narrowing,
                limits: TaskLimits::default(),
                budget: None,
            });
        }
    }
    for task in &workflow.tasks {
        let WrittenWork::Agent { agent, .. } = &task.work else {
            continue;
        };
        all.push(Use {
            kind: "task",
            id: task.id.value.as_str(),
            plugin: &agent.value,
            narrowing: &task.narrowing,
            limits: task.limits,
            budget: task.budget,
        });
    }
    for gate in &workflow.gates {
        all.push(Use {
            kind: "gate",
            id: gate.id.value.as_str(),
            plugin: &gate.plugin.value,
            narrowing: &gate.narrowing,
            limits: TaskLimits::default(),
            budget: None,
        });
    }
    all
}

fn used(
    one: &Use<'_>,
    entry: Option<&CatalogEntry>,
    workflow: &Workflow,
    project: &Project,
    plugins: &Plugins<'_>,
) -> UseReport {
    let who = format!("{} `{}`", one.kind, one.id);
    let decided = match entry {
        Some(entry) => plugins.resolve(&who, one.plugin, entry, one.narrowing),
        None => Ok(Resolution::default()),
    };
    let (resolution, refused) = match decided {
        Ok(resolution) => (resolution, Vec::new()),
        Err(refusals) => (
            Resolution::default(),
            refusals.into_iter().map(refused_line).collect(),
        ),
    };
    // As a run has them: with the approvals that the workflow's rules add.
    let held = workflow.under_rules(resolution.grants);
    let grants: Vec<GrantLine> = sources(&held, &project.policy)
        .into_iter()
        .map(|line| GrantLine {
            text: line.text,
            kind: line.kind,
            from: line.origin.as_ref().map(Origin::to_string),
        })
        .collect();
    let asks = grants
        .iter()
        .filter(|g| g.text.ends_with(sandgate_authority::APPROVAL))
        .map(|g| g.text.clone())
        .collect();
    UseReport {
        subject: Subject {
            kind: one.kind,
            id: one.id.to_owned(),
        },
        plugin: one.plugin.to_string(),
        digest: entry.map(|e| e.digest),
        workspace: one.narrowing.workspace.as_str(),
        grants,
        denied: resolution.denied.into_iter().map(denied_line).collect(),
        refused,
        secrets: used_secrets(&held, project),
        asks,
        outside_effect: held.outside_effect(),
        limits: one.limits,
        budget: one.budget,
        warnings: warn::grants(&held, project),
    }
}

fn denied_line(d: Denial) -> DeniedLine {
    DeniedLine {
        layer: d.layer.as_str(),
        kind: Some(d.kind),
        what: d.what,
        why: d.why,
        allow: d.allow,
        from: d.origin.as_ref().map(Origin::to_string),
    }
}

fn refused_line(r: Refusal) -> DeniedLine {
    DeniedLine {
        layer: r.layer.as_str(),
        kind: r.kind,
        what: String::new(),
        why: r.message,
        allow: r.allow,
        from: r.origin.as_ref().map(Origin::to_string),
    }
}

fn source_of(name: &str, project: &Project) -> String {
    project
        .secrets
        .get(name)
        .map(crate::SecretSource::describe)
        .unwrap_or_default()
}

fn used_secrets(grants: &Grants, project: &Project) -> Vec<ReportedSecret> {
    let mut all: Vec<ReportedSecret> = grants
        .secrets
        .iter()
        .map(|s| ReportedSecret {
            name: s.name.clone(),
            from: source_of(&s.name, project),
            to: secret_target(&s.to),
        })
        .collect();
    all.sort();
    all
}

fn secrets(project: &Project) -> Vec<ReportedSecret> {
    let mut all: Vec<ReportedSecret> = project
        .policy
        .secrets()
        .iter()
        .map(|r| ReportedSecret {
            name: r.grant.name.clone(),
            from: source_of(&r.grant.name, project),
            to: secret_target(&r.grant.to),
        })
        .collect();
    all.sort();
    all
}

fn plugin(
    name: &PluginName,
    entry: &CatalogEntry,
    project: &Project,
    imports: &Imports,
) -> PluginReport {
    let mut imports = imports.get(name).cloned().unwrap_or_default();
    imports.sort();
    imports.dedup();
    let capabilities = imports
        .iter()
        .filter(|i| !harmless(unversioned(i)))
        .cloned()
        .collect();
    let needs = &entry.description.needs;
    PluginReport {
        name: name.to_string(),
        role: entry.role,
        digest: entry.digest,
        needs: needs.clone(),
        capabilities,
        imports,
        most: plugin_lines(needs, &project.policy, project.operator.as_ref()),
    }
}
