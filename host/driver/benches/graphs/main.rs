//! What a task costs: whole graphs through the driver, durable, a fresh sandbox for each attempt, beside the floors
//! of the same run: bare tokio tasks, bare calls of the same component, bare group-committed appends.
//!
//! `cargo bench -p sandgate-driver --bench graphs` prints the table. Each graph runs in a process of its own, so
//! that its peak memory is its own.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod floors;
mod graph;
mod one;

use std::process::{Command, ExitCode};

/// Graphs in the order of the table.
const GRAPHS: [&str; 7] = [
    "warm-up",
    "fan-100",
    "fan-1000",
    "fan-10000",
    "chain-1000",
    "layers-10x100",
    "sleep-40",
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    if let Some(flag) = args.next() {
        if flag == "--one" {
            let name = args.next().unwrap_or_default();
            return one::run(&name);
        }
        println!("running only graphs that contain {flag:?}");
        return table(&flag);
    }
    table("")
}

fn table(filter: &str) -> ExitCode {
    println!(
        "{:<14} {:>6} {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9} {:>6} | {:>8}",
        "graph",
        "tasks",
        "total ms",
        "tasks/s",
        "us/task",
        "tokio us",
        "call us",
        "append us",
        "ratio",
        "peak MiB"
    );
    let mut good = true;
    for name in GRAPHS.into_iter().filter(|n| n.contains(filter)) {
        let Ok(me) = std::env::current_exe() else {
            return ExitCode::FAILURE;
        };
        good &= Command::new(me)
            .args(["--one", name])
            .status()
            .is_ok_and(|s| s.success());
    }
    println!(
        "\nus/task: wall time of the run over its tasks. tokio, call, append: the floors, each measured alone in the \
         same process\nwith the same graph, component and number of records. ratio: us/task over (call + append)."
    );
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
