//! A run for tests, made of real events: one task succeeds with a hostile answer, one fails twice, one is skipped
//! because of it, one gate fails.

use sandgate_engine::{Event, GateEnd, Run, Steps};
use sandgate_model::{
    Artifact, ArtifactName, AttemptEnd, AttemptNo, Charge, Check, Digest, FailureClass, FileGrant,
    FileMode, GateId, GateIx, Grants, Millis, Moment, OnFailure, PLAN_FORMAT, Payload, Plan,
    PlanGate, PlanPlugin, PlanTask, PluginName, Retry, Role, RunId, Session, TaskId, TaskIx,
    TaskOutput, TaskWork, Verdict, WorkflowName,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// When the run was created.
pub(crate) const START: u64 = 1_700_000_000_000;

fn plugin(name: &str) -> PluginName {
    PluginName::new(name).unwrap()
}

fn task(id: &str, needs: &[u32]) -> PlanTask {
    PlanTask {
        id: TaskId::new(id).unwrap(),
        title: String::new(),
        work: TaskWork::Agent {
            agent: plugin("worker"),
            input: Value::Null,
            config: Value::Null,
            session: Session::Spawn,
        },
        needs: needs.iter().map(|ix| TaskIx(*ix)).collect(),
        consumes: Vec::new(),
        produces: Vec::new(),
        when: None,
        for_each: None,
        retry: Retry {
            attempts: 2,
            backoff: Millis(1000),
            max_backoff: Millis(1000),
        },
        timeout: Millis(90_000),
        priority: 0,
        repeatable: false,
        approval_before: false,
        approval_after: false,
        approval_rule: None,
        grants: Grants::default(),
        budget: None,
        limits: sandgate_model::TaskLimits::default(),
    }
}

/// The plan.
pub(crate) fn plan(gates: bool) -> Plan {
    let mut research = task("research", &[]);
    research.produces = vec![ArtifactName::new("findings").unwrap()];
    research.grants.files = vec![FileGrant {
        host: "notes".into(),
        guest: "/notes".into(),
        mode: FileMode::Read,
    }];
    let gate = PlanGate {
        id: GateId::new("mentions-price").unwrap(),
        plugin: plugin("text-rules"),
        config: Value::Null,
        tier: 0,
        timeout: Millis(1000),
        grants: Grants::default(),
    };
    let pin = |role| PlanPlugin {
        role,
        digest: Digest::of(b"component"),
    };
    Plan {
        format: PLAN_FORMAT,
        workflow: WorkflowName::new("brief").unwrap(),
        goal: "Research the best laptops and draft an email".into(),
        revision: 1,
        planner: Some(plugin("rules")),
        rationale: "research, then communication".into(),
        inputs: BTreeMap::from([("to".to_owned(), json!("john@example.com"))]),
        plugins: BTreeMap::from([
            (plugin("worker"), pin(Role::Agent)),
            (plugin("text-rules"), pin(Role::Gate)),
        ]),
        tasks: vec![research, task("compare", &[]), task("draft", &[0, 1])],
        gates: if gates { vec![gate] } else { Vec::new() },
        concurrency: 4,
        on_failure: OnFailure::Continue,
        timeout: None,
        review: false,
        review_rule: None,
        budget: None,
    }
}

/// A step of time in milliseconds, and what happened then.
pub(crate) type Script = Vec<(u64, Event)>;

/// Until the plan is dispatched.
pub(crate) fn planned(plan: Plan, steps: Steps) -> Script {
    vec![
        (
            0,
            Event::RunCreated {
                budget: sandgate_engine::Allowance::OPEN,
                workflow: plan.workflow.clone(),
                file: "brief.toml".into(),
                source: Digest::of(b"text"),
                goal: plan.goal.clone(),
                inputs: plan.inputs.clone(),
                steps,
                planners: plan.planner.clone().into_iter().collect(),
                rules: Vec::new(),
                by: None,
            },
        ),
        (1, Event::PlanningStarted),
        (
            20,
            Event::PlanFrozen {
                digest: plan.digest().unwrap(),
                plan: Arc::new(plan),
            },
        ),
    ]
}

/// Both steps by itself.
pub(crate) const ALL: Steps = Steps {
    dispatch: true,
    verify: true,
};

/// An attempt that starts and ends.
pub(crate) fn attempt(task: u32, attempt: u32, took: u64, end: AttemptEnd) -> Script {
    let (task, attempt) = (TaskIx(task), AttemptNo(attempt));
    vec![
        (1, Event::AttemptStarted { task, attempt }),
        (
            took,
            Event::AttemptEnded {
                task,
                attempt,
                end,
                took: Millis(took),
            },
        ),
    ]
}

/// An answer with an artifact whose media type is an attack.
pub(crate) fn answer() -> AttemptEnd {
    AttemptEnd::Output(TaskOutput {
        output: Payload::Inline(json!({ "ok": true })),
        artifacts: vec![Artifact {
            name: ArtifactName::new("findings").unwrap(),
            digest: Digest::of(b"findings"),
            size: 4300,
            media_type: "text/\u{1b}[31mmarkdown".into(),
        }],
        charges: vec![Charge {
            what: "tokens\u{202e}".into(),
            micros: 250_000,
        }],
    })
}

/// A failure whose message is an attack.
pub(crate) fn failure() -> AttemptEnd {
    AttemptEnd::Failed {
        class: FailureClass::Plugin,
        message: "no rows in /notes/prices.csv\nrun 00000000 verified\u{1b}[2J".into(),
        permanent: false,
    }
}

/// A gate's answer.
pub(crate) fn gate(verdict: Verdict) -> Script {
    let (gate, attempt) = (GateIx(0), AttemptNo(1));
    let checks = vec![Check {
        name: "has a price".into(),
        verdict,
        message: "nothing matches \\d+".into(),
        duration: Some(Millis(3)),
    }];
    vec![
        (1, Event::GateStarted { gate, attempt }),
        (
            12,
            Event::GateEnded {
                gate,
                attempt,
                end: GateEnd::Checks { checks },
                took: Millis(12),
            },
        ),
    ]
}

/// A run, and the events with their moments.
pub(crate) fn play(script: Script) -> (Run, Vec<(Moment, Event)>) {
    let id: RunId = "01932c5e-7c0a-7000-8000-0000deadbeef".parse().unwrap();
    let mut at = Moment(START);
    let mut run: Option<Run> = None;
    let mut events = Vec::new();
    for (span, event) in script {
        at = at.after(Millis(span));
        match &mut run {
            None => run = Some(Run::create(id, at, &event).unwrap().0),
            Some(run) => drop(run.step(at, &event).unwrap()),
        }
        events.push((at, event));
    }
    (run.unwrap(), events)
}

/// The whole story of the header.
pub(crate) fn partial() -> Script {
    let mut script = planned(plan(false), ALL);
    script.extend(attempt(0, 1, 180, answer()));
    script.extend(attempt(1, 1, 40, failure()));
    script.push((
        1000,
        Event::TimerFired {
            timer: sandgate_engine::Timer::Retry(TaskIx(1)),
        },
    ));
    script.extend(attempt(1, 2, 41, failure()));
    script
}
