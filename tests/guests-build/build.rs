//! Builds the guest workspace beside this one and tells the library where the components are.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// File name of each component and the variable under which the library finds it.
const GUESTS: [(&str, &str); 22] = [
    ("noop_agent", "NOOP_AGENT"),
    ("file_agent", "FILE_AGENT"),
    ("hostile_agent", "HOSTILE_AGENT"),
    ("hostile_planner", "HOSTILE_PLANNER"),
    ("hostile_gate", "HOSTILE_GATE"),
    ("hostile_describer", "HOSTILE_DESCRIBER"),
    ("path_agent", "PATH_AGENT"),
    ("power_agent", "POWER_AGENT"),
    ("tape_agent", "TAPE_AGENT"),
    ("net_agent", "NET_AGENT"),
    ("command_agent", "COMMAND_AGENT"),
    ("model_agent", "MODEL_AGENT"),
    ("escape_agent", "ESCAPE_AGENT"),
    ("socket_agent", "SOCKET_AGENT"),
    ("probe_planner", "PROBE_PLANNER"),
    ("probe_gate", "PROBE_GATE"),
    ("greedy_agent", "GREEDY_AGENT"),
    ("greedy_planner", "GREEDY_PLANNER"),
    ("greedy_gate", "GREEDY_GATE"),
    ("people_agent", "PEOPLE_AGENT"),
    ("people_gate", "PEOPLE_GATE"),
    ("people_planner", "PEOPLE_PLANNER"),
];

fn main() {
    if let Err(reason) = build() {
        for line in reason.lines() {
            println!("cargo::error={line}");
        }
        exit(1);
    }
}

fn variable(name: &str) -> Result<PathBuf, String> {
    std::env::var_os(name)
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo did not set {name}"))
}

fn build() -> Result<(), String> {
    let here = variable("CARGO_MANIFEST_DIR")?;
    let tests = here.parent().ok_or("this package has no parent folder")?;
    let root = tests
        .parent()
        .ok_or("the tests folder has no parent folder")?;
    let guests = tests.join("guests");
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out. The guests get a folder beside the profiles, so that `cargo
    // clean` removes them and the outer build's lock is not theirs.
    let out = variable("OUT_DIR")?;
    let target = out
        .ancestors()
        .nth(4)
        .ok_or_else(|| format!("{} is not a cargo output folder", out.display()))?
        .join("guests");
    for watched in [&guests, &root.join("wit")] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    run(&guests, &target)?;
    for (file, name) in GUESTS {
        let path = target
            .join("wasm32-wasip2/release")
            .join(file)
            .with_extension("wasm");
        if !path.is_file() {
            return Err(format!("the guest build left no {}", path.display()));
        }
        println!("cargo::rustc-env={name}={}", path.display());
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

/// Runs the inner cargo without what the outer one set for host code.
fn run(guests: &Path, target: &Path) -> Result<(), String> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            "wasm32-wasip2",
        ])
        .arg("--target-dir")
        .arg(target)
        .current_dir(guests);
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CLIPPY_ARGS",
    ] {
        cargo.env_remove(name);
    }
    let done = cargo
        .output()
        .map_err(|error| format!("cannot run cargo for the test guests: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    if said.contains("can't find crate for `core`") || said.contains("can't find crate for `std`") {
        return Err(
            "the test guests need the wasm target: run `rustup target add wasm32-wasip2`".into(),
        );
    }
    Err(format!("the test guests did not build:\n{said}"))
}
