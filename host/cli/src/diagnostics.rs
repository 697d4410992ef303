//! Mistakes in user files, on their way to a person or a program. The text is made by the layer that knows the files.

use crate::{
    error::CliError,
    ui::{Look, Ui, count, stderr},
};
use sandgate_workflow::{Code, Diagnostics, JsonDiagnostic, Severity, Style};
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

/// A file that cannot be used; shows all that is wrong with it.
pub(crate) fn invalid(ui: &Ui, message: &str, found: &Diagnostics) -> CliError {
    fill(CliError::invalid(counted(message, found)), ui, found)
}

/// A workflow that was not taken. When the policy is all that stands against it, that is a refusal.
pub(crate) fn not_taken(ui: &Ui, found: &Diagnostics) -> CliError {
    let message = counted("nothing was started", found);
    let mut errors = found.iter().filter(|d| d.severity == Severity::Error);
    let refused = found.dropped() == 0 && errors.all(|d| d.code == Code::REFUSED);
    let error = if refused {
        CliError::refused(message)
    } else {
        CliError::invalid(message)
    };
    fill(error, ui, found)
}

fn counted(message: &str, found: &Diagnostics) -> String {
    let warnings = found.total() - found.errors();
    let mut message = format!("{message}: {}", count(found.errors(), "mistake"));
    if warnings > 0 {
        message.push_str(&format!(", {}", count(warnings, "warning")));
    }
    message
}

fn fill(error: CliError, ui: &Ui, found: &Diagnostics) -> CliError {
    let value = serde_json::to_value(list(found)).unwrap_or(Value::Null);
    error.details(text(&ui.err, found), value)
}
