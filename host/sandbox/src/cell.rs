//! A store in its slot: made for one call or one session, dropped with it. Everything a guest has, dies here.

use crate::bindings::sandgate::plugin::types::PluginError;
use crate::bounded::Cut;
use crate::classify::classify;
use crate::link::Prepared;
use crate::outcome::{MESSAGE_MAX, cut};
use crate::state::{State, Stop};
use crate::{Failure, Outcome, Report, Tape, Turn};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Engine, Store, UpdateDeadline};

/// What a guest's call gives, before anybody looked at it: wasmtime's verdict around the plugin's own.
pub(crate) type Ended<T> = Result<wasmtime::Result<Result<T, PluginError>>, Cut>;

/// A store with what is linked into it.
pub(crate) struct Cell {
    // Dropped in this order: the store gives its memory back before the slot is free.
    pub(crate) store: Store<State>,
    pub(crate) prepared: Arc<Prepared>,
    _slot: OwnedSemaphorePermit,
}

impl Cell {
    pub(crate) fn new(
        engine: &Engine,
        state: State,
        prepared: Arc<Prepared>,
        slot: OwnedSemaphorePermit,
        turn: &Turn,
    ) -> Self {
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|store| {
            let go_on: Result<(), Stop> = store.data().at_tick();
            go_on?;
            // Through the scheduler and not only to the back of the queue: timers of the same runtime get their
            // turn although every thread of it runs guests.
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        let mut cell = Self {
            store,
            prepared,
            _slot: slot,
        };
        cell.set_caps(turn);
        cell
    }

    fn set_caps(&mut self, turn: &Turn) {
        self.store.set_hostcall_fuel(turn.limits.crossing_bytes);
        self.store.set_max_component_handles(turn.limits.handles);
        self.store.set_epoch_deadline(1);
    }

    /// For the next use of a live session.
    pub(crate) fn renew(&mut self, turn: &Turn, deadline: Instant) {
        self.store.data_mut().renew(turn, deadline);
        self.set_caps(turn);
    }

    /// Judges how a call ended.
    pub(crate) fn judge<T>(&self, ended: Ended<T>, deadline: Duration) -> Outcome<T> {
        match ended {
            Ok(Ok(answer)) => match self.store.data().tape.as_ref().and_then(Tape::left_over) {
                Some(Stop::Diverged(message)) => Outcome::Diverged { message },
                _ => match answer {
                    Ok(value) => Outcome::Output(value),
                    Err(error) => failed(error),
                },
            },
            Ok(Err(error)) => classify(&error, self.store.data(), deadline),
            Err(Cut::Timeout) => Outcome::Timeout { after: deadline },
            Err(Cut::Cancelled) => Outcome::Cancelled,
            Err(Cut::Panicked(text)) => Outcome::Host {
                message: cut(
                    format!("a host function panicked (this is a bug in Sandgate): {text}"),
                    MESSAGE_MAX,
                ),
            },
        }
    }

    /// Ends a call: what is left of its words is passed on, its cost is counted, and what it left going on outside
    /// ends.
    pub(crate) fn report<T>(&mut self, outcome: Outcome<T>, since: Instant) -> Report<T> {
        let state = self.store.data_mut();
        let again = matches!(outcome, Outcome::Host { .. }) && state.tape.is_some();
        if again || matches!(outcome, Outcome::Suspended) {
            state.words.forget();
        } else {
            state.words.finish();
        }
        let stats = state.stats(since);
        state.disarm();
        Report { outcome, stats }
    }
}

fn failed<T>(error: PluginError) -> Outcome<T> {
    let (kind, message) = match error {
        PluginError::InvalidInput(message) => (Failure::InvalidInput, message),
        PluginError::Unavailable(message) => (Failure::Unavailable, message),
        PluginError::Failed(message) => (Failure::Failed, message),
        PluginError::Permanent(message) => (Failure::Permanent, message),
    };
    Outcome::Failed {
        kind,
        message: cut(message, MESSAGE_MAX),
    }
}
