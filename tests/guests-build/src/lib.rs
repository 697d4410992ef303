//! Components for tests, built from `tests/guests` when this package is built.
//!
//! For tests only: no shipped crate may depend on this one.

/// A std Rust agent that gives its input back. The benchmark's guest.
#[must_use]
pub fn noop_agent() -> &'static [u8] {
    include_bytes!(env!("NOOP_AGENT"))
}

/// An agent that uses `std::fs` and so imports `wasi:filesystem`: `"read:PATH"`, `"write:PATH"`, `"remove:PATH"`,
/// `"list:PATH"` as input.
#[must_use]
pub fn file_agent() -> &'static [u8] {
    include_bytes!(env!("FILE_AGENT"))
}

/// An agent that misbehaves as its configuration (in `open`) and its input (in `run`) say, each a JSON string
/// `"VERB"` or `"VERB:ARGUMENT"`; the verbs are in `tests/guests/hostile-agent/src/acts.rs`.
#[must_use]
pub fn hostile_agent() -> &'static [u8] {
    include_bytes!(env!("HOSTILE_AGENT"))
}

/// A planner that misbehaves as its configuration says.
#[must_use]
pub fn hostile_planner() -> &'static [u8] {
    include_bytes!(env!("HOSTILE_PLANNER"))
}

/// A gate that misbehaves as its configuration says.
#[must_use]
pub fn hostile_gate() -> &'static [u8] {
    include_bytes!(env!("HOSTILE_GATE"))
}

/// An agent whose description breaks every rule.
#[must_use]
pub fn hostile_describer() -> &'static [u8] {
    include_bytes!(env!("HOSTILE_DESCRIBER"))
}

/// An agent that calls `wasi:filesystem` with any path and flag, as its input says; the verbs are in
/// `tests/guests/path-agent/src/steps.rs`.
#[must_use]
pub fn path_agent() -> &'static [u8] {
    include_bytes!(env!("PATH_AGENT"))
}

/// An agent that imports and uses every capability but files, as its input says; the verbs are in
/// `tests/guests/power-agent/src/steps.rs`.
#[must_use]
pub fn power_agent() -> &'static [u8] {
    include_bytes!(env!("POWER_AGENT"))
}

/// An agent that uses everything whose answers a host records, in an order that a seed decides.
#[must_use]
pub fn tape_agent() -> &'static [u8] {
    include_bytes!(env!("TAPE_AGENT"))
}

/// An agent that attacks the way out to the network. Its acts, and those of the guests that follow, are in
/// `tests/guests/README.md`.
#[must_use]
pub fn net_agent() -> &'static [u8] {
    include_bytes!(env!("NET_AGENT"))
}

/// An agent that tries to run what it may not.
#[must_use]
pub fn command_agent() -> &'static [u8] {
    include_bytes!(env!("COMMAND_AGENT"))
}

/// An agent that misuses text generation.
#[must_use]
pub fn model_agent() -> &'static [u8] {
    include_bytes!(env!("MODEL_AGENT"))
}

/// An agent that tries to leave the directories it was granted, and to fill them.
#[must_use]
pub fn escape_agent() -> &'static [u8] {
    include_bytes!(env!("ESCAPE_AGENT"))
}

/// An agent that imports `wasi:sockets`, which nobody gets.
#[must_use]
pub fn socket_agent() -> &'static [u8] {
    include_bytes!(env!("SOCKET_AGENT"))
}

/// A planner that looks at everything that needs no grant.
#[must_use]
pub fn probe_planner() -> &'static [u8] {
    include_bytes!(env!("PROBE_PLANNER"))
}

/// A gate that looks at everything that needs no grant.
#[must_use]
pub fn probe_gate() -> &'static [u8] {
    include_bytes!(env!("PROBE_GATE"))
}

/// An agent that imports every capability.
#[must_use]
pub fn greedy_agent() -> &'static [u8] {
    include_bytes!(env!("GREEDY_AGENT"))
}

/// A planner that imports every capability.
#[must_use]
pub fn greedy_planner() -> &'static [u8] {
    include_bytes!(env!("GREEDY_PLANNER"))
}

/// A gate that imports every capability.
#[must_use]
pub fn greedy_gate() -> &'static [u8] {
    include_bytes!(env!("GREEDY_GATE"))
}

/// An agent that asks people and needs approvals, in the middle of other effects.
#[must_use]
pub fn people_agent() -> &'static [u8] {
    include_bytes!(env!("PEOPLE_AGENT"))
}

/// A gate that does the same.
#[must_use]
pub fn people_gate() -> &'static [u8] {
    include_bytes!(env!("PEOPLE_GATE"))
}

/// A planner that does the same.
#[must_use]
pub fn people_planner() -> &'static [u8] {
    include_bytes!(env!("PEOPLE_PLANNER"))
}
