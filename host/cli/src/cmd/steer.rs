//! `pause`, `resume`, `cancel`: a run, or some of its tasks, at any moment, whoever drives it.

use crate::{
    args::{Cancel, Steer},
    context::{Context, look_error},
    control::Control,
    desk::{self, At, Desk},
    error::CliError,
    exit::Exit,
    follow::{How, follow},
    pick,
    view::words,
};
use sandgate_driver::{Done, Project, Reader, Wish};
use sandgate_engine::{Run, RunState};
use sandgate_model::{RunId, TaskId, TaskIx};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Longest that `cancel` waits to show how the run ended: what runs is taken down within a second.
const ENDS: Duration = Duration::from_secs(10);

/// How often it looks.
const POLL: Duration = Duration::from_millis(50);

/// A run, and the tasks that were named; none: all of it.
struct Meant {
    run: Run,
    tasks: Vec<(TaskIx, TaskId)>,
}

impl Meant {
    /// `pause TASK` means a task of the latest run, when TASK is not a run.
    fn of(reader: &Reader, run: Option<&str>, tasks: &[String]) -> Result<Self, CliError> {
        let (run, mut named) = match run {
            Some(first) if !pick::names_a_run(reader, first)? => (None, vec![first]),
            run => (run, Vec::new()),
        };
        named.extend(tasks.iter().map(String::as_str));
        let id = pick::run(reader, run)?;
        let run = reader.run(id).map_err(|e| look_error(&e))?;
        let tasks = named
            .into_iter()
            .map(|name| pick::task(&run, name))
            .collect::<Result<_, _>>()?;
        Ok(Self { run, tasks })
    }

    fn indices(&self) -> Vec<TaskIx> {
        self.tasks.iter().map(|(ix, _)| *ix).collect()
    }

    fn names(&self) -> Vec<String> {
        self.tasks.iter().map(|(_, id)| id.to_string()).collect()
    }

    /// `run deadbeef`, `task a, b of run deadbeef`.
    fn in_words(&self) -> String {
        let run = format!("run {}", self.run.id().short());
        match self.tasks.len() {
            0 => run,
            1 => format!("task {} of {run}", self.names().join(", ")),
            _ => format!("tasks {} of {run}", self.names().join(", ")),
        }
    }
}

/// `pause`.
pub(super) async fn pause(ctx: &Context, args: &Steer) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let meant = Meant::of(&ctx.reader(&project)?, args.run.as_deref(), &args.tasks)?;
    let mut control = Control::open(ctx, project).await?;
    let done = control
        .wish(Wish::Pause {
            run: meant.run.id(),
            tasks: meant.indices(),
        })
        .await?;
    let mut again = format!("sandgate resume {}", meant.run.id().short());
    for name in meant.names() {
        again.push_str(&format!(" {name}"));
    }
    let text = format!(
        "{} paused: nothing new starts, what runs goes on; `{again}` ends the pause\n",
        meant.in_words()
    );
    told(ctx, &meant, "paused", &done, &text)
}

fn told(
    ctx: &Context,
    meant: &Meant,
    what: &str,
    done: &Done,
    text: &str,
) -> Result<Exit, CliError> {
    let state = match done {
        Done::Recorded { state } => *state,
        _ => meant.run.state(),
    };
    match ctx.ui.json() {
        true => ctx.ui.document(
            "sandgate.steered/1",
            json!({
                "run": meant.run.id(),
                "tasks": meant.names(),
                "done": what,
                "state": state,
            }),
        )?,
        false => ctx.ui.print(text)?,
    }
    Ok(Exit::Success)
}

/// `cancel`.
pub(super) async fn cancel(ctx: &Context, args: &Cancel) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let meant = Meant::of(&ctx.reader(&project)?, args.run.as_deref(), &args.tasks)?;
    let id = meant.run.id();
    let mut control = Control::open(ctx, Arc::clone(&project)).await?;
    let done = control
        .wish(Wish::Cancel {
            run: id,
            tasks: meant.indices(),
            reason: args.reason.clone(),
        })
        .await?;
    if !meant.tasks.is_empty() {
        let text = format!(
            "{}: cancelled; what needs it is skipped, the rest goes on\n",
            meant.in_words()
        );
        return told(ctx, &meant, "cancelled", &done, &text);
    }
    let reader = ctx.reader(&project)?;
    let start = Instant::now();
    let mut run = reader.run(id).map_err(|e| look_error(&e))?;
    while !run.state().ended() && start.elapsed() < ENDS {
        tokio::time::sleep(POLL).await;
        run = reader.run(id).map_err(|e| look_error(&e))?;
    }
    drop(control);
    desk::show(&ctx.ui, &run.summary(), None)?;
    match run.state() {
        RunState::Cancelled => Ok(Exit::Success),
        state if state.ended() => Ok(crate::exit::of_run(crate::view::summary::ended(
            &run.summary(),
        ))),
        _ => Err(CliError::host(format!(
            "run {} is to be cancelled, and has not ended yet",
            id.short()
        ))
        .hint(format!(
            "`sandgate status {}` shows what still runs",
            id.short()
        ))),
    }
}

