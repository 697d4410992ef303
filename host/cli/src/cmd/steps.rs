//! `dispatch`, `verify`, `retry`: one step of a run that exists, taken here or by whoever drives the project.

use crate::{
    args::{Retry, Step},
    context::{Context, look_error},
    desk::At,
    error::CliError,
    exit::Exit,
    follow::{How, follow},
    pick,
    view::summary,
};
use sandgate_driver::{Project, Request, Wish};
use sandgate_engine::{Run, RunState, Wait};
use sandgate_model::RunId;
use std::sync::Arc;

/// `dispatch`.
pub(super) async fn dispatch(ctx: &Context, args: &Step) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let id = pick::run(&ctx.reader(&project)?, args.run.as_deref())?;
    let exit = step(
        ctx,
        &project,
        id,
        Request::Dispatch,
        Wish::Dispatch { run: id },
    )
    .await?;
    let run = ctx.reader(&project)?.run(id).map_err(|e| look_error(&e))?;
    Ok(dispatched(&run).unwrap_or(exit))
}

/// Waiting for `verify` is where this step ends.
fn dispatched(run: &Run) -> Option<Exit> {
    match run.state() {
        RunState::Running if run.waits().contains(&Wait::Verify) => {
            Some(match summary::ended(&run.summary()).work_good {
                true => Exit::Success,
                false => Exit::Failed,
            })
        }
        _ => None,
    }
}

/// `verify`.
pub(super) async fn verify(ctx: &Context, args: &Step) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let id = pick::run(&ctx.reader(&project)?, args.run.as_deref())?;
    step(ctx, &project, id, Request::Verify, Wish::Verify { run: id }).await
}

/// `retry`.
pub(super) async fn retry(ctx: &Context, args: &Retry) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    // `retry TASK` means a task of the latest run, when TASK is not a run.
    let (run, mut named) = match args.run.as_deref() {
        Some(first) if !pick::names_a_run(&reader, first)? => (None, vec![first]),
        run => (run, Vec::new()),
    };
    named.extend(args.tasks.iter().map(String::as_str));
    let id = pick::run(&reader, run)?;
    let known = reader.run(id).map_err(|e| look_error(&e))?;
    let mut tasks = Vec::new();
    for name in named {
        tasks.push(pick::task(&known, name)?.0);
    }
    drop(reader);
    let wish = Wish::Retry {
        run: id,
        tasks: tasks.clone(),
    };
    step(ctx, &project, id, Request::Retry { tasks }, wish).await
}

/// Takes the step, and shows what came of it.
async fn step(
    ctx: &Context,
    project: &Arc<Project>,
    id: RunId,
    request: Request,
    wish: Wish,
) -> Result<Exit, CliError> {
    match At::open(ctx, project, &ctx.host_options()).await? {
        At::Here(mut desk) => {
            desk.ask_in_place(ctx, Arc::clone(project));
            desk.adopt(id).await?;
            desk.request(id, request).await?;
            desk.drive(false).await?;
            desk.report(&ctx.ui, id)
        }
        At::There(mut control) => {
            control.wish(wish).await?;
            drop(control);
            let how = How {
                ask: true,
                ..How::default()
            };
            follow(ctx, project, id, how).await
        }
    }
}
