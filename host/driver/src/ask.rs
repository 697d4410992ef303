//! What is put to people about tasks, results and budgets: the canonical record of exactly what will happen, stored under
//! its digest. An approved task takes its input from that record. Must not decide anything.

use crate::{
    attempt, call, context,
    effects::{RECORD_FORMAT, canonical, differences, said},
    local::Shared,
    plugins::Plugin,
    work::{AskJob, AttemptWork, Upstream, WaitJob},
};
use sandgate_engine::{Evaluated, Event};
use sandgate_model::{
    About, Artifact, Ask, Digest, Payload, PlanTask, RunId, TaskId, TaskOutput, TaskWork,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Largest output that stands in a record itself, in bytes. Nobody reads more; its digest holds it all the same.
const VALUE_MAX: u64 = 1 << 20;

/// Largest text of an artifact that stands in a record, in bytes: some two thousand lines.
const TEXT_MAX: u64 = 64 << 10;

/// Makes and stores the record of what a request is about. `None`: it cannot be made, and there is no task that could
/// fail of it; nobody is asked, and the same command comes again when the run is taken over.
pub(crate) async fn make(shared: &Arc<Shared>, run: RunId, job: AskJob) -> Option<Event> {
    let about = job.about();
    let task = match &about {
        About::Task { task } | About::Result { task } | About::TaskBudget { task, .. } => {
            Some(*task)
        }
        _ => None,
    };
    match (made(shared, run, job).await, task) {
        (Ok((what, digest)), _) => Some(Event::Asked {
            ask: Ask {
                about,
                what,
                digest,
            },
        }),
        (Err(message), Some(task)) => Some(Event::TaskEvaluated {
            task,
            evaluated: Evaluated::Failed { message },
        }),
        (Err(message), None) => {
            tracing::warn!(%run, "nobody can be asked: {message}");
            None
        }
    }
}

async fn made(shared: &Arc<Shared>, run: RunId, job: AskJob) -> Result<(String, Digest), String> {
    let (what, record) = match job {
        AskJob::Task { work, .. } => {
            let task = planned(&work)?;
            let record = match &task.work {
                TaskWork::Agent { agent, input, .. } => {
                    let plugin = shared.plugins.pinned(agent, &work.plan).await?;
                    let input =
                        context::render(shared, input, &work.plan.inputs, &work.upstream).await?;
                    plugin.check_input(&input)?;
                    of_task(shared, run, task, &plugin, &work, &input)?
                }
                TaskWork::Wait(wait) => {
                    let named =
                        matches(shared, &wait.matches, &work.plan.inputs, &work.upstream).await?;
                    json!({
                        "format": RECORD_FORMAT,
                        "about": "task",
                        "run": run,
                        "task": work.id,
                        "title": task.title,
                        "wait_for": { "signal": wait.signal, "match": named, "timeout": wait.timeout },
                    })
                }
            };
            let what = match &task.work {
                TaskWork::Agent { agent, .. } => format!("start task {} (agent {agent})", work.id),
                TaskWork::Wait(wait) => {
                    format!("start task {} (waits for signal {})", work.id, wait.signal)
                }
            };
            (what, record)
        }
        AskJob::Result { id, output, .. } => {
            let what = format!("use the result of task {id}");
            (what, of_result(shared, run, &id, &output).await?)
        }
        AskJob::Budget {
            who,
            lacks,
            spent,
            limit,
            ..
        } => {
            let what = format!("go over the budget for {who}");
            let record = json!({
                "format": RECORD_FORMAT,
                "about": "budget",
                "run": run,
                "for": who,
                "lacks": { "micros": lacks.micros, "tokens": lacks.tokens },
                "spent": { "micros": spent.micros, "tokens": spent.tokens },
                "limit": { "micros": limit.micros, "tokens": limit.tokens },
            });
            (what, record)
        }
    };
    let digest = attempt::put(shared, canonical(&record)?).await?;
    Ok((what, digest))
}

fn planned(work: &AttemptWork) -> Result<&PlanTask, String> {
    work.plan
        .task(work.place)
        .ok_or_else(|| "the plan has no such task".to_owned())
}

/// Everything that decides what a task will do: who, with what, with which authority, under which policy.
fn of_task(
    shared: &Shared,
    run: RunId,
    task: &PlanTask,
    plugin: &Plugin,
    work: &AttemptWork,
    input: &Value,
) -> Result<Value, String> {
    let TaskWork::Agent { agent, config, .. } = &task.work else {
        return Err("a wait is not an attempt".to_owned());
    };
    Ok(json!({
        "format": RECORD_FORMAT,
        "about": "task",
        "run": run,
        "task": work.id,
        "title": task.title,
        "plugin": { "name": agent, "digest": plugin.component.digest() },
        "policy": call::policy(&shared.project, work.id.as_str(), &task.grants)?,
        "input": input,
        "config": config,
        "consumes": artifacts(&work.readable),
        "produces": task.produces,
        "grants": task.grants,
        "limits": task.limits,
        "timeout_ms": task.timeout.0,
        "attempts": task.retry.attempts,
        "budget_micros": task.budget,
    }))
}

fn artifacts(readable: &BTreeMap<String, Artifact>) -> Value {
    readable
        .iter()
        .map(|(name, artifact)| {
            json!({ "name": name, "digest": artifact.digest, "size": artifact.size })
        })
        .collect()
}

/// A result, as far as a person can read it.
async fn of_result(
    shared: &Arc<Shared>,
    run: RunId,
    id: &TaskId,
    output: &TaskOutput,
) -> Result<Value, String> {
    let value = match &output.output {
        Payload::Stored { digest, size } if *size > VALUE_MAX => {
            json!({ "digest": digest, "size": size, "too_large_to_show": true })
        }
        payload => context::load(shared, payload).await?,
    };
    let mut artifacts = Vec::with_capacity(output.artifacts.len());
    for artifact in &output.artifacts {
        let mut said = json!(artifact);
        if artifact.size <= TEXT_MAX && is_text(&artifact.media_type) {
            let bytes = attempt::get(shared, artifact.digest).await?;
            // The media type is a claim.
            if let (Ok(text), Value::Object(said)) = (String::from_utf8(bytes), &mut said) {
                said.insert("text".to_owned(), Value::String(text));
            }
        }
        artifacts.push(said);
    }
    Ok(json!({
        "format": RECORD_FORMAT,
        "about": "result",
        "run": run,
        "task": id,
        "output": value,
        "artifacts": artifacts,
        "charges": output.charges,
    }))
}

/// Whether a media type says text, whatever its parameters.
fn is_text(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            essence.as_str(),
            "application/json" | "application/xml" | "application/toml" | "application/yaml"
        )
}

