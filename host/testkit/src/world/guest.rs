//! Work that is recorded: a guest does the same things in the same order each time it is given the same answers, is
//! dropped when it has to wait for a person, and is taken up by its tape. Where it stands follows from the tape alone.

use super::{Due, Lie, World};
use crate::{Rng, Violation, invariant::broken};
use sandgate_engine::{Allowance, Consented, Event};
use sandgate_model::{
    About, Amount, Ask, AttemptEnd, CallRequest, Caller, Digest, FailureClass, Grants, Millis,
    NeedKind, Question,
};

/// Most things that a guest wants of its host.
const STEPS_MAX: u64 = 5;

/// One thing that a guest wants.
#[derive(Clone, Debug)]
enum Step {
    /// A capability call; `marked`: each use has to be approved.
    Call {
        kind: NeedKind,
        digest: Digest,
        marked: bool,
    },
    /// A question to a person.
    Question { digest: Digest, question: Question },
}

/// A guest that runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guest {
    /// What it has had an answer to.
    step: u32,
    /// Of those: answers that are on no recorded piece of tape.
    unsaved: u32,
    /// A call that is under way, and what it reserved.
    open: Option<(u32, Amount)>,
}

impl World {
    /// Whether this caller's work is recorded.
    pub(super) fn recorded(&self, by: Caller) -> bool {
        self.grants_of(by).is_some_and(|grants| grants.may_wait())
    }

    fn grants_of(&self, by: Caller) -> Option<Grants> {
        match by {
            Caller::Planner => None,
            Caller::Task { task, .. } => Some(self.run.task(task)?.plan.grants.clone()),
            Caller::Gate { gate, .. } => Some(self.plan.gates.get(gate.get())?.grants.clone()),
        }
    }

    /// It starts, or goes on where its tape ends.
    pub(super) fn start_guest(&mut self, by: Caller) {
        let tape = self.run.restore_of(by).map_or(&[][..], |r| &r.tape);
        let step = tape.iter().filter_map(|piece| self.tapes.get(piece)).sum();
        let guest = Guest {
            step,
            ..Guest::default()
        };
        self.guests.insert(by, guest);
        self.turn_later(by);
    }

    fn turn_later(&mut self, by: Caller) {
        let at = self.now.after(Millis(self.rng.below(1_500)));
        self.due(at, Due::Turn(by));
    }

    /// What a guest does next, and `None` when it is done. The same for the same guest, whenever it is asked.
    fn step(&self, by: Caller, step: u32) -> Option<Step> {
        let who = match by {
            // Each plan has another planner as far as its wishes go.
            Caller::Planner => format!("planner {}", self.run.feedback().len()),
            by => format!("{by:?}"),
        };
        let named = Digest::of(format!("{} {who}", self.seed).as_bytes());
        let seed = named
            .as_bytes()
            .iter()
            .fold(0u64, |n, byte| n.rotate_left(8) ^ u64::from(*byte));
        let mut rng = Rng::new(seed);
        if u64::from(step) >= rng.below(STEPS_MAX + 1) {
            return None;
        }
        let grants = self.grants_of(by);
        let grants = grants.as_ref();
        let mut rng = Rng::new(seed ^ u64::from(step + 1));
        let asks = grants.is_none_or(|grants| grants.question);
        if asks && rng.below(3) == 0 {
            let free = rng.below(2) == 0;
            let question = Question {
                text: "which one?".to_owned(),
                choices: if free {
                    Vec::new()
                } else {
                    vec!["this".to_owned(), "that".to_owned()]
                },
                default: (rng.below(2) == 0).then(|| "this".to_owned()),
                timeout: (rng.below(2) == 0).then(|| Millis(rng.below(20_000))),
            };
            let digest = Digest::of(format!("question {who} {step}").as_bytes());
            return Some(Step::Question { digest, question });
        }
        let mut kinds = vec![NeedKind::Http];
        if let Some(grants) = grants {
            kinds.extend((!grants.exec.is_empty()).then_some(NeedKind::Exec));
            kinds.extend((!grants.model.is_empty()).then_some(NeedKind::Model));
            kinds.extend(grants.budget.then_some(NeedKind::Budget));
        }
        let kind = rng.pick(&kinds).copied().unwrap_or(NeedKind::Http);
        let always = grants.is_some_and(|grants| grants.always_asks(kind));
        let marked = rng.below(4) == 0 && grants.is_none_or(|g| g.may_wait());
        // Few different things: so some come twice, in an attempt and in the next one.
        let what = match by {
            Caller::Task { task, .. } => format!("task {}", task.0),
            by => format!("{by:?}"),
        };
        let digest = Digest::of(format!("{what} {kind:?} {}", rng.below(3)).as_bytes());
        Some(Step::Call {
            kind,
            digest,
            marked: marked || always,
        })
    }

