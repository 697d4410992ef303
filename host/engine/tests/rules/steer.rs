//! One task is held back, given back, or stopped for good, and the rest of the run goes on.

use crate::people::{asked, who};
use crate::play::{Play, attempt, failure, frozen, output};
use crate::signals::{delivered, map, signal, started};
use crate::suspend;
use sandgate_engine::{
    Command, Evaluated, Event, Outcome, RunState, Start, Steps, TaskState, Timer, Wait,
};
use sandgate_model::{About, AttemptEnd, AttemptNo, FailureClass, Payload, Plan, TaskIx};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use serde_json::json;
use std::sync::Arc;

impl Play {
    pub(crate) fn pause(&mut self, id: &str) -> Vec<Command> {
        let task = self.ix(id);
        self.must(paused(task))
    }

    pub(crate) fn resume(&mut self, id: &str) -> Vec<Command> {
        let task = self.ix(id);
        self.must(resumed(task))
    }

    pub(crate) fn call_off(&mut self, id: &str) -> Vec<Command> {
        let task = self.ix(id);
        self.must(called_off(task))
    }

    fn each(&mut self, id: &str, items: u32) -> Vec<Command> {
        let task = self.ix(id);
        self.must(Event::TaskEvaluated {
            task,
            evaluated: Evaluated::Each {
                items: (0..items).map(|n| Payload::Inline(json!(n))).collect(),
            },
        })
    }

    fn retry(&mut self, ids: &[&str]) -> Vec<Command> {
        let tasks = ids.iter().map(|id| self.ix(id)).collect();
        self.must(Event::RetryRequested { tasks, by: None })
    }
}

pub(crate) fn paused(task: TaskIx) -> Event {
    Event::TaskPaused {
        task,
        by: who("ann", &[]),
    }
}

pub(crate) fn resumed(task: TaskIx) -> Event {
    Event::TaskResumed {
        task,
        by: who("ann", &[]),
    }
}

pub(crate) fn called_off(task: TaskIx) -> Event {
    Event::TaskCancelRequested {
        task,
        by: who("ann", &[]),
        reason: "not needed".to_owned(),
    }
}

fn three() -> Arc<Plan> {
    PlanBuilder::new()
        .task(TaskBuilder::new("a"))
        .task(TaskBuilder::new("b"))
        .task(TaskBuilder::new("after").needs(&[0]))
        .build()
}

#[test]
fn a_paused_task_is_not_offered_and_comes_back_in_its_place() {
    let mut play = Play::of(three());
    play.pause("a");
    assert_eq!(play.start(), ["b"]);
    let blocked = play.run.blocked(play.ix("a")).unwrap();
    assert_eq!(blocked.reason.code(), "run-paused");
    assert_eq!(blocked.unblocks, "`resume` of task `a`");
    assert!(play.refuses(attempt(play.ix("a"), 1)).contains("is paused"));
    assert!(play.refuses(paused(play.ix("a"))).contains("already"));
    play.ok("b");
    assert!(play.run.idle());
    let task = "a".parse().unwrap();
    assert_eq!(play.run.waits(), [Wait::ResumeTask { task }]);
    play.resume("a");
    assert!(
        play.refuses(resumed(play.ix("a")))
            .contains("is not paused")
    );
    assert_eq!(play.start(), ["a"]);
    play.ok("a");
    assert_eq!(play.start(), ["after"]);
}

#[test]
fn a_pause_waits_for_the_task_to_become_ready_and_what_runs_goes_on() {
    let mut play = Play::of(three());
    play.pause("after");
    assert_eq!(play.start(), ["a", "b"]);
    play.pause("b");
    assert_eq!(play.state("b"), TaskState::Running);
    play.ok("a");
    assert_eq!(play.word("after"), "ready run-paused");
    assert_eq!(play.start(), Vec::<String>::new());
    play.ok("b");
    assert_eq!(play.state("b"), TaskState::Succeeded, "what runs goes on");
    play.resume("after");
    assert_eq!(play.start(), ["after"]);
}

