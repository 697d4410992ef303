use crate::play::{BOTH, Play, attempt, failure, frozen, output};
use sandgate_engine::{Command, Event, Outcome, RunState, Wait};
use sandgate_model::{AttemptEnd, AttemptNo, FailureClass, TaskIx};
use sandgate_testkit::{PlanBuilder, TaskBuilder};

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

#[test]
fn a_cancel_wins_against_every_end() {
    let ends = [
        output(&[]),
        failure(FailureClass::Trap),
        AttemptEnd::Cancelled,
        AttemptEnd::Interrupted,
    ];
    for end in ends {
        let plan = PlanBuilder::new()
            .task(t("a").retry(3, 0))
            .task(t("b").needs(&[0]))
            .build();
        let mut play = Play::of(plan);
        play.start();
        let cancel = Command::CancelAttempt {
            task: TaskIx(0),
            attempt: AttemptNo(1),
        };
        assert_eq!(play.cancel(), [cancel]);
        play.is(RunState::Running);
        assert!(play.run.stopping());
        assert!(
            play.refuses(Event::CancelRequested {
                by: None,
                reason: String::new()
            })
            .contains("already")
        );
        assert!(
            play.refuses(Event::Paused { by: None })
                .contains("stopping")
        );
        assert_eq!(play.end("a", end.clone()), [Command::Finish]);
        assert_eq!(
            play.words(&["a", "b"]),
            ["cancelled run-cancelled"; 2],
            "{end:?}"
        );
        assert_eq!(
            (play.run.state(), play.run.outcome()),
            (RunState::Cancelled, Some(Outcome::Cancelled))
        );
    }
}

#[test]
fn a_start_after_a_cancel_is_refused() {
    let mut play = Play::of(
        PlanBuilder::new()
            .concurrency(1)
            .task(t("a"))
            .task(t("b"))
            .build(),
    );
    play.start();
    play.cancel();
    assert!(play.refuses(attempt(TaskIx(1), 1)).contains("stopping"));
    play.ok("a");
    assert!(
        play.refuses(attempt(TaskIx(1), 1))
            .contains("only while the run is running")
    );
}

#[test]
fn a_cancel_before_there_is_a_plan() {
    let mut play = Play::draft(BOTH, &[]);
    assert_eq!(play.cancel(), [Command::Finish]);
    play.is(RunState::Cancelled);

    let mut play = Play::draft(BOTH, &["rules"]);
    play.must(Event::PlanningStarted);
    assert_eq!(play.cancel(), [Command::AbandonPlan, Command::Finish]);
    let late = frozen(PlanBuilder::new().build());
    assert!(play.refuses(late).contains("too late"));
    assert!(
        play.refuses(Event::RetryRequested {
            tasks: vec![],
            by: None
        })
        .contains("no plan")
    );
}

#[test]
fn a_cancel_overrides_a_stop() {
    let plan = PlanBuilder::new()
        .stop_on_failure()
        .task(t("a"))
        .task(t("b"))
        .build();
    let mut play = Play::of(plan);
    play.start();
    assert_eq!(play.fail("a").len(), 1);
    assert_eq!(play.cancel(), [], "it was told already");
    play.end("b", AttemptEnd::Cancelled);
    play.is(RunState::Cancelled);
}

#[test]
fn nothing_starts_while_paused_and_what_runs_goes_on() {
    let plan = PlanBuilder::new()
        .concurrency(1)
        .task(t("a"))
        .task(t("b"))
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.must(Event::Paused { by: None });
    assert!(play.refuses(Event::Paused { by: None }).contains("already"));
    assert_eq!(play.run.waits(), [Wait::Resume]);
    assert!(!play.run.idle());
    play.ok("a");
    assert!(play.run.idle());
    assert_eq!(play.word("b"), "ready run-paused");
    assert_eq!(play.start(), [""; 0]);
    assert!(play.refuses(attempt(TaskIx(1), 1)).contains("paused"));
    play.must(Event::Resumed { by: None });
    assert!(
        play.refuses(Event::Resumed { by: None })
            .contains("not paused")
    );
    assert_eq!(play.start(), ["b"]);
}
