//! Which agent on offer does what.

use crate::data::{Builtin, Intent};
use sandgate_plugin::{OfferedAgent, PluginError, Result};

/// The agent for an intent: by its plugin's own name, else by words in its name or summary.
pub(crate) fn find<'a>(intent: &Intent, agents: &'a [OfferedAgent]) -> Option<&'a OfferedAgent> {
    agents
        .iter()
        .find(|agent| agent.plugin == intent.plugin)
        .or_else(|| {
            let says = |text: &str, word: &str| {
                text.to_lowercase()
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|found| found.starts_with(word))
            };
            agents
                .iter()
                // A first-party agent does what its own intent says, whatever its summary mentions.
                .filter(|agent| !agent.plugin.starts_with("agent-"))
                .find(|agent| {
                    intent
                        .offered_words
                        .iter()
                        .any(|word| says(&agent.name, word) || says(&agent.summary, word))
                })
        })
}

/// The agent for an intent, or what the user has to add.
pub(crate) fn require<'a>(intent: &Intent, agents: &'a [OfferedAgent]) -> Result<&'a OfferedAgent> {
    find(intent, agents).ok_or_else(|| {
        let offered: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
        PluginError::permanent(format!(
            "the goal asks for {}, and no agent on offer does it; add one to [plugins] in sandgate.toml, such as \
             `{}`. On offer: {}",
            intent.name,
            intent.suggest,
            if offered.is_empty() { "none".to_owned() } else { offered.join(", ") }
        ))
    })
}

/// The agent that a pattern's task names: by intent, by name on offer or by the plugin's own name.
pub(crate) fn named(
    intent: Option<&str>,
    agent: Option<&str>,
    builtin: &Builtin,
    agents: &[OfferedAgent],
    task: &str,
) -> Result<String> {
    if let Some(wanted) = agent {
        return agents
            .iter()
            .find(|agent| agent.name == wanted)
            .or_else(|| agents.iter().find(|agent| agent.plugin == wanted))
            .map(|agent| agent.name.clone())
            .ok_or_else(|| {
                PluginError::permanent(format!(
                    "task `{task}` of the pattern wants agent `{wanted}`, which is not in [plugins] of sandgate.toml"
                ))
            });
    }
    let name = intent.ok_or_else(|| {
        PluginError::invalid_input(format!(
            "task `{task}` of the pattern has neither `intent` nor `agent`"
        ))
    })?;
    let intent = builtin.intent(name).ok_or_else(|| {
        let known: Vec<&str> = builtin
            .intents
            .iter()
            .map(|intent| intent.name.as_str())
            .collect();
        PluginError::invalid_input(format!(
            "task `{task}` of the pattern has the unknown intent `{name}`; known are: {}",
            known.join(", ")
        ))
    })?;
    require(intent, agents).map(|agent| agent.name.clone())
}
