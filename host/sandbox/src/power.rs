//! Ports to the world outside: what a call can do beside computing, handed in by whoever holds the authority. A port
//! that is absent means that its interface is not linked. The sandbox decides nothing about them: it turns what a
//! guest says into these types, and bounds it.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use sandgate_model::NeedKind;
use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

/// What a port gives back.
pub type PortFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a port answers, and what has to happen before the guest hears of it.
pub struct Answered<T> {
    /// The answer.
    pub result: T,
    /// Told once the answer is on the tape, and waited for.
    pub then: Option<Box<dyn Completion>>,
}

impl<T> Answered<T> {
    /// An answer that the guest may hear at once.
    pub const fn now(result: T) -> Self {
        Self { result, then: None }
    }

    /// An answer that the guest hears when `then` is done with it.
    pub fn after(result: T, then: impl Completion + 'static) -> Self {
        Self {
            result,
            then: Some(Box::new(then)),
        }
    }
}

/// Makes an answer durable before a guest hears of it.
pub trait Completion: Send {
    /// Called once, with what was recorded since the last time, this answer at its end; `None` when the call has no tape.
    /// An error ends the call as [`crate::Outcome::Host`], and the guest never hears of the answer.
    fn done(self: Box<Self>, tape: Option<Vec<u8>>) -> PortFuture<Result<(), String>>;
}

/// What a call can do outside, each linked only when it is there.
#[derive(Clone, Default)]
pub struct Powers {
    /// `wasi:http/outgoing-handler`.
    pub http: Option<Arc<dyn HttpPort>>,
    /// `sandgate:plugin/command`.
    pub command: Option<Arc<dyn CommandPort>>,
    /// `sandgate:plugin/model`.
    pub model: Option<Arc<dyn ModelPort>>,
    /// `sandgate:plugin/budget`.
    pub budget: Option<Arc<dyn BudgetPort>>,
    /// `sandgate:plugin/question`.
    pub question: Option<Arc<dyn QuestionPort>>,
    /// Kinds that the plugin says it can do without: their interfaces are linked also where nothing is granted, with no
    /// directory and no port behind them, so that every function refuses and the plugin goes on with less.
    pub optional: Vec<NeedKind>,
}

impl fmt::Debug for Powers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Powers")
            .field("http", &self.http.is_some())
            .field("command", &self.command.is_some())
            .field("model", &self.model.is_some())
            .field("budget", &self.budget.is_some())
            .field("question", &self.question.is_some())
            .finish()
    }
}

/// Why a request got no response, or a body broke off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// Not allowed; says which line would allow it. No packet left.
    #[error("{0}")]
    Denied(String),
    /// The name has no address, or none that may be used.
    #[error("{0}")]
    Resolve(String),
    /// No connection, or TLS failed.
    #[error("{0}")]
    Connect(String),
    /// A deadline passed; says which.
    #[error("{0}")]
    Timeout(String),
    /// Over a cap; says which.
    #[error("{0}")]
    TooLarge(String),
    /// What came back is not HTTP/1.1, or broke off.
    #[error("{0}")]
    Protocol(String),
    /// The host could not do its part.
    #[error("{0}")]
    Host(String),
    /// A person has to decide first. No guest is told: the call ends at once as [`crate::Outcome::Suspended`].
    #[error("a person has to decide first")]
    Suspended,
}

/// A body on its way.
pub type HttpBody = UnsyncBoxBody<Bytes, HttpFailure>;

/// What the guest asks for in times; the port clamps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpTimes {
    /// To connect.
    pub connect: Option<Duration>,
    /// To the first byte.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the body.
    pub between_bytes: Option<Duration>,
}

/// Sends a guest's requests.
pub trait HttpPort: Send + Sync {
    /// Sends one request. The URI is absolute; nothing about it was checked but that it is one. In a call with a tape the
    /// request's body is whole, requests come one after another, and the response's body should be whole as well: it is
    /// read to its end and recorded before the guest gets any of it.
    fn send(
        &self,
        request: http::Request<HttpBody>,
        times: HttpTimes,
    ) -> PortFuture<Answered<Result<http::Response<HttpBody>, HttpFailure>>>;
}

/// A command that a call may run, for the guest to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedCommand {
    /// Name of the rule.
    pub name: String,
    /// Program.
    pub program: String,
    /// Arguments with holes.
    pub args: Vec<String>,
    /// Whether a person is asked each time.
    pub approval: bool,
}

/// A command that a guest wants to run. Nothing about it was checked but its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRequest {
    /// Program.
    pub program: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Directory, as the guest sees it.
    pub cwd: Option<String>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnding {
    /// By itself.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// By the host, with everything it had started.
    TimedOut(Duration),
}

/// A command that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedCommand {
    /// How it ended.
    pub ending: CommandEnding,
    /// End of its standard output.
    pub stdout: Vec<u8>,
    /// End of its standard error.
    pub stderr: Vec<u8>,
    /// Bytes dropped of both.
    pub dropped: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why a command did not run. The cases are those of `wit/command.wit`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandFailure {
    /// No rule fits.
    #[error("{0}")]
    NotGranted(String),
    /// Not approved.
    #[error("{0}")]
    NotApproved(String),
    /// The machine cannot contain it.
    #[error("{0}")]
    NotContained(String),
    /// It could not be started.
    #[error("{0}")]
    NotStarted(String),
    /// Over a limit of the attempt.
    #[error("{0}")]
    Limit(String),
    /// The host could not do its part.
    #[error("{0}")]
    Host(String),
    /// A person has to decide first. No guest is told: the call ends at once as [`crate::Outcome::Suspended`].
    #[error("a person has to decide first")]
    Suspended,
}

