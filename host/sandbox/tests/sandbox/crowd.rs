//! Many guests at once: the bad ones do not stop the good ones, and leave nothing behind.

use crate::support::*;
use sandgate_sandbox::{Outcome, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_sleepers_do_not_stop_the_next() {
    let wanted = hostile();
    let sleepers: Vec<_> = (0..600)
        .map(|_| {
            let wanted = wanted.clone();
            tokio::spawn(async move { wanted.run("sleep:100000").await })
        })
        .collect();
    while SANDBOX.free_slots() > 400 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let since = Instant::now();
    let outcome = Try::new(noop_agent()).run("hello").await;
    println!("the 601st took {:?}", since.elapsed());
    assert_eq!(text(outcome), "hello");
    assert!(since.elapsed() < Duration::from_secs(1));
    wanted.cancel.cancel();
    let since = Instant::now();
    for sleeper in sleepers {
        assert!(matches!(sleeper.await.unwrap(), Outcome::Cancelled));
    }
    println!("600 sleepers gone {:?} after the cancel", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loops_do_not_disturb_a_neighbour_much() {
    let wanted = hostile().deadline(3_000);
    let loops: Vec<_> = (0..4)
        .map(|_| {
            let wanted = wanted.clone();
            tokio::spawn(async move { wanted.run("loop").await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut times = tokio::spawn(async {
        let mut times = Vec::new();
        for _ in 0..20 {
            let since = Instant::now();
            assert_eq!(Try::new(noop_agent()).text("x").await, "x");
            times.push(since.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        times
    })
    .await
    .unwrap();
    times.sort();
    println!(
        "beside four loops on two threads: median {:?}, worst {:?}",
        times[10], times[19]
    );
    assert!(times[10] < Duration::from_millis(500));
    wanted.cancel.cancel();
    for ended in loops {
        assert!(matches!(
            ended.await.unwrap(),
            Outcome::Cancelled | Outcome::Timeout { .. }
        ));
    }
}

#[tokio::test]
async fn a_thousand_bad_calls_leave_nothing_behind() {
    let orders = [
        "unreachable",
        "hold:100",
        "log:2000",
        "recurse",
        "huge:8",
        "panic",
        "handles:1100",
    ];
    let sandbox = Sandbox::new(&SandboxConfig::default()).unwrap();
    let wanted = Try::new(sandbox.load(sandgate_test_guests::hostile_agent()).unwrap())
        .limits(|l| l.memory = 16 * MIB);
    let round = async |count: usize| {
        for order in orders.iter().cycle().take(count) {
            let task = wanted.task(json!(order));
            drop(sandbox.run(&wanted.call(), &Value::Null, task).await);
            wanted.kept.lines.lock().unwrap().clear();
        }
    };
    round(100).await;
    let before = resident();
    round(1_000).await;
    let after = resident();
    println!(
        "resident after 100 bad calls {} MiB, after 1,100 {} MiB",
        before / MIB,
        after / MIB
    );
    // Other tests of this process run beside; what leaks by the call would be far more.
    assert!(after.saturating_sub(before) < 200 * MIB);
    assert_eq!((sandbox.memory_used(), sandbox.free_slots()), (0, 1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_for_a_place_and_says_when_there_is_none() {
    for pool in [true, false] {
        let sandbox = Sandbox::new(&SandboxConfig {
            max_instances: 2,
            pool,
            ..SandboxConfig::default()
        })
        .unwrap();
        let wanted = Try::new(sandbox.load(sandgate_test_guests::hostile_agent()).unwrap());
        let opened = sandbox.open(&wanted.call(), &Value::Null).await;
        let session = opened.outcome.split().unwrap();
        let sleeper = tokio::spawn({
            let (sandbox, wanted) = (sandbox.clone(), wanted.clone());
            async move {
                let task = wanted.task(json!("sleep:300"));
                sandbox
                    .run(&wanted.call(), &Value::Null, task)
                    .await
                    .outcome
            }
        });
        while sandbox.free_slots() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let hurried = wanted.clone().deadline(50);
        let outcome = sandbox
            .run(&hurried.call(), &Value::Null, hurried.task(json!("null")))
            .await
            .outcome;
        assert!(outcome.reason().contains("all 2 places"), "{outcome:?}");
        let patient = sandbox
            .run(&wanted.call(), &Value::Null, wanted.task(json!("recall")))
            .await;
        assert_eq!(text(patient.outcome), "");
        assert_eq!(text(sleeper.await.unwrap()), "slept");
        drop(session);
        assert_eq!(sandbox.free_slots(), 2);
    }
}
