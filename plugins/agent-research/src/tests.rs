//! The whole agent over a folder of notes.

use super::*;
use sandgate_plugin::testing::{self, Bench};

const NOTES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notes");

fn run(input: Value, produces: &[&str]) -> (Result<Output>, Bench) {
    let task = testing::task(&input, produces);
    Bench::new()
        .root(NOTES)
        .produces(&task.produces)
        .run(|| Researcher.run(task))
}

fn places(output: &Value) -> Vec<String> {
    output["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let source = &finding["source"];
            let path = source["path"].as_str().unwrap();
            format!(
                "{}:{}",
                path.rsplit("tests/notes/").next().unwrap(),
                source["line_start"]
            )
        })
        .collect()
}

#[test]
fn ranks_and_cites() {
    let output = run(json!({"topic": "battery of the Comet laptop"}), &[])
        .0
        .unwrap()
        .value();
    assert_eq!(places(&output)[0], "laptops.md:7");
    let first = &output["findings"][0];
    assert_eq!(first["source"]["heading"], "Laptops > Comet 14");
    assert!(first["citation"].as_str().unwrap().starts_with("[1] "));
    assert!(
        first["citation"]
            .as_str()
            .unwrap()
            .ends_with("laptops.md:7-9")
    );
    assert_eq!(output["sources"][0], first["citation"]);
    assert_eq!(output["searched"]["files"], 4);
}

#[test]
fn what_is_not_read_is_reported() {
    let output = run(json!({"topic": "comet"}), &[]).0.unwrap().value();
    let skipped: Vec<_> = output["searched"]["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            format!(
                "{} {}",
                s["path"].as_str().unwrap().rsplit('/').next().unwrap(),
                s["reason"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(
        skipped[0].starts_with("broken.json not JSON"),
        "{skipped:?}"
    );
    assert_eq!(
        skipped[1],
        "photo.jpg not text, Markdown, CSV or JSON by its name"
    );
    assert_eq!(skipped[2], "raw.txt binary, not UTF-8 text");
}

#[test]
fn limits_exclude_rows() {
    let output = run(
        json!({"topic": "laptops under 1,200 EUR", "kinds": ["row"]}),
        &[],
    )
    .0
    .unwrap()
    .value();
    let models: Vec<_> = output["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["fields"]["model"].as_str().unwrap())
        .collect();
    assert!(
        models.contains(&"Comet 14") && models.contains(&"Basalt 15"),
        "{models:?}"
    );
    assert!(!models.contains(&"Orchard Pro"), "{models:?}");
    assert_eq!(output["searched"]["outside_limits"], 1);
}

#[test]
fn whole_tables_follow_the_findings() {
    let count = |whole: bool| {
        let input =
            json!({"topic": "comet", "paths": ["*.csv"], "limit": 50, "whole_tables": whole});
        places(&run(input, &[]).0.unwrap().value())
    };
    assert_eq!(count(false), ["prices.csv:2"]);
    assert_eq!(
        count(true),
        ["prices.csv:2", "prices.csv:3", "prices.csv:4"]
    );
}

#[test]
fn paths_fields_and_limit() {
    let output = run(
        json!({"topic": "comet", "paths": ["*.csv"], "fields": ["price"], "limit": 1}),
        &[],
    )
    .0
    .unwrap()
    .value();
    assert_eq!(places(&output), ["prices.csv:2"]);
    assert_eq!(output["findings"][0]["fields"], json!({"price_eur": 1049}));
}

#[test]
fn nothing_found_is_an_answer() {
    let output = run(json!({"topic": "zebra"}), &[]).0.unwrap().value();
    assert_eq!(output["findings"], json!([]));
    assert!(
        output["note"]
            .as_str()
            .unwrap()
            .starts_with("nothing about this topic")
    );
}

#[test]
fn makes_what_is_declared() {
    let (output, bench) = run(json!({"topic": "comet"}), &["findings", "findings.md"]);
    let findings: Value = serde_json::from_slice(&bench.written()["findings"].bytes).unwrap();
    assert_eq!(findings, output.unwrap().value());
    assert!(
        bench.written()["findings.md"]
            .text()
            .starts_with("# comet\n\n## [1] ")
    );
    assert!(matches!(
        run(json!({"topic": "comet"}), &["report"]).0,
        Err(PluginError::InvalidInput(_))
    ));
}

#[test]
fn says_what_is_missing() {
    let task = testing::task(&json!({"topic": "x"}), &[]);
    let (answer, _) = Bench::new().run(|| Researcher.run(task));
    assert!(matches!(answer, Err(PluginError::Unavailable(text)) if text.contains("[policy]")));
    assert!(matches!(
        run(json!({"topic": " "}), &[]).0,
        Err(PluginError::InvalidInput(_))
    ));
    assert!(matches!(
        run(json!({"topic": "x", "limits": 1}), &[]).0,
        Err(PluginError::InvalidInput(_))
    ));
}

#[test]
fn the_same_question_has_the_same_answer() {
    let ask = || run(json!({"topic": "laptop battery"}), &[]).0.unwrap();
    assert_eq!(ask(), ask());
}
