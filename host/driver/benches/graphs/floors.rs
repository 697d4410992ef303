//! What the parts cost alone.

use crate::graph::Graph;
use sandgate_journal::{NewRecord, Opener, SqliteStore, Writer};
use sandgate_model::{Moment, RunId};
use sandgate_sandbox::{
    Call, CancelToken, Limits, NoArtifacts, NoSink, Outcome, Powers, Sandbox, SandboxConfig,
    TaskRequest, Turn,
};
use serde_json::{Value, json};
use std::{
    error::Error,
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// The graph with bare tokio tasks: each waits for those it needs.
pub(crate) async fn tokio_tasks(graph: &Graph) -> Duration {
    let start = Instant::now();
    let dones: Vec<Arc<tokio::sync::watch::Sender<bool>>> = graph
        .needs
        .iter()
        .map(|_| Arc::new(tokio::sync::watch::Sender::new(false)))
        .collect();
    let mut tasks = JoinSet::new();
    for (n, needs) in graph.needs.iter().enumerate() {
        let mut waits: Vec<_> = needs
            .iter()
            .filter_map(|k| dones.get(*k))
            .map(|done| done.subscribe())
            .collect();
        let Some(done) = dones.get(n).cloned() else {
            continue;
        };
        let sleep = graph.input.contains("sleep_ms");
        tasks.spawn(async move {
            for wait in &mut waits {
                let _ = wait.wait_for(|done| *done).await;
            }
            if sleep {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            done.send_replace(true);
        });
    }
    while tasks.join_next().await.is_some() {}
    start.elapsed()
}

/// As many bare instantiate-call-drop of the same component, as many at once as the graph allows.
pub(crate) async fn calls(graph: &Graph, place: &Path) -> Result<Duration, Box<dyn Error>> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-cache");
    let sandbox = Sandbox::new(&SandboxConfig {
        cache_dir: Some(cache),
        ..SandboxConfig::default()
    })?;
    let bytes = match graph.agent {
        "noop" => std::fs::read(place.join("noop.wasm"))?,
        _ => sandgate_builtins::find("agent-fake")
            .ok_or("no agent-fake")?
            .bytes
            .to_vec(),
    };
    let component = sandbox.load(&bytes)?;
    let input = if graph.input.contains("sleep_ms") {
        json!({"sleep_ms": 100})
    } else {
        json!({})
    };
    let call = Call {
        component,
        files: Vec::new(),
        turn: Turn {
            limits: Limits::agent(),
            cancel: CancelToken::new(),
            sink: Arc::new(NoSink),
            powers: Powers::default(),
            tape: None,
        },
    };
    let slots = Arc::new(Semaphore::new(chain_or(graph)));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for n in 0..graph.needs.len() {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        let (sandbox, call, input) = (sandbox.clone(), call.clone(), input.clone());
        tasks.spawn(async move {
            let request = TaskRequest {
                id: format!("t{n}"),
                attempt: 1,
                idempotency_key: String::new(),
                input,
                produces: Vec::new(),
                artifacts: Arc::new(NoArtifacts),
            };
            let outcome = sandbox.run(&call, &Value::Null, request).await.outcome;
            drop(slot);
            matches!(outcome, Outcome::Output(_))
        });
    }
    while let Some(done) = tasks.join_next().await {
        if !done? {
            return Err("a bare call failed".into());
        }
    }
    Ok(start.elapsed())
}

/// Two records a task, as many tasks waiting at once as the graph allows.
pub(crate) fn appends(graph: &Graph, place: &Path) -> Result<Duration, Box<dyn Error>> {
    let dir = place.join("appends");
    let opener = Opener {
        command: "bench".into(),
        at: Moment(0),
    };
    let writer = Writer::start(Box::new(SqliteStore::open(&dir, &opener)?))?;
    let run = RunId::new(uuid::Uuid::now_v7());
    let record = |kind: &str, size: usize| NewRecord {
        run,
        at: Moment(1),
        kind: kind.to_owned(),
        body: vec![b'x'; size],
    };
    let at_once = chain_or(graph);
    let (done, dones) = mpsc::channel();
    let start = Instant::now();
    let mut waiting: usize = 0;
    for _ in 0..graph.needs.len() {
        if waiting == at_once {
            dones.recv()?;
            waiting -= 1;
        }
        let done = done.clone();
        let records = vec![record("attempt-ended", 150), record("attempt-started", 60)];
        writer.submit(
            records,
            Box::new(move |result| {
                // Nobody waits for it only when the bench is over.
                let _ = done.send(result.is_ok());
            }),
        );
        waiting += 1;
    }
    for _ in 0..waiting {
        dones.recv()?;
    }
    Ok(start.elapsed())
}

/// How many things the graph lets happen at once.
fn chain_or(graph: &Graph) -> usize {
    let chain = graph.needs.len() > 1
        && graph
            .needs
            .iter()
            .skip(1)
            .enumerate()
            .all(|(n, needs)| needs == &vec![n]);
    if chain { 1 } else { graph.concurrency as usize }
}