/// Runs a guest's commands.
pub trait CommandPort: Send + Sync {
    /// What may be run.
    fn allowed(&self) -> Vec<AllowedCommand>;
    /// Runs one. Dropping the future kills it and everything it started.
    fn run(
        &self,
        request: CommandRequest,
    ) -> PortFuture<Answered<Result<FinishedCommand, CommandFailure>>>;
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// Instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool's answer.
    Tool,
}

/// A tool that a model wants to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Id.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// Arguments, a JSON text.
    pub arguments: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who.
    pub speaker: Speaker,
    /// Text.
    pub text: String,
    /// Tools it wanted.
    pub tool_calls: Vec<ToolCall>,
    /// The tool call that it answers.
    pub answers: Option<String>,
}

/// A tool on offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: serde_json::Value,
}

/// What a guest wants generated. Checked for size and that JSON is JSON; nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateRequest {
    /// `PROVIDER/MODEL`.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Tools.
    pub tools: Vec<Tool>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
    /// Thousandths.
    pub temperature_permille: Option<u16>,
    /// Schema of the answer.
    pub json_schema: Option<serde_json::Value>,
}

/// Why generating stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Done.
    Stop,
    /// Out of tokens.
    Length,
    /// Wants tools.
    Tools,
    /// The provider refused.
    Refused,
}

/// What a generation took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Cost in millionths.
    pub micros: u64,
    /// The numbers are the host's upper bounds.
    pub estimated: bool,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Text.
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

/// Why there is no answer. The cases are those of `wit/model.wit`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelFailure {
    /// Not granted.
    #[error("{0}")]
    NotGranted(String),
    /// Not approved.
    #[error("{0}")]
    NotApproved(String),
    /// The budget does not cover it.
    #[error("{0}")]
    Budget(String),
    /// Over a limit of the attempt.
    #[error("{0}")]
    Limit(String),
    /// The request is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The provider refused or cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// The provider's answer is not one.
    #[error("{0}")]
    BadAnswer(String),
    /// The host could not do its part.
    #[error("{0}")]
    Host(String),
    /// A person has to decide first. No guest is told: the call ends at once as [`crate::Outcome::Suspended`].
    #[error("a person has to decide first")]
    Suspended,
}

/// An answer in the making. Dropping it ends it.
pub trait Generation: Send {
    /// The next piece; `None` when it is whole.
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Option<String>, ModelFailure>> + Send + '_>>;
    /// The whole answer; waits for the rest.
    fn finish(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = Result<Generated, ModelFailure>> + Send + '_>>;
}

/// Generates text for a guest.
pub trait ModelPort: Send + Sync {
    /// What may be used: `PROVIDER/MODEL` or `PROVIDER/*`.
    fn available(&self) -> Vec<String>;
    /// Begins an answer.
    fn generate(
        &self,
        request: GenerateRequest,
    ) -> PortFuture<Answered<Result<Box<dyn Generation>, ModelFailure>>>;
}

/// Why a charge was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargeFailure {
    /// It does not fit; holds what is left.
    #[error("the budget has {0} millionths left")]
    Over(u64),
    /// Not approved.
    #[error("{0}")]
    NotApproved(String),
    /// The host could not do its part.
    #[error("{0}")]
    Host(String),
    /// A person has to decide first. No guest is told: the call ends at once as [`crate::Outcome::Suspended`].
    #[error("a person has to decide first")]
    Suspended,
}

/// Charges for a guest.
pub trait BudgetPort: Send + Sync {
    /// What the attempt may still spend; `None`: no budget is set.
    fn remaining(&self) -> Option<u64>;
    /// Charges. Returns when it is recorded.
    fn charge(&self, what: String, micros: u64) -> PortFuture<Answered<Result<(), ChargeFailure>>>;
}

/// A question to a person, within the bounds of `wit/question.wit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonAsk {
    /// The question, 1 to 4,096 bytes.
    pub text: String,
    /// Answers to choose from, at most 20 of at most 200 bytes; empty: any text.
    pub choices: Vec<String>,
    /// The answer when nobody gives one in time; with choices, one of them.
    pub default: Option<String>,
    /// How long is waited; `None`: for as long as the run.
    pub timeout: Option<Duration>,
}

/// Why a question has no answer. The cases are those of `wit/question.wit`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionFailure {
    /// The question is wrong.
    #[error("{0}")]
    Invalid(String),
    /// Nobody answered in time, and there is no default.
    #[error("{0}")]
    NoAnswer(String),
    /// Over a limit of the attempt; says which.
    #[error("{0}")]
    Limit(String),
    /// The host could not do its part.
    #[error("{0}")]
    Unavailable(String),
    /// A person has to answer first. No guest is told: the call ends at once as [`crate::Outcome::Suspended`].
    #[error("a person has to answer first")]
    Suspended,
}

/// Asks people for a guest.
pub trait QuestionPort: Send + Sync {
    /// Asks. An answer is at most 64 KiB, and with choices one of them.
    fn ask(&self, question: PersonAsk) -> PortFuture<Answered<Result<String, QuestionFailure>>>;
}
