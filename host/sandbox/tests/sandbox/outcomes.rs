//! How calls end: every outcome but limits and time, which have files of their own.

use crate::support::*;
use crate::wats;
use sandgate_sandbox::{Failure, MESSAGE_MAX, NoArtifacts, Outcome, Subject};
use serde_json::{Value, json};
use std::sync::Arc;

fn trap<T: std::fmt::Debug>(outcome: Outcome<T>) -> String {
    match outcome {
        Outcome::Trap { message } => message,
        other => panic!("no trap: {other:?}"),
    }
}

#[tokio::test]
async fn an_output_comes_back_as_it_was() {
    let wanted = Try::new(noop_agent());
    let input = json!({"a": [1, -2, 3.5, null, true], "ä": "\u{0}\u{202e}\u{1f600}"});
    let report = SANDBOX
        .run(&wanted.call(), &Value::Null, wanted.task(input.clone()))
        .await;
    let answer = report.outcome.split().unwrap();
    assert_eq!(answer.output, input);
    assert!(answer.artifacts.is_empty() && answer.charges.is_empty());
    assert!(
        report.stats.memory_peak >= 1 << 20,
        "a std guest has a stack"
    );
    assert!(hostile().text("task").await.contains("task 3 key []"));
}

#[tokio::test]
async fn plugins_say_how_they_failed() {
    for (verb, wanted) in [
        ("invalid", Failure::InvalidInput),
        ("unavailable", Failure::Unavailable),
        ("failed", Failure::Failed),
        ("permanent", Failure::Permanent),
    ] {
        match hostile().run(&format!("{verb}:words")).await {
            Outcome::Failed { kind, message } => {
                assert_eq!((kind, message.as_str()), (wanted, "words"));
            }
            other => panic!("{verb}: {other:?}"),
        }
        // The same from `open`.
        let outcome = hostile().config(&format!("{verb}:words")).run("null").await;
        assert!(matches!(outcome, Outcome::Failed { kind, .. } if kind == wanted));
    }
    match hostile().run("long-error:100000").await {
        Outcome::Failed { message, .. } => assert_eq!(message.len(), MESSAGE_MAX + "…".len()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn traps_say_why() {
    let wanted = hostile();
    assert!(trap(wanted.run("unreachable").await).contains("unreachable"));
    // A Rust guest's own stack lies at the bottom of its memory and is exhausted first.
    let told = trap(wanted.run("recurse").await);
    assert!(told.contains("out of bounds memory access"), "{told}");
    let told = trap(wanted.run("panic").await);
    assert!(told.contains("a panic with a message"), "{told}");
    assert!(trap(wanted.run("exit:0").await).contains("exit(0)"));
    assert!(
        trap(wanted.run("exit:7").await).contains("exit(1)"),
        "WASI knows 0 and 1"
    );
    assert!(trap(hostile().config("unreachable").run("null").await).contains("unreachable"));
    for (module, words) in [
        (
            "(func $s (drop (i32.div_s (i32.const 1) (i32.const 0)))) (start $s)",
            "divide by zero",
        ),
        ("(func $s (call $s)) (start $s)", "call stack exhausted"),
        (
            "(memory 1) (func $s (drop (i32.load (i32.const -4)))) (start $s)",
            "out of bounds memory access",
        ),
        (
            "(table 1 funcref) (func $s (call_indirect (i32.const 9))) (start $s)",
            "out of bounds",
        ),
    ] {
        let call = Try::new(SANDBOX.load(&wats::gate(module)).unwrap()).call();
        let subject = Subject {
            goal: String::new(),
            inputs: json!({}),
            tasks: Vec::new(),
            artifacts: Arc::new(NoArtifacts),
        };
        let report = SANDBOX.check(&call, subject, &Value::Null).await;
        let told = trap(report.outcome);
        assert!(told.contains(words), "{module}: {told}");
    }
}

#[tokio::test]
async fn answers_that_are_not_accepted() {
    for (order, words) in [
        ("not-json", "line 1 column"),
        ("two-documents", "trailing characters"),
        ("duplicate", "key \"a\" twice"),
        ("deep:65", "64 levels"),
        ("deep:100000", "64 levels"),
        ("nodes:300000", "too many values"),
        ("charges:101", "101 charges"),
        ("charge:1000000000000001", "1000000000000001"),
        ("charge-name", "\\u{1b}"),
    ] {
        let told = reasons(hostile().run(order).await);
        assert!(told.contains(words), "{order}: {told}");
    }
    assert_eq!(hostile().run("deep:64").await.reason(), "");
    assert_eq!(hostile().run("charges:100").await.reason(), "");
    let answer = hostile().run("charge:5").await.split().unwrap();
    assert_eq!(
        (answer.charges[0].what.as_str(), answer.charges[0].micros),
        ("tokens", 5)
    );
}

#[tokio::test]
async fn text_is_handed_on_raw() {
    let wanted = hostile();
    assert_eq!(wanted.text("log-ansi").await, "\u{1b}[31mred\u{202e}");
    assert_eq!(
        wanted.kept.texts(),
        ["\u{1b}[2J\u{202e}gone\u{7}\nsecond"],
        "one call, one line"
    );
}

#[tokio::test]
async fn every_outcome_has_a_sentence() {
    let mut told = Vec::new();
    for order in ["panic", "failed:words", "deep:65", "hold:80"] {
        told.push(hostile().run(order).await.reason());
    }
    told.push(hostile().deadline(50).run("loop").await.reason());
    for (sentence, begins) in told.iter().zip([
        "it crashed",
        "it says it failed: words",
        "its answer is not accepted",
        "it ran into its limit of 67108864 bytes of memory",
        "it was not done after 0.05 s",
    ]) {
        assert!(sentence.starts_with(begins), "{sentence}");
    }
}
