//! Where the binary under test is.
//!
//! `cargo test --workspace` builds it, because `sandgate-cli` has a test of its own that needs it, and it lies
//! beside the test executable. When it does not (`cargo test -p sandgate-tests` in a fresh clone) or is older than
//! the sources, it is built here, once. `SANDGATE_BIN` names another one.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// The binary `sandgate`.
pub(crate) fn binary() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| match env::var_os("SANDGATE_BIN") {
        Some(path) => fs::canonicalize(&path)
            .unwrap_or_else(|e| panic!("SANDGATE_BIN: {}: {e}", Path::new(&path).display())),
        None => beside_the_test(),
    })
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn beside_the_test() -> PathBuf {
    // target/PROFILE/deps/product-HASH
    let test = env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let path = profile.join(format!("sandgate{}", env::consts::EXE_SUFFIX));
    if !fresh(&path) {
        build(profile);
    }
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

fn build(profile: &Path) {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root())
        .args(["build", "--package", "sandgate-cli"])
        .arg("--target-dir")
        .arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().unwrap();
    assert!(status.success(), "the binary under test does not build");
}

/// Whether the binary is there and no source is newer.
fn fresh(path: &Path) -> bool {
    let Ok(built) = fs::metadata(path).and_then(|m| m.modified()) else {
        return false;
    };
    let mut dirs: Vec<PathBuf> = ["host", "plugins", "wit"].map(|d| root().join(d)).to_vec();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                // What only tests use does not go into the binary.
                if !["target", "testkit", "tests", "benches", "docs"]
                    .iter()
                    .any(|n| name == *n)
                {
                    dirs.push(path);
                }
            } else if source(&path) && newer(&path, built) {
                return false;
            }
        }
    }
    true
}

fn source(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| ["rs", "toml", "wit"].iter().any(|s| e == *s))
}

fn newer(path: &Path, than: SystemTime) -> bool {
    fs::metadata(path)
        .and_then(|m| m.modified())
        .is_ok_and(|t| t > than)
}
