//! `when` and `for_each`: expressions over inputs and upstream outputs. No component is involved.

use crate::{attempt, context, local::Shared, work::Upstream};
use sandgate_engine::Evaluated;
use sandgate_model::{Plan, TaskIx};
use std::sync::Arc;

/// Evaluates both expressions of a task.
pub(crate) async fn evaluate(
    shared: &Arc<Shared>,
    task: TaskIx,
    plan: &Arc<Plan>,
    upstream: &Upstream,
) -> Evaluated {
    match evaluated(shared, task, plan, upstream).await {
        Ok(evaluated) => evaluated,
        Err(message) => Evaluated::Failed { message },
    }
}

async fn evaluated(
    shared: &Arc<Shared>,
    task: TaskIx,
    plan: &Arc<Plan>,
    upstream: &Upstream,
) -> Result<Evaluated, String> {
    let task = plan.task(task).ok_or("the plan has no such task")?;
    let context = context::build(shared, &plan.inputs, upstream).await?;
    if let Some(when) = &task.when {
        let go = sandgate_workflow::eval_condition(when, &context).map_err(|e| {
            format!(
                "`when = {when:?}` cannot be evaluated: {}",
                crate::chain(&e)
            )
        })?;
        if !go {
            return Ok(Evaluated::Skip);
        }
    }
    let Some(for_each) = &task.for_each else {
        return Ok(Evaluated::Once);
    };
    let items = sandgate_workflow::eval_list(for_each, &context).map_err(|e| {
        format!(
            "`for_each = {for_each:?}` cannot be evaluated: {}",
            crate::chain(&e)
        )
    })?;
    let mut payloads = Vec::with_capacity(items.len());
    for item in items {
        payloads.push(attempt::payload(shared, item).await?);
    }
    Ok(Evaluated::Each { items: payloads })
}
