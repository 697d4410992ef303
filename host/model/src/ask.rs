//! What is put to people, and what they say: approvals, questions, their rules. Data only; `engine` decides who may
//! say what, and when it counts.

use crate::{Amount, Caller, Digest, GateIx, Millis, NeedKind, TaskIx};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of a request to people within its run, from 1. With the run it names the request everywhere: `RUN/3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskNo(pub u32);

impl fmt::Display for AskNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a request to people is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum About {
    /// The plan, before anything of it is dispatched. The digest is the plan's.
    Plan {
        /// Its revision.
        revision: u32,
    },
    /// A task, before it starts.
    Task {
        /// The task.
        task: TaskIx,
    },
    /// The result of a task, before its dependents may use it.
    Result {
        /// The task.
        task: TaskIx,
    },
    /// One use of a capability, in the middle of a piece of work.
    Call {
        /// Who wants it.
        by: Caller,
        /// Which kind of authority it uses.
        kind: NeedKind,
    },
    /// A question of a plugin. It is answered, not approved.
    Question {
        /// Who asks.
        by: Caller,
        /// What.
        question: Question,
    },
    /// A task that the budget does not cover: an approval raises the run's limit by what it lacks.
    TaskBudget {
        /// The task.
        task: TaskIx,
        /// What it lacks.
        lacks: Amount,
    },
    /// The same for a gate.
    GateBudget {
        /// The gate.
        gate: GateIx,
        /// What it lacks.
        lacks: Amount,
    },
}

impl About {
    /// The word in messages and JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Task { .. } => "task",
            Self::Result { .. } => "result",
            Self::Call { .. } => "call",
            Self::Question { .. } => "question",
            Self::TaskBudget { .. } | Self::GateBudget { .. } => "budget",
        }
    }

    /// Whoever waits in the middle of its work.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        match self {
            Self::Call { by, .. } | Self::Question { by, .. } => Some(*by),
            _ => None,
        }
    }
}

/// A question of a plugin to a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The text, at most 4 KiB.
    pub text: String,
    /// Answers to choose from, at most 20 of at most 200 bytes; empty: any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The answer when nobody gives one in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// How long is waited; absent: for as long as the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// A request to people, as it is put to them. The canonical bytes of exactly what will happen are an object of the
/// artifact store, named by `digest`; whoever executes takes its arguments from there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
    /// One line for people: `command git tag v1.2.0`.
    pub what: String,
    /// SHA-256 of the canonical bytes.
    pub digest: Digest,
}

/// What an approval rule is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleOn {
    /// The plan.
    Plan,
    /// A task, before it starts; for tasks that name the rule.
    Task,
    /// A task's result; for tasks that name the rule.
    Result,
    /// A command.
    Exec,
    /// A request.
    Http,
    /// A use of a model.
    Model,
    /// A charge.
    Charge,
    /// Going over the budget.
    Budget,
}

impl RuleOn {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Plan,
        Self::Task,
        Self::Result,
        Self::Exec,
        Self::Http,
        Self::Model,
        Self::Charge,
        Self::Budget,
    ];

    /// The word in user files and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Task => "task",
            Self::Result => "result",
            Self::Exec => "exec",
            Self::Http => "http",
            Self::Model => "model",
            Self::Charge => "charge",
            Self::Budget => "budget",
        }
    }

    /// What a rule has to be about to concern a use of this kind of authority.
    #[must_use]
    pub fn of_call(kind: NeedKind) -> Option<Self> {
        Some(match kind {
            NeedKind::Exec => Self::Exec,
            NeedKind::Http => Self::Http,
            NeedKind::Model => Self::Model,
            NeedKind::Budget => Self::Charge,
            NeedKind::FilesRead | NeedKind::FilesWrite | NeedKind::Secrets | NeedKind::Question => {
                return None;
            }
        })
    }
}

/// What happens when nobody decided in time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleTimeout {
    /// As if rejected.
    #[default]
    Reject,
    /// As if approved. Has to be written out.
    Approve,
    /// From then on only this role may decide, for as long again; then it is rejected.
    Escalate(String),
}

/// Who has to agree, to what. Rules belong to the run and not to its plan, so that no edit of a plan changes them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it is about; sorted, not empty.
    pub on: Vec<RuleOn>,
    /// Roles that may decide; empty: anybody who may decide at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// How many different principals have to approve; at least 1.
    pub count: u32,
    /// How long is waited; absent: for as long as the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// What happens then.
    #[serde(default)]
    pub on_timeout: RuleTimeout,
    /// Whether whoever started the run may decide.
    pub self_approval: bool,
}

/// How the host knows who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authenticated {
    /// The operating system says which user it is, and that user owns the project's state.
    Os,
    /// It showed a token that the project has the hash of.
    Token,
    /// The host itself, by a rule (a timeout).
    Rule,
}

/// The way by which somebody spoke.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A command that worked on the journal itself.
    Cli,
    /// A command, through the control socket of the driving process.
    Socket,
    /// The prompt of the driving process.
    Prompt,
    /// The server's API.
    Api,
    /// None: a rule acted.
    Host,
}

/// Who acts. Roles are as they were then, so that the record alone says why it counted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// The principal's name.
    pub name: String,
    /// Its roles; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The project names no principals at all, so the owner of its state has every role.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
    /// How the host knows.
    pub authenticated: Authenticated,
    /// By which way.
    pub channel: Channel,
}

impl Actor {
    /// The host itself, by a rule.
    #[must_use]
    pub fn host() -> Self {
        Self {
            name: "host".to_owned(),
            roles: Vec::new(),
            operator: false,
            authenticated: Authenticated::Rule,
            channel: Channel::Host,
        }
    }

    /// Whether it has this role.
    #[must_use]
    pub fn has(&self, role: &str) -> bool {
        self.operator || self.roles.iter().any(|r| r == role)
    }
}

/// What somebody says to a request for approval.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub enum Decision {
    /// Yes.
    Approve {
        /// Also to every later use that is exactly the same (kind, task and canonical bytes), until the run ends or it
        /// is revoked. Only for single uses.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_run: bool,
    },
    /// No.
    Reject {
        /// Of a plan: make another one, with the reason as feedback. Otherwise the run is cancelled.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        replan: bool,
    },
}

impl Decision {
    /// A plain yes.
    pub const YES: Self = Self::Approve { for_run: false };
    /// A plain no.
    pub const NO: Self = Self::Reject { replan: false };

    /// Whether it is a yes.
    #[must_use]
    pub fn approves(self) -> bool {
        matches!(self, Self::Approve { .. })
    }
}

/// Why a call may happen although somebody has to agree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// The request that was approved.
    pub ask: AskNo,
    /// It was approved for every later use in the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub for_run: bool,
}
