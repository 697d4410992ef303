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
