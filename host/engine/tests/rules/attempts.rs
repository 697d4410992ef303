use crate::play::{Play, attempt, failure, output};
use sandgate_engine::{Command, Event, Outcome, Reason, RunState, TaskState, Timer, Wait};
use sandgate_model::{AskNo, AttemptEnd, AttemptNo, FailureClass, Millis, Moment, TaskIx};
use sandgate_testkit::{PlanBuilder, TaskBuilder};

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

#[test]
fn a_diamond_runs_in_parallel_and_in_order() {
    let plan = PlanBuilder::new()
        .task(t("top"))
        .task(t("left").needs(&[0]))
        .task(t("right").needs(&[0]))
        .task(t("join").needs(&[1, 2]))
        .build();
    let mut play = Play::of(plan);
    assert_eq!(play.start(), ["top"]);
    assert_eq!(
        play.words(&["left", "join"]),
        ["pending dependency", "pending dependency"]
    );
    play.ok("top");
    assert_eq!(play.start(), ["left", "right"]);
    play.ok("right");
    assert_eq!(play.start(), [""; 0]);
    let blocked = play.run.blocked(play.ix("join")).unwrap();
    let left = "left".parse().unwrap();
    assert_eq!(
        blocked.reason,
        Reason::Dependency {
            waiting_for: vec![left],
            count: 1
        }
    );
    play.ok("left");
    assert_eq!(play.start(), ["join"]);
    assert_eq!(play.ok("join"), [Command::Finish]);
    play.is(RunState::Verified);
    assert_eq!(play.run.outcome(), Some(Outcome::Verified));
}

#[test]
fn priority_goes_before_plan_order_and_slots_are_kept() {
    let plan = PlanBuilder::new()
        .concurrency(2)
        .task(t("low").priority(-1))
        .task(t("a"))
        .task(t("b"))
        .task(t("high").priority(9))
        .build();
    let mut play = Play::of(plan);
    assert_eq!(play.start(), ["high", "a"]);
    assert_eq!(play.word("b"), "ready dispatch-limit");
    assert!(
        play.refuses(attempt(TaskIx(2), 1))
            .contains("every slot is taken")
    );
    play.ok("a");
    assert_eq!(play.start(), ["b"]);
    play.ok("high");
    assert_eq!(play.start(), ["low"]);
}

#[test]
fn a_session_holds_one_task_at_a_time() {
    let plan = PlanBuilder::new()
        .task(t("a").session("s"))
        .task(t("b").session("s"))
        .task(t("c").session("other"))
        .task(t("d").session("s").priority(1))
        .build();
    let mut play = Play::of(plan);
    assert_eq!(play.start(), ["d", "c"]);
    assert_eq!(play.word("a"), "ready session-busy");
    assert!(
        play.refuses(attempt(TaskIx(0), 1))
            .contains("runs in the session")
    );
    play.fail("d");
    assert_eq!(play.start(), ["a"]);
    play.ok("a");
    assert_eq!(play.start(), ["b"]);
}

#[test]
fn only_the_running_attempt_can_end_and_only_once() {
    let mut play = Play::of(
        PlanBuilder::new()
            .task(t("a").retry(2, 0))
            .task(t("b"))
            .build(),
    );
    assert!(
        play.refuses(attempt(TaskIx(0), 2))
            .contains("the next attempt of task `a` is 1")
    );
    assert!(play.refuses(attempt(TaskIx(9), 1)).contains("no task #9"));
    play.start();
    let first = play.ended("a", failure(FailureClass::Trap));
    assert!(
        play.refuses(attempt(TaskIx(0), 2))
            .contains("is running, not ready")
    );
    play.must(first.clone());
    assert!(
        play.refuses(first.clone())
            .contains("no attempt of it runs")
    );
    assert_eq!(play.start(), ["a"]);
    assert!(
        play.refuses(first)
            .contains("attempt 2 of task `a` runs, not attempt 1")
    );
    assert_eq!(play.task("a").attempt, AttemptNo(2));
    play.ok("a");
    assert_eq!(play.word("a"), "succeeded");
    assert!(play.refuses(attempt(TaskIx(0), 3)).contains("is succeeded"));
}

