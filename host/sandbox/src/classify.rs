//! From a wasmtime error to an [`Outcome`]: was it the guest, a limit, or the host? Decides by types where wasmtime
//! has them, and by its texts where it has none; each text is pinned by a test that provokes it.

use crate::outcome::{MESSAGE_MAX, cut};
use crate::state::{Misfit, State, Stop};
use crate::{LimitKind, Outcome};
use std::time::Duration;
use wasmtime::component::ResourceTableError;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

/// Texts of wasmtime errors that have no public type.
const TEXTS: [(&str, LimitKind); 5] = [
    (
        "fuel allocated for hostcalls has been exhausted",
        LimitKind::Crossing,
    ),
    (
        "resource limit exceeded: instance count",
        LimitKind::Instances,
    ),
    ("resource limit exceeded: memory count", LimitKind::Memories),
    ("resource limit exceeded: table count", LimitKind::Tables),
    ("store handle limit exceeded", LimitKind::Handles),
];

/// What an error of a guest's call means.
pub(crate) fn classify<T>(error: &Error, state: &State, deadline: Duration) -> Outcome<T> {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Deadline => Outcome::Timeout { after: deadline },
            Stop::HostCalls => limit(state, LimitKind::HostCalls),
            Stop::Suspended => Outcome::Suspended,
            Stop::TapeFull => limit(state, LimitKind::Tape),
            Stop::Diverged(message) => Outcome::Diverged {
                message: cut(message.clone(), MESSAGE_MAX),
            },
            Stop::Host(message) => Outcome::Host {
                message: cut(message.clone(), MESSAGE_MAX),
            },
        };
    }
    if let Some(misfit) = error.downcast_ref::<Misfit>() {
        return Outcome::BadAnswer {
            reasons: vec![cut(misfit.to_string(), MESSAGE_MAX)],
        };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Outcome::Host {
            message: format!("the sandbox has no free slot: {error}"),
        };
    }
    // A guest that traps with a request refused and nothing granted since has run into that cap: allocators abort
    // when the host gives them no memory.
    if let Some((which, cap)) = state.limiter.refused() {
        return Outcome::Limit { which, cap };
    }
    if matches!(
        error.downcast_ref::<ResourceTableError>(),
        Some(ResourceTableError::Full)
    ) {
        return limit(state, LimitKind::Resources);
    }
    let cause = error.root_cause().to_string();
    if let Some((_, which)) = TEXTS.iter().find(|(text, _)| cause.contains(text)) {
        return limit(state, *which);
    }
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return trap(
            state,
            format!("it called exit({code}) instead of answering"),
        );
    }
    if error.downcast_ref::<Trap>().is_none() && error.downcast_ref::<std::io::Error>().is_some() {
        return Outcome::Host {
            message: cut(format!("{error:#}"), MESSAGE_MAX),
        };
    }
    trap(state, cause)
}

fn limit<T>(state: &State, which: LimitKind) -> Outcome<T> {
    Outcome::Limit {
        which,
        cap: state.limiter.cap(which),
    }
}

fn trap<T>(state: &State, cause: String) -> Outcome<T> {
    state.words.finish();
    let last = state.words.last_words();
    let message = if last.is_empty() {
        cause
    } else {
        format!("{cause}; its last words: {last}")
    };
    Outcome::Trap {
        message: cut(message, MESSAGE_MAX),
    }
}
