//! The list of runs.

use super::words;
use crate::ui::{Look, Table, span};
use sandgate_engine::{Outcome, Run, RunState, TaskState};
use sandgate_model::{Moment, RunId, WorkflowName};
use serde::Serialize;
use std::collections::BTreeMap;

/// One run in the list.
#[derive(Serialize)]
pub(crate) struct Row {
    run: RunId,
    workflow: WorkflowName,
    file: String,
    state: RunState,
    outcome: Option<Outcome>,
    paused: bool,
    created: Moment,
    ended: Option<Moment>,
    counts: BTreeMap<TaskState, u32>,
}

impl Row {
    /// What the list says of a run.
    pub(crate) fn new(run: &Run) -> Self {
        let mut counts = BTreeMap::new();
        for task in run.tasks() {
            *counts.entry(task.state).or_insert(0) += 1;
        }
        Self {
            run: run.id(),
            workflow: run.workflow().clone(),
            file: run.file().to_owned(),
            state: run.state(),
            outcome: run.outcome(),
            paused: run.paused(),
            created: run.created(),
            ended: run.ended(),
            counts,
        }
    }
}

/// As text, the latest last: where one looks.
pub(crate) fn text(rows: &[Row], look: &Look) -> String {
    let mut table = Table::new(&["run", "workflow", "state", "created", "took", "tasks"]);
    for row in rows {
        table.row([
            look.bold(row.run.short()),
            row.workflow.to_string(),
            words::run_state(look, row.state, row.outcome, row.paused),
            look.zone.day(row.created),
            row.ended.map_or_else(String::new, |end| span(end.since(row.created))),
            words::counts(&row.counts),
        ]);
    }
    table.render(look, 0)
}
