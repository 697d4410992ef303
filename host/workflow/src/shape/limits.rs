//! Limits, as the project, the operator and a task write them.

use super::{Field, Kind, Shape, may};
use crate::MAX_CONCURRENCY;

pub(crate) const LIMITS: Shape = Shape {
    what: "[limits]",
    doc: "Limits of one attempt.",
    fields: LIMIT_FIELDS,
};

/// Highest count: far more than any attempt can do, and safe in every number of JSON.
const COUNT_MAX: i64 = 1_000_000_000_000;

const COUNT: Kind = Kind::Int(0, COUNT_MAX);

const MEMORY: Field = may(
    "memory",
    Kind::Size(1 << 20),
    "Memory of one instance; 64MiB when absent.",
);
const OUTPUT: Field = may(
    "output",
    Kind::Size(1 << 10),
    "Output document of an attempt; 4MiB when absent.",
);
const LOG: Field = may("log", Kind::Size(0), "Log of an attempt; 1MiB when absent.");
const ARTIFACT: Field = may(
    "artifact",
    Kind::Size(1 << 10),
    "One artifact; 64MiB when absent.",
);
const DISK: Field = may(
    "disk",
    Kind::Size(0),
    "Bytes written to directories by an attempt; 256MiB when absent.",
);
const FILES: Field = may(
    "files",
    COUNT,
    "Files and directories made by an attempt; 10000 when absent.",
);
const CALLS: Field = may(
    "calls",
    Kind::Int(1_000, COUNT_MAX),
    "Calls of an attempt into the host; 1000000 when absent.",
);
const NETWORK: Field = may(
    "network",
    Kind::Size(0),
    "Bytes of an attempt over the network, both ways; 64MiB when absent.",
);
const TOKENS: Field = may(
    "tokens",
    COUNT,
    "Tokens of text generation of an attempt, in and out; 1000000 when absent.",
);
const EFFECTS: Field = may(
    "effects",
    COUNT,
    "Requests, commands, generations and charges of an attempt together; 10000 when absent.",
);

/// Shared with the operator's file.
pub(super) const LIMIT_FIELDS: &[Field] = &[
    MEMORY,
    may(
        "attempt",
        Kind::Duration { zero: false },
        "Longest an attempt may take; 2m when absent.",
    ),
    OUTPUT,
    LOG,
    ARTIFACT,
    DISK,
    FILES,
    CALLS,
    NETWORK,
    TOKENS,
    EFFECTS,
    may(
        "concurrency",
        Kind::Int(1, MAX_CONCURRENCY as i64),
        "Most attempts at once, whatever a workflow says.",
    ),
];

/// `limits` of a task: they only lower.
pub(super) const TASK_LIMITS: Shape = Shape {
    what: "a task's limits",
    doc: "Limits of one attempt, at most those of the project; the project's when absent.",
    fields: &[
        MEMORY, OUTPUT, LOG, ARTIFACT, DISK, FILES, CALLS, NETWORK, TOKENS, EFFECTS,
    ],
};
