//! One gate: call the component with what the run made. Whatever is not an answer is inconclusive.

use crate::{
    answer::describe,
    call::{self, Parted, Stopped},
    clock::millis,
    context,
    local::Shared,
    work::{Given, Inbox},
};
use sandgate_engine::{Allowance, GateEnd, Restore};
use sandgate_model::{Artifact, AttemptNo, Caller, GateIx, Plan, RunId, TaskId, TaskLimits};
use sandgate_sandbox::{CancelToken, FinishedTask, Limits, Outcome, Subject};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// Which gate, and what it may spend.
pub(crate) struct Gate<'a> {
    pub(crate) gate: GateIx,
    pub(crate) attempt: AttemptNo,
    pub(crate) allowance: Allowance,
    pub(crate) inbox: &'a Inbox,
    /// Where it stopped, when it is taken up again.
    pub(crate) restore: Option<&'a Restore>,
}

/// How a gate ended, or that it waits.
pub(crate) enum Checked {
    /// It ended.
    Ended(GateEnd),
    /// It waits for a person: the event says for what.
    Suspended(Box<Stopped>),
}

/// Runs the gate.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    run: RunId,
    gate: Gate<'_>,
    plan: &Arc<Plan>,
    finished: Vec<(TaskId, Given)>,
    cancel: &CancelToken,
) -> Checked {
    match checked(shared, run, gate, plan, finished, cancel).await {
        Ok(checked) => checked,
        Err(message) => Checked::Ended(GateEnd::Inconclusive { message }),
    }
}

async fn checked(
    shared: &Arc<Shared>,
    run: RunId,
    caller: Gate<'_>,
    plan: &Arc<Plan>,
    finished: Vec<(TaskId, Given)>,
    cancel: &CancelToken,
) -> Result<Checked, String> {
    let since = Instant::now();
    let gate = plan
        .gates
        .get(caller.gate.get())
        .ok_or("the plan has no such gate")?;
    let plugin = shared.plugins.pinned(&gate.plugin, plan).await?;
    let who = format!("gate:{}", gate.id);
    let caller = call::Caller {
        run,
        by: Caller::Gate {
            gate: caller.gate,
            attempt: caller.attempt,
        },
        who: &who,
        task: None,
        limits: Limits::gate(),
        own: TaskLimits::default(),
        allowance: caller.allowance,
        inbox: caller.inbox,
        name: &gate.plugin,
        restore: caller.restore,
    };
    let mut readable: BTreeMap<String, Artifact> = BTreeMap::new();
    let mut tasks = Vec::with_capacity(finished.len());
    for (id, output) in finished {
        let mut names = Vec::new();
        for artifact in output.artifacts {
            let name = format!("{id}.{}", artifact.name);
            names.push(name.clone());
            readable.insert(name, artifact);
        }
        let output = context::load_given(shared, &output.output).await?;
        tasks.push(FinishedTask {
            id: id.to_string(),
            output,
            artifacts: names,
        });
    }
    let subject = Subject {
        goal: plan.goal.clone(),
        inputs: plan.inputs.clone().into_iter().collect(),
        tasks,
        artifacts: call::readable(shared, &readable),
    };
    // Directories are made last: nothing between here and the call can fail and leave them behind.
    let ready = call::prepare(shared, &caller, &plugin, &gate.grants, gate.timeout, cancel)
        .await
        .map_err(|why| why.message)?;
    let outcome = shared
        .sandbox
        .check(&ready.call, subject, &gate.config)
        .await
        .outcome;
    drop(ready.call);
    let known = !matches!(outcome, Outcome::Cancelled | Outcome::Timeout { .. });
    ready.desk.unchanging(known).await;
    if matches!(outcome, Outcome::Suspended) {
        let took = millis(since.elapsed());
        let tape = ready.tape.as_ref();
        return match call::part(shared, &ready.desk, caller.by, tape, ready.room, took).await {
            Parted::Suspended(stopped) => Ok(Checked::Suspended(stopped)),
            Parted::Failed(why) => Err(why.message),
        };
    }
    call::leave(shared, ready.room, ready.tape.is_some(), &gate.grants).await;
    match outcome {
        Outcome::Output(checks) => Ok(Checked::Ended(GateEnd::Checks { checks })),
        Outcome::Cancelled => Ok(Checked::Ended(GateEnd::Cancelled)),
        other => Err(describe(other, gate.timeout).1),
    }
}
