//! `planner-rules`: splits a goal into tasks by rules, without any network.
//!
//! It reads the sentence (clauses, the intent of each, topic, recipient, criteria), then takes the first pattern
//! that fits: the user's from the configuration, the built-in ones of `builtin.json`, or else one task for each
//! intent, linked in order. What it cannot read, or no agent on offer can do, is an error that says what to
//! change. It must not guess an agent, and nothing of the goal ever becomes a template.

mod build;
mod data;
mod fill;
mod offer;
mod read;
mod slots;

use sandgate_plugin::{Config, Description, DraftPlan, Packet, Planner, Result};
use serde_json::{Value, json};

struct Rules;

impl Planner for Rules {
    fn describe() -> Description {
        Description::new(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            "Splits a goal into research, comparison, purchase and communication by rules, without any network",
        )
        .config_schema(config_schema())
    }

    fn plan(packet: Packet, config: Config) -> Result<DraftPlan> {
        build::plan(&packet, &config.parse()?)
    }
}

fn config_schema() -> Value {
    let strings = json!({ "type": "array", "items": { "type": "string" } });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "patterns": {
                "type": "array",
                "description": "tried in order, before the built-in ones",
                "items": {
                    "type": "object",
                    "required": ["name", "tasks"],
                    "additionalProperties": false,
                    "properties": {
                        "name": { "type": "string" },
                        "when": {
                            "type": "array", "items": { "type": "string" },
                            "description": "words or regular expressions, all of which the goal matches, in any case; a group (?<name>…) fills {name}"
                        },
                        "intents": {
                            "type": "array",
                            "items": { "enum": ["research", "compare", "purchase", "communication"] },
                            "description": "exactly the intents of the goal"
                        },
                        "tasks": { "type": "array", "minItems": 1, "items": {
                            "type": "object",
                            "required": ["id"],
                            "additionalProperties": false,
                            "properties": {
                                "id": { "type": "string" },
                                "title": { "type": "string" },
                                "intent": { "type": "string" },
                                "agent": { "type": "string", "description": "a name in [plugins], or the plugin's own" },
                                "input": { "description": "texts in it may have {goal}, {topic}, {recipient}, {kind}, {criteria}, {top}, and the host's {{ … }}" },
                                "needs": strings, "consumes": strings, "produces": strings
                            }
                        } }
                    }
                }
            }
        }
    })
}

sandgate_plugin::export!(planner: Rules);

#[cfg(test)]
mod tests;
