//! `schema`: the JSON Schema of a file format.

use crate::{args::Schema, context::Context, error::CliError, exit::Exit, suggest, ui::Esc};
use sandgate_workflow::{SchemaKind, schema as make};
use serde_json::json;

/// `schema`.
pub(super) fn schema(ctx: &Context, args: &Schema) -> Result<Exit, CliError> {
    let ui = &ctx.ui;
    let names = || SchemaKind::ALL.iter().map(|kind| kind.as_str());
    let Some(typed) = &args.kind else {
        match ui.json() {
            true => ui.document(
                "sandgate.schemas/1",
                json!({ "kinds": names().collect::<Vec<_>>() }),
            )?,
            false => ui.print(&names().map(|name| format!("{name}\n")).collect::<String>())?,
        }
        return Ok(Exit::Success);
    };
    let kind =
        SchemaKind::find(typed).ok_or_else(|| {
            CliError::usage(format!("there is no schema `{}`", Esc(typed))).hint_maybe(
                suggest::hint(typed, "there are", names().collect::<Vec<_>>()),
            )
        })?;
    // A schema is JSON in both formats, and has its own `$schema` instead of a `$type`.
    let text = serde_json::to_string_pretty(&make(kind)).map_err(CliError::encode)?;
    ui.print(&format!("{text}\n"))?;
    Ok(Exit::Success)
}
