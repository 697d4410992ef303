//! What a world has seen.

use sandgate_engine::{Event, RunState};

/// What a world has seen; for tests that want to know that they tested something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Events that the engine took.
    pub events: usize,
    /// Events that it refused.
    pub refused: usize,
    /// Crashes.
    pub crashes: usize,
    /// Capability calls that began.
    pub calls: usize,
    /// Those that it refused.
    pub calls_refused: usize,
    /// Events after which a task waited for money.
    pub short: usize,
    /// Times that a person was asked about money.
    pub asked: usize,
    /// Runs that failed because of the budget.
    pub over_budget: usize,
    /// Retries, by a person, that it took.
    pub retries: usize,
    /// Requests to people.
    pub asks: usize,
    /// Most of them that were open at once.
    pub asks_open_most: usize,
    /// What people said that counted.
    pub decisions: usize,
    /// What they said that did not: too late, said before, by the wrong people, about something else.
    pub decisions_refused: usize,
    /// Times that work stopped in the middle.
    pub suspensions: usize,
    /// Times that it went on.
    pub resumptions: usize,
    /// Approved calls that a guest began.
    pub consents: usize,
    /// Times that a guest heard no.
    pub noes: usize,
    /// Times that a guest heard an answer.
    pub answers: usize,
    /// Times that a guest wanted something else than was approved.
    pub stale: usize,
    /// Calls that a broken host changed after their approval.
    pub mutations: usize,
    /// Of those: what was approved just so by chance.
    pub mutations_taken: usize,
    /// Signals that ended a wait.
    pub signals: usize,
    /// Signals that did not fit.
    pub signals_refused: usize,
    /// Tasks that were paused, resumed or cancelled.
    pub steered: usize,
    /// Plans that were edited, or made anew after a rejection.
    pub replans: usize,
    /// How the run ended.
    pub state: Option<RunState>,
}

impl Tally {
    /// An event that was taken.
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::AttemptResumed { .. } | Event::GateResumed { .. } => self.resumptions += 1,
            Event::SignalDelivered { .. } => self.signals += 1,
            Event::TaskPaused { .. }
            | Event::TaskResumed { .. }
            | Event::TaskCancelRequested { .. } => self.steered += 1,
            Event::PlanModified { .. } => self.replans += 1,
            Event::PlanFrozen { plan, .. } if plan.revision > 1 => self.replans += 1,
            _ => {}
        }
    }
}
