//! What the engine costs, without sandbox, journal or anything else: events per second, and whether a task of a
//! large plan costs more than one of a small plan.
//!
//! `cargo run --release -p sandgate-testkit --example engine_bench`

use sandgate_engine::{Event, Run, RunState, Start, Steps};
use sandgate_model::{
    Amount, AttemptEnd, CallEnd, CallRequest, Caller, Digest, Millis, ModelGrant, Moment, NeedKind,
    OverBudget, Payload, Plan, RunBudget, TaskOutput,
};
use sandgate_testkit::{chain, created, fan, layered, run_id};
use serde_json::Value;
use std::{
    collections::VecDeque,
    error::Error,
    fs,
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

/// Each graph is run so often, and the fastest counts: what disturbs a run only makes it slower.
const ROUNDS: usize = 5;

struct Figures {
    freeze: Duration,
    run: Duration,
    events: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    // First, while the process has nothing else to give back.
    let large = fan(100_000, 40);
    let before = resident();
    let (run, _) = once(&large)?;
    if let (Some(before), Some(after)) = (before, resident()) {
        let bytes = after.saturating_sub(before) * 1024 / 100_000;
        writeln!(
            out,
            "state of an ended run of 100,000 tasks: about {bytes} bytes per task\n"
        )?;
    }
    drop((run, large));
    writeln!(
        out,
        "{:<26} {:>8} {:>9} {:>12} {:>9} {:>9} {:>10}",
        "graph", "tasks", "events", "events/s", "µs/event", "µs/task", "freeze ms"
    )?;
    let mut ratios = Vec::new();
    let families: [(&str, Vec<Arc<Plan>>); 4] = [
        (
            "fan-out 1 -> N -> 1",
            [100, 1_000, 10_000, 100_000].map(|n| fan(n, 40)).to_vec(),
        ),
        (
            "fan-out, all spend",
            [100, 1_000, 10_000, 100_000]
                .map(|n| spending(fan(n, 40)))
                .to_vec(),
        ),
        ("chain", [100, 1_000, 100_000].map(chain).to_vec()),
        (
            "layers of 100, 3 needs",
            [10, 100, 1_000]
                .map(|layers| layered(layers, 100, 3, 40, 7))
                .to_vec(),
        ),
    ];
    for (name, plans) in families {
        let mut costs = Vec::new();
        for plan in plans {
            let best = best_of(&plan)?;
            let tasks = plan.tasks.len();
            let micros = best.run.as_secs_f64() * 1e6;
            let per_task = micros / tasks as f64;
            writeln!(
                out,
                "{name:<26} {tasks:>8} {:>9} {:>12.0} {:>9.2} {per_task:>9.2} {:>10.1}",
                best.events,
                f64::from(best.events) / best.run.as_secs_f64(),
                micros / f64::from(best.events),
                best.freeze.as_secs_f64() * 1e3,
            )?;
            costs.push(per_task);
        }
        if let (Some(first), Some(last)) = (costs.first(), costs.last()) {
            ratios.push((name, last / first));
        }
    }
    writeln!(out)?;
    for (name, ratio) in ratios {
        writeln!(
            out,
            "{name}: a task of the largest costs {ratio:.2} times one of the smallest"
        )?;
    }
    Ok(())
}

/// The same plan, in which every task reserves and makes one call.
fn spending(plan: Arc<Plan>) -> Arc<Plan> {
    let mut plan = Arc::unwrap_or_clone(plan);
    for task in &mut plan.tasks {
        task.grants.model = vec![ModelGrant {
            provider: "local".to_owned(),
            models: vec!["*".to_owned()],
            approval: false,
        }];
    }
    plan.budget = Some(RunBudget {
        limit: 1_000_000_000,
        tokens: None,
        over: OverBudget::Refuse,
    });
    Arc::new(plan)
}

/// The intent and the outcome of a call.
fn call(by: Caller) -> [Event; 2] {
    let cost = Amount {
        micros: 1,
        tokens: 0,
    };
    let request = CallRequest {
        kind: NeedKind::Model,
        what: String::new(),
        digest: Digest::of(b"call"),
        rule: String::new(),
        secrets: Vec::new(),
        reserve: cost,
        approval: false,
        consent: None,
    };
    let end = CallEnd::Done {
        note: String::new(),
        cost,
    };
    [
        Event::CallStarted {
            by,
            call: 1,
            request,
        },
        Event::CallEnded {
            by,
            call: 1,
            end,
            took: Millis(1),
            tape: None,
        },
    ]
}

fn best_of(plan: &Arc<Plan>) -> Result<Figures, Box<dyn Error>> {
    let mut best: Option<Figures> = None;
    for _ in 0..ROUNDS {
        let (_, figures) = once(plan)?;
        if best.as_ref().is_none_or(|best| figures.run < best.run) {
            best = Some(figures);
        }
    }
    best.ok_or_else(|| "no rounds".into())
}

/// From the frozen plan to the verified run, as the driver steps it: fill the slots, end the oldest attempt.
fn once(plan: &Arc<Plan>) -> Result<(Run, Figures), Box<dyn Error>> {
    let steps = Steps {
        dispatch: true,
        verify: true,
    };
    let at = Moment(1_700_000_000_000);
    let (mut run, _) = Run::create(run_id(1), at, &created(steps, &[]))?;
    run.step(at, &Event::PlanningStarted)?;
    let frozen = Event::PlanFrozen {
        digest: Digest::of(b"plan"),
        plan: Arc::clone(plan),
    };
    let begin = Instant::now();
    run.step(at, &frozen)?;
    let freeze = begin.elapsed();

    let mut events = 0;
    let mut running = VecDeque::new();
    let begin = Instant::now();
    loop {
        while let Some(Start::Attempt { task, attempt }) = run.next_start() {
            run.step(at, &Event::AttemptStarted { task, attempt })?;
            events += 1;
            running.push_back((task, attempt));
        }
        let Some((task, attempt)) = running.pop_front() else {
            break;
        };
        if plan.budget.is_some() {
            for event in call(Caller::Task { task, attempt }) {
                run.step(at, &event)?;
                events += 1;
            }
        }
        let end = AttemptEnd::Output(TaskOutput {
            output: Payload::Inline(Value::Null),
            artifacts: Vec::new(),
            charges: Vec::new(),
        });
        let took = Millis(1);
        run.step(
            at,
            &Event::AttemptEnded {
                task,
                attempt,
                end,
                took,
            },
        )?;
        events += 1;
    }
    let elapsed = begin.elapsed();
    if run.state() != RunState::Verified {
        return Err(format!("the run is {:?}", run.state()).into());
    }
    let figures = Figures {
        freeze,
        run: elapsed,
        events,
    };
    Ok((run, figures))
}

/// Memory of this process in KiB, where the system says so.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