    /// A guest has its turn.
    pub(super) fn turn(&mut self, by: Caller) -> Result<(), Violation> {
        let Some(guest) = self.guests.get(&by).copied() else {
            return Ok(());
        };
        if self.run.next_call(by).is_none() {
            self.guests.remove(&by);
            return Ok(());
        }
        if let Some((call, reserve)) = guest.open {
            if self.rng.permille(40) {
                return self.guest_ends(by, None);
            }
            return self.call_returns(by, call, reserve);
        }
        match self.step(by, guest.step) {
            None => self.guest_ends(by, None),
            Some(Step::Question { digest, question }) => match self.run.answer(by, digest) {
                Some(_) => {
                    self.tally.answers += 1;
                    self.heard(by);
                    Ok(())
                }
                None => self.suspend(by, About::Question { by, question }, digest),
            },
            Some(Step::Call {
                kind,
                digest,
                marked,
            }) => self.guest_calls(by, kind, digest, marked),
        }
    }

    /// The guest has an answer that needs no record of its own.
    fn heard(&mut self, by: Caller) {
        if let Some(guest) = self.guests.get_mut(&by) {
            guest.step += 1;
            guest.unsaved += 1;
            self.turn_later(by);
        }
    }

    fn guest_calls(
        &mut self,
        by: Caller,
        kind: NeedKind,
        digest: Digest,
        marked: bool,
    ) -> Result<(), Violation> {
        let mut request = CallRequest {
            kind,
            what: "something".to_owned(),
            digest,
            rule: String::new(),
            secrets: Vec::new(),
            reserve: self.some_reserve(by, kind),
            approval: marked,
            consent: None,
        };
        if marked && self.lie != Some(Lie::Consent) {
            match self.run.consent(by, kind, digest) {
                Consented::Yes(consent) => request.consent = Some(consent),
                Consented::No { .. } => {
                    self.tally.noes += 1;
                    self.heard(by);
                    return Ok(());
                }
                Consented::Ask => return self.suspend(by, About::Call { by, kind }, digest),
                Consented::Stale { .. } => {
                    self.tally.stale += 1;
                    let failed = AttemptEnd::Failed {
                        class: FailureClass::Refused,
                        message: "approval_stale".to_owned(),
                        permanent: false,
                    };
                    return self.guest_ends(by, Some(failed));
                }
            }
        }
        // A host that runs something else than was approved: the engine has to refuse it.
        if request.consent.is_some() && self.rng.permille(60) {
            let mut other = request.clone();
            match self.rng.below(4) {
                0 => other.digest = Digest::of(b"something else"),
                1 => other.kind = NeedKind::Secrets,
                2 => other.consent = None,
                _ => {
                    if let Some(consent) = &mut other.consent {
                        consent.ask.0 += 1;
                    }
                }
            }
            let call = self.run.next_call(by).unwrap_or(0);
            let event = Event::CallStarted {
                by,
                call,
                request: other,
            };
            self.tally.mutations += 1;
            let life = self.tally.crashes;
            let taken = self.offer(event.clone())?;
            if life != self.tally.crashes {
                return Ok(());
            }
            if taken {
                // By chance another approval may have been there for exactly that; the observer knows.
                self.tally.mutations_taken += 1;
                if let (Some(guest), Event::CallStarted { request, .. }) =
                    (self.guests.get_mut(&by), event)
                {
                    guest.open = Some((call, request.reserve));
                    self.turn_later(by);
                }
                return Ok(());
            }
            if self.run.next_call(by).is_none() {
                return Ok(());
            }
        }
        let (Some(call), reserve) = (self.run.next_call(by), request.reserve) else {
            return Ok(());
        };
        self.tally.consents += usize::from(request.consent.is_some());
        let life = self.tally.crashes;
        let taken = self.offer(Event::CallStarted { by, call, request })?;
        if life != self.tally.crashes {
            return Ok(());
        }
        if !taken {
            self.heard(by);
        } else if let Some(guest) = self.guests.get_mut(&by) {
            guest.open = Some((call, reserve));
            self.turn_later(by);
        }
        Ok(())
    }

