//! Gates: they verify what a run produced. A gate that answers nothing is inconclusive, and that blocks.

use crate::{Config, Description, PluginError, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// Verifies.
pub trait Gate: Sized + 'static {
    /// What the plugin says of itself. May only compute.
    fn describe() -> Description;

    /// Verifies a run's results.
    ///
    /// # Errors
    /// Why it could not look; the host counts that as inconclusive, which blocks.
    fn check(subject: Subject, config: Config) -> Result<Vec<Check>>;
}

/// A verdict. Only `Pass` lets the run through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It could not be found out.
    Inconclusive,
    /// A person has to look.
    NeedsHuman,
}

/// One line of the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What was checked, short; unique in the answer.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, for a person.
    pub message: String,
    /// How long it took, where that is known; the host believes up to a year.
    pub took: Option<Duration>,
}

impl Check {
    /// A check with any verdict.
    #[must_use]
    pub fn new(name: impl Into<String>, verdict: Verdict, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict,
            message: message.into(),
            took: None,
        }
    }

    /// Says how long it took.
    #[must_use]
    pub fn took(mut self, time: Duration) -> Self {
        self.took = Some(time);
        self
    }

    /// It holds.
    #[must_use]
    pub fn pass(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Pass, message)
    }

    /// It does not hold.
    #[must_use]
    pub fn fail(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Fail, message)
    }

    /// It could not be found out.
    #[must_use]
    pub fn inconclusive(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Inconclusive, message)
    }
}

/// A finished task.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FinishedTask {
    /// Its id.
    pub id: String,
    /// Its output as JSON text.
    pub output: String,
    /// Artifacts it made, `TASK.NAME`, readable through [`crate::artifacts`].
    pub artifacts: Vec<String>,
}

impl FinishedTask {
    /// The output as a type.
    ///
    /// # Errors
    /// [`PluginError::Permanent`] with the place of the mistake.
    pub fn output<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.output).map_err(|error| {
            PluginError::Permanent(format!(
                "the output of task `{}` is not as expected: {error}",
                self.id
            ))
        })
    }
}

/// What is verified.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Subject {
    /// The goal.
    pub goal: String,
    /// The run's inputs, a JSON object.
    pub inputs: Value,
    /// The tasks that succeeded, in plan order.
    pub tasks: Vec<FinishedTask>,
}

impl Subject {
    /// A task by its id.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<&FinishedTask> {
        self.tasks.iter().find(|task| task.id == id)
    }
}
