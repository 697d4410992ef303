//! `policy`: what each task of a workflow may do, and what changed since it was accepted. Also the question that stands
//! before every run: does this go beyond what was accepted?

use crate::{
    args::Policy, context::Context, diagnostics, error::CliError, exit::Exit, plugins, ui::count,
    view::policy as view,
};
use sandgate_driver::{Acceptance, LOCK_FILE, LockError, Plugins, Project, check, imports};
use sandgate_workflow::{Source, policy_report};
use serde_json::json;
use std::sync::Arc;

/// `policy`.
pub(super) async fn policy(ctx: &Context, args: &Policy) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let source = ctx.workflow(&project, &args.workflow)?;
    let plugins = plugins::of(ctx, &project)?;
    // The report is most useful where something is refused, so a refusal does not keep it from being made.
    let (workflow, found) = sandgate_workflow::check(&source, project.file(), None);
    let Some(workflow) = workflow.filter(|_| !found.has_errors()) else {
        return Err(diagnostics::not_taken(&ctx.ui, &found));
    };
    let names = plugins.wanted(&workflow);
    let names = names
        .into_iter()
        .chain(workflow.planner.iter().map(|p| p.plugin.value.clone()))
        .collect();
    let (catalog, problems) = plugins.catalog(&names).await;
    if let Some(problem) = problems.first() {
        return Err(CliError::invalid(format!(
            "plugin `{}` cannot be used: {}",
            problem.name, problem.message
        )));
    }
    let imports = imports(&plugins, &catalog).await;
    let report = policy_report(&workflow, project.file(), &catalog, &imports);
    let acceptance = Acceptance::of(&project, &plugins, &names)
        .await
        .map_err(|e| lock_error(ctx, e))?;
    let accepted = args.accept && acceptance.changes();
    if accepted {
        acceptance
            .accept(&project)
            .map_err(|e| lock_error(ctx, e))?;
    }
    let wider = acceptance.wider() && !args.accept;
    let ui = &ctx.ui;
    if ui.json() {
        ui.document(
            "sandgate.policy/1",
            json!({
                "report": report,
                "accepted": acceptance.accepted.is_some() || accepted,
                "wider": wider,
                "diff": view::diff_json(&acceptance.diff),
            }),
        )?;
    } else {
        ui.print(&view::text(&report, &ui.out))?;
        let diff = view::diff(&acceptance.diff, &ui.out);
        match (&acceptance.accepted, diff.is_empty()) {
            (_, true) => ui.print(&format!("\nas accepted in {LOCK_FILE}\n"))?,
            (None, false) => ui.print("\nnothing was accepted yet; the first run accepts what is shown here, or `--accept` does\n")?,
            (Some(_), false) => {
                let head = ui.out.bold(format!("since {LOCK_FILE} was written"));
                ui.print(&format!("\n{head}\n{diff}"))?;
            }
        }
        if accepted {
            ui.note(&format!("accepted: {LOCK_FILE} is written"));
        }
    }
    if wider {
        if !ui.json() {
            ui.note(
                "wider than what was accepted; accept it with `sandgate policy WORKFLOW --accept`",
            );
        }
        return Ok(Exit::Refused);
    }
    let refused = report.uses.iter().any(|u| !u.refused.is_empty());
    Ok(if refused {
        Exit::Refused
    } else {
        Exit::Success
    })
}

/// Before a run: what its plugins may do must not go beyond what was accepted. In a terminal a person is asked in place.
///
/// # Errors
/// When it goes beyond, and nobody accepted that.
pub(super) async fn gatekeep(
    ctx: &Context,
    project: &Arc<Project>,
    plugins: &Plugins,
    source: &Arc<Source>,
) -> Result<(), CliError> {
    let checked = check(project, plugins, source).await;
    // A workflow with mistakes is refused where it is taken in, with all of them.
    let Some(workflow) = checked.workflow else {
        return Ok(());
    };
    let mut names = plugins.wanted(&workflow);
    names.extend(workflow.planner.iter().map(|p| p.plugin.value.clone()));
    let acceptance = Acceptance::of(project, plugins, &names)
        .await
        .map_err(|e| lock_error(ctx, e))?;
    if !acceptance.changes() {
        return Ok(());
    }
    if acceptance.wider() {
        let diff = view::diff(&acceptance.diff, &ctx.ui.err);
        let changed = acceptance
            .diff
            .plugins
            .values()
            .filter(|d| !d.wider.is_empty())
            .count();
        let message = format!(
            "{} may do more than was accepted in {LOCK_FILE}",
            count(changed, "plugin")
        );
        if !ctx.ui.ask(&format!("{message}\n{diff}"), "accept this?") {
            let json = view::diff_json(&acceptance.diff);
            return Err(CliError::refused(message).details(diff, json).hint(format!(
                "look at it with `sandgate policy {0}`, accept it with `sandgate policy {0} --accept`",
                source.name()
            )));
        }
    }
    acceptance.accept(project).map_err(|e| lock_error(ctx, e))?;
    if acceptance.accepted.is_none() {
        ctx.ui.note(&format!(
            "what the plugins may do is accepted and kept in {LOCK_FILE}; later runs ask when it grows"
        ));
    }
    Ok(())
}

fn lock_error(ctx: &Context, error: LockError) -> CliError {
    match error {
        LockError::Invalid(found) => diagnostics::invalid(
            &ctx.ui,
            &format!("{LOCK_FILE} cannot be used"),
            &found,
        )
        .hint(format!(
            "put the old {LOCK_FILE} back, or remove it and look at `sandgate policy WORKFLOW`"
        )),
        error => CliError::host(error.to_string()).below(&error),
    }
}
