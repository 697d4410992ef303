//! Agents: they do tasks.

use crate::{Config, Description, PluginError, Result};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Does tasks. A value of the type is a session: one for each attempt, unless the workflow pins it.
pub trait Agent: Sized + 'static {
    /// What the plugin says of itself. May only compute.
    fn describe() -> Description;

    /// Opens a session.
    ///
    /// # Errors
    /// Whatever keeps the agent from working with this configuration.
    fn open(config: Config) -> Result<Self>;

    /// Does one task.
    ///
    /// # Errors
    /// Why it could not be done. Only [`PluginError::Failed`] is tried again.
    fn run(&mut self, task: Task) -> Result<Output>;
}

/// One task, one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// Id in the plan.
    pub id: String,
    /// Which try, from 1.
    pub attempt: u32,
    /// Equal for all attempts at the same piece of work: hand it to outside services that drop repeats.
    pub idempotency_key: String,
    /// Input as JSON text, templates filled in.
    pub input: String,
    /// Names of the artifacts it must make.
    pub produces: Vec<String>,
}

impl Task {
    /// The input as a type.
    ///
    /// # Errors
    /// [`PluginError::InvalidInput`] with the place of the mistake.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.input)
            .map_err(|error| PluginError::InvalidInput(format!("the input is wrong: {error}")))
    }

    /// Whether the task declares an artifact of this name. Writing any other is refused by the host.
    #[must_use]
    pub fn produces(&self, name: &str) -> bool {
        self.produces.iter().any(|produced| produced == name)
    }
}

/// What a task gives back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    pub(crate) json: String,
    pub(crate) charges: Vec<(String, u64)>,
}

impl Output {
    /// An output document.
    ///
    /// # Errors
    /// [`PluginError::Permanent`] when the value has no JSON form, such as a map whose keys are not text.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let json = serde_json::to_string(value).map_err(|error| {
            PluginError::Permanent(format!("the output has no JSON form: {error}"))
        })?;
        Ok(Self {
            json,
            charges: Vec::new(),
        })
    }

    /// No output document: `null`.
    #[must_use]
    pub fn none() -> Self {
        Self {
            json: "null".to_owned(),
            charges: Vec::new(),
        }
    }

    /// Records a cost, besides those the host measures itself. `micros` are millionths of the project's
    /// currency unit.
    #[must_use]
    pub fn charge(mut self, what: &str, micros: u64) -> Self {
        self.charges.push((what.to_owned(), micros));
        self
    }

    /// The document, for tests.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.json).unwrap_or(Value::Null)
    }
}
