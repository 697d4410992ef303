//! A run's state as a document: what cannot be rebuilt from it is in it, what can is not. Restoring a snapshot gives
//! the same run as replaying the events, which `testkit` checks after every event.

use crate::{
    Feedback, Outcome, PlannerFailure, Restore, Run, RunState,
    ask::Asks,
    budget::Ledger,
    gate::Gate,
    graph::Graph,
    run::{Order, Stop},
    schedule::Schedule,
    table::Table,
    task::Task,
};
use sandgate_model::{Actor, Amount, Digest, GateIx, Moment, Plan, RunId, TaskIx};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Version of the stored form of a snapshot.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// The state of a run, to be stored. Its fields other than `format` are the engine's own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`SNAPSHOT_FORMAT`].
    pub format: u32,
    id: RunId,
    order: Order,
    created: Moment,
    state: RunState,
    since: Moment,
    paused: Option<Moment>,
    stop: Option<Stop>,
    outcome: Option<Outcome>,
    ended: Option<Moment>,
    failures: Vec<PlannerFailure>,
    digest: Option<Digest>,
    plan: Option<Arc<Plan>>,
    deadline: Option<Moment>,
    charges: BTreeMap<String, u64>,
    #[serde(default)]
    ledger: Ledger,
    #[serde(default, skip_serializing_if = "Asks::is_empty")]
    asks: Asks,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    feedback: Vec<Feedback>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    editor: Option<Actor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planner: Option<Box<Restore>>,
    tasks: Table<TaskIx, Task>,
    gates: Table<GateIx, Gate>,
}

/// A snapshot that cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Written by another version.
    #[error(
        "the snapshot has format {0}, this version reads {SNAPSHOT_FORMAT}; replay the journal instead"
    )]
    Format(u32),
    /// Its plan breaks a promise of plans.
    #[error("the snapshot's plan is damaged: {0}; replay the journal instead")]
    Plan(String),
    /// Its tasks or gates do not fit its plan.
    #[error("the snapshot is damaged: {0}; replay the journal instead")]
    Damaged(&'static str),
}

impl Run {
    /// The state as a document.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            format: SNAPSHOT_FORMAT,
            id: self.id,
            order: self.order.clone(),
            created: self.created,
            state: self.state,
            since: self.since,
            paused: self.paused,
            stop: self.stop.clone(),
            outcome: self.outcome,
            ended: self.ended,
            failures: self.failures.clone(),
            digest: self.digest,
            plan: self.plan.clone(),
            deadline: self.deadline,
            charges: self.charges.clone(),
            ledger: self.ledger.clone(),
            asks: self.asks.clone(),
            feedback: self.feedback.clone(),
            editor: self.editor.clone(),
            planner: self.planner.clone(),
            tasks: self.tasks.clone(),
            gates: self.gates.clone(),
        }
    }

    /// The run a snapshot was taken of.
    ///
    /// # Errors
    /// Another format, or a document that does not fit together. Replay the journal then.
    pub fn restore(snapshot: Snapshot) -> Result<Self, RestoreError> {
        if snapshot.format != SNAPSHOT_FORMAT {
            return Err(RestoreError::Format(snapshot.format));
        }
        let graph = match &snapshot.plan {
            Some(plan) => Graph::new(plan).map_err(RestoreError::Plan)?,
            None => Graph::default(),
        };
        fits(&snapshot)?;
        let mut run = Self {
            id: snapshot.id,
            order: snapshot.order,
            created: snapshot.created,
            state: snapshot.state,
            since: snapshot.since,
            paused: snapshot.paused,
            stop: snapshot.stop,
            outcome: snapshot.outcome,
            ended: snapshot.ended,
            failures: snapshot.failures,
            digest: snapshot.digest,
            plan: snapshot.plan,
            deadline: snapshot.deadline,
            charges: snapshot.charges,
            ledger: snapshot.ledger,
            asks: snapshot.asks,
            feedback: snapshot.feedback,
            editor: snapshot.editor,
            planner: snapshot.planner,
            tasks: snapshot.tasks,
            gates: snapshot.gates,
            schedule: Schedule::new(graph.sessions().len()),
            graph: Arc::new(graph),
            claims: None,
        };
        for ix in run.tasks.keys() {
            let (key, session) = run.place(ix);
            run.schedule.join(key, session, run.tasks[ix].phase);
        }
        run.schedule.regate(&run.gates);
        run.claim_all();
        run.requeue_all();
        run.balanced()?;
        Ok(run)
    }
}

impl Run {
    /// Only what runs has an account, and the accounts hold what the run says they do.
    fn balanced(&self) -> Result<(), RestoreError> {
        let held = self
            .ledger
            .accounts()
            .fold(Amount::NOTHING, |sum, account| sum.plus(account.held));
        let run = self
            .ledger
            .tasks
            .keys()
            .all(|ix| self.schedule.running.contains(ix))
            && (self.ledger.gates.keys()).all(|ix| self.schedule.gates_running.contains(ix));
        if run && held == self.ledger.held {
            Ok(())
        } else {
            Err(RestoreError::Damaged("its accounts are not balanced"))
        }
    }
}

/// Every index inside points at something.
fn fits(snapshot: &Snapshot) -> Result<(), RestoreError> {
    let (tasks, gates) = snapshot
        .plan
        .as_ref()
        .map_or((0, 0), |p| (p.tasks.len(), p.gates.len()));
    if snapshot.tasks.len() < tasks || (tasks == 0 && snapshot.tasks.len() > 0) {
        return Err(RestoreError::Damaged("its tasks are not those of its plan"));
    }
    if snapshot.gates.len() != gates {
        return Err(RestoreError::Damaged("its gates are not those of its plan"));
    }
    let all = snapshot.tasks.len();
    (snapshot.asks)
        .fits((all, gates, snapshot.order.rules.len()))
        .map_err(RestoreError::Damaged)?;
    let restores = (snapshot.tasks.iter())
        .filter_map(|(_, task)| task.human.as_ref()?.restore.as_ref())
        .chain(
            snapshot
                .gates
                .iter()
                .filter_map(|(_, g)| g.restore.as_deref()),
        )
        .chain(snapshot.planner.as_deref());
    let mut asks = restores.filter_map(|restore| restore.ask);
    if !asks.all(|no| snapshot.asks.knows(no)) {
        return Err(RestoreError::Damaged(
            "work waits for a request that it has not got",
        ));
    }
    for (ix, task) in snapshot.tasks.iter() {
        let place = match &task.instance {
            Some(instance) => {
                ix.get() >= tasks && instance.parent.get() < tasks && task.plan == instance.parent
            }
            None => ix.get() < tasks && task.plan == ix,
        };
        let members = task.expansion.as_ref().is_none_or(|e| {
            let end = (e.first as usize).saturating_add(e.count as usize);
            e.first as usize >= tasks
                && end <= all
                && e.first_failed.is_none_or(|ix| ix.get() < all)
        });
        if !place || !members {
            return Err(RestoreError::Damaged(
                "an instance is not where its task says",
            ));
        }
    }
    Ok(())
}
