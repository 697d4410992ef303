//! Planners: they turn a goal into a draft plan, which the host validates as hostile input.

use crate::{Config, Description, Result};
use serde_json::Value;

/// Makes plans.
pub trait Planner: Sized + 'static {
    /// What the plugin says of itself. May only compute.
    fn describe() -> Description;

    /// Makes a plan.
    ///
    /// # Errors
    /// Why it could not; the host then asks the next planner, when there is one.
    fn plan(packet: Packet, config: Config) -> Result<DraftPlan>;

    /// Makes another plan after `report`, the execution summary of what happened so far. Plans afresh unless
    /// it is overridden.
    ///
    /// # Errors
    /// As for [`Planner::plan`].
    fn replan(packet: Packet, config: Config, report: Value) -> Result<DraftPlan> {
        let _ = report;
        Self::plan(packet, config)
    }
}

/// A file under a granted root. A planner sees its name and size, not its contents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedFile {
    /// Path as a guest would see it.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
}

/// An agent that a plan may use.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct OfferedAgent {
    /// Name to put into a task.
    pub name: String,
    /// The plugin's own name, such as `agent-research`: what it is, whatever the project calls it.
    pub plugin: String,
    /// What it does.
    pub summary: String,
    /// JSON Schema of its input.
    pub input_schema: Option<Value>,
    /// JSON Schema of its output.
    pub output_schema: Option<Value>,
}

/// A gate that will verify the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferedGate {
    /// Its id.
    pub id: String,
    /// What it does.
    pub summary: String,
}

/// The inspection packet: all that a planner is shown.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Packet {
    /// The goal.
    pub goal: String,
    /// The run's inputs, a JSON object.
    pub inputs: Value,
    /// Files under granted roots, sorted.
    pub files: Vec<ListedFile>,
    /// Whether the listing was cut.
    pub files_cut: bool,
    /// Agents on offer.
    pub agents: Vec<OfferedAgent>,
    /// Gates that will verify.
    pub gates: Vec<OfferedGate>,
    /// Ids of tasks that are already written. They stay; a draft may need them.
    pub written: Vec<String>,
    /// Budget left, in millionths of the currency unit; absent: none set.
    pub budget_micros: Option<u64>,
}

/// A proposed task.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DraftTask {
    /// Id, `[a-z0-9][a-z0-9_-]{0,63}`, unique.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// An agent on offer.
    pub agent: String,
    /// Input; strings in it may be templates such as `{{ tasks.research.output.summary }}`.
    pub input: Value,
    /// Ids of tasks that must succeed first.
    pub needs: Vec<String>,
    /// Artifacts it takes, `TASK.ARTIFACT`.
    pub consumes: Vec<String>,
    /// Artifacts it makes.
    pub produces: Vec<String>,
}

/// A proposed plan.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DraftPlan {
    /// The tasks.
    pub tasks: Vec<DraftTask>,
    /// How the goal was read, for people.
    pub rationale: String,
}
