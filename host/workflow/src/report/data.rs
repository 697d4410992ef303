//! The shape of the report. Its JSON is for programs: fields may be added, none is renamed. What is empty or absent says so
//! by its type, and places are `FILE:LINE`.

use crate::Limits;
use sandgate_model::{Digest, Need, NeedKind, Role, RunBudget, TaskLimits};
use serde::Serialize;

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
    /// `plan`, `task`, `result`, `http`, `exec`, `model`, `charge`, `question` or `budget`.
    pub on: &'static str,
    /// What it is about: the id of a task, a line of authority, who may ask a question; empty for the plan and the budget.
    pub what: String,
    /// The approval rules that apply, all of them; empty: anybody who may approve.
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
