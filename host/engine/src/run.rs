//! The state of one run: what its events add up to. This file holds the struct, its birth and plain questions;
//! what an event does is in `on/`.

use crate::{
    Allowance, Event, Feedback, Illegal, Outcome, Restore, RunState, Steps,
    ask::Asks,
    budget::{Claims, Ledger},
    command::Command,
    gate::Gate,
    graph::Graph,
    schedule::Schedule,
    table::Table,
    task::Task,
};
use sandgate_model::{
    Actor, Digest, GateIx, Moment, Plan, PlanGate, PlanTask, PluginName, Rule, RunId, TaskId,
    TaskIx, TaskOutput, WorkflowName,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// What was asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) workflow: WorkflowName,
    pub(crate) file: String,
    pub(crate) source: Digest,
    pub(crate) goal: String,
    pub(crate) inputs: BTreeMap<String, Value>,
    pub(crate) steps: Steps,
    pub(crate) planners: Vec<PluginName>,
    #[serde(default, skip_serializing_if = "Allowance::is_open")]
    pub(crate) budget: Allowance,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rules: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<Actor>,
}

/// Why nothing new starts any more.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stop {
    /// Somebody cancelled the run.
    Cancel { reason: String },
    /// This task failed and the plan says `on_failure = "stop"`.
    Failure { task: TaskIx },
    /// The run took longer than it may.
    Timeout,
}

/// A planner that gave no plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlannerFailure {
    /// Which planner; absent when freezing the written tasks alone failed.
    pub planner: Option<PluginName>,
    /// Why, for a person.
    pub message: String,
}

/// The state of one run. Change it with [`Run::step`] only.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    pub(crate) id: RunId,
    pub(crate) order: Order,
    pub(crate) created: Moment,
    pub(crate) state: RunState,
    /// When `state` was entered.
    pub(crate) since: Moment,
    pub(crate) paused: Option<Moment>,
    pub(crate) stop: Option<Stop>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) ended: Option<Moment>,
    /// Planners that were asked in vain; the next one is `planners[failures.len()]`.
    pub(crate) failures: Vec<PlannerFailure>,
    pub(crate) digest: Option<Digest>,
    pub(crate) plan: Option<Arc<Plan>>,
    /// The run's own timer.
    pub(crate) deadline: Option<Moment>,
    /// Costs so far, by what was paid for, in millionths. Never goes back, not even by a retry.
    pub(crate) charges: BTreeMap<String, u64>,
    /// Reservations, open calls, counts.
    pub(crate) ledger: Ledger,
    /// Everything that was put to people.
    pub(crate) asks: Asks,
    /// What was said of plans that were rejected.
    pub(crate) feedback: Vec<Feedback>,
    /// Who made the plan of now by editing another one.
    pub(crate) editor: Option<Actor>,
    /// For a planner that may be taken up where it stopped.
    pub(crate) planner: Option<Box<Restore>>,
    pub(crate) tasks: Table<TaskIx, Task>,
    pub(crate) gates: Table<GateIx, Gate>,
    /// Follows from the plan.
    pub(crate) graph: Arc<Graph>,
    /// Follows from the phases.
    pub(crate) schedule: Schedule,
    /// Follows from the phases; absent when nothing of the run is bounded.
    pub(crate) claims: Option<Box<Claims>>,
}

impl Run {
    /// A run is born: state `draft`. Its first event must be [`Event::RunCreated`].
    ///
    /// # Errors
    /// Any other event.
    pub fn create(id: RunId, at: Moment, event: &Event) -> Result<(Self, Vec<Command>), Illegal> {
        let Event::RunCreated {
            workflow,
            file,
            source,
            goal,
            inputs,
            steps,
            planners,
            budget,
            rules,
            by,
        } = event
        else {
            let why = "the first event of a run is `run-created`";
            return Err(Illegal::new(RunState::Draft, event, why));
        };
        let order = Order {
            workflow: workflow.clone(),
            file: file.clone(),
            source: *source,
            goal: goal.clone(),
            inputs: inputs.clone(),
            steps: *steps,
            planners: planners.clone(),
            budget: *budget,
            rules: rules.clone(),
            by: by.clone(),
        };
        let run = Self {
            id,
            order,
            created: at,
            state: RunState::Draft,
            since: at,
            paused: None,
            stop: None,
            outcome: None,
            ended: None,
            failures: Vec::new(),
            digest: None,
            plan: None,
            deadline: None,
            charges: BTreeMap::new(),
            ledger: Ledger::default(),
            asks: Asks::default(),
            feedback: Vec::new(),
            editor: None,
            planner: None,
            tasks: Table::default(),
            gates: Table::default(),
            graph: Arc::default(),
            schedule: Schedule::default(),
            claims: None,
        };
        Ok((run, Vec::new()))
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Where the run is.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.state
    }

