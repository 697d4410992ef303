use crate::play::Play;
use sandgate_engine::{Evaluated, Event, Outcome, Reason, RunState};
use sandgate_model::{AttemptNo, Payload, TaskIx};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use serde_json::json;

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

fn retry(tasks: &[u32]) -> Event {
    Event::RetryRequested {
        by: None,
        tasks: tasks.iter().copied().map(TaskIx).collect(),
    }
}

/// Two branches that failed, a join behind both, and one that succeeded.
fn two_failed() -> Play {
    let plan = PlanBuilder::new()
        .task(t("a").retry(2, 0))
        .task(t("b"))
        .task(t("good"))
        .task(t("after-a").needs(&[0]))
        .task(t("join").needs(&[1, 3]))
        .gate("g", 0)
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.fail("a");
    play.fail("b");
    play.ok("good");
    play.start();
    play.fail("a");
    play.is(RunState::Failed);
    play
}

#[test]
fn everything_that_failed_is_tried_again_and_nothing_that_succeeded() {
    let mut play = two_failed();
    play.must(retry(&[]));
    play.is(RunState::Running);
    assert_eq!((play.run.outcome(), play.run.ended()), (None, None));
    assert_eq!(play.start(), ["a", "b"]);
    assert_eq!(play.task("a").attempt, AttemptNo(3), "the numbers go on");
    assert_eq!(play.task("a").error, None);
    assert_eq!(
        play.words(&["after-a", "join", "good"]),
        ["pending dependency", "pending dependency", "succeeded"]
    );
    play.fail("a");
    assert_eq!(play.start(), ["a"], "a new budget of attempts");
    play.ok("a");
    play.ok("b");
    assert_eq!(play.start(), ["after-a"]);
    play.ok("after-a");
    assert_eq!(play.start(), ["join"]);
    play.ok("join");
    play.is(RunState::Verifying);
}

#[test]
fn a_named_task_leaves_the_others_and_what_hangs_on_them() {
    let mut play = two_failed();
    play.must(retry(&[0]));
    assert_eq!(
        play.words(&["b", "after-a"]),
        ["failed", "pending dependency"]
    );
    let because = "b".parse().unwrap();
    assert_eq!(
        play.run.blocked(TaskIx(4)).unwrap().reason,
        Reason::DependencyFailed { because }
    );
    play.start();
    play.ok("a");
    play.start();
    play.ok("after-a");
    assert_eq!(
        (play.run.state(), play.run.outcome()),
        (RunState::Failed, Some(Outcome::Partial))
    );
}

#[test]
fn what_cannot_be_retried_is_said() {
    let mut play = two_failed();
    assert!(
        play.refuses(retry(&[2]))
            .contains("task `good` is succeeded")
    );
    assert!(
        play.refuses(retry(&[4]))
            .contains("retry the task that is the cause")
    );
    assert!(play.refuses(retry(&[99])).contains("no task #99"));
    assert!(play.refuses(retry(&[0, 2])).contains("`good`"));

    let mut play = Play::of(PlanBuilder::new().task(t("a")).build());
    assert!(play.refuses(retry(&[])).contains("no task of it failed"));
    play.start();
    assert!(play.refuses(retry(&[0])).contains("is running"));
    play.ok("a");
    assert!(play.refuses(retry(&[])).contains("every task succeeded"));
}

#[test]
fn a_retry_brings_back_what_a_stop_or_a_cancel_took_down() {
    let plan = PlanBuilder::new()
        .stop_on_failure()
        .concurrency(2)
        .task(t("bad"))
        .task(t("slow"))
        .task(t("never"))
        .task(t("after").needs(&[0, 1]))
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.fail("bad");
    play.ok("slow");
    play.must(retry(&[0]));
    assert!(!play.run.stopping());
    assert_eq!(play.start(), ["bad", "slow"]);
    play.cancel();
    play.ok("bad");
    play.ok("slow");
    play.is(RunState::Cancelled);
    play.must(retry(&[]));
    assert_eq!(play.start(), ["bad", "slow"]);
    play.ok("bad");
    play.ok("slow");
    play.start();
    play.ok("never");
    play.ok("after");
    play.is(RunState::Verified);
}

#[test]
fn only_the_failed_instances_of_a_list_run_again() {
    let plan = PlanBuilder::new()
        .task(t("each").for_each())
        .task(t("next").needs(&[0]))
        .build();
    let mut play = Play::of(plan);
    let items = (0..3).map(|n| Payload::Inline(json!(n))).collect();
    play.must(Event::TaskEvaluated {
        task: TaskIx(0),
        evaluated: Evaluated::Each { items },
    });
    play.start();
    play.ok("each.0");
    play.fail("each.1");
    play.fail("each.2");
    play.is(RunState::Failed);

    let one = play.ix("each.2");
    play.must(Event::RetryRequested {
        tasks: vec![one],
        by: None,
    });
    assert_eq!(
        play.words(&["each", "each.1", "next"]),
        ["running", "failed", "pending dependency"]
    );
    assert_eq!(play.start(), ["each.2"]);
    play.ok("each.2");
    assert_eq!(
        play.words(&["each", "next"]),
        ["failed", "skipped dependency-failed"]
    );

    play.must(retry(&[0]));
    assert_eq!(play.start(), ["each.1"]);
    play.ok("each.1");
    assert_eq!(play.start(), ["next"]);
    play.ok("next");
    play.is(RunState::Verified);
}

#[test]
fn a_false_condition_stays_false() {
    let plan = PlanBuilder::new()
        .task(t("if").when())
        .task(t("bad"))
        .task(t("both").needs(&[0, 1]))
        .build();
    let mut play = Play::of(plan);
    play.must(Event::TaskEvaluated {
        task: TaskIx(0),
        evaluated: Evaluated::Skip,
    });
    play.start();
    play.fail("bad");
    play.must(retry(&[]));
    assert_eq!(play.words(&["if", "both"]), ["skipped condition-false"; 2]);
    play.start();
    play.ok("bad");
    play.is(RunState::Verified);
}
