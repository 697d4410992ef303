//! The agent, with people who are played.

use super::{Asker, duration};
use sandgate_plugin::question::QuestionError;
use sandgate_plugin::testing::{Bench, task};
use sandgate_plugin::{Agent, Config, PluginError, Result};
use serde_json::{Value, json};
use std::time::Duration;

fn run(
    input: &Value,
    produces: &[&str],
    answer: std::result::Result<&str, QuestionError>,
) -> (Result<Value>, Bench) {
    let answer = answer.map(str::to_owned);
    Bench::new().person(move |_| answer.clone()).run(|| {
        let mut asker = Asker::open(Config::new("null"))?;
        asker
            .run(task(input, produces))
            .map(|output| output.value())
    })
}

#[test]
fn the_answer_is_the_output() {
    let input = json!({ "question": "Who is it for?", "choices": ["all", "us"], "default": "us", "timeout": "4h" });
    let (output, bench) = run(&input, &[], Ok("all"));
    assert_eq!(output.unwrap(), json!({ "answer": "all" }));
    let asked = &bench.questions()[0];
    assert_eq!(asked.text, "Who is it for?");
    assert_eq!(asked.choices, ["all", "us"]);
    assert_eq!(asked.default.as_deref(), Some("us"));
    assert_eq!(asked.timeout, Some(Duration::from_secs(4 * 3600)));
    let (output, bench) = run(&json!({ "question": "Why?" }), &[], Ok(""));
    assert_eq!(output.unwrap(), json!({ "answer": "" }));
    assert_eq!(bench.questions()[0].timeout, None);
}

#[test]
fn nobody_is_asked_twice_for_a_failure() {
    for error in [
        QuestionError::NoAnswer("4h are over".to_owned()),
        QuestionError::Unavailable("no rule".to_owned()),
        QuestionError::Limit("1,000 questions".to_owned()),
        QuestionError::Invalid("too long".to_owned()),
    ] {
        let (output, bench) = run(&json!({ "question": "Why?" }), &[], Err(error.clone()));
        let failure = output.unwrap_err();
        // What has failed is tried again, where the workflow says so.
        assert!(!matches!(failure, PluginError::Failed(_)), "{failure}");
        assert!(failure.text().contains(error.text()), "{failure}");
        assert_eq!(bench.questions().len(), 1);
    }
}

#[test]
fn a_wrong_input_asks_nobody() {
    for (input, produces) in [
        (json!({}), &[][..]),
        (json!({ "question": " \n" }), &[]),
        (json!({ "question": "Why?", "wait": 1 }), &[]),
        (json!({ "question": "Why?", "choices": "a" }), &[]),
        (
            json!({ "question": "Why?", "choices": ["a"], "default": "b" }),
            &[],
        ),
        (json!({ "question": "Why?", "timeout": "soon" }), &[]),
        (json!({ "question": "Why?" }), &["answer"]),
    ] {
        let (output, bench) = run(&input, produces, Ok("x"));
        assert!(
            matches!(output, Err(PluginError::InvalidInput(_))),
            "{input}"
        );
        assert!(bench.questions().is_empty(), "{input}");
    }
}

#[test]
fn times() {
    for (text, milliseconds) in [
        ("1ms", 1),
        ("90s", 90_000),
        ("2m", 120_000),
        ("1d", 86_400_000),
        ("1h30m", 5_400_000),
        ("1d2h3m4s5ms", 93_784_005),
    ] {
        assert_eq!(
            duration(text).unwrap(),
            Duration::from_millis(milliseconds),
            "{text}"
        );
    }
    for text in [
        "",
        "5",
        "h",
        "0s",
        "-1s",
        "1.5h",
        "1h ",
        "1w",
        "30m1h",
        "1h1h",
        "1h 1m",
        "1H",
        "١h",
        "99999999999999999999s",
        "18446744073709551615h",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}
