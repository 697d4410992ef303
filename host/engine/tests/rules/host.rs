use crate::play::{BOTH, Play};
use sandgate_engine::{Command, Event, RunState, Timer, Wait};
use sandgate_model::{AttemptEnd, AttemptNo, TaskIx};
use sandgate_testkit::{PlanBuilder, TaskBuilder};

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

fn three() -> Play {
    let plan = PlanBuilder::new()
        .task(t("pure"))
        .task(t("writes").writes())
        .task(t("again").writes().repeatable())
        .task(t("next").needs(&[1]))
        .build();
    let mut play = Play::of(plan);
    play.start();
    play
}

#[test]
fn an_unknown_end_is_repeated_only_when_it_can_do_no_harm() {
    let expected = [
        "ready dispatch-limit",
        "lost response",
        "ready dispatch-limit",
        "pending dependency",
    ];
    let ids = ["pure", "writes", "again", "next"];
    let mut crashed = three();
    assert_eq!(crashed.must(Event::HostStarted), []);
    assert_eq!(crashed.words(&ids), expected);

    let mut stopped = three();
    for id in ["pure", "writes", "again"] {
        stopped.end(id, AttemptEnd::Interrupted);
    }
    assert_eq!(stopped.words(&ids), expected);

    assert_eq!(crashed.start(), ["pure", "again"]);
    assert_eq!(crashed.task("pure").attempt, AttemptNo(2));
    crashed.ok("pure");
    crashed.ok("again");
    crashed.is(RunState::Running);
    assert!(crashed.run.idle());
    assert_eq!(
        crashed.run.waits(),
        [Wait::Decision {
            task: "writes".parse().unwrap()
        }]
    );
    let blocked = crashed.run.blocked(TaskIx(3)).unwrap();
    assert_eq!(blocked.who, "operator");
    assert!(blocked.unblocks.contains("lost task `writes`"));

    crashed.must(Event::RetryRequested {
        by: None,
        tasks: vec![TaskIx(1)],
    });
    assert_eq!(crashed.start(), ["writes"]);
    crashed.ok("writes");
    assert_eq!(crashed.start(), ["next"]);
    crashed.ok("next");
    crashed.is(RunState::Verified);
}

#[test]
fn an_interruption_is_not_a_failure_that_counts() {
    let mut play = Play::of(PlanBuilder::new().task(t("a")).build());
    for number in 1..=5 {
        play.start();
        assert_eq!(play.task("a").attempt, AttemptNo(number));
        play.must(Event::HostStarted);
    }
    play.start();
    play.ok("a");
    play.is(RunState::Verified);
}

#[test]
fn a_new_host_gets_all_that_is_under_way() {
    let plan = PlanBuilder::new()
        .timeout(1000)
        .task(t("a").retry(2, 50))
        .task(t("ci").wait("ci", Some(70)))
        .task(t("if").when())
        .build();
    let (mut play, first) = Play::with(BOTH, plan);
    play.start();
    let retry = play.fail("a");
    let mut expected: Vec<Command> = first.into_iter().chain(retry).collect();
    let mut again = play.must(Event::HostStarted);
    assert_eq!(again.len(), 5);
    let order = |command: &Command| format!("{command:?}");
    expected.sort_by_key(order);
    again.sort_by_key(order);
    assert_eq!(again, expected, "with the moments of before");

    let mut play = Play::draft(BOTH, &["rules"]);
    assert_eq!(play.must(Event::HostStarted), []);
    let ask = play.must(Event::PlanningStarted);
    assert_eq!(play.must(Event::HostStarted), ask);
}

#[test]
fn a_crash_while_stopping_ends_the_run() {
    let mut play = three();
    play.cancel();
    assert_eq!(play.must(Event::HostStarted), [Command::Finish]);
    assert_eq!(
        play.words(&["pure", "writes", "again", "next"]),
        [
            "cancelled run-cancelled",
            "lost response",
            "cancelled run-cancelled",
            "cancelled run-cancelled"
        ],
        "what may have had an effect is still said to be unknown"
    );
    play.is(RunState::Cancelled);
    assert!(play.refuses(Event::HostStarted).contains("ended"));
}

#[test]
fn a_lost_task_does_not_end_the_run_and_a_timer_may() {
    let plan = PlanBuilder::new()
        .timeout(10)
        .task(t("writes").writes())
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.must(Event::HostStarted);
    play.is(RunState::Running);
    assert_eq!(
        play.must(Event::TimerFired { timer: Timer::Run }),
        [Command::Finish]
    );
    play.is(RunState::Failed);
}
