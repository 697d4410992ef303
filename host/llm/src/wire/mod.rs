//! The two protocols: what is sent, and what the events of an answer mean. Must not send, wait or count money.

mod anthropic;
mod assemble;
mod openai;

pub(crate) use assemble::{Assembler, Whole};

use crate::{GenerateRequest, ModelError, ProviderKind, schema::AnswerSchema};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

/// What goes into a request beside the conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a str,
    pub(crate) max_tokens: u32,
    pub(crate) schema: Option<&'a AnswerSchema>,
    /// The name under which the most tokens are sent; only one of the protocols has two.
    pub(crate) new_token_field: bool,
}

/// The body of a request.
pub(crate) fn body(kind: ProviderKind, request: &GenerateRequest, asked: Asked<'_>) -> Bytes {
    let value = match kind {
        ProviderKind::OpenAi => openai::body(request, asked),
        ProviderKind::Anthropic => anthropic::body(request, asked),
    };
    Bytes::from(value.to_string())
}

/// Headers beside those of the body. `{secret:NAME}` is a placeholder: the way out puts the key in after its checks.
pub(crate) fn headers(kind: ProviderKind, key: Option<&str>) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::ACCEPT,
        HeaderValue::from_static("text/event-stream"),
    );
    if kind == ProviderKind::Anthropic {
        headers.insert(
            "anthropic-version",
            HeaderValue::from_static(anthropic::VERSION),
        );
    }
    if let Some(key) = key {
        let (name, value) = match kind {
            ProviderKind::OpenAi => (header::AUTHORIZATION, format!("Bearer {{secret:{key}}}")),
            ProviderKind::Anthropic => (
                header::HeaderName::from_static("x-api-key"),
                format!("{{secret:{key}}}"),
            ),
        };
        let value = HeaderValue::try_from(value).map_err(|_| {
            ModelError::Host("the name of the provider's key cannot stand in a header".to_owned())
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Takes one event of an answer.
pub(crate) fn event(
    kind: ProviderKind,
    data: &str,
    into: &mut Assembler,
) -> Result<(), ModelError> {
    match kind {
        ProviderKind::OpenAi => openai::event(data, into),
        ProviderKind::Anthropic => anthropic::event(data, into),
    }
}

/// The error that a provider describes: the same two fields in both protocols.
pub(crate) fn provider_error(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    let message = error
        .get("message")
        .and_then(Value::as_str)
        .or_else(|| error.as_str())
        .unwrap_or("no message");
    let kind = error
        .get("type")
        .and_then(Value::as_str)
        .map(|kind| format!("{}: ", crate::text::quoted(kind)))
        .unwrap_or_default();
    Some(format!("{kind}{}", crate::text::quoted(message)))
}

fn bad(why: &str) -> ModelError {
    ModelError::BadAnswer(format!("the provider's answer {why}"))
}

/// A field that is text, missing, or null; anything else is no answer.
fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, ModelError> {
    match value.get(field) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(bad(&format!("has a `{field}` that is not text"))),
    }
}

/// A field that is a list, missing, or null.
fn list<'a>(value: &'a Value, field: &str) -> Result<&'a [Value], ModelError> {
    match value.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(bad(&format!("has a `{field}` that is not a list"))),
    }
}

/// The number of a part of an answer.
fn index(value: &Value) -> Result<u64, ModelError> {
    match value.get("index") {
        None => Ok(0),
        Some(n) => n
            .as_u64()
            .ok_or_else(|| bad("has an `index` that is not a number")),
    }
}
