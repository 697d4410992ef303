//! Messages from outside, matched to waiting tasks by metadata. Data only.

use crate::{Actor, Digest, Moment, Payload, SignalType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message from outside. Never approves anything: it can end a wait, and nothing else.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Signal {
    /// Its id, chosen by the sender: the same id applies once.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: SignalType,
    /// Metadata to match by.
    pub fields: BTreeMap<String, String>,
    /// What it carries; the output of the tasks it resolves.
    pub data: Payload,
    /// SHA-256 of the canonical form of type, fields and data: tells a repeat from another signal with the same id.
    pub digest: Digest,
    /// Who sent it.
    pub by: Actor,
    /// When the host took it in.
    pub at: Moment,
}
