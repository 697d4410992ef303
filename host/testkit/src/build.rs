//! Plans without TOML, in a line or two. A wrong name is a mistake in the test that wrote it, so it panics.

use sandgate_engine::{Allowance, Event, Steps};
use sandgate_model::{
    Actor, ArtifactName, ArtifactRef, Authenticated, Channel, Digest, ExecGrant, FileGrant,
    FileMode, GateId, Grants, Millis, ModelGrant, OnFailure, OverBudget, PLAN_FORMAT, Plan,
    PlanGate, PlanTask, PluginName, Retry, Rule, RuleOn, RuleTimeout, RunBudget, RunId, Session,
    SessionName, SignalType, TaskId, TaskIx, TaskWork, WaitFor, WorkflowName,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

#[expect(
    clippy::expect_used,
    reason = "a mistake in a test, to be seen at once"
)]
pub(crate) fn name<T>(text: &str) -> T
where
    T: std::str::FromStr,
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a name that obeys the grammar")
}

/// A run id for tests; equal numbers give equal ids.
#[must_use]
pub fn run_id(n: u64) -> RunId {
    name(&format!(
        "01932c5e-7c0a-7000-8000-{:012x}",
        n & 0xffff_ffff_ffff
    ))
}

/// The first event of a run with these steps and planners.
#[must_use]
pub fn created(steps: Steps, planners: &[&str]) -> Event {
    created_with(steps, planners, Allowance::OPEN)
}

/// The same with what the project's budget reserved for it.
#[must_use]
pub fn created_with(steps: Steps, planners: &[&str], budget: Allowance) -> Event {
    created_by(steps, planners, budget, Vec::new(), None)
}

/// The same with rules of approval, and with who asked for it.
#[must_use]
pub fn created_by(
    steps: Steps,
    planners: &[&str],
    budget: Allowance,
    rules: Vec<Rule>,
    by: Option<Actor>,
) -> Event {
    Event::RunCreated {
        workflow: name("test"),
        file: "test.toml".to_owned(),
        source: Digest::of(b"test"),
        goal: "test".to_owned(),
        inputs: BTreeMap::new(),
        steps,
        planners: planners.iter().map(|planner| name(planner)).collect(),
        budget,
        rules,
        by,
    }
}

/// Somebody with these roles, known to the operating system.
#[must_use]
pub fn actor(who: &str, roles: &[&str]) -> Actor {
    let mut roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    roles.sort();
    Actor {
        name: who.to_owned(),
        roles,
        operator: false,
        authenticated: Authenticated::Os,
        channel: Channel::Cli,
    }
}

/// A rule that wants one yes of anybody with one of these roles, whoever started the run included.
#[must_use]
pub fn rule(id: &str, on: &[RuleOn], roles: &[&str]) -> Rule {
    let mut on = on.to_vec();
    on.sort_unstable();
    Rule {
        name: id.to_owned(),
        on,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        count: 1,
        timeout: None,
        on_timeout: RuleTimeout::Reject,
        self_approval: true,
    }
}

/// A grant of text generation.
pub(crate) fn model() -> Vec<ModelGrant> {
    vec![ModelGrant {
        provider: "local".to_owned(),
        models: vec!["*".to_owned()],
        approval: false,
    }]
}

/// A grant of a command without network.
pub(crate) fn exec(approval: bool) -> ExecGrant {
    ExecGrant {
        name: "tag".to_owned(),
        program: "git".to_owned(),
        args: vec!["tag".to_owned()],
        cwd: None,
        env: BTreeMap::new(),
        secrets: Vec::new(),
        network: false,
        read: Vec::new(),
        timeout: None,
        approval,
    }
}

/// A gate that runs the plugin `checker`.
#[must_use]
pub fn gate(id: &str, tier: u32) -> PlanGate {
    PlanGate {
        id: name::<GateId>(id),
        plugin: name("checker"),
        config: Value::Null,
        tier,
        timeout: Millis(60_000),
        grants: Grants::default(),
    }
}

/// A task under construction.
#[derive(Clone, Debug)]
pub struct TaskBuilder(PlanTask);

