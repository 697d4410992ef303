//! The record of a generation that a person has to agree to, and the request that such a record says.

use sandgate_llm::{GenerateRequest, Message, Speaker, Tool, ToolCall};
use sandgate_model::Amount;
use sandgate_workflow::Provider;
use serde_json::{Value, json};

/// All of a request, whom it goes to, and the most that it can cost. Money is null where no price is known: that is not
/// the same as nothing.
pub(super) fn action(
    request: &GenerateRequest,
    provider: Option<&Provider>,
    most: Amount,
) -> Value {
    let model = request.model.split_once('/').map(|(_, model)| model);
    let price = provider.zip(model).and_then(|(p, model)| p.price(model));
    let messages: Vec<Value> = request
        .messages
        .iter()
        .map(|m| {
            json!({
                "speaker": word(m.speaker),
                "text": m.text,
                "tool_calls": m.tool_calls.iter().map(|c| {
                    json!({ "id": c.id, "name": c.name, "arguments": c.arguments })
                }).collect::<Vec<_>>(),
                "answers": m.answers,
            })
        })
        .collect();
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(
            |t| json!({ "name": t.name, "description": t.description, "parameters": t.parameters }),
        )
        .collect();
    json!({
        "model": request.model,
        "messages": messages,
        "tools": tools,
        "max_tokens": request.max_tokens,
        "temperature_permille": request.temperature_permille,
        "json_schema": request.json_schema,
        // Another address or key after the yes is another request.
        "provider": provider.map(|p| json!({
            "kind": p.kind.as_str(),
            "url": p.url,
            "key": p.key,
            "private": p.private,
        })),
        "costs_at_most": { "micros": price.map(|_| most.micros), "tokens": most.tokens },
    })
}

/// The request, as a record says it.
pub(super) fn read(action: &Value) -> Option<GenerateRequest> {
    let mut messages = Vec::new();
    for m in action.get("messages")?.as_array()? {
        let mut tool_calls = Vec::new();
        for c in m.get("tool_calls")?.as_array()? {
            tool_calls.push(ToolCall {
                id: text(c, "id")?,
                name: text(c, "name")?,
                arguments: text(c, "arguments")?,
            });
        }
        messages.push(Message {
            speaker: speaker(m.get("speaker")?.as_str()?)?,
            text: text(m, "text")?,
            tool_calls,
            answers: m.get("answers")?.as_str().map(str::to_owned),
        });
    }
    let mut tools = Vec::new();
    for t in action.get("tools")?.as_array()? {
        tools.push(Tool {
            name: text(t, "name")?,
            description: text(t, "description")?,
            parameters: t.get("parameters")?.clone(),
        });
    }
    let number = |name: &str| action.get(name)?.as_u64();
    Some(GenerateRequest {
        model: text(action, "model")?,
        messages,
        tools,
        max_tokens: number("max_tokens").and_then(|n| u32::try_from(n).ok()),
        temperature_permille: number("temperature_permille").and_then(|n| u16::try_from(n).ok()),
        json_schema: action.get("json_schema").filter(|v| !v.is_null()).cloned(),
    })
}

fn text(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.to_owned())
}

fn word(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    }
}

fn speaker(word: &str) -> Option<Speaker> {
    [
        Speaker::System,
        Speaker::User,
        Speaker::Assistant,
        Speaker::Tool,
    ]
    .into_iter()
    .find(|s| self::word(*s) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_the_request() {
        let request = GenerateRequest {
            model: "local/small".to_owned(),
            messages: vec![Message {
                speaker: Speaker::Tool,
                text: "x\u{202e}y".to_owned(),
                tool_calls: vec![ToolCall {
                    id: "1".to_owned(),
                    name: "t".to_owned(),
                    arguments: "{}".to_owned(),
                }],
                answers: Some("1".to_owned()),
            }],
            tools: vec![Tool {
                name: "t".to_owned(),
                description: String::new(),
                parameters: json!({}),
            }],
            max_tokens: Some(7),
            temperature_permille: None,
            json_schema: Some(json!({ "type": "object" })),
        };
        let most = Amount {
            micros: 1,
            tokens: 2,
        };
        let record = action(&request, None, most);
        let again = read(&record).unwrap();
        assert_eq!(action(&again, None, most), record);
        assert_eq!(
            record.get("costs_at_most"),
            Some(&json!({ "micros": null, "tokens": 2 }))
        );
    }
}
