//! One graph, and its floors, in this process.

use crate::{floors, graph::Graph};
use sandgate_driver::{Host, HostOptions, Notice, Project, Submission};
use sandgate_engine::{RunState, Steps};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

const PROJECT: &str = "[project]\nname = \"bench\"\n\n[plugins]\nnoop = { path = \"noop.wasm\" }\nfake = \"builtin:agent-fake\"\n";

pub(crate) fn run(name: &str) -> ExitCode {
    match measured(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measured(name: &str) -> Result<(), Box<dyn Error>> {
    let graph = Graph::named(name).ok_or("no such graph")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // On the disk of the build, not in memory: a commit has to cost what it costs.
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let took = runtime.block_on(drive(&graph, place.path()))?;
    let peak = peak_mib();
    if name == "warm-up" {
        return Ok(());
    }
    let tasks = graph.needs.len();
    let tokio = runtime.block_on(floors::tokio_tasks(&graph));
    let call = runtime.block_on(floors::calls(&graph, place.path()))?;
    let append = floors::appends(&graph, place.path())?;
    let each = |span: Duration| span.as_secs_f64() * 1e6 / tasks as f64;
    println!(
        "{:<14} {:>6} {:>9.1} {:>9.0} {:>9.1} | {:>9.1} {:>9.1} {:>9.1} {:>6.2} | {:>8.0}",
        name,
        tasks,
        took.as_secs_f64() * 1e3,
        tasks as f64 / took.as_secs_f64(),
        each(took),
        each(tokio),
        each(call),
        each(append),
        each(took) / (each(call) + each(append)),
        peak
    );
    Ok(())
}

async fn drive(graph: &Graph, place: &std::path::Path) -> Result<Duration, Box<dyn Error>> {
    fs::write(place.join("sandgate.toml"), PROJECT)?;
    fs::write(place.join("noop.wasm"), sandgate_test_guests::noop_agent())?;
    fs::write(place.join("bench.toml"), graph.toml())?;
    let project = Arc::new(Project::open(place, None)?);
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-cache");
    let options = HostOptions {
        cache_dir: Some(cache),
        command: "bench".into(),
        ..HostOptions::default()
    };
    let mut host = Host::open(Arc::clone(&project), &options)?;
    let source = project.workflow("bench.toml")?;
    let steps = Steps {
        dispatch: true,
        verify: true,
    };
    let mut show = |notice| {
        if let Notice::Fault { message, .. } = notice {
            println!("fault: {message}");
        }
    };
    let submission = Submission {
        source,
        inputs: BTreeMap::new(),
        steps,
        by: sandgate_driver::Speaker::here(None),
    };
    let run = host.submit(submission, &mut show).await?;
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let start = Instant::now();
    host.drive(false, stopped, &mut show).await?;
    let took = start.elapsed();
    let state = host.run(run).ok_or("the run is gone")?.state();
    if state != RunState::Verified {
        return Err(format!("the run ended {}", state.as_str()).into());
    }
    Ok(took)
}

/// The most memory this process had at once, as the kernel counts it.
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(f64::NAN);
    kib / 1024.0
}
