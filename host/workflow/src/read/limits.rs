//! Reads limits, as the project, the operator and tasks write them.

use crate::{Limits, OperatorLimits, node::Node};
use sandgate_model::TaskLimits;

/// The project's, with the defaults filled in.
pub(super) fn limits(node: Node<'_>) -> Limits {
    let base = Limits::default();
    Limits {
        memory: node.size("memory").unwrap_or(base.memory),
        attempt: node.duration("attempt").unwrap_or(base.attempt),
        output: node.size("output").unwrap_or(base.output),
        log: node.size("log").unwrap_or(base.log),
        artifact: node.size("artifact").unwrap_or(base.artifact),
        disk: node.size("disk").unwrap_or(base.disk),
        files: node.int("files").unwrap_or(base.files),
        calls: node.int("calls").unwrap_or(base.calls),
        network: node.size("network").unwrap_or(base.network),
        tokens: node.int("tokens").unwrap_or(base.tokens),
        effects: node.int("effects").unwrap_or(base.effects),
        concurrency: node.int("concurrency").unwrap_or(base.concurrency),
    }
}

/// The operator's.
pub(super) fn operator(node: Node<'_>) -> OperatorLimits {
    OperatorLimits {
        memory: node.size("memory"),
        attempt: node.duration("attempt"),
        output: node.size("output"),
        log: node.size("log"),
        artifact: node.size("artifact"),
        disk: node.size("disk"),
        files: node.int("files"),
        calls: node.int("calls"),
        network: node.size("network"),
        tokens: node.int("tokens"),
        effects: node.int("effects"),
        concurrency: node.int("concurrency"),
    }
}

/// A task's.
pub(super) fn task(node: Node<'_>) -> TaskLimits {
    TaskLimits {
        memory: node.size("memory"),
        log: node.size("log"),
        output: node.size("output"),
        artifact: node.size("artifact"),
        disk: node.size("disk"),
        files: node.int("files"),
        calls: node.int("calls"),
        network: node.size("network"),
        tokens: node.int("tokens"),
        effects: node.int("effects"),
    }
}
