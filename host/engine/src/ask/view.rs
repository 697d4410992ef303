//! Requests to people as they are now. Questions only.

use sandgate_model::{Actor, Ask, AskNo, Decision, Digest, Millis, Moment, TaskIx};
use serde::{Deserialize, Serialize};

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskState {
    /// It waits for people.
    Open,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
    /// A question, answered.
    Answered,
    /// Nobody decided in time; counts as rejected.
    Expired,
    /// What it was about is gone: cancelled, ended, replaced.
    Withdrawn,
}

impl AskState {
    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Answered => "answered",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What one person said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: Actor,
    /// What; for a question an approval.
    pub decision: Decision,
    /// Why, or the answer to a question; may be empty.
    pub reason: String,
    /// When.
    pub at: Moment,
}

/// One rule that a request has to satisfy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Need {
    /// The rule's name; empty: no rule, anybody who may decide at all.
    pub rule: String,
    /// Roles that may decide; empty: any.
    pub roles: Vec<String>,
    /// How many have to approve.
    pub count: u32,
    /// How many that count have.
    pub have: u32,
    /// Whether whoever started the run may decide.
    pub self_approval: bool,
    /// When nobody else may any more; absent: never.
    pub until: Option<Moment>,
    /// It went to another role, since the first ones did not decide in time.
    pub escalated: bool,
}

/// A request to people.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AskView<'a> {
    /// Its number in the run.
    pub no: AskNo,
    /// What is asked.
    #[serde(flatten)]
    pub ask: &'a Ask,
    /// The task it concerns, if one: for calls and questions the one that makes them.
    pub task: Option<TaskIx>,
    /// Where it is.
    pub state: AskState,
    /// Since when it was open.
    pub asked: Moment,
    /// Which rules have to be satisfied, and how far they are. Never empty.
    pub needs: Vec<Need>,
    /// What was said so far, in order.
    pub votes: &'a [Vote],
    /// The vote that decided it, or the host's own where a rule or a default says so; absent while it is open, and when
    /// it expired or was withdrawn.
    pub decided: Option<&'a Vote>,
    /// When it was decided, expired or withdrawn.
    pub ended: Option<Moment>,
    /// Why it was withdrawn; empty otherwise.
    pub why: &'a str,
    /// An approval for later uses, too, that was not revoked, in a run that has not ended since.
    pub standing: bool,
    /// The approval was used up.
    pub consumed: bool,
}

/// An approval for every later use in the run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// The request that was approved so.
    pub ask: AskNo,
    /// The task whose uses it covers.
    pub task: TaskIx,
    /// Digest of the canonical bytes that it covers, and nothing else.
    pub digest: Digest,
    /// Uses so far, the first one included.
    pub uses: u32,
    /// Taken back.
    pub revoked: bool,
    /// The run has ended since: whatever is tried again is asked about anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

impl Standing {
    /// Whether it covers a use now.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.revoked && !self.over
    }
}

/// What somebody said of a plan that was rejected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Feedback {
    /// Digest of the plan.
    pub plan: Digest,
    /// Its revision.
    pub revision: u32,
    /// What was said.
    pub text: String,
    /// By whom.
    pub by: Actor,
}

/// What is needed to take up a piece of work where it stopped.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Restore {
    /// What the host answered until then, in order: objects of the artifact store.
    pub tape: Vec<Digest>,
    /// Number of its last capability call.
    pub calls: u32,
    /// The request that it waits for, or that was decided and not used up yet. The answer to a question is used up when
    /// it is on the tape.
    pub ask: Option<AskNo>,
    /// It ran on after its last stop and was interrupted then: its directories may be ahead of its tape.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ahead: bool,
    /// How long it ran until its last stop, all parts together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub took: Millis,
    /// How often it stopped for people.
    #[serde(default, skip_serializing_if = "never")]
    pub stops: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(took: &Millis) -> bool {
    took.0 == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn never(stops: &u32) -> bool {
    *stops == 0
}
