//! Capability calls in a simulated world: in order and out of it, ended once, twice or never, within the reservation
//! and beyond it.

use super::{Lie, World};
use sandgate_engine::{Allowance, Event};
use sandgate_model::{
    Amount, CallEnd, CallRequest, Caller, Charge, Digest, Millis, NeedKind, Plan, TaskIx,
};

/// What the project reserved for a run: nothing is bounded, less than the plan wants, more, or all of it.
pub(super) fn given(rng: &mut crate::Rng, plan: &Plan) -> Allowance {
    let limit = plan.budget.map(|budget| budget.limit);
    match rng.below(8) {
        0 => Allowance {
            micros: Some(rng.below(5000)),
            tokens: None,
        },
        1 => Allowance {
            micros: limit,
            tokens: Some(rng.below(8000)),
        },
        2 => Allowance {
            micros: limit.map(|limit| limit.saturating_add(rng.below(500))),
            tokens: None,
        },
        _ => Allowance::OPEN,
    }
}

impl World {
    /// Something started that may make calls.
    pub(super) fn first_call(&mut self, by: Caller) {
        if self.rng.permille(600)
            && let Some(call) = self.run.next_call(by)
        {
            self.call(by, call);
        }
    }

    /// Later, this call is asked for.
    fn call(&mut self, by: Caller, call: u32) {
        let request = self.request(by);
        let call = match self.rng.permille(self.script.nonsense / 4) {
            true => self.rng.below32(4),
            false => call,
        };
        self.later(Event::CallStarted { by, call, request });
    }

    pub(super) fn request(&mut self, by: Caller) -> CallRequest {
        let kinds = [
            NeedKind::Http,
            NeedKind::Exec,
            NeedKind::Model,
            NeedKind::Budget,
        ];
        let kind = self.rng.pick(&kinds).copied().unwrap_or(NeedKind::Http);
        let left = self.run.allowance(by).unwrap_or(Allowance::OPEN);
        let beyond = self.rng.permille(80);
        let mut some = |left: Option<u64>| {
            let left = left.unwrap_or(300);
            match self.rng.below(4) {
                _ if beyond => left.saturating_add(1 + self.rng.below(50)),
                0 => left,
                1 => 0,
                _ => self.rng.below(left.min(400) + 1),
            }
        };
        let reserve = match kind {
            NeedKind::Model => Amount {
                micros: some(left.micros),
                tokens: some(left.tokens),
            },
            NeedKind::Budget => Amount {
                micros: some(left.micros),
                tokens: 0,
            },
            _ => Amount::NOTHING,
        };
        CallRequest {
            kind,
            what: "something".to_owned(),
            digest: Digest::of(b"something"),
            rule: String::new(),
            secrets: Vec::new(),
            reserve,
            approval: false,
            consent: None,
        }
    }

    pub(super) fn call_end(&mut self, reserve: Amount) -> CallEnd {
        let beyond = u64::from(self.rng.permille(self.script.nonsense / 8));
        let mut part = |most: u64| match self.rng.below(3) {
            0 => most,
            _ => self.rng.below(most + 1),
        };
        let cost = Amount {
            micros: part(reserve.micros) + beyond * (reserve.micros + 1),
            tokens: part(reserve.tokens),
        };
        match self.rng.below(10) {
            0 => CallEnd::Interrupted,
            1..3 => CallEnd::Failed {
                message: "no".to_owned(),
                cost,
            },
            _ => CallEnd::Done {
                note: "yes".to_owned(),
                cost,
            },
        }
    }

    /// What follows of an event that was taken: a call that began ends, and others follow it.
    pub(super) fn call_on(&mut self, event: &Event) {
        let Event::CallStarted { by, call, request } = event else {
            return;
        };
        if self.guests.contains_key(by) {
            return;
        }
        // Some never end: their caller ends before them.
        if !self.rng.permille(150) {
            let event = Event::CallEnded {
                by: *by,
                call: *call,
                end: self.call_end(request.reserve),
                took: Millis(3),
                tape: None,
            };
            if self.rng.permille(100) {
                self.later(event.clone());
            }
            self.later(event);
        }
        if self.rng.permille(600) {
            self.call(*by, call.saturating_add(1));
        }
    }

    /// What follows of a call that was not taken: the refusal is put on record, and the plugin tries something else.
    pub(super) fn not_begun(&mut self, event: &Event) {
        let Event::CallStarted { by, request, .. } = event else {
            return;
        };
        self.tally.calls_refused += 1;
        if self.guests.contains_key(by) {
            return;
        }
        if self.run.next_call(*by).is_some() && self.rng.permille(700) {
            self.later(Event::CallRefused {
                by: *by,
                request: request.clone(),
                reason: "no".to_owned(),
            });
        }
    }

    /// What an attempt reports itself.
    pub(super) fn charges(&mut self, ix: TaskIx) -> Vec<Charge> {
        let attempt = self.run.task(ix).map(|view| view.attempt);
        let left = attempt
            .and_then(|attempt| self.run.allowance(Caller::Task { task: ix, attempt }))
            .and_then(|left| left.micros);
        let most = match left {
            Some(left) if !self.rng.permille(30) => left / 2,
            _ => 100,
        };
        let charge = |micros| Charge {
            what: "purchase".to_owned(),
            micros,
        };
        (0..self.rng.below(3))
            .map(|_| charge(self.rng.below(most / 2 + 1)))
            .collect()
    }

    /// What the engine is told of a call.
    pub(super) fn told_of_call(lie: Lie, event: &Event) -> Option<Event> {
        match (lie, event) {
            (Lie::Calls, Event::CallEnded { .. }) => None,
            (Lie::Consent, Event::CallStarted { by, call, request }) => {
                let mut request = request.clone();
                request.approval = false;
                Some(Event::CallStarted {
                    by: *by,
                    call: *call,
                    request,
                })
            }
            (Lie::Reserve, Event::CallStarted { by, call, request }) => {
                let mut request = request.clone();
                request.reserve = Amount::NOTHING;
                Some(Event::CallStarted {
                    by: *by,
                    call: *call,
                    request,
                })
            }
            _ => Some(event.clone()),
        }
    }
}
