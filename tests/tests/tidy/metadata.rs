//! What `cargo metadata` says of a workspace.

use super::tree::root;
use serde_json::Value;
use std::process::Command;

/// A package of the graph.
pub(crate) struct Package {
    /// Name.
    pub(crate) name: String,
    /// Version.
    pub(crate) version: String,
    /// SPDX expression; empty when it names none.
    pub(crate) license: String,
    /// Where it comes from; `None`: this repository.
    pub(crate) source: Option<String>,
    /// Declared dependencies: name and kind (`normal`, `build`, `dev`).
    pub(crate) dependencies: Vec<(String, String)>,
}

/// The members of a workspace with their declared dependencies.
pub(crate) fn members(manifest: &str) -> Vec<Package> {
    packages(&run(manifest, &["--no-deps"]))
}

/// Every package of a workspace's graph, for one platform: what a build on that platform has fetched.
pub(crate) fn graph(manifest: &str, platform: &str) -> Vec<Package> {
    packages(&run(manifest, &["--locked", "--filter-platform", platform]))
}

fn run(manifest: &str, more: &[&str]) -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut last = String::new();
    // Offline first: a build has fetched everything already. Only a partial build has not.
    for offline in [&["--offline"][..], &[]] {
        let out = Command::new(&cargo)
            .args(["metadata", "--format-version", "1", "--manifest-path"])
            .arg(root().join(manifest))
            .args(more)
            .args(offline)
            .output()
            .unwrap();
        if out.status.success() {
            return serde_json::from_slice(&out.stdout).unwrap();
        }
        last = String::from_utf8_lossy(&out.stderr).into_owned();
    }
    panic!("cargo metadata of {manifest}: {last}")
}

fn packages(metadata: &Value) -> Vec<Package> {
    let text = |v: &Value| v.as_str().unwrap_or("").to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| Package {
            name: text(&p["name"]),
            version: text(&p["version"]),
            license: text(&p["license"]),
            source: p["source"].as_str().map(str::to_owned),
            dependencies: p["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|d| {
                    let kind = d["kind"].as_str().unwrap_or("normal");
                    (text(&d["name"]), kind.to_owned())
                })
                .collect(),
        })
        .collect()
}
