//! Just enough of HTTP/1.1 to read one request.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value gives null for what is not in it"
)]

use crate::Protocol;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read},
    net::TcpStream,
};

/// Longest body that is taken.
const BODY_MAX: usize = 16 << 20;

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method and path.
    pub line: String,
    /// The protocol of the path, where it is one.
    pub protocol: Option<Protocol>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The key that came, in the header of the protocol.
    pub key: Option<String>,
    /// The body as JSON; null when it is none.
    pub body: Value,
    /// The body.
    pub raw: String,
}

impl Seen {
    /// The model that was asked for.
    #[must_use]
    pub fn model(&self) -> &str {
        self.body
            .get("model")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// Reads one request; `None` when the peer left without one.
pub(crate) fn read(stream: &TcpStream) -> io::Result<Option<Seen>> {
    let mut from = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        if from.read_line(&mut header)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers
        .get("content-length")
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    if length > BODY_MAX {
        return Err(io::Error::other("the request is too long"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let raw = String::from_utf8_lossy(&body).into_owned();
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let protocol = match line.as_str() {
        "POST /v1/chat/completions" => Some(Protocol::OpenAi),
        "POST /v1/messages" => Some(Protocol::Anthropic),
        _ => None,
    };
    let key = match protocol {
        Some(Protocol::Anthropic) => headers.get("x-api-key").cloned(),
        _ => headers
            .get("authorization")
            .and_then(|v| v.strip_prefix("Bearer "))
            .map(str::to_owned),
    };
    Ok(Some(Seen {
        line,
        protocol,
        key,
        body: serde_json::from_str(&raw).unwrap_or(Value::Null),
        headers,
        raw,
    }))
}

/// What a request of a protocol has to look like; says what is wrong.
pub(crate) fn fault(seen: &Seen, protocol: Protocol) -> Option<String> {
    let body = &seen.body;
    let has = |name: &str| body.get(name).is_some_and(|v| !v.is_null());
    if seen.headers.get("content-type").map(String::as_str) != Some("application/json") {
        return Some("content-type is not application/json".to_owned());
    }
    for name in ["model", "messages", "stream"] {
        if !has(name) {
            return Some(format!("`{name}` is missing"));
        }
    }
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    if messages.is_empty() || body["stream"] != Value::Bool(true) {
        return Some("no messages, or no stream".to_owned());
    }
    match protocol {
        Protocol::OpenAi => {
            let both = has("max_tokens") == has("max_completion_tokens");
            let usage = body["stream_options"]["include_usage"] == Value::Bool(true);
            (both || !usage).then(|| "no most tokens, or no usage asked for".to_owned())
        }
        Protocol::Anthropic => {
            if seen.headers.get("anthropic-version").map(String::as_str) != Some("2023-06-01") {
                return Some("anthropic-version is missing".to_owned());
            }
            if !has("max_tokens") {
                return Some("`max_tokens` is missing".to_owned());
            }
            let roles: Vec<&str> = messages.iter().filter_map(|m| m["role"].as_str()).collect();
            let alternate = roles.iter().zip(roles.iter().skip(1)).all(|(a, b)| a != b);
            let known = roles.iter().all(|r| matches!(*r, "user" | "assistant"));
            let objects = body["tools"]
                .as_array()
                .unwrap_or(&empty)
                .iter()
                .all(|tool| tool["input_schema"]["type"] == "object");
            (!alternate || !known || !objects || roles.len() != messages.len())
                .then(|| "roles do not alternate, or a tool takes no object".to_owned())
        }
    }
}