/// `resume`.
pub(super) async fn resume(ctx: &Context, args: &Steer) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let Some(reader) = ctx.reader_if_any(&project)? else {
        ctx.ui
            .note("nothing to resume: nothing has run in this project yet");
        return Ok(Exit::Success);
    };
    let meant = match (args.run.as_deref(), args.tasks.as_slice()) {
        (None, []) => None,
        (run, tasks) => Some(Meant::of(&reader, run, tasks)?),
    };
    let (ids, tasks) = match &meant {
        Some(meant) => (vec![meant.run.id()], meant.indices()),
        None => {
            let rows = reader.runs().map_err(|e| look_error(&e))?;
            let open = rows.iter().filter(|row| !row.state.ended());
            (open.map(|row| row.run).collect(), Vec::new())
        }
    };
    drop(reader);
    if ids.is_empty() {
        ctx.ui.note("nothing to resume: every run has ended");
        return Ok(Exit::Success);
    }
    if let Some(run) = meant.as_ref().map(|m| &m.run)
        && run.state().ended()
    {
        let state = words::run_state(&ctx.ui.err, run.state(), run.outcome(), false);
        let short = run.id().short();
        return Err(CliError::usage(format!("run {short} has ended: {state}"))
            .hint(format!("`sandgate retry {short}` tries what failed again")));
    }
    match At::open(ctx, &project, &ctx.host_options()).await? {
        At::Here(desk) => here(ctx, project, *desk, &ids, tasks).await,
        At::There(control) => there(ctx, &project, *control, &ids, tasks).await,
    }
}

/// Goes on with runs that nobody drives.
pub(super) async fn drive(
    ctx: &Context,
    project: Arc<Project>,
    ids: &[RunId],
) -> Result<Exit, CliError> {
    match At::open(ctx, &project, &ctx.host_options()).await? {
        At::Here(desk) => here(ctx, project, *desk, ids, Vec::new()).await,
        At::There(control) => there(ctx, &project, *control, ids, Vec::new()).await,
    }
}

async fn here(
    ctx: &Context,
    project: Arc<Project>,
    mut desk: Desk,
    ids: &[RunId],
    tasks: Vec<TaskIx>,
) -> Result<Exit, CliError> {
    desk.ask_in_place(ctx, project);
    for id in ids {
        desk.adopt(*id).await?;
        if desk.run(*id)?.paused() && tasks.is_empty() {
            desk.request(*id, sandgate_driver::Request::Resume { tasks: Vec::new() })
                .await?;
        }
        if !tasks.is_empty() {
            let tasks = tasks.clone();
            desk.request(*id, sandgate_driver::Request::Resume { tasks })
                .await?;
        }
    }
    desk.drive(false).await?;
    let mut worst = Exit::Success;
    for id in ids {
        let exit = desk.report(&ctx.ui, *id)?;
        if weight(exit) > weight(worst) {
            worst = exit;
        }
    }
    Ok(worst)
}

async fn there(
    ctx: &Context,
    project: &Arc<Project>,
    mut control: Control,
    ids: &[RunId],
    tasks: Vec<TaskIx>,
) -> Result<Exit, CliError> {
    for id in ids {
        let tasks = tasks.clone();
        control.wish(Wish::Resume { run: *id, tasks }).await?;
    }
    drop(control);
    let [id] = ids else {
        ctx.ui.note(&format!(
            "{} go on where the project is driven; `sandgate runs` shows how",
            crate::ui::count(ids.len(), "run")
        ));
        return Ok(Exit::Success);
    };
    let how = How {
        ask: true,
        ..How::default()
    };
    follow(ctx, project, *id, how).await
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
