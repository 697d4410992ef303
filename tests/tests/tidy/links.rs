//! Links of the documentation lead somewhere. Only relative ones: the network is not asked.

use super::tree::{expect_none, files, read, root};
use std::path::Path;

/// Relative targets of `[text](target)`, with their line, outside code blocks.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut code = false;
    for (n, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        for part in line.split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push((n + 1, target.to_owned()));
            }
        }
    }
    found
}

#[test]
fn relative_links_lead_somewhere() {
    let mut wrong = Vec::new();
    for path in files("", &["md"]) {
        let dir = path.parent().unwrap_or(Path::new(""));
        for (line, target) in targets(&read(&path)) {
            if !root().join(dir).join(&target).exists() {
                wrong.push(format!("{}:{line}: {target}", path.display()));
            }
        }
    }
    expect_none("links", &wrong);
}

#[test]
fn targets_are_found() {
    let text =
        "see [a](x/y.md#part), [b](https://e.org) and [c](z)\n```\n[d](code)\n```\n[e](#here)";
    assert_eq!(
        targets(text),
        [(1, "x/y.md".to_owned()), (1, "z".to_owned())]
    );
}
