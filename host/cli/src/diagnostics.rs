//! Mistakes in user files, on their way to a person or a program. The text is made by the layer that knows the files.

use crate::{
    error::CliError,
    ui::{Look, Ui, count, stderr},
};
use sandgate_workflow::{Diagnostics, JsonDiagnostic, Style};
use serde_json::{Value, json};

/// The text of all of them; ends with an empty line when there are any.
fn text(look: &Look, found: &Diagnostics) -> String {
    found.render(if look.coloured() {
        Style::Coloured
    } else {
        Style::Plain
    })
}

/// The same for programs.
pub(crate) fn list(found: &Diagnostics) -> Vec<JsonDiagnostic> {
    found.to_json()
}

/// Tells about warnings; they stop nothing.
pub(crate) fn tell(ui: &Ui, found: &Diagnostics) {
    if found.is_empty() || ui.quiet {
        return;
    }
    if ui.json() {
        ui.note_document(
            "sandgate.diagnostics/1",
            json!({ "diagnostics": list(found) }),
        );
    } else {
        stderr(&text(&ui.err, found));
    }
}

/// An error that shows all of them.
pub(crate) fn error(ui: &Ui, message: &str, found: &Diagnostics) -> CliError {
    let warnings = found.total() - found.errors();
    let mut message = format!("{message}: {}", count(found.errors(), "mistake"));
    if warnings > 0 {
        message.push_str(&format!(", {}", count(warnings, "warning")));
    }
    let value = serde_json::to_value(list(found)).unwrap_or(Value::Null);
    CliError::invalid(message).details(text(&ui.err, found), value)
}
