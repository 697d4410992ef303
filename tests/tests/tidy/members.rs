//! What every member of the workspace has in common.

use super::tree::{expect_none, files, read, root};
use std::path::{Path, PathBuf};

fn manifests() -> Vec<PathBuf> {
    let mut found = files("host", &["toml"]);
    found.retain(|p| p.ends_with("Cargo.toml"));
    found.push("tests/Cargo.toml".into());
    found
}

/// Complaints about one member's manifest. Versions stand once, in the root; so do lints.
fn member(path: &Path, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.contains("[lints]\nworkspace = true") {
        wrong.push(format!("{}: does not inherit the lints", path.display()));
    }
    let mut section = "";
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies]")
            && !line.is_empty()
            && !line.starts_with('#')
            && !line.contains("workspace = true")
        {
            wrong.push(format!(
                "{}:{}: `{line}` does not take its version from the root",
                path.display(),
                n + 1
            ));
        }
    }
    wrong
}

#[test]
fn members_inherit_lints_and_versions() {
    let found = manifests();
    assert!(found.len() >= 10, "{found:?}");
    let wrong: Vec<_> = found.iter().flat_map(|p| member(p, &read(p))).collect();
    expect_none("members", &wrong);
}

#[test]
fn a_member_that_goes_its_own_way_is_found() {
    let wrong = member(
        Path::new("x/Cargo.toml"),
        "[lints]\nworkspace = false\n[dependencies]\nserde = \"1\"\ntoml.workspace = true\n",
    );
    assert_eq!(
        wrong,
        [
            "x/Cargo.toml: does not inherit the lints",
            "x/Cargo.toml:4: `serde = \"1\"` does not take its version from the root"
        ]
    );
}

/// The engine is pure because a lint keeps it so, not because somebody remembers.
#[test]
fn the_engine_has_no_clock_no_dice_no_files() {
    let text = read("host/engine/clippy.toml");
    for banned in [
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "std::env::var",
        "std::fs::read",
        "std::collections::HashMap",
    ] {
        assert!(
            text.contains(banned),
            "host/engine/clippy.toml does not ban {banned}"
        );
    }
}

/// A test file that `main.rs` does not name is never compiled and never fails.
#[test]
fn no_test_file_is_forgotten() {
    let mut wrong = Vec::new();
    for path in files("tests/tests", &["rs"]) {
        let stem = path.file_stem().unwrap().to_string_lossy();
        let dir = path.parent().unwrap();
        let owner = match dir.ends_with("tests/tests") {
            true => dir.join("main.rs"),
            false => dir.join("mod.rs"),
        };
        if !["main", "mod"].contains(&stem.as_ref())
            && !read(owner).contains(&format!("mod {stem};"))
        {
            wrong.push(format!("{} is in no `mod`", path.display()));
        }
    }
    expect_none("forgotten tests", &wrong);
}

#[cfg(unix)]
#[test]
fn ci_can_be_started() {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(root().join(".ci/run"))
        .unwrap()
        .permissions()
        .mode();
    assert!(mode & 0o111 != 0, ".ci/run is not executable");
}
