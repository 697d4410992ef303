//! Artifacts: exactly what the task consumes and produces.

use crate::support::*;
use sandgate_sandbox::Outcome;
use std::sync::Arc;

fn failed<T: std::fmt::Debug>(outcome: Outcome<T>) -> String {
    match outcome {
        Outcome::Failed { message, .. } => message,
        other => panic!("no failure: {other:?}"),
    }
}

fn reading() -> Try {
    let mut wanted = hostile();
    wanted.shelf = Some(Arc::new(Shelf(vec![
        ("up.stream", b"bytes from upstream".to_vec()),
        ("a.first", vec![7; 2 << 20]),
    ])));
    wanted
}

#[tokio::test]
async fn writes_what_it_has_to() {
    let wanted = hostile().produces(&["notes.md"]);
    let answer = wanted.run("write:notes.md").await.split().unwrap();
    assert_eq!(answer.artifacts.len(), 1);
    let artifact = &answer.artifacts[0];
    assert_eq!(
        (
            artifact.name.as_str(),
            artifact.media_type.as_str(),
            artifact.bytes.as_slice()
        ),
        ("notes.md", "text/plain", b"hello world".as_slice())
    );
}

#[tokio::test]
async fn a_missing_artifact_is_a_bad_answer() {
    let told = reasons(hostile().produces(&["a", "b"]).run("write:a").await);
    assert_eq!(told, "it did not make the artifact b");
}

#[tokio::test]
async fn nothing_else_can_be_written() {
    let wanted = hostile().produces(&["a"]);
    for name in ["b", "A", "../a", "", "a/b", "a\u{202e}"] {
        let told = failed(wanted.run(&format!("write:{name}")).await);
        assert!(told.contains("NotAllowed"), "{name}: {told}");
    }
    assert!(failed(wanted.run("append:a").await).contains("NotFound"));
    assert!(failed(wanted.run("media").await).contains("media type"));
    assert!(failed(hostile().run("write:a").await).contains("produces no artifacts"));
}

#[tokio::test]
async fn size_and_number_are_bounded() {
    let wanted = hostile()
        .produces(&["big"])
        .limits(|l| l.artifact_bytes = 3 << 20);
    let answer = wanted.run("write-big:3").await.split().unwrap();
    assert_eq!(answer.artifacts[0].bytes.len(), 3 << 20);
    assert!(failed(wanted.run("write-big:4").await).contains("TooLarge(3145728)"));
    assert!(failed(wanted.run("write-chunk:1048577").await).contains("TooLarge(1048576)"));
    let none = hostile().produces(&["a"]).limits(|l| l.artifacts = 0);
    assert!(failed(none.run("write:a").await).contains("TooLarge(0)"));
    // Written again, the old bytes do not count.
    for _ in 0..3 {
        assert!(wanted.run("write-big:3").await.split().is_ok());
    }
}

#[tokio::test]
async fn reads_what_it_may() {
    let wanted = reading();
    assert_eq!(wanted.text("read:up.stream").await, "bytes from upstream");
    assert_eq!(
        wanted.text("list").await,
        "a.first 2097152 text/plain,up.stream 19 text/plain"
    );
    assert!(failed(wanted.run("read:other").await).contains("NotFound"));
    assert!(failed(hostile().run("read:up.stream").await).contains("NotFound"));
    assert_eq!(hostile().text("list").await, "");
    assert_eq!(wanted.text("read-length:4294967295").await, "19");
}
