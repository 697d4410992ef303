//! JSON that travels: small values inside the event, large ones by digest.

use crate::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest encoded JSON, in bytes, that stays inside an event. Events are read whole at recovery, so they are
/// kept small; 4 KiB is one database page.
pub const INLINE_MAX: usize = 4096;

/// A JSON value, in the event or in the artifact store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The value itself.
    Inline(Value),
    /// Its encoding is an object of the artifact store.
    Stored {
        /// Name of the object.
        digest: Digest,
        /// Size in bytes.
        size: u64,
    },
}
