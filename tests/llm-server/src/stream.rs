//! An answer as a stream of events, written piece by piece in either protocol.

use crate::Protocol;
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    net::TcpStream,
};

/// Why an answer stops; the words differ between the protocols.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Stop,
    Length,
    Tools,
    Refused,
}

/// Writes one answer.
pub(crate) struct Answer<'a> {
    to: &'a TcpStream,
    pub(crate) protocol: Protocol,
    model: String,
    blocks: u32,
    open: Option<&'static str>,
    tools: u32,
    /// Characters said so far.
    pub(crate) said: usize,
}

impl<'a> Answer<'a> {
    /// Writes the head, and what comes before the first piece. `input`: JSON of the tokens of the conversation, for the
    /// protocol that says so at the beginning; empty: it does not say.
    pub(crate) fn start(
        to: &'a TcpStream,
        protocol: Protocol,
        model: &str,
        input: &str,
    ) -> io::Result<Self> {
        let mut answer = Self {
            to,
            protocol,
            model: model.to_owned(),
            blocks: 0,
            open: None,
            tools: 0,
            said: 0,
        };
        answer.bytes(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        match protocol {
            Protocol::OpenAi => answer.delta(&json!({"role": "assistant", "content": ""}))?,
            Protocol::Anthropic => {
                let usage = if input.is_empty() {
                    "null".to_owned()
                } else {
                    format!(r#"{{"input_tokens":{input},"output_tokens":1}}"#)
                };
                let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": model,
                    "content": [], "stop_reason": null});
                let text = message.to_string();
                let text = format!(r#"{},"usage":{usage}}}"#, text.trim_end_matches('}'));
                answer.data(
                    "message_start",
                    &format!(r#"{{"type":"message_start","message":{text}}}"#),
                )?;
                answer.data("ping", r#"{"type":"ping"}"#)?;
            }
        }
        Ok(answer)
    }

    /// A piece of text.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.said += text.chars().count();
        match self.protocol {
            Protocol::OpenAi => self.delta(&json!({"content": text})),
            Protocol::Anthropic => {
                self.block("text", &json!({"type": "text", "text": ""}))?;
                self.part(&json!({"type": "text_delta", "text": text}))
            }
        }
    }

    /// A piece of a thought.
    pub(crate) fn think(&mut self, text: &str) -> io::Result<()> {
        self.said += text.chars().count();
        match self.protocol {
            Protocol::OpenAi => self.delta(&json!({"reasoning_content": text})),
            Protocol::Anthropic => {
                self.block("thinking", &json!({"type": "thinking", "thinking": ""}))?;
                self.part(&json!({"type": "thinking_delta", "thinking": text}))
            }
        }
    }

    /// A call of a tool; its arguments come in two pieces.
    pub(crate) fn tool(&mut self, id: &str, name: &str, arguments: &str) -> io::Result<()> {
        self.said += arguments.chars().count();
        let middle = (0..=arguments.len() / 2)
            .rev()
            .find(|at| arguments.is_char_boundary(*at))
            .unwrap_or(0);
        let (a, b) = arguments.split_at(middle);
        match self.protocol {
            Protocol::OpenAi => {
                let index = self.tools;
                self.tools += 1;
                self.delta(
                    &json!({"tool_calls": [{"index": index, "id": id, "type": "function",
                    "function": {"name": name, "arguments": ""}}]}),
                )?;
                for piece in [a, b] {
                    self.delta(&json!({"tool_calls": [{"index": index,
                        "function": {"arguments": piece}}]}))?;
                }
                Ok(())
            }
            Protocol::Anthropic => {
                self.close()?;
                self.block(
                    "tool",
                    &json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
                )?;
                for piece in [a, b] {
                    self.part(&json!({"type": "input_json_delta", "partial_json": piece}))?;
                }
                self.close()
            }
        }
    }

    /// Why it stops, and what it took as JSON of two numbers; `None`: not a word about it.
    pub(crate) fn stop(&mut self, end: End, usage: Option<(&str, &str)>) -> io::Result<()> {
        match self.protocol {
            Protocol::OpenAi => {
                let reason = match end {
                    End::Stop => "stop",
                    End::Length => "length",
                    End::Tools => "tool_calls",
                    End::Refused => "content_filter",
                };
                self.choice(&json!({}), &json!(reason))?;
                if let Some((input, output)) = usage {
                    self.usage(&format!(
                        r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":0}}"#
                    ))?;
                }
                self.data("", "[DONE]")
            }
            Protocol::Anthropic => {
                self.close()?;
                let reason = match end {
                    End::Stop => "end_turn",
                    End::Length => "max_tokens",
                    End::Tools => "tool_use",
                    End::Refused => "refusal",
                };
                let usage = usage.map_or_else(
                    || "null".to_owned(),
                    |(_, output)| format!(r#"{{"output_tokens":{output}}}"#),
                );
                self.data("message_delta", &format!(
                    r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{usage}}}"#
                ))?;
                self.data("message_stop", r#"{"type":"message_stop"}"#)
            }
        }
    }

    /// The event that tells usage, in the protocol that has one.
    pub(crate) fn usage(&mut self, usage: &str) -> io::Result<()> {
        let model = json!(self.model);
        match self.protocol {
            Protocol::OpenAi => self.data("", &format!(
                r#"{{"id":"c-1","object":"chat.completion.chunk","model":{model},"choices":[],"usage":{usage}}}"#
            )),
            Protocol::Anthropic => self.data(
                "message_delta",
                &format!(r#"{{"type":"message_delta","delta":{{}},"usage":{usage}}}"#),
            ),
        }
    }

    /// An error in the middle.
    pub(crate) fn error(&mut self, kind: &str, message: &str) -> io::Result<()> {
        let value = json!({"type": "error", "error": {"type": kind, "message": message}});
        self.data("error", &value.to_string())
    }

    /// One event with this data.
    pub(crate) fn data(&mut self, name: &str, data: &str) -> io::Result<()> {
        let event = if name.is_empty() {
            format!("data: {data}\n\n")
        } else {
            format!("event: {name}\ndata: {data}\n\n")
        };
        self.chunk(event.as_bytes())
    }

    /// Bytes of the body, whatever they are.
    pub(crate) fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
        self.bytes(&out)
    }

    /// The proper end of the body.
    pub(crate) fn close_body(&mut self) -> io::Result<()> {
        self.bytes(b"0\r\n\r\n")
    }

    /// A choice of the protocol that has choices; of the other one, a delta that makes no sense.
    pub(crate) fn choice(&mut self, delta: &Value, reason: &Value) -> io::Result<()> {
        let chunk = json!({"id": "c-1", "object": "chat.completion.chunk", "model": self.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": null});
        self.data("", &chunk.to_string())
    }

    fn delta(&mut self, delta: &Value) -> io::Result<()> {
        self.choice(delta, &Value::Null)
    }

    fn block(&mut self, kind: &'static str, block: &Value) -> io::Result<()> {
        if self.open == Some(kind) {
            return Ok(());
        }
        self.close()?;
        self.open = Some(kind);
        let event =
            json!({"type": "content_block_start", "index": self.blocks, "content_block": block});
        self.data("content_block_start", &event.to_string())
    }

    fn part(&mut self, delta: &Value) -> io::Result<()> {
        let event = json!({"type": "content_block_delta", "index": self.blocks, "delta": delta});
        self.data("content_block_delta", &event.to_string())
    }

    fn close(&mut self) -> io::Result<()> {
        if self.open.take().is_some() {
            let event = json!({"type": "content_block_stop", "index": self.blocks});
            self.blocks += 1;
            self.data("content_block_stop", &event.to_string())?;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }
}

/// A whole response that is no stream.
pub(crate) fn whole(
    mut to: &TcpStream,
    status: &str,
    headers: &str,
    kind: &str,
    body: &str,
) -> io::Result<()> {
    write!(
        to,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
