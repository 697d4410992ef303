//! Puts together what a person is shown before they decide: the request, the bytes that were stored for it, and for a
//! plan what it costs and what changed. Reads, and decides nothing.

use crate::{
    context::look_error,
    error::CliError,
    ui::{Look, now},
    view::{
        ask::{self, Shown, What},
        review::{self, Beside},
    },
};
use sandgate_driver::{Prediction, Project, Reader};
use sandgate_engine::{AskView, Run};
use sandgate_model::{About, Digest, Plan};
use sandgate_workflow::plan_diff;

/// The whole text of a request.
///
/// # Errors
/// When what was stored for it cannot be read: then nobody can agree to it.
pub(crate) fn shown(
    reader: &Reader,
    project: &Project,
    run: &Run,
    ask: &AskView<'_>,
    look: &Look,
) -> Result<Shown, CliError> {
    let bytes = reader.bytes(&ask.ask.digest).map_err(|e| look_error(&e))?;
    let what = match &ask.ask.about {
        About::Plan { .. } => What::Lines(plan(reader, project, run, ask, &bytes)?),
        _ => What::Bytes(&bytes),
    };
    Ok(ask::text(run, ask, &what, now(), look))
}

fn plan(
    reader: &Reader,
    project: &Project,
    run: &Run,
    ask: &AskView<'_>,
    bytes: &[u8],
) -> Result<Vec<String>, CliError> {
    let plan = read(bytes)?;
    let before = match earlier(run, ask) {
        Some(digest) => Some(read(&reader.bytes(&digest).map_err(|e| look_error(&e))?)?),
        None => None,
    };
    let digest = Some(ask.ask.digest);
    let predicted = Prediction::of(&plan, digest, project, run.limit(), Ok(()));
    let diff = before.map(|before| plan_diff(&before, &plan));
    Ok(review::lines(
        &plan,
        &Beside {
            cost: Some(predicted.cost),
            diff: diff.as_ref(),
        },
    ))
}

fn read(bytes: &[u8]) -> Result<Plan, CliError> {
    serde_json::from_slice(bytes)
        .map_err(|e| CliError::host("the plan that is asked about cannot be read").caused_by(&e))
}

/// The plan that was asked about before this one.
fn earlier(run: &Run, ask: &AskView<'_>) -> Option<Digest> {
    run.asks()
        .filter(|a| a.no < ask.no && matches!(a.ask.about, About::Plan { .. }))
        .last()
        .map(|a| a.ask.digest)
}
