//! What somebody outside the loop may want of a project, and what came of it. The same words for a command in another
//! process, a prompt, and a server. Data only.

use sandgate_engine::{DecideRefusal, Judged, OpenWait, RunState, SignalRefusal, Steps, Vote};
use sandgate_model::{Actor, AskNo, Decision, Digest, RunId, SignalType, TaskId, TaskIx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Version of the words on the control socket.
pub(crate) const CONTROL_FORMAT: u32 = 1;

/// Longest reason, in bytes: a page or two.
const REASON_MAX: usize = 16 << 10;

/// Most requests decided in one act; ten times what one run may put to people at once.
const ASKS_MAX: usize = 200;

/// Largest value that a signal carries, in bytes: as large as any document of a plugin.
const DATA_MAX: usize = 4 << 20;

/// Something that somebody wants.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "kebab-case")]
pub enum Wish {
    /// To know that somebody is there.
    Ping,
    /// A decision about requests of a run: all of them, or none when one is refused.
    Decide {
        /// The run.
        run: RunId,
        /// Which, each with the digest of what was seen.
        asks: Vec<(AskNo, Digest)>,
        /// What.
        decision: Decision,
        /// Why; feedback for a plan; may be empty.
        reason: String,
    },
    /// An answer to a question.
    Answer {
        /// The run.
        run: RunId,
        /// Which question.
        ask: AskNo,
        /// The answer.
        answer: String,
    },
    /// To take back an approval for the whole run.
    Revoke {
        /// The run.
        run: RunId,
        /// Which approval.
        ask: AskNo,
        /// Why; may be empty.
        reason: String,
    },
    /// To hand in a signal.
    Signal {
        /// Its id; made up by whoever sends it.
        id: String,
        /// Its type.
        kind: SignalType,
        /// Fields to match by.
        fields: BTreeMap<String, String>,
        /// What it carries.
        data: Value,
    },
    /// Nothing new starts: in the run, or of these tasks.
    Pause {
        /// The run.
        run: RunId,
        /// Tasks; empty: the run.
        tasks: Vec<TaskIx>,
    },
    /// To end a pause, and to have the run driven by whoever drives the project.
    Resume {
        /// The run.
        run: RunId,
        /// Tasks; empty: the run.
        tasks: Vec<TaskIx>,
    },
    /// To end the run, or these tasks, for good.
    Cancel {
        /// The run.
        run: RunId,
        /// Tasks; empty: the run.
        tasks: Vec<TaskIx>,
        /// Why; may be empty.
        reason: String,
    },
    /// To try again.
    Retry {
        /// The run.
        run: RunId,
        /// Tasks; empty: every failed and lost one.
        tasks: Vec<TaskIx>,
    },
    /// To dispatch the plan.
    Dispatch {
        /// The run.
        run: RunId,
    },
    /// To run the gates.
    Verify {
        /// The run.
        run: RunId,
    },
    /// To put an edited plan in the place of the one that waits for review.
    Modify {
        /// The run.
        run: RunId,
        /// Digest of the plan that was edited.
        was: Digest,
        /// The edited document, as [`sandgate_workflow::editable`] wrote it.
        text: String,
        /// What the document is called in messages.
        name: String,
        /// Why; may be empty.
        reason: String,
    },
    /// To start a run.
    Submit {
        /// Its id, chosen by whoever asks: asked twice, it is started once.
        run: RunId,
        /// The workflow's file, as it is shown.
        file: String,
        /// The workflow's text.
        text: String,
        /// Inputs as typed.
        inputs: BTreeMap<String, String>,
        /// How far to go alone.
        steps: Steps,
    },
}

impl Wish {
    /// Whether it is something that only principals may want: a decision, or what stands for one.
    pub(crate) fn decides(&self) -> bool {
        matches!(
            self,
            Self::Decide { .. } | Self::Answer { .. } | Self::Revoke { .. } | Self::Modify { .. }
        )
    }

    /// Whether its parts have sizes that people and scripts come to.
    ///
    /// # Errors
    /// Which has not.
    pub(crate) fn measured(&self) -> Result<(), WishError> {
        let too = |what: &str| {
            Err(WishError::Invalid {
                what: "the request".to_owned(),
                text: what.to_owned(),
            })
        };
        match self {
            Self::Decide { reason, .. }
            | Self::Revoke { reason, .. }
            | Self::Cancel { reason, .. }
            | Self::Modify { reason, .. }
                if reason.len() > REASON_MAX =>
            {
                too("a reason has at most 16 KiB")
            }
            Self::Signal { data, .. }
                if serde_json::to_vec(data).map_or(true, |bytes| bytes.len() > DATA_MAX) =>
            {
                too("a signal carries at most 4 MiB")
            }
            Self::Decide { asks, .. } if asks.len() > ASKS_MAX => {
                too("at most 200 requests are decided in one act")
            }
            Self::Decide { asks, .. } => {
                let mut seen = BTreeSet::new();
                match asks.iter().all(|(ask, _)| seen.insert(*ask)) {
                    true => Ok(()),
                    false => too("a request is named twice"),
                }
            }
            _ => Ok(()),
        }
    }

    /// The run it is about.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        Some(match self {
            Self::Ping | Self::Signal { .. } => return None,
            Self::Decide { run, .. }
            | Self::Answer { run, .. }
            | Self::Revoke { run, .. }
            | Self::Pause { run, .. }
            | Self::Resume { run, .. }
            | Self::Cancel { run, .. }
            | Self::Retry { run, .. }
            | Self::Dispatch { run }
            | Self::Verify { run }
            | Self::Modify { run, .. }
            | Self::Submit { run, .. } => *run,
        })
    }
}

