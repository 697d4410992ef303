//! Whether a decision counts. Pure, and asked before anything is recorded, so that a channel can tell a repeat from a
//! conflict; the event is refused by the same answer.

use super::{
    AskState, Vote,
    book::{Entry, Slot},
    rules::list,
};
use crate::Run;
use sandgate_model::{About, Actor, AskNo, Authenticated, Caller, Consent, Decision, Digest};
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

/// Longest answer to a question, in bytes. A person types it; a document belongs into a file.
pub(super) const ANSWER_MAX: usize = 16 * 1024;

impl Run {
    /// What a decision would do. Ask before `Decided` is recorded.
    ///
    /// # Errors
    /// It cannot be recorded, and why.
    pub fn judge(
        &self,
        ask: AskNo,
        digest: Digest,
        decision: Decision,
        by: &Actor,
    ) -> Result<Judged, DecideRefusal> {
        let entry = self.asks.get(ask).ok_or(DecideRefusal::Unknown { ask })?;
        let about = &entry.ask.about;
        let wrong = |why: &str| {
            Err(DecideRefusal::Wrong {
                why: why.to_owned(),
            })
        };
        if matches!(about, About::Question { .. }) {
            return wrong("it is a question: answer it");
        }
        if digest != entry.ask.digest {
            return Err(DecideRefusal::Stale {
                seen: digest,
                is: entry.ask.digest,
            });
        }
        match (decision, about) {
            (
                Decision::Approve { for_run: true },
                About::Call {
                    by: Caller::Task { .. },
                    ..
                },
            )
            | (Decision::Reject { replan: true }, About::Plan { .. })
            | (Decision::YES | Decision::NO, _) => {}
            (Decision::Approve { .. }, _) => {
                return wrong("only a single use by a task can be approved for the whole run");
            }
            (Decision::Reject { .. }, _) => return wrong("only a plan can be made anew"),
        }
        let yes = decision.approves();
        let own = entry.votes.iter().find(|vote| same(&vote.by, by));
        if let (AskState::Open, Some(vote)) = (entry.state, own) {
            return stands(vote, vote.decision.approves() == yes);
        }
        still_open(entry, |winner| winner.decision.approves() == yes)?.map_or_else(
            || {
                let counts = self.counts(entry, by);
                if counts.is_empty() {
                    let why = self.who_may(entry, by);
                    return Err(DecideRefusal::NotAllowed { why });
                }
                let met = |(place, slot): (usize, &Slot)| {
                    slot.need
                        .have
                        .saturating_add(u32::from(counts.contains(&place)))
                        >= slot.need.count
                };
                let ends = if !yes {
                    Some(AskState::Rejected)
                } else if entry.slots.iter().enumerate().all(met) {
                    Some(AskState::Approved)
                } else {
                    None
                };
                Ok(Judged::New { ends })
            },
            Ok,
        )
    }

    /// What an answer to a question would do. Ask before `Answered` is recorded.
    ///
    /// # Errors
    /// It cannot be recorded, and why.
    pub fn judge_answer(
        &self,
        ask: AskNo,
        answer: &str,
        by: &Actor,
    ) -> Result<Judged, DecideRefusal> {
        let entry = self.asks.get(ask).ok_or(DecideRefusal::Unknown { ask })?;
        let wrong = |why: String| Err(DecideRefusal::Wrong { why });
        let About::Question { question, .. } = &entry.ask.about else {
            return wrong("it is no question: approve or reject it".to_owned());
        };
        if answer.len() > ANSWER_MAX {
            return wrong(format!("an answer has at most {ANSWER_MAX} bytes"));
        }
        if !question.choices.is_empty() && !question.choices.iter().any(|c| c == answer) {
            let choices = list(&question.choices);
            return wrong(format!("the answer has to be {choices}"));
        }
        if let Some(judged) = still_open(entry, |winner| winner.reason == answer)? {
            return Ok(judged);
        }
        if self.counts(entry, by).is_empty() {
            let why = self.who_may(entry, by);
            return Err(DecideRefusal::NotAllowed { why });
        }
        Ok(Judged::New {
            ends: Some(AskState::Answered),
        })
    }
}

/// Whether two votes are of one principal, however it showed who it is. The host, which votes where a rule says what
/// happens when nobody does, is none, whatever principals are called.
fn same(a: &Actor, b: &Actor) -> bool {
    let host = |actor: &Actor| actor.authenticated == Authenticated::Rule;
    a.name == b.name && host(a) == host(b)
}

fn stands(winner: &Vote, same: bool) -> Result<Judged, DecideRefusal> {
    let winner = winner.clone();
    if same {
        Ok(Judged::Repeat { winner })
    } else {
        Err(DecideRefusal::Conflict { winner })
    }
}

/// `None` while it is open; otherwise what stands against whatever is said now.
fn still_open(
    entry: &Entry,
    same: impl Fn(&Vote) -> bool,
) -> Result<Option<Judged>, DecideRefusal> {
    match entry.state {
        AskState::Open => Ok(None),
        AskState::Withdrawn => Err(DecideRefusal::Withdrawn {
            why: entry.why.clone(),
        }),
        AskState::Expired => Err(DecideRefusal::Expired),
        AskState::Approved | AskState::Rejected | AskState::Answered => match entry.winner() {
            Some(winner) => stands(winner, same(winner)).map(Some),
            None => Err(DecideRefusal::Expired),
        },
    }
}
