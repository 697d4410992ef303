//! A workflow as its file describes it. Values of this type were checked: ids are unique, references resolve,
//! there is no cycle, templates can be read. What depends on the plugins is checked when a catalog is at hand.

use crate::{Located, Source, Span, read::PickSpans};
use sandgate_authority::Narrowing;
use sandgate_model::{
    ArtifactName, GateId, Grants, Millis, OnFailure, PluginName, Rule, RuleOn, RuleTimeout,
    RunBudget, SessionName, SignalType, TaskId, TaskLimits, WorkflowName,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Most tasks of a plan. The engine's cost grows with the plan, linearly; this bounds a hostile planner.
pub const MAX_TASKS: usize = 100_000;

/// Attempts at once when the workflow does not say: enough to overlap waits, little enough for any machine.
pub const DEFAULT_CONCURRENCY: u32 = 4;

/// Type of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputType {
    /// Text.
    String,
    /// A whole number, 64 bits, signed.
    Integer,
    /// Any number that JSON has.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of any values.
    List,
    /// An object.
    Object,
}

impl InputType {
    /// The words, in the order of the variants.
    pub const WORDS: &'static [&'static str] =
        &["string", "integer", "number", "boolean", "list", "object"];

    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Object => "object",
        }
    }

    pub(crate) fn find(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "list" => Self::List,
            "object" => Self::Object,
            _ => return None,
        })
    }

    /// Whether a value is of this type.
    #[must_use]
    pub fn admits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// An input that the workflow declares.
#[derive(Debug, Clone)]
pub struct InputDecl {
    /// Its type.
    pub kind: InputType,
    /// The value when none is given; absent: it is required.
    pub default: Option<Value>,
    /// For people; may be empty.
    pub description: String,
    /// The only values allowed; empty: any.
    pub allowed: Vec<Value>,
    /// Where the declaration is.
    pub span: Span,
}

/// Who looks at the plan before anything is dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Review {
    /// Nobody.
    None,
    /// Anybody who may approve.
    Required,
    /// As an approval rule says.
    Rule(String),
}

/// The planner of a workflow.
#[derive(Debug, Clone)]
pub struct PlannerUse {
    /// The planner.
    pub plugin: Located<PluginName>,
    /// Tried in this order when it fails.
    pub fallback: Vec<Located<PluginName>>,
    /// Who looks at the plan.
    pub review: Review,
    /// Its configuration; `null` where there is none.
    pub config: Value,
    /// Longest it may take; absent: as an attempt.
    pub timeout: Option<Millis>,
    /// What it picks of what the project offers; its fallbacks, too.
    pub narrowing: Narrowing,
    pub(crate) config_span: Option<Span>,
    pub(crate) review_span: Option<Span>,
    pub(crate) picks: PickSpans,
}

/// When a person decides about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskApproval {
    /// Never.
    None,
    /// Before it starts.
    Before,
    /// After it ended well, before its dependents start.
    After,
    /// As an approval rule says: before it starts when the rule is about tasks, otherwise on its result.
    Rule(String),
}

/// What a written task does.
#[derive(Debug, Clone)]
pub enum WrittenWork {
    /// An agent does it.
    Agent {
        /// Which.
        agent: Located<PluginName>,
        /// Input; strings in it may be templates.
        input: Value,
        /// Configuration of the agent; `null` where there is none.
        config: Value,
        /// Pinned session; absent: a fresh instance for each attempt.
        session: Option<SessionName>,
    },
    /// It waits for a signal.
    Wait {
        /// Type of the signal.
        signal: Located<SignalType>,
        /// Fields that have to be equal; values may be templates.
        matches: BTreeMap<String, String>,
        /// Fails after this long; absent: waits for as long as the run.
        timeout: Option<Millis>,
    },
}

/// A task of a workflow file.
#[derive(Debug, Clone)]
pub struct WrittenTask {
    /// Its id.
    pub id: Located<TaskId>,
    /// For people; may be empty.
    pub title: String,
    /// What it does.
    pub work: WrittenWork,
    /// Tasks that must succeed first, as written.
    pub needs: Vec<Located<TaskId>>,
    /// Artifacts it takes.
    pub consumes: Vec<Located<(TaskId, ArtifactName)>>,
    /// Artifacts it makes.
    pub produces: Vec<Located<ArtifactName>>,
    /// Skipped when this expression is false.
    pub when: Option<Located<String>>,
    /// Runs once for each item of this expression.
    pub for_each: Option<Located<String>>,
    /// Attempts altogether; at least 1.
    pub attempts: u32,
    /// Wait before the second attempt.
    pub backoff: Millis,
    /// The wait never grows past this.
    pub max_backoff: Millis,
    /// Longest an attempt may take; absent: the project's limit.
    pub timeout: Option<Millis>,
    /// Higher goes first.
    pub priority: i32,
    /// May run again although an earlier attempt's end is unknown.
    pub repeatable: bool,
    /// When a person decides.
    pub approval: TaskApproval,
    /// What it picks of what the project offers.
    pub narrowing: Narrowing,
    /// Limits it lowers.
    pub limits: TaskLimits,
    /// Most it may cost, in millionths; absent: a share of what the run has.
    pub budget: Option<u64>,
    pub(crate) spans: TaskSpans,
}

