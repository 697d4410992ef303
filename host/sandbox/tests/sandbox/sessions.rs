//! Sessions that stay, and instances that do not.

use crate::support::*;
use sandgate_sandbox::{LimitKind, LiveSession, Outcome, Sandbox, SandboxConfig};
use serde_json::{Value, json};

async fn open(wanted: &Try) -> LiveSession {
    let report = SANDBOX.open(&wanted.call(), &wanted.config).await;
    report.outcome.split().unwrap()
}

async fn tell(session: &mut LiveSession, wanted: &Try, order: &str) -> String {
    let report = session.run(&wanted.turn(), wanted.task(json!(order))).await;
    match report.outcome {
        Outcome::Output(answer) => answer.output.as_str().unwrap_or("null").to_owned(),
        other => other.reason(),
    }
}

#[tokio::test]
async fn a_session_keeps_its_memory() {
    let wanted = hostile();
    let mut session = open(&wanted).await;
    assert_eq!(
        tell(&mut session, &wanted, "remember:blue").await,
        "remembered"
    );
    assert_eq!(tell(&mut session, &wanted, "recall").await, "blue");
    // A failure and a bad answer are answers: it lives on.
    assert!(
        tell(&mut session, &wanted, "failed:x")
            .await
            .contains("failed")
    );
    assert!(
        tell(&mut session, &wanted, "deep:65")
            .await
            .contains("64 levels")
    );
    assert_eq!(tell(&mut session, &wanted, "recall").await, "blue");
    // Another session, and a fresh instance, know nothing of it.
    let mut other = open(&wanted).await;
    assert_eq!(tell(&mut other, &wanted, "recall").await, "");
    assert_eq!(wanted.text("recall").await, "");
}

#[tokio::test]
async fn counters_start_anew_with_each_task() {
    let wanted = hostile().limits(|l| {
        l.host_calls = 5_000;
        l.log_bytes = 10_000;
        l.artifact_bytes = 2 << 20;
    });
    let wanted = wanted.produces(&["big"]);
    let mut session = open(&wanted).await;
    for _ in 0..3 {
        let report = session
            .run(&wanted.turn(), wanted.task(json!("write-big:2")))
            .await;
        assert_eq!(report.outcome.split().unwrap().artifacts.len(), 1);
        let before = wanted.kept.lines.lock().unwrap().len();
        let report = session
            .run(&wanted.turn(), wanted.task(json!("log:1000")))
            .await;
        assert!(
            reasons(report.outcome).contains("did not make"),
            "no artifact this time"
        );
        assert_eq!(report.stats.host_calls, 1_000);
        let after = wanted.kept.lines.lock().unwrap().len();
        assert!((50..200).contains(&(after - before)), "{before} {after}");
    }
}

#[tokio::test]
async fn a_session_is_not_used_after_it_was_stopped() {
    for order in ["unreachable", "loop", "hold:100", "exit:0"] {
        let wanted = hostile().deadline(200);
        let mut session = open(&wanted).await;
        tell(&mut session, &wanted, "remember:blue").await;
        let told = tell(&mut session, &wanted, order).await;
        assert!(!session.is_alive(), "{order}: {told}");
        assert!(
            tell(&mut session, &wanted, "recall")
                .await
                .contains("open another one")
        );
    }
    let wanted = hostile();
    let mut session = open(&wanted).await;
    wanted.cancel.cancel();
    assert_eq!(
        tell(&mut session, &wanted, "recall").await,
        "it was cancelled"
    );
    assert!(!session.is_alive());
}

#[tokio::test]
async fn memory_is_the_sessions_and_not_the_tasks() {
    let wanted = hostile().limits(|l| l.memory = 32 << 20);
    let mut session = open(&wanted).await;
    // Freed between tasks, so that the guest's allocator uses it again: the peak does not pile up.
    for _ in 0..5 {
        assert_eq!(tell(&mut session, &wanted, "hold:20").await, "20");
    }
    let report = session
        .run(&wanted.turn(), wanted.task(json!("hold:40")))
        .await;
    assert!(
        matches!(
            report.outcome,
            Outcome::Limit {
                which: LimitKind::Memory,
                ..
            }
        ),
        "{:?}",
        report.outcome
    );
}

#[tokio::test]
async fn an_open_that_fails_says_why() {
    let report = SANDBOX
        .open(&hostile().call(), &json!("unavailable:no network"))
        .await;
    assert!(report.outcome.reason().contains("no network"));
    let report = SANDBOX
        .open(&hostile().deadline(50).call(), &json!("loop"))
        .await;
    assert!(matches!(report.outcome, Outcome::Timeout { .. }));
}

#[tokio::test]
async fn nothing_of_a_call_is_left_for_the_next() {
    // One place, so that every call gets the memory of the one before.
    let sandbox = Sandbox::new(&SandboxConfig {
        max_instances: 1,
        ..SandboxConfig::default()
    })
    .unwrap();
    assert!(sandbox.is_pooled(), "this machine can make the pool of one");
    let hostile = Try::new(sandbox.load(sandgate_test_guests::hostile_agent()).unwrap());
    let gate = Try::new(sandbox.load(sandgate_test_guests::file_agent()).unwrap());
    let run = async |wanted: &Try, order: &str| {
        let task = wanted.task(json!(order));
        sandbox
            .run(&wanted.call(), &Value::Null, task)
            .await
            .outcome
    };
    for round in 0..20 {
        assert_eq!(text(run(&hostile, "hold:24").await), "24");
        if round % 3 == 0 {
            // The slot goes to another component in between.
            assert!(matches!(run(&gate, "x").await, Outcome::Refused { .. }));
        }
        if round % 4 == 0 {
            assert!(matches!(
                run(&hostile, "unreachable").await,
                Outcome::Trap { .. }
            ));
        }
        assert_eq!(text(run(&hostile, "dirty:40").await), "0", "round {round}");
    }
}