impl TaskBuilder {
    /// Agent work with one attempt, in a fresh instance, without grants.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(PlanTask {
            id: name::<TaskId>(id),
            title: String::new(),
            work: TaskWork::Agent {
                agent: name("worker"),
                input: Value::Null,
                config: Value::Null,
                session: Session::Spawn,
            },
            needs: Vec::new(),
            consumes: Vec::new(),
            produces: Vec::new(),
            when: None,
            for_each: None,
            retry: Retry {
                attempts: 1,
                backoff: Millis(1000),
                max_backoff: Millis(60_000),
            },
            timeout: Millis(60_000),
            priority: 0,
            repeatable: false,
            approval_before: false,
            approval_after: false,
            approval_rule: None,
            grants: Grants::default(),
            budget: None,
            limits: sandgate_model::TaskLimits::default(),
        })
    }

    /// Needs these tasks too.
    #[must_use]
    pub fn needs(mut self, needs: &[u32]) -> Self {
        self.0.needs.extend(needs.iter().copied().map(TaskIx));
        self.0.needs.sort_unstable();
        self.0.needs.dedup();
        self
    }

    /// Needs a task and an artifact of it.
    #[must_use]
    pub fn consumes(mut self, task: u32, artifact: &str) -> Self {
        self.0.consumes.push(ArtifactRef {
            task: TaskIx(task),
            name: name::<ArtifactName>(artifact),
        });
        self.needs(&[task])
    }

    /// Makes an artifact.
    #[must_use]
    pub fn produces(mut self, artifact: &str) -> Self {
        self.0.produces.push(name(artifact));
        self
    }

    /// Has a condition.
    #[must_use]
    pub fn when(mut self) -> Self {
        self.0.when = Some("true".to_owned());
        self
    }

    /// Runs once for each item.
    #[must_use]
    pub fn for_each(mut self) -> Self {
        self.0.for_each = Some("[1, 2]".to_owned());
        self
    }

    /// Attempts altogether, and the wait before the second in milliseconds.
    #[must_use]
    pub fn retry(mut self, attempts: u32, backoff: u64) -> Self {
        self.0.retry.attempts = attempts;
        self.0.retry.backoff = Millis(backoff);
        self
    }

    /// Order among ready tasks.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.0.priority = priority;
        self
    }

    /// Runs in a pinned session.
    #[must_use]
    pub fn session(mut self, to: &str) -> Self {
        if let TaskWork::Agent { session, .. } = &mut self.0.work {
            *session = Session::Pinned(name::<SessionName>(to));
        }
        self
    }

    /// Waits for a signal instead of working.
    #[must_use]
    pub fn wait(mut self, signal: &str, timeout: Option<u64>) -> Self {
        self.0.work = TaskWork::Wait(WaitFor {
            signal: name::<SignalType>(signal),
            matches: BTreeMap::new(),
            timeout: timeout.map(Millis),
        });
        self
    }

    /// The signal has to have these fields; what they are is said when the wait begins.
    #[must_use]
    pub fn matching(mut self, fields: &[&str]) -> Self {
        if let TaskWork::Wait(wait) = &mut self.0.work {
            let field = |field: &&str| ((*field).to_owned(), "{{ inputs.it }}".to_owned());
            wait.matches = fields.iter().map(field).collect();
        }
        self
    }

    /// May write files: an attempt whose end is unknown is lost.
    #[must_use]
    pub fn writes(mut self) -> Self {
        self.0.grants.files.push(FileGrant {
            host: "out".to_owned(),
            guest: "/out".to_owned(),
            mode: FileMode::Write,
        });
        self
    }

    /// May generate text: it spends.
    #[must_use]
    pub fn model(mut self) -> Self {
        self.0.grants = Grants {
            model: model(),
            ..self.0.grants
        };
        self
    }

    /// May charge the budget: it spends, and an attempt whose end is unknown is lost.
    #[must_use]
    pub fn charges(mut self) -> Self {
        self.0.grants.budget = true;
        self
    }

    /// Most it may cost, in millionths.
    #[must_use]
    pub fn budget(mut self, micros: u64) -> Self {
        self.0.budget = Some(micros);
        self
    }

    /// Most tokens of an attempt.
    #[must_use]
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.0.limits.tokens = Some(tokens);
        self
    }

    /// May run a command, of which each use has to be approved.
    #[must_use]
    pub fn asks_exec(mut self) -> Self {
        self.0.grants.exec.push(exec(true));
        self
    }

    /// May generate text, of which each use has to be approved.
    #[must_use]
    pub fn asks_model(mut self) -> Self {
        self.0.grants.model = model();
        for grant in &mut self.0.grants.model {
            grant.approval = true;
        }
        self
    }

    /// May charge the budget, of which each charge has to be approved.
    #[must_use]
    pub fn asks_charges(mut self) -> Self {
        self.0.grants.budget = true;
        self.0.grants.budget_approval = true;
        self
    }

    /// May ask a person.
    #[must_use]
    pub fn questions(mut self) -> Self {
        self.0.grants.question = true;
        self
    }

    /// The rule of the run that says who decides about it.
    #[must_use]
    pub fn approval_rule(mut self, rule: &str) -> Self {
        self.0.approval_rule = Some(rule.to_owned());
        self
    }

    /// May run again although an attempt's end is unknown.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.0.repeatable = true;
        self
    }

    /// Needs a decision before it starts.
    #[must_use]
    pub fn approval_before(mut self) -> Self {
        self.0.approval_before = true;
        self
    }

    /// Needs a decision on its result.
    #[must_use]
    pub fn approval_after(mut self) -> Self {
        self.0.approval_after = true;
        self
    }

    /// The task.
    #[must_use]
    pub fn build(self) -> PlanTask {
        self.0
    }
}

