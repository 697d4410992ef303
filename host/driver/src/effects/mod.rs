//! What plugins do outside the sandbox, one file for each kind: permit, intent, effect, outcome. This folder is where
//! the sandbox's ports meet the brokers; it holds no rule of its own. What is allowed is decided by `authority`, what is
//! affordable by the engine.

mod charge;
mod command;
mod desk;
mod http;
mod mint;
mod model;
mod secrets;

pub(crate) use command::CommandDir;
pub(crate) use mint::{Brokers, Caps, Minting, mint, still_allowed};
