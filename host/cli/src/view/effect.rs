//! Capability calls as lines of an event list: what a plugin asked the host to do, and what came of it.

use super::event::{Line, gate_name, name as task_name};
use crate::ui::{Look, line, money, short, span};
use sandgate_engine::Run;
use sandgate_model::{Amount, CallEnd, CallRequest, Caller, Millis};

/// Longest text of a call on a line.
const WHAT_MAX: usize = 120;

fn who(by: Caller, run: &Run, look: &Look) -> String {
    match by {
        Caller::Planner => "the planner".to_owned(),
        Caller::Task { task, .. } => task_name(task, run, look),
        Caller::Gate { gate, .. } => format!("gate {}", gate_name(gate, run, look)),
    }
}

/// A call begins.
pub(super) fn started(
    by: Caller,
    call: u32,
    request: &CallRequest,
    run: &Run,
    look: &Look,
) -> Line {
    let mut text = format!(
        "{} #{call}: {}",
        who(by, run, look),
        short(&request.what, WHAT_MAX)
    );
    if !request.rule.is_empty() {
        text.push_str(&look.dim(format!(" by {}", line(&request.rule))));
    }
    if !request.secrets.is_empty() {
        text.push_str(&look.dim(format!(" with {}", line(&request.secrets.join(", ")))));
    }
    super::event::side(text)
}

/// A call ended.
pub(super) fn ended(
    by: Caller,
    call: u32,
    end: &CallEnd,
    took: Millis,
    run: &Run,
    look: &Look,
) -> Line {
    let (what, cost) = match end {
        CallEnd::Done { note, cost } => (short(note, WHAT_MAX), *cost),
        CallEnd::Failed { message, cost } => (
            format!("{}: {}", look.bad("failed"), short(message, WHAT_MAX)),
            *cost,
        ),
        CallEnd::Interrupted => (look.warn("cut off"), Amount::NOTHING),
    };
    let cost = match cost.micros {
        0 => String::new(),
        micros => format!(", {}", money(micros)),
    };
    super::event::side(format!(
        "{} #{call}: {what}{cost} {}",
        who(by, run, look),
        look.dim(format!("({})", span(took)))
    ))
}

/// A call was refused.
pub(super) fn refused(
    by: Caller,
    request: &CallRequest,
    reason: &str,
    run: &Run,
    look: &Look,
) -> Line {
    let mut found = super::event::main(format!(
        "{} {} {}",
        who(by, run, look),
        look.bad("was refused"),
        short(&request.what, WHAT_MAX)
    ));
    found.below = crate::ui::lines(reason)
        .into_iter()
        .take(5)
        .map(|l| format!("| {l}"))
        .collect();
    found
}