/// The input of an attempt at a task that was approved: that of the record. What would happen now has to be what was
/// approved, to the byte.
///
/// # Errors
/// When it is not; says what changed.
pub(crate) async fn approved_input(
    shared: &Arc<Shared>,
    run: RunId,
    task: &PlanTask,
    plugin: &Plugin,
    work: &AttemptWork,
    approved: Digest,
    input: Value,
) -> Result<Value, String> {
    let now = of_task(shared, run, task, plugin, work, &input)?;
    let bytes = attempt::get(shared, approved).await?;
    let then: Value = serde_json::from_slice(&bytes)
        .map_err(|error| format!("the record of the approval cannot be read: {error}"))?;
    if Digest::of(&canonical(&now)?) != approved {
        let changed = said(&differences(&then, &now));
        return Err(format!(
            "approval-stale: what was approved is not what would happen now{changed}; nothing was done"
        ));
    }
    then.get("input")
        .cloned()
        .ok_or_else(|| "the record of the approval is not one of a task".to_owned())
}

/// Fills in what a wait matches by.
pub(crate) async fn start_wait(shared: &Arc<Shared>, job: WaitJob) -> Event {
    let task = job.task;
    match matches(shared, &job.matches, &job.plan.inputs, &job.upstream).await {
        Ok(matches) => Event::WaitStarted { task, matches },
        Err(message) => Event::TaskEvaluated {
            task,
            evaluated: Evaluated::Failed { message },
        },
    }
}

async fn matches(
    shared: &Arc<Shared>,
    templates: &BTreeMap<String, String>,
    inputs: &BTreeMap<String, Value>,
    upstream: &Upstream,
) -> Result<BTreeMap<String, String>, String> {
    let template = serde_json::to_value(templates)
        .map_err(|error| format!("what it matches by cannot be made: {error}"))?;
    let rendered = context::render(shared, &template, inputs, upstream).await?;
    let Value::Object(fields) = rendered else {
        return Err("what it matches by is no table".to_owned());
    };
    Ok(fields
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => (name, text),
            // A template of nothing but a number gives a number; signals carry text.
            other => (name, other.to_string()),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn texts_are_known_by_their_media_type() {
        for yes in [
            "text/plain",
            "Text/X-Diff; charset=utf-8",
            "application/json",
            "image/svg+xml",
        ] {
            assert!(is_text(yes), "{yes}");
        }
        for no in [
            "",
            "application/octet-stream",
            "image/png",
            "application/text/",
        ] {
            assert!(!is_text(no), "{no}");
        }
    }
}
