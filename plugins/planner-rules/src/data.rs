//! The rules as data: intents, patterns, criteria. `builtin.json` and a user's configuration share these types.

use sandgate_plugin::{PluginError, Result};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Everything that ships with the planner.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Builtin {
    pub(crate) intents: Vec<Intent>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) criteria: Vec<CriterionWords>,
}

/// A kind of work and the agent that does it.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Intent {
    pub(crate) name: String,
    /// The agent's own name.
    pub(crate) plugin: String,
    /// Words in the name or summary of another agent that can do it too.
    pub(crate) offered_words: Vec<String>,
    /// The line for `[plugins]` when no agent is on offer.
    pub(crate) suggest: String,
    /// The intent without which this one has nothing to work on; it is added when the goal leaves it out.
    #[serde(default)]
    pub(crate) requires: Option<String>,
    /// Phrases that mean it at the beginning of a clause.
    pub(crate) verbs: Vec<String>,
    /// Phrases that mean it anywhere.
    pub(crate) words: Vec<String>,
    /// Its task.
    pub(crate) task: PatternTask,
    /// By earlier intent: what the task takes from it. `{upstream}` stands for that task's output.
    #[serde(default)]
    pub(crate) from: BTreeMap<String, Taken>,
    /// By later intent: members of the input that it asks for.
    #[serde(default)]
    pub(crate) r#for: BTreeMap<String, Map<String, Value>>,
}

/// What a task takes from an earlier one.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Taken {
    pub(crate) input: Map<String, Value>,
    pub(crate) consumes: Vec<String>,
}

/// A goal of a certain shape and its tasks.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pattern {
    pub(crate) name: String,
    /// Regular expressions, all of which the goal has to match; named groups become placeholders.
    #[serde(default)]
    pub(crate) when: Vec<String>,
    /// The intents of the goal, exactly these, in any order.
    #[serde(default)]
    pub(crate) intents: Vec<String>,
    pub(crate) tasks: Vec<PatternTask>,
}

/// A task of a pattern. Its texts may have placeholders such as `{topic}`; `{{ … }}` is left for the host.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatternTask {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) intent: Option<String>,
    #[serde(default)]
    pub(crate) agent: Option<String>,
    #[serde(default)]
    pub(crate) input: Value,
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    #[serde(default)]
    pub(crate) consumes: Vec<String>,
    #[serde(default)]
    pub(crate) produces: Vec<String>,
}

/// Words in a goal that ask for a criterion.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct CriterionWords {
    pub(crate) field: String,
    pub(crate) better: String,
    pub(crate) words: Vec<String>,
}

/// The planner's configuration.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Patterns that are tried before the built-in ones.
    pub(crate) patterns: Vec<Pattern>,
}

impl Builtin {
    /// Reads the rules that ship with the planner.
    pub(crate) fn load() -> Result<Self> {
        serde_json::from_str(include_str!("builtin.json")).map_err(|error| {
            PluginError::permanent(format!("the built-in rules are wrong: {error}"))
        })
    }

    pub(crate) fn intent(&self, name: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.name == name)
    }
}
