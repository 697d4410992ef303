//! What the server does, by the name of the model.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value gives null for what is not in it"
)]

use crate::{
    Protocol, Seen,
    serve::Shared,
    stream::{Answer, End, whole},
};
use serde_json::{Map, Value, json};
use std::{io, net::TcpStream, time::Duration};

/// All names, each with what it does.
pub const SCENARIOS: &[(&str, &str)] = &[
    ("echo", "the last text of the user, in pieces"),
    ("long", "500 words"),
    ("think", "thoughts, then text"),
    ("json", "a document of the schema that was asked for"),
    ("json-wrong", "JSON that fits no schema"),
    ("json-fenced", "a document in a Markdown fence"),
    (
        "tools",
        "wants the first tool, then says what the tool said",
    ),
    ("tools-many", "wants 1,000 tools"),
    ("tools-bad", "arguments that are not JSON"),
    ("tools-list", "arguments that are a list"),
    ("tools-twin", "two calls with the same id"),
    ("length", "stops at the most tokens"),
    ("refusal", "refuses"),
    ("usage-missing", "not a word about usage"),
    ("usage-negative", "usage below nothing"),
    ("usage-huge", "usage over every bound"),
    ("usage-overflow", "usage of more than 64 bits"),
    ("usage-float", "usage with a point"),
    ("usage-text", "usage in quotes"),
    ("usage-zero", "nothing was used"),
    ("usage-nan", "usage that is not JSON"),
    ("usage-twice", "usage with a name that stands twice"),
    ("usage-shrinks", "usage that gets smaller"),
    ("usage-low", "2,000 words for one token"),
    ("endless", "text for ever"),
    ("endless-thoughts", "thoughts for ever"),
    ("endless-line", "one line for ever"),
    ("endless-comments", "signs of life for ever, no text"),
    ("drip", "a letter each 50 ms, for ever"),
    ("slow-first", "the first text after 30 s"),
    ("slow-head", "the head after 30 s"),
    ("stall", "one piece, then nothing for 30 s"),
    ("error-400", "refuses the request"),
    ("error-401", "refuses the key, and repeats it"),
    ("error-404", "knows no such model"),
    ("error-429", "too many requests, always"),
    ("error-429-long", "too many requests, come back in an hour"),
    (
        "error-429-then-ok",
        "too many requests once, then as `echo`",
    ),
    ("error-500", "broken, always"),
    ("error-500-then-ok", "broken twice, then as `echo`"),
    ("error-ansi", "an error full of control characters"),
    ("error-endless", "an error whose text does not end"),
    ("redirect", "is somewhere else"),
    ("silent", "closes without an answer"),
    ("garbage", "is not HTTP"),
    ("html", "a page of a login"),
    ("not-json", "events that are not JSON"),
    ("not-object", "events that are no objects"),
    ("wrong-types", "text that is a number"),
    ("deep", "JSON of 10,000 levels"),
    ("twice", "a name that stands twice"),
    ("big-event", "one event of 1 MiB"),
    ("bad-utf8", "bytes that are no text"),
    ("cut-off", "the connection breaks in the middle"),
    ("no-end", "the stream ends without a reason"),
    ("odd-end", "a reason for stopping that nobody knows"),
    ("two-ends", "two reasons for stopping"),
    ("overloaded", "an error as the first event"),
    ("overloaded-later", "an error after text"),
    ("injected", "control characters and events inside of text"),
    ("reflect-key", "repeats the key"),
    (
        "reflect-key-split",
        "repeats the key, a letter in each event",
    ),
];

/// What a scripted model says in one turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// Text.
    Text(String),
    /// A call of a tool.
    Tool {
        /// Its name.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
}

/// Scripts from JSON: `{"model": ["text", {"tool": "look", "arguments": {}}]}`; `None` when it is not that.
#[must_use]
pub fn turns(value: &Value) -> Option<Vec<(String, Vec<Turn>)>> {
    let turn = |value: &Value| match value {
        Value::String(text) => Some(Turn::Text(text.clone())),
        other => Some(Turn::Tool {
            name: other.get("tool")?.as_str()?.to_owned(),
            arguments: other.get("arguments")?.clone(),
        }),
    };
    value
        .as_object()?
        .iter()
        .map(|(model, list)| {
            let list = list.as_array()?.iter().map(turn).collect::<Option<_>>()?;
            Some((model.clone(), list))
        })
        .collect()
}

/// One request that is to be answered.
pub(crate) struct Asked<'a> {
    pub(crate) to: &'a TcpStream,
    pub(crate) protocol: Protocol,
    pub(crate) seen: &'a Seen,
    pub(crate) shared: &'a Shared,
}

