//! What templates may see: inputs, outputs of the tasks they name, the item of an instance. Values that were too
//! large for an event are fetched from the artifact store here, and nowhere else.

use crate::{
    local::Shared,
    work::{GivenOutput, Upstream},
};
use sandgate_model::{Payload, PlanTask, TaskId, TaskWork};
use sandgate_workflow::{
    Context, References, expression_references, references, render_value, uses_templates,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Tasks that the templates of a task's input name.
pub(crate) fn input(task: &PlanTask) -> Vec<TaskId> {
    match &task.work {
        TaskWork::Agent { input, .. } => ids(&references(input)),
        TaskWork::Wait(_) => Vec::new(),
    }
}

/// Tasks that what a wait matches by names.
pub(crate) fn waits(task: &PlanTask) -> Vec<TaskId> {
    match &task.work {
        TaskWork::Wait(wait) => wait
            .matches
            .values()
            .flat_map(|text| ids(&references(&Value::String(text.clone()))))
            .collect(),
        TaskWork::Agent { .. } => Vec::new(),
    }
}

/// Tasks that `when` and `for_each` name.
pub(crate) fn expressions(task: &PlanTask) -> Vec<TaskId> {
    [&task.when, &task.for_each]
        .into_iter()
        .flatten()
        .flat_map(|expression| ids(&expression_references(expression)))
        .collect()
}

/// Names that are no task ids cannot have an output; rendering will say that they are unknown.
fn ids(references: &References) -> Vec<TaskId> {
    references
        .tasks
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect()
}

/// Fills in the templates of an input; one without any is only copied.
pub(crate) async fn render(
    shared: &Arc<Shared>,
    input: &Value,
    inputs: &BTreeMap<String, Value>,
    upstream: &Upstream,
) -> Result<Value, String> {
    if !uses_templates(input) {
        return Ok(input.clone());
    }
    let context = build(shared, inputs, upstream).await?;
    render_value(input, &context)
        .map_err(|error| format!("its input cannot be made: {}", crate::chain(&error)))
}

/// The context of one task's templates.
pub(crate) async fn build(
    shared: &Arc<Shared>,
    inputs: &BTreeMap<String, Value>,
    upstream: &Upstream,
) -> Result<Context, String> {
    let mut context = Context::new(inputs);
    for (id, output) in &upstream.outputs {
        let value = load_given(shared, &output.output).await?;
        context = context.with_task(id.as_str(), &value, &output.artifacts);
    }
    if let Some((index, payload)) = &upstream.item {
        context = context.with_item(&load(shared, payload).await?, u64::from(*index));
    }
    Ok(context)
}

/// The value of a finished task's output.
pub(crate) async fn load_given(
    shared: &Arc<Shared>,
    output: &GivenOutput,
) -> Result<Value, String> {
    match output {
        GivenOutput::One(payload) => load(shared, payload).await,
        GivenOutput::Each(parts) => {
            let mut values = Vec::with_capacity(parts.len());
            for part in parts {
                values.push(load(shared, part).await?);
            }
            Ok(Value::Array(values))
        }
    }
}

/// The value behind a payload.
pub(crate) async fn load(shared: &Arc<Shared>, payload: &Payload) -> Result<Value, String> {
    match payload {
        Payload::Inline(value) => Ok(value.clone()),
        Payload::Stored { digest, .. } => {
            let (shared, digest) = (Arc::clone(shared), *digest);
            let bytes = tokio::task::spawn_blocking(move || shared.artifacts.get(&digest))
                .await
                .map_err(|error| format!("a stored output could not be read: {error}"))?
                .map_err(|error| {
                    format!(
                        "a stored output could not be read: {}",
                        crate::chain(&error)
                    )
                })?;
            serde_json::from_slice(&bytes)
                .map_err(|error| format!("a stored output is not JSON: {error}"))
        }
    }
}
