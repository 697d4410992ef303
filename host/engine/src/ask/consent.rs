//! What a piece of work may hear of what people said: whether its call has been approved, what its question was
//! answered, what it takes to go on. And what anybody may see of it. Questions only.

use super::{AskState, AskView, Consented, Entry, Feedback, Restore, Standing};
use crate::{Run, illegal::Handled};
use sandgate_model::{
    About, AskNo, CallRequest, Caller, Consent, Digest, Grants, NeedKind, TaskIx,
};

impl Run {
    /// All requests to people, in the order of their numbers.
    pub fn asks(&self) -> impl Iterator<Item = AskView<'_>> {
        self.asks.iter().map(|(no, entry)| self.ask_view(no, entry))
    }

    /// One request.
    #[must_use]
    pub fn ask(&self, no: AskNo) -> Option<AskView<'_>> {
        Some(self.ask_view(no, self.asks.get(no)?))
    }

    /// The requests that wait for people. Costs as much as there are of those.
    pub fn open_asks(&self) -> impl Iterator<Item = AskView<'_>> {
        self.asks.open().filter_map(|no| self.ask(no))
    }

    fn ask_view<'a>(&'a self, no: AskNo, entry: &'a Entry) -> AskView<'a> {
        let about = &entry.ask.about;
        AskView {
            no,
            ask: &entry.ask,
            task: match about {
                About::Task { task } | About::Result { task } | About::TaskBudget { task, .. } => {
                    Some(*task)
                }
                _ => match about.caller() {
                    Some(Caller::Task { task, .. }) => Some(task),
                    _ => None,
                },
            },
            state: entry.state,
            asked: entry.asked,
            needs: entry.slots.iter().map(|slot| slot.need.clone()).collect(),
            votes: &entry.votes,
            decided: entry.winner(),
            ended: entry.ended,
            why: &entry.why,
            standing: self.asks.holds(entry),
            consumed: entry.uses > 0,
        }
    }

    /// Approvals for every later use in the run, taken back ones included.
    #[must_use]
    pub fn standing(&self) -> &[Standing] {
        self.asks.standing()
    }

    /// What was said of plans that were rejected, the first one first: for whoever makes the next plan.
    #[must_use]
    pub fn feedback(&self) -> &[Feedback] {
        &self.feedback
    }

    /// Digest of the canonical record that was approved before this task started: whoever runs it executes what is
    /// written there and nothing else. Absent for a task that needs no approval.
    #[must_use]
    pub fn approved(&self, ix: TaskIx) -> Option<Digest> {
        self.tasks.row(ix)?.human.as_ref()?.approved
    }

    /// What it takes to go on where this piece of work stopped; absent for work that is not recorded.
    #[must_use]
    pub fn restore_of(&self, by: Caller) -> Option<&Restore> {
        match by {
            Caller::Planner => self.planner.as_deref(),
            Caller::Task { task, attempt } => {
                let row = self.tasks.row(task)?;
                let own = row.attempt == attempt.0;
                row.human.as_ref()?.restore.as_ref().filter(|_| own)
            }
            Caller::Gate { gate, attempt } => {
                let row = self.gates.row(gate)?;
                row.restore.as_deref().filter(|_| row.attempt == attempt.0)
            }
        }
    }

    pub(crate) fn restore_mut(&mut self, by: Caller) -> Option<&mut Restore> {
        match by {
            Caller::Planner => self.planner.as_deref_mut(),
            Caller::Task { task, .. } => self.tasks[task].human.as_mut()?.restore.as_mut(),
            Caller::Gate { gate, .. } => self.gates[gate].restore.as_deref_mut(),
        }
    }

    /// What a caller may do, as the plan says; the planner's authority is not in a plan.
    pub(crate) fn grants(&self, by: Caller) -> Option<&Grants> {
        match by {
            Caller::Planner => None,
            Caller::Task { task, .. } => Some(&self.planned(task)?.grants),
            Caller::Gate { gate, .. } => Some(&self.planned_gate(gate)?.grants),
        }
    }

    /// Whether a call of this caller that needs an approval has one.
    #[must_use]
    pub fn consent(&self, by: Caller, kind: NeedKind, digest: Digest) -> Consented {
        if let Err(why) = self.runs(by) {
            return Consented::No {
                why: why.into_owned(),
            };
        }
        if let Some((no, entry)) = self.in_hand(by) {
            let same = entry.ask.digest == digest
                && matches!(entry.ask.about, About::Call { kind: k, .. } if k == kind);
            if !same {
                return Consented::Stale {
                    ask: no,
                    approved: entry.ask.digest,
                };
            }
            return self.used(no, entry);
        }
        if let Some((no, entry)) = self.asks.last_of(by, digest)
            && let About::Call { kind: k, .. } = entry.ask.about
            && k == kind
        {
            match entry.state {
                AskState::Rejected | AskState::Expired => {
                    return Consented::No {
                        why: refusal(no, entry),
                    };
                }
                AskState::Approved if entry.uses == 0 => return self.used(no, entry),
                _ => {}
            }
        }
        if let Caller::Task { task, .. } = by
            && let Some(standing) = self.asks.stands(task, digest)
            && let Some(entry) = self.asks.get(standing.ask)
            && matches!(entry.ask.about, About::Call { kind: k, .. } if k == kind)
        {
            return Consented::Yes(Consent {
                ask: standing.ask,
                for_run: true,
            });
        }
        Consented::Ask
    }

    /// An approval that is there for one use.
    fn used(&self, no: AskNo, entry: &Entry) -> Consented {
        if self.asks.revoked(entry) {
            let why = format!("approval {no} was taken back before it was used");
            return Consented::No { why };
        }
        Consented::Yes(Consent {
            ask: no,
            for_run: false,
        })
    }

    /// The approval that this piece of work was resumed with and has not used.
    fn in_hand(&self, by: Caller) -> Option<(AskNo, &Entry)> {
        let no = self.restore_of(by)?.ask?;
        let entry = self.asks.get(no)?;
        let call = matches!(entry.ask.about, About::Call { .. });
        (call && entry.state == AskState::Approved && entry.uses == 0).then_some((no, entry))
    }

    /// The answer to the question that this piece of work stopped with last, once that is decided, if it has this digest.
    /// An answer that it has had is on its tape: asked once more, the question is put to people once more. `Err`: nobody
    /// answered in time and there is no default; why, for the plugin.
    #[must_use]
    pub fn answer(&self, by: Caller, digest: Digest) -> Option<Result<String, String>> {
        let no = self.restore_of(by)?.ask?;
        let entry = self.asks.get(no)?;
        let question = matches!(entry.ask.about, About::Question { by: asked, .. } if asked == by);
        if !question || entry.ask.digest != digest {
            return None;
        }
        match entry.state {
            AskState::Answered => Some(Ok(entry.winner()?.reason.clone())),
            AskState::Open => None,
            _ => Some(Err(refusal(no, entry))),
        }
    }

    /// Whether it goes on with the answer to a question: what it calls then, it calls after it heard that.
    pub(crate) fn answered(&self, by: Caller) -> bool {
        let no = self.restore_of(by).and_then(|restore| restore.ask);
        let entry = no.and_then(|no| self.asks.get(no));
        entry.is_some_and(|entry| {
            matches!(entry.ask.about, About::Question { .. }) && entry.state != AskState::Open
        })
    }

    /// Whether a call may begin with the consent that it names, or without one.
    pub(crate) fn consented(&self, by: Caller, request: &CallRequest) -> Handled {
        let asks = request.approval
            || self
                .grants(by)
                .is_some_and(|grants| grants.always_asks(request.kind));
        let Some(consent) = request.consent else {
            return if asks {
                Err("needs approval: nobody agreed to this call".into())
            } else {
                Ok(())
            };
        };
        let no = consent.ask;
        let Some(entry) = self.asks.get(no) else {
            return Err(format!("there is no approval {no}").into());
        };
        let About::Call { by: asked_by, kind } = entry.ask.about else {
            return Err(format!("approval {no} is not about a call").into());
        };
        if entry.state != AskState::Approved {
            let state = entry.state.as_str();
            return Err(format!("approval {no} is {state}, not approved").into());
        }
        if self.asks.revoked(entry) {
            return Err(format!("approval {no} was taken back").into());
        }
        if (kind, entry.ask.digest) != (request.kind, request.digest) {
            return Err(format!("approval {no} is about another call than this one").into());
        }
        let covers = match (consent.for_run, by, asked_by) {
            (false, by, asked_by) => by == asked_by && self.asks.is_of_now(by, no),
            (true, Caller::Task { task, .. }, Caller::Task { task: asked_by, .. }) => {
                task == asked_by && self.asks.holds(entry)
            }
            (true, _, _) => false,
        };
        if !covers {
            return Err(format!("approval {no} is not for {}", self.who(by)).into());
        }
        if !consent.for_run && entry.uses > 0 {
            return Err(format!("approval {no} was for one use, and is used up").into());
        }
        Ok(())
    }
}

/// Why something that was asked for does not happen, for the plugin and for the task's error.
pub(crate) fn refusal(no: AskNo, entry: &Entry) -> String {
    match (entry.state, entry.winner()) {
        (AskState::Rejected, Some(vote)) if vote.reason.is_empty() => {
            format!("`{}` rejected it (request {no})", vote.by.name)
        }
        (AskState::Rejected, Some(vote)) => {
            format!(
                "`{}` rejected it (request {no}): {}",
                vote.by.name, vote.reason
            )
        }
        (AskState::Withdrawn, _) => format!("request {no} was withdrawn: {}", entry.why),
        _ => {
            let asked = if matches!(entry.ask.about, About::Question { .. }) {
                "answered"
            } else {
                "decided"
            };
            format!("nobody {asked} in time (request {no})")
        }
    }
}
