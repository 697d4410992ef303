//! The signals of a project. Not of one run: a signal may come before the run that waits for it.

use super::matching::{
    OpenWait, difference, fits, nearness, shown, signal_digest, validate_signal,
};
use sandgate_model::{Millis, Moment, Payload, RunId, Signal, SignalType, TaskId};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Most signals that are kept because nobody waits for them yet.
pub const KEPT_MAX: usize = 1_000;

/// How long one is kept: a week.
pub const KEPT_FOR: Millis = Millis(7 * 24 * 3_600 * 1_000);

/// Open waits named in an answer: enough to see what went wrong.
const NEAR_MAX: usize = 5;

/// What the journal keeps of signals, beside the runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum InboxEvent {
    /// A signal was taken in. `to` are the tasks that it resolved at once; none: it is kept.
    SignalReceived {
        /// The signal.
        signal: Signal,
        /// Whom it resolved.
        to: Vec<(RunId, TaskId)>,
    },
    /// One that was kept resolved a wait that began later.
    SignalMatched {
        /// Its id.
        id: String,
        /// Whom it resolved.
        to: (RunId, TaskId),
    },
    /// Kept ones that nobody came for in time are dropped.
    SignalsExpired {
        /// Their ids.
        ids: Vec<String>,
    },
}

/// A wait that is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PastWait {
    /// The wait.
    pub wait: OpenWait,
    /// When it was over.
    pub ended: Moment,
    /// How: `resolved by signal X`, `timed out`, `the run was cancelled`.
    pub how: String,
}

/// A signal that nobody waited for yet, or one that was delivered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The signal.
    pub signal: Signal,
    /// Whom it resolved; empty: nobody yet.
    pub to: Vec<(RunId, TaskId)>,
}

/// What becomes of a signal that arrives.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each signal that arrives, gone at once"
)]
pub enum Receipt {
    /// It fits these waits: record it, then deliver it to each.
    Deliver(Vec<OpenWait>),
    /// Nobody waits for it yet: record it, it is kept. With the waits of its type that come nearest, for the sender.
    Keep {
        /// Nearest waits: the same type, and at least one equal field; at most five.
        near: Vec<OpenWait>,
    },
    /// The same id with the same content came before: nothing is recorded, and that is fine.
    Repeat {
        /// What came of the first one.
        kept: Kept,
    },
}

/// Why a signal is refused. Nothing is recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "kebab-case")]
pub enum SignalRefusal {
    /// It breaks a bound, or its digest is not that of its content.
    #[error("{why}")]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// The project declares no such type.
    #[error("the project knows no signal type `{kind}`; it knows {}", known.join(", "))]
    UnknownType {
        /// The type.
        kind: SignalType,
        /// Those it knows.
        known: Vec<String>,
    },
    /// The same id came before with another content.
    #[error("a signal with the id `{id}` and another content came before")]
    Conflict {
        /// The id.
        id: String,
        /// When the first one came.
        first: Moment,
    },
    /// What it answers is over.
    #[error("it is stale: {why}")]
    Stale {
        /// What it fits, how that ended, and what is waited for now.
        why: String,
    },
    /// Too many wait to be picked up.
    #[error("{count} signals wait already and nobody picks them up")]
    Full {
        /// How many.
        count: usize,
        /// When the oldest came.
        oldest: Moment,
    },
}

/// See the module.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Inbox {
    by_id: BTreeMap<String, Kept>,
    /// Those that resolved nobody yet, the oldest first. Follows from `by_id`.
    waiting: BTreeSet<(Moment, String)>,
}

impl Inbox {
    /// Takes in what the journal says. What makes no sense any more (an id that is not there) changes nothing: the
    /// journal is read again after a crash.
    pub fn apply(&mut self, at: Moment, event: &InboxEvent) {
        match event {
            InboxEvent::SignalReceived { signal, to } => {
                if self.live(at, &signal.id).is_some() {
                    return;
                }
                self.forget(&signal.id);
                if to.is_empty() {
                    self.waiting.insert((signal.at, signal.id.clone()));
                }
                let kept = Kept {
                    signal: signal.clone(),
                    to: to.clone(),
                };
                self.by_id.insert(signal.id.clone(), kept);
            }
            InboxEvent::SignalMatched { id, to } => {
                if let Some(kept) = self.by_id.get_mut(id) {
                    self.waiting.remove(&(kept.signal.at, id.clone()));
                    if !kept.to.contains(to) {
                        kept.to.push(to.clone());
                    }
                }
            }
            InboxEvent::SignalsExpired { ids } => {
                for id in ids {
                    if self.get(id).is_some_and(|kept| kept.to.is_empty()) {
                        self.forget(id);
                    }
                }
            }
        }
    }