#[test]
fn a_failure_waits_longer_each_time_until_the_attempts_are_used_up() {
    let mut play = Play::of(PlanBuilder::new().task(t("a").retry(3, 1000)).build());
    let mut waits = Vec::new();
    for number in 1..=2 {
        play.start();
        let commands = play.fail("a");
        let [Command::ArmTimer { timer, at }] = commands[..] else {
            panic!("{commands:?}");
        };
        assert_eq!(timer, Timer::Retry(TaskIx(0)));
        waits.push(at.since(Moment(play.now)).0);
        assert_eq!(play.word("a"), "pending retry-backoff");
        let task = "a".parse().unwrap();
        assert_eq!(play.run.waits(), [Wait::Retry { task, until: at }]);
        assert!(play.run.idle());
        assert_eq!(
            play.task("a").error,
            Some((&FailureClass::Plugin, "it broke"))
        );
        play.must(Event::TimerFired { timer });
        assert!(
            play.refuses(Event::TimerFired { timer })
                .contains("no such timer")
        );
        assert_eq!(play.word("a"), "ready dispatch-limit", "attempt {number}");
    }
    assert!(
        (500..=1000).contains(&waits[0]) && (1000..=2000).contains(&waits[1]),
        "{waits:?}"
    );
    play.start();
    assert_eq!(play.fail("a"), [Command::Finish]);
    assert_eq!(play.word("a"), "failed");
    assert_eq!(play.task("a").attempt, AttemptNo(3));
    assert_eq!(play.run.outcome(), Some(Outcome::Failed));
}

#[test]
fn what_cannot_change_is_not_tried_again() {
    let permanent = AttemptEnd::Failed {
        class: FailureClass::Plugin,
        message: "never".to_owned(),
        permanent: true,
    };
    for end in [
        permanent,
        failure(FailureClass::Refused),
        failure(FailureClass::Input),
    ] {
        let mut play = Play::of(PlanBuilder::new().task(t("a").retry(5, 10)).build());
        play.start();
        play.end("a", end);
        assert_eq!(play.word("a"), "failed");
        play.is(RunState::Failed);
    }
}

#[test]
fn a_missing_product_is_a_bad_answer() {
    let mut play = Play::of(
        PlanBuilder::new()
            .task(t("a").produces("x").produces("y").retry(2, 0))
            .build(),
    );
    play.start();
    play.end("a", output(&["x"]));
    assert_eq!(play.task("a").error.unwrap().0, &FailureClass::BadAnswer);
    assert!(play.task("a").error.unwrap().1.contains("`y`"));
    play.start();
    play.end("a", output(&["y", "x", "more"]));
    play.is(RunState::Verified);
    assert_eq!(play.run.output(TaskIx(0)).unwrap().artifacts.len(), 3);
}

#[test]
fn an_artifact_that_was_not_made_blocks_its_consumers() {
    let plan = PlanBuilder::new()
        .task(t("a"))
        .task(t("b").consumes(0, "x"))
        .task(t("c").needs(&[1]))
        .build();
    let mut play = Play::of(plan);
    play.start();
    assert_eq!(play.ok("a"), [Command::Finish]);
    assert_eq!(
        play.words(&["b", "c"]),
        ["skipped artifact-missing", "skipped dependency-failed"]
    );
    let reason = play.run.blocked(TaskIx(1)).unwrap().reason;
    assert_eq!(
        reason,
        Reason::ArtifactMissing {
            artifact: "a.x".to_owned()
        }
    );
    assert_eq!(play.run.outcome(), Some(Outcome::Partial));
}

#[test]
fn independent_branches_go_on_and_the_cause_is_named() {
    let plan = PlanBuilder::new()
        .task(t("bad"))
        .task(t("good"))
        .task(t("after-bad").needs(&[0]))
        .task(t("join").needs(&[1, 2]))
        .task(t("after-good").needs(&[1]))
        .gate("g", 0)
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.fail("bad");
    assert_eq!(
        play.words(&["after-bad", "join"]),
        ["skipped dependency-failed"; 2]
    );
    let because = "bad".parse().unwrap();
    assert_eq!(
        play.run.blocked(TaskIx(3)).unwrap().reason,
        Reason::DependencyFailed { because }
    );
    play.ok("good");
    assert_eq!(play.start(), ["after-good"]);
    assert_eq!(play.ok("after-good"), [Command::Finish]);
    assert_eq!(
        (play.run.state(), play.run.outcome()),
        (RunState::Failed, Some(Outcome::Partial))
    );
    assert_eq!(play.run.summary().gates[0].state.as_str(), "not-run");
}