#[test]
fn retries_and_crashes_do_not_end_a_pause() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a").retry(3, 10))
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.pause("a");
    play.fail("a");
    let a = play.ix("a");
    play.must(Event::TimerFired {
        timer: Timer::Retry(a),
    });
    assert_eq!(play.word("a"), "ready run-paused");
    play.must(Event::HostStarted);
    assert_eq!(play.start(), Vec::<String>::new());
    play.resume("a");
    assert_eq!(play.start(), ["a"]);
    play.pause("a");
    play.must(Event::HostStarted);
    assert_eq!(
        play.word("a"),
        "ready run-paused",
        "an interrupted attempt too"
    );
}

#[test]
fn the_run_and_a_task_are_paused_for_themselves() {
    let mut play = Play::of(three());
    play.pause("a");
    play.must(Event::Paused { by: None });
    play.resume("a");
    assert_eq!(play.start(), Vec::<String>::new());
    play.pause("a");
    play.must(Event::Resumed { by: None });
    assert_eq!(play.start(), ["b"]);
}

#[test]
fn a_task_with_instances_is_paused_as_a_whole() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("each").for_each())
        .concurrency(1)
        .build();
    let mut play = Play::of(plan);
    play.pause("each");
    play.each("each", 3);
    assert_eq!(play.start(), Vec::<String>::new());
    let one = play.ix("each.1");
    assert!(
        play.refuses(resumed(one))
            .contains("`each` is paused with all its instances")
    );
    play.resume("each");
    play.pause("each.0");
    assert_eq!(play.start(), ["each.1"]);
    play.pause("each");
    play.resume("each");
    play.ok("each.1");
    assert_eq!(
        play.start(),
        ["each.2"],
        "the one that was paused by itself stays so"
    );
    play.resume("each.0");
    play.ok("each.2");
    assert_eq!(play.start(), ["each.0"]);
}

#[test]
fn a_cancelled_task_never_starts_and_the_rest_goes_on() {
    for stop in [false, true] {
        let mut builder = PlanBuilder::new()
            .task(TaskBuilder::new("a"))
            .task(TaskBuilder::new("b"))
            .task(TaskBuilder::new("after").needs(&[0]));
        if stop {
            builder = builder.stop_on_failure();
        }
        let mut play = Play::of(builder.build());
        assert_eq!(play.call_off("a"), []);
        assert_eq!(
            play.words(&["a", "b", "after"]),
            [
                "cancelled run-cancelled",
                "ready dispatch-limit",
                "skipped dependency-failed"
            ]
        );
        let unblocks = play.run.blocked(play.ix("a")).unwrap().unblocks;
        assert_eq!(unblocks, "a retry of task `a`, which ann cancelled");
        assert!(
            play.refuses(called_off(play.ix("a")))
                .contains("is cancelled")
        );
        assert!(play.refuses(paused(play.ix("a"))).contains("is cancelled"));
        assert_eq!(play.start(), ["b"]);
        play.ok("b");
        play.is(RunState::Failed);
        assert_eq!(play.run.outcome(), Some(Outcome::Partial));

        play.retry(&["a"]);
        assert_eq!(
            play.words(&["a", "after"]),
            ["ready dispatch-limit", "pending dependency"]
        );
        play.start();
        play.ok("a");
        play.start();
        play.ok("after");
        play.is(RunState::Verified);
    }
}

#[test]
fn a_running_task_is_taken_down_and_its_end_does_not_count_whatever_it_is() {
    let ends = [
        output(&[]),
        failure(FailureClass::Plugin),
        AttemptEnd::Cancelled,
        AttemptEnd::Interrupted,
    ];
    for end in ends {
        let plan = PlanBuilder::new()
            .task(TaskBuilder::new("a").retry(5, 0))
            .task(TaskBuilder::new("b"))
            .stop_on_failure()
            .build();
        let mut play = Play::of(plan);
        play.start();
        let (task, attempt) = (play.ix("a"), AttemptNo(1));
        assert_eq!(
            play.call_off("a"),
            [Command::CancelAttempt { task, attempt }]
        );
        assert_eq!(
            play.state("a"),
            TaskState::Running,
            "until its end is known"
        );
        assert!(play.refuses(called_off(task)).contains("already"));
        play.end("a", end.clone());
        assert_eq!(play.state("a"), TaskState::Cancelled, "{end:?}");
        assert!(play.task("a").output.is_none());
        play.is(RunState::Running);
        play.ok("b");
        assert_eq!(play.run.outcome(), Some(Outcome::Partial));
    }
}

