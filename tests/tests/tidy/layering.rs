//! Who may depend on whom. A new line here is an architectural decision: write the ADR first.

use super::{
    metadata::{Package, members},
    tree::expect_none,
};

/// Crate, and the crates of this workspace that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("authority", &["model"]),
    ("workflow", &["model", "authority"]),
    ("engine", &["model"]),
    ("journal", &["model", "engine"]),
    ("egress", &["model", "authority"]),
    ("exec", &["model", "authority"]),
    ("vault", &["model"]),
    ("llm", &["model", "authority", "egress", "vault"]),
    ("workspace", &["model"]),
    ("sandbox", &["model"]),
    ("builtins", &[]),
    (
        "driver",
        &[
            "model",
            "authority",
            "workflow",
            "engine",
            "journal",
            "sandbox",
            "builtins",
            "egress",
            "exec",
            "vault",
            "llm",
            "workspace",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "authority",
            "workflow",
            "engine",
            "journal",
            "sandbox",
            "builtins",
            "driver",
            "exec",
        ],
    ),
    ("testkit", &["model", "engine", "journal"]),
    ("tests", &[]),
    ("test-guests", &[]),
    ("test-llm", &[]),
];

/// What tests may use besides: the kit, first-party components, components and servers that misbehave.
const TESTS_MAY_USE: &[&str] = &["testkit", "builtins", "test-guests", "test-llm"];

/// Library, and the only crate that may use it. A name that ends in `*` stands for all names that begin so.
const HOMES: &[(&str, &str)] = &[
    ("wasmtime*", "sandbox"),
    ("rusqlite", "journal"),
    ("toml*", "workflow"),
    ("annotate-snippets", "workflow"),
    ("minijinja", "workflow"),
    ("clap*", "cli"),
    ("indicatif", "cli"),
    ("axum*", "server"),
    ("landlock", "exec"),
    ("seccompiler", "exec"),
    ("rustls", "egress"),
    ("tokio-rustls", "egress"),
    ("webpki-roots", "egress"),
];

/// Libraries that would bring clocks, randomness or I/O into a pure crate.
const PURE: &[&str] = &["model", "authority", "engine"];
const IMPURE: &[&str] = &[
    "tokio",
    "rand",
    "getrandom",
    "chrono",
    "time",
    "tracing",
    "log",
    "cap-std",
    "rustix",
    "libc",
];

fn short(name: &str) -> Option<&str> {
    name.strip_prefix("sandgate-")
}

fn edges(packages: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    for p in packages {
        let Some(from) = short(&p.name) else {
            wrong.push(format!("{}: a member is called sandgate-...", p.name));
            continue;
        };
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == from) else {
            wrong.push(format!("{from}: not in the table of layers"));
            continue;
        };
        for (name, kind) in &p.dependencies {
            if let Some(to) = short(name) {
                let in_tests = kind == "dev" && TESTS_MAY_USE.contains(&to);
                if !allowed.contains(&to) && !in_tests {
                    wrong.push(format!("{from} may not use {to}"));
                }
            }
        }
    }
    wrong
}

fn homes(packages: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    for p in packages {
        let from = short(&p.name).unwrap_or(&p.name);
        for (name, _) in &p.dependencies {
            for (library, home) in HOMES {
                let same = match library.strip_suffix('*') {
                    Some(prefix) => name.starts_with(prefix),
                    None => name == library,
                };
                if same && from != *home {
                    wrong.push(format!("{from} uses {name}, which belongs to {home} alone"));
                }
            }
        }
    }
    wrong
}

fn pure(packages: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    for p in packages {
        let from = short(&p.name).unwrap_or(&p.name);
        for (name, kind) in &p.dependencies {
            if PURE.contains(&from) && kind != "dev" && IMPURE.contains(&name.as_str()) {
                wrong.push(format!("{from} is pure and uses {name}"));
            }
        }
    }
    wrong
}

#[test]
fn crates_use_only_the_layers_below_them() {
    expect_none("layers", &edges(&members("Cargo.toml")));
}

#[test]
fn libraries_stay_in_their_crate() {
    expect_none("homes", &homes(&members("Cargo.toml")));
}

#[test]
fn pure_crates_use_nothing_that_acts() {
    expect_none("purity", &pure(&members("Cargo.toml")));
}

#[test]
fn the_rules_bite() {
    let package = |name: &str, deps: &[(&str, &str)]| Package {
        name: name.into(),
        version: String::new(),
        license: String::new(),
        source: None,
        dependencies: deps
            .iter()
            .map(|(n, k)| ((*n).into(), (*k).into()))
            .collect(),
    };
    let bad = [
        package(
            "sandgate-engine",
            &[
                ("sandgate-journal", "normal"),
                ("sandgate-testkit", "dev"),
                ("tokio", "normal"),
                ("wasmtime-wasi", "dev"),
            ],
        ),
        package("sandgate-new", &[]),
    ];
    assert_eq!(
        edges(&bad),
        [
            "engine may not use journal",
            "new: not in the table of layers"
        ]
    );
    assert_eq!(
        homes(&bad),
        ["engine uses wasmtime-wasi, which belongs to sandbox alone"]
    );
    assert_eq!(pure(&bad), ["engine is pure and uses tokio"]);
}
