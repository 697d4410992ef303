//! The inspection packet: what a planner is shown. Nothing that the project did not grant.

use crate::{Description, GateId, PluginName, Role};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A file under a granted root.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListedFile {
    /// Path as a guest would see it.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
}

/// An agent a plan may use.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OfferedAgent {
    /// Name in the project.
    pub name: PluginName,
    /// What it says of itself.
    pub description: Description,
}

/// A gate that will verify the run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OfferedGate {
    /// The gate.
    pub id: GateId,
    /// The plugin behind it.
    pub plugin: PluginName,
    /// What the plugin says it does.
    pub summary: String,
}

/// What a planner is shown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Packet {
    /// The goal, templates already filled in.
    pub goal: String,
    /// The run's inputs.
    pub inputs: BTreeMap<String, Value>,
    /// Files under the granted roots, sorted, at most 1,000.
    pub files: Vec<ListedFile>,
    /// Whether the listing was cut.
    pub files_cut: bool,
    /// Agents on offer.
    pub agents: Vec<OfferedAgent>,
    /// Gates that will verify.
    pub gates: Vec<OfferedGate>,
    /// Ids of tasks that are already written; the planner may depend on them, not replace them.
    pub written: Vec<String>,
    /// Budget left, in millionths of the currency unit; absent: none set.
    pub budget_micros: Option<u64>,
    /// The execution summary of an earlier run, when this is a replan.
    pub report: Option<Value>,
}

impl Packet {
    /// The role this packet is for; here so that nobody sends it to anything else.
    pub const ROLE: Role = Role::Planner;
}