#[test]
fn a_crash_while_it_is_taken_down_ends_it_or_loses_it() {
    for (task, is) in [
        (TaskBuilder::new("a"), TaskState::Cancelled),
        (TaskBuilder::new("a").writes(), TaskState::Lost),
    ] {
        let mut play = Play::of(
            PlanBuilder::new()
                .task(task)
                .task(TaskBuilder::new("b"))
                .build(),
        );
        play.start();
        play.call_off("a");
        play.must(Event::HostStarted);
        assert_eq!(play.state("a"), is);
        if is == TaskState::Lost {
            assert!(
                play.refuses(called_off(play.ix("a")))
                    .contains("look whether")
            );
        }
    }
}

#[test]
fn whatever_it_waits_for_a_cancelled_task_waits_no_more() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("asked").approval_before())
        .task(TaskBuilder::new("held").approval_after())
        .task(
            TaskBuilder::new("signal")
                .wait("ci", Some(60))
                .matching(&["sha"]),
        )
        .task(TaskBuilder::new("again").retry(2, 1000))
        .task(TaskBuilder::new("when").when())
        .task(TaskBuilder::new("paused"))
        .task(TaskBuilder::new("needs").needs(&[0]))
        .build();
    let (mut play, commands) = Play::with(crate::play::BOTH, plan);
    play.put(&commands);
    let signals = play.ix("signal");
    play.must(started(signals, &[("sha", "a")]));
    play.pause("paused");
    assert_eq!(play.start(), ["held", "again"]);
    play.fail("again");
    let commands = play.ok("held");
    play.put(&commands);
    assert_eq!(play.open(), [1, 2]);
    let all = [
        "needs", "asked", "held", "signal", "again", "when", "paused",
    ];
    for id in all {
        let commands = play.call_off(id);
        assert!(
            commands.iter().all(|c| *c == Command::Finish),
            "{id}: {commands:?}"
        );
        assert_eq!(play.state(id), TaskState::Cancelled, "{id}");
    }
    assert_eq!(play.open(), Vec::<u32>::new());
    assert_eq!(
        (play.ask_state(1), play.ask_state(2)),
        ("withdrawn", "withdrawn")
    );
    play.is(RunState::Failed);
    assert_eq!(
        play.run.outcome(),
        Some(Outcome::Failed),
        "nothing of it succeeded"
    );
    let past = play.run.past_waits();
    assert_eq!(
        (past.len(), past[0].how.as_str()),
        (1, "the task was cancelled")
    );
    assert_eq!(past[0].wait.matches, map(&[("sha", "a")]));
    play.refuses(delivered(signals, signal("1", "ci", &[("sha", "a")])));

    // By name, since somebody meant it; and then it is asked anew.
    let all_of_it = Event::RetryRequested {
        tasks: Vec::new(),
        by: None,
    };
    assert!(
        play.refuses(all_of_it)
            .contains("cancelled on purpose: name it")
    );
    let commands = play.retry(&["asked"]);
    let task = play.ix("asked");
    let about = About::Task { task };
    assert_eq!(
        commands,
        [Command::Ask {
            about: about.clone()
        }]
    );
    play.must(asked(about));
    assert_eq!(
        play.state("held"),
        TaskState::Cancelled,
        "the others stay so"
    );
    play.approve(3, &suspend::ann());
    assert_eq!(play.start(), ["asked"]);
}

