//! What a call costs: a fresh instance of a std Rust agent that does nothing, opened, run and dropped, with limits,
//! deadline and captured output, as the host does it for every attempt. Pooled and on demand; one at a time on one
//! thread, then as many as two threads give.
//!
//!     cargo run --release -p sandgate-sandbox --example call_bench

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops when something is wrong"
)]

use sandgate_sandbox::{
    Call, CancelToken, Component, Limits, NoArtifacts, NoSink, Outcome, Powers, Sandbox,
    SandboxConfig, TaskRequest, Turn,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls before the clock runs: code and pool slots are warm then.
const WARM: usize = 500;

/// Calls measured one at a time.
const SINGLE: usize = 20_000;

/// Calls measured in parallel, and how many are in flight.
const PARALLEL: usize = 100_000;
const IN_FLIGHT: usize = 64;

fn call(component: &Arc<Component>) -> Call {
    Call {
        component: Arc::clone(component),
        files: Vec::new(),
        turn: Turn {
            tape: None,
            limits: Limits::agent(),
            cancel: CancelToken::new(),
            sink: Arc::new(NoSink),
            powers: Powers::default(),
        },
    }
}

fn task(n: usize) -> TaskRequest {
    TaskRequest {
        id: "bench".to_owned(),
        attempt: 1,
        idempotency_key: "key".to_owned(),
        input: json!({ "n": n }),
        produces: Vec::new(),
        artifacts: Arc::new(NoArtifacts),
    }
}

async fn once(sandbox: &Sandbox, component: &Arc<Component>, n: usize) -> Duration {
    let report = sandbox.run(&call(component), &Value::Null, task(n)).await;
    assert!(
        matches!(report.outcome, Outcome::Output(_)),
        "{:?}",
        report.outcome
    );
    report.stats.wall
}

fn resident_mib() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or_default();
    pages * 4096.0 / f64::from(1 << 20)
}

/// Processor time of this process so far, in seconds (user and kernel), to the kernel's hundredth.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// Calls a second, and microseconds of processor for each call: the second figure holds on a busy machine too.
fn parallel(sandbox: &Sandbox, component: &Arc<Component>, threads: usize) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_time()
        .build()
        .expect("a runtime");
    let (since, processor) = (Instant::now(), processor_seconds());
    runtime.block_on(async {
        let lanes: Vec<_> = (0..IN_FLIGHT)
            .map(|_| {
                let (sandbox, component) = (sandbox.clone(), Arc::clone(component));
                tokio::spawn(async move {
                    for n in 0..PARALLEL / IN_FLIGHT {
                        once(&sandbox, &component, n).await;
                    }
                })
            })
            .collect();
        for lane in lanes {
            lane.await.expect("no panic");
        }
    });
    let rate = PARALLEL as f64 / since.elapsed().as_secs_f64();
    (
        rate,
        (processor_seconds() - processor) * 1e6 / PARALLEL as f64,
    )
}

fn main() {
    println!(
        "{:10} {:>11} {:>11} {:>11} {:>23} {:>23} {:>11}",
        "allocator",
        "median",
        "p99",
        "live run",
        "1 thread, processor",
        "2 threads, processor",
        "resident"
    );
    for pool in [true, false] {
        let place = tempfile::tempdir().expect("a folder");
        let config = SandboxConfig {
            cache_dir: Some(place.path().to_owned()),
            pool,
            ..SandboxConfig::default()
        };
        let start = || {
            let since = Instant::now();
            let sandbox = Sandbox::new(&config).expect("a sandbox");
            let setup = since.elapsed();
            let component = sandbox
                .load(sandgate_test_guests::noop_agent())
                .expect("a component");
            (sandbox, component, setup, since.elapsed() - setup)
        };
        let (_, _, _, compiled) = start();
        let (sandbox, component, setup, cached) = start();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let mut times: Vec<Duration> = runtime.block_on(async {
            for n in 0..WARM {
                once(&sandbox, &component, n).await;
            }
            let mut times = Vec::with_capacity(SINGLE);
            for n in 0..SINGLE {
                let since = Instant::now();
                once(&sandbox, &component, n).await;
                times.push(since.elapsed());
            }
            times
        });
        times.sort();
        let live = runtime.block_on(async {
            let opened = sandbox.open(&call(&component), &Value::Null).await;
            let mut session = opened.outcome.split().expect("a session");
            let turn = call(&component).turn;
            let since = Instant::now();
            for n in 0..SINGLE {
                let report = session.run(&turn, task(n)).await;
                assert!(matches!(report.outcome, Outcome::Output(_)));
            }
            since.elapsed() / u32::try_from(SINGLE).unwrap_or(1)
        });
        let (one, two) = (
            parallel(&sandbox, &component, 1),
            parallel(&sandbox, &component, 2),
        );
        println!(
            "{:10} {:>8.1} µs {:>8.1} µs {:>8.1} µs {:>9.0}/s {:>8.1} µs {:>9.0}/s {:>8.1} µs {:>7.1} MiB",
            if sandbox.is_pooled() {
                "pooled"
            } else {
                "on demand"
            },
            times[SINGLE / 2].as_secs_f64() * 1e6,
            times[SINGLE * 99 / 100].as_secs_f64() * 1e6,
            live.as_secs_f64() * 1e6,
            one.0,
            one.1,
            two.0,
            two.1,
            resident_mib(),
        );
        println!(
            "{:10} set up in {setup:.1?}, component compiled in {compiled:.1?}, loaded from the cache in {cached:.1?}",
            ""
        );
    }
}
