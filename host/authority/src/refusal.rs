//! A refusal: which layer said no, to what, and the line of TOML that would say yes.

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
}

/// Authority that was asked for and is not given.
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
