//! Plain validated data that every layer shares: names, ids, digests, plans, packets, outcomes.
//!
//! A value of one of these types has been checked: a [`TaskId`] obeys the grammar, a [`Digest`] has 32 bytes.
//! This crate must not do I/O, tell the time or decide anything; it only says what things are.

mod artifact;
mod ask;
mod call;
mod check;
mod describe;
mod digest;
mod draft;
mod end;
mod grant;
mod id;
mod name;
mod packet;
mod payload;
mod plan;
mod power;
mod signal;
mod time;

pub use artifact::Artifact;
pub use ask::{
    About, Actor, Ask, AskNo, Authenticated, Channel, Consent, Decision, Question, Rule, RuleOn,
    RuleTimeout,
};
pub use call::{Amount, CallEnd, CallRequest, Caller};
pub use check::{Check, Verdict};
pub use describe::{Description, Need, NeedKind, Role};
pub use digest::{Digest, DigestError};
pub use draft::{DraftPlan, DraftTask};
pub use end::{AttemptEnd, Charge, FailureClass, TaskOutput};
pub use grant::{FileGrant, FileMode, Grants, Workspace};
pub use id::{AttemptNo, GateIx, RunId, RunIdError, TaskIx};
pub use name::{
    ArtifactName, GateId, NAME_MAX, NameError, PluginName, ProjectName, SessionName, SignalType,
    TaskId, WorkflowName,
};
pub use packet::{ListedFile, OfferedAgent, OfferedGate, Packet};
pub use payload::{INLINE_MAX, Payload};
pub use plan::{
    ArtifactRef, OnFailure, OverBudget, PLAN_FORMAT, Plan, PlanGate, PlanPlugin, PlanTask, Retry,
    RunBudget, Session, TaskLimits, TaskWork, WaitFor,
};
pub use power::{ExecGrant, HttpGrant, ModelGrant, Scheme, SecretGrant, SecretTarget};
pub use signal::Signal;
pub use time::{Millis, Moment};
