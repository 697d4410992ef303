//! What a plugin says of itself. Untrusted text that was checked for size and form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a plugin is for: which world it exports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes plans.
    Planner,
    /// Does tasks.
    Agent,
    /// Verifies.
    Gate,
}

impl Role {
    /// The word in user files and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Agent => "agent",
            Self::Gate => "gate",
        }
    }
}

/// Kinds of authority a plugin can ask for. A closed list: an unknown kind is an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedKind {
    /// Read granted directories.
    FilesRead,
    /// Write granted directories.
    FilesWrite,
    /// Outgoing HTTP to allowed origins.
    Http,
    /// Run allowed commands.
    Exec,
    /// Text generation with a key the host holds.
    Model,
    /// Have secrets put into its requests.
    Secrets,
    /// Ask a person.
    Question,
    /// Charge the budget.
    Budget,
}

/// One need, with the reason a person reads when the plugin is added.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Need {
    /// What kind of authority.
    pub kind: NeedKind,
    /// Why the plugin wants it.
    pub reason: String,
    /// The plugin also works, with less, when this is not granted.
    pub optional: bool,
}

/// A plugin's description.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Description {
    /// The name its author gave.
    pub name: String,
    /// The version its author gave.
    pub version: String,
    /// What it does, in a line or two.
    pub summary: String,
    /// Authority it asks for.
    pub needs: Vec<Need>,
    /// JSON Schema of a task's input (agents) or of what it verifies (gates); absent: anything.
    pub input_schema: Option<Value>,
    /// JSON Schema of the output; absent: anything.
    pub output_schema: Option<Value>,
    /// JSON Schema of its `config`; absent: no configuration is taken.
    pub config_schema: Option<Value>,
}