/// What came of a wish. Everything in it is durable.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "done", rename_all = "kebab-case")]
pub enum Done {
    /// Somebody is there.
    Here {
        /// Its process.
        pid: u32,
    },
    /// The decisions, in the order of the wish.
    Decided {
        /// What each came to.
        each: Vec<(AskNo, Judged)>,
    },
    /// The signal was taken in.
    Signalled {
        /// Whom it resolved.
        to: Vec<(RunId, TaskId)>,
        /// Nobody waits for it, and these waits come nearest.
        near: Vec<OpenWait>,
        /// It came before; nothing new happened.
        repeat: bool,
    },
    /// It is recorded.
    Recorded {
        /// Where the run is now.
        state: RunState,
    },
    /// The plan was replaced.
    Modified {
        /// The new plan.
        digest: Digest,
        /// Its revision.
        revision: u32,
    },
}

/// Why a wish was not granted. Nothing of it was recorded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "kebab-case")]
pub enum WishError {
    /// The project has no such run.
    #[error("the project has no run {run}")]
    NoRun {
        /// The run.
        run: RunId,
    },
    /// The run's state does not allow it.
    #[error("{why}")]
    Illegal {
        /// Where the run is.
        state: RunState,
        /// Why not.
        why: String,
    },
    /// The decision does not count.
    #[error("request {ask}: {refusal}")]
    Decision {
        /// About which request.
        ask: AskNo,
        /// Why not.
        refusal: DecideRefusal,
    },
    /// The signal is not taken.
    #[error("{refusal}")]
    Signal {
        /// Why not.
        refusal: SignalRefusal,
    },
    /// What was handed in has mistakes; `text` shows them all.
    #[error("{what} has mistakes")]
    Invalid {
        /// What.
        what: String,
        /// The mistakes, with file, line and column.
        text: String,
    },
    /// Nobody knows who asks.
    #[error("{why}")]
    Unknown {
        /// Why not.
        why: String,
    },
    /// Whoever drives the project is about to end, and took nothing in.
    #[error("the process that drives the project is about to end")]
    Gone,
    /// The project names its principals, and whoever asks is none of them.
    #[error("{why}")]
    NotAPrincipal {
        /// Who may.
        why: String,
    },
    /// The host could not do its part.
    #[error("{why}")]
    Host {
        /// Why.
        why: String,
    },
}

impl WishError {
    /// The vote that stands, when somebody was first.
    #[must_use]
    pub fn winner(&self) -> Option<&Vote> {
        match self {
            Self::Decision {
                refusal: DecideRefusal::Conflict { winner },
                ..
            } => Some(winner),
            _ => None,
        }
    }

    pub(crate) fn host(why: impl Into<String>) -> Self {
        Self::Host { why: why.into() }
    }
}

/// Somebody's wish, with who it is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Wanted {
    pub(crate) by: Actor,
    pub(crate) wish: Wish,
}
