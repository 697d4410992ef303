//! Reads a live answer: bytes, events, pieces of text, under every cap of size and time. Must not count money.

use crate::{
    Limits, ModelError, ProviderKind, Times,
    sse::Events,
    wire::{self, Assembler},
};
use sandgate_egress::{EgressBody, EgressError};
use sandgate_vault::{RedactStream, Redactor};
use tokio::time::{Instant, timeout_at};

/// Longest text that one token can be. What is longer than this times the tokens that were asked for is no answer but
/// a flood.
const TOKEN_BYTES_MAX: usize = 128;

/// Text that is taken besides, so that few tokens do not make for a tight limit.
const TEXT_SLACK: usize = 1_024;

/// Numbers that reading begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin {
    pub(crate) limits: Limits,
    pub(crate) times: Times,
    pub(crate) max_tokens: u32,
    /// When the request was sent that was answered.
    pub(crate) sent: Instant,
    /// When everything has to be over.
    pub(crate) deadline: Instant,
}

/// How far an answer was read.
pub(crate) struct Reading {
    body: EgressBody,
    kind: ProviderKind,
    begin: Begin,
    events: Events,
    pub(crate) into: Assembler,
    pieces: Pieces,
    bytes: usize,
    visible_max: usize,
    /// When the last piece of anything came that a model makes.
    progress: Option<Instant>,
}

impl Reading {
    pub(crate) fn new(
        body: EgressBody,
        kind: ProviderKind,
        redactor: &Redactor,
        begin: Begin,
    ) -> Self {
        let tokens = usize::try_from(begin.max_tokens).unwrap_or(usize::MAX);
        Self {
            body,
            kind,
            events: Events::new(begin.limits.event_bytes),
            into: Assembler::new(begin.limits),
            pieces: Pieces::new(redactor),
            bytes: 0,
            visible_max: tokens
                .saturating_mul(TOKEN_BYTES_MAX)
                .saturating_add(TEXT_SLACK),
            progress: None,
            begin,
        }
    }

    /// The next piece of text that came; nothing is waited for.
    pub(crate) fn piece(&mut self) -> Option<String> {
        while let Some(text) = self.into.piece() {
            let text = self.pieces.push(&text);
            if !text.is_empty() {
                return Some(text);
            }
        }
        None
    }

    /// What redaction held back until the end.
    pub(crate) fn rest(&mut self) -> Option<String> {
        let rest = self.pieces.finish();
        (!rest.is_empty()).then_some(rest)
    }

    /// Reads on; `false` at the end of the answer. Can be given up and called again: what was read is kept.
    pub(crate) async fn read(&mut self) -> Result<bool, ModelError> {
        if self.into.ended() {
            return Ok(false);
        }
        let times = self.begin.times;
        let (token, wait) = match self.progress {
            None => (self.begin.sent + times.first_token, times.first_token),
            Some(last) => (last + times.between_tokens, times.between_tokens),
        };
        let until = token.min(self.begin.deadline);
        let bytes = match timeout_at(until, self.body.chunk()).await {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Ok(None)) => return Ok(false),
            Ok(Err(error)) => return Err(broken(&error)),
            Err(_) if until < token => {
                return Err(late(format!(
                    "the answer took longer than {:?} as a whole",
                    times.total
                )));
            }
            Err(_) if self.progress.is_none() => {
                return Err(late(format!("no text came within {wait:?}")));
            }
            Err(_) => return Err(late(format!("no further text came within {wait:?}"))),
        };
        // A timeout that is due is not polled while bytes are always there.
        if Instant::now() >= self.begin.deadline {
            return Err(late(format!(
                "the answer took longer than {:?} as a whole",
                times.total
            )));
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        let most = self.begin.limits.answer_bytes;
        if self.bytes > most {
            return Err(too_long(&format!("{most} bytes")));
        }
        self.take(&bytes)?;
        Ok(true)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        let before = self.into.visible();
        self.events.push(bytes)?;
        while !self.into.ended()
            && let Some(data) = self.events.next()
        {
            wire::event(self.kind, &data, &mut self.into)?;
        }
        if self.into.visible() > before {
            self.progress = Some(Instant::now());
        }
        if self.into.visible() > self.visible_max {
            return Err(too_long(&format!("{} tokens", self.begin.max_tokens)));
        }
        Ok(())
    }
}

fn late(why: String) -> ModelError {
    ModelError::Unavailable(format!("the provider is too slow: {why}"))
}

fn too_long(most: &str) -> ModelError {
    ModelError::BadAnswer(format!(
        "the provider's answer does not end: it has more than {most}"
    ))
}

fn broken(error: &EgressError) -> ModelError {
    match error {
        EgressError::Timeout(_) => late(error.to_string()),
        EgressError::Host(_) | EgressError::Denied(_) => ModelError::Host(error.to_string()),
        _ => ModelError::BadAnswer(format!("the provider's answer broke off: {error}")),
    }
}

/// Pieces of text without secrets. The way out cuts them out of the bytes; one that is spread over several events
/// comes together only here.
struct Pieces {
    redact: Option<RedactStream>,
    /// The beginning of a character whose rest is held back.
    partial: Vec<u8>,
}

impl Pieces {
    fn new(redactor: &Redactor) -> Self {
        Self {
            redact: Some(redactor.stream()),
            partial: Vec::new(),
        }
    }

    fn push(&mut self, text: &str) -> String {
        match &mut self.redact {
            Some(redact) => {
                let bytes = redact.push(text.as_bytes());
                self.partial.extend_from_slice(&bytes);
                self.whole_characters()
            }
            None => String::new(),
        }
    }

    fn finish(&mut self) -> String {
        if let Some(redact) = self.redact.take() {
            self.partial.extend_from_slice(&redact.finish());
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned()
    }

    fn whole_characters(&mut self) -> String {
        let end = match std::str::from_utf8(&self.partial) {
            Ok(_) => self.partial.len(),
            // Cut in the middle of a character; bytes that can never be one do not wait.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.partial.len(),
        };
        let rest = self.partial.split_off(end);
        let whole = std::mem::replace(&mut self.partial, rest);
        String::from_utf8(whole)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_over_several_pieces_does_not_come_out() {
        let redactor = Redactor::new(&["sk-canary-0123456789"]).unwrap();
        let text = "before sk-canary-0123456789 äöü é sk-canary-01 after";
        for size in 1..12 {
            let mut pieces = Pieces::new(&redactor);
            let letters: Vec<char> = text.chars().collect();
            let mut out: String = letters
                .chunks(size)
                .map(|part| pieces.push(&part.iter().collect::<String>()))
                .collect();
            out.push_str(&pieces.finish());
            assert_eq!(out, redactor.redact_str(text), "{size}");
            assert!(!out.contains("sk-canary-0123456789"));
        }
    }
}
