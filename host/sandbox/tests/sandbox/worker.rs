//! Compiling in a process of its own: what comes back is the same, and what goes wrong there stays there.

use crate::support::*;
use crate::wats;
use sandgate_sandbox::{LoadError, Sandbox, SandboxConfig, WorkerCommand};
use std::path::Path;
use std::time::{Duration, Instant};

fn worker() -> WorkerCommand {
    WorkerCommand {
        program: env!("CARGO_BIN_EXE_sandgate-compile-worker").into(),
        args: Vec::new(),
    }
}

fn sandbox(cache: Option<&Path>, worker: Option<WorkerCommand>, pool: bool) -> Sandbox {
    Sandbox::new(&SandboxConfig {
        cache_dir: cache.map(Path::to_owned),
        pool,
        max_instances: 10,
        compile_worker: worker,
        ..SandboxConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn what_it_compiles_runs() {
    for pool in [true, false] {
        let sandbox = sandbox(None, Some(worker()), pool);
        let wanted = Try::new(sandbox.load(sandgate_test_guests::noop_agent()).unwrap());
        let report = sandbox
            .run(&wanted.call(), &wanted.config, wanted.task("x".into()))
            .await;
        assert_eq!(text(report.outcome), "x");
    }
}

#[test]
fn what_it_compiled_is_kept_and_believed() {
    let place = tempfile::tempdir().unwrap();
    let bytes = sandgate_test_guests::noop_agent();
    sandbox(Some(place.path()), Some(worker()), true)
        .load(bytes)
        .unwrap();
    // A worker that could not compile anything: it is not asked.
    let broken = WorkerCommand {
        program: "/bin/false".into(),
        args: Vec::new(),
    };
    assert!(
        sandbox(Some(place.path()), Some(broken.clone()), true)
            .load(bytes)
            .is_ok()
    );
    let told = sandbox(None, Some(broken), true).load(bytes).unwrap_err();
    assert!(matches!(told, LoadError::CompileCrash { .. }), "{told}");
}

#[test]
fn it_refuses_what_compiling_here_refuses() {
    let apart = sandbox(None, Some(worker()), true);
    for bytes in [
        wats::gate("(memory i64 1)"),
        wats::gate("(tag (param i32))"),
        wats::gate("(memory 65536)"),
        sandgate_test_guests::noop_agent()[..10_000].to_vec(),
        b"\0asm\x0d\0\x01\0nonsense".to_vec(),
    ] {
        let (here, there) = (SANDBOX.load(&bytes), apart.load(&bytes));
        let (here, there) = (
            here.unwrap_err().to_string(),
            there.unwrap_err().to_string(),
        );
        assert_eq!(here, there);
    }
}

/// A number as WebAssembly writes it.
fn leb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(body.len()), body].concat()
}

/// A component around a core module of `functions` functions with this body.
fn around(functions: usize, body: &[u8]) -> Vec<u8> {
    let code = [&leb(body.len())[..], body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[leb(functions), vec![0; functions]].concat()),
        section(10, &[leb(functions), code.repeat(functions)].concat()),
    ]
    .concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module)].concat()
}

/// One function whose `br_table`s jump to each of many blocks: little to say, much to draw.
fn jumps(blocks: usize, tables: usize) -> Vec<u8> {
    let mut body = vec![0];
    body.extend([0x02, 0x40].repeat(blocks));
    for _ in 0..tables {
        body.extend([0x02, 0x40, 0x41, 0x00, 0x0e]);
        body.extend(leb(blocks));
        (0..blocks).for_each(|n| body.extend(leb(n)));
        body.extend(leb(0));
        body.push(0x0b);
    }
    body.extend([0x0b].repeat(blocks));
    body.push(0x0b);
    body
}

#[test]
fn a_bomb_harms_only_the_worker() {
    let apart = sandbox(None, Some(worker()), false);
    let before = resident();
    for (what, bytes) in [
        ("2,000 functions", around(2_000, &[0, 0x0b])),
        (
            "one function of 3,000,000 calls",
            around(
                1,
                &[vec![0], [0x10, 0].repeat(3_000_000), vec![0x0b]].concat(),
            ),
        ),
        ("jump tables", around(1, &jumps(20_000, 60))),
    ] {
        let since = Instant::now();
        let told = apart.load(&bytes).unwrap_err();
        println!(
            "bomb: {what} ({} KiB): {:?}: {told}",
            bytes.len() >> 10,
            since.elapsed()
        );
        assert!(since.elapsed() < Duration::from_secs(63));
        let bounded = matches!(
            told,
            LoadError::CompileMemory { .. }
                | LoadError::CompileTime { .. }
                | LoadError::CompileCrash { .. }
                | LoadError::Invalid { .. }
                | LoadError::NotAPlugin { .. }
        );
        assert!(bounded, "{what}: {told}");
    }
    let grown = resident().saturating_sub(before) >> 20;
    println!("bombs: host grew by {grown} MiB");
    assert!(grown < 100, "{grown} MiB");
    assert!(apart.load(sandgate_test_guests::noop_agent()).is_ok());
}

#[test]
fn what_the_process_costs() {
    let bytes = sandgate_test_guests::noop_agent();
    let tiny = wats::gate("");
    for (what, bytes) in [("std guest", bytes), ("tiny gate", tiny.as_slice())] {
        let time = |worker: Option<WorkerCommand>| {
            let mut all: Vec<_> = (0..5)
                .map(|_| {
                    let sandbox = sandbox(None, worker.clone(), false);
                    let since = Instant::now();
                    drop(sandbox.load(bytes));
                    since.elapsed()
                })
                .collect();
            all.sort();
            all[2]
        };
        let (here, there) = (time(None), time(Some(worker())));
        println!(
            "compiling a {what} of {} KiB: here {here:?}, in a process of its own {there:?}",
            bytes.len() >> 10
        );
    }
}
