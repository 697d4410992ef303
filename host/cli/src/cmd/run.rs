//! `run`, `inspect`, `plan`: commands that begin with a workflow.

use super::policy;
use crate::{
    args::{RunArgs, WorkflowArgs},
    context::{Context, look_error},
    desk::{self, Desk},
    diagnostics,
    error::{CliError, io_error},
    exit::Exit,
    ui::Esc,
    view::{dry, packet, plan},
};
use sandgate_driver::{HostOptions, ModelSource, Project, Submission, SubmitError, check};
use sandgate_engine::{RunState, Steps};
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
    let mut desk = Desk::with(ctx, Arc::clone(&project), &options)?;
    policy::gatekeep(ctx, &project, desk.host.plugins(), &source)
        .await
        .map_err(|e| desk.failed(e))?;
    let before = if args.new {
        None
    } else {
        interrupted(&desk, &source, &inputs, ctx).await?
    };
    let id = match before {
        Some(id) => {
            desk.note(
                &ctx.ui,
                &format!(
                    "going on with run {}; `--new` starts another one",
                    id.short()
                ),
            );
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

/// The latest run of the same text with the same inputs that did not come to its end, if it was meant to go all the
/// way alone: that is what "the same command goes on" means.
async fn interrupted(
    desk: &Desk,
    source: &Arc<Source>,
    inputs: &BTreeMap<String, String>,
    ctx: &Context,
) -> Result<Option<RunId>, CliError> {
    let digest = Digest::of(source.text().as_bytes());
    let rows = desk.host.unfinished().map_err(|e| look_error(&e))?;
    let mut same = Vec::new();
    for row in rows.iter().rev() {
        let run = desk
            .host
            .reader()
            .run(row.run)
            .map_err(|e| look_error(&e))?;
        if run.source() == digest && run.steps() == ALL {
            same.push(run);
        }
    }
    if same.is_empty() {
        return Ok(None);
    }
    // Only now the inputs matter, in the form in which a run keeps them.
    let checked = check(desk.host.project(), desk.host.plugins(), source).await;
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
    let mut desk = Desk::open(ctx, Arc::clone(&project))?;
    policy::gatekeep(ctx, &project, desk.host.plugins(), &source)
        .await
        .map_err(|e| desk.failed(e))?;
    let steps = Steps {
        dispatch: false,
        verify: false,
    };
    let id = desk
        .submit(
            &ctx.ui,
            Submission {
                source,
                inputs,
                steps,
            },
        )
        .await?;
    desk.drive(false).await?;
    desk.finish();
    let run = desk.run(id)?;
    let Some(made) = run.plan().filter(|_| run.state() == RunState::PlanReview) else {
        return desk.report(&ctx.ui, id);
    };
    let ui = &ctx.ui;
    if ui.json() {
        let digest = run.digest();
        ui.document(
            "sandgate.plan/1",
            json!({ "run": id, "digest": digest, "plan": &**made }),
        )?;
    } else {
        ui.print(&plan::text(made, run.digest(), &ui.out))?;
    }
    let waits = if made.review {
        "an approval of the plan"
    } else {
        "dispatch"
    };
    let mut note = format!("run {} waits for {waits}", id.short());
    if !made.review {
        note.push_str(&format!("; go on with `sandgate dispatch {}`", id.short()));
    }
    ui.note(&note);
    Ok(Exit::Success)
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