/// A plan under construction.
#[derive(Clone, Debug)]
pub struct PlanBuilder(Plan);

impl Default for PlanBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl PlanBuilder {
    /// No tasks, no gates, four slots, `on_failure = "continue"`, no review.
    #[must_use]
    pub fn new() -> Self {
        Self(Plan {
            format: PLAN_FORMAT,
            workflow: name::<WorkflowName>("test"),
            goal: "test".to_owned(),
            revision: 1,
            planner: None,
            rationale: String::new(),
            inputs: BTreeMap::new(),
            plugins: BTreeMap::<PluginName, _>::new(),
            tasks: Vec::new(),
            gates: Vec::new(),
            concurrency: 4,
            on_failure: OnFailure::Continue,
            timeout: None,
            review: false,
            review_rule: None,
            budget: None,
        })
    }

    /// One more task.
    #[must_use]
    pub fn task(mut self, task: TaskBuilder) -> Self {
        self.0.tasks.push(task.build());
        self
    }

    /// One more gate.
    #[must_use]
    pub fn gate(mut self, id: &str, tier: u32) -> Self {
        self.0.gates.push(gate(id, tier));
        self
    }

    /// One more gate, which may generate text.
    #[must_use]
    pub fn model_gate(mut self, id: &str, tier: u32) -> Self {
        let mut gate = gate(id, tier);
        gate.grants.model = model();
        self.0.gates.push(gate);
        self
    }

    /// The rule of the run that says who reviews it.
    #[must_use]
    pub fn review_rule(mut self, rule: &str) -> Self {
        self.0.review = true;
        self.0.review_rule = Some(rule.to_owned());
        self
    }

    /// Which plan of its run it is.
    #[must_use]
    pub fn revision(mut self, revision: u32) -> Self {
        self.0.revision = revision;
        self
    }

    /// What the run may cost.
    #[must_use]
    pub fn budget(mut self, limit: u64, tokens: Option<u64>, over: OverBudget) -> Self {
        self.0.budget = Some(RunBudget {
            limit,
            tokens,
            over,
        });
        self
    }

    /// Most attempts at once.
    #[must_use]
    pub fn concurrency(mut self, slots: u32) -> Self {
        self.0.concurrency = slots;
        self
    }

    /// Stops when a task fails for good.
    #[must_use]
    pub fn stop_on_failure(mut self) -> Self {
        self.0.on_failure = OnFailure::Stop;
        self
    }

    /// Longest the run may take, in milliseconds.
    #[must_use]
    pub fn timeout(mut self, timeout: u64) -> Self {
        self.0.timeout = Some(Millis(timeout));
        self
    }

    /// Has to be approved.
    #[must_use]
    pub fn review(mut self) -> Self {
        self.0.review = true;
        self
    }

    /// The plan.
    #[must_use]
    pub fn build(self) -> Arc<Plan> {
        Arc::new(self.0)
    }
}
