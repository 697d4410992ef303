//! What a wish needs before the loop can take it in: a workflow is checked, an edited plan is validated, a large value is
//! stored. Records nothing.

use super::{Wanted, Wish, WishError};
use crate::{
    attempt, check,
    local::Shared,
    planning,
    reader::{LookError, Reader},
    work::Prepared,
};
use sandgate_engine::{Allowance, Event, RunState, Steps, signal_digest};
use sandgate_journal::OpenError;
use sandgate_model::{Actor, Digest, RunBudget, RunId, Signal};
use sandgate_workflow::{
    Context, Given, Source, Style, Workflow, freeze_edited, read_edited, render_text,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Makes a wish ready for the loop.
pub(super) async fn prepare(
    shared: &Arc<Shared>,
    by: Actor,
    wish: Wish,
) -> Result<Prepared, WishError> {
    Ok(match wish {
        Wish::Signal {
            id,
            kind,
            fields,
            data,
        } => {
            let digest = signal_digest(&kind, &fields, &data);
            let data = attempt::payload(shared, data)
                .await
                .map_err(WishError::host)?;
            Prepared::Signal(Signal {
                id,
                kind,
                fields,
                data,
                digest,
                by,
                at: shared.clock.now(),
            })
        }
        Wish::Submit {
            run,
            file,
            text,
            inputs,
            steps,
        } => {
            let source = Source::new(file, text);
            let first = created(shared, &source, &inputs, steps, by).await?;
            Prepared::Create { run, first }
        }
        Wish::Modify {
            run,
            was,
            text,
            name,
            reason,
        } => {
            let edited = Edited {
                run,
                was,
                text,
                name,
                reason,
            };
            modified(shared, by, edited).await?
        }
        wish => Prepared::Plain(Wanted { by, wish }),
    })
}

/// The first event of a run.
pub(crate) async fn created(
    shared: &Arc<Shared>,
    source: &Arc<Source>,
    inputs: &BTreeMap<String, String>,
    steps: Steps,
    by: Actor,
) -> Result<Event, WishError> {
    let (workflow, inputs) = bound(shared, source, inputs).await?;
    let goal = render_text(&workflow.goal.value, &Context::new(&inputs)).map_err(|error| {
        WishError::Invalid {
            what: "the goal of the workflow".to_owned(),
            text: crate::chain(&error),
        }
    })?;
    let text = source.text().as_bytes().to_vec();
    let digest = attempt::put(shared, text).await.map_err(WishError::host)?;
    let planners = workflow
        .planner
        .iter()
        .flat_map(|p| std::iter::once(&p.plugin).chain(&p.fallback))
        .map(|located| located.value.clone())
        .collect();
    Ok(Event::RunCreated {
        workflow: workflow.name.clone(),
        file: source.name().to_owned(),
        source: digest,
        goal,
        inputs,
        steps,
        planners,
        budget: allowance(shared, workflow.budget.as_ref())
            .map_err(|error| WishError::host(crate::chain(&error)))?,
        rules: workflow.rules(),
        by: Some(by),
    })
}

/// A checked workflow with its inputs.
async fn bound(
    shared: &Arc<Shared>,
    source: &Arc<Source>,
    inputs: &BTreeMap<String, String>,
) -> Result<(Workflow, BTreeMap<String, Value>), WishError> {
    let invalid = |what: &str, found: &sandgate_workflow::Diagnostics| WishError::Invalid {
        what: what.to_owned(),
        text: found.render(Style::Plain),
    };
    let checked = check(&shared.project, &shared.plugins, source).await;
    let Some(workflow) = checked.workflow else {
        return Err(invalid("the workflow", &checked.diagnostics));
    };
    let given = inputs
        .iter()
        .map(|(k, v)| (k.clone(), Given::Text(v.clone())))
        .collect();
    let inputs = workflow
        .bind_inputs(&given)
        .map_err(|found| invalid("the inputs", &found))?;
    Ok((workflow, inputs))
}

/// What a new run may cost: the smaller of what its workflow says and what the project's budget has left. It is held for
/// the run until that ends, so that runs beside each other never spend the same money.
pub(crate) fn allowance(
    shared: &Shared,
    workflow: Option<&RunBudget>,
) -> Result<Allowance, LookError> {
    let own = Allowance {
        micros: workflow.map(|b| b.limit),
        tokens: workflow.and_then(|b| b.tokens),
    };
    let Some(limit) = shared.project.file().budget_micros else {
        return Ok(own);
    };
    let rows = Reader::open(&shared.project)?.runs()?;
    let held: u64 = rows
        .iter()
        .fold(0, |sum, row| sum.saturating_add(row.held_micros));
    let of_project = Allowance {
        micros: Some(limit.saturating_sub(held)),
        tokens: None,
    };
    Ok(own.min(of_project))
}

/// An edited plan, as it came.
struct Edited {
    run: RunId,
    was: Digest,
    text: String,
    name: String,
    reason: String,
}

async fn modified(shared: &Arc<Shared>, by: Actor, edited: Edited) -> Result<Prepared, WishError> {
    let Edited {
        run: id,
        was,
        text,
        name,
        reason,
    } = edited;
    let run = look(shared, id).await?;
    let (Some(plan), Some(digest)) = (run.plan(), run.digest()) else {
        return Err(WishError::Illegal {
            state: run.state(),
            why: "there is no plan to edit yet".to_owned(),
        });
    };
    if run.state() != RunState::PlanReview || digest != was {
        let why = match digest == was {
            true => "the plan does not wait for review any more".to_owned(),
            false => format!(
                "the plan is another one by now: revision {}, {digest}",
                plan.revision
            ),
        };
        return Err(WishError::Illegal {
            state: run.state(),
            why,
        });
    }
    let (workflow, catalog) = planning::workflow_of(shared, run.source(), run.file(), true)
        .await
        .map_err(WishError::host)?;
    let source = Source::new(name, text);
    let (draft, found) = read_edited(&source);
    let invalid = |text: String| WishError::Invalid {
        what: "the edited plan".to_owned(),
        text,
    };
    let draft = draft
        .filter(|_| !found.has_errors())
        .ok_or_else(|| invalid(found.render(Style::Plain)))?;
    let revision = plan.revision.saturating_add(1);
    let plan = freeze_edited(
        &workflow,
        shared.project.file(),
        &catalog,
        plan.inputs.clone(),
        plan.planner.clone(),
        draft,
        revision,
    )
    .map_err(|errors| invalid(errors.to_string()))?;
    let digest = planning::digest_and_keep(shared, &plan)
        .await
        .map_err(WishError::host)?;
    Ok(Prepared::Modify {
        run: id,
        event: Event::PlanModified {
            was,
            digest,
            plan: Arc::new(plan),
            by,
            reason,
        },
        digest,
        revision,
    })
}

/// A run as the journal has it.
async fn look(shared: &Arc<Shared>, id: RunId) -> Result<sandgate_engine::Run, WishError> {
    let project = Arc::clone(&shared.project);
    let looked = tokio::task::spawn_blocking(move || Reader::open(&project)?.run(id)).await;
    match looked {
        Ok(Ok(run)) => Ok(run),
        Ok(Err(LookError::Open(OpenError::Absent { .. }))) => Err(WishError::NoRun { run: id }),
        Ok(Err(LookError::Replay(crate::ReplayError::Missing(run)))) => {
            Err(WishError::NoRun { run })
        }
        Ok(Err(error)) => Err(WishError::host(crate::chain(&error))),
        Err(error) => Err(WishError::host(error.to_string())),
    }
}
