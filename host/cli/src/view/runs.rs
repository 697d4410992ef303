//! The list of runs.

use super::words;
use crate::ui::{Esc, Look, Table, span};
use sandgate_driver::RunRow;
use serde::Serialize;

/// A run in the list.
#[derive(Serialize)]
pub(crate) struct Row {
    /// The run.
    #[serde(flatten)]
    pub(crate) row: RunRow,
    /// How many of its requests wait for people.
    pub(crate) asks: usize,
}

/// The badge of a run that waits for people.
const NEEDS: &str = "NEEDS RESPONSE";

/// As text, the latest last: where one looks.
pub(crate) fn text(rows: &[Row], look: &Look) -> String {
    let mut table = Table::new(&["run", "workflow", "state", "created", "took", "tasks"]);
    for Row { row, asks } in rows {
        let mut state = words::run_state(look, row.state, row.outcome, row.paused);
        if *asks > 0 {
            state.push_str(&format!("  {}", look.warn(NEEDS)));
        }
        table.row([
            look.bold(row.run.short()),
            Esc(&row.workflow).to_string(),
            state,
            look.zone.day(row.created),
            row.ended
                .map_or_else(String::new, |end| span(end.since(row.created))),
            format!("{} of {} succeeded", row.succeeded, row.tasks),
        ]);
    }
    table.render(look, 0)
}
