//! Every cap, hit and just not hit, and what the host's own memory does meanwhile.

use crate::support::*;
use crate::wats;
use sandgate_sandbox::{LimitKind, NoArtifacts, Outcome, Sandbox, SandboxConfig, Subject};
use serde_json::{Value, json};
use std::sync::Arc;

const MIB: usize = 1 << 20;

fn hit<T: std::fmt::Debug>(outcome: Outcome<T>) -> (LimitKind, u64) {
    match outcome {
        Outcome::Limit { which, cap } => (which, cap),
        other => panic!("no limit: {other:?}"),
    }
}

async fn start(module: &str) -> Outcome<Vec<sandgate_model::Check>> {
    let call = Try::new(SANDBOX.load(&wats::gate(module)).unwrap()).call();
    let subject = Subject {
        goal: String::new(),
        inputs: json!({}),
        tasks: Vec::new(),
        artifacts: Arc::new(NoArtifacts),
    };
    SANDBOX.check(&call, subject, &Value::Null).await.outcome
}

#[tokio::test]
async fn memory() {
    let wanted = hostile().limits(|l| l.memory = 16 * MIB);
    assert_eq!(wanted.text("hold:8").await, "8");
    let report = wanted.report("hold:20").await;
    assert!(report.stats.memory_peak <= 16 * MIB);
    assert!(report.stats.memory_peak > 8 * MIB);
    assert_eq!(hit(report.outcome), (LimitKind::Memory, 16 * MIB as u64));
    assert_eq!(hit(wanted.run("grow").await).0, LimitKind::Memory);
    // From the start.
    let small = hostile().limits(|l| l.memory = MIB / 2);
    assert_eq!(
        hit(small.run("null").await),
        (LimitKind::Memory, MIB as u64 / 2)
    );
}

