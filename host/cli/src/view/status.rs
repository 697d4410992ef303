//! Where a run is, in a screenful: counts, what runs, what waits.

use super::{summary, words};
use crate::ui::{Look, Table, span};
use sandgate_engine::{ExecutionSummary, GateState, TaskState, Wait};
use sandgate_journal::Driving;
use sandgate_model::Moment;

/// Running tasks listed at most.
const RUNNING_MAX: usize = 20;

/// As text.
pub(crate) fn text(s: &ExecutionSummary, holder: &Driving, now: Moment, look: &Look) -> String {
    let mut out = summary::first_line(s, look);
    let mut table = summary::facts(s, look);
    if !s.tasks.is_empty() {
        table.row([look.dim("tasks"), words::tasks(s.tasks.len(), &s.counts)]);
    }
    let gates: Vec<String> = s
        .gates
        .iter()
        .map(|g| format!("{} {}", g.id, words::gate_state(look, g.state)))
        .collect();
    if !gates.is_empty() {
        table.row([look.dim("gates"), gates.join(", ")]);
    }
    for group in &s.blocked {
        let named = words::names(&group.tasks, group.count as usize);
        table.row([look.dim(&group.code), named]);
    }
    for wait in &s.waits {
        table.row([look.dim(words::waits(wait)), words::wait(wait, s.run, look)]);
    }
    if !s.state.ended() {
        // A process that drives the project may have been asked for another run only.
        let host = match holder {
            Driving::Process(pid) => Some(format!("process {pid} drives this project")),
            Driving::Nobody if s.waits.iter().all(Wait::by_itself) => Some(format!(
                "nobody drives it; go on with `sandgate resume {}`",
                s.run.short()
            )),
            Driving::Nobody | Driving::Unknown => None,
        };
        if let Some(host) = host {
            table.row([look.dim("host"), host]);
        }
    }
    out.push_str(&table.render(look, 2));
    running(&mut out, s, now, look);
    out
}

fn running(out: &mut String, s: &ExecutionSummary, now: Moment, look: &Look) {
    let mut table = Table::new(&["running", "agent", "attempt", "since", ""]);
    let tasks = || s.tasks.iter().filter(|t| t.state == TaskState::Running);
    for t in tasks().take(RUNNING_MAX) {
        table.row([
            t.id.to_string(),
            t.agent
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            t.attempts.to_string(),
            look.zone.clock(t.since),
            format!("{} ago", span(now.since(t.since))),
        ]);
    }
    for g in s.gates.iter().filter(|g| g.state == GateState::Running) {
        let empty = String::new;
        table.row([
            g.id.to_string(),
            look.dim("(gate)"),
            empty(),
            empty(),
            empty(),
        ]);
    }
    if !table.is_empty() {
        out.push('\n');
        out.push_str(&table.render(look, 2));
    }
    let more = tasks().count().saturating_sub(RUNNING_MAX);
    if more > 0 {
        out.push_str(&look.dim(format!("  … and {more} more\n")));
    }
}
