//! `dispatch`, `verify`, `cancel`, `resume`, `retry`: one thing asked of a run that exists.

use crate::{
    args::{Cancel, Retry, Step, Which},
    context::Context,
    desk::Desk,
    error::CliError,
    exit::Exit,
    pick,
    view::{summary, words},
};
use sandgate_driver::Request;
use sandgate_engine::{RunState, Wait};
use sandgate_model::RunId;

/// `dispatch`.
pub(super) async fn dispatch(ctx: &Context, args: &Step) -> Result<Exit, CliError> {
    let (mut desk, id) = open(ctx, args.run.as_deref())?;
    desk.adopt(id).await?;
    desk.request(id, Request::Dispatch).await?;
    desk.drive(false).await?;
    let exit = desk.report(&ctx.ui, id)?;
    let run = desk.run(id)?;
    // Waiting for `verify` is where this step ends.
    Ok(match run.state() {
        RunState::Running if run.waits().contains(&Wait::Verify) => {
            match summary::ended(&run.summary()).work_good {
                true => Exit::Success,
                false => Exit::Failed,
            }
        }
        _ => exit,
    })
}

/// `verify`.
pub(super) async fn verify(ctx: &Context, args: &Step) -> Result<Exit, CliError> {
    let (mut desk, id) = open(ctx, args.run.as_deref())?;
    desk.adopt(id).await?;
    desk.request(id, Request::Verify).await?;
    desk.drive(false).await?;
    desk.report(&ctx.ui, id)
}

/// `cancel`.
pub(super) async fn cancel(ctx: &Context, args: &Cancel) -> Result<Exit, CliError> {
    let (mut desk, id) = open(ctx, args.run.as_deref())?;
    desk.adopt(id).await?;
    desk.request(
        id,
        Request::Cancel {
            reason: args.reason.clone(),
        },
    )
    .await?;
    desk.drive(false).await?;
    let exit = desk.report(&ctx.ui, id)?;
    let run = desk.run(id)?;
    Ok(if run.state() == RunState::Cancelled {
        Exit::Success
    } else {
        exit
    })
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
    let known = reader.run(id).map_err(|e| crate::context::look_error(&e))?;
    let mut tasks = Vec::new();
    for name in named {
        tasks.push(pick::task(&known, name)?.0);
    }
    drop(reader);
    let mut desk = Desk::open(ctx, project)?;
    desk.adopt(id).await?;
    desk.request(id, Request::Retry { tasks }).await?;
    desk.drive(false).await?;
    desk.report(&ctx.ui, id)
}

/// `resume`.
pub(super) async fn resume(ctx: &Context, args: &Which) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let Some(reader) = ctx.reader_if_any(&project)? else {
        ctx.ui
            .note("nothing to resume: nothing has run in this project yet");
        return Ok(Exit::Success);
    };
    let named = match args.run.as_deref() {
        Some(typed) => Some(pick::run(&reader, Some(typed))?),
        None => None,
    };
    drop(reader);
    let mut desk = Desk::open(ctx, project)?;
    let ids: Vec<RunId> = match named {
        Some(id) => vec![id],
        None => {
            let rows = desk
                .host
                .unfinished()
                .map_err(|e| crate::context::look_error(&e))?;
            rows.iter().map(|row| row.run).collect()
        }
    };
    if ids.is_empty() {
        desk.finish();
        ctx.ui.note("nothing to resume: every run has ended");
        return Ok(Exit::Success);
    }
    for id in &ids {
        desk.adopt(*id).await?;
        let run = desk.run(*id)?;
        if run.state().ended() {
            desk.finish();
            let state = words::run_state(&ctx.ui.err, run.state(), run.outcome(), false);
            return Err(
                CliError::usage(format!("run {} has ended: {state}", id.short())).hint(format!(
                    "`sandgate retry {}` tries what failed again",
                    id.short()
                )),
            );
        }
        if run.paused() {
            desk.request(*id, Request::Resume).await?;
        }
    }
    desk.drive(false).await?;
    let mut worst = Exit::Success;
    for id in ids {
        let exit = desk.report(&ctx.ui, id)?;
        if weight(exit) > weight(worst) {
            worst = exit;
        }
    }
    Ok(worst)
}

/// Which of two exit codes a person should hear of first.
fn weight(exit: Exit) -> u8 {
    match exit {
        Exit::Success => 0,
        Exit::Waiting => 1,
        Exit::Gate => 2,
        Exit::Failed => 3,
        Exit::Budget => 4,
        Exit::Refused => 5,
        Exit::Usage => 6,
        Exit::BrokenPipe => 7,
        Exit::Interrupted | Exit::Terminated => 8,
    }
}

/// The host, and the run that is meant.
fn open(ctx: &Context, run: Option<&str>) -> Result<(Desk, RunId), CliError> {
    let project = ctx.project()?;
    let id = pick::run(&ctx.reader(&project)?, run)?;
    Ok((Desk::open(ctx, project)?, id))
}