/// Where the parts of a task are, as far as later checks need them.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskSpans {
    /// Strings of the input that hold templates.
    pub(crate) templates: Vec<Located<String>>,
    /// Keys of the input that hold template text.
    pub(crate) keys: Vec<Span>,
    pub(crate) input: Option<Span>,
    pub(crate) config: Option<Span>,
    pub(crate) session: Option<Span>,
    pub(crate) picks: PickSpans,
    pub(crate) limits: Option<Span>,
    pub(crate) budget: Option<Span>,
    pub(crate) approval: Option<Span>,
}

/// A gate of a workflow file.
#[derive(Debug, Clone)]
pub struct WrittenGate {
    /// Its id.
    pub id: Located<GateId>,
    /// The plugin.
    pub plugin: Located<PluginName>,
    /// Its configuration; `null` where there is none.
    pub config: Value,
    /// Gates of a tier run together, lower tiers first.
    pub tier: u32,
    /// Longest it may take; absent: the project's limit.
    pub timeout: Option<Millis>,
    /// What it picks of what the project offers.
    pub narrowing: Narrowing,
    pub(crate) config_span: Option<Span>,
    pub(crate) picks: PickSpans,
}

/// A named approval rule.
#[derive(Debug, Clone)]
pub struct ApprovalRule {
    /// Its name.
    pub name: Located<String>,
    /// What it is about, sorted, without repeats.
    pub on: Vec<RuleOn>,
    /// Roles that may decide; empty: any.
    pub roles: Vec<Located<String>>,
    /// Decisions needed; at least 1.
    pub count: u32,
    /// How long is waited; absent: for as long as the run.
    pub timeout: Option<Millis>,
    /// What happens then.
    pub on_timeout: RuleTimeout,
    /// Whether who started the run may decide.
    pub self_approval: bool,
    pub(crate) escalate_span: Option<Span>,
}

impl ApprovalRule {
    /// Words of `on`, in the order of [`RuleOn::ALL`].
    pub(crate) const ON: &'static [&'static str] = &[
        "plan", "task", "result", "exec", "http", "model", "charge", "budget",
    ];

    pub(crate) fn is_on(&self, on: RuleOn) -> bool {
        self.on.contains(&on)
    }
}

/// A checked workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub(crate) source: Arc<Source>,
    /// Its name.
    pub name: WorkflowName,
    /// The goal; a template over the inputs.
    pub goal: Located<String>,
    /// Most attempts at once.
    pub concurrency: u32,
    /// What happens to the rest when a task fails for good.
    pub on_failure: OnFailure,
    /// Longest the run may take.
    pub timeout: Option<Millis>,
    /// Inputs it declares.
    pub inputs: BTreeMap<String, InputDecl>,
    /// Its planner.
    pub planner: Option<PlannerUse>,
    /// Written tasks, in file order.
    pub tasks: Vec<WrittenTask>,
    /// Gates, in file order.
    pub gates: Vec<WrittenGate>,
    /// Approval rules, in file order.
    pub approvals: Vec<ApprovalRule>,
    /// What a run may cost; absent: what the project's budget has left.
    pub budget: Option<RunBudget>,
}

impl Workflow {
    /// The file it was read from.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The approval rules as a run keeps them, in file order.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        self.approvals
            .iter()
            .map(|rule| {
                let mut roles: Vec<String> = rule.roles.iter().map(|r| r.value.clone()).collect();
                roles.sort();
                roles.dedup();
                Rule {
                    name: rule.name.value.clone(),
                    on: rule.on.clone(),
                    roles,
                    count: rule.count,
                    timeout: rule.timeout,
                    on_timeout: rule.on_timeout.clone(),
                    self_approval: rule.self_approval,
                }
            })
            .collect()
    }

    /// Whether a rule applies to this without being named.
    pub(crate) fn asks_on(&self, on: RuleOn) -> bool {
        self.approvals.iter().any(|r| r.is_on(on))
    }

    pub(crate) fn rule(&self, name: &str) -> Option<&ApprovalRule> {
        self.approvals.iter().find(|r| r.name.value == name)
    }

    /// What these grants are once the rules apply: each use that a rule is about has to be approved.
    pub(crate) fn under_rules(&self, mut grants: Grants) -> Grants {
        if self.asks_on(RuleOn::Exec) {
            grants.exec.iter_mut().for_each(|g| g.approval = true);
        }
        if self.asks_on(RuleOn::Http) {
            grants.http.iter_mut().for_each(|g| g.approval = true);
            grants.http.dedup();
        }
        if self.asks_on(RuleOn::Model) {
            grants.model.iter_mut().for_each(|g| g.approval = true);
            grants.model.dedup();
        }
        grants.budget_approval |= grants.budget && self.asks_on(RuleOn::Charge);
        grants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_rules_are_the_models() {
        let words: Vec<&str> = RuleOn::ALL.iter().map(|on| on.as_str()).collect();
        assert_eq!(words, ApprovalRule::ON);
    }
}
