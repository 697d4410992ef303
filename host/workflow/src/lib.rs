//! User files to frozen plans.
//!
//! Text with places ([`Source`]) becomes a checked [`Project`] and [`Workflow`]; a workflow, its inputs, a
//! planner's draft and the plugins at hand ([`Catalog`]) become a frozen [`Plan`](sandgate_model::Plan). Every
//! mistake on the way is a [`Diagnostic`] with a stable [`Code`], a place and a next step, and all mistakes of a
//! file are reported at once. A draft is hostile input.
//!
//! This crate must not read files, the environment or the clock, and must not print.
//!
//! Order of calls: [`read_project`], then [`check`] (with a catalog once the plugins are loaded), then
//! [`Workflow::bind_inputs`], then, when there is a planner, run it, then [`freeze`]. While a run goes on:
//! [`references`], [`render_value`], [`eval_condition`], [`eval_list`].

mod catalog;
mod check;
mod code;
mod confuse;
mod diagnostic;
mod diff;
mod edit;
mod graph;
mod inputs;
mod locator;
mod lock;
mod lower;
mod node;
mod project;
mod provider;
mod read;
mod render;
mod report;
mod scalar;
mod schema;
mod schema_check;
mod shape;
mod source;
mod structure;
mod suggest;
mod template;
mod workflow;

pub use catalog::{Catalog, CatalogEntry};
pub use check::check;
pub use code::Code;
pub use diagnostic::{Diagnostic, Diagnostics, Label, MAX_DIAGNOSTICS, Severity, Subject};
pub use diff::{FieldDiff, PlanDiff, PluginChange, TaskChange, TaskDiff, plan_diff};
pub use edit::{editable, read_edited};
pub use inputs::Given;
pub use lock::{
    Change, Imports, LOCK_VERSION, Lock, LockDiff, LockedPlugin, PluginDiff, PluginState, compare,
};
pub use lower::{PlanErrors, freeze, freeze_edited, planner_grants, plugin_grants, replan_within};
pub use project::{
    Limits, MAX_CONCURRENCY, Operator, OperatorLimits, PluginSource, Principal, Project,
};
pub use provider::{Price, Provider, ProviderKind, SecretSource};
pub use read::{read_lock, read_operator, read_project};
pub use render::{JsonDiagnostic, JsonPlace, Style};
pub use report::{
    Ask, DeniedLine, GrantLine, LimitsReport, PluginReport, PolicyReport, ReportedSecret,
    Subject as ReportSubject, UseReport, policy_report,
};
pub use schema::{SchemaKind, schema};
pub use schema_check::{BadSchema, InputSchema, SchemaMismatch, validate_input};
pub use source::{Located, MAX_SOURCE, Position, Source, Span};
pub use template::{
    Context, LIST_MAX, References, RenderError, TEMPLATE_MAX, eval_condition, eval_list,
    expression_references, references, render_text, render_value, uses_templates,
};
pub use workflow::{
    ApprovalRule, DEFAULT_CONCURRENCY, InputDecl, InputType, MAX_TASKS, PlannerUse, Review,
    TaskApproval, Workflow, WrittenGate, WrittenTask, WrittenWork,
};
