//! The list of runs.

use super::words;
use crate::ui::{Esc, Look, Table, span};
use sandgate_driver::RunRow;

/// As text, the latest last: where one looks.
pub(crate) fn text(rows: &[RunRow], look: &Look) -> String {
    let mut table = Table::new(&["run", "workflow", "state", "created", "took", "tasks"]);
    for row in rows {
        table.row([
            look.bold(row.run.short()),
            Esc(&row.workflow).to_string(),
            words::run_state(look, row.state, row.outcome, row.paused),
            look.zone.day(row.created),
            row.ended
                .map_or_else(String::new, |end| span(end.since(row.created))),
            format!("{} of {} succeeded", row.succeeded, row.tasks),
        ]);
    }
    table.render(look, 0)
}
