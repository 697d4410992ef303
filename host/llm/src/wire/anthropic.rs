//! `POST /v1/messages`, streamed.

use super::{Asked, Assembler, bad, index, provider_error, text};
use crate::{Finish, GenerateRequest, Message, ModelError, Speaker, json, text::quoted, validate};
use serde_json::{Map, Value, json};

/// The version of the protocol that is spoken.
pub(super) const VERSION: &str = "2023-06-01";

pub(super) fn body(request: &GenerateRequest, asked: Asked<'_>) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("model", json!(asked.model));
    put("max_tokens", json!(asked.max_tokens));
    put("stream", json!(true));
    let system: Vec<&str> = request
        .messages
        .iter()
        .filter(|message| message.speaker == Speaker::System)
        .map(|message| message.text.as_str())
        .collect();
    if !system.is_empty() {
        put("system", json!(system.join("\n\n")));
    }
    put("messages", Value::Array(messages(&request.messages)));
    if let Some(permille) = request.temperature_permille {
        // This protocol ends at 1.
        put(
            "temperature",
            json!(f64::from(permille.min(1_000)) / 1_000.0),
        );
    }
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name, "description": tool.description,
                "input_schema": object(&tool.parameters),
            })
        })
        .collect();
    if let Some(schema) = asked.schema {
        tools.push(json!({
            "name": validate::ANSWER_TOOL,
            "description": "Gives the final answer. Call this exactly once, when the answer is known.",
            "input_schema": schema.sent(),
        }));
        let choice = if request.tools.is_empty() {
            json!({"type": "tool", "name": validate::ANSWER_TOOL})
        } else {
            json!({"type": "any"})
        };
        put("tool_choice", choice);
    }
    if !tools.is_empty() {
        put("tools", Value::Array(tools));
    }
    Value::Object(body)
}

/// The protocol wants `type: object` at the top, also where a tool has no parameters.
fn object(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(fields) = schema.as_object_mut() {
        fields.entry("type").or_insert_with(|| json!("object"));
    }
    schema
}

/// Answers of tools are blocks of one message of the user, right after the message that wanted them.
fn messages(all: &[Message]) -> Vec<Value> {
    let mut out: Vec<(&str, Vec<Value>)> = Vec::new();
    for message in all {
        let role = match message.speaker {
            Speaker::System => continue,
            Speaker::Assistant => "assistant",
            Speaker::User | Speaker::Tool => "user",
        };
        let blocks = blocks(message);
        match out.last_mut() {
            Some((last, have)) if *last == role => have.extend(blocks),
            _ => out.push((role, blocks)),
        }
    }
    out.into_iter()
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect()
}

fn blocks(message: &Message) -> Vec<Value> {
    if let Some(id) = &message.answers {
        return vec![json!({"type": "tool_result", "tool_use_id": id, "content": message.text})];
    }
    let mut blocks = Vec::new();
    if !message.text.is_empty() {
        blocks.push(json!({"type": "text", "text": message.text}));
    }
    for call in &message.tool_calls {
        // Checked before: an object.
        let input = validate::arguments(&call.arguments).unwrap_or_else(|_| json!({}));
        blocks.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
    }
    blocks
}

pub(super) fn event(data: &str, into: &mut Assembler) -> Result<(), ModelError> {
    let value = json::parse(data).map_err(|error| bad(&format!("is not JSON: {error}")))?;
    if !value.is_object() {
        return Err(bad("has an event that is not an object"));
    }
    match text(&value, "type")? {
        "message_start" => {
            let message = value.get("message").unwrap_or(&Value::Null);
            into.model(text(message, "model")?);
            usage(message.get("usage"), into);
        }
        "content_block_start" => {
            let block = value.get("content_block").unwrap_or(&Value::Null);
            match text(block, "type")? {
                "text" => into.text(text(block, "text")?)?,
                "tool_use" => {
                    into.tool(index(&value)?, text(block, "id")?, text(block, "name")?, "")?;
                }
                _ => {}
            }
        }
        "content_block_delta" => {
            let delta = value.get("delta").unwrap_or(&Value::Null);
            match text(delta, "type")? {
                "text_delta" => into.text(text(delta, "text")?)?,
                "input_json_delta" => {
                    into.tool(index(&value)?, "", "", text(delta, "partial_json")?)?;
                }
                "thinking_delta" => into.unseen(text(delta, "thinking")?),
                _ => {}
            }
        }
        "message_delta" => {
            let delta = value.get("delta").unwrap_or(&Value::Null);
            match text(delta, "stop_reason")? {
                "" => {}
                reason => into.finish(finish(reason)?)?,
            }
            usage(value.get("usage"), into);
        }
        "message_stop" => into.end(),
        "error" => {
            let error = provider_error(&value).unwrap_or_else(|| "no message".to_owned());
            return Err(into.error(&error));
        }
        // The protocol says that kinds may be added, and `ping` means nothing.
        _ => {}
    }
    Ok(())
}

fn usage(usage: Option<&Value>, into: &mut Assembler) {
    let Some(usage) = usage.filter(|usage| !usage.is_null()) else {
        return;
    };
    into.claim.input([
        usage.get("input_tokens"),
        usage.get("cache_creation_input_tokens"),
        usage.get("cache_read_input_tokens"),
    ]);
    into.claim.output(usage.get("output_tokens"));
}

fn finish(reason: &str) -> Result<Finish, ModelError> {
    match reason {
        "end_turn" | "stop_sequence" => Ok(Finish::Stop),
        "max_tokens" | "model_context_window_exceeded" => Ok(Finish::Length),
        "tool_use" => Ok(Finish::Tools),
        "refusal" => Ok(Finish::Refused),
        other => Err(bad(&format!(
            "stops for an unknown reason, `{}`",
            quoted(other)
        ))),
    }
}
