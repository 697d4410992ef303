use super::*;
use sandgate_plugin::PluginError;
use sandgate_plugin::testing::{self, Bench};

fn research() -> Value {
    json!({"topic": "best laptops", "findings": [
        {"rank": 1, "score": 2.0, "text": "The Summit is the best laptop we tried. It rained.", "citation": "[1] notes/summit.md:15", "source": {"path": "notes/summit.md", "line_start": 15, "line_end": 15}},
        {"rank": 2, "score": 1.0, "text": "x", "citation": "[2] notes/prices.csv:6", "source": {"path": "notes/prices.csv", "line_start": 6, "line_end": 6}, "fields": {"model": "Fjord 13", "price_eur": 979}}
    ]})
}

fn comparison() -> Value {
    json!({
        "compared": 2,
        "best": {"name": "Fjord 13", "score": 1.0, "reason": "lowest price 979 EUR of 2", "citations": ["[2] notes/prices.csv:6"]},
        "rows": [{"citations": ["[2] notes/prices.csv:6"]}, {"citations": ["[7] notes/prices.csv:9"]}],
        "table_markdown": "| # | name |\n|---|---|\n| 1 | Fjord 13 |\n| 2 | Comet |\n"
    })
}

fn run(input: Value, produces: &[&str]) -> (Result<Value>, Bench) {
    let task = testing::task(&input, produces);
    Bench::new().run(|| Writer.run(task).map(|output| output.value()))
}

#[test]
fn an_email_says_what_was_found_and_where() {
    let input = json!({"to": "john@example.com", "from": "Mira", "findings": research(), "comparison": comparison()});
    let output = run(input, &[]).0.unwrap();
    assert_eq!(output["subject"], "Best laptops");
    assert_eq!(
        output["body"],
        "Hello John,\n\n\
         Here is what I found about best laptops (2 points from 2 files):\n\n\
         - The Summit is the best laptop we tried. [1]\n\
         - Fjord 13: price 979 EUR [2]\n\n\
         Best of the comparison: Fjord 13 (lowest price 979 EUR of 2) [2].\n\n\
         | # | name |\n|---|---|\n| 1 | Fjord 13 |\n| 2 | Comet |\n\n\
         Kind regards,\nMira\n\n\
         Sources:\n\n\
         - [1] notes/summit.md:15\n\
         - [2] notes/prices.csv:6\n\
         - [7] notes/prices.csv:9\n"
    );
    assert_eq!(output["points"], 2);
    assert_eq!(output["citations"].as_array().unwrap().len(), 3);
}

#[test]
fn every_point_stands_in_a_finding() {
    let text = "Prices rose.  The **Comet** costs 5 euros. Nobody\nknows why.";
    let finding = json!({"text": text, "citation": "[4] a.md:2", "source": {"path": "a.md"}});
    for topic in ["comet", "nobody", "prices", "zebra"] {
        let output = run(json!({"topic": topic, "findings": [finding]}), &[])
            .0
            .unwrap();
        let point = output["body"]
            .as_str()
            .unwrap()
            .lines()
            .find_map(|line| line.strip_prefix("- ")?.strip_suffix(" [4]"))
            .unwrap()
            .to_owned();
        let plain = text
            .replace("**", "")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(plain.contains(&point), "{point}");
    }
}

#[test]
fn documents_come_in_many_shapes() {
    for (findings, expected) in [
        (json!(research().to_string()), 2),
        (research()["findings"].clone(), 2),
        (json!("- one point\n\n* another\n"), 2),
        (json!({"name": "x", "price": 3}), 1),
        (json!([research(), research()]), 3),
    ] {
        let output = run(json!({"findings": findings}), &[]).0.unwrap();
        assert_eq!(output["points"], expected, "{findings}");
    }
}

#[test]
fn several_researches_have_different_numbers() {
    let other = json!({"findings": [{"rank": 1, "score": 1.0, "text": "Phones are cheap.", "citation": "[1] p.txt:1", "source": {"path": "p.txt", "line_start": 1, "line_end": 1}}]});
    let output = run(json!({"findings": [research(), other]}), &[])
        .0
        .unwrap();
    assert_eq!(
        output["citations"],
        json!([
            "[1] notes/summit.md:15",
            "[2] notes/prices.csv:6",
            "[3] p.txt:1"
        ])
    );
}

#[test]
fn nothing_found_is_said() {
    let output = run(
        json!({"to": "Anna", "topic": "zebras", "findings": {"findings": []}}),
        &[],
    )
    .0
    .unwrap();
    assert!(
        output["body"]
            .as_str()
            .unwrap()
            .contains("I found nothing about zebras in the material I was given.")
    );
    assert_eq!(output["citations"], json!([]));
    let none = json!({"findings": [], "comparison": {"rows": [], "best": null}});
    assert!(
        run(none, &[]).0.unwrap()["body"]
            .as_str()
            .unwrap()
            .contains("nothing that could be compared")
    );
}

#[test]
fn kinds_differ() {
    let body = |kind: &str| {
        let input =
            json!({"kind": kind, "to": "Anna", "findings": research(), "comparison": comparison()});
        run(input, &[]).0.unwrap()["body"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(body("summary").starts_with("Here is what I found"));
    assert!(!body("message").contains("| # |") && !body("message").contains("regards"));
}

#[test]
fn artifacts_by_their_names() {
    let input = json!({"to": "Jörg\nBcc: x@y.z", "subject": "Hi\r\nX: y", "findings": research()});
    let (_, bench) = run(input, &["email", "mail.eml", "mail.json", "mail.txt"]);
    let written = bench.written();
    assert!(
        written["email"]
            .text()
            .starts_with("To: Jörg Bcc: x@y.z\nSubject: Hi X: y\n\nHello")
    );
    assert_eq!(written["email"].media_type, "text/markdown");
    assert_eq!(written["mail.eml"].media_type, "message/rfc822");
    assert!(
        written["mail.eml"]
            .text()
            .starts_with("To: =?UTF-8?Q?J=C3=B6rg=20Bcc=3A=20x=40y=2Ez?=\r\nSubject: Hi X: y\r\n")
    );
    assert_eq!(written["mail.json"].media_type, "application/json");
    assert_eq!(written["mail.txt"].media_type, "text/plain");
}

#[test]
fn wrong_input_is_named() {
    for (input, why) in [
        (json!({"findings": [{"text": 1}]}), "is not a finding"),
        (json!({"comparison": 3}), "not what agent-compare answers"),
        (json!({"kind": "poem"}), "poem"),
        (json!({"recipient": "x"}), "recipient"),
    ] {
        let error = run(input.clone(), &[]).0.unwrap_err();
        assert!(
            matches!(&error, PluginError::InvalidInput(text) if text.contains(why)),
            "{input}: {error}"
        );
    }
}
