//! Questions to a person. The run shows that it awaits a response, and the answer comes when somebody gives one: after
//! seconds or hours. Meanwhile the plugin waits and holds nothing of the machine.
//!
//! ```
//! use sandgate_plugin::question;
//! use std::time::Duration;
//!
//! # fn work() -> sandgate_plugin::Result<()> {
//! let audience = question::ask("Who is the letter for?")
//!     .choices(&["customers", "the board"])
//!     .default("customers")
//!     .timeout(Duration::from_secs(3600))
//!     .send()?;
//! # drop(audience);
//! # Ok(())
//! # }
//! ```
//!
//! An answer is text of a person who may be in a hurry or wrong: it is read like any other input. It approves nothing;
//! what needs an approval is put to people by the host itself.

use crate::PluginError;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host::sandgate::plugin::question as host;
use std::fmt;
use std::time::Duration;

/// A question in the making; [`Question::send`] puts it to people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// The question, 1 to 4,096 bytes.
    pub text: String,
    /// Answers to choose from, at most 20 of at most 200 bytes each; empty: any text of at most 64 KiB.
    pub choices: Vec<String>,
    /// The answer when nobody gives one in time; with choices, one of them.
    pub default: Option<String>,
    /// How long is waited, in whole milliseconds; absent: for as long as the run.
    pub timeout: Option<Duration>,
}

/// A question with any text as its answer, for which is waited as long as the run takes.
#[must_use = "a question is put by `send`"]
pub fn ask(text: impl Into<String>) -> Question {
    Question {
        text: text.into(),
        choices: Vec::new(),
        default: None,
        timeout: None,
    }
}

impl Question {
    /// Only these are answers; at most 20, of at most 200 bytes each. An empty list takes any text.
    #[must_use = "a question is put by `send`"]
    pub fn choices<A: AsRef<str>>(mut self, choices: &[A]) -> Self {
        self.choices = choices
            .iter()
            .map(|choice| choice.as_ref().to_owned())
            .collect();
        self
    }

    /// The answer when nobody gives one in time. Without a timeout it is what people are shown as usual.
    #[must_use = "a question is put by `send`"]
    pub fn default(mut self, answer: impl Into<String>) -> Self {
        self.default = Some(answer.into());
        self
    }

    /// How long is waited. It goes on while the host is not running. What is below a millisecond is cut off.
    #[must_use = "a question is put by `send`"]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Asks, and returns with the answer.
    ///
    /// # Errors
    /// Why there is none. Nobody has to answer: without a default, expect [`QuestionError::NoAnswer`].
    pub fn send(self) -> Result<String, QuestionError> {
        #[cfg(target_arch = "wasm32")]
        return host::ask_person(&host::Ask {
            text: self.text,
            choices: self.choices,
            default_answer: self.default,
            timeout_ms: self
                .timeout
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        })
        .map_err(|error| match error {
            host::QuestionError::Invalid(text) => QuestionError::Invalid(text),
            host::QuestionError::NoAnswer(text) => QuestionError::NoAnswer(text),
            host::QuestionError::Limit(text) => QuestionError::Limit(text),
            host::QuestionError::Unavailable(text) => QuestionError::Unavailable(text),
        });
        #[cfg(not(target_arch = "wasm32"))]
        crate::testing::ask(self)
    }
}

/// Why there is no answer. The text is the host's, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QuestionError {
    /// The question is wrong: empty, too long, a default that is no choice.
    Invalid(String),
    /// Nobody answered in time, and there is no default.
    NoAnswer(String),
    /// Over a limit of this attempt; says which.
    Limit(String),
    /// The host could not do its part, or questions are not granted; says which line would allow them.
    Unavailable(String),
}

impl QuestionError {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Invalid(text)
            | Self::NoAnswer(text)
            | Self::Limit(text)
            | Self::Unavailable(text) => text,
        }
    }
}

impl fmt::Display for QuestionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = match self {
            Self::Invalid(_) => "the question is not one",
            Self::NoAnswer(_) => "nobody answered",
            Self::Limit(_) => "the question is over a limit",
            Self::Unavailable(_) => "nobody can be asked",
        };
        write!(f, "{case}: {}", self.text())
    }
}

impl std::error::Error for QuestionError {}

/// None of these passes by itself, and trying again would put the same question to people once more.
impl From<QuestionError> for PluginError {
    fn from(error: QuestionError) -> Self {
        let text = error.to_string();
        match error {
            QuestionError::Invalid(_) | QuestionError::Limit(_) => Self::Permanent(text),
            QuestionError::NoAnswer(_) | QuestionError::Unavailable(_) => Self::Unavailable(text),
        }
    }
}
