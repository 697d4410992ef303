//! `approvals`: what waits for people and for signals, in every run.

use crate::{
    args::Approvals, context::Context, control::Control, error::CliError, exit::Exit, pick,
    ui::now, view::approvals,
};
use sandgate_driver::Wish;
use sandgate_engine::Run;
use serde_json::json;

/// `approvals`.
pub(super) async fn approvals(ctx: &Context, args: &Approvals) -> Result<Exit, CliError> {
    if let Some(typed) = &args.revoke {
        return revoke(ctx, typed, &args.reason).await;
    }
    let project = ctx.project()?;
    let runs: Vec<Run> = match ctx.reader_if_any(&project)? {
        None => Vec::new(),
        Some(reader) => match args.run.as_deref() {
            Some(typed) => {
                let id = pick::run(&reader, Some(typed))?;
                vec![reader.run(id).map_err(|e| crate::context::look_error(&e))?]
            }
            None => pick::ask::runs(&reader, args.all)?,
        },
    };
    let ui = &ctx.ui;
    if args.standing {
        let rows = approvals::standing(&runs);
        match ui.json() {
            true => ui.document("sandgate.standing/1", json!({ "standing": rows }))?,
            false if rows.is_empty() => ui.note("no approval holds for a run"),
            false => ui.print(&approvals::standing_text(&rows, &ui.out))?,
        }
        return Ok(Exit::Success);
    }
    let list = approvals::collect(&runs, args.all, &ui.out);
    if ui.json() {
        ui.document("sandgate.approvals/1", &list)?;
        return Ok(Exit::Success);
    }
    let text = approvals::text(&list, now(), &ui.out);
    match text.is_empty() {
        true => ui.note("nothing waits for a person or a signal"),
        false => ui.print(&text)?,
    }
    Ok(Exit::Success)
}

/// `approvals --revoke`.
async fn revoke(ctx: &Context, typed: &str, reason: &str) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    if !typed.contains('/') {
        return Err(CliError::usage(format!(
            "`{}` does not name an approval",
            crate::ui::Esc(typed)
        ))
        .hint("write RUN/N; `sandgate approvals --standing` lists what holds for a run"));
    }
    let (run, ask) = pick::ask::ask(&reader, &[], typed, false)?;
    drop(reader);
    let mut control = Control::open(ctx, project).await?;
    control
        .wish(Wish::Revoke {
            run: run.id(),
            ask,
            reason: reason.to_owned(),
        })
        .await?;
    let id = format!("{}/{ask}", run.id().short());
    match ctx.ui.json() {
        true => ctx.ui.document("sandgate.revoked/1", json!({ "id": id }))?,
        false => ctx.ui.print(&format!(
            "{id}: taken back; later uses are asked about again, what has begun goes on\n"
        ))?,
    }
    Ok(Exit::Success)
}