    fn call_returns(&mut self, by: Caller, call: u32, reserve: Amount) -> Result<(), Violation> {
        let unsaved = self.guests.get(&by).map_or(0, |guest| guest.unsaved);
        let recorded = self.run.restore_of(by).is_some() && !self.rng.permille(50);
        let tape = recorded.then(|| self.piece(unsaved + 1));
        let event = Event::CallEnded {
            by,
            call,
            end: self.call_end(reserve),
            took: Millis(3),
            tape,
        };
        let life = self.tally.crashes;
        let taken = self.offer(event)?;
        if life != self.tally.crashes {
            return Ok(());
        }
        if let (true, Some(guest)) = (taken, self.guests.get_mut(&by)) {
            guest.open = None;
            guest.step += 1;
            guest.unsaved = if recorded { 0 } else { unsaved + 1 };
        }
        self.turn_later(by);
        Ok(())
    }

    /// A piece of tape with so many answers on it.
    fn piece(&mut self, answers: u32) -> Digest {
        let digest = Digest::of(format!("piece {}", self.tapes.len()).as_bytes());
        self.tapes.insert(digest, answers);
        digest
    }

    fn suspend(&mut self, by: Caller, about: About, digest: Digest) -> Result<(), Violation> {
        let unsaved = self.guests.get(&by).map_or(0, |guest| guest.unsaved);
        let tape = self.piece(unsaved);
        let event = Event::Suspended {
            by,
            ask: Ask {
                about,
                what: "something".to_owned(),
                digest,
            },
            tape,
            took: Millis(7),
        };
        let stopping = self.run.stopping();
        // Nonsense may have begun a call in its name.
        let confused = self.observer.calls_open(by);
        let cancelled = match by {
            Caller::Task { task, .. } => self.observer.is_called_off(task),
            _ => false,
        };
        let life = self.tally.crashes;
        let taken = self.offer(event.clone())?;
        if life != self.tally.crashes {
            // Another host has it now.
            return Ok(());
        }
        if taken {
            self.guests.remove(&by);
            self.tally.suspensions += 1;
        } else if stopping || cancelled {
            // It is taken down: that is on its way.
            self.guests.remove(&by);
        } else if confused {
            return self.guest_ends(by, None);
        } else if self.lie.is_none() {
            let refused = broken("suspends", format!("{event:?} was refused"));
            return self.observer.report(refused);
        }
        Ok(())
    }

    fn guest_ends(&mut self, by: Caller, end: Option<AttemptEnd>) -> Result<(), Violation> {
        self.guests.remove(&by);
        let took = Millis(self.rng.below(5_000));
        let event = match by {
            Caller::Planner => self.planned(),
            Caller::Task { task, attempt } => Event::AttemptEnded {
                task,
                attempt,
                end: end.unwrap_or_else(|| self.end(task)),
                took,
            },
            Caller::Gate { gate, attempt } => Event::GateEnded {
                gate,
                attempt,
                end: self.gate_end(),
                took,
            },
        };
        self.offer(event)?;
        Ok(())
    }

    fn some_reserve(&mut self, by: Caller, kind: NeedKind) -> Amount {
        let left = self.run.allowance(by).unwrap_or(Allowance::OPEN);
        let most = |left: Option<u64>| left.unwrap_or(300).min(300);
        let (micros, tokens) = (most(left.micros), most(left.tokens));
        match kind {
            NeedKind::Model => Amount {
                micros: self.rng.below(micros / 2 + 1),
                tokens: self.rng.below(tokens / 2 + 1),
            },
            NeedKind::Budget => Amount {
                micros: self.rng.below(micros / 2 + 1),
                tokens: 0,
            },
            _ => Amount::NOTHING,
        }
    }
}