#[test]
fn all_instances_of_a_task_are_cancelled_with_it() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("each").for_each())
        .task(TaskBuilder::new("after").needs(&[0]))
        .concurrency(1)
        .build();
    let mut play = Play::of(plan);
    play.each("each", 4);
    play.start();
    play.ok("each.0");
    assert_eq!(play.start(), ["each.1"]);
    let (task, attempt) = (play.ix("each.1"), AttemptNo(1));
    assert_eq!(
        play.call_off("each"),
        [Command::CancelAttempt { task, attempt }]
    );
    assert_eq!(play.state("each"), TaskState::Running);
    play.ok("each.1");
    let ids = ["each", "each.0", "each.1", "each.2", "each.3", "after"];
    assert_eq!(
        play.words(&ids),
        [
            "cancelled run-cancelled",
            "succeeded",
            "cancelled run-cancelled",
            "cancelled run-cancelled",
            "cancelled run-cancelled",
            "skipped dependency-failed"
        ]
    );
    assert_eq!(play.run.outcome(), Some(Outcome::Partial));
    play.retry(&["each"]);
    for id in ["each.1", "each.2", "each.3"] {
        assert_eq!(play.start(), [id]);
        play.ok(id);
    }
    assert_eq!(play.start(), ["after"]);
}

#[test]
fn a_task_of_which_an_instance_was_cancelled_is_not_whole() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("each").for_each())
        .task(TaskBuilder::new("other"))
        .task(TaskBuilder::new("after").needs(&[0]))
        .stop_on_failure()
        .build();
    let mut play = Play::of(plan);
    play.each("each", 2);
    play.start();
    play.ok("other");
    play.call_off("each.1");
    play.end("each.1", AttemptEnd::Cancelled);
    assert_eq!(
        play.state("each"),
        TaskState::Running,
        "the other instance goes on"
    );
    play.ok("each.0");
    assert_eq!(
        play.words(&["each", "after"]),
        ["cancelled run-cancelled", "skipped dependency-failed"]
    );
    play.retry(&["each.1"]);
    assert_eq!(
        play.words(&["each", "after"]),
        ["running", "pending dependency"]
    );
    assert_eq!(play.start(), ["each.1"]);
    play.ok("each.1");
    assert_eq!(play.start(), ["after"]);
}

#[test]
fn a_task_is_cancelled_and_paused_before_its_plan_is_dispatched() {
    let steps = Steps {
        dispatch: false,
        verify: true,
    };
    let mut play = Play::draft(steps, &[]);
    play.must(Event::PlanningStarted);
    play.must(frozen(three()));
    play.call_off("a");
    play.pause("b");
    play.must(Event::DispatchRequested);
    assert_eq!(
        play.words(&["a", "b", "after"]),
        [
            "cancelled run-cancelled",
            "ready run-paused",
            "skipped dependency-failed"
        ]
    );
}

#[test]
fn nothing_is_steered_in_a_run_that_stops_or_has_ended() {
    let mut play = Play::of(three());
    play.start();
    play.cancel();
    let a = play.ix("a");
    for event in [paused(a), resumed(a), called_off(a)] {
        assert!(play.refuses(event).contains("is stopping"));
    }
    play.ok("a");
    play.ok("b");
    for event in [paused(a), resumed(a), called_off(a)] {
        assert!(play.refuses(event).contains("has ended"));
    }
    assert!(
        play.refuses(Event::TaskPaused {
            task: TaskIx(99),
            by: who("ann", &[])
        })
        .contains("#99")
    );
}

#[test]
fn paused_tasks_are_passed_by() {
    let mut builder = PlanBuilder::new().concurrency(1);
    for n in 0..2_000 {
        builder = builder.task(TaskBuilder::new(&format!("t{n}")));
    }
    let mut play = Play::of(builder.build());
    for n in 0..1_999 {
        play.pause(&format!("t{n}"));
    }
    let last = play.ix("t1999");
    let start = Start::Attempt {
        task: last,
        attempt: AttemptNo(1),
    };
    assert_eq!(play.run.next_start(), Some(start));
}
