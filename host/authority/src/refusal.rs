//! A refusal: which layer said no, to what, and the line of TOML that would say yes. A denial is the same for what a
//! plugin can do without.

use crate::Origin;
use sandgate_model::NeedKind;

/// Who said no.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Layer {
    /// The plugin did not ask, or asks for what this version cannot grant.
    Plugin,
    /// The task (or gate) narrowed it away.
    Task,
    /// The project's policy does not allow it.
    Project,
    /// The operator's ceiling does not allow it.
    Operator,
}

impl Layer {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Task => "task",
            Self::Project => "project",
            Self::Operator => "operator",
        }
    }

    /// Place in the order of evaluation: what was refused later got further.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Plugin => 0,
            Self::Project => 1,
            Self::Task => 2,
            Self::Operator => 3,
        }
    }
}

/// Authority that was asked for, that is not given, and without which nothing may start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Who said no.
    pub layer: Layer,
    /// What kind of authority; absent when a narrowing names a directory that nobody granted.
    pub kind: Option<NeedKind>,
    /// What was refused and why: a lowercase fragment.
    pub message: String,
    /// The line of TOML that would allow it, and where it goes; absent when no line would.
    pub allow: Option<String>,
    /// The rule that said no, where there is one.
    pub origin: Option<Origin>,
}

/// Something that a rule of the project offers and that is not given, or that nobody offers. The plugin works without
/// it, with less.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Denial {
    /// Who said no.
    pub layer: Layer,
    /// What kind of authority.
    pub kind: NeedKind,
    /// What: `/out`, `https://api.example.com/v1/*`, the name of a command or secret, `local/small`; empty when it is
    /// the whole kind.
    pub what: String,
    /// Why: a lowercase fragment.
    pub why: String,
    /// The line of TOML that would allow it, and where it goes; absent when no line would.
    pub allow: Option<String>,
    /// The rule that said no, or that offered it; absent when there is none.
    pub origin: Option<Origin>,
}

/// The word for a need in messages and files.
#[must_use]
pub fn need_word(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::FilesRead => "files-read",
        NeedKind::FilesWrite => "files-write",
        NeedKind::Http => "http",
        NeedKind::Exec => "exec",
        NeedKind::Model => "model",
        NeedKind::Secrets => "secrets",
        NeedKind::Question => "question",
        NeedKind::Budget => "budget",
    }
}
