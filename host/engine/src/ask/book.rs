//! The book of a run: everything that was put to people, and what is still to be put to them. Knows nothing of tasks;
//! what a decision means for them is in `on/ask.rs`.

use super::{AskState, Need, Standing, Vote};
use sandgate_model::{About, Ask, AskNo, Caller, Decision, Digest, GateIx, Millis, Moment, TaskIx};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most tasks, results and budgets that people are asked about at once. A screenful: a thousand tasks that become ready
/// together must not bury the one request that matters.
pub(crate) const ASKS_MAX: usize = 20;

/// What waits to be put to people, in the order in which it is: first what ends work that has been done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Subject {
    Result(TaskIx),
    TaskBudget(TaskIx),
    GateBudget(GateIx),
    Task(TaskIx),
}

impl Subject {
    /// What a request is about, when it was made for something that waits in the queue.
    pub(crate) fn of(about: &About) -> Option<Self> {
        Some(match about {
            About::Task { task } => Self::Task(*task),
            About::Result { task } => Self::Result(*task),
            About::TaskBudget { task, .. } => Self::TaskBudget(*task),
            About::GateBudget { gate, .. } => Self::GateBudget(*gate),
            About::Plan { .. } | About::Call { .. } | About::Question { .. } => return None,
        })
    }
}

/// A rule that a request has to satisfy, and how far it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) need: Need,
    /// Its place among the run's rules; absent: no rule applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<u32>,
}

impl Slot {
    pub(crate) fn met(&self) -> bool {
        self.need.have >= self.need.count
    }

    /// When somebody has to look at it.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.need.until.filter(|_| !self.met())
    }
}

/// One request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) ask: Ask,
    pub(crate) asked: Moment,
    pub(crate) state: AskState,
    /// Never empty.
    pub(crate) slots: Vec<Slot>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) votes: Vec<Vote>,
    /// Place of the vote that decided it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Moment>,
    /// Why it was withdrawn.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
    /// Calls that began under it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) uses: u32,
    /// Place among the standing approvals, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) standing: Option<u32>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Entry {
    /// The earliest moment at which a rule runs out.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.slots.iter().filter_map(Slot::due).min()
    }

    /// The vote that decided it.
    pub(crate) fn winner(&self) -> Option<&Vote> {
        self.votes.get(self.decided? as usize)
    }

    /// Ends it; `by_last`: the last vote decided.
    fn end(&mut self, at: Moment, state: AskState, by_last: bool) {
        self.state = state;
        self.ended = Some(at);
        if by_last {
            self.decided = u32::try_from(self.votes.len().saturating_sub(1)).ok();
        }
    }
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Asks {
    /// All requests; number `n` is at `n - 1`.
    all: Vec<Entry>,
    /// The one about the plan that the run has now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<AskNo>,
    /// Requests up to this number are of planners that do not plan any more: a planner has no number of its own, and
    /// what one was allowed the next one is not.
    #[serde(default, skip_serializing_if = "is_zero")]
    planners_before: u32,
    /// Canonical records that were commanded and are not here yet; at most [`ASKS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) asking: Vec<About>,
    /// Approvals for later uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    standing: Vec<Standing>,
    /// What is not asked yet, because enough is. Follows from the phases.
    #[serde(skip)]
    pub(crate) queue: BTreeSet<Subject>,
    /// Open requests. This and all below follows from `all`.
    #[serde(skip)]
    open: BTreeSet<AskNo>,
    #[serde(skip)]
    open_of: BTreeMap<Subject, AskNo>,
    /// How many of those are of tasks that stopped in the middle.
    #[serde(skip)]
    pub(crate) open_inside: usize,
    /// The last request of a caller about something.
    #[serde(skip)]
    last: BTreeMap<(Caller, Digest), AskNo>,
    /// The standing approval of something, by its place.
    #[serde(skip)]
    stands: BTreeMap<(TaskIx, Digest), usize>,
}