#[tokio::test]
async fn a_guest_that_lives_with_a_refusal_is_not_blamed_for_it() {
    let wanted = hostile();
    assert_eq!(wanted.text("try-grow:100").await, "refused");
    assert_eq!(wanted.text("try-grow:10").await, "grown");
    // Refused, then granted less, then a trap for another reason.
    let outcome = wanted.run("try-grow-then-trap:100").await;
    assert!(matches!(outcome, Outcome::Trap { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_limit_over_what_the_sandbox_gives_is_cut() {
    let wanted = hostile().limits(|l| l.memory = usize::MAX);
    assert_eq!(
        hit(wanted.run("grow").await),
        (LimitKind::Memory, 256 * MIB as u64)
    );
}

#[tokio::test]
async fn memory_of_all_together() {
    let sandbox = Sandbox::new(&SandboxConfig {
        total_memory: 40 * MIB,
        pool: false,
        ..SandboxConfig::default()
    })
    .unwrap();
    let wanted = Try::new(sandbox.load(sandgate_test_guests::hostile_agent()).unwrap());
    let run = async |order: &str| {
        sandbox
            .run(&wanted.call(), &Value::Null, wanted.task(json!(order)))
            .await
            .outcome
    };
    assert_eq!(text(run("hold:20").await), "20");
    assert_eq!(
        hit(run("hold:50").await),
        (LimitKind::TotalMemory, 40 * MIB as u64)
    );
    // What one holds, another cannot have; and it comes back.
    let mut session = sandbox
        .open(&wanted.call(), &json!("hold:20"))
        .await
        .outcome
        .split()
        .unwrap();
    assert_eq!(hit(run("hold:20").await).0, LimitKind::TotalMemory);
    assert!(session.is_alive());
    assert_eq!(
        text(
            session
                .run(&wanted.turn(), wanted.task(json!("recall")))
                .await
                .outcome
        ),
        ""
    );
    drop(session);
    assert_eq!(text(run("hold:20").await), "20");
    assert_eq!(sandbox.memory_used(), 0);
}

#[tokio::test]
async fn tables() {
    let grow = |by: u32| {
        format!(
            "(table $t 1 funcref)
             (func $s (if (i32.eq (table.grow $t (ref.null func) (i32.const {by})) (i32.const -1)) (then unreachable)))
             (start $s)"
        )
    };
    // Not a limit: the export has another shape, but it got that far.
    assert!(reasons(start(&grow(50_000)).await).contains("differs"));
    assert_eq!(
        hit(start(&grow(200_000)).await),
        (LimitKind::TableElements, 100_000)
    );
}

#[tokio::test]
async fn instances_tables_memories() {
    type Change = fn(&mut sandgate_sandbox::Limits);
    let cases: [(Change, LimitKind); 3] = [
        (|l| l.instances = 1, LimitKind::Instances),
        (|l| l.tables = 0, LimitKind::Tables),
        (|l| l.memories = 0, LimitKind::Memories),
    ];
    for (change, which) in cases {
        assert_eq!(hit(hostile().limits(change).run("null").await).0, which);
    }
}

#[tokio::test]
async fn handles_and_host_objects() {
    // A pollable is two host objects: what it waits for, and itself.
    assert_eq!(hostile().text("handles:510").await, "510");
    assert_eq!(
        hit(hostile().run("handles:520").await),
        (LimitKind::Resources, 1_024)
    );
    let few = hostile().limits(|l| l.handles = 100);
    assert_eq!(hit(few.run("handles:200").await), (LimitKind::Handles, 100));
}

#[tokio::test]
async fn host_calls() {
    let wanted = hostile().limits(|l| l.host_calls = 20_000);
    let report = wanted.report("calls:10000").await;
    assert!(report.stats.host_calls >= 10_000, "{:?}", report.stats);
    assert_eq!(text(report.outcome), "called");
    let report = wanted.report("calls:100000000").await;
    // Stopped at the next tick.
    println!(
        "host calls made under a cap of 20,000: {}",
        report.stats.host_calls
    );
    assert_eq!(hit(report.outcome), (LimitKind::HostCalls, 20_000));
    // Our own functions stop at once.
    let logs = hostile().limits(|l| l.host_calls = 100);
    let report = logs.report("log:1000000").await;
    assert_eq!(hit(report.outcome), (LimitKind::HostCalls, 100));
    assert!(report.stats.host_calls <= 101, "{:?}", report.stats);
}

#[tokio::test]
async fn copying_memory_is_not_a_host_call() {
    let report = hostile()
        .limits(|l| l.host_calls = 100)
        .report("copies:100000")
        .await;
    assert_eq!(text(report.outcome), "copied");
}

#[tokio::test]
async fn what_crosses_at_once() {
    let report = hostile().report("huge:3").await;
    assert_eq!(
        report
            .outcome
            .split()
            .unwrap()
            .output
            .as_str()
            .unwrap()
            .len(),
        3 * MIB
    );
    assert_eq!(
        hit(hostile().run("huge:8").await),
        (LimitKind::Crossing, (4 * MIB + MIB / 16) as u64)
    );
    let narrow = hostile().limits(|l| l.output_bytes = 1_000);
    assert!(reasons(narrow.run("huge:1").await).contains("1000 is the most"));
}

#[tokio::test]
async fn log() {
    let wanted = hostile();
    let report = wanted.report("log:100000").await;
    assert_eq!(text(report.outcome), "logged");
    let kept = wanted.kept.lines.lock().unwrap().len();
    assert!(report.stats.log_bytes <= MIB);
    assert_eq!(kept as u64 + report.stats.dropped_lines, 100_000);
    assert!((9_000..=10_000).contains(&kept), "{kept}");
    let wanted = hostile();
    let report = wanted.report("log-long:1000000").await;
    assert_eq!(report.stats.log_bytes, 8 << 10);
    assert!(wanted.kept.lines.lock().unwrap()[0].cut);
}

#[tokio::test]
async fn stdout_floods_and_empty_writes() {
    let wanted = hostile();
    let before = resident();
    let report = wanted.report("stdout-flood:20000").await;
    assert_eq!(text(report.outcome), "flooded");
    assert!(
        report.stats.log_bytes <= 8 << 10,
        "80 MB without a line break are one line"
    );
    assert_eq!(text(wanted.run("empty-writes:100000").await), "written");
    let grown = resident().saturating_sub(before);
    println!("resident memory grown by {} KiB", grown >> 10);
    assert!(grown < 64 * MIB, "{grown}");
}

#[tokio::test]
async fn progress() {
    let wanted = hostile();
    wanted.run("progress:200").await;
    let progress = wanted.kept.progress.lock().unwrap();
    assert_eq!(progress.len(), 200);
    assert_eq!(progress[199].permille, Some(1_000), "1990 is read as 1000");
    assert_eq!(progress[3].message, "step 3");
}
