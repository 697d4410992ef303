use crate::play::{Play, checks, output};
use sandgate_engine::{Event, ExecutionSummary, GateEnd, RestoreError, Run};
use sandgate_model::{AttemptEnd, Charge, TaskOutput, Verdict};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use serde_json::{Value, json};

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

fn partial() -> Play {
    let plan = PlanBuilder::new()
        .task(t("good").produces("x"))
        .task(t("bad"))
        .task(t("after").needs(&[0, 1]))
        .gate("g", 0)
        .build();
    let mut play = Play::of(plan);
    play.start();
    let AttemptEnd::Output(small) = output(&["x"]) else {
        panic!()
    };
    let charges = vec![
        Charge {
            what: "tokens".to_owned(),
            micros: 30,
        },
        Charge {
            what: "tokens".to_owned(),
            micros: 5,
        },
        Charge {
            what: "purchase".to_owned(),
            micros: 7,
        },
    ];
    play.end("good", AttemptEnd::Output(TaskOutput { charges, ..small }));
    play.fail("bad");
    play
}

#[test]
fn a_partial_result_is_visible_as_such() {
    let play = partial();
    let summary: Value = serde_json::to_value(play.run.summary()).unwrap();
    assert_eq!(summary["$type"], "sandgate.execution-summary/1");
    assert_eq!(summary["state"], "failed");
    assert_eq!(summary["outcome"], "partial");
    assert_eq!(summary["partial"], true);
    assert_eq!(
        summary["counts"],
        json!({ "failed": 1, "skipped": 1, "succeeded": 1 })
    );
    assert_eq!(summary["cost_micros"], 42);
    assert_eq!(summary["charges"], json!({ "purchase": 7, "tokens": 35 }));
    assert_eq!(
        summary["errors"],
        json!([{ "task": "bad", "class": "plugin", "message": "it broke", "root": "bad" }])
    );
    assert_eq!(
        summary["blocked"],
        json!([{ "code": "dependency-failed", "count": 1, "tasks": ["after"] }])
    );
    assert_eq!(summary["artifacts"][0]["task"], "good");
    assert_eq!(summary["artifacts"][0]["name"], "x");
    assert_eq!(summary["tasks"][0]["output"], json!({ "inline": "done" }));
    assert_eq!(summary["tasks"][0]["took_ms"], 5);
    assert_eq!(summary["tasks"][2]["needs"], json!(["good", "bad"]));
    assert_eq!(
        summary["tasks"][2]["blocked"]["reason"],
        json!({ "code": "dependency-failed", "because": "bad" })
    );
    assert_eq!(
        summary["gates"],
        json!([{ "id": "g", "state": "not-run", "verdict": null, "took_ms": null }])
    );
}

#[test]
fn checks_have_verdict_and_duration_and_silence_is_a_line_too() {
    let plan = PlanBuilder::new()
        .task(t("a"))
        .gate("one", 0)
        .gate("two", 0)
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.ok("a");
    play.start();
    play.gate(0, checks(&[Verdict::Pass]));
    play.gate(
        1,
        GateEnd::Inconclusive {
            message: "trap".to_owned(),
        },
    );
    let checks: Value = serde_json::to_value(play.run.summary().checks).unwrap();
    assert_eq!(
        checks,
        json!([
            { "gate": "one", "name": "check", "verdict": "pass", "message": "", "duration_ms": null },
            { "gate": "two", "name": "two", "verdict": "inconclusive", "message": "trap", "duration_ms": 7 },
        ])
    );
}

#[test]
fn the_next_dispatch_is_named_in_order_and_cut() {
    let mut plan = PlanBuilder::new().concurrency(1);
    for n in 0..60 {
        plan = plan.task(t(&format!("t{n}")).priority(n % 2));
    }
    let mut play = Play::of(plan.build());
    play.start();
    let summary = play.run.summary();
    let names: Vec<&str> = summary
        .next_dispatch
        .iter()
        .map(|next| next.task.as_str())
        .collect();
    assert_eq!(names.len(), 50);
    assert_eq!(names[..3], ["t3", "t5", "t7"]);
    assert_eq!(names[29..31], ["t0", "t2"]);
    assert_eq!(summary.blocked[0].count, 59);
    assert_eq!(summary.blocked[0].tasks.len(), 10);
}

#[test]
fn a_summary_can_be_read_back() {
    let summary = partial().run.summary();
    let text = serde_json::to_string(&summary).unwrap();
    let read: ExecutionSummary = serde_json::from_str(&text).unwrap();
    assert_eq!(read, summary);
}

#[test]
fn the_words_of_the_code_are_those_of_the_documents() {
    let mut play = partial();
    play.must(Event::RetryRequested {
        tasks: vec![],
        by: None,
    });
    let word = |value: Value| value.as_str().unwrap().to_owned();
    for task in play.run.tasks() {
        assert_eq!(
            word(serde_json::to_value(task.state).unwrap()),
            task.state.as_str()
        );
        if let Some(blocked) = play.run.blocked(task.ix) {
            let reason = serde_json::to_value(&blocked.reason).unwrap();
            assert_eq!(reason["code"], blocked.reason.code());
        }
    }
    assert_eq!(
        word(serde_json::to_value(play.run.state()).unwrap()),
        play.run.state().as_str()
    );
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let run = partial().run;
    let whole = serde_json::to_value(run.snapshot()).unwrap();
    let restore = |value: Value| Run::restore(serde_json::from_value(value).unwrap());
    assert_eq!(restore(whole.clone()), Ok(run));

    let mut other = whole.clone();
    other["format"] = json!(2);
    assert_eq!(restore(other), Err(RestoreError::Format(2)));
    let mut short = whole.clone();
    short["tasks"].as_array_mut().unwrap().pop();
    assert!(matches!(restore(short), Err(RestoreError::Damaged(_))));
    let mut gates = whole.clone();
    gates["gates"] = json!([]);
    assert!(matches!(restore(gates), Err(RestoreError::Damaged(_))));
    let mut cycle = whole;
    cycle["plan"]["tasks"][0]["needs"] = json!([2]);
    assert!(matches!(restore(cycle), Err(RestoreError::Plan(_))));
}
