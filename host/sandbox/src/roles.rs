//! The calls: describe, plan, replan, check. Each makes a fresh store, calls one function, checks the answer and drops
//! the store. (Agents are in `session`.)

use crate::answer;
use crate::bindings::exports::sandgate::plugin::checking::{
    FinishedTask as WitTask, Subject as WitSubject,
};
use crate::bindings::exports::sandgate::plugin::planning::{
    ListedFile, OfferedAgent, OfferedGate, Packet as WitPacket,
};
use crate::bounded::bounded;
use crate::cell::Ended;
use crate::iface::artifacts::Desk;
use crate::link::Set;
use crate::sandbox::Sandbox;
use crate::state::Misfit;
use crate::tape::{Args, begin};
use crate::{
    Call, CancelToken, Component, Limits, NoSink, Outcome, Powers, Report, Stats, Subject, Turn,
};
use sandgate_model::{Check, Description, DraftPlan, Packet, Role};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// Why a plugin could not be asked what it is.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.reason())]
pub struct DescribeError(pub Outcome<Infallible>);

/// A report of a call that never got a store.
pub(crate) fn unstarted<T>(outcome: Outcome<T>, since: Instant) -> Report<T> {
    Report {
        outcome,
        stats: Stats {
            wall: since.elapsed(),
            ..Stats::default()
        },
    }
}

/// What is said to a caller that asks a plugin for what it does not export.
pub(crate) fn no_role<T>(role: Role) -> Outcome<T> {
    Outcome::BadAnswer {
        reasons: vec![format!(
            "it does not export what makes it a {}",
            role.as_str()
        )],
    }
}

/// Accepts an answer or says why not.
pub(crate) fn accept<T, U>(
    outcome: Outcome<T>,
    check: impl FnOnce(T) -> Result<U, Vec<String>>,
) -> Outcome<U> {
    match outcome.split() {
        Ok(value) => match check(value) {
            Ok(value) => Outcome::Output(value),
            Err(reasons) => Outcome::BadAnswer { reasons },
        },
        Err(other) => other.map(|never| match never {}),
    }
}

impl Sandbox {
    /// Asks a plugin what it is, without any grant, and checks the answer. Asked once for each component: the answer
    /// is kept in memory and beside the compiled code.
    ///
    /// # Errors
    /// How the call ended instead.
    pub async fn describe(
        &self,
        component: &Arc<Component>,
    ) -> Result<Arc<Description>, DescribeError> {
        let digest = component.digest();
        let name = format!("{}.description1", digest.hex());
        let remember = |description: &Arc<Description>| {
            let mut all = self
                .0
                .described()
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.insert(digest, Arc::clone(description));
        };
        let known = {
            let all = self
                .0
                .described()
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.get(&digest).cloned()
        };
        if let Some(description) = known {
            return Ok(description);
        }
        if let Some(cache) = self.0.compiler().cache()
            && let Some(kept) = cache.read(&name)
            && let Ok(description) = serde_json::from_slice(kept.bytes())
        {
            let description = Arc::new(description);
            remember(&description);
            return Ok(description);
        }
        let description = Arc::new(self.ask(component).await.map_err(DescribeError)?);
        if let Some(cache) = self.0.compiler().cache()
            && let Ok(bytes) = serde_json::to_vec(&*description)
        {
            // Best effort, as all caching.
            drop(cache.write(&name, &bytes));
        }
        remember(&description);
        Ok(description)
    }

    async fn ask(&self, component: &Arc<Component>) -> Result<Description, Outcome<Infallible>> {
        let call = Call {
            component: Arc::clone(component),
            files: Vec::new(),
            turn: Turn {
                limits: Limits::describe(),
                cancel: CancelToken::new(),
                sink: Arc::new(NoSink),
                powers: Powers::default(),
                tape: None,
            },
        };
        let (mut cell, deadline) = self.0.cell(&call, Set::DESCRIBE).await?;
        let ended = bounded(deadline, &call.turn.cancel, async {
            let instance = cell.prepared.pre.instantiate_async(&mut cell.store).await?;
            let guest = cell
                .prepared
                .describing
                .load(&mut cell.store, &instance)
                .map_err(|error| Misfit::error(&error))?;
            guest.call_describe(&mut cell.store).await.map(Ok)
        })
        .await;
        let outcome = cell.judge(ended, call.turn.limits.deadline);
        accept(outcome, answer::describe).split()
    }

    /// Asks a planner for a plan.
    pub async fn plan(&self, call: &Call, packet: &Packet, config: &Value) -> Report<DraftPlan> {
        self.make_plan(call, packet, config, false).await
    }

    /// Asks a planner for another plan; what happened so far is the packet's report.
    pub async fn replan(&self, call: &Call, packet: &Packet, config: &Value) -> Report<DraftPlan> {
        self.make_plan(call, packet, config, true).await
    }

