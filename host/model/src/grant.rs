//! What one task may do. Data only: `authority` decides what goes in here, `sandbox` enforces it.

use serde::{Deserialize, Serialize};

/// How a directory is granted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileMode {
    /// Read only.
    Read,
    /// Read and write.
    Write,
}

/// One directory, seen by the guest under another name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FileGrant {
    /// Directory on the host, relative to the project's directory; no `..`, not absolute.
    pub host: String,
    /// Absolute path in the guest, such as `/notes`.
    pub guest: String,
    /// Read or write.
    pub mode: FileMode,
}

/// The authority of one task, gate or planner. Empty means: compute, log within the cap, read a clock and
/// random bytes, and nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Grants {
    /// Directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileGrant>,
}

impl Grants {
    /// Whether an attempt with these grants could leave a trace outside the sandbox. When not, an attempt
    /// whose end is unknown can simply be run again.
    #[must_use]
    pub fn outside_effect(&self) -> bool {
        self.files.iter().any(|f| f.mode == FileMode::Write)
    }
}
