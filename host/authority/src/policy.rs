//! What a project and an operator allow. A [`Policy`] has been checked: no two of its rules conflict.
//! Must not know where rules come from; [`Origin`] is only carried along.

use crate::{GuestPath, HostPath};
use sandgate_model::FileMode;

/// Where a rule was written, for messages.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// Name of the file as the user knows it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// One directory that the project allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileRule {
    /// Directory on the host.
    pub host: HostPath,
    /// Where the guest sees it.
    pub guest: GuestPath,
    /// The most that is allowed.
    pub mode: FileMode,
    /// Where it was written.
    pub origin: Origin,
}

/// Which part of a rule is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleField {
    /// The host path.
    Host,
    /// The guest path.
    Guest,
}

/// Two rules that cannot both hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct PolicyProblem {
    /// The later rule, by index.
    pub rule: usize,
    /// The earlier rule it conflicts with.
    pub other: usize,
    /// Which part.
    pub field: RuleField,
    /// Why: a lowercase fragment.
    pub message: String,
}

/// The ceiling of a project: what is not named is denied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    files: Vec<FileRule>,
}

impl Policy {
    /// A policy of these rules.
    ///
    /// # Errors
    /// All pairs of rules that conflict: guest paths that are equal or nested (one directory would hide a part of
    /// the other), and host paths that are equal or nested with different modes (what is read-only under one name
    /// would be writable under another).
    pub fn new(files: Vec<FileRule>) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        for (rule, b) in files.iter().enumerate() {
            for (other, a) in files.iter().enumerate().take(rule) {
                if a.guest.contains(&b.guest) || b.guest.contains(&a.guest) {
                    let message = if a.guest == b.guest {
                        format!("the guest path `{}` is given twice", b.guest)
                    } else {
                        format!("the guest paths `{}` and `{}` are nested", a.guest, b.guest)
                    };
                    problems.push(PolicyProblem {
                        rule,
                        other,
                        field: RuleField::Guest,
                        message,
                    });
                }
                if a.mode != b.mode && (a.host.contains(&b.host) || b.host.contains(&a.host)) {
                    let message = format!(
                        "`{}` and `{}` overlap, and only one of them may be written",
                        a.host, b.host
                    );
                    problems.push(PolicyProblem {
                        rule,
                        other,
                        field: RuleField::Host,
                        message,
                    });
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { files })
        } else {
            Err(problems)
        }
    }

    /// The directories it allows, in the order they were written.
    #[must_use]
    pub fn files(&self) -> &[FileRule] {
        &self.files
    }
}

/// The most that any project on this machine may allow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperatorCeiling {
    /// Highest mode for directories; `None`: no directory at all.
    pub files: Option<FileMode>,
    /// Where it was written.
    pub origin: Origin,
}
