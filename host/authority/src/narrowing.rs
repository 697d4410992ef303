//! What a task picks of what the project offers. Must not be able to say anything that adds: an absent part is
//! everything on offer, a part that is there only takes away.

use crate::GuestPath;
use sandgate_model::{FileMode, Scheme, Workspace};

/// What a task, a gate or a planner picks. The default is a shared workspace and everything that the project offers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Narrowing {
    /// Where its directories are.
    pub workspace: Workspace,
    /// On success the changes go to the run's branch; only with a worktree.
    pub merge: bool,
    /// Directories.
    pub files: Option<Vec<FilePick>>,
    /// Requests.
    pub http: Option<Vec<HttpPick>>,
    /// Commands, by the names of their rules.
    pub exec: Option<Vec<String>>,
    /// Models.
    pub model: Option<Vec<ModelPick>>,
    /// Secrets, by name.
    pub secrets: Option<Vec<String>>,
    /// Whether it may charge the budget; absent: as the project says.
    pub charge: Option<bool>,
    /// Whether it may ask people; absent: as the project says.
    pub question: Option<bool>,
}

/// A directory that a task picks from what the project offers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FilePick {
    /// A guest path of the policy, or a directory inside one.
    pub guest: GuestPath,
    /// Highest mode; absent: as the policy says.
    pub mode: Option<FileMode>,
}

/// Requests that a task picks: those to one origin, below one path, with whatever methods the project's rules have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HttpPick {
    /// Scheme.
    pub scheme: Scheme,
    /// Host, as in [`sandgate_model::HttpGrant`].
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path, as in [`sandgate_model::HttpGrant`].
    pub path: String,
}

/// Models that a task picks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ModelPick {
    /// The provider.
    pub provider: String,
    /// Name of a model, or `*` for all that the project offers of this provider.
    pub model: String,
}
