//! Decision records: numbered once, without holes, each with the four headings that make it one.

use super::tree::{expect_none, files, read};
use std::collections::BTreeMap;

const HEADINGS: &[&str] = &["Context", "Decision", "Cost", "What would change our mind"];

/// Complaints about records given as (file name, text).
fn records(all: &[(String, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut numbers: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for (name, text) in all {
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        let after = name.chars().nth(4);
        match digits.parse() {
            Ok(n) if digits.len() == 4 && after == Some('-') => {
                numbers.entry(n).or_default().push(name);
            }
            _ => wrong.push(format!("{name}: is called NNNN-title.md")),
        }
        for heading in HEADINGS {
            if !text
                .lines()
                .any(|l| l.trim_start_matches('#').trim() == *heading && l.starts_with('#'))
            {
                wrong.push(format!("{name}: no heading `{heading}`"));
            }
        }
    }
    for (n, names) in &numbers {
        if names.len() > 1 {
            wrong.push(format!(
                "{n:04} is used {} times: {}",
                names.len(),
                names.join(", ")
            ));
        }
    }
    for (expected, n) in (1..).zip(numbers.keys()) {
        if expected != *n {
            wrong.push(format!("{expected:04} is missing"));
            break;
        }
    }
    wrong
}

#[test]
fn decision_records_are_whole() {
    let all: Vec<_> = files("host/docs/adr", &["md"])
        .iter()
        .filter(|p| !p.ends_with("README.md"))
        .map(|p| {
            let name = p.file_name().unwrap().to_string_lossy().into_owned();
            (name, read(p))
        })
        .collect();
    assert!(!all.is_empty(), "there are no decision records");
    expect_none("decision records", &records(&all));
}

#[test]
fn the_rule_bites() {
    let good = "# 1. x\n## Context\n## Decision\n## Cost\n## What would change our mind\n";
    let record = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert!(records(&[record("0001-a.md", good)]).is_empty());
    assert_eq!(
        records(&[
            record("0001-a.md", good),
            record("0001-b.md", good),
            record("0003-c.md", good)
        ]),
        [
            "0001 is used 2 times: 0001-a.md, 0001-b.md",
            "0002 is missing"
        ]
    );
    assert_eq!(
        records(&[record("0001-a.md", &good.replace("## Cost\n", ""))]),
        ["0001-a.md: no heading `Cost`"]
    );
    assert_eq!(
        records(&[record("first.md", good)]),
        ["first.md: is called NNNN-title.md"]
    );
}