    async fn make_plan(
        &self,
        call: &Call,
        packet: &Packet,
        config: &Value,
        again: bool,
    ) -> Report<DraftPlan> {
        let since = Instant::now();
        let set = Set::of(Role::Planner, call);
        let (mut cell, deadline) = match self.0.cell(call, set).await {
            Ok(cell) => cell,
            Err(outcome) => return unstarted(outcome, since),
        };
        let Some(indices) = &cell.prepared.planning else {
            return unstarted(no_role(Role::Planner), since);
        };
        let report = packet.report.as_ref().unwrap_or(&Value::Null).to_string();
        // A packet holds nothing that JSON has no word for.
        let given = serde_json::to_string(packet).unwrap_or_default();
        let (packet, config) = (wit_packet(packet), config.to_string());
        let ended: Ended<_> = bounded(deadline, &call.turn.cancel, async {
            begin(call, Role::Planner, || Args::of(&(&config, again, &given)))?;
            let instance = cell.prepared.pre.instantiate_async(&mut cell.store).await?;
            let guest = indices
                .load(&mut cell.store, &instance)
                .map_err(|error| Misfit::error(&error))?;
            if again {
                guest
                    .call_replan(&mut cell.store, &packet, &config, &report)
                    .await
            } else {
                guest.call_plan(&mut cell.store, &packet, &config).await
            }
        })
        .await;
        let outcome = cell.judge(ended, call.turn.limits.deadline);
        let outcome = accept(outcome, |draft| answer::plan(draft, &call.turn.limits));
        cell.report(outcome, since)
    }

    /// Asks a gate for its checks. An answer without any check is passed on as it is; the caller counts it as
    /// inconclusive.
    pub async fn check(&self, call: &Call, subject: Subject, config: &Value) -> Report<Vec<Check>> {
        let since = Instant::now();
        let set = Set::of(Role::Gate, call);
        let (mut cell, deadline) = match self.0.cell(call, set).await {
            Ok(cell) => cell,
            Err(outcome) => return unstarted(outcome, since),
        };
        let Some(indices) = &cell.prepared.checking else {
            return unstarted(no_role(Role::Gate), since);
        };
        cell.store.data_mut().desk = Desk::read_only(Arc::clone(&subject.artifacts));
        let (subject, config) = (wit_subject(subject), config.to_string());
        let ended: Ended<_> = bounded(deadline, &call.turn.cancel, async {
            begin(call, Role::Gate, || given(&config, &subject))?;
            let instance = cell.prepared.pre.instantiate_async(&mut cell.store).await?;
            let guest = indices
                .load(&mut cell.store, &instance)
                .map_err(|error| Misfit::error(&error))?;
            guest.call_check(&mut cell.store, &subject, &config).await
        })
        .await;
        let outcome = cell.judge(ended, call.turn.limits.deadline);
        cell.report(accept(outcome, answer::checks), since)
    }
}

/// What a gate is given, for its tape.
fn given(config: &str, subject: &WitSubject) -> Args {
    let tasks: Vec<_> = subject
        .tasks
        .iter()
        .map(|task| (&task.id, &task.output, &task.artifacts))
        .collect();
    Args::of(&(config, &subject.goal, &subject.inputs, tasks))
}

fn wit_packet(packet: &Packet) -> WitPacket {
    let text = |schema: &Option<Value>| schema.as_ref().map(Value::to_string);
    WitPacket {
        goal: packet.goal.clone(),
        inputs: serde_json::json!(packet.inputs).to_string(),
        files: packet
            .files
            .iter()
            .map(|file| ListedFile {
                path: file.path.clone(),
                size: file.size,
            })
            .collect(),
        files_cut: packet.files_cut,
        agents: packet
            .agents
            .iter()
            .map(|agent| OfferedAgent {
                name: agent.name.to_string(),
                plugin: agent.description.name.clone(),
                summary: agent.description.summary.clone(),
                input_schema: text(&agent.description.input_schema),
                output_schema: text(&agent.description.output_schema),
            })
            .collect(),
        gates: packet
            .gates
            .iter()
            .map(|gate| OfferedGate {
                id: gate.id.to_string(),
                summary: gate.summary.clone(),
            })
            .collect(),
        written: packet.written.clone(),
        budget_micros: packet.budget_micros,
    }
}

fn wit_subject(subject: Subject) -> WitSubject {
    WitSubject {
        goal: subject.goal,
        inputs: subject.inputs.to_string(),
        tasks: subject
            .tasks
            .into_iter()
            .map(|task| WitTask {
                id: task.id,
                output: task.output.to_string(),
                artifacts: task.artifacts,
            })
            .collect(),
    }
}
