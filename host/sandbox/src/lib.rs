//! One component call in one sandbox: load, link only what is granted, run within limits, say what came of it.
//!
//! [`Sandbox::load`] turns bytes into a [`Component`]; [`Sandbox::describe`], [`Sandbox::plan`], [`Sandbox::run`],
//! [`Sandbox::open`] and [`Sandbox::check`] call it. Every call ends in a [`Report`]: an [`Outcome`] that says whose
//! fault it was, and [`Stats`].
//!
//! A call with a [`Tape`] is recorded: when a person has to decide something in the middle of it, it ends as
//! [`Outcome::Suspended`], holds nothing meanwhile, and is later made again from its tape up to the same point, without
//! repeating what it did.
//!
//! The only crate that knows wasmtime. It does not know what a run is, decides no authority (a [`Call`] says what is
//! granted), stores no artifact, and shows nothing: what plugins say goes to a [`Sink`] as it is. Needs a tokio runtime
//! with timers.

mod answer;
mod bindings;
mod bounded;
mod cache;
mod call;
mod cancel;
mod cell;
mod classify;
mod compile;
mod component;
mod effect;
mod engine;
mod halt;
mod iface;
mod limiter;
mod limits;
mod link;
mod outcome;
mod power;
mod roles;
mod sandbox;
mod session;
mod sink;
mod state;
mod stdio;
mod tape;
mod unsafe_load;
mod words;

pub use call::{
    ArtifactSource, Call, FinishedTask, NoArtifacts, Preopen, ReadableArtifact, Subject,
    TaskRequest, Turn,
};
pub use cancel::CancelToken;
pub use compile::{WorkerCommand, compile_worker_main};
pub use component::{COMPONENT_MAX, Component, LoadError};
pub use iface::files::PROTECTED;
pub use limits::{LimitKind, Limits};
pub use outcome::{
    AgentAnswer, Failure, MESSAGE_MAX, NewArtifact, Outcome, REASONS_MAX, Report, Stats,
};
pub use power::{
    AllowedCommand, Answered, BudgetPort, ChargeFailure, CommandEnding, CommandFailure,
    CommandPort, CommandRequest, Completion, Finish, FinishedCommand, GenerateRequest, Generated,
    Generation, HttpBody, HttpFailure, HttpPort, HttpTimes, Message, ModelFailure, ModelPort,
    PersonAsk, PortFuture, Powers, QuestionFailure, QuestionPort, Speaker, Tool, ToolCall, Usage,
};
pub use roles::DescribeError;
pub use sandbox::{Sandbox, SandboxConfig, SetupError};
pub use session::LiveSession;
pub use sink::{LogLevel, LogLine, LogSource, NoSink, Progress, Sink};
pub use tape::{OnChange, TAPE_MAX, Tape, TapeError};
