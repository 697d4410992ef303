//! What is to be generated, and what came of it. Shapes of `wit/model.wit`, for those who do not speak to guests.
//! Must not know protocols.

use serde_json::Value;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Speaker {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A tool that a model wants to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Id, repeated in the tool's answer. Made up by the host where the provider gave none.
    pub id: String,
    /// Name of the tool, as the model wrote it: not necessarily one that was on offer.
    pub name: String,
    /// Arguments: a JSON object, checked to be one and nothing else.
    pub arguments: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A message that is text alone.
    #[must_use]
    pub fn text(speaker: Speaker, text: impl Into<String>) -> Self {
        Self {
            speaker,
            text: text.into(),
            tool_calls: Vec::new(),
            answers: None,
        }
    }
}

/// A tool that a model may ask for. Whoever asked for the generation runs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Name, `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments: an object.
    pub parameters: Value,
}

/// What is to be generated.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateRequest {
    /// `PROVIDER/MODEL`.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Tools on offer.
    pub tools: Vec<Tool>,
    /// Most tokens of the answer; clamped to the host's cap.
    pub max_tokens: Option<u32>,
    /// 0 to 2000 thousandths; the provider's default when absent.
    pub temperature_permille: Option<u16>,
    /// The answer has to be a JSON document of this schema.
    pub json_schema: Option<Value>,
}

impl GenerateRequest {
    /// A request with one conversation and nothing else.
    #[must_use]
    pub fn new(model: impl Into<String>, messages: Vec<Message>) -> Self {
        Self {
            model: model.into(),
            messages,
            tools: Vec::new(),
            max_tokens: None,
            temperature_permille: None,
            json_schema: None,
        }
    }
}

/// Why generating stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// At the most tokens, or at the model's own limit.
    Length,
    /// It wants tools.
    Tools,
    /// The provider or the model refused; the text says why, where they did.
    Refused,
}

/// What a generation took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the conversation.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Cost, in millionths of the project's currency unit.
    pub micros: u64,
    /// The provider did not say, or said something impossible: these are the host's upper bounds.
    pub estimated: bool,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Text: bytes of a stranger. With a schema, and when nothing was refused and no tool is wanted, a JSON document
    /// that was checked.
    pub text: String,
    /// Tools it wants.
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub finish: Finish,
    /// What it took.
    pub usage: Usage,
    /// The model as the provider names it, escaped; empty when it did not.
    pub model: String,
}
