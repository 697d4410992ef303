//! Names people choose. One grammar for all: `[a-z0-9][a-z0-9._-]{0,63}`, ASCII only, so that two different
//! names can never look alike and a name is never a path, a template or markup by accident. Task ids, in
//! addition, have no dot: `research.findings` always reads as task `research`, artifact `findings`.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// Longest name in bytes. 64 fits every file system and terminal column, and bounds hostile plans.
pub const NAME_MAX: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name cannot be empty")]
    Empty,
    /// The text has more than [`NAME_MAX`] bytes.
    #[error("a name has at most {NAME_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// The first character is not a lowercase letter or a digit.
    #[error("a name starts with a lowercase letter or a digit, not {0:?}")]
    Start(char),
    /// A character outside the grammar, and its byte offset.
    #[error("{found:?} cannot stand in a name; use lowercase letters, digits, `-`{}", if *dot { ", `_` or `.`" } else { " or `_`" })]
    Character {
        /// The offending character.
        found: char,
        /// Its byte offset in the text.
        at: usize,
        /// Whether a dot would have been allowed here.
        dot: bool,
    },
}

fn check(text: &str, dot: bool) -> Result<(), NameError> {
    let Some(first) = text.chars().next() else {
        return Err(NameError::Empty);
    };
    if text.len() > NAME_MAX {
        return Err(NameError::TooLong(text.len()));
    }
    if !(first.is_ascii_lowercase() || first.is_ascii_digit()) {
        return Err(NameError::Start(first));
    }
    for (at, c) in text.char_indices() {
        let fine = c.is_ascii_lowercase()
            || c.is_ascii_digit()
            || c == '-'
            || c == '_'
            || (dot && c == '.');
        if !fine {
            return Err(NameError::Character { found: c, at, dot });
        }
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, dot = $dot:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the grammar.
            ///
            /// # Errors
            /// The first rule of the grammar that the text breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text, $dot)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

name!(
    /// A project, the unit of isolation.
    ProjectName,
    dot = true
);
name!(
    /// A workflow: `name` in its file.
    WorkflowName,
    dot = true
);
name!(
    /// A plugin as the project calls it: a key of `[plugins]`.
    PluginName,
    dot = true
);
name!(
    /// A gate of a workflow.
    GateId,
    dot = true
);
name!(
    /// An artifact that a task produces, unique within its task.
    ArtifactName,
    dot = true
);
name!(
    /// A pinned agent session.
    SessionName,
    dot = true
);
name!(
    /// A type of signal: `ci`, `review`, `human_approval`, or one that the project declares.
    SignalType,
    dot = true
);

/// A task of a plan. Written ids have no dot; an instance that `for_each` made is `TASK.N`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// Checks the grammar of an id that a person or a planner writes (no dot).
    ///
    /// # Errors
    /// The first rule of the grammar that the text breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        check(text, false)?;
        Ok(Self(text.into()))
    }

    /// The id of instance `n` of a task with `for_each`.
    #[must_use]
    pub fn instance(&self, n: u32) -> Self {
        Self(format!("{}.{n}", self.0).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for TaskId {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        match text.split_once('.') {
            Some((task, n)) if n.parse::<u32>().is_ok_and(|k| k.to_string() == n) => {
                check(task, false)?;
                Ok(Self(text.into()))
            }
            _ => Self::new(&text),
        }
    }
}

impl FromStr for TaskId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_from(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for good in ["a", "0", "a-b_c", &"x".repeat(64)] {
            assert!(TaskId::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "A",
            "a b",
            "a/b",
            "ä",
            "a.b",
            "..",
            &"x".repeat(65),
            "a\u{202e}b",
        ] {
            assert!(TaskId::new(bad).is_err(), "{bad}");
        }
        assert!(ArtifactName::new("email.md").is_ok());
        assert!(ArtifactName::new(".hidden").is_err());
    }

    #[test]
    fn instances_round_trip() {
        let id = TaskId::new("draft").unwrap().instance(12);
        assert_eq!(id.as_str(), "draft.12");
        assert_eq!("draft.12".parse::<TaskId>().unwrap(), id);
        assert!("draft.012".parse::<TaskId>().is_err());
        assert!("draft.x".parse::<TaskId>().is_err());
    }
}
