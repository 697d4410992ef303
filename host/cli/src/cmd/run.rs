//! `run`, `inspect`, `plan`: commands that begin with a workflow.

use super::policy;
use crate::{
    args::{RunArgs, WorkflowArgs},
    context::{Context, look_error},
    control::Control,
    desk::{self, At, Desk},
    diagnostics,
    error::{CliError, io_error},
    exit::{self, Exit},
    follow::{How, follow, until_rest},
    plugins,
    ui::Esc,
    view::{dry, packet, plan, summary, words},
};
use sandgate_driver::{
    HostOptions, ModelSource, Plugins, Project, Reader, RunRow, Submission, SubmitError, Wish,
    check,
};
use sandgate_engine::{Run, RunState, Steps};
use sandgate_model::{Digest, RunId};
use sandgate_workflow::{Given, Source};
use serde_json::json;
use std::{collections::BTreeMap, io::Write as _, sync::Arc};

/// Goes all the way alone.
const ALL: Steps = Steps {
    dispatch: true,
    verify: true,
};

/// `run`.
pub(super) async fn run(ctx: &Context, args: &RunArgs) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let source = ctx.workflow(&project, &args.workflow.workflow)?;
    let inputs = inputs(&args.workflow)?;
    if args.dry_run {
        return dry_run(ctx, project, &source, &inputs).await;
    }
    let options = HostOptions {
        models: models(ctx, args)?,
        ..ctx.host_options()
    };
    let mut desk = match At::open(ctx, &project, &options).await? {
        At::Here(desk) => desk,
        At::There(control) => {
            if args.record_models.is_some() || args.replay_models.is_some() {
                return Err(CliError::held(
                    "another process drives this project, and asks its models in its own way",
                )
                .hint("stop it first, or leave `--record-models` and `--replay-models` out"));
            }
            return there(ctx, &project, *control, Wanted { source, inputs }, args).await;
        }
    };
    if !args.no_prompt {
        desk.ask_in_place(ctx, Arc::clone(&project));
    }
    policy::gatekeep(ctx, &project, desk.host.plugins(), &source)
        .await
        .map_err(|e| desk.failed(e))?;
    let before = if args.new {
        None
    } else {
        let rows = desk.host.unfinished().map_err(|e| look_error(&e))?;
        let looked = Looked {
            reader: desk.host.reader(),
            project: desk.host.project(),
            plugins: desk.host.plugins(),
        };
        interrupted(ctx, &looked, &rows, &source, &inputs).await?
    };
    let id = match before {
        Some(id) => {
            desk.note(&ctx.ui, &going_on(id));
            desk.adopt(id).await?;
            id
        }
        None => {
            desk.submit(
                &ctx.ui,
                Submission {
                    source,
                    inputs,
                    steps: ALL,
                    by: ctx.speaker(),
                },
            )
            .await?
        }
    };
    desk.drive(args.wait).await?;
    desk.compare(&ctx.ui, id).await;
    if let (Some(file), Some(recording)) = (&args.record_models, desk.host.recording()) {
        let path = ctx.path(file);
        let mut new = std::fs::File::create_new(&path)
            .map_err(|e| desk.failed(io_error("write", &path, &e)))?;
        new.write_all(recording.as_bytes())
            .map_err(|e| desk.failed(io_error("write", &path, &e)))?;
    }
    desk.report(&ctx.ui, id)
}

fn going_on(id: RunId) -> String {
    format!(
        "going on with run {}; `--new` starts another one",
        id.short()
    )
}

/// What is to run.
struct Wanted {
    source: Arc<Source>,
    inputs: BTreeMap<String, String>,
}

/// Hands a workflow to whoever drives the project. Answers with the new run.
async fn hand_over(
    ctx: &Context,
    project: &Arc<Project>,
    control: &mut Control,
    wanted: Wanted,
    steps: Steps,
) -> Result<RunId, CliError> {
    let plugins = plugins::of(ctx, project)?;
    policy::gatekeep(ctx, project, &plugins, &wanted.source).await?;
    let run = RunId::new(uuid::Uuid::now_v7());
    let wish = Wish::Submit {
        run,
        file: wanted.source.name().to_owned(),
        text: wanted.source.text().to_owned(),
        inputs: wanted.inputs,
        steps,
    };
    control.wish(wish).await?;
    Ok(run)
}

