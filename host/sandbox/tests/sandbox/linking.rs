//! What is linked, and what a component that wants more is told.

use crate::support::*;
use crate::wats;
use sandgate_sandbox::{Call, LogSource, NoArtifacts, Outcome, Subject};
use serde_json::{Value, json};
use std::sync::Arc;

fn subject() -> Subject {
    Subject {
        goal: "goal".to_owned(),
        inputs: json!({}),
        tasks: Vec::new(),
        artifacts: Arc::new(NoArtifacts),
    }
}

async fn check(bytes: &[u8]) -> Outcome<Vec<sandgate_model::Check>> {
    let call: Call = Try::new(SANDBOX.load(bytes).unwrap()).call();
    SANDBOX.check(&call, subject(), &Value::Null).await.outcome
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_refused_by_name() {
    for (interface, words) in [
        ("wasi:sockets/tcp@0.2.6", "never available"),
        ("wasi:http/incoming-handler@0.2.6", "not serve them"),
        ("wasi:http/outgoing-handler@0.2.6", "http = [{ allow = "),
        ("sandgate:plugin/command@0.1.0", "exec = [{ program = "),
        ("sandgate:plugin/model@0.1.0", "model = [{ provider = "),
        ("sandgate:plugin/budget@0.1.0", "charge = true"),
        ("acme:own/thing@1.0.0", "not available in this version"),
        ("wasi:filesystem/types@0.2.6", "files = [{ host = \"notes\""),
        ("wasi:cli/environment@0.3.0", "WASI 0.2"),
    ] {
        match check(&wats::importing(interface)).await {
            Outcome::Refused { import, hint } => {
                assert_eq!(import, interface);
                assert!(hint.contains(words), "{interface}: {hint}");
            }
            other => panic!("{interface}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn nothing_of_a_refused_component_runs() {
    // Its start function would loop.
    let bytes = wat::parse_str(
        "(component
            (import \"acme:own/thing@1.0.0\" (instance))
            (core module $m (func $s (loop br 0)) (start $s) (func (export \"f\")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i \"f\")))
            (instance $d (export \"describe\" (func $f)))
            (export \"sandgate:plugin/describing@0.1.0\" (instance $d))
            (instance $c (export \"check\" (func $f)))
            (export \"sandgate:plugin/checking@0.1.0\" (instance $c))
        )",
    )
    .unwrap();
    assert!(matches!(check(&bytes).await, Outcome::Refused { .. }));
    let component = SANDBOX.load(&bytes).unwrap();
    let error = SANDBOX.describe(&component).await.unwrap_err();
    assert!(
        error.to_string().contains("acme:own/thing@1.0.0"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_shape_is_a_bad_answer() {
    // Known interface, function that is not in it; then an export that takes nothing.
    let told = reasons(check(&wats::importing("sandgate:plugin/log@0.1.0")).await);
    assert!(told.contains("differs") && told.contains("log"), "{told}");
    let told = reasons(check(&wats::gate("")).await);
    assert!(told.contains("sandgate:plugin@0.1.0"), "{told}");
}

#[tokio::test]
async fn a_role_that_is_not_there() {
    let call = Try::new(noop_agent()).call();
    let report = SANDBOX.check(&call, subject(), &Value::Null).await;
    assert!(reasons(report.outcome).contains("gate"));
    let call = Try::new(hostile_gate()).call();
    let report = SANDBOX.open(&call, &Value::Null).await;
    assert!(reasons(report.outcome).contains("agent"));
}

#[tokio::test]
async fn a_guest_sees_nothing_of_the_host() {
    let wanted = hostile();
    assert_eq!(wanted.text("environment").await, "[] [] None");
    assert_eq!(wanted.text("stdin").await, "Ok(0)");
}

#[tokio::test]
async fn an_extra_export_is_ignored() {
    let bytes = wats::component(
        "",
        "
        (instance $describing (export \"describe\" (func $f)))
        (export \"sandgate:plugin/describing@0.1.0\" (instance $describing))
        (instance $checking (export \"check\" (func $f)))
        (export \"sandgate:plugin/checking@0.1.0\" (instance $checking))
        (export \"init\" (func $f))
        ",
    );
    assert!(SANDBOX.load(&bytes).is_ok());
}

#[tokio::test]
async fn random_bytes_come_in_small_amounts() {
    assert_eq!(hostile().text("random:65536").await, "65536");
    let outcome = hostile().run("random:65537").await;
    assert!(matches!(outcome, Outcome::Trap { .. }), "{outcome:?}");
}

#[tokio::test]
async fn logs_come_from_where_they_came() {
    let wanted = hostile();
    wanted.run("stdout:2").await;
    wanted.run("stderr").await;
    wanted.run("log-long:5").await;
    let lines = wanted.kept.lines.lock().unwrap();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line.source, line.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (LogSource::Stdout, "out 0"),
            (LogSource::Stdout, "out 1"),
            (LogSource::Stderr, "no line break"),
            (LogSource::Log, "yyyyy"),
        ]
    );
}
