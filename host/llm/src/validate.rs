//! Requests before anything is made of them: sizes, names, and that a conversation is one. What a provider may think
//! of it besides is the provider's business.

use crate::{GenerateRequest, Limits, Message, ModelError, Speaker, ToolCall, json};
use serde_json::Value;
use std::collections::BTreeSet;

/// Longest name of a tool: the limit of both protocols.
const TOOL_NAME_MAX: usize = 64;

/// Longest id of a call of a tool. Providers make ids of about 30 letters.
pub(crate) const CALL_ID_MAX: usize = 256;

/// Highest temperature, in thousandths: the largest that any provider takes.
const TEMPERATURE_MAX: u16 = 2_000;

/// Name of the tool through which a document comes, where a protocol has no other way.
pub(crate) const ANSWER_TOOL: &str = "sandgate_answer";

/// Checks a request.
pub(crate) fn check(request: &GenerateRequest, limits: &Limits) -> Result<(), ModelError> {
    if request.messages.is_empty() {
        return Err(invalid("a conversation needs at least one message"));
    }
    too_many("messages", request.messages.len(), limits.messages)?;
    too_many("tools", request.tools.len(), limits.tools)?;
    if request.max_tokens == Some(0) {
        return Err(invalid(
            "`max-tokens` is 0; leave it out, or ask for 1 at least",
        ));
    }
    if request.temperature_permille > Some(TEMPERATURE_MAX) {
        return Err(invalid("`temperature-permille` goes from 0 to 2000"));
    }
    tools(request)?;
    conversation(&request.messages, limits)
}

fn tools(request: &GenerateRequest) -> Result<(), ModelError> {
    let mut names = BTreeSet::new();
    for (n, tool) in request.tools.iter().enumerate() {
        if !is_tool_name(&tool.name) {
            return Err(invalid(&format!(
                "the name of tool {n} is not 1 to 64 of a-z, A-Z, 0-9, `_`, `-`"
            )));
        }
        if tool.name == ANSWER_TOOL {
            return Err(invalid("the name `sandgate_answer` is the host's own"));
        }
        if !names.insert(&tool.name) {
            return Err(invalid(&format!("two tools are called `{}`", tool.name)));
        }
        if !tool.parameters.is_object() || !json::shallow(&tool.parameters) {
            return Err(invalid(&format!(
                "the parameters of tool `{}` are not a JSON Schema of an object, or nested too deeply",
                tool.name
            )));
        }
    }
    Ok(())
}

/// Each answer of a tool follows the message that wanted it, and answers it once.
fn conversation(messages: &[Message], limits: &Limits) -> Result<(), ModelError> {
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (n, message) in messages.iter().enumerate() {
        let wrong = |why: &str| invalid(&format!("message {n}: {why}"));
        if message.speaker != Speaker::Assistant && !message.tool_calls.is_empty() {
            return Err(wrong("only the assistant wants tools"));
        }
        match (&message.answers, message.speaker) {
            (Some(id), Speaker::Tool) => {
                if !open.remove(id.as_str()) {
                    return Err(wrong("it answers no open call of a tool"));
                }
            }
            (None, Speaker::Tool) => return Err(wrong("a tool's answer names the call")),
            (Some(_), _) => return Err(wrong("only a tool answers a call")),
            (None, _) => {
                if !open.is_empty() {
                    return Err(wrong("a call of a tool before it was not answered"));
                }
                if message.text.is_empty() && message.tool_calls.is_empty() {
                    return Err(wrong("it is empty"));
                }
            }
        }
        too_many(
            "tool calls of one message",
            message.tool_calls.len(),
            limits.tools,
        )?;
        for call in &message.tool_calls {
            call_is_one(call).map_err(|why| wrong(&why))?;
            if !open.insert(&call.id) {
                return Err(wrong("two calls of a tool have the same id"));
            }
        }
    }
    if !open.is_empty() {
        return Err(invalid("the last call of a tool was not answered"));
    }
    Ok(())
}

fn call_is_one(call: &ToolCall) -> Result<(), String> {
    if call.id.is_empty() || call.id.len() > CALL_ID_MAX {
        return Err(format!("the id of a call has 1 to {CALL_ID_MAX} bytes"));
    }
    if !is_tool_name(&call.name) {
        return Err(
            "the name of a called tool is not 1 to 64 of a-z, A-Z, 0-9, `_`, `-`".to_owned(),
        );
    }
    arguments(&call.arguments)
        .map(|_| ())
        .map_err(|why| format!("the arguments of a call of `{}` {why}", call.name))
}

