//! `cargo run` and `cargo test` share one build of every library. A test-only dependency that turns on one more
//! feature of a shared library makes cargo compile it, and everything above it, a second time: for wasmtime that
//! is minutes.

use super::tree::{expect_none, root};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

/// Package (with version), and the feature sets it is built with.
type Built = BTreeMap<String, BTreeSet<String>>;

fn tree(args: &[&str]) -> Built {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut last = String::new();
    // Offline first: a build has fetched everything already. Only a partial build has not.
    for offline in [&["--offline"][..], &[]] {
        let out = Command::new(&cargo)
            .current_dir(root())
            .args([
                "tree", "--locked", "--prefix", "none", "--format", "{p}|{f}",
            ])
            .args(args)
            .args(offline)
            .output()
            .unwrap();
        if out.status.success() {
            return parse(&String::from_utf8(out.stdout).unwrap());
        }
        last = String::from_utf8_lossy(&out.stderr).into_owned();
    }
    panic!("cargo tree: {last}")
}

fn parse(text: &str) -> Built {
    let mut built = Built::new();
    for line in text.lines() {
        let line = line.trim_end_matches(" (*)");
        if let Some((package, features)) = line.split_once('|') {
            built
                .entry(package.to_owned())
                .or_default()
                .insert(features.to_owned());
        }
    }
    built
}

/// Packages of the product that the tests would build in another way too.
fn twice(product: &Built, tests: &Built) -> Vec<String> {
    product
        .iter()
        .filter_map(|(package, features)| {
            let more = tests.get(package).filter(|t| *t != features)?;
            Some(format!(
                "{package}: {features:?} for the product, {more:?} with the tests"
            ))
        })
        .collect()
}

#[test]
fn tests_add_no_feature_to_a_library_of_the_product() {
    let product = tree(&["--package", "sandgate-cli", "--edges", "normal,build"]);
    let tests = tree(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(product.len() > 100, "{}", product.len());
    expect_none("built twice", &twice(&product, &tests));
}

#[test]
fn the_rule_bites() {
    let product = parse("fnv v1|\ngimli v2|read,std\n");
    let tests = parse("fnv v1|default,std\ngimli v2|read,std (*)\nproptest v1|std\n");
    assert_eq!(
        twice(&product, &tests),
        [r#"fnv v1: {""} for the product, {"default,std"} with the tests"#]
    );
}
