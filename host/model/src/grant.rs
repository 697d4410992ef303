//! What one task may do. Data only: `authority` decides what goes in here and turns it into permits, the brokers
//! and the sandbox enforce it. Grants are part of a plan, so their encoding is part of the plan's digest: every
//! field that is empty is left out, and lists are sorted by `authority`.

use crate::{ExecGrant, HttpGrant, ModelGrant, NeedKind, SecretGrant};
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
    /// Directory on the host, relative to the project's directory; no `..`, not absolute. `.` is the project
    /// itself, possible only in a workspace of the attempt's own (`clone`, `worktree`).
    pub host: String,
    /// Absolute path in the guest, such as `/notes`.
    pub guest: String,
    /// Read or write.
    pub mode: FileMode,
}

/// The directory that an attempt sees.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Workspace {
    /// No directory at all; a command starts in an empty one that is removed afterwards.
    None,
    /// The project's granted roots themselves.
    #[default]
    Shared,
    /// The attempt's own copy of the granted roots, made when it starts, removed when it ends.
    Clone,
    /// The attempt's own git worktree of the project's repository, with the granted roots in it; its changes are
    /// kept as a patch artifact.
    Worktree,
}

impl Workspace {
    /// The words in user files.
    pub const WORDS: &'static [&'static str] = &["none", "shared", "clone", "worktree"];

    /// The word in user files and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Shared => "shared",
            Self::Clone => "clone",
            Self::Worktree => "worktree",
        }
    }

    /// The workspace that a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::None, Self::Shared, Self::Clone, Self::Worktree]
            .into_iter()
            .find(|w| w.as_str() == word)
    }

    /// Whether what is written there is thrown away or kept apart, so that it is no outside effect.
    #[must_use]
    pub fn is_own(self) -> bool {
        matches!(self, Self::None | Self::Clone | Self::Worktree)
    }

    fn is_shared(&self) -> bool {
        *self == Self::Shared
    }
}

/// The authority of one task, gate or planner. Empty means: compute, log within the cap, read a clock and
/// random bytes, and nothing else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Grants {
    /// Directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileGrant>,
    /// Where those directories are.
    #[serde(default, skip_serializing_if = "Workspace::is_shared")]
    pub workspace: Workspace,
    /// On success the worktree's changes are merged into the run's branch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merge: bool,
    /// Outgoing HTTP; a request needs one that fits and none in `http_denied` that fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// What stays refused although `http` would allow it: deny wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_denied: Vec<HttpGrant>,
    /// Commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ExecGrant>,
    /// Text generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<ModelGrant>,
    /// Secrets that the host puts into requests and commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretGrant>,
    /// May charge the budget itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub budget: bool,
    /// Each charge has to be approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub budget_approval: bool,
    /// May ask a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub question: bool,
}

impl Grants {
    /// Whether an attempt with these grants could leave a trace outside the sandbox. When not, an attempt
    /// whose end is unknown can simply be run again. Text generation costs money and changes nothing, so it is
    /// not one; a request that is neither GET nor HEAD is.
    #[must_use]
    pub fn outside_effect(&self) -> bool {
        let shared = self.workspace == Workspace::Shared;
        let writes = self.files.iter().any(|f| f.mode == FileMode::Write);
        (shared && writes)
            || self.merge
            || self.budget
            || self.http.iter().any(HttpGrant::changes)
            || self.exec.iter().any(|e| e.network)
    }

    /// Whether a call in the middle of the work may have to wait for a person. Such work is recorded as it goes, so that
    /// it can be taken up where it stopped.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        self.question
            || (self.budget && self.budget_approval)
            || self.http.iter().any(|g| g.approval)
            || self.exec.iter().any(|g| g.approval)
            || self.model.iter().any(|g| g.approval)
    }

    /// Whether every use of this kind of authority has to be approved: no rule of it lets one pass without.
    #[must_use]
    pub fn always_asks(&self, kind: NeedKind) -> bool {
        match kind {
            NeedKind::Http => !self.http.is_empty() && self.http.iter().all(|g| g.approval),
            NeedKind::Exec => !self.exec.is_empty() && self.exec.iter().all(|g| g.approval),
            NeedKind::Model => !self.model.is_empty() && self.model.iter().all(|g| g.approval),
            NeedKind::Budget => self.budget && self.budget_approval,
            NeedKind::FilesRead | NeedKind::FilesWrite | NeedKind::Secrets | NeedKind::Question => {
                false
            }
        }
    }

    /// Whether it can cost money: text generation, or charges of its own.
    #[must_use]
    pub fn spends(&self) -> bool {
        self.budget || !self.model.is_empty()
    }
}
