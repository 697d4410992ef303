//! Planners, gates and descriptions.

use crate::support::*;
use sandgate_model::{
    Description, GateId, ListedFile, OfferedAgent, OfferedGate, Packet, PluginName, Verdict,
};
use sandgate_sandbox::{FinishedTask, Limits, Outcome, Subject};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn packet() -> Packet {
    let description = Description {
        name: "agent-x".to_owned(),
        version: "1.0.0".to_owned(),
        summary: "Does x".to_owned(),
        needs: Vec::new(),
        input_schema: Some(json!({"type": "object"})),
        output_schema: None,
        config_schema: None,
    };
    Packet {
        goal: "the goal".to_owned(),
        inputs: BTreeMap::from([("to".to_owned(), json!("john"))]),
        files: vec![ListedFile {
            path: "/notes/a".to_owned(),
            size: 3,
        }],
        files_cut: true,
        agents: vec![OfferedAgent {
            name: PluginName::new("x").unwrap(),
            description,
        }],
        gates: vec![OfferedGate {
            id: GateId::new("g").unwrap(),
            plugin: PluginName::new("rules").unwrap(),
            summary: "Checks".to_owned(),
        }],
        written: vec!["first".to_owned()],
        budget_micros: Some(5),
        report: None,
    }
}

pub(crate) fn planner() -> Try {
    let mut wanted = Try::new(hostile_planner());
    wanted.limits = Limits {
        deadline: wanted.limits.deadline,
        ..Limits::planner()
    };
    wanted
}

async fn plan(config: &str) -> Outcome<sandgate_model::DraftPlan> {
    SANDBOX
        .plan(&planner().call(), &packet(), &json!(config))
        .await
        .outcome
}

#[tokio::test]
async fn a_planner_sees_the_packet() {
    let draft = plan("").await.split().unwrap();
    assert_eq!(draft.tasks.len(), 1);
    assert_eq!(
        (
            draft.tasks[0].id.as_str(),
            draft.tasks[0].agent.as_str(),
            &draft.tasks[0].input
        ),
        ("task-0", "x", &json!({"n": 1}))
    );
    assert_eq!(
        draft.rationale,
        "goal=the goal inputs={\"to\":\"john\"} files=1 cut=true gates=1 written=[\"first\"] budget=Some(5) \
         report=none"
    );
    let mut again = packet();
    again.report = Some(json!({"failed": ["a"]}));
    let report = SANDBOX
        .replan(&planner().call(), &again, &Value::Null)
        .await;
    let draft = report.outcome.split().unwrap();
    assert!(
        draft.rationale.ends_with("report={\"failed\":[\"a\"]}"),
        "{}",
        draft.rationale
    );
}

#[tokio::test]
async fn drafts_are_bounded_but_not_judged() {
    // Nonsense that is well-formed is passed on to whoever freezes plans.
    for config in [
        "cycle",
        "duplicate-ids",
        "unknown-need",
        "unknown-agent",
        "template-id",
        "bidi-id",
        "empty",
    ] {
        assert_eq!(plan(config).await.reason(), "", "{config}");
    }
    for (config, words) in [
        ("not-json", "the input of task 0"),
        ("deep:65", "64 levels"),
        ("long-id:300", "the id of task 0 has 300 bytes"),
        ("rationale:70000", "the rationale has 70000 bytes"),
        ("many:100001", "100001 tasks"),
        ("needs:1000001", "1000001 references"),
    ] {
        let told = reasons(plan(config).await);
        assert!(told.contains(words), "{config}: {told}");
    }
    assert!(matches!(
        plan("unavailable:x").await,
        Outcome::Failed { .. }
    ));
    assert!(matches!(plan("panic").await, Outcome::Trap { .. }));
}

#[tokio::test]
async fn a_hundred_thousand_tasks_are_a_plan() {
    let before = resident();
    let report = SANDBOX
        .plan(&planner().call(), &packet(), &json!("many:100000"))
        .await;
    let draft = report.outcome.split().unwrap();
    assert_eq!(draft.tasks.len(), 100_000);
    let grown = resident().saturating_sub(before) >> 20;
    println!(
        "a draft of 100,000 tasks: {:?}, {grown} MiB",
        report.stats.wall
    );
    assert!(grown < 512, "{grown} MiB");
}

fn subject() -> Subject {
    Subject {
        goal: "the goal".to_owned(),
        inputs: json!({"to": "john"}),
        tasks: vec![FinishedTask {
            id: "a".to_owned(),
            output: json!({"n": 1}),
            artifacts: vec!["a.out".to_owned()],
        }],
        artifacts: Arc::new(Shelf(vec![("a.out", b"made".to_vec())])),
    }
}

async fn check(config: &str) -> Outcome<Vec<sandgate_model::Check>> {
    let call = Try::new(hostile_gate()).call();
    SANDBOX
        .check(&call, subject(), &json!(config))
        .await
        .outcome
}

#[tokio::test]
async fn a_gate_sees_what_was_made() {
    let checks = check("").await.split().unwrap();
    assert_eq!(checks[0].verdict, Verdict::Pass);
    assert_eq!(
        checks[0].message,
        "goal=the goal inputs={\"to\":\"john\"} tasks=a={\"n\":1} [\"a.out\"]"
    );
    for (config, verdict) in [
        ("fail:why", Verdict::Fail),
        ("inconclusive:why", Verdict::Inconclusive),
        ("needs-human:why", Verdict::NeedsHuman),
    ] {
        let checks = check(config).await.split().unwrap();
        assert_eq!(
            (checks[0].verdict, checks[0].message.as_str()),
            (verdict, "why")
        );
    }
    let read = check("read:a.out").await.split().unwrap();
    assert!(
        read[0].message.contains("109, 97, 100, 101"),
        "{}",
        read[0].message
    );
    let read = check("read:a.other").await.split().unwrap();
    assert!(read[0].message.contains("NotFound"));
    let write = check("write").await.split().unwrap();
    assert!(
        write[0].message.contains("NotAllowed"),
        "{}",
        write[0].message
    );
}

#[tokio::test]
async fn checks_are_bounded() {
    assert_eq!(check("empty").await.split().unwrap(), []);
    assert_eq!(check("many:10000").await.split().unwrap().len(), 10_000);
    for (config, words) in [
        ("many:10001", "10001 checks"),
        ("same-name", "two checks are named"),
        ("no-name", "has no name"),
        ("long-message:20000", "has 20000 bytes"),
    ] {
        let told = reasons(check(config).await);
        assert!(told.contains(words), "{config}: {told}");
    }
    assert!(matches!(check("failed:x").await, Outcome::Failed { .. }));
    assert!(matches!(check("panic").await, Outcome::Trap { .. }));
}

#[tokio::test]
async fn a_description_that_breaks_every_rule() {
    let error = SANDBOX.describe(&hostile_describer()).await.unwrap_err();
    let told = reasons(error.0);
    for words in [
        "bytes of text",
        "the name \"../../etc/passwd\"",
        "the version \"latest\\u{1b}[2J\"",
        "the summary has 100000 bytes",
        "100 needs",
        "the reason for the need Secrets",
        "the input schema is not accepted",
        "the output schema is not accepted: key \"type\" twice",
        "the config schema is not a JSON Schema",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let good = SANDBOX.describe(&hostile_agent()).await.unwrap();
    assert_eq!(
        (good.name.as_str(), good.config_schema.as_ref()),
        ("hostile", Some(&json!({})))
    );
}
