use super::*;
use sandgate_plugin::testing::{self, Bench};

const CSV: &str = "model,price_eur,battery_h,maker\nComet,1049,13.5,Norden\nBasalt,899,9,Kepler\nOrchard,1799,17,Orchard\nSecret,,20,Kepler\n";

fn run(input: Value) -> Result<Value> {
    run_with(input, &[]).0
}

fn run_with(input: Value, produces: &[&str]) -> (Result<Value>, Bench) {
    let task = testing::task(&input, produces);
    let bench = Bench::new().artifact("up.csv", "text/csv", CSV).artifact(
        "up.photo",
        "image/png",
        [0xff, 0x00],
    );
    bench.run(|| Comparer.run(task).map(|output| output.value()))
}

fn names(output: &Value) -> Vec<&str> {
    output["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

#[test]
fn cheapest_first_unless_said_otherwise() {
    let output = run(json!({ "rows": CSV })).unwrap();
    assert_eq!(names(&output), ["Basalt", "Comet", "Orchard"]);
    assert_eq!(output["best"]["name"], "Basalt");
    assert_eq!(output["best"]["reason"], "lowest price 899 EUR of 3");
    assert_eq!(output["rows"][0]["score"], json!(1.0));
    assert_eq!(output["rows"][2]["score"], json!(0.0));
    assert_eq!(
        output["dropped"],
        json!([{"name": "Secret", "reason": "no number in price_eur"}])
    );
}

#[test]
fn weights_and_directions() {
    let output = run(json!({
        "artifact": "up.csv",
        "criteria": [{"field": "battery", "weight": 3}, {"field": "price"}]
    }))
    .unwrap();
    assert_eq!(names(&output), ["Orchard", "Comet", "Basalt"]);
    // battery 4.5/8, price 750/900, weights 3 and 1.
    assert_eq!(output["rows"][1]["score"], json!(0.63));
    assert_eq!(
        output["criteria"][0],
        json!({"field": "battery_h", "weight": 3.0, "better": "higher"})
    );
}

#[test]
fn filters_and_limits() {
    let by = |filter: Value| {
        let output = run(json!({"rows": CSV, "filters": [filter]})).unwrap();
        names(&output).join(" ")
    };
    assert_eq!(
        by(json!({"field": "price", "op": "<", "value": 1049})),
        "Basalt"
    );
    assert_eq!(
        by(json!({"field": "price", "op": "<=", "value": "1,049"})),
        "Basalt Comet"
    );
    assert_eq!(
        by(json!({"field": "maker", "op": "=", "value": "norden"})),
        "Comet"
    );
    assert_eq!(
        by(json!({"field": "maker", "op": "contains", "value": "or"})),
        "Comet Orchard"
    );
    assert_eq!(
        by(json!({"field": "maker", "op": "!=", "value": "Kepler"})),
        "Comet Orchard"
    );
    let output =
        run(json!({"rows": CSV, "topic": "laptops under 1200 with at least 10 hours"})).unwrap();
    assert_eq!(names(&output), ["Comet"]);
    assert_eq!(output["dropped"][0]["reason"], "outside >= 10");
}

#[test]
fn research_is_joined_by_name() {
    let research = json!({"topic": "t", "findings": [
        {"rank": 1, "score": 1.0, "text": "a", "citation": "[1] r.json:1", "source": {"path": "r.json"}, "fields": {"model": "Comet", "score": 88}},
        {"rank": 2, "score": 1.0, "text": "b", "citation": "[2] p.csv:2", "source": {"path": "p.csv"}, "fields": {"model": "comet", "price_eur": 1049}},
        {"rank": 3, "score": 1.0, "text": "c", "citation": "[3] p.csv:3", "source": {"path": "p.csv"}, "fields": {"model": "Comet", "price_eur": 999}},
        {"rank": 4, "score": 1.0, "text": "just words", "citation": "[4] n.md:1", "source": {"path": "n.md"}}
    ]});
    for value in [
        research.clone(),
        json!(research.to_string()),
        json!([research]),
    ] {
        let output = run(json!({"research": value, "criteria": [{"field": "price"}]})).unwrap();
        assert_eq!(names(&output), ["Comet", "Comet"]);
        assert_eq!(output["rows"][0]["citations"], json!(["[3] p.csv:3"]));
        assert_eq!(
            output["rows"][1]["citations"],
            json!(["[1] r.json:1", "[2] p.csv:2"])
        );
        assert_eq!(output["rows"][1]["values"]["score"], 88);
        assert!(
            output["table_markdown"]
                .as_str()
                .unwrap()
                .contains("| [1][2] |")
        );
    }
}

#[test]
fn writes_tables() {
    let (_, bench) = run_with(
        json!({"rows": CSV, "topic": "laptops"}),
        &["comparison", "comparison.csv"],
    );
    let markdown = bench.written()["comparison"].text();
    assert!(markdown.starts_with(
        "# Comparison: laptops\n\nBest: **Basalt** (lowest price 899 EUR of 3).\n\n\
         | # | name | price_eur | battery_h | maker | score |\n|---|---|---|---|---|---|\n| 1 | Basalt | 899 | 9 | Kepler | 1.000 |\n"
    ), "{markdown}");
    assert_eq!(
        bench.written()["comparison.csv"].text().lines().nth(1),
        Some("1,1,Basalt,899,9,Kepler")
    );
    // The host hands objects over with their members in alphabetical order.
    let rows = json!([{"battery": 3, "maker": "x", "name": "a", "price": 1}]);
    let output =
        run(json!({"rows": rows, "criteria": [{"field": "price"}, {"field": "battery"}]})).unwrap();
    assert_eq!(
        output["columns"],
        json!(["name", "price", "battery", "maker"])
    );
}

#[test]
fn nothing_to_compare() {
    let output = run(json!({"research": {"findings": []}})).unwrap();
    assert_eq!(output["best"], Value::Null);
    assert_eq!(output["note"], "there were no rows to compare");
    for (input, why) in [
        (json!({}), "nothing to compare"),
        (
            json!({"rows": CSV, "criteria": [{"field": "weight"}]}),
            "there are: model, price_eur, battery_h, maker",
        ),
        (
            json!({"rows": [{"a": "x", "b": 1}]}),
            "no column holds a price",
        ),
        (
            json!({"rows": [{"a": "x", "b": 1}], "criteria": [{"field": "b"}]}),
            "say `better",
        ),
        (
            json!({"research": {"findings": [1]}}),
            "not what agent-research answers",
        ),
    ] {
        let error = run(input.clone()).unwrap_err();
        assert!(
            matches!(&error, PluginError::InvalidInput(text) if text.contains(why)),
            "{input}: {error}"
        );
    }
    assert!(matches!(
        run(json!({"artifact": "up.photo"})),
        Err(PluginError::Permanent(_))
    ));
    assert!(matches!(
        run(json!({"artifact": "up.none"})),
        Err(PluginError::Unavailable(_))
    ));
}
