//! What a planner returns: hostile input until the host has validated it. Plain strings on purpose.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A task as a planner proposes it. Nothing here has been checked.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DraftTask {
    /// Proposed id.
    pub id: String,
    /// Short title for people.
    pub title: String,
    /// Name of an agent on offer.
    pub agent: String,
    /// Input document; strings in it may be templates over inputs and upstream outputs.
    pub input: Value,
    /// Ids of tasks that must succeed first.
    pub needs: Vec<String>,
    /// Artifacts it takes, `TASK.ARTIFACT`.
    pub consumes: Vec<String>,
    /// Artifacts it makes.
    pub produces: Vec<String>,
}

/// A plan as a planner proposes it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DraftPlan {
    /// The tasks.
    pub tasks: Vec<DraftTask>,
    /// How the planner read the goal, for people; may be empty.
    pub rationale: String,
}
