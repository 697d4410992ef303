//! A server that speaks both protocols of text generation over HTTP/1.1 on loopback. What it does is told by the name of
//! the model: `echo` answers with the user's text, `cut-off` breaks off, `usage-negative` lies, and so on
//! ([`SCENARIOS`]). A part of the name after `@` is for the caller: `error-500-then-ok@1` has a counter of its own.
//!
//! It keeps what it was sent, so that a test can say which key arrived, and how often. It is no product code: it trusts
//! whoever starts it.

mod http;
mod scenario;
mod serve;
mod stream;

pub use http::Seen;
pub use scenario::{SCENARIOS, Turn, turns};
pub use serve::LlmServer;

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /v1/chat/completions`.
    OpenAi,
    /// `POST /v1/messages`.
    Anthropic,
}
