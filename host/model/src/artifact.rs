//! Named bytes that pass from task to task.

use crate::{ArtifactName, Digest};
use serde::{Deserialize, Serialize};

/// An artifact that an attempt produced: its bytes are the object `digest` of the artifact store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Artifact {
    /// Name within the task.
    pub name: ArtifactName,
    /// Digest of the bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Media type the plugin claims, such as `text/markdown`. A claim, not a fact.
    pub media_type: String,
}