/// Arguments of a tool: a JSON object; nothing at all stands for an empty one.
pub(crate) fn arguments(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let value = json::parse(text).map_err(|error| format!("are not JSON: {error}"))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err("are not a JSON object".to_owned())
    }
}

/// Whether a name obeys the grammar of tools.
fn is_tool_name(name: &str) -> bool {
    (1..=TOOL_NAME_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn too_many(what: &str, are: usize, most: usize) -> Result<(), ModelError> {
    if are > most {
        return Err(ModelError::Limit(format!("{are} {what}; at most {most}")));
    }
    Ok(())
}

fn invalid(why: &str) -> ModelError {
    ModelError::Invalid(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tool;
    use serde_json::json;

    fn said(speaker: Speaker, text: &str) -> Message {
        Message::text(speaker, text)
    }

    fn wants(id: &str, arguments: &str) -> Message {
        Message {
            tool_calls: vec![ToolCall {
                id: id.to_owned(),
                name: "look".to_owned(),
                arguments: arguments.to_owned(),
            }],
            ..said(Speaker::Assistant, "")
        }
    }

    fn answers(id: &str) -> Message {
        Message {
            answers: Some(id.to_owned()),
            ..said(Speaker::Tool, "42")
        }
    }

    fn checked(messages: Vec<Message>) -> Result<(), ModelError> {
        check(&GenerateRequest::new("a/b", messages), &Limits::default())
    }

    #[test]
    fn conversations() {
        let user = || said(Speaker::User, "hello");
        checked(vec![said(Speaker::System, "be kind"), user()]).unwrap();
        checked(vec![user(), wants("1", "{}"), answers("1"), user()]).unwrap();
        checked(vec![user(), wants("1", ""), answers("1")]).unwrap();
        for bad in [
            vec![],
            vec![said(Speaker::User, "")],
            vec![user(), wants("1", "{}")],
            vec![user(), wants("1", "{}"), user()],
            vec![user(), wants("1", "[]"), answers("1")],
            vec![user(), wants("1", "{\"a\":1,\"a\":2}"), answers("1")],
            vec![user(), wants("", "{}"), answers("")],
            vec![user(), wants("1", "{}"), answers("2")],
            vec![user(), wants("1", "{}"), answers("1"), answers("1")],
            vec![user(), answers("1")],
            vec![said(Speaker::Tool, "x")],
            vec![Message {
                answers: Some("1".into()),
                ..user()
            }],
            vec![Message {
                tool_calls: wants("1", "{}").tool_calls,
                ..user()
            }],
        ] {
            let got = checked(bad.clone());
            assert!(
                matches!(got, Err(ModelError::Invalid(_))),
                "{bad:?}: {got:?}"
            );
        }
        let many = vec![user(); 1_001];
        assert!(matches!(checked(many), Err(ModelError::Limit(_))));
    }

    #[test]
    fn tools_and_numbers() {
        let tool = |name: &str, parameters| Tool {
            name: name.to_owned(),
            description: String::new(),
            parameters,
        };
        let with = |change: &dyn Fn(&mut GenerateRequest)| {
            let mut request = GenerateRequest::new("a/b", vec![said(Speaker::User, "x")]);
            change(&mut request);
            check(&request, &Limits::default())
        };
        with(&|r| r.tools = vec![tool("a", json!({})), tool("b-_9", json!({}))]).unwrap();
        let bad: [&dyn Fn(&mut GenerateRequest); 7] = [
            &|r| r.tools = vec![tool("a", json!({})), tool("a", json!({}))],
            &|r| r.tools = vec![tool("", json!({}))],
            &|r| r.tools = vec![tool("a b", json!({}))],
            &|r| r.tools = vec![tool("a", json!([]))],
            &|r| r.tools = vec![tool("sandgate_answer", json!({}))],
            &|r| r.max_tokens = Some(0),
            &|r| r.temperature_permille = Some(2_001),
        ];
        for change in bad {
            assert!(matches!(with(change), Err(ModelError::Invalid(_))));
        }
        let got = with(&|r| {
            r.tools = (0..129)
                .map(|n| tool(&format!("t{n}"), json!({})))
                .collect()
        });
        assert!(matches!(got, Err(ModelError::Limit(_))), "{got:?}");
    }
}
