//! Whether a decision counts. Pure, and asked before anything is recorded, so that a channel can tell a repeat from a
//! conflict; the event is refused by the same answer.

use super::{AskState, Vote};
use sandgate_model::{AskNo, Consent, Digest};
use serde::{Deserialize, Serialize};

/// What a decision would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "judged", rename_all = "kebab-case")]
pub enum Judged {
    /// It is to be recorded. `ends` is what the request becomes by it, `None` while others have to agree as well.
    New {
        /// See above.
        ends: Option<AskState>,
    },
    /// The same was said before, by this vote: nothing is recorded, and that is fine.
    Repeat {
        /// The vote that stands.
        winner: Vote,
    },
}

/// Why a decision is refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "kebab-case")]
pub enum DecideRefusal {
    /// The run has no such request.
    #[error("the run has no request {ask}")]
    Unknown {
        /// Its number.
        ask: AskNo,
    },
    /// Another thing was seen than what is asked.
    #[error("what was seen is not what is asked: {seen} was seen, {is} is asked")]
    Stale {
        /// Digest that was named.
        seen: Digest,
        /// Digest of what is asked.
        is: Digest,
    },
    /// Somebody said the opposite first.
    #[error("{} said {} first", winner.by.name, if winner.decision.approves() { "yes" } else { "no" })]
    Conflict {
        /// What stands.
        winner: Vote,
    },
    /// Nobody decided in time.
    #[error("nobody decided in time: the request has expired")]
    Expired,
    /// What it was about is gone.
    #[error("the request was withdrawn: {why}")]
    Withdrawn {
        /// Why.
        why: String,
    },
    /// This principal may not decide about it.
    #[error("{why}")]
    NotAllowed {
        /// Why not, and who may.
        why: String,
    },
    /// It is a question, or is none; a plan cannot be approved for the run; an answer is no choice.
    #[error("{why}")]
    Wrong {
        /// What is wrong.
        why: String,
    },
}

/// Whether a call that needs an approval has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Consented {
    /// It may begin, with this on its `CallStarted`.
    Yes(Consent),
    /// It was rejected, or nobody decided in time: the caller hears of that. Asked again in the same attempt, the same
    /// answer is given without asking anybody.
    No {
        /// Why, for the plugin.
        why: String,
    },
    /// Nobody was asked about exactly this yet.
    Ask,
    /// An approval is there for this piece of work, but what it asks for now is something else: what was approved is not
    /// what would happen. The attempt fails.
    Stale {
        /// The request that was approved.
        ask: AskNo,
        /// What was approved.
        approved: Digest,
    },
}