impl Asks {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.asking.is_empty()
    }

    pub(crate) fn get(&self, no: AskNo) -> Option<&Entry> {
        self.all.get((no.0 as usize).checked_sub(1)?)
    }

    fn get_mut(&mut self, no: AskNo) -> Option<&mut Entry> {
        self.all.get_mut((no.0 as usize).checked_sub(1)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (AskNo, &Entry)> {
        (1u32..).map(AskNo).zip(&self.all)
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = AskNo> {
        self.open.iter().copied()
    }

    pub(crate) fn is_open(&self, no: AskNo) -> bool {
        self.open.contains(&no)
    }

    pub(crate) fn open_about(&self, subject: Subject) -> Option<AskNo> {
        self.open_of.get(&subject).copied()
    }

    pub(crate) fn last_of(&self, by: Caller, digest: Digest) -> Option<(AskNo, &Entry)> {
        let no = *self.last.get(&(by, digest))?;
        if !self.is_of_now(by, no) {
            return None;
        }
        Some((no, self.get(no)?))
    }

    /// Whether a request of this caller is one of the planner that plans now, if it is one of a planner.
    pub(crate) fn is_of_now(&self, by: Caller, no: AskNo) -> bool {
        by != Caller::Planner || no.0 > self.planners_before
    }

    /// Another planner plans from now on, or none.
    pub(crate) fn planner_done(&mut self) {
        self.planners_before = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
    }

    pub(crate) fn standing(&self) -> &[Standing] {
        &self.standing
    }

    /// The approval that stands for this digest in this task, and still holds.
    pub(crate) fn stands(&self, task: TaskIx, digest: Digest) -> Option<&Standing> {
        let standing = self.standing.get(*self.stands.get(&(task, digest))?)?;
        standing.holds().then_some(standing)
    }

    /// Whether there is room for one more of those that are asked by command.
    pub(crate) fn room(&self) -> bool {
        self.asking.len() + self.open_of.len() < ASKS_MAX
    }

    /// Whether so many tasks wait for people in the middle of their work that no other one is to join them.
    pub(crate) fn crowded(&self) -> bool {
        self.open_inside >= ASKS_MAX
    }

    /// Opens a request.
    pub(crate) fn add(&mut self, ask: Ask, asked: Moment, slots: Vec<Slot>) -> AskNo {
        let subject = Subject::of(&ask.about);
        self.asking
            .retain(|about| Subject::of(about) != subject || subject.is_none());
        self.all.push(Entry {
            ask,
            asked,
            state: AskState::Open,
            slots,
            votes: Vec::new(),
            decided: None,
            ended: None,
            why: String::new(),
            uses: 0,
            standing: None,
        });
        let no = AskNo(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.note(no);
        no
    }

    /// Puts a request into the indices.
    fn note(&mut self, no: AskNo) {
        let Some(entry) = self.get(no) else {
            return;
        };
        let (open, subject) = (entry.state == AskState::Open, Subject::of(&entry.ask.about));
        let caller = entry.ask.about.caller().map(|by| (by, entry.ask.digest));
        if open {
            if self.open.insert(no) && of_task(self.get(no)) {
                self.open_inside += 1;
            }
            if let Some(subject) = subject {
                self.open_of.insert(subject, no);
            }
        }
        if let Some(key) = caller {
            self.last.insert(key, no);
        }
    }

    /// Makes the indices anew.
    pub(crate) fn index(&mut self) {
        let numbers: Vec<AskNo> = self.iter().map(|(no, _)| no).collect();
        for no in numbers {
            self.note(no);
        }
        let stands = self.standing.iter().enumerate();
        self.stands = stands.map(|(i, s)| ((s.task, s.digest), i)).collect();
    }

    /// What was said is added. `counts`: places of the rules for which a yes counts. Says what it is now.
    pub(crate) fn vote(&mut self, no: AskNo, vote: Vote, counts: &[usize]) -> AskState {
        let Some(entry) = self.get_mut(no) else {
            return AskState::Withdrawn;
        };
        let (at, approves) = (vote.at, vote.decision.approves());
        entry.votes.push(vote);
        if !approves {
            entry.end(at, AskState::Rejected, true);
        } else {
            for &place in counts {
                if let Some(slot) = entry.slots.get_mut(place) {
                    slot.need.have = slot.need.have.saturating_add(1);
                }
            }
            self.satisfied(no, at);
        }
        self.closed(no)
    }

    /// A rule is satisfied because nobody decided in time.
    pub(crate) fn lapse(&mut self, no: AskNo, place: usize, vote: Vote) -> AskState {
        if let Some(entry) = self.get_mut(no) {
            if let Some(slot) = entry.slots.get_mut(place) {
                slot.need.have = slot.need.count;
            }
            let at = vote.at;
            entry.votes.push(vote);
            self.satisfied(no, at);
        }
        self.closed(no)
    }

    /// From now on only this role may decide, until then.
    pub(crate) fn escalate(&mut self, no: AskNo, place: usize, role: &str, until: Option<Moment>) {
        let slot = self.get_mut(no).and_then(|e| e.slots.get_mut(place));
        if let Some(slot) = slot {
            slot.need.roles = vec![role.to_owned()];
            slot.need.until = until;
            slot.need.escalated = true;
        }
    }

    /// A question is answered.
    pub(crate) fn answer(&mut self, no: AskNo, vote: Vote) -> AskState {
        if let Some(entry) = self.get_mut(no) {
            let at = vote.at;
            entry.votes.push(vote);
            if let Some(slot) = entry.slots.first_mut() {
                slot.need.have = slot.need.count;
            }
            entry.end(at, AskState::Answered, true);
        }
        self.closed(no)
    }

    /// Nobody decided in time.
    pub(crate) fn expire(&mut self, no: AskNo, vote: Vote) -> AskState {
        if let Some(entry) = self.get_mut(no) {
            let at = vote.at;
            entry.votes.push(vote);
            entry.end(at, AskState::Expired, false);
        }
        self.closed(no)
    }

    /// What it was about is gone. Nothing, if it is not open.
    pub(crate) fn withdraw(&mut self, no: AskNo, at: Moment, why: &str) {
        if !self.is_open(no) {
            return;
        }
        if let Some(entry) = self.get_mut(no) {
            why.clone_into(&mut entry.why);
            entry.end(at, AskState::Withdrawn, false);
        }
        self.closed(no);
    }

    /// Nothing is to be asked any more.
    pub(crate) fn withdraw_all(&mut self, at: Moment, why: &str) {
        self.queue.clear();
        self.asking.clear();
        let open: Vec<AskNo> = self.open().collect();
        for no in open {
            self.withdraw(no, at, why);
        }
    }

    /// It does not wait for people any more.
    pub(crate) fn forget(&mut self, subject: Subject, at: Moment, why: &str) {
        self.queue.remove(&subject);
        self.asking
            .retain(|about| Subject::of(about) != Some(subject));
        if let Some(no) = self.open_about(subject) {
            self.withdraw(no, at, why);
        }
    }

    /// A call began under it.
    pub(crate) fn consume(&mut self, no: AskNo) {
        let Some(entry) = self.get_mut(no) else {
            return;
        };
        entry.uses = entry.uses.saturating_add(1);
        let place = entry.standing;
        if let Some(standing) = place.and_then(|p| self.standing.get_mut(p as usize)) {
            standing.uses = standing.uses.saturating_add(1);
        }
    }

    pub(crate) fn revoke(&mut self, no: AskNo) {
        let place = self.get(no).and_then(|entry| entry.standing);
        if let Some(standing) = place.and_then(|p| self.standing.get_mut(p as usize)) {
            standing.revoked = true;
        }
    }

    /// Whether a standing approval was taken back.
    pub(crate) fn revoked(&self, entry: &Entry) -> bool {
        let standing = entry.standing.and_then(|p| self.standing.get(p as usize));
        standing.is_some_and(|standing| standing.revoked)
    }

    /// Whether it is a standing approval that covers a use now.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        let standing = entry.standing.and_then(|p| self.standing.get(p as usize));
        standing.is_some_and(Standing::holds)
    }

    /// The run has ended, and with it what was approved for all of it.
    pub(crate) fn end_standing(&mut self) {
        for standing in &mut self.standing {
            standing.over = true;
        }
    }

    fn satisfied(&mut self, no: AskNo, at: Moment) {
        let Some(entry) = self.get_mut(no) else {
            return;
        };
        if !entry.slots.iter().all(Slot::met) {
            return;
        }
        entry.end(at, AskState::Approved, true);
        // Everybody who agreed has to have agreed to the same.
        let for_run = entry
            .votes
            .iter()
            .all(|vote| vote.decision == Decision::Approve { for_run: true });
        let About::Call {
            by: Caller::Task { task, .. },
            ..
        } = entry.ask.about
        else {
            return;
        };
        let digest = entry.ask.digest;
        if for_run {
            let place = self.standing.len();
            self.standing.push(Standing {
                ask: no,
                task,
                digest,
                uses: 0,
                revoked: false,
                over: false,
            });
            self.stands.insert((task, digest), place);
            if let Some(entry) = self.get_mut(no) {
                entry.standing = u32::try_from(place).ok();
            }
        }
    }

    /// Takes it out of the open ones, if it is not open any more.
    fn closed(&mut self, no: AskNo) -> AskState {
        let Some(entry) = self.get(no) else {
            return AskState::Withdrawn;
        };
        let (state, subject) = (entry.state, Subject::of(&entry.ask.about));
        if state != AskState::Open {
            if self.open.remove(&no) && of_task(self.get(no)) {
                self.open_inside = self.open_inside.saturating_sub(1);
            }
            if let Some(subject) = subject {
                self.open_of.remove(&subject);
            }
        }
        state
    }

    /// What is broken in a book that was stored, if anything is.
    pub(crate) fn fits(
        &self,
        (tasks, gates, rules): (usize, usize, usize),
    ) -> Result<(), &'static str> {
        let inside = |about: &About| match about {
            About::Plan { .. } => true,
            About::Task { task } | About::Result { task } | About::TaskBudget { task, .. } => {
                task.get() < tasks
            }
            About::GateBudget { gate, .. } => gate.get() < gates,
            About::Call { by, .. } | About::Question { by, .. } => match by {
                Caller::Planner => true,
                Caller::Task { task, .. } => task.get() < tasks,
                Caller::Gate { gate, .. } => gate.get() < gates,
            },
        };
        let whole = self.all.iter().all(|entry| {
            let rules = entry
                .slots
                .iter()
                .all(|s| s.rule.is_none_or(|r| (r as usize) < rules));
            let decided = entry
                .decided
                .is_none_or(|d| (d as usize) < entry.votes.len());
            let standing = entry
                .standing
                .is_none_or(|s| (s as usize) < self.standing.len());
            let open = entry.state == AskState::Open;
            // Requests about earlier plans may name what the plan of now has not got.
            rules
                && decided
                && standing
                && !entry.slots.is_empty()
                && (!open || inside(&entry.ask.about))
        });
        if !whole || !self.asking.iter().all(inside) || self.asking.len() > ASKS_MAX {
            return Err("its requests to people do not fit");
        }
        if self.standing.iter().any(|s| self.get(s.ask).is_none())
            || self.plan.is_some_and(|no| self.get(no).is_none())
        {
            return Err("its approvals are of requests that it has not got");
        }
        Ok(())
    }

    /// Whether this number was given out.
    pub(crate) fn knows(&self, no: AskNo) -> bool {
        self.get(no).is_some()
    }
}

/// Whether it is of a task that stopped in the middle.
fn of_task(entry: Option<&Entry>) -> bool {
    let caller = entry.and_then(|entry| entry.ask.about.caller());
    matches!(caller, Some(Caller::Task { .. }))
}

/// How long a rule waits, from a moment on.
pub(crate) fn until(at: Moment, span: Option<Millis>) -> Option<Moment> {
    span.map(|span| at.after(span))
}