    /// Whether it is paused.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether it is on its way to an end before its time (cancel, `on_failure = "stop"`, timeout): nothing new
    /// starts, and it ends when the last running attempt has reported its end.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stop.is_some() && !self.state.ended()
    }

    /// What came of it; absent until it ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// The plan; absent until there is one.
    #[must_use]
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        self.plan.as_ref()
    }

    /// The plan's digest.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// How far it goes by itself.
    #[must_use]
    pub fn steps(&self) -> Steps {
        self.order.steps
    }

    /// When it was asked for.
    #[must_use]
    pub fn created(&self) -> Moment {
        self.created
    }

    /// When it ended.
    #[must_use]
    pub fn ended(&self) -> Option<Moment> {
        self.ended
    }

    /// Inputs, defaults filled in.
    #[must_use]
    pub fn inputs(&self) -> &BTreeMap<String, Value> {
        &self.order.inputs
    }

    /// The goal, templates filled in.
    #[must_use]
    pub fn goal(&self) -> &str {
        &self.order.goal
    }

    /// The workflow's name.
    #[must_use]
    pub fn workflow(&self) -> &WorkflowName {
        &self.order.workflow
    }

    /// The workflow's file, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.order.file
    }

    /// The workflow's text in the artifact store.
    #[must_use]
    pub fn source(&self) -> Digest {
        self.order.source
    }

    /// Planners to ask, the first one first.
    #[must_use]
    pub fn planners(&self) -> &[PluginName] {
        &self.order.planners
    }

    /// Planners that gave no plan, in the order in which they were asked.
    #[must_use]
    pub fn planner_failures(&self) -> &[PlannerFailure] {
        &self.failures
    }

    /// The task with this id, instances (`TASK.N`) included.
    #[must_use]
    pub fn find(&self, id: &TaskId) -> Option<TaskIx> {
        let plan = self.plan.as_ref()?;
        let (base, n) = match id.as_str().split_once('.') {
            Some((base, n)) => (base, Some(n.parse::<u32>().ok()?)),
            None => (id.as_str(), None),
        };
        let ix = self.graph.find(plan, base)?;
        let Some(n) = n else {
            return Some(ix);
        };
        let expansion = self.tasks[ix].expansion.as_ref()?;
        (n < expansion.count).then(|| TaskIx(expansion.first + n))
    }

    /// What a task gave back, once it succeeded. For a task with `for_each`: the list of its instances' outputs,
    /// without artifacts; one that is in the artifact store stands there as `{"$payload": ...}`. That mark is for
    /// people: a plugin can write it too, so resolve stored outputs by [`Run::instances`], never by parsing.
    #[must_use]
    pub fn output(&self, ix: TaskIx) -> Option<&TaskOutput> {
        self.tasks.row(ix)?.output.as_deref()
    }

    /// The instances of a task with `for_each`, in the order of its items. Empty for other tasks, and before the
    /// expression was evaluated.
    pub fn instances(&self, ix: TaskIx) -> impl DoubleEndedIterator<Item = TaskIx> + use<> {
        let expansion = self.tasks.row(ix).and_then(|task| task.expansion.as_ref());
        expansion.map(|e| e.members()).into_iter().flatten()
    }

    /// What the plan says of a task, or of an instance's parent.
    pub(crate) fn planned(&self, ix: TaskIx) -> Option<&PlanTask> {
        self.plan.as_ref()?.task(self.tasks.row(ix)?.plan)
    }

    pub(crate) fn planned_gate(&self, ix: GateIx) -> Option<&PlanGate> {
        self.plan.as_ref()?.gates.get(ix.get())
    }

    /// The id of a task, for people and for lookups.
    pub(crate) fn task_id(&self, ix: TaskIx) -> Option<TaskId> {
        let id = &self.planned(ix)?.id;
        Some(match &self.tasks[ix].instance {
            Some(instance) => id.instance(instance.n),
            None => id.clone(),
        })
    }

    pub(crate) fn gate_name(&self, ix: GateIx) -> String {
        self.planned_gate(ix)
            .map_or_else(|| format!("#{}", ix.0), |gate| gate.id.to_string())
    }

    /// The same as text; a mark for an index that does not exist.
    pub(crate) fn name(&self, ix: TaskIx) -> String {
        match self.task_id(ix) {
            Some(id) => id.as_str().to_owned(),
            None => format!("#{}", ix.0),
        }
    }
}
