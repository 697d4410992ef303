//! What plugins do outside the sandbox, one file for each kind: permit, intent, effect, outcome. This folder is where
//! the sandbox's ports meet the brokers; it holds no rule of its own. What is allowed is decided by `authority`, what is
//! affordable by the engine.

mod bound;
mod charge;
mod command;
mod consent;
mod desk;
mod http;
mod mint;
mod model;
mod model_record;
mod question;
mod secrets;

pub(crate) use command::CommandDir;
pub(crate) use consent::{Facts, RECORD_FORMAT, canonical, differences, said};
pub(crate) use desk::{CallDesk, Parting, preface_of, without_preface};
pub(crate) use mint::{Brokers, Caps, Minted, Minting, mint, offered, still_allowed};

use sandgate_sandbox::Answered;

/// An answer with nothing to record behind it.
fn plain<T>(result: T) -> Answered<T> {
    Answered { result, then: None }
}
