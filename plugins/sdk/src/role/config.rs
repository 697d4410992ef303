//! The configuration that the workflow or the project gives a plugin.

use crate::{PluginError, Result};
use serde::de::DeserializeOwned;

/// A plugin's configuration as JSON text. It is parsed only when asked for, since most attempts have none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config(String);

impl Config {
    /// A configuration from JSON text; `null` where there is none.
    #[must_use]
    pub fn new(json: impl Into<String>) -> Self {
        Self(json.into())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self.0.trim(), "" | "null")
    }

    /// The configuration as a type; the default where there is none.
    ///
    /// # Errors
    /// [`PluginError::InvalidInput`] with the place of the mistake.
    pub fn parse<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.is_none() {
            return Ok(T::default());
        }
        serde_json::from_str(&self.0).map_err(|error| {
            PluginError::InvalidInput(format!("the configuration is wrong: {error}"))
        })
    }
}
