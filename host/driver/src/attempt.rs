//! One attempt: make its input, call the component in its sandbox, store what it made, say how it ended.

use crate::{
    answer::{failed, from_outcome},
    call::{self, NotReady, Parted, Ready, Stopped},
    clock::millis,
    context,
    local::Shared,
    room::{PATCH, PATCH_TYPE, Room},
    work::{AttemptWork, Inbox},
};
use sandgate_model::{
    Artifact, ArtifactName, AttemptEnd, AttemptNo, Caller, Charge, Digest, FailureClass, Grants,
    INLINE_MAX, Payload, PlanTask, RunId, Session, TaskIx, TaskOutput, TaskWork, Workspace,
};
use sandgate_sandbox::{AgentAnswer, CancelToken, Limits, NewArtifact, Outcome, TaskRequest};
use serde_json::Value;
use std::{sync::Arc, time::Instant};

/// How an attempt ended, or that it waits.
pub(crate) enum Ran {
    /// It ended.
    Ended(AttemptEnd),
    /// It waits for a person: the event says for what. Its directories are parked when that is recorded.
    Suspended(Box<Stopped>),
}

/// Runs the attempt.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    run: RunId,
    which: (TaskIx, AttemptNo),
    work: AttemptWork,
    cancel: &CancelToken,
    inbox: &Inbox,
) -> Ran {
    match attempted(shared, run, which, &work, cancel, inbox).await {
        Ok(ran) => ran,
        Err(end) => Ran::Ended(end),
    }
}

fn host(message: String) -> AttemptEnd {
    failed(FailureClass::Host, message)
}

async fn attempted(
    shared: &Arc<Shared>,
    run: RunId,
    (ix, attempt): (TaskIx, AttemptNo),
    work: &AttemptWork,
    cancel: &CancelToken,
    inbox: &Inbox,
) -> Result<Ran, AttemptEnd> {
    let since = Instant::now();
    let task = work
        .plan
        .task(work.place)
        .ok_or_else(|| failed(FailureClass::Host, "the plan has no such task".to_owned()))?;
    let TaskWork::Agent {
        agent,
        input,
        config,
        session,
    } = &task.work
    else {
        return Err(failed(
            FailureClass::Host,
            "a wait is not an attempt".to_owned(),
        ));
    };
    let plugin = shared
        .plugins
        .pinned(agent, &work.plan)
        .await
        .map_err(|message| failed(FailureClass::Refused, message))?;
    let input = context::render(shared, input, &work.plan.inputs, &work.upstream)
        .await
        .map_err(|message| failed(FailureClass::Input, message))?;
    let input = match work.approved {
        None => input,
        Some(approved) => {
            crate::ask::approved_input(shared, run, task, &plugin, work, approved, input)
                .await
                .map_err(|message| failed(FailureClass::Refused, message))?
        }
    };
    plugin
        .check_input(&input)
        .map_err(|message| failed(FailureClass::Input, message))?;

    if matches!(session, Session::Pinned(_)) && own_room(&task.grants) {
        let message = format!(
            "a pinned session lives on from task to task, so it cannot have a workspace of its own: write \
             workspace = \"shared\", or leave `session` out of task `{}`",
            work.id
        );
        return Err(failed(FailureClass::Refused, message));
    }
    if matches!(session, Session::Pinned(_)) && task.grants.may_wait() {
        let message = format!(
            "a pinned session lives on from task to task, so nothing in it can wait for a person: leave `session` out of \
             task `{}`, or what needs an approval",
            work.id
        );
        return Err(failed(FailureClass::Refused, message));
    }
    let request = TaskRequest {
        id: work.id.to_string(),
        attempt: attempt.0,
        idempotency_key: idempotency_key(run, work),
        input,
        // The patch is the host's to make.
        produces: task
            .produces
            .iter()
            .filter(|name| !(worktree(task) && name.as_str() == PATCH))
            .cloned()
            .collect(),
        artifacts: call::readable(shared, &work.readable),
    };
    let caller = call::Caller {
        run,
        by: Caller::Task { task: ix, attempt },
        who: work.id.as_str(),
        task: Some(&work.id),
        limits: Limits::agent(),
        own: task.limits,
        allowance: work.allowance,
        inbox,
        name: agent,
        restore: work.restore.as_ref(),
    };
    // Directories are made last: nothing between here and the call can fail and leave them behind.
    let Ready {
        call,
        room,
        desk,
        tape,
    } = call::prepare(shared, &caller, &plugin, &task.grants, task.timeout, cancel)
        .await
        .map_err(|NotReady { class, message }| failed(class, message))?;
    let outcome = match session {
        Session::Spawn => shared.sandbox.run(&call, config, request).await.outcome,
        Session::Pinned(name) => {
            let key = (run, name.clone(), task.grants.clone());
            shared
                .sessions
                .run(&shared.sandbox, key, &call, config, request)
                .await
        }
    };
    // The guest and its handles are gone before its directories are.
    drop(call);
    let known = !matches!(outcome, Outcome::Cancelled | Outcome::Timeout { .. });
    desk.unchanging(known).await;
    match outcome {
        Outcome::Output(answer) => {
            let answer = with_changes(task, answer, room).await?;
            Ok(Ran::Ended(store(shared, task, &plugin, answer).await?))
        }
        Outcome::Suspended => {
            let took = millis(since.elapsed());
            match call::part(shared, &desk, caller.by, tape.as_ref(), room, took).await {
                Parted::Suspended(stopped) => Ok(Ran::Suspended(stopped)),
                Parted::Failed(NotReady { class, message }) => Err(failed(class, message)),
            }
        }
        other => {
            call::leave(shared, room, tape.is_some(), &task.grants).await;
            Err(from_outcome(other, task.timeout))
        }
    }
}