/// How long the slow ones wait: longer than the patience of every test.
const SLOW: Duration = Duration::from_secs(30);

pub(crate) fn play(asked: Asked<'_>) -> io::Result<()> {
    let model = asked.seen.model();
    if let Some(turns) = asked.shared.script(model) {
        return asked.scripted(&turns);
    }
    let name = model.split('@').next().unwrap_or_default();
    match name {
        _ if name.starts_with("error") || name == "redirect" => asked.error(name, model),
        "silent" => Ok(()),
        "garbage" => io::Write::write_all(&mut &*asked.to, b"SSH-2.0-server\r\n\r\n"),
        "html" => whole(
            asked.to,
            "200 OK",
            "",
            "text/html",
            "<html><body>Please log in</body></html>",
        ),
        "slow-head" => {
            asked.shared.sleep(SLOW);
            asked.well("late")
        }
        "echo" => asked.well(&asked.last_text()),
        "long" => asked.well(&"word ".repeat(500)),
        "json" => asked.document(),
        "json-wrong" => asked.well("{\"no\": [\"such\", \"thing\"]}"),
        "json-fenced" => asked.well("```json\n{\"n\": 1}\n```"),
        "tools" => asked.use_tool(),
        "injected" => asked.well(INJECTED),
        _ if name.starts_with("usage-") => asked.usage(name),
        _ if SCENARIOS.iter().any(|(known, _)| *known == name) => asked.stream(name),
        _ => asked.error("error-404", model),
    }
}

const INJECTED: &str = "\u{1b}[2J\u{1b}]52;c;AAAA\u{7}\u{202e}evil\u{2066}\u{0}\r\n\ndata: [DONE]\n\ndata: \
    {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\nevent: message_stop\n\n{secret:KEY} ${{ x }} <script>";

