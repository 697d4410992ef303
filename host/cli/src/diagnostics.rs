//! Mistakes in user files, on their way to a person or a program. The text is made by the layer that knows the files.

use crate::{
    error::CliError,
    ui::{Ui, count, stderr},
};
use sandgate_workflow::{Diagnostics, RenderOptions, render, to_json};
use serde_json::Value;

/// The text of all of them.
fn text(ui: &Ui, found: &Diagnostics) -> String {
    render(found, &RenderOptions { colour: ui.err.coloured(), width: ui.err.wrap_at() })
}

/// The same for programs.
pub(crate) fn value(found: &Diagnostics) -> Value {
    to_json(found)
}

/// Tells about warnings; they stop nothing.
pub(crate) fn tell(ui: &Ui, found: &Diagnostics) {
    if found.is_empty() || ui.quiet {
        return;
    }
    if ui.json() {
        ui.note_document("sandgate.diagnostics/1", serde_json::json!({ "diagnostics": value(found) }));
    } else {
        stderr(&text(ui, found));
    }
}

/// An error that shows all of them.
pub(crate) fn error(ui: &Ui, message: &str, found: &Diagnostics) -> CliError {
    let warnings = found.total() - found.errors();
    let mut message = format!("{message}: {}", count(found.errors(), "error"));
    if warnings > 0 {
        message.push_str(&format!(", {}", count(warnings, "warning")));
    }
    CliError::invalid(message).details(text(ui, found), value(found))
}
