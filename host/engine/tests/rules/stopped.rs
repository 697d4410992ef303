//! Work that stopped in the middle, when the host dies; gates and planners that stop.

use crate::people::{digest, drafted, governed, stops, with, wonders};
use crate::play::{Play, checks, frozen};
use crate::suspend::{ann, begins, consent, ends, exec, once, plan, question, run};
use sandgate_engine::{
    Command, Consented, Event, GateEnd, GateState, Outcome, RunState, Start, Wait,
};
use sandgate_model::{
    Amount, AskNo, AttemptEnd, AttemptNo, CallRequest, Caller, GateIx, NeedKind, TaskIx, Verdict,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder};

/// Ran, stopped, was approved, went on.
fn resumed(network: bool) -> (Play, Caller) {
    let mut play = run(network);
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    play.approve(1, &ann());
    assert_eq!(play.start(), ["a again"]);
    (play, a)
}

#[test]
fn a_crash_before_the_call_goes_on_with_the_same_approval() {
    let (mut play, a) = resumed(false);
    play.must(Event::HostStarted);
    assert_eq!(play.open(), [0u32; 0], "nobody is asked twice");
    assert_eq!(play.start(), ["a again"]);
    assert_eq!(consent(&play, a, "tag v1"), Consented::Yes(once(1)));
    let interrupted = play.ended("a", AttemptEnd::Interrupted);
    play.must(interrupted);
    assert_eq!(play.start(), ["a again"]);
    play.must(begins(&play, a, "tag v1", Some(once(1))));
    play.must(ends(a, 1, Some(digest("tape of tag v1"))));
    play.must(Event::HostStarted);
    assert_eq!(play.start(), ["a again"]);
    let restore = play.run.restore_of(a).unwrap();
    assert_eq!(
        restore.tape,
        [digest("tape before tag v1"), digest("tape of tag v1")]
    );
    assert_eq!((restore.calls, restore.ask), (1, None));
    assert_eq!(play.run.next_call(a), Some(2), "numbers go on");
    play.must(stops(a, "tag v2"));
    assert_eq!(play.open(), [2]);
}

#[test]
fn what_was_approved_once_is_never_done_twice() {
    let unknown = |play: &mut Play| {
        play.must(Event::HostStarted);
        assert_eq!(play.word("a"), "lost response");
        play.must(Event::RetryRequested {
            tasks: vec![],
            by: None,
        });
        assert_eq!(
            play.run.next_start(),
            Some(Start::Attempt {
                task: TaskIx(0),
                attempt: AttemptNo(2)
            }),
            "a person says so, and it is another attempt"
        );
    };
    let (mut play, a) = resumed(false);
    play.must(begins(&play, a, "tag v1", Some(once(1))));
    unknown(&mut play);

    let (mut play, a) = resumed(false);
    play.must(begins(&play, a, "tag v1", Some(once(1))));
    play.must(ends(a, 1, None));
    unknown(&mut play);

    // Also with an effect outside it goes on, where its tape knows of everything that happened.
    let (mut play, _) = resumed(true);
    play.must(Event::HostStarted);
    assert_eq!(play.start(), ["a again"]);
    // Not where the guest had begun to change files by itself, or a call is open whose end nobody knows.
    for kind in [NeedKind::FilesWrite, NeedKind::Http] {
        let (mut play, a) = resumed(true);
        play.must(Event::CallStarted {
            by: a,
            call: 1,
            request: CallRequest {
                kind,
                what: "change something".to_owned(),
                digest: digest("change something"),
                rule: String::new(),
                secrets: Vec::new(),
                reserve: Amount::NOTHING,
                approval: false,
                consent: None,
            },
        });
        unknown(&mut play);
    }
}

#[test]
fn a_gate_stops_and_goes_on_too() {
    let gated = || {
        let plan = PlanBuilder::new().gate("g", 0).gate("h", 1).build();
        let plan = with(plan, |plan| plan.gates[0].grants.exec = vec![exec(false)]);
        let (mut play, _) = governed(vec![], &[], plan);
        assert_eq!(play.start(), ["g"]);
        play
    };
    let g = Caller::Gate {
        gate: GateIx(0),
        attempt: AttemptNo(1),
    };
    let mut play = gated();
    play.must(stops(g, "check"));
    assert_eq!(
        play.run.waits(),
        [Wait::Call {
            task: None,
            gate: Some("g".parse().unwrap()),
            ask: AskNo(1)
        }]
    );
    assert!(play.run.idle());
    play.must(Event::HostStarted);
    assert_eq!(play.start(), [""; 0]);
    play.approve(1, &ann());
    assert_eq!(play.start(), ["g again"]);
    assert_eq!(play.run.gates().next().unwrap().attempt, AttemptNo(1));
    play.must(Event::HostStarted);
    assert_eq!(play.start(), ["g again"]);
    play.must(begins(&play, g, "check", Some(once(1))));
    play.must(ends(g, 1, Some(digest("tape"))));
    play.gate(0, checks(&[Verdict::Pass]));
    assert_eq!(play.start(), ["h"]);
    play.gate(1, checks(&[Verdict::Pass]));
    play.is(RunState::Verified);

    let mut play = gated();
    play.must(stops(g, "check"));
    play.approve(1, &ann());
    play.start();
    play.must(begins(&play, g, "check", Some(once(1))));
    play.gate(0, GateEnd::Interrupted);
    play.is(RunState::Failed);
    let gate = play.run.gates().next().unwrap();
    assert_eq!(gate.state, GateState::Blocked);
    assert!(gate.message.contains("not done again"), "{}", gate.message);

    let mut play = gated();
    play.must(stops(g, "check"));
    play.cancel();
    play.is(RunState::Cancelled);
    assert_eq!(play.run.gates().next().unwrap().state, GateState::Cancelled);
    assert_eq!(play.ask_state(1), "withdrawn");
}

