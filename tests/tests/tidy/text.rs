//! Rules about text: length of files, unfinished work, words that do not belong here.

use super::tree::{expect_none, files, read};
use std::path::Path;

/// Longest Rust file. Past this a file has become two.
const LONGEST: usize = 600;

/// Unfinished work and switched-off tests. Written in two halves so that this file passes its own rule.
const UNFINISHED: &[&str] = &[
    concat!("#[ig", "nore"),
    concat!("to", "do!("),
    concat!("unim", "plemented!("),
    concat!("FIX", "ME"),
    concat!("// XX", "X"),
    concat!("HA", "CK"),
    concat!("not yet imp", "lemented"),
];

/// Paths of somebody's machine, and tools that have no place in a product's text; compared in lower case.
const FOREIGN: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/home", "/user"),
    concat!("chat", "gpt"),
    concat!("clau", "de"),
    concat!("copi", "lot"),
    concat!("language mod", "el wrote"),
];

fn too_long(path: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LONGEST).then(|| format!("{}: {lines} lines, at most {LONGEST}", path.display()))
}

fn needles(path: &Path, text: &str, needles: &[&str], fold: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = if fold {
            line.to_lowercase()
        } else {
            line.to_owned()
        };
        for needle in needles.iter().filter(|x| stands_alone(&line, x)) {
            wrong.push(format!("{}:{}: {needle}", path.display(), n + 1));
        }
    }
    wrong
}

/// Whether a line holds `needle`; a path only where it begins, not as a part of another path.
fn stands_alone(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !needle.starts_with('/')
            || !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '}' | '-' | '_'))
    })
}

#[test]
fn no_file_is_too_long() {
    let wrong: Vec<_> = files("", &["rs"])
        .iter()
        .filter_map(|p| too_long(p, &read(p)))
        .collect();
    expect_none("length", &wrong);
}

#[test]
fn nothing_is_left_unfinished() {
    let wrong: Vec<_> = files("", &["rs", "toml", "wit"])
        .iter()
        .flat_map(|p| needles(p, &read(p), UNFINISHED, false))
        .collect();
    expect_none("unfinished", &wrong);
}

#[test]
fn the_text_speaks_of_the_product_alone() {
    let kinds = ["rs", "md", "toml", "wit", "txt", "json", "csv", "sh", "run"];
    let wrong: Vec<_> = files("", &kinds)
        .iter()
        .flat_map(|p| needles(p, &read(p), FOREIGN, true))
        .collect();
    expect_none("foreign words", &wrong);
}

#[test]
fn the_rules_bite() {
    let path = Path::new("x.rs");
    assert!(too_long(path, &"\n".repeat(LONGEST)).is_none());
    assert!(too_long(path, &"\n".repeat(LONGEST + 1)).is_some());
    for word in UNFINISHED {
        assert_eq!(
            needles(path, &format!("a\n  {word}"), UNFINISHED, false),
            [format!("x.rs:2: {word}")]
        );
    }
    assert!(!stands_alone(
        concat!("..", "/ro", "ot/x"),
        concat!("/ro", "ot/")
    ));
    assert!(!needles(path, &FOREIGN.join(" ").to_uppercase(), FOREIGN, true).is_empty());
}
