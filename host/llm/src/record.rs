//! Recording and replay: whole answers by the request they belong to, as a versioned document. No key, no header, no
//! URL is in it; what a conversation says is.

use crate::{
    Finish, GenerateRequest, Generated, ModelError, ToolCall, Usage, json, meter::Bound,
    text::quoted,
};
use sandgate_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What the document is.
const TYPE: &str = "sandgate.model-recording";

/// Version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Longest document that is read; about a thousand long conversations.
const DOCUMENT_MAX: usize = 64 << 20;

/// A request, as recordings name it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) digest: Digest,
    canonical: Value,
}

impl Call {
    /// `max_tokens` is what is really asked for.
    pub(crate) fn new(request: &GenerateRequest, max_tokens: u32) -> Self {
        let messages: Vec<Value> = request
            .messages
            .iter()
            .map(|message| {
                json!({
                    "speaker": message.speaker.as_str(),
                    "text": message.text,
                    "tool_calls": message.tool_calls.iter().map(tool_call).collect::<Vec<_>>(),
                    "answers": message.answers,
                })
            })
            .collect();
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| {
                json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters})
            })
            .collect();
        let canonical = json!({
            "model": request.model,
            "messages": messages,
            "tools": tools,
            "max_tokens": max_tokens,
            "temperature_permille": request.temperature_permille,
            "json_schema": request.json_schema,
        });
        Self {
            digest: digest(&canonical),
            canonical,
        }
    }
}

fn digest(canonical: &Value) -> Digest {
    Digest::of(json::canonical(canonical).as_bytes())
}

fn tool_call(call: &ToolCall) -> Value {
    json!({"id": call.id, "name": call.name, "arguments": call.arguments})
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "$type")]
    kind: String,
    version: u32,
    calls: Vec<RecordedCall>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedCall {
    digest: Digest,
    request: Value,
    /// In the order in which they came: the same question may be asked again.
    answers: Vec<RecordedAnswer>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedAnswer {
    text: String,
    tool_calls: Vec<RecordedTool>,
    finish: RecordedFinish,
    model: String,
    input_tokens: u64,
    output_tokens: u64,
    estimated: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedTool {
    id: String,
    name: String,
    arguments: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RecordedFinish {
    Stop,
    Length,
    Tools,
    Refused,
}

/// Keeps the answers of a session. Clones share what they keep.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<BTreeMap<Digest, RecordedCall>>>);

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

impl Recorder {
    /// Keeps one answer.
    pub(crate) fn add(&self, call: &Call, answer: &Generated) {
        let answer = RecordedAnswer {
            text: answer.text.clone(),
            tool_calls: answer
                .tool_calls
                .iter()
                .map(|call| RecordedTool {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                })
                .collect(),
            finish: match answer.finish {
                Finish::Stop => RecordedFinish::Stop,
                Finish::Length => RecordedFinish::Length,
                Finish::Tools => RecordedFinish::Tools,
                Finish::Refused => RecordedFinish::Refused,
            },
            model: answer.model.clone(),
            input_tokens: answer.usage.input_tokens,
            output_tokens: answer.usage.output_tokens,
            estimated: answer.usage.estimated,
        };
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls
            .entry(call.digest)
            .or_insert_with(|| RecordedCall {
                digest: call.digest,
                request: call.canonical.clone(),
                answers: Vec::new(),
            })
            .answers
            .push(answer);
    }

    /// What was kept so far, as a JSON document.
    #[must_use]
    pub fn document(&self) -> String {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let document = Document {
            kind: TYPE.to_owned(),
            version: VERSION,
            calls: calls.values().cloned().collect(),
        };
        // Text, numbers and values that came from JSON: there is nothing in it that cannot be written.
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}

/// A document that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the recording cannot be replayed: {0}")]
pub struct RecordingError(String);

/// Answers from a recording. What was not recorded is an error: nothing is ever sent instead.
pub struct ReplaySource(Mutex<BTreeMap<Digest, Replayed>>);

struct Replayed {
    answers: Vec<RecordedAnswer>,
    next: usize,
}

impl fmt::Debug for ReplaySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplaySource")
    }
}

impl ReplaySource {
    /// Reads what [`Recorder::document`] wrote.
    ///
    /// # Errors
    /// It is too large, not such a document, of another version, or was changed by hand in a way that no longer fits
    /// its digests.
    pub fn parse(document: &str) -> Result<Self, RecordingError> {
        let wrong = |why: String| RecordingError(why);
        if document.len() > DOCUMENT_MAX {
            return Err(wrong(format!("it is longer than {DOCUMENT_MAX} bytes")));
        }
        let value = json::parse(document).map_err(|error| wrong(format!("not JSON: {error}")))?;
        let kind = value.get("$type").and_then(Value::as_str);
        let version = value.get("version").and_then(Value::as_u64);
        if kind != Some(TYPE) || version != Some(u64::from(VERSION)) {
            return Err(wrong(format!("it is not a `{TYPE}` of version {VERSION}")));
        }
        let document: Document =
            serde_json::from_value(value).map_err(|error| wrong(quoted(&error.to_string())))?;
        let mut calls = BTreeMap::new();
        for call in document.calls {
            if digest(&call.request) != call.digest {
                return Err(wrong(format!(
                    "the request {} is not what its digest says; record it again",
                    call.digest.short()
                )));
            }
            let replayed = Replayed {
                answers: call.answers,
                next: 0,
            };
            if calls.insert(call.digest, replayed).is_some() {
                return Err(wrong(format!("{} stands twice in it", call.digest.short())));
            }
        }
        Ok(Self(Mutex::new(calls)))
    }

    /// The next answer to this request, with its cost at today's prices.
    pub(crate) fn answer(&self, call: &Call, bound: &Bound) -> Result<Generated, ModelError> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |why: String| {
            ModelError::Unavailable(format!(
                "the request {} {why}; nothing is sent while a recording is replayed",
                call.digest.short()
            ))
        };
        let Some(recorded) = calls.get_mut(&call.digest) else {
            return Err(missing("was not recorded".to_owned()));
        };
        let Some(answer) = recorded.answers.get(recorded.next).cloned() else {
            return Err(missing(format!(
                "was recorded {} times and is made once more",
                recorded.answers.len()
            )));
        };
        recorded.next = recorded.next.saturating_add(1);
        Ok(replayed(answer, bound))
    }
}

fn replayed(answer: RecordedAnswer, bound: &Bound) -> Generated {
    // A recording is a file, and a file can say anything: the bound holds here too.
    let fits =
        answer.input_tokens <= bound.input_tokens && answer.output_tokens <= bound.output_tokens;
    let usage = if fits {
        Usage {
            input_tokens: answer.input_tokens,
            output_tokens: answer.output_tokens,
            micros: bound.price.of(answer.input_tokens, answer.output_tokens),
            estimated: answer.estimated,
        }
    } else {
        bound.usage()
    };
    Generated {
        text: answer.text,
        tool_calls: answer
            .tool_calls
            .into_iter()
            .map(|call| ToolCall {
                id: call.id,
                name: call.name,
                arguments: call.arguments,
            })
            .collect(),
        finish: match answer.finish {
            RecordedFinish::Stop => Finish::Stop,
            RecordedFinish::Length => Finish::Length,
            RecordedFinish::Tools => Finish::Tools,
            RecordedFinish::Refused => Finish::Refused,
        },
        usage,
        model: answer.model,
    }
}
