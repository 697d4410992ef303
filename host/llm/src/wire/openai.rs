//! `POST /chat/completions`, streamed: the protocol that most servers speak.

use super::{Asked, Assembler, bad, index, list, provider_error, text};
use crate::{Finish, GenerateRequest, Message, ModelError, Speaker, json, text::quoted};
use serde_json::{Map, Value, json};

pub(super) fn body(request: &GenerateRequest, asked: Asked<'_>) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("model", json!(asked.model));
    put("messages", request.messages.iter().map(message).collect());
    let most = if asked.new_token_field {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    put(most, json!(asked.max_tokens));
    put("stream", json!(true));
    put("stream_options", json!({"include_usage": true}));
    if let Some(permille) = request.temperature_permille {
        put("temperature", json!(f64::from(permille) / 1_000.0));
    }
    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                json!({"type": "function", "function": {
                    "name": tool.name, "description": tool.description, "parameters": tool.parameters,
                }})
            })
            .collect();
        put("tools", Value::Array(tools));
    }
    if let Some(schema) = asked.schema {
        // Not `strict`: it takes a part of JSON Schema only, and the host checks the answer anyway.
        put(
            "response_format",
            json!({"type": "json_schema", "json_schema": {
                "name": "answer", "strict": false, "schema": schema.sent(),
            }}),
        );
    }
    Value::Object(body)
}

fn message(message: &Message) -> Value {
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(message.speaker.as_str()));
    let silent = message.speaker == Speaker::Assistant && message.text.is_empty();
    let content = if silent {
        Value::Null
    } else {
        json!(message.text)
    };
    out.insert("content".to_owned(), content);
    if !message.tool_calls.is_empty() {
        let calls: Vec<Value> = message
            .tool_calls
            .iter()
            .map(|call| {
                let arguments = if call.arguments.is_empty() {
                    "{}"
                } else {
                    &call.arguments
                };
                json!({"id": call.id, "type": "function", "function": {
                    "name": call.name, "arguments": arguments,
                }})
            })
            .collect();
        out.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    if let Some(id) = &message.answers {
        out.insert("tool_call_id".to_owned(), json!(id));
    }
    Value::Object(out)
}

pub(super) fn event(data: &str, into: &mut Assembler) -> Result<(), ModelError> {
    if data.trim() == "[DONE]" {
        into.end();
        return Ok(());
    }
    let value = json::parse(data).map_err(|error| bad(&format!("is not JSON: {error}")))?;
    if !value.is_object() {
        return Err(bad("has an event that is not an object"));
    }
    if let Some(error) = provider_error(&value) {
        return Err(into.error(&error));
    }
    into.model(text(&value, "model")?);
    match value.get("usage") {
        None | Some(Value::Null) => {}
        Some(usage) => {
            into.claim.input([usage.get("prompt_tokens")]);
            into.claim.output(usage.get("completion_tokens"));
        }
    }
    for choice in list(&value, "choices")? {
        if index(choice)? != 0 {
            return Err(bad("has a second choice, and one was asked for"));
        }
        if let Some(part) = choice.get("delta").filter(|delta| !delta.is_null()) {
            delta(part, into)?;
        }
        match text(choice, "finish_reason")? {
            "" => {}
            reason => into.finish(finish(reason)?)?,
        }
    }
    Ok(())
}

fn delta(delta: &Value, into: &mut Assembler) -> Result<(), ModelError> {
    if !delta.is_object() {
        return Err(bad("has a `delta` that is not an object"));
    }
    into.text(text(delta, "content")?)?;
    let refusal = text(delta, "refusal")?;
    if !refusal.is_empty() {
        into.refuse();
        into.text(refusal)?;
    }
    for name in ["reasoning_content", "reasoning"] {
        into.unseen(text(delta, name)?);
    }
    for call in list(delta, "tool_calls")? {
        let function = call.get("function").unwrap_or(&Value::Null);
        into.tool(
            index(call)?,
            text(call, "id")?,
            text(function, "name")?,
            text(function, "arguments")?,
        )?;
    }
    Ok(())
}

fn finish(reason: &str) -> Result<Finish, ModelError> {
    match reason {
        "stop" => Ok(Finish::Stop),
        "length" => Ok(Finish::Length),
        "tool_calls" => Ok(Finish::Tools),
        "content_filter" => Ok(Finish::Refused),
        other => Err(bad(&format!(
            "stops for an unknown reason, `{}`",
            quoted(other)
        ))),
    }
}
