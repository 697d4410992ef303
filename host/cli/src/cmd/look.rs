//! `runs`, `status`, `summary`, `why`: looking at runs. Works beside a host that drives them.

use crate::{
    args::{Runs, Summary, Which, Why},
    context::{Context, look_error},
    error::{CliError, io_error},
    exit::Exit,
    pick, suggest,
    ui::{Esc, lines, now},
    view::{self, why},
};
use sandgate_driver::{Project, Reader, RunRow};
use sandgate_engine::Run;
use sandgate_journal::Driving;
use sandgate_model::{Digest, Payload};
use serde_json::json;
use std::{fs::OpenOptions, io::Write as _, path::Path, sync::Arc};

/// `runs`.
pub(super) fn runs(ctx: &Context, args: &Runs) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let mut rows = match ctx.reader_if_any(&project)? {
        Some(reader) => reader.runs().map_err(|e| look_error(&e))?,
        None => Vec::new(),
    };
    let all = rows.len();
    if !args.all {
        rows.drain(..all.saturating_sub(args.limit));
    }
    let rows = waiting(ctx, &project, rows)?;
    let ui = &ctx.ui;
    if ui.json() {
        ui.document("sandgate.runs/1", json!({ "runs": rows, "total": all }))?;
    } else if rows.is_empty() {
        ui.note("there is no run yet; start one with `sandgate run WORKFLOW`");
    } else {
        ui.print(&view::runs::text(&rows, &ui.out))?;
        if rows.len() < all {
            ui.note(&format!(
                "the latest {} of {all}; `--all` shows all",
                rows.len()
            ));
        }
    }
    Ok(Exit::Success)
}

/// The rows, each with how many requests of the run wait for people.
fn waiting(
    ctx: &Context,
    project: &Project,
    rows: Vec<RunRow>,
) -> Result<Vec<view::runs::Row>, CliError> {
    let reader = ctx.reader_if_any(project)?;
    let count = |row: &RunRow| match &reader {
        Some(reader) if !row.state.ended() => {
            let run = reader.run(row.run).map_err(|e| look_error(&e))?;
            Ok(run.open_asks().count())
        }
        _ => Ok(0),
    };
    rows.into_iter()
        .map(|row| {
            Ok(view::runs::Row {
                asks: count(&row)?,
                row,
            })
        })
        .collect()
}

/// The run that is meant, as it is now.
fn find(ctx: &Context, typed: Option<&str>) -> Result<(Arc<Project>, Reader, Run), CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    let id = pick::run(&reader, typed)?;
    let run = reader.run(id).map_err(|e| look_error(&e))?;
    Ok((project, reader, run))
}

/// `status`.
pub(super) fn status(ctx: &Context, args: &Which) -> Result<Exit, CliError> {
    let (project, _, run) = find(ctx, args.run.as_deref())?;
    let holder = sandgate_journal::driving(&project.state_dir());
    let summary = run.summary();
    let ui = &ctx.ui;
    if ui.json() {
        let host = match holder {
            Driving::Process(pid) => json!({ "pid": pid }),
            Driving::Nobody | Driving::Unknown => json!(null),
        };
        ui.document(
            "sandgate.run/1",
            json!({
                "run": summary.run,
                "workflow": summary.workflow,
                "state": summary.state,
                "outcome": summary.outcome,
                "paused": summary.paused,
                "stopping": summary.stopping,
                "created": summary.created,
                "ended": summary.ended,
                "goal": summary.goal,
                "plan": summary.plan,
                "counts": summary.counts,
                "blocked": summary.blocked,
                "gates": summary.gates,
                "cost_micros": summary.cost_micros,
                "waits": summary.waits,
                "asks": summary.asks,
                "host": host,
            }),
        )?;
    } else {
        ui.print(&view::status::text(&summary, &holder, now(), &ui.out))?;
    }
    Ok(Exit::Success)
}

