//! Two things that happen at once, in either order: the seeds of real bugs in systems of this kind.

use crate::people::{asked, governed, rule, stops, who};
use crate::play::{Play, attempt, failure, output};
use crate::signals::{delivered, signal, started};
use crate::steer::called_off;
use crate::suspend;
use sandgate_engine::{AskState, Command, Event, Outcome, RunState, Start, TaskState, Timer};
use sandgate_model::{
    About, AskNo, AttemptEnd, AttemptNo, Decision, FailureClass, Millis, Rule, RuleOn, RuleTimeout,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use std::collections::VecDeque;

fn two() -> Play {
    Play::of(
        PlanBuilder::new()
            .task(TaskBuilder::new("a"))
            .task(TaskBuilder::new("b"))
            .build(),
    )
}

#[test]
fn a_task_that_was_just_being_started_when_the_run_was_stopped() {
    // The stop is first: what was offered before it does not start any more.
    let mut play = two();
    let a = play.ix("a");
    let offered = Start::Attempt {
        task: a,
        attempt: AttemptNo(1),
    };
    assert_eq!(play.run.next_start(), Some(offered));
    play.cancel();
    play.refuses(attempt(a, 1));
    assert_eq!(play.run.next_start(), None);
    play.is(RunState::Cancelled);
    assert_eq!(play.state("a"), TaskState::Cancelled);

    // The start is first: it is taken down, and whatever comes of it is not used.
    let mut play = two();
    play.must(attempt(a, 1));
    let commands = play.cancel();
    let take_down = Command::CancelAttempt {
        task: a,
        attempt: AttemptNo(1),
    };
    assert_eq!(commands, [take_down]);
    play.refuses(attempt(play.ix("b"), 1));
    play.end("a", output(&[]));
    assert_eq!(play.words(&["a", "b"]), ["cancelled run-cancelled"; 2]);
    play.is(RunState::Cancelled);
}

#[test]
fn a_result_that_arrives_after_the_cancel() {
    for by_task in [false, true] {
        let mut play = two();
        play.start();
        let late = play.ended("a", output(&[]));
        if by_task {
            play.call_off("a");
        } else {
            play.cancel();
        }
        play.must(late.clone());
        assert_eq!(play.state("a"), TaskState::Cancelled);
        assert!(play.run.output(play.ix("a")).is_none());
        assert!(
            play.refuses(late).contains("no attempt of it runs"),
            "and once more"
        );
        play.ok("b");
        let outcome = if by_task {
            Outcome::Partial
        } else {
            Outcome::Cancelled
        };
        assert_eq!(play.run.outcome(), Some(outcome));
    }
}

#[test]
fn a_start_that_fails_after_the_task_was_marked_running() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a").retry(2, 0))
        .build();
    let mut play = Play::of(plan);
    play.start();
    play.end("a", failure(FailureClass::Host));
    assert_eq!(play.word("a"), "ready dispatch-limit", "it goes back");
    play.start();
    play.must(Event::HostStarted);
    assert_eq!(
        play.word("a"),
        "ready dispatch-limit",
        "the host died in between"
    );
    play.start();
    play.end("a", failure(FailureClass::Host));
    assert_eq!(
        play.state("a"),
        TaskState::Failed,
        "or it fails; it never hangs"
    );
    play.is(RunState::Failed);
}

#[test]
fn a_thousand_tasks_that_become_ready_at_once_are_asked_about_twenty_at_a_time() {
    let mut builder = PlanBuilder::new()
        .task(TaskBuilder::new("first"))
        .concurrency(8);
    for n in 0..1_000 {
        let task = TaskBuilder::new(&format!("t{n}"));
        builder = builder.task(task.needs(&[0]).approval_before());
    }
    let mut play = Play::of(builder.build());
    play.start();
    let mut commands: VecDeque<Command> = play.ok("first").into();
    let (mut most, mut asks, mut ended) = (0, 0, 0);
    while !play.run.state().ended() {
        let mut outstanding = commands
            .iter()
            .filter(|c| matches!(c, Command::Ask { .. }))
            .count();
        outstanding += play.run.open_asks().count();
        most = most.max(outstanding);
        if let Some(command) = commands.pop_front() {
            if let Command::Ask { about } = command {
                asks += 1;
                commands.extend(play.must(asked(about)));
            }
            continue;
        }
        let next = play.run.open_asks().next().map(|ask| ask.no.0);
        if let Some(no) = next {
            commands.extend(play.approve(no, &who("ann", &[])));
        }
        for id in play.start() {
            ended += 1;
            commands.extend(play.ok(&id));
        }
    }
    println!("1,000 tasks ready at once: {asks} requests, at most {most} at once, {ended} ran");
    assert_eq!((asks, ended), (1_000, 1_000));
    assert_eq!(most, 20);
    play.is(RunState::Verified);
}

