//! The files of the repository. Walks the disk and not git, so that it also works in an unpacked archive.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold products of a build or of a run.
const SKIPPED: &[&str] = &["target", ".git", ".sandgate", "node_modules"];

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file below `dir` with one of these extensions, relative to the root, sorted.
pub(crate) fn files(dir: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&root().join(dir), &mut |path| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let ext = path.extension().and_then(|e| e.to_str()).unwrap_or(name);
        if extensions.contains(&ext) {
            found.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    });
    found.sort();
    found
}

/// The text of a file of the repository.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let full = root().join(path.as_ref());
    fs::read_to_string(&full).unwrap_or_else(|e| panic!("{}: {e}", full.display()))
}

/// Fails with all complaints, one a line.
pub(crate) fn expect_none(rule: &str, complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{rule}: {} complaint(s)\n  {}\n",
        complaints.len(),
        complaints.join("\n  ")
    );
}

fn walk(dir: &Path, see: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            let name = entry.file_name();
            // CARGO_TARGET_DIR may lie in the tree under another name; cargo marks it.
            if !SKIPPED.iter().any(|s| name == *s) && !path.join("CACHEDIR.TAG").exists() {
                walk(&path, see);
            }
        } else if kind.is_file() {
            see(&path);
        }
    }
}

#[test]
fn the_walk_finds_this_file_and_no_build_product() {
    let found = files("", &["rs"]);
    assert!(found.contains(&PathBuf::from("tests/tests/tidy/tree.rs")));
    assert!(
        !found
            .iter()
            .any(|p| p.components().any(|c| c.as_os_str() == "target"))
    );
}
