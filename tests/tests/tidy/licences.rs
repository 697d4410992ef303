//! What comes in from outside: licences, banned crates, sources. `deny.toml` holds the same lists for those who
//! have cargo-deny (which also knows advisories); a test here keeps the two equal.

use super::{
    metadata::{Package, graph},
    spdx,
    tree::{expect_none, read, root},
};
use std::collections::BTreeMap;

/// Licences that ask for a notice at most.
const LICENCES: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
    "Unlicense",
    "0BSD",
    "CDLA-Permissive-2.0",
];

/// Package, the expression it is let in with, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Crates that must not come in, and why.
const BANNED: &[(&str, &str)] = &[
    (
        "openssl",
        "a C library of the machine decides about security; rustls where TLS is needed",
    ),
    ("openssl-sys", "see openssl"),
    ("native-tls", "see openssl"),
];

/// Crates of which one version at most may be in the graph, and why.
const SINGLE: &[(&str, &str)] = &[
    (
        "wasmtime",
        "two engines in one process, and half of the advisories missed",
    ),
    ("wasmtime-wasi", "see wasmtime"),
    (
        "rusqlite",
        "two SQLite libraries on one file defeat its locks",
    ),
    ("libsqlite3-sys", "see rusqlite"),
    ("tokio", "two runtimes"),
];

/// The public registry: the only source besides this repository.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The platform the host is checked on. Others bring further crates; `deny.toml` looks at all.
const HOST: &str = "x86_64-unknown-linux-gnu";

fn complaints(packages: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for p in packages {
        let who = format!("{} {}", p.name, p.version);
        versions.entry(&p.name).or_default().push(&p.version);
        let excused = EXCEPTIONS
            .iter()
            .any(|(name, licence, _)| *name == p.name && *licence == p.license);
        if !excused && !spdx::allowed(&p.license, LICENCES) {
            wrong.push(format!("{who}: licence `{}` is not on the list", p.license));
        }
        if let Some((_, why)) = BANNED.iter().find(|(name, _)| *name == p.name) {
            wrong.push(format!("{who}: banned: {why}"));
        }
        if let Some(source) = p.source.as_deref().filter(|s| *s != SOURCE) {
            wrong.push(format!("{who}: comes from {source}"));
        }
    }
    for (name, why) in SINGLE {
        if let Some(found) = versions.get(name).filter(|v| v.len() > 1) {
            wrong.push(format!(
                "{name} {}: one version only: {why}",
                found.join(" and ")
            ));
        }
    }
    wrong
}

fn check(manifest: &str, platform: &str, at_least: usize) {
    let packages = graph(manifest, platform);
    assert!(packages.len() >= at_least, "{manifest}: {}", packages.len());
    expect_none(manifest, &complaints(&packages));
}

#[test]
fn what_the_host_takes_in() {
    check("Cargo.toml", HOST, 100);
}

#[test]
fn what_the_plugins_take_in() {
    check("plugins/Cargo.toml", "wasm32-wasip2", 10);
}

#[test]
fn what_the_example_plugin_takes_in() {
    check(
        "examples/04-own-plugin/plugin/Cargo.toml",
        "wasm32-wasip2",
        3,
    );
}

#[test]
fn the_rules_bite() {
    let package = |name: &str, version: &str, license: &str, source: Option<&str>| Package {
        name: name.into(),
        version: version.into(),
        license: license.into(),
        source: source.map(str::to_owned),
        dependencies: Vec::new(),
    };
    let bad = [
        package("a", "1.0.0", "GPL-3.0", Some(SOURCE)),
        package("b", "1.0.0", "MIT", Some("git+https://example.com/b")),
        package("native-tls", "1.0.0", "MIT", Some(SOURCE)),
        package("wasmtime", "47.0.0", "MIT", Some(SOURCE)),
        package("wasmtime", "48.0.0", "MIT", Some(SOURCE)),
        package("mine", "1.0.0", "MIT OR Apache-2.0", None),
    ];
    assert_eq!(
        complaints(&bad),
        [
            "a 1.0.0: licence `GPL-3.0` is not on the list",
            "b 1.0.0: comes from git+https://example.com/b",
            "native-tls 1.0.0: banned: see openssl",
            "wasmtime 47.0.0 and 48.0.0: one version only: two engines in one process, and half of the advisories missed",
        ]
    );
}

/// `deny.toml` and this file say the same.
#[test]
fn deny_toml_has_the_same_lists() {
    let text = read("deny.toml");
    let mut missing = Vec::new();
    let names = LICENCES
        .iter()
        .chain(BANNED.iter().map(|(name, _)| name))
        .chain(SINGLE.iter().map(|(name, _)| name))
        .chain(EXCEPTIONS.iter().map(|(name, _, _)| name));
    for name in names {
        if !text.contains(&format!("\"{name}\"")) {
            missing.push(format!("deny.toml does not name \"{name}\""));
        }
    }
    expect_none("deny.toml", &missing);
}

/// A lock file that is not there lets anything in.
#[test]
fn every_workspace_has_its_lock() {
    for lock in [
        "Cargo.lock",
        "plugins/Cargo.lock",
        "examples/04-own-plugin/plugin/Cargo.lock",
    ] {
        assert!(root().join(lock).is_file(), "{lock} is not there");
    }
}
