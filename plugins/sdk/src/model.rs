//! Text generation. The host holds the key, keeps to the models that the project grants, and meters.
//!
//! ```
//! use sandgate_plugin::model::Request;
//!
//! # fn work() -> sandgate_plugin::Result<()> {
//! let answer = Request::new("local/small")
//!     .system("You write short titles.")
//!     .user("A note about laptops under 1200 EUR")
//!     .max_tokens(40)
//!     .generate()?;
//! sandgate_plugin::log::info(answer.text);
//! # Ok(())
//! # }
//! ```

use crate::PluginError;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host::sandgate::plugin::model as host;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

#[cfg(target_arch = "wasm32")]
mod convert;

/// Who says a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaker {
    /// Instructions.
    System,
    /// The user, or the world.
    User,
    /// The model.
    Assistant,
    /// The answer of a tool.
    Tool,
}

/// The model wants a tool to be used. The plugin runs it, or does not: the model has no authority.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolCall {
    /// Id, to be repeated in the answer.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments, a JSON object as text. Not checked against the tool's schema.
    pub arguments: String,
}

impl ToolCall {
    /// The arguments as a type.
    ///
    /// # Errors
    /// What is wrong with them, for the model or a person.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(&self.arguments)
            .map_err(|error| format!("the arguments of `{}` are wrong: {error}", self.name))
    }
}

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Who says it.
    pub speaker: Speaker,
    /// Text.
    pub text: String,
    /// From the assistant: tools it wanted.
    pub tool_calls: Vec<ToolCall>,
    /// From a tool: the id of the call that it answers.
    pub answers: Option<String>,
}

impl Message {
    fn said(speaker: Speaker, text: impl Into<String>) -> Self {
        Self {
            speaker,
            text: text.into(),
            tool_calls: Vec::new(),
            answers: None,
        }
    }

    /// Instructions. Do not put text from outside in here.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self::said(Speaker::System, text)
    }

    /// What the user, or the world, says.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::said(Speaker::User, text)
    }

    /// What the model said before.
    #[must_use]
    pub fn assistant(text: impl Into<String>, tool_calls: Vec<ToolCall>) -> Self {
        Self {
            tool_calls,
            ..Self::said(Speaker::Assistant, text)
        }
    }

    /// A tool's answer to the call with this id.
    #[must_use]
    pub fn tool(call: &str, text: impl Into<String>) -> Self {
        Self {
            answers: Some(call.to_owned()),
            ..Self::said(Speaker::Tool, text)
        }
    }
}

/// The answer as the next message of the conversation.
impl From<&Generated> for Message {
    fn from(answer: &Generated) -> Self {
        Self::assistant(answer.text.clone(), answer.tool_calls.clone())
    }
}

/// A tool that the model may ask for.
#[derive(Clone, PartialEq, Debug)]
pub struct Tool {
    /// Name, `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// What is to be generated.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// `PROVIDER/MODEL`.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Tools on offer.
    pub tools: Vec<Tool>,
    /// Most tokens of the answer; the host has a cap of its own.
    pub max_tokens: Option<u32>,
    /// 0 to 2000 thousandths; the provider's default when absent.
    pub temperature_permille: Option<u16>,
    /// The answer has to be a JSON document of this schema; the host checks it.
    pub json_schema: Option<Value>,
}

impl Request {
    /// An empty conversation with `PROVIDER/MODEL`.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            messages: Vec::new(),
            tools: Vec::new(),
            max_tokens: None,
            temperature_permille: None,
            json_schema: None,
        }
    }

    /// Adds a message.
    #[must_use]
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds instructions.
    #[must_use]
    pub fn system(self, text: impl Into<String>) -> Self {
        self.message(Message::system(text))
    }

    /// Adds what the user says.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::user(text))
    }

    /// Offers a tool. `parameters` is the JSON Schema of its arguments.
    #[must_use]
    pub fn tool(mut self, name: &str, description: &str, parameters: Value) -> Self {
        self.tools.push(Tool {
            name: name.to_owned(),
            description: description.to_owned(),
            parameters,
        });
        self
    }

    /// Most tokens of the answer.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// How free the answer is, in thousandths from 0 to 2000.
    #[must_use]
    pub fn temperature_permille(mut self, permille: u16) -> Self {
        self.temperature_permille = Some(permille);
        self
    }

    /// Wants a JSON document of this schema as the answer.
    #[must_use]
    pub fn json_schema(mut self, schema: Value) -> Self {
        self.json_schema = Some(schema);
        self
    }

    /// Generates, and returns when the answer is whole.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn generate(&self) -> Result<Generated, ModelError> {
        #[cfg(target_arch = "wasm32")]
        return host::generate(&self.into())
            .map(Generated::from)
            .map_err(ModelError::from);
        #[cfg(not(target_arch = "wasm32"))]
        crate::testing::generate(self)
    }

    /// Generates, and hands out the text as it comes.
    ///
    /// # Errors
    /// Why there is no answer; later errors come from the [`Generation`].
    pub fn stream(&self) -> Result<Generation, ModelError> {
        #[cfg(target_arch = "wasm32")]
        return host::generate_stream(&self.into())
            .map(Generation)
            .map_err(ModelError::from);
        #[cfg(not(target_arch = "wasm32"))]
        crate::testing::generate(self).map(Generation::whole)
    }
}

