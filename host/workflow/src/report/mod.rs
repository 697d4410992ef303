//! The effective policy of a workflow, as data: what each planner, task and gate gets, from which line, what it does not
//! get and why, which secrets go where, what will ask a person. It comes from the same decision that a run uses. Must
//! not render, and must not decide anything.
//!
//! All places are `FILE:LINE`. All lists have a fixed order: uses as in the workflow (planner, its fallbacks, tasks,
//! gates), everything else sorted.

mod asks;
mod warn;

use crate::{
    Catalog, CatalogEntry, Imports, Limits, Project, Workflow, WrittenWork,
    check::Plugins,
    lock::diff::{harmless, unversioned},
};
use sandgate_authority::{
    Denial, Narrowing, Origin, Refusal, Resolution, plugin_lines, secret_target,
};
use sandgate_model::{Digest, Grants, Need, NeedKind, PluginName, Role, RunBudget, TaskLimits};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyReport {
    /// Name of the project.
    pub project: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Every use of a plugin.
    pub uses: Vec<UseReport>,
    /// Every plugin in use.
    pub plugins: Vec<PluginReport>,
    /// Every secret of the project.
    pub secrets: Vec<ReportedSecret>,
    /// What will ask a person.
    pub asks: Vec<Ask>,
    /// Limits of one attempt.
    pub limits: LimitsReport,
    /// What the run may cost; absent: what the project's budget has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<RunBudget>,
    /// What all runs of the project together may cost, in millionths; absent: nothing bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_budget: Option<u64>,
    /// What a reviewer should know of the whole.
    pub warnings: Vec<String>,
}

/// One use of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UseReport {
    /// Who uses it.
    pub subject: Subject,
    /// The plugin, by its name in the project.
    pub plugin: String,
    /// Digest of the component; absent when it could not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Where its directories are: `none`, `shared`, `clone`, `worktree`.
    pub workspace: &'static str,
    /// What it gets, one line for each thing.
    pub grants: Vec<GrantLine>,
    /// What it does not get, and works without.
    pub denied: Vec<DeniedLine>,
    /// What it does not get, and cannot work without: it would not start.
    pub refused: Vec<DeniedLine>,
    /// Secrets that the host uses for it.
    pub secrets: Vec<ReportedSecret>,
    /// Lines of `grants` whose every use has to be approved.
    pub asks: Vec<String>,
    /// Whether it can leave a trace outside the sandbox.
    pub outside_effect: bool,
    /// Limits that it lowers.
    pub limits: TaskLimits,
    /// Most it may cost, in millionths; absent: a share of what the run has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// What a reviewer should know.
    pub warnings: Vec<String>,
}

/// Who uses a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// `planner`, `fallback`, `task` or `gate`.
    pub kind: &'static str,
    /// Id of the task or gate; the plugin's name for planners.
    pub id: String,
}

/// One thing that is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantLine {
    /// The line, as the lock has it.
    pub text: String,
    /// What kind of authority; absent for the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<NeedKind>,
    /// The rule that it comes from; absent where the workflow itself says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// One thing that is not granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeniedLine {
    /// Who said no: `plugin`, `task`, `project` or `operator`.
    pub layer: &'static str,
    /// What kind of authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<NeedKind>,
    /// What; empty when it is the whole kind.
    pub what: String,
    /// Why.
    pub why: String,
    /// The line of TOML that would allow it, and where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// The rule concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReportedSecret {
    /// Its name.
    pub name: String,
    /// Where its value comes from: `env NAME`, `file PATH`, `command PROGRAM`.
    pub from: String,
    /// Where it may go: an origin, `exec:COMMAND` or `provider:NAME`.
    pub to: String,
}

/// Something that will ask a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ask {
    /// `plan`, `task`, `result`, `http`, `exec`, `model`, `charge` or `budget`.
    pub on: &'static str,
    /// What it is about: the id of a task, a line of authority; empty for the plan.
    pub what: String,
    /// The approval rules that apply; empty: anybody who may approve.
    pub rules: Vec<String>,
}

/// A plugin in use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PluginReport {
    /// Its name in the project.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Digest of the component.
    pub digest: Digest,
    /// What it asks for, and why.
    pub needs: Vec<Need>,
    /// Every interface that the component imports. What is not here cannot be called, whatever is granted.
    pub imports: Vec<String>,
    /// Those of them that are a capability.
    pub capabilities: Vec<String>,
    /// What it can get at most in this project, whatever a task or a plan says.
    pub most: Vec<String>,
}

/// Limits of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitsReport {
    /// Memory of one instance, in bytes.
    pub memory: u64,
    /// Longest an attempt may take, in milliseconds.
    pub attempt: u64,
    /// Output document, in bytes.
    pub output: u64,
    /// Log, in bytes.
    pub log: u64,
    /// One artifact, in bytes.
    pub artifact: u64,
    /// Bytes written to directories.
    pub disk: u64,
    /// Files and directories made.
    pub files: u64,
    /// Calls into the host.
    pub calls: u64,
    /// Bytes over the network, both ways.
    pub network: u64,
    /// Tokens of text generation.
    pub tokens: u64,
    /// Requests, commands, generations and charges together.
    pub effects: u64,
}

impl From<&Limits> for LimitsReport {
    fn from(l: &Limits) -> Self {
        Self {
            memory: l.memory,
            attempt: l.attempt.0,
            output: l.output,
            log: l.log,
            artifact: l.artifact,
            disk: l.disk,
            files: l.files,
            calls: l.calls,
            network: l.network,
            tokens: l.tokens,
            effects: l.effects,
        }
    }
}

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
    for one in uses(workflow) {
        let entry = catalog.get(one.plugin);
        if let Some(entry) = entry {
            in_use.insert(one.plugin, entry);
        }
        let report = used(&one, entry, project, &plugins);
        lines.extend(report.asks.iter().cloned());
        reports.push(report);
    }
    let asks = asks::all(workflow, &lines);
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
    let grants: Vec<GrantLine> = resolution
        .sources
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
        secrets: used_secrets(&resolution.grants, project),
        asks,
        outside_effect: resolution.grants.outside_effect(),
        limits: one.limits,
        budget: one.budget,
        warnings: warn::grants(&resolution.grants, project),
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