#[test]
fn a_task_is_suspended_while_it_is_cancelled() {
    for by_task in [false, true] {
        // The cancel is first: nothing is asked any more, and the attempt ends.
        let mut play = suspend::run(false);
        let by = play.by("a");
        let cancel = |play: &mut Play| {
            if by_task {
                play.call_off("a")
            } else {
                play.cancel()
            }
        };
        assert_eq!(cancel(&mut play).len(), 1);
        let why = play.refuses(stops(by, "git tag"));
        assert!(why.contains("nothing new is asked"), "{why}");
        assert_eq!(play.run.asks().count(), 0);
        play.end("a", AttemptEnd::Cancelled);
        assert_eq!(play.state("a"), TaskState::Cancelled);

        // The suspension is first: the request is withdrawn, and nobody can decide about it.
        let mut play = suspend::run(false);
        let by = play.by("a");
        play.must(stops(by, "git tag"));
        let commands = cancel(&mut play);
        let take_down = |c: &Command| matches!(c, Command::CancelAttempt { .. });
        assert!(
            !commands.iter().any(take_down),
            "nothing of it runs: {commands:?}"
        );
        assert_eq!(play.state("a"), TaskState::Cancelled);
        assert_eq!(play.ask_state(1), "withdrawn");
        let late = play.decision(1, Decision::YES, &suspend::ann());
        assert!(play.refuses(late).contains("withdrawn"));
        assert!(play.run.restore_of(by).is_none());
        let again = Event::AttemptResumed {
            task: play.ix("a"),
            attempt: AttemptNo(1),
        };
        play.refuses(again);
    }
}

#[test]
fn a_task_that_was_decided_about_is_cancelled_before_it_goes_on() {
    let mut play = suspend::run(false);
    let by = play.by("a");
    play.must(stops(by, "git tag"));
    play.approve(1, &suspend::ann());
    play.call_off("a");
    assert_eq!(play.state("a"), TaskState::Cancelled);
    assert_eq!(play.start(), ["b"]);
    play.ok("b");
    assert_eq!(play.run.outcome(), Some(Outcome::Partial));
    // Tried again by name, it is another attempt: the old approval is not for that.
    play.must(Event::RetryRequested {
        tasks: vec![play.ix("a")],
        by: None,
    });
    assert_eq!(play.start(), ["a"]);
    let by = play.by("a");
    let said = suspend::consent(&play, by, "git tag");
    assert_eq!(said, sandgate_engine::Consented::Ask);
}

#[test]
fn a_decision_and_its_timeout_in_either_order() {
    for (on_timeout, is) in [
        (RuleTimeout::Reject, AskState::Expired),
        (RuleTimeout::Approve, AskState::Approved),
    ] {
        let rules = vec![Rule {
            timeout: Some(Millis(50)),
            on_timeout,
            ..rule("people", RuleOn::Task, &[])
        }];
        let plan = PlanBuilder::new()
            .task(
                TaskBuilder::new("a")
                    .approval_before()
                    .approval_rule("people"),
            )
            .build();
        let asking = || {
            let (mut play, commands) = governed(rules.clone(), &[], plan.clone());
            play.put(&commands);
            play.now += 60;
            play
        };
        let timer = Event::TimerFired {
            timer: Timer::Ask(AskNo(1)),
        };
        // The decision is first, even if the timer was due before it.
        let mut play = asking();
        play.approve(1, &suspend::ann());
        play.refuses(timer.clone());
        assert_eq!(play.start(), ["a"]);

        // The timer is first: what comes after it does not count.
        let mut play = asking();
        play.timer(1);
        assert_eq!(play.run.ask(AskNo(1)).unwrap().state, is);
        let no = play.decision(1, Decision::NO, &suspend::ann());
        play.refuses(no);
        let starts = is == AskState::Approved;
        assert_eq!(!play.start().is_empty(), starts);
    }
}

#[test]
fn a_signal_and_the_end_of_its_wait_in_either_order() {
    let plan = || {
        PlanBuilder::new()
            .task(TaskBuilder::new("ci").wait("ci", Some(50)))
            .build()
    };
    let mut play = Play::of(plan());
    let ci = play.ix("ci");
    let timer = Event::TimerFired {
        timer: Timer::Wait(ci),
    };
    play.must(started(ci, &[]));
    play.must(delivered(ci, signal("1", "ci", &[])));
    play.refuses(timer.clone());
    play.is(RunState::Verified);

    let mut play = Play::of(plan());
    play.must(started(ci, &[]));
    play.must(timer);
    play.refuses(delivered(ci, signal("1", "ci", &[])));
    play.is(RunState::Failed);

    let mut play = Play::of(plan());
    play.must(started(ci, &[]));
    play.must(called_off(ci));
    play.refuses(delivered(ci, signal("1", "ci", &[])));
    assert_eq!(play.state("ci"), TaskState::Cancelled);
}

#[test]
fn a_record_that_is_made_after_its_task_is_gone() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a").approval_before())
        .task(TaskBuilder::new("b"))
        .build();
    let mut play = Play::of(plan);
    let task = play.ix("a");
    play.call_off("a");
    let why = play.refuses(asked(About::Task { task }));
    assert!(why.contains("nobody wanted"), "{why}");
    assert_eq!(play.run.asks().count(), 0);
}
