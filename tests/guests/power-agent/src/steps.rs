//! One verb, one use of a capability.

use crate::bindings::sandgate::plugin::{budget, command, model};
use crate::http;
use wasip2::http::types::{Fields, FutureIncomingResponse, IncomingBody, OutgoingRequest};

type Told = Result<String, String>;

/// What the guest holds between steps.
#[derive(Default)]
pub struct Hands {
    responses: Vec<FutureIncomingResponse>,
    bodies: Vec<IncomingBody>,
    fields: Vec<Fields>,
    requests: Vec<OutgoingRequest>,
    generations: Vec<model::Generation>,
}

fn debug(error: impl core::fmt::Debug) -> String {
    format!("{error:?}")
}

fn number(word: &str) -> usize {
    word.parse().unwrap_or(0)
}

fn unhex(hex: &str) -> String {
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap_or(b'?'))
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn request(name: &str, text: &str) -> model::GenerateRequest {
    model::GenerateRequest {
        model: name.to_owned(),
        messages: vec![message(text)],
        tools: Vec::new(),
        max_tokens: Some(100),
        temperature_permille: Some(700),
        json_schema: None,
    }
}

fn message(text: &str) -> model::Message {
    model::Message {
        speaker: model::Speaker::User,
        text: text.to_owned(),
        tool_calls: Vec::new(),
        answers: None,
    }
}

fn said(answer: model::Generated) -> String {
    format!(
        "{} [{:?} {} {} {}]",
        answer.text,
        answer.finish,
        answer.usage.input_tokens,
        answer.usage.output_tokens,
        answer.usage.micros
    )
}

impl Hands {
    /// What each capability says when nothing is granted.
    pub fn refused(&mut self) -> String {
        [
            "http GET http://127.0.0.1/",
            "commands",
            "command ls",
            "models",
            "generate local/x hello",
            "stream local/x hello",
            "remaining",
            "charge lunch 5",
        ]
        .map(|step| match self.step(step) {
            Ok(what) => format!("ok {what}"),
            Err(why) => why,
        })
        .join(" | ")
    }