impl<'a> Asked<'a> {
    fn model(&self) -> &'a str {
        self.seen.model()
    }

    fn key(&self) -> &'a str {
        self.seen.key.as_deref().unwrap_or("none")
    }

    /// Tokens of the conversation, as JSON: about four letters each.
    fn input(&self) -> String {
        (self.seen.raw.len() / 4 + 1).to_string()
    }

    fn start(&self) -> io::Result<Answer<'a>> {
        Answer::start(self.to, self.protocol, self.model(), &self.input())
    }

    fn end(&self, mut answer: Answer<'_>, end: End) -> io::Result<()> {
        let output = (answer.said / 4 + 1).to_string();
        answer.stop(end, Some((&self.input(), &output)))?;
        answer.close_body()
    }

    /// An answer as it should be.
    fn well(&self, text: &str) -> io::Result<()> {
        let mut answer = self.start()?;
        let letters: Vec<char> = text.chars().collect();
        for piece in letters.chunks(7) {
            answer.text(&piece.iter().collect::<String>())?;
        }
        self.end(answer, End::Stop)
    }

    fn scripted(&self, turns: &[Turn]) -> io::Result<()> {
        let before = self.seen.body["messages"].as_array().map_or(0, |all| {
            all.iter().filter(|m| m["role"] == "assistant").count()
        });
        match turns.get(before).or(turns.last()) {
            Some(Turn::Text(text)) => match self.forced() {
                Some(tool) => self.call(&tool, text),
                None => self.well(text),
            },
            Some(Turn::Tool { name, arguments }) => self.call(name, &arguments.to_string()),
            None => self.well(""),
        }
    }

    fn call(&self, name: &str, arguments: &str) -> io::Result<()> {
        let mut answer = self.start()?;
        answer.tool("call_1", name, arguments)?;
        self.end(answer, End::Tools)
    }

    /// The tool through which a document has to come.
    fn forced(&self) -> Option<String> {
        let choice = &self.seen.body["tool_choice"];
        match choice["type"].as_str()? {
            "tool" => choice["name"].as_str().map(str::to_owned),
            _ => None,
        }
    }

    fn document(&self) -> io::Result<()> {
        let body = &self.seen.body;
        let schema = match self.protocol {
            Protocol::OpenAi => &body["response_format"]["json_schema"]["schema"],
            Protocol::Anthropic => &body["tools"][0]["input_schema"],
        };
        let text = example(schema, schema, 0).to_string();
        match self.forced() {
            Some(tool) => self.call(&tool, &text),
            None => self.well(&text),
        }
    }

    fn use_tool(&self) -> io::Result<()> {
        let body = &self.seen.body;
        if let Some(said) = self.tool_said() {
            return self.well(&format!("the tool said: {said}"));
        }
        let tool = &body["tools"][0];
        let (name, schema) = match self.protocol {
            Protocol::OpenAi => (&tool["function"]["name"], &tool["function"]["parameters"]),
            Protocol::Anthropic => (&tool["name"], &tool["input_schema"]),
        };
        match name.as_str() {
            Some(name) => {
                let mut answer = self.start()?;
                answer.text("I look it up.")?;
                answer.tool("call_1", name, &example(schema, schema, 0).to_string())?;
                self.end(answer, End::Tools)
            }
            None => self.well("there is no tool"),
        }
    }

    /// What a tool said, when that is the last thing that was said.
    fn tool_said(&self) -> Option<&'a str> {
        let last = self.seen.body["messages"].as_array()?.last()?;
        if last["role"] == "tool" {
            return last["content"].as_str();
        }
        let block = last["content"].as_array()?.last()?;
        (block["type"] == "tool_result").then(|| block["content"].as_str())?
    }

    fn last_text(&self) -> String {
        let empty = Vec::new();
        let messages = self.seen.body["messages"].as_array().unwrap_or(&empty);
        let user = messages.iter().rev().find(|m| m["role"] == "user");
        let content = user.map_or(&Value::Null, |m| &m["content"]);
        match content {
            Value::String(text) => text.clone(),
            Value::Array(blocks) => blocks
                .iter()
                .rev()
                .find_map(|b| b["text"].as_str())
                .unwrap_or_default()
                .to_owned(),
            _ => String::new(),
        }
    }

    fn error(&self, name: &str, model: &str) -> io::Result<()> {
        let said = |status: &str, headers: &str, message: &str| {
            let body = json!({"type": "error", "error": {"type": "api_error", "message": message}});
            whole(
                self.to,
                status,
                headers,
                "application/json",
                &body.to_string(),
            )
        };
        match name {
            "error-400" => said("400 Bad Request", "", "max_tokens is too large"),
            "error-401" => said(
                "401 Unauthorized",
                "",
                &format!("Incorrect API key provided: {}", self.key()),
            ),
            "error-429" => said("429 Too Many Requests", "retry-after: 0\r\n", "slow down"),
            "error-429-long" => said("429 Too Many Requests", "retry-after: 3600\r\n", "quota"),
            "error-429-then-ok" if self.shared.count(model) < 1 => {
                said("429 Too Many Requests", "retry-after: 1\r\n", "slow down")
            }
            "error-500" => said("500 Internal Server Error", "", "it is us"),
            "error-500-then-ok" if self.shared.count(model) < 2 => {
                said("503 Service Unavailable", "", "it is us")
            }
            "error-429-then-ok" | "error-500-then-ok" => self.well(&self.last_text()),
            "error-ansi" => whole(
                self.to,
                "418 Teapot",
                "x-note: a\r\n",
                "text/plain",
                "\u{1b}[2J\u{202e}gone\r\nsecond line\u{0}",
            ),
            "error-endless" => {
                let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\r\n";
                io::Write::write_all(&mut &*self.to, head.as_bytes())?;
                loop {
                    io::Write::write_all(&mut &*self.to, &[b'x'; 4096])?;
                }
            }
            "redirect" => whole(
                self.to,
                "307 Temporary Redirect",
                "location: http://127.0.0.1:1/v1/elsewhere\r\n",
                "text/plain",
                "",
            ),
            _ => said("404 Not Found", "", "no such model"),
        }
    }

    fn usage(&self, name: &str) -> io::Result<()> {
        let right = self.input();
        let huge = "18446744073709551615";
        let (input, output) = match name {
            "usage-negative" => ("-5", "-7"),
            "usage-huge" => (huge, huge),
            "usage-overflow" => ("99999999999999999999999999", "1e300"),
            "usage-float" => ("12.0", "7.5"),
            "usage-text" => ("\"12\"", "\"7\""),
            "usage-zero" => ("0", "0"),
            "usage-nan" => ("NaN", "NaN"),
            "usage-twice" => (
                "1,\"prompt_tokens\":1,\"input_tokens\":1",
                "1,\"output_tokens\":1,\"completion_tokens\":1",
            ),
            "usage-low" | "usage-shrinks" => (right.as_str(), "1"),
            _ => ("", ""),
        };
        let mut answer = Answer::start(self.to, self.protocol, self.model(), input)?;
        let words = if name == "usage-low" { 2_000 } else { 3 };
        for _ in 0..words {
            answer.text("word ")?;
        }
        if name == "usage-shrinks" {
            answer.usage(r#"{"prompt_tokens":9,"completion_tokens":9,"output_tokens":9}"#)?;
        }
        let usage = (name != "usage-missing").then_some((input, output));
        answer.stop(End::Stop, usage)?;
        answer.close_body()
    }

    fn stream(&self, name: &str) -> io::Result<()> {
        let mut answer = self.start()?;
        match name {
            "slow-first" => {
                self.shared.sleep(SLOW);
                answer.text("late")?;
            }
            "overloaded" => answer.error("overloaded_error", "too much to do")?,
            "think" => {
                answer.think("let me see, what is it")?;
                answer.text("it is 42")?;
            }
            "length" => {
                answer.text("it is")?;
                return self.end(answer, End::Length);
            }
            "refusal" => {
                answer.text("I will not")?;
                return self.end(answer, End::Refused);
            }
            "tools-many" => {
                for n in 0..1_000 {
                    answer.tool(&format!("call_{n}"), "look", "{}")?;
                }
                return self.end(answer, End::Tools);
            }
            "tools-bad" => {
                answer.tool("call_1", "look", "{\"a\": rm -rf /")?;
                return self.end(answer, End::Tools);
            }
            "tools-list" => {
                answer.tool("call_1", "look", "[1]")?;
                return self.end(answer, End::Tools);
            }
            "tools-twin" => {
                answer.tool("call_1", "look", "{}")?;
                answer.tool("call_1", "look", "{}")?;
                return self.end(answer, End::Tools);
            }
            "endless" => loop {
                answer.text("and so on, ")?;
            },
            "endless-thoughts" => loop {
                answer.think("and so on, ")?;
            },
            "endless-line" => loop {
                answer.chunk(&[b'x'; 4096])?;
            },
            "endless-comments" => loop {
                answer.chunk(b": still here\n\n")?;
                self.shared.sleep(Duration::from_millis(20));
            },
            "drip" => loop {
                answer.text("x")?;
                self.shared.sleep(Duration::from_millis(50));
            },
            "stall" => {
                answer.text("one moment")?;
                self.shared.sleep(SLOW);
            }
            "reflect-key" => answer.text(&format!("your key is {}", self.key()))?,
            "reflect-key-split" => {
                for letter in self.key().chars() {
                    answer.text(&letter.to_string())?;
                }
            }
            _ => {
                answer.text("fine so far ")?;
                match name {
                    "not-json" => answer.data("", "<xml/>")?,
                    "not-object" => answer.data("", "[1, 2]")?,
                    "wrong-types" => {
                        let data = json!({"type": 5, "choices": [{"delta": {"content": 5}}]});
                        answer.data("", &data.to_string())?;
                    }
                    "deep" => answer.data("", &"[".repeat(10_000))?,
                    "twice" => answer.data(
                        "",
                        r#"{"type":"ping","type":"ping","choices":[],"choices":[]}"#,
                    )?,
                    "big-event" => answer.text(&"x".repeat(1 << 20))?,
                    "bad-utf8" => answer.chunk(b"data: \xff\xfe\n\n")?,
                    "cut-off" => {
                        // Promises more than comes.
                        return io::Write::write_all(&mut &*self.to, b"ff\r\ndata: {\"type\"");
                    }
                    "no-end" => return answer.close_body(),
                    "odd-end" => {
                        let data = json!({"type": "message_delta", "delta": {"stop_reason": "\u{1b}[1mbored"},
                            "choices": [{"index": 0, "delta": {}, "finish_reason": "\u{1b}[1mbored"}]});
                        answer.data("", &data.to_string())?;
                    }
                    "two-ends" => {
                        let data = |anthropic: &str, openai: &str| {
                            json!({"type": "message_delta", "delta": {"stop_reason": anthropic},
                                "choices": [{"index": 0, "delta": {}, "finish_reason": openai}]})
                            .to_string()
                        };
                        answer.data("", &data("end_turn", "stop"))?;
                        answer.data("", &data("max_tokens", "length"))?;
                    }
                    "overloaded-later" => answer.error("overloaded_error", "too much to do")?,
                    _ => {}
                }
            }
        }
        self.end(answer, End::Stop)
    }
}

/// A value that fits a schema, as far as one is easily found.
fn example(schema: &Value, root: &Value, depth: u8) -> Value {
    if depth > 20 {
        return Value::Null;
    }
    if let Some(pointer) = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        return example(
            root.pointer(pointer).unwrap_or(&Value::Null),
            root,
            depth + 1,
        );
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema["enum"].get(0) {
        return value.clone();
    }
    for name in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[name].get(0) {
            return example(first, root, depth + 1);
        }
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str());
    match kind {
        Some("string") => json!("text"),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("number") => schema.get("minimum").cloned().unwrap_or(json!(1.5)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => json!([example(&schema["items"], root, depth + 1)]),
        _ => {
            let empty = Map::new();
            let properties = schema["properties"].as_object().unwrap_or(&empty);
            let filled: Map<String, Value> = properties
                .iter()
                .map(|(name, inner)| (name.clone(), example(inner, root, depth + 1)))
                .collect();
            Value::Object(filled)
        }
    }
}
