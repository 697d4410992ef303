use crate::play::{Play, failure, output};
use sandgate_engine::{Command, Evaluated, Event, INSTANCES_MAX, Outcome, Reason, RunState};
use sandgate_model::{AttemptEnd, Digest, FailureClass, Payload, TaskIx, TaskOutput};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use serde_json::json;

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

fn evaluated(task: u32, evaluated: Evaluated) -> Event {
    Event::TaskEvaluated {
        task: TaskIx(task),
        evaluated,
    }
}

fn each(task: u32, n: usize) -> Event {
    let items = (0..n).map(|n| Payload::Inline(json!(n))).collect();
    evaluated(task, Evaluated::Each { items })
}

#[test]
fn a_false_condition_skips_all_that_follows_and_is_no_failure() {
    let plan = PlanBuilder::new()
        .task(t("a"))
        .task(t("maybe").needs(&[0]).when())
        .task(t("then").needs(&[1]))
        .task(t("last").needs(&[2]))
        .build();
    let mut play = Play::of(plan);
    play.start();
    assert_eq!(play.ok("a"), [Command::Evaluate { task: TaskIx(1) }]);
    assert_eq!(play.word("maybe"), "ready dispatch-limit");
    assert_eq!(
        play.run.next_start(),
        None,
        "it is not ready to start, only to be evaluated"
    );
    assert!(!play.run.idle());
    assert!(play.refuses(each(1, 2)).contains("has no `for_each`"));
    assert_eq!(play.must(evaluated(1, Evaluated::Skip)), [Command::Finish]);
    assert_eq!(
        play.words(&["maybe", "then", "last"]),
        ["skipped condition-false"; 3]
    );
    let because = "maybe".parse().unwrap();
    assert_eq!(
        play.run.blocked(TaskIx(3)).unwrap().reason,
        Reason::ConditionFalse { because }
    );
    play.is(RunState::Verified);
}

#[test]
fn a_true_condition_lets_it_run_and_a_broken_one_fails_it_for_good() {
    let plan = PlanBuilder::new()
        .task(t("a").when().retry(3, 0))
        .task(t("b").when().retry(3, 0))
        .build();
    let (mut play, commands) = Play::with(crate::play::BOTH, plan);
    assert_eq!(
        commands,
        [
            Command::Evaluate { task: TaskIx(0) },
            Command::Evaluate { task: TaskIx(1) }
        ]
    );
    play.must(evaluated(0, Evaluated::Once));
    assert!(
        play.refuses(evaluated(0, Evaluated::Once))
            .contains("nothing of it is being evaluated")
    );
    let message = "no such field".to_owned();
    play.must(evaluated(1, Evaluated::Failed { message }));
    assert_eq!(
        play.task("b").error,
        Some((&FailureClass::Input, "no such field"))
    );
    assert_eq!(play.start(), ["a"]);
}

#[test]
fn a_list_runs_once_for_each_item() {
    let plan = PlanBuilder::new()
        .concurrency(2)
        .task(t("each").for_each().produces("x"))
        .task(t("join").consumes(0, "x"))
        .build();
    let mut play = Play::of(plan);
    assert!(
        play.refuses(evaluated(0, Evaluated::Once))
            .contains("once for each item")
    );
    assert!(
        play.refuses(evaluated(0, Evaluated::Skip))
            .contains("has no `when`")
    );
    play.must(each(0, 3));
    assert_eq!(play.word("each"), "running");
    assert_eq!(play.task("each").instances, 3);
    assert_eq!(
        play.run.instances(TaskIx(0)).collect::<Vec<_>>(),
        [TaskIx(2), TaskIx(3), TaskIx(4)]
    );
    assert_eq!(play.start(), ["each.0", "each.1"]);
    let view = play.task("each.1");
    assert_eq!(
        (view.parent, view.item),
        (Some(TaskIx(0)), Some((1, &Payload::Inline(json!(1)))))
    );
    play.end("each.1", output(&["x"]));
    assert_eq!(play.start(), ["each.2"]);
    let stored = Payload::Stored {
        digest: Digest::of(b"large"),
        size: 9,
    };
    let AttemptEnd::Output(small) = output(&["x"]) else {
        panic!()
    };
    play.end(
        "each.0",
        AttemptEnd::Output(TaskOutput {
            output: stored,
            ..small
        }),
    );
    play.end("each.2", output(&["x"]));
    let digest = Digest::of(b"large").to_string();
    let list =
        json!([{ "$payload": { "stored": { "digest": digest, "size": 9 } } }, "done", "done"]);
    assert_eq!(
        play.run.output(TaskIx(0)).unwrap().output,
        Payload::Inline(list)
    );
    assert!(play.run.output(TaskIx(0)).unwrap().artifacts.is_empty());
    assert_eq!(play.start(), ["join"], "every instance made the artifact");
    play.ok("join");
    play.is(RunState::Verified);
}

