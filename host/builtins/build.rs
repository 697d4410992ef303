//! Builds the guest workspace `plugins/` for wasm32-wasip2 and copies the components to `OUT_DIR`.
//!
//! It has a target directory of its own under this build's, so it neither waits for the outer cargo's lock nor
//! touches `plugins/target`. It must not decide anything: what is embedded is listed in `src/lib.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs};

const TARGET: &str = "wasm32-wasip2";

/// A text that `main` shows as it is.
struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn main() -> Result<(), Failure> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let plugins = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../plugins");
    watch(&plugins)?;
    require_target()?;
    // OUT_DIR is TARGET_DIR/PROFILE/build/PACKAGE-HASH/out.
    let target_dir = out
        .ancestors()
        .nth(4)
        .ok_or_else(|| Failure(format!("OUT_DIR is too short: {}", out.display())))?
        .join("plugins-build");
    build(&plugins, &target_dir)?;
    copy(&target_dir.join(TARGET).join("release"), &out)
}

/// Tells cargo which files matter: sources and manifests, and neither READMEs nor build results.
fn watch(plugins: &Path) -> Result<(), Failure> {
    let mut paths = vec![
        plugins.join("Cargo.toml"),
        plugins.join("Cargo.lock"),
        plugins.join("../wit"),
        plugins.join("../rust-toolchain.toml"),
    ];
    for entry in fs::read_dir(plugins)? {
        let folder = entry?.path();
        if folder.join("Cargo.toml").is_file() {
            paths.push(folder.join("Cargo.toml"));
            paths.push(folder.join("src"));
        }
    }
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

fn rustc() -> String {
    env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned())
}

fn require_target() -> Result<(), Failure> {
    let answer = Command::new(rustc())
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()?;
    let libdir = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if answer.status.success() && Path::new(&libdir).is_dir() {
        return Ok(());
    }
    Err(Failure(format!(
        "the first-party plugins are WebAssembly components, and this toolchain has no {TARGET} target: \
         run `rustup target add {TARGET}`"
    )))
}

fn build(plugins: &Path, target_dir: &Path) -> Result<(), Failure> {
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_the_outer_build) {
            command.env_remove(name);
        }
    }
    let answer = command
        // The folder decides which `.cargo/config.toml` counts.
        .current_dir(plugins)
        .args(["build", "--release", "--locked", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir)
        .output()?;
    if answer.status.success() {
        return Ok(());
    }
    Err(Failure(format!(
        "the first-party plugins in `plugins/` do not build:\n{}",
        String::from_utf8_lossy(&answer.stderr)
    )))
}

/// What cargo, clippy or the caller set for the host build, and would change or break the guest build. The
/// rest stays: where cargo's home and network are, and the job server, so that both builds share the cores.
fn is_of_the_outer_build(name: &str) -> bool {
    const PREFIXES: [&str; 7] = [
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
    ];
    const NAMES: [&str; 14] = [
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_INCREMENTAL",
        "CARGO_PRIMARY_PACKAGE",
        "CLIPPY_ARGS",
        "DEBUG",
        "HOST",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTFLAGS",
        "TARGET",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Copies every component under the name of its crate; a file that did not change keeps its time.
fn copy(from: &Path, out: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let bytes = fs::read(&path)?;
        let target = out.join(format!("{}.wasm", stem.replace('_', "-")));
        if fs::read(&target).ok().as_ref() != Some(&bytes) {
            fs::write(&target, bytes)?;
        }
    }
    Ok(())
}
