//! Agents: a session is opened in a store of its own and runs tasks. Either one task, and the store is dropped, or
//! one after another while the memory stays. A store is never used again after anything but an answer.

use crate::answer;
use crate::bindings::exports::sandgate::plugin::working;
use crate::bounded::bounded;
use crate::cell::{Cell, Ended};
use crate::iface::artifacts::Desk;
use crate::link::Set;
use crate::roles::{accept, no_role, unstarted};
use crate::sandbox::{Inner, Sandbox};
use crate::state::Misfit;
use crate::tape::{Args, begin};
use crate::{AgentAnswer, Call, Outcome, Report, TaskRequest, Turn};
use sandgate_model::{ArtifactName, Role};
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::ResourceAny;

/// A session that is alive: its memory, and its place in the sandbox. Dropping it frees both; no code of the plugin
/// runs then.
pub struct LiveSession {
    sandbox: Arc<Inner>,
    /// What it was linked with.
    linked: Set,
    /// Taken while a task runs, and put back only if the guest gave control back by itself. A caller that drops the
    /// future of [`LiveSession::run`] therefore ends the session too.
    live: Option<Live>,
}

struct Live {
    cell: Cell,
    guest: working::Guest,
    session: ResourceAny,
}

impl Sandbox {
    /// One task in a fresh instance: opens a session, runs the task, drops everything.
    pub async fn run(&self, call: &Call, config: &Value, task: TaskRequest) -> Report<AgentAnswer> {
        let since = Instant::now();
        let set = Set::of(Role::Agent, call);
        let (mut cell, deadline) = match self.0.cell(call, set).await {
            Ok(cell) => cell,
            Err(outcome) => return unstarted(outcome, since),
        };
        let Some(indices) = cell.agent() else {
            return unstarted(no_role(Role::Agent), since);
        };
        let limits = &call.turn.limits;
        let config = config.to_string();
        cell.lay_out(&task, &call.turn);
        let task = wit_task(task);
        let ended: Ended<_> = bounded(deadline, &call.turn.cancel, async {
            begin(call, Role::Agent, || given(&config, &task))?;
            let (guest, opened) = cell.open(&indices, &config).await?;
            let session = match opened {
                Ok(session) => session,
                Err(error) => return Ok(Err(error)),
            };
            guest
                .session()
                .call_run(&mut cell.store, session, &task)
                .await
        })
        .await;
        let outcome = cell.judge(ended, limits.deadline);
        let desk = cell.store.data_mut().take_desk();
        let outcome = accept(outcome, |output| answer::agent(output, desk, limits));
        cell.report(outcome, since)
    }

    /// Opens a session that stays. It holds a place of the sandbox until it is dropped.
    /// With a tape it is refused: what one task left in its memory is not on the tape of the next.
    pub async fn open(&self, call: &Call, config: &Value) -> Report<LiveSession> {
        let since = Instant::now();
        if call.turn.tape.is_some() {
            return unstarted(no_tape(), since);
        }
        let set = Set::of(Role::Agent, call);
        let (mut cell, deadline) = match self.0.cell(call, set).await {
            Ok(cell) => cell,
            Err(outcome) => return unstarted(outcome, since),
        };
        let Some(indices) = cell.agent() else {
            return unstarted(no_role(Role::Agent), since);
        };
        let config = config.to_string();
        let ended: Ended<_> = bounded(deadline, &call.turn.cancel, async {
            let (guest, opened) = cell.open(&indices, &config).await?;
            Ok(opened.map(|session| (guest, session)))
        })
        .await;
        let outcome = cell.judge(ended, call.turn.limits.deadline);
        let Report { outcome, stats } = cell.report(outcome, since);
        Report {
            outcome: outcome.map(|(guest, session)| LiveSession {
                sandbox: Arc::clone(&self.0),
                linked: set,
                live: Some(Live {
                    cell,
                    guest,
                    session,
                }),
            }),
            stats,
        }
    }
}

impl LiveSession {
    /// Whether it can run another task. After a trap, a timeout, a limit or a cancel it cannot: open another one.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.live.is_some()
    }

    /// Runs a task in it. Limits, cancellation, sink and ports are this task's; directories are those it was opened
    /// with. The ports have to be of the kinds it was opened with: with others nothing runs, and the session stays.
    /// Ports are gone from it when this returns, with what they were still doing.
    pub async fn run(&mut self, turn: &Turn, task: TaskRequest) -> Report<AgentAnswer> {
        let since = Instant::now();
        if turn.tape.is_some() {
            return unstarted(no_tape(), since);
        }
        if !self.linked.has_powers_of(turn) {
            let message =
                "the session was opened with other capabilities; open another one".to_owned();
            return unstarted(Outcome::Host { message }, since);
        }
        let Some(mut live) = self.live.take() else {
            let message = "the session is gone; open another one".to_owned();
            return unstarted(Outcome::Host { message }, since);
        };
        let turn = self.sandbox.clamped(turn);
        let deadline = since + turn.limits.deadline;
        live.cell.renew(&turn, deadline);
        live.cell.lay_out(&task, &turn);
        let task = wit_task(task);
        let ended: Ended<_> = bounded(deadline, &turn.cancel, async {
            live.guest
                .session()
                .call_run(&mut live.cell.store, live.session, &task)
                .await
        })
        .await;
        let outcome = live.cell.judge(ended, turn.limits.deadline);
        let desk = live.cell.store.data_mut().take_desk();
        live.cell.store.data_mut().limiter.release(desk.bytes());
        let outcome = accept(outcome, |output| answer::agent(output, desk, &turn.limits));
        let report = live.cell.report(outcome, since);
        if report.outcome.guest_alive() {
            self.live = Some(live);
        }
        report
    }
}

impl std::fmt::Debug for LiveSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveSession")
            .field("alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}

type Opened = Result<ResourceAny, crate::bindings::sandgate::plugin::types::PluginError>;

impl Cell {
    /// Where an agent's exports are.
    fn agent(&self) -> Option<working::GuestIndices> {
        self.prepared.working.clone()
    }

    /// Instantiates the component and opens a session.
    async fn open(
        &mut self,
        indices: &working::GuestIndices,
        config: &String,
    ) -> wasmtime::Result<(working::Guest, Opened)> {
        let instance = self.prepared.pre.instantiate_async(&mut self.store).await?;
        let guest = indices
            .load(&mut self.store, &instance)
            .map_err(|error| Misfit::error(&error))?;
        let opened = guest.call_open(&mut self.store, config).await?;
        Ok((guest, opened))
    }

    /// Puts the task's artifacts where the guest can reach them.
    fn lay_out(&mut self, task: &TaskRequest, turn: &Turn) {
        self.store.data_mut().desk = Desk::open(
            Arc::clone(&task.artifacts),
            task.produces.clone(),
            &turn.limits,
        );
    }
}

/// What is said to a caller that wants a session that stays to be replayed.
fn no_tape<T>() -> Outcome<T> {
    Outcome::Host {
        message: "a session that stays cannot be recorded; run tasks that may wait for a person in a fresh one"
            .to_owned(),
    }
}

/// What an agent is given, for its tape.
fn given(config: &str, task: &working::Task) -> Args {
    let name = (&task.id, task.attempt, &task.idempotency_key);
    Args::of(&(config, name, &task.input, &task.produces))
}

fn wit_task(task: TaskRequest) -> working::Task {
    working::Task {
        id: task.id,
        attempt: task.attempt,
        idempotency_key: task.idempotency_key,
        input: task.input.to_string(),
        produces: task
            .produces
            .iter()
            .map(|name: &ArtifactName| name.as_str().to_owned())
            .collect(),
    }
}