    /// Does one step.
    pub fn step(&mut self, step: &str) -> Told {
        let words: Vec<&str> = step.split(' ').collect();
        let word = |n: usize| words.get(n).copied().unwrap_or("");
        match word(0) {
            // HTTP.
            "http" => {
                let response = http::send(word(1), word(2), None)?;
                let (status, body) = http::receive(&response)?;
                let bytes = http::read(&body)?;
                let text = String::from_utf8_lossy(&bytes);
                Ok(format!(
                    "{status} {} {}",
                    bytes.len(),
                    &text[..text.len().min(100)]
                ))
            }
            "upload" => {
                let response = http::send("POST", word(1), Some(number(word(2))))?;
                let (status, body) = http::receive(&response)?;
                let bytes = http::read(&body)?;
                Ok(format!("{status} {}", String::from_utf8_lossy(&bytes)))
            }
            // Sends without waiting, and keeps it.
            "send" => {
                self.responses.push(http::send("GET", word(1), None)?);
                Ok(String::new())
            }
            "receive" => {
                let response = self.responses.last().ok_or("nothing sent")?;
                let (status, body) = http::receive(response)?;
                self.bodies.push(body);
                Ok(status.to_string())
            }
            "body" => {
                let body = self.bodies.last().ok_or("no body")?;
                Ok(http::read(body)?.len().to_string())
            }
            "forget" => {
                self.responses.clear();
                self.bodies.clear();
                Ok(String::new())
            }
            "header" => {
                let fields = Fields::new();
                let told = fields.append(word(1), word(2).as_bytes());
                told.map(|()| String::new()).map_err(debug)
            }
            "headers" => {
                let fields = Fields::new();
                let value = vec![b'v'; number(word(2))];
                for n in 0..number(word(1)) {
                    fields.append(&format!("x-{n}"), &value).map_err(debug)?;
                }
                Ok(String::new())
            }
            "fields" => {
                for _ in 0..number(word(1)) {
                    let fields = Fields::new();
                    fields.append("x", &vec![b'v'; 30_000]).map_err(debug)?;
                    self.fields.push(fields);
                }
                Ok(String::new())
            }
            "requests" => {
                for _ in 0..number(word(1)) {
                    let fields = Fields::new();
                    fields.append("x", &vec![b'v'; 30_000]).map_err(debug)?;
                    self.requests.push(OutgoingRequest::new(fields));
                }
                Ok(String::new())
            }
            // Commands.
            "commands" => {
                let all = command::allowed_commands();
                let told: Vec<String> = all
                    .iter()
                    .map(|rule| {
                        format!(
                            "{}={} {:?} {}",
                            rule.name, rule.program, rule.args, rule.approval
                        )
                    })
                    .collect();
                Ok(told.join(","))
            }
            "command" => {
                let request = command::CommandRequest {
                    program: word(1).to_owned(),
                    args: words
                        .iter()
                        .skip(2)
                        .map(|word| (*word).to_owned())
                        .collect(),
                    cwd: Some("/work".to_owned()),
                };
                let ran = command::run_command(&request).map_err(debug)?;
                Ok(format!(
                    "{:?} {} {} {} {}",
                    ran.ending,
                    String::from_utf8_lossy(&ran.stdout[..ran.stdout.len().min(100)]),
                    ran.stdout.len(),
                    ran.dropped_bytes,
                    ran.duration_ms
                ))
            }
            "command-args" => {
                let request = command::CommandRequest {
                    program: "echo".to_owned(),
                    args: vec!["a".repeat(number(word(2))); number(word(1))],
                    cwd: None,
                };
                command::run_command(&request)
                    .map(|_| String::new())
                    .map_err(debug)
            }
            // Models.
            "models" => Ok(model::available_models().join(",")),
            "generate" => model::generate(&request(word(1), word(2)))
                .map(said)
                .map_err(debug),
            "stream" => {
                let generation =
                    model::generate_stream(&request(word(1), word(2))).map_err(debug)?;
                let mut pieces = Vec::new();
                while let Some(piece) = generation.next().map_err(debug)? {
                    pieces.push(piece);
                }
                Ok(format!(
                    "{} = {}",
                    pieces.join("|"),
                    said(generation.finish().map_err(debug)?)
                ))
            }
            "begin" => {
                let generation =
                    model::generate_stream(&request(word(1), word(2))).map_err(debug)?;
                self.generations.push(generation);
                Ok(String::new())
            }
            "next" => {
                let generation = self.generations.last().ok_or("none begun")?;
                generation
                    .next()
                    .map(|piece| format!("{piece:?}"))
                    .map_err(debug)
            }
            "finish" => {
                let generation = self.generations.last().ok_or("none begun")?;
                generation.finish().map(said).map_err(debug)
            }
            "end" => {
                self.generations.clear();
                Ok(String::new())
            }
            "messages" => {
                let mut request = request("local/x", "");
                request.messages = vec![message(&"m".repeat(number(word(2)))); number(word(1))];
                model::generate(&request).map(said).map_err(debug)
            }
            "tool" => {
                let mut request = request("local/x", "use it");
                request.tools = vec![model::Tool {
                    name: "t".to_owned(),
                    description: "a tool".to_owned(),
                    parameters: unhex(word(1)),
                }];
                model::generate(&request).map(said).map_err(debug)
            }
            "schema" => {
                let mut request = request("local/x", "answer");
                request.json_schema = Some(unhex(word(1)));
                model::generate(&request).map(said).map_err(debug)
            }
            "arguments" => {
                let mut request = request("local/x", "go on");
                request.messages[0].tool_calls = vec![model::ToolCall {
                    id: "1".to_owned(),
                    name: "t".to_owned(),
                    arguments: unhex(word(1)),
                }];
                model::generate(&request).map(said).map_err(debug)
            }
            "tool-list" => {
                let mut request = request("local/x", "use it");
                let tool = model::Tool {
                    name: "t".repeat(number(word(2))),
                    description: String::new(),
                    parameters: "{}".to_owned(),
                };
                request.tools = vec![tool; number(word(1))];
                model::generate(&request).map(said).map_err(debug)
            }
            // Budget.
            "remaining" => Ok(format!("{:?}", budget::remaining())),
            "charge" => budget::charge_now(word(1), number(word(2)) as u64)
                .map(|()| String::new())
                .map_err(debug),
            other => Err(format!("no such verb: {other}")),
        }
    }
}
