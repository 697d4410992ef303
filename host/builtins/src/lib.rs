//! The first-party plugins as WebAssembly components, embedded in the binary.
//!
//! `build.rs` compiles the guest workspace `plugins/`. In user files a builtin is `builtin:NAME`, or, for a
//! gate, just its name. It runs in the same sandbox and under the same grants as anybody's plugin: being built
//! in gives it no authority. This crate must not run or interpret the components.

/// A plugin that ships with Sandgate.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name, as in `builtin:NAME`; the same as in its description.
    pub name: &'static str,
    /// `planner`, `agent` or `gate`.
    pub role: &'static str,
    /// What it is for, in a line.
    pub summary: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// `crate` is the folder in `plugins/`.
macro_rules! builtin {
    ($name:literal, $role:literal, $krate:literal, $summary:literal) => {
        Builtin {
            name: $name,
            role: $role,
            summary: $summary,
            bytes: include_bytes!(concat!(env!("OUT_DIR"), "/", $krate, ".wasm")),
        }
    };
}

static BUILTINS: &[Builtin] = &[
    builtin!(
        "agent-ask",
        "agent",
        "agent-ask",
        "asks a person one question and hands on the answer"
    ),
    builtin!(
        "agent-command",
        "agent",
        "agent-command",
        "runs one allowed command and hands on what it wrote, as text, JSON or an artifact"
    ),
    builtin!(
        "agent-communication",
        "agent",
        "agent-communication",
        "drafts an email, a message or a summary from findings, with citations"
    ),
    builtin!(
        "agent-compare",
        "agent",
        "agent-compare",
        "ranks rows by criteria such as price and shows them as a table"
    ),
    builtin!(
        "agent-fake",
        "agent",
        "agent-fake",
        "for tests and benchmarks: sleeps, fails, logs, asks, runs commands and produces on request"
    ),
    builtin!(
        "agent-research",
        "agent",
        "agent-research",
        "finds passages about a topic in granted directories, ranks and cites them"
    ),
    builtin!(
        "artifact",
        "gate",
        "gate-artifact",
        "checks that artifacts exist, with size, media type and digest"
    ),
    builtin!(
        "command",
        "gate",
        "gate-command",
        "runs a project check such as tests and reads its exit code and results"
    ),
    builtin!(
        "json-schema",
        "gate",
        "gate-json-schema",
        "checks a task's output or artifact against a JSON Schema"
    ),
    builtin!(
        "planner-rules",
        "planner",
        "planner-rules",
        "splits a goal into tasks by rules, without any network"
    ),
    builtin!(
        "text-rules",
        "gate",
        "gate-text-rules",
        "checks a text against rules: patterns, length, citations, words to mention"
    ),
];

/// All of them, sorted by name.
#[must_use]
pub fn all() -> &'static [Builtin] {
    BUILTINS
}

/// The one with this name, with or without `builtin:` before it.
#[must_use]
pub fn find(name: &str) -> Option<&'static Builtin> {
    let name = name.strip_prefix("builtin:").unwrap_or(name);
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

#[cfg(test)]
mod tests;