fn planning(planners: &[&str]) -> Play {
    let mut play = drafted(vec![], planners);
    play.must(Event::PlanningStarted);
    play
}

fn make(planner: &str) -> Command {
    Command::MakePlan {
        planner: Some(planner.parse().unwrap()),
    }
}

#[test]
fn a_planner_stops_and_goes_on_too() {
    let mut play = planning(&["model"]);
    let by = Caller::Planner;
    assert!(play.must(wonders(by, question(None, None))).is_empty());
    assert!(play.run.idle());
    assert_eq!(
        play.run.waits(),
        [Wait::Question {
            task: None,
            gate: None,
            ask: AskNo(1)
        }]
    );
    assert!(
        play.refuses(frozen(plan(false)))
            .contains("waits for a person")
    );
    assert!(!play.must(Event::HostStarted).contains(&make("model")));
    let commands = play.must(Event::Answered {
        ask: AskNo(1),
        answer: "left".to_owned(),
        by: ann(),
    });
    assert_eq!(commands, [make("model")]);
    assert_eq!(
        play.run.answer(by, digest("which?")),
        Some(Ok("left".to_owned()))
    );
    assert!(play.must(Event::HostStarted).contains(&make("model")));
    assert_eq!(play.run.restore_of(by).unwrap().tape.len(), 1);
    play.must(frozen(plan(false)));
    assert_eq!(play.run.restore_of(by), None);

    let mut play = planning(&["model"]);
    play.must(wonders(by, question(None, None)));
    assert_eq!(play.cancel(), [Command::AbandonPlan, Command::Finish]);
    assert_eq!(play.ask_state(1), "withdrawn");
}

#[test]
fn what_one_planner_was_allowed_the_next_one_is_not() {
    let mut play = planning(&["model", "rules"]);
    let by = Caller::Planner;
    play.must(stops(by, "look"));
    assert_eq!(play.approve(1, &ann()), [make("model")]);
    assert_eq!(consent(&play, by, "look"), Consented::Yes(once(1)));
    play.must(Event::PlannerFailed {
        planner: Some("model".parse().unwrap()),
        message: "no".to_owned(),
    });
    assert_eq!(consent(&play, by, "look"), Consented::Ask);
    assert!(
        play.refuses(begins(&play, by, "look", Some(once(1))))
            .contains("not for")
    );

    let mut play = planning(&["model", "rules"]);
    play.must(stops(by, "look"));
    play.approve(1, &ann());
    play.must(begins(&play, by, "look", Some(once(1))));
    assert_eq!(play.must(Event::HostStarted), [Command::Finish]);
    play.is(RunState::Failed);
    assert!(
        play.run.planner_failures()[0]
            .message
            .contains("not done again")
    );
}

#[test]
fn what_it_had_reserved_is_free_while_it_waits() {
    let plan = PlanBuilder::new()
        .budget(10, None, sandgate_model::OverBudget::Refuse)
        .task(TaskBuilder::new("a").model().budget(6))
        .task(TaskBuilder::new("b").model().budget(4))
        .build();
    let plan = with(plan, |plan| plan.tasks[0].grants.question = true);
    let (mut play, _) = governed(vec![], &[], plan);
    assert_eq!(play.start(), ["a", "b"]);
    play.spend("a", 6);
    let a = play.by("a");
    assert_eq!(play.run.next_call(a), Some(2));
    play.must(wonders(a, question(None, None)));
    assert_eq!(play.run.reserved().micros, 4);
    play.must(Event::Answered {
        ask: AskNo(1),
        answer: "left".to_owned(),
        by: ann(),
    });
    assert_eq!(
        play.start(),
        ["a again"],
        "it may go on although it has spent everything"
    );
    assert_eq!((play.left(a), play.run.next_call(a)), (Some(0), Some(2)));
    play.ok("a");
    play.ok("b");
    assert_eq!(play.run.outcome(), Some(Outcome::Verified));
}
