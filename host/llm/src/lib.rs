//! Text generation at providers, metered.
//!
//! A plugin names a model and a conversation; the host holds the key, bounds the cost before anything is sent, and
//! treats what comes back as bytes of a stranger. Two protocols are spoken, both streamed: `POST /chat/completions`
//! and `POST /v1/messages`. The way out is `sandgate_egress`; keys come from `sandgate_vault` and are put in there.
//!
//! What holds, and where:
//!
//! - A request needs a `ModelPermit` of `sandgate_authority`, taken by value ([`Models::prepare`]).
//! - The most it can cost is known before ([`Prepared::estimate`]), and what is charged is never more
//!   ([`Generation::cost`]), whatever the provider says about usage.
//! - Nothing is sent twice once the provider may have begun to work.
//! - An answer is cut at caps of bytes, text, time and tokens; what is not JSON, not UTF-8 or says two things at once
//!   is refused; text passes as data, and is escaped in errors.
//! - A replayed recording never sends.
//!
//! This crate must not decide who may use what, keep a budget or a journal, print, or hold a key.

mod error;
mod generation;
mod json;
mod keys;
mod limits;
mod meter;
mod models;
mod price;
mod provider;
mod read;
mod record;
mod request;
mod retry;
mod schema;
mod send;
mod sse;
mod text;
mod validate;
mod wire;

pub use error::{Failed, ModelError};
pub use generation::Generation;
pub use limits::Limits;
pub use models::{Mode, Models, ModelsConfig, Money, Prepared};
pub use price::{Price, Prices};
pub use provider::{ProviderConfig, ProviderError, ProviderKind, Times};
pub use record::{Recorder, RecordingError, ReplaySource};
pub use request::{Finish, GenerateRequest, Generated, Message, Speaker, Tool, ToolCall, Usage};
pub use retry::Jitter;