#[test]
fn stop_takes_the_rest_down() {
    let plan = PlanBuilder::new()
        .stop_on_failure()
        .concurrency(2)
        .task(t("bad"))
        .task(t("slow"))
        .task(t("never"))
        .task(t("after").needs(&[0]))
        .build();
    let mut play = Play::of(plan);
    play.start();
    let cancel = Command::CancelAttempt {
        task: TaskIx(1),
        attempt: AttemptNo(1),
    };
    assert_eq!(play.fail("bad"), [cancel]);
    assert!(play.run.stopping());
    play.is(RunState::Running);
    assert_eq!(play.run.next_start(), None);
    assert_eq!(
        play.words(&["never", "after"]),
        ["cancelled run-cancelled"; 2]
    );
    assert_eq!(play.ok("slow"), [Command::Finish]);
    assert_eq!(play.word("slow"), "cancelled run-cancelled");
    assert_eq!(play.run.outcome(), Some(Outcome::Failed));
    assert!(!play.run.stopping());
}

#[test]
fn the_run_has_its_own_time() {
    let mut play = Play::of(
        PlanBuilder::new()
            .timeout(100)
            .task(t("a"))
            .task(t("b").needs(&[0]))
            .build(),
    );
    play.start();
    let timer = Timer::Run;
    assert_eq!(play.must(Event::TimerFired { timer }).len(), 1);
    assert_eq!(play.word("b"), "cancelled run-cancelled");
    assert!(
        play.refuses(Event::TimerFired { timer })
            .contains("no such timer")
    );
    play.end("a", AttemptEnd::Cancelled);
    play.is(RunState::Failed);
}

#[test]
fn a_wait_fails_when_its_time_is_over() {
    let mut play = Play::of(
        PlanBuilder::new()
            .task(t("a"))
            .task(t("ci").needs(&[0]).wait("ci", Some(500)))
            .build(),
    );
    play.start();
    let commands = play.ok("a");
    let until = Moment(play.now).after(Millis(500));
    let timer = Timer::Wait(TaskIx(1));
    let task = TaskIx(1);
    assert_eq!(
        commands,
        [
            Command::ArmTimer { timer, at: until },
            Command::StartWait { task }
        ]
    );
    assert_eq!(play.word("ci"), "pending signal");
    let task = "ci".parse().unwrap();
    let signal = "ci".to_owned();
    assert_eq!(
        play.run.waits(),
        [Wait::Signal {
            task,
            signal,
            until: Some(until)
        }]
    );
    assert!(play.refuses(attempt(TaskIx(1), 1)).contains("is pending"));
    play.must(Event::TimerFired { timer });
    assert_eq!(play.task("ci").error.unwrap().0, &FailureClass::Timeout);
    assert_eq!(play.run.outcome(), Some(Outcome::Partial));
}

#[test]
fn approvals_hold_a_task_before_and_after() {
    let plan = PlanBuilder::new()
        .task(t("before").approval_before())
        .task(t("after").approval_after())
        .task(t("next").needs(&[1]))
        .build();
    let (mut play, commands) = Play::with(crate::play::BOTH, plan);
    assert_eq!(play.start(), ["after"]);
    play.put(&commands);
    let commands = play.ok("after");
    play.put(&commands);
    assert_eq!(
        play.words(&["before", "after", "next"]),
        ["pending approval", "pending approval", "pending dependency"]
    );
    assert!(
        play.run.output(play.ix("after")).is_some(),
        "there is something to look at"
    );
    let wait = |id: &str, ask| Wait::Approval {
        task: id.parse().unwrap(),
        ask: Some(AskNo(ask)),
    };
    assert_eq!(play.run.waits(), [wait("before", 1), wait("after", 2)]);
    assert!(play.run.idle());
    assert_eq!(play.cancel(), [Command::Finish]);
    assert_eq!(
        play.run.output(play.ix("after")),
        None,
        "the result is not used"
    );
}

#[test]
fn a_cancel_that_nobody_asked_for_is_a_failure() {
    let mut play = Play::of(PlanBuilder::new().task(t("a")).build());
    play.start();
    play.end("a", AttemptEnd::Cancelled);
    assert_eq!(play.state("a"), TaskState::Failed);
    assert_eq!(play.task("a").error.unwrap().0, &FailureClass::Host);
}