/// `run` while another process drives the project.
async fn there(
    ctx: &Context,
    project: &Arc<Project>,
    mut control: Control,
    wanted: Wanted,
    args: &RunArgs,
) -> Result<Exit, CliError> {
    let before = match args.new {
        true => None,
        false => {
            let reader = ctx.reader(project)?;
            let plugins = plugins::of(ctx, project)?;
            let rows = reader.runs().map_err(|e| look_error(&e))?;
            let rows: Vec<RunRow> = rows.into_iter().filter(|r| !r.state.ended()).collect();
            let looked = Looked {
                reader: &reader,
                project,
                plugins: &plugins,
            };
            interrupted(ctx, &looked, &rows, &wanted.source, &wanted.inputs).await?
        }
    };
    let id = match before {
        Some(run) => {
            ctx.ui.note(&going_on(run));
            let tasks = Vec::new();
            control.wish(Wish::Resume { run, tasks }).await?;
            run
        }
        None => hand_over(ctx, project, &mut control, wanted, ALL).await?,
    };
    drop(control);
    let how = How {
        new: before.is_none(),
        ask: !args.no_prompt,
        wait: args.wait,
    };
    follow(ctx, project, id, how).await
}

/// Where answers of models come from.
fn models(ctx: &Context, args: &RunArgs) -> Result<ModelSource, CliError> {
    match (&args.record_models, &args.replay_models) {
        (_, Some(file)) => {
            let path = ctx.path(file);
            let text = std::fs::read_to_string(&path).map_err(|e| io_error("read", &path, &e))?;
            Ok(ModelSource::Replay(text))
        }
        (Some(file), None) if ctx.path(file).exists() => {
            let shown = file.display().to_string();
            Err(CliError::usage(format!("{} exists already", Esc(&shown))))
        }
        (Some(_), None) => Ok(ModelSource::Record),
        (None, None) => Ok(ModelSource::Live),
    }
}

/// `run --dry-run`.
async fn dry_run(
    ctx: &Context,
    project: Arc<Project>,
    source: &Arc<Source>,
    inputs: &BTreeMap<String, String>,
) -> Result<Exit, CliError> {
    let desk = Desk::open(ctx, project)?;
    desk.finish();
    let dry = desk
        .host
        .dry_run(source, inputs)
        .await
        .map_err(|e| desk::submit_error(&ctx.ui, e))?;
    let ui = &ctx.ui;
    match ui.json() {
        true => ui.document(
            "sandgate.dry-run/1",
            json!({ "plan": dry.plan, "prediction": dry.prediction, "unasked": dry.unasked }),
        )?,
        false => {
            ui.print(&plan::text(&dry.plan, dry.prediction.plan, &ui.out))?;
            ui.print(&dry::text(&dry.prediction, &ui.out))?;
        }
    }
    if let Some(planner) = &dry.unasked {
        ui.note(&format!(
            "planner `{planner}` was not asked, since it does more than compute; its tasks are not in this plan"
        ));
    }
    ui.note("nothing was recorded, nothing was started");
    Ok(match dry.prediction.denials.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}

/// Where is looked for it.
struct Looked<'a> {
    reader: &'a Reader,
    project: &'a Project,
    plugins: &'a Plugins,
}

/// The latest run of the same text with the same inputs that did not come to its end, if it was meant to go all the
/// way alone: that is what "the same command goes on" means.
async fn interrupted(
    ctx: &Context,
    looked: &Looked<'_>,
    rows: &[RunRow],
    source: &Arc<Source>,
    inputs: &BTreeMap<String, String>,
) -> Result<Option<RunId>, CliError> {
    let digest = Digest::of(source.text().as_bytes());
    let mut same = Vec::new();
    for row in rows.iter().rev() {
        let run = looked.reader.run(row.run).map_err(|e| look_error(&e))?;
        if run.source() == digest && run.steps() == ALL {
            same.push(run);
        }
    }
    if same.is_empty() {
        return Ok(None);
    }
    // Only now the inputs matter, in the form in which a run keeps them.
    let checked = check(looked.project, looked.plugins, source).await;
    let Some(workflow) = checked.workflow else {
        return Err(diagnostics::not_taken(&ctx.ui, &checked.diagnostics));
    };
    let given = inputs
        .iter()
        .map(|(name, text)| (name.clone(), Given::from(text.as_str())))
        .collect();
    let bound = workflow
        .bind_inputs(&given)
        .map_err(|found| desk::submit_error(&ctx.ui, SubmitError::Invalid(found)))?;
    Ok(same
        .iter()
        .find(|run| *run.inputs() == bound)
        .map(|run| run.id()))
}

