//! Errors a plugin reports. The host decides by the case, never by the text.

use crate::bindings::host::sandgate::plugin::types;
use std::fmt;

/// Result of a plugin's work.
pub type Result<T> = std::result::Result<T, PluginError>;

/// Why a plugin could not do its work. The text is for a person: what, where, why, what next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PluginError {
    /// The input or the configuration is wrong; trying again is useless.
    InvalidInput(String),
    /// Something it needs is not granted or not there; trying again is useless.
    Unavailable(String),
    /// The work failed; trying again may help.
    Failed(String),
    /// The work failed; trying again is useless.
    Permanent(String),
}

impl PluginError {
    /// The input or the configuration is wrong: say what to change.
    #[must_use]
    pub fn invalid_input(text: impl Into<String>) -> Self {
        Self::InvalidInput(text.into())
    }

    /// Something needed is not granted or not there: say what.
    #[must_use]
    pub fn unavailable(text: impl Into<String>) -> Self {
        Self::Unavailable(text.into())
    }

    /// The work failed, and trying again may help.
    #[must_use]
    pub fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    /// The work failed, and trying again is useless.
    #[must_use]
    pub fn permanent(text: impl Into<String>) -> Self {
        Self::Permanent(text.into())
    }

    /// The text for a person.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::InvalidInput(text)
            | Self::Unavailable(text)
            | Self::Failed(text)
            | Self::Permanent(text) => text,
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for PluginError {}

/// A file that is missing or not granted stays so; anything else may pass.
impl From<std::io::Error> for PluginError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<PluginError> for types::PluginError {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::InvalidInput(text) => Self::InvalidInput(text),
            PluginError::Unavailable(text) => Self::Unavailable(text),
            PluginError::Failed(text) => Self::Failed(text),
            PluginError::Permanent(text) => Self::Permanent(text),
        }
    }
}