/// `summary`.
pub(super) fn summary(ctx: &Context, args: &Summary) -> Result<Exit, CliError> {
    let (_, reader, run) = find(ctx, args.run.as_deref())?;
    let bytes = match (&args.artifact, &args.task_output) {
        (Some(name), _) => {
            let digest = artifact(&run, name)?;
            reader.artifact(&digest).map_err(|e| look_error(&e))?
        }
        (None, Some(task)) => output(&reader, &run, task)?,
        (None, None) => {
            let summary = run.summary();
            match ctx.ui.json() {
                true => ctx.ui.own_document(&summary)?,
                false => ctx.ui.print(&view::summary::text(&summary, &ctx.ui.out))?,
            }
            return Ok(Exit::Success);
        }
    };
    match &args.into {
        Some(path) => {
            save(&ctx.path(path), &bytes)?;
            ctx.ui.note(&format!(
                "wrote {} bytes into {}",
                bytes.len(),
                Esc(&path.display().to_string())
            ));
        }
        None => show(ctx, &bytes)?,
    }
    Ok(Exit::Success)
}

/// The digest of the artifact that is meant by `TASK.NAME`.
fn artifact(run: &Run, typed: &str) -> Result<Digest, CliError> {
    let all: Vec<(String, Digest)> = run
        .tasks()
        .filter_map(|t| Some((t.id.clone(), t.output?)))
        .flat_map(|(id, output)| {
            output
                .artifacts
                .iter()
                .map(move |a| (format!("{id}.{}", a.name), a.digest))
        })
        .collect();
    let found = all
        .iter()
        .find(|(name, _)| name == typed)
        .map(|(_, digest)| *digest);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let error = CliError::usage(format!(
            "run {} has no artifact `{}`",
            run.id().short(),
            Esc(typed)
        ));
        match names.is_empty() {
            true => error.hint("it has no artifacts"),
            false => error.hint_maybe(suggest::hint(typed, "its artifacts", names.iter().copied())),
        }
    })
}

/// The output document of a task, as JSON.
fn output(reader: &Reader, run: &Run, typed: &str) -> Result<Vec<u8>, CliError> {
    let (ix, id) = pick::task(run, typed)?;
    let Some(output) = run.output(ix) else {
        let state = run.task(ix).map_or("unknown", |t| t.state.as_str());
        return Err(
            CliError::usage(format!("task {id} has no output: it is {state}"))
                .hint(format!("`sandgate why {} {id}` says why", run.id().short())),
        );
    };
    let value = match &output.output {
        Payload::Inline(value) => value.clone(),
        Payload::Stored { digest, .. } => {
            let bytes = reader.artifact(digest).map_err(|e| look_error(&e))?;
            serde_json::from_slice(&bytes).map_err(|e| {
                CliError::host(format!("the output of {id} is not JSON")).caused_by(&e)
            })?
        }
    };
    let mut bytes = serde_json::to_vec_pretty(&value).map_err(CliError::encode)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Writes into a file that must not exist: an artifact never overwrites anything.
fn save(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .map_err(|e| io_error("write", path, &e))
}

/// Writes the bytes as they are, except to a terminal, which would act on some of them.
fn show(ctx: &Context, bytes: &[u8]) -> Result<(), CliError> {
    if !ctx.ui.out_terminal {
        return ctx.ui.write(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => ctx.ui.print(&format!("{}\n", lines(text).join("\n"))),
        Err(_) => Err(CliError::usage(
            "these bytes are not text, and a terminal would act on them",
        )
        .hint("write them into a file with `-o FILE`")),
    }
}

/// `why`.
pub(super) fn why(ctx: &Context, args: &Why) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let reader = ctx.reader(&project)?;
    // `why TASK` means a task of the latest run, when TASK is not a run.
    let (typed, task) = match (args.run.as_deref(), args.task.as_deref()) {
        (Some(first), None) if !pick::names_a_run(&reader, first)? => (None, Some(first)),
        both => both,
    };
    let id = pick::run(&reader, typed)?;
    let run = reader.run(id).map_err(|e| look_error(&e))?;
    let named = match task {
        Some(task) => Some(pick::task(&run, task)?.1),
        None => None,
    };
    let summary = run.summary();
    let found = why::collect(&summary, run.open_waits(), named.as_ref());
    match ctx.ui.json() {
        true => ctx.ui.document("sandgate.why/1", &found)?,
        false => ctx
            .ui
            .print(&why::text(&summary, &found, now(), &ctx.ui.out))?,
    }
    Ok(Exit::Success)
}