/// `inspect`.
pub(super) async fn inspect(ctx: &Context, args: &WorkflowArgs) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let source = ctx.workflow(&project, &args.workflow)?;
    let inputs = inputs(args)?;
    let desk = Desk::open(ctx, project)?;
    desk.finish();
    let shown = desk
        .host
        .inspect(&source, &inputs)
        .await
        .map_err(|e| desk::submit_error(&ctx.ui, e))?;
    match ctx.ui.json() {
        true => ctx.ui.document("sandgate.packet/1", &shown)?,
        false => ctx.ui.print(&packet::text(&shown, &ctx.ui.out))?,
    }
    Ok(Exit::Success)
}

/// `plan`.
pub(super) async fn plan(ctx: &Context, args: &WorkflowArgs) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let source = ctx.workflow(&project, &args.workflow)?;
    let inputs = inputs(args)?;
    let steps = Steps {
        dispatch: false,
        verify: false,
    };
    let (run, left) = match At::open(ctx, &project, &ctx.host_options()).await? {
        At::Here(desk) => planned(ctx, &project, *desk, Wanted { source, inputs }, steps).await?,
        At::There(mut control) => {
            let wanted = Wanted { source, inputs };
            let id = hand_over(ctx, &project, &mut control, wanted, steps).await?;
            drop(control);
            let how = How {
                new: true,
                ..How::default()
            };
            let followed = until_rest(ctx, &project, id, how).await?;
            (followed.run, followed.left)
        }
    };
    let id = run.id();
    let ui = &ctx.ui;
    let Some(made) = run.plan().filter(|_| run.state() == RunState::PlanReview) else {
        let summary = run.summary();
        let hint = format!(
            "run {0} is safe; go on with `sandgate resume {0}`",
            id.short()
        );
        desk::show(ui, &summary, left.map(|_| hint.as_str()))?;
        return Ok(left.unwrap_or_else(|| exit::of_run(summary::ended(&summary))));
    };
    if ui.json() {
        let digest = run.digest();
        ui.document(
            "sandgate.plan/1",
            json!({ "run": id, "digest": digest, "plan": &**made }),
        )?;
    } else {
        ui.print(&plan::text(made, run.digest(), &ui.out))?;
    }
    for wait in run.waits() {
        let wait = words::wait(&wait, id, &ui.err);
        ui.note(&format!("run {} waits for {wait}", id.short()));
    }
    Ok(Exit::Success)
}

/// Makes the plan here.
async fn planned(
    ctx: &Context,
    project: &Arc<Project>,
    mut desk: Desk,
    wanted: Wanted,
    steps: Steps,
) -> Result<(Run, Option<Exit>), CliError> {
    policy::gatekeep(ctx, project, desk.host.plugins(), &wanted.source)
        .await
        .map_err(|e| desk.failed(e))?;
    let submission = Submission {
        source: wanted.source,
        inputs: wanted.inputs,
        steps,
        by: ctx.speaker(),
    };
    let id = desk.submit(&ctx.ui, submission).await?;
    desk.drive(false).await?;
    desk.finish();
    let run = desk.run(id)?;
    let left = desk
        .signal()
        .filter(|_| run.plan().is_none() && !run.state().ended());
    Ok((run, left))
}

/// Inputs by name; a repeated one is a slip, not an override.
fn inputs(args: &WorkflowArgs) -> Result<BTreeMap<String, String>, CliError> {
    let mut inputs = BTreeMap::new();
    for (name, value) in &args.inputs {
        if inputs.insert(name.clone(), value.clone()).is_some() {
            return Err(CliError::usage(format!(
                "the input `{}` is given twice",
                Esc(name)
            )));
        }
    }
    Ok(inputs)
}
