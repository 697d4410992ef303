//! Reads an operator's file.

use super::{open, project::mode};
use crate::{Diagnostics, Operator, OperatorLimits, Source, shape::OPERATOR};
use sandgate_authority::{OperatorCeiling, Origin};
use std::sync::Arc;

/// Reads an operator's file. All mistakes are reported at once; there is a result only when none is an error.
#[must_use]
pub fn read_operator(source: &Arc<Source>) -> (Option<Operator>, Diagnostics) {
    let mut out = Diagnostics::default();
    let operator = open(source, &OPERATOR, &mut out).map(|doc| {
        let root = doc.root(&OPERATOR);
        let ceiling = root
            .table("policy")
            .and_then(|p| p.text("files"))
            .map(|files| OperatorCeiling {
                // "none" has no mode: nothing may be granted.
                files: mode(files.value),
                origin: Origin {
                    file: source.name().to_owned(),
                    line: source.position(files.span.start).line,
                },
            });
        let limits = root.table("limits").map(|l| OperatorLimits {
            memory: l.size("memory"),
            attempt: l.duration("attempt"),
            output: l.size("output"),
            log: l.size("log"),
            artifact: l.size("artifact"),
            concurrency: l.int("concurrency"),
        });
        Operator {
            ceiling,
            limits: limits.unwrap_or_default(),
        }
    });
    let out = out.finish();
    (operator.filter(|_| !out.has_errors()), out)
}