    /// What is to become of a signal that arrives. Nothing changes by asking; record the answer, then [`Self::apply`] it.
    /// `open` are the waits of all runs that wait now, `past` those that are over; `known` says whether the project has
    /// such a type, or which ones it has.
    ///
    /// # Errors
    /// It is refused; nothing is to be recorded.
    pub fn receive(
        &self,
        now: Moment,
        signal: &Signal,
        open: &[OpenWait],
        past: &[PastWait],
        known: &dyn Fn(&SignalType) -> Result<(), Vec<String>>,
    ) -> Result<Receipt, SignalRefusal> {
        let malformed = |why| SignalRefusal::Malformed { why };
        validate_signal(signal).map_err(malformed)?;
        if let Payload::Inline(data) = &signal.data
            && signal.digest != signal_digest(&signal.kind, &signal.fields, data)
        {
            let why = "the digest of the signal is not that of its content";
            return Err(malformed(why.to_owned()));
        }
        known(&signal.kind).map_err(|known| SignalRefusal::UnknownType {
            kind: signal.kind.clone(),
            known,
        })?;
        if let Some(kept) = self.live(now, &signal.id) {
            if kept.signal.digest == signal.digest {
                return Ok(Receipt::Repeat { kept: kept.clone() });
            }
            return Err(SignalRefusal::Conflict {
                id: signal.id.clone(),
                first: kept.signal.at,
            });
        }
        let fitting: Vec<OpenWait> = open
            .iter()
            .filter(|wait| fits(&wait.kind, &wait.matches, signal))
            .cloned()
            .collect();
        if !fitting.is_empty() {
            return Ok(Receipt::Deliver(fitting));
        }
        let near = nearest(signal, open);
        let over = past
            .iter()
            .filter(|past| fits(&past.wait.kind, &past.wait.matches, signal))
            .max_by_key(|past| past.ended);
        if let Some(over) = over {
            let why = stale(now, signal, over, &near);
            return Err(SignalRefusal::Stale { why });
        }
        let mut unmatched = self.unmatched(now);
        if let Some(oldest) = unmatched.next() {
            let count = 1 + unmatched.count();
            if count >= KEPT_MAX {
                return Err(SignalRefusal::Full {
                    count,
                    oldest: oldest.signal.at,
                });
            }
        }
        Ok(Receipt::Keep { near })
    }

    /// The signal with this id, whatever came of it.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Kept> {
        self.by_id.get(id)
    }

    /// Ids of kept signals whose time is over: record them as expired.
    #[must_use]
    pub fn expired(&self, now: Moment) -> Vec<String> {
        self.waiting
            .iter()
            .take_while(|(at, _)| over(now, *at))
            .map(|(_, id)| id.clone())
            .collect()
    }

    /// The oldest signal that resolved nobody yet and fits a wait that begins.
    #[must_use]
    pub fn pick(&self, now: Moment, wait: &OpenWait) -> Option<&Kept> {
        self.unmatched(now)
            .find(|kept| fits(&wait.kind, &wait.matches, &kept.signal))
    }

    /// Signals that resolved nobody yet and whose time is not over, the oldest first.
    pub fn unmatched(&self, now: Moment) -> impl Iterator<Item = &Kept> {
        self.waiting
            .iter()
            .filter(move |(at, _)| !over(now, *at))
            .filter_map(|(_, id)| self.by_id.get(id))
    }

    /// Open waits that a recorded signal resolved and that have not heard of it: the host stopped between its record and
    /// its delivery. Deliver them. One walk over all signals; for the start of a host.
    #[must_use]
    pub fn owed<'a>(&'a self, open: &[OpenWait]) -> Vec<(OpenWait, &'a Kept)> {
        let open: BTreeMap<(RunId, &TaskId), &OpenWait> = open
            .iter()
            .map(|wait| ((wait.run, &wait.id), wait))
            .collect();
        let mut owed = BTreeMap::new();
        for kept in self.by_id.values() {
            for (run, id) in &kept.to {
                if let Some(wait) = open.get(&(*run, id))
                    && fits(&wait.kind, &wait.matches, &kept.signal)
                {
                    owed.entry((*run, id)).or_insert(((*wait).clone(), kept));
                }
            }
        }
        owed.into_values().collect()
    }

    /// The signal with this id, unless it expired without anybody.
    fn live(&self, now: Moment, id: &str) -> Option<&Kept> {
        let kept = self.by_id.get(id)?;
        (!kept.to.is_empty() || !over(now, kept.signal.at)).then_some(kept)
    }

    fn forget(&mut self, id: &str) {
        if let Some(kept) = self.by_id.remove(id) {
            self.waiting.remove(&(kept.signal.at, kept.signal.id));
        }
    }
}

fn over(now: Moment, at: Moment) -> bool {
    now.since(at) >= KEPT_FOR
}

/// Waits of its type with at least one equal field, those with most of them first.
fn nearest(signal: &Signal, open: &[OpenWait]) -> Vec<OpenWait> {
    let mut near: Vec<(usize, &OpenWait)> = open
        .iter()
        .filter_map(|wait| Some((nearness(wait, signal)?, wait)))
        .filter(|(equal, _)| *equal > 0)
        .collect();
    // Stable: among equally near ones the order in which they were given.
    near.sort_by_key(|(equal, _)| Reverse(*equal));
    near.into_iter()
        .take(NEAR_MAX)
        .map(|(_, wait)| wait.clone())
        .collect()
}

fn stale(now: Moment, signal: &Signal, over: &PastWait, near: &[OpenWait]) -> String {
    let mut why = format!(
        "it fits task `{}` of run {}, and that wait ended {} ago: {}",
        over.wait.id,
        over.wait.run.short(),
        span(now.since(over.ended)),
        shown(&over.how),
    );
    for wait in near {
        let (id, run) = (&wait.id, wait.run.short());
        let difference = difference(wait, signal);
        why.push_str(&format!(
            "; task `{id}` of run {run} waits for {difference}"
        ));
    }
    if near.is_empty() {
        why.push_str("; no task waits for anything like it now");
    }
    why
}

/// A span for people, in its largest unit.
fn span(span: Millis) -> String {
    let seconds = span.0 / 1_000;
    let (n, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7_199 => (seconds / 60, "minute"),
        7_200..=172_799 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}