/// Why generating stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finish {
    /// It was done.
    Stop,
    /// Out of tokens.
    Length,
    /// It wants tools.
    Tools,
    /// The provider refused.
    Refused,
}

/// What a generation took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Tokens of the conversation.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Cost, in millionths of the project's currency unit. Already charged by the host.
    pub micros: u64,
    /// The provider did not say, or said something impossible: these are the host's upper bounds.
    pub estimated: bool,
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generated {
    /// Text; a JSON document where a schema was given.
    pub text: String,
    /// Tools it wants.
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub finish: Finish,
    /// What it took.
    pub usage: Usage,
    /// The model as the provider names it.
    pub model: String,
}

impl Generated {
    /// The text as a JSON document.
    ///
    /// # Errors
    /// [`ModelError::BadAnswer`] with the place of the mistake.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ModelError> {
        serde_json::from_str(&self.text).map_err(|error| {
            ModelError::BadAnswer(format!("the answer is not the expected JSON: {error}"))
        })
    }
}

/// Why there is no answer. The text is the host's, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModelError {
    /// This model is not granted; says which line would allow it.
    NotGranted(String),
    /// A person has to approve it, which did not happen; says why.
    NotApproved(String),
    /// The budget does not cover it; says what is left.
    Budget(String),
    /// Over a limit of this attempt; says which.
    Limit(String),
    /// The request is wrong; trying again is useless.
    Invalid(String),
    /// The provider refused or could not be reached, after the host's retries.
    Unavailable(String),
    /// The provider's answer is not one: not JSON, not of the schema, too large.
    BadAnswer(String),
    /// The host could not do its part.
    Host(String),
}

impl ModelError {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::NotGranted(text)
            | Self::NotApproved(text)
            | Self::Budget(text)
            | Self::Limit(text)
            | Self::Invalid(text)
            | Self::Unavailable(text)
            | Self::BadAnswer(text)
            | Self::Host(text) => text,
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = match self {
            Self::NotGranted(_) => "the model is not granted",
            Self::NotApproved(_) => "the model is not approved",
            Self::Budget(_) => "the budget does not cover the generation",
            Self::Limit(_) => "the generation is over a limit",
            Self::Invalid(_) => "the request to the model is wrong",
            Self::Unavailable(_) => "the model cannot be reached",
            Self::BadAnswer(_) => "the model's answer cannot be used",
            Self::Host(_) => "the host could not generate",
        };
        write!(f, "{case}: {}", self.text())
    }
}

impl std::error::Error for ModelError {}

/// A provider that is away may come back, and a model may answer better next time; a grant does not come by waiting.
impl From<ModelError> for PluginError {
    fn from(error: ModelError) -> Self {
        let text = error.to_string();
        match error {
            ModelError::NotGranted(_) | ModelError::NotApproved(_) | ModelError::Budget(_) => {
                Self::Unavailable(text)
            }
            ModelError::Limit(_) | ModelError::Invalid(_) => Self::Permanent(text),
            ModelError::Unavailable(_) | ModelError::BadAnswer(_) | ModelError::Host(_) => {
                Self::Failed(text)
            }
        }
    }
}

/// Names of models that may be used, `PROVIDER/MODEL`, or `PROVIDER/*` for all of a provider.
#[must_use]
pub fn available() -> Vec<String> {
    #[cfg(target_arch = "wasm32")]
    return host::available_models();
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::available_models()
}

/// An answer in the making: an iterator over its pieces. Dropping it ends it; what it cost is charged.
#[derive(Debug)]
#[cfg(target_arch = "wasm32")]
pub struct Generation(host::Generation);

/// An answer in the making: an iterator over its pieces. Dropping it ends it; what it cost is charged.
#[derive(Debug)]
#[cfg(not(target_arch = "wasm32"))]
pub struct Generation {
    pieces: std::collections::VecDeque<String>,
    whole: Generated,
}

#[cfg(target_arch = "wasm32")]
impl Generation {
    /// The whole answer; waits for the rest of it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn finish(self) -> Result<Generated, ModelError> {
        self.0
            .finish()
            .map(Generated::from)
            .map_err(ModelError::from)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Generation {
    /// Word by word, so that a plugin's handling of pieces is tested.
    fn whole(whole: Generated) -> Self {
        Self {
            pieces: whole
                .text
                .split_inclusive(char::is_whitespace)
                .map(str::to_owned)
                .collect(),
            whole,
        }
    }

    /// The whole answer; waits for the rest of it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn finish(self) -> Result<Generated, ModelError> {
        Ok(self.whole)
    }
}

/// Waits for each piece; ends when the answer is whole.
impl Iterator for Generation {
    type Item = Result<String, ModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        #[cfg(target_arch = "wasm32")]
        return self.0.next().map_err(ModelError::from).transpose();
        #[cfg(not(target_arch = "wasm32"))]
        self.pieces.pop_front().map(Ok)
    }
}