#[test]
fn an_empty_list_succeeds_with_an_empty_list() {
    let mut play = Play::of(PlanBuilder::new().task(t("each").for_each()).build());
    assert_eq!(play.must(each(0, 0)), [Command::Finish]);
    assert_eq!(
        play.run.output(TaskIx(0)).unwrap().output,
        Payload::Inline(json!([]))
    );
    play.is(RunState::Verified);
}

#[test]
fn a_list_that_is_too_long_fails_the_task() {
    let mut play = Play::of(
        PlanBuilder::new()
            .task(t("each").for_each().retry(9, 0))
            .build(),
    );
    play.must(each(0, INSTANCES_MAX + 1));
    assert_eq!(play.task("each").error.unwrap().0, &FailureClass::Limit);
    let mut play = Play::of(PlanBuilder::new().task(t("each").for_each()).build());
    play.must(each(0, INSTANCES_MAX));
    assert_eq!(play.run.tasks().count(), INSTANCES_MAX + 1);
}

#[test]
fn one_failed_instance_fails_the_task_when_the_others_have_ended() {
    let plan = PlanBuilder::new()
        .task(t("each").for_each())
        .task(t("next").needs(&[0]))
        .build();
    let mut play = Play::of(plan);
    play.must(each(0, 3));
    play.start();
    play.fail("each.1");
    assert_eq!(
        play.words(&["each", "next"]),
        ["running", "pending dependency"]
    );
    play.ok("each.0");
    play.end("each.2", failure(FailureClass::Trap));
    assert_eq!(
        play.words(&["each", "next"]),
        ["failed", "skipped dependency-failed"]
    );
    let (class, message) = play.task("each").error.unwrap();
    assert_eq!(class, &FailureClass::Plugin);
    assert_eq!(message, "2 of 3 instances failed, first `each.1`: it broke");
    let because = "each.1".parse().unwrap();
    assert_eq!(
        play.run.blocked(TaskIx(1)).unwrap().reason,
        Reason::DependencyFailed { because }
    );
    assert_eq!(play.run.outcome(), Some(Outcome::Partial));
    let roots: Vec<String> = play
        .run
        .summary()
        .errors
        .iter()
        .map(|e| format!("{} {}", e.task, e.root))
        .collect();
    assert_eq!(roots, ["each each.1", "each.1 each.1", "each.2 each.2"]);
}

#[test]
fn a_stop_ends_a_list_too() {
    let mut play = Play::of(
        PlanBuilder::new()
            .stop_on_failure()
            .concurrency(2)
            .task(t("each").for_each())
            .build(),
    );
    play.must(each(0, 3));
    play.start();
    play.fail("each.0");
    assert_eq!(
        play.words(&["each", "each.1", "each.2"]),
        ["running", "running", "cancelled run-cancelled"]
    );
    assert_eq!(play.end("each.1", AttemptEnd::Cancelled), [Command::Finish]);
    assert_eq!(
        play.words(&["each", "each.1"]),
        ["failed", "cancelled run-cancelled"]
    );
}

#[test]
fn an_instance_is_found_by_its_name_and_no_other() {
    let mut play = Play::of(
        PlanBuilder::new()
            .task(t("each").for_each())
            .task(t("b"))
            .build(),
    );
    play.must(each(0, 2));
    assert_eq!(play.ix("each.1"), TaskIx(3));
    for wrong in ["each.2", "b.0", "c", "c.0"] {
        assert_eq!(play.run.find(&wrong.parse().unwrap()), None, "{wrong}");
    }
}