/// Whether the directories live only as long as one attempt.
fn own_room(grants: &Grants) -> bool {
    grants.workspace.is_own() && (!grants.files.is_empty() || !grants.exec.is_empty())
}

fn worktree(task: &PlanTask) -> bool {
    task.grants.workspace == Workspace::Worktree && !task.grants.files.is_empty()
}

/// The answer with the changes of its worktree as one more artifact.
async fn with_changes(
    task: &PlanTask,
    mut answer: AgentAnswer,
    room: Option<Room>,
) -> Result<AgentAnswer, AttemptEnd> {
    let Some(room) = room else {
        return Ok(answer);
    };
    let patch = room
        .finish()
        .await
        .map_err(|message| failed(FailureClass::Plugin, message))?;
    if let Some(bytes) = patch.filter(|_| worktree(task)) {
        let name = ArtifactName::new(PATCH).map_err(|error| host(error.to_string()))?;
        answer.artifacts.push(NewArtifact {
            name,
            media_type: PATCH_TYPE.to_owned(),
            bytes,
        });
    }
    Ok(answer)
}

/// Equal for every attempt at the same piece of work, and for nothing else.
fn idempotency_key(run: RunId, work: &AttemptWork) -> String {
    Digest::of(format!("{run}/{}", work.id).as_bytes())
        .hex()
        .chars()
        .take(32)
        .collect()
}

/// Stores artifacts and a large output. They are durable before the event that names them.
async fn store(
    shared: &Arc<Shared>,
    task: &PlanTask,
    plugin: &crate::plugins::Plugin,
    answer: AgentAnswer,
) -> Result<AttemptEnd, AttemptEnd> {
    plugin
        .check_output(&answer.output)
        .map_err(|message| failed(FailureClass::BadAnswer, message))?;
    let AgentAnswer {
        output,
        artifacts,
        charges,
    } = answer;
    let missing: Vec<&str> = task
        .produces
        .iter()
        .filter(|name| !artifacts.iter().any(|a| a.name == **name))
        .map(|name| name.as_str())
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "it ended without the artifacts it has to make: {}",
            missing.join(", ")
        );
        return Err(failed(FailureClass::BadAnswer, message));
    }
    let charges = charges
        .into_iter()
        .map(|c| Charge {
            what: c.what,
            micros: c.micros,
        })
        .collect();
    let output = payload(shared, output).await.map_err(host)?;
    let mut stored = Vec::with_capacity(artifacts.len());
    for artifact in artifacts {
        let size = artifact.bytes.len() as u64;
        let digest = put(shared, artifact.bytes).await.map_err(host)?;
        stored.push(Artifact {
            name: artifact.name,
            digest,
            size,
            media_type: artifact.media_type,
        });
    }
    Ok(AttemptEnd::Output(TaskOutput {
        output,
        artifacts: stored,
        charges,
    }))
}

/// A value for an event: itself when it is small, otherwise the object that it was stored as.
pub(crate) async fn payload(shared: &Arc<Shared>, value: Value) -> Result<Payload, String> {
    let bytes = serde_json::to_vec(&value)
        .map_err(|error| format!("a value cannot be encoded: {error}"))?;
    if bytes.len() <= INLINE_MAX {
        return Ok(Payload::Inline(value));
    }
    let size = bytes.len() as u64;
    Ok(Payload::Stored {
        digest: put(shared, bytes).await?,
        size,
    })
}

/// Stores bytes, durably.
pub(crate) async fn put(shared: &Arc<Shared>, bytes: Vec<u8>) -> Result<Digest, String> {
    let shared = Arc::clone(shared);
    match tokio::task::spawn_blocking(move || shared.artifacts.put(&bytes)).await {
        Ok(Ok(digest)) => Ok(digest),
        Ok(Err(error)) => Err(format!("it could not be stored: {}", crate::chain(&error))),
        Err(error) => Err(format!("it could not be stored: {error}")),
    }
}

/// The bytes of an object, checked against its name.
pub(crate) async fn get(shared: &Arc<Shared>, digest: Digest) -> Result<Vec<u8>, String> {
    let shared = Arc::clone(shared);
    match tokio::task::spawn_blocking(move || shared.artifacts.get(&digest)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(format!("{digest} cannot be read: {}", crate::chain(&error))),
        Err(error) => Err(format!("{digest} cannot be read: {error}")),
    }
}
