//! Work that waits for a person in the middle is dropped, and taken up where it stopped.

use crate::people::{command, digest, governed, rule, stops, who, with, wonders};
use crate::play::{Play, output};
use sandgate_engine::{
    Command, Consented, DecideRefusal, Event, Judged, Outcome, Restore, RunState, Start, TaskState,
    Timer, Wait,
};
use sandgate_model::{
    Actor, AskNo, AttemptEnd, AttemptNo, CallEnd, Caller, Consent, Decision, Digest, ExecGrant,
    Millis, Moment, NeedKind, Plan, Question, RuleOn, TaskIx,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) fn exec(network: bool) -> ExecGrant {
    ExecGrant {
        name: "tag".to_owned(),
        program: "git".to_owned(),
        args: vec!["tag".to_owned()],
        cwd: None,
        env: BTreeMap::new(),
        secrets: Vec::new(),
        network,
        read: Vec::new(),
        timeout: None,
        approval: true,
    }
}

/// Tasks `a` and `b`, one slot; `a` may run a command that has to be approved, and may ask.
pub(crate) fn plan(network: bool) -> Arc<Plan> {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a").retry(2, 0))
        .task(TaskBuilder::new("b"))
        .concurrency(1)
        .build();
    with(plan, |plan| {
        let grants = &mut plan.tasks[0].grants;
        grants.exec = vec![exec(network)];
        grants.question = true;
    })
}

pub(crate) fn run(network: bool) -> Play {
    let (mut play, _) = governed(vec![], &[], plan(network));
    assert_eq!(play.start(), ["a"]);
    play
}

pub(crate) fn ann() -> Actor {
    who("ann", &[])
}

pub(crate) fn consent(play: &Play, by: Caller, text: &str) -> Consented {
    play.run.consent(by, NeedKind::Exec, digest(text))
}

pub(crate) fn once(ask: u32) -> Consent {
    Consent {
        ask: AskNo(ask),
        for_run: false,
    }
}

fn forever(ask: u32) -> Consent {
    Consent {
        ask: AskNo(ask),
        for_run: true,
    }
}

pub(crate) fn begins(play: &Play, by: Caller, text: &str, consent: Option<Consent>) -> Event {
    Event::CallStarted {
        by,
        call: play.run.next_call(by).unwrap_or(1),
        request: command(text, consent),
    }
}

pub(crate) fn ends(by: Caller, call: u32, tape: Option<Digest>) -> Event {
    Event::CallEnded {
        by,
        call,
        end: CallEnd::Done {
            note: "exit 0".to_owned(),
            cost: sandgate_model::Amount::NOTHING,
        },
        took: Millis(1),
        tape,
    }
}

pub(crate) fn question(timeout: Option<u64>, default: Option<&str>) -> Question {
    Question {
        text: "which?".to_owned(),
        choices: vec!["left".to_owned(), "right".to_owned()],
        default: default.map(str::to_owned),
        timeout: timeout.map(Millis),
    }
}

#[test]
fn others_go_on_while_it_waits_and_then_it_goes_on_itself() {
    let mut play = run(false);
    let a = play.by("a");
    assert_eq!(
        play.run.restore_of(a),
        Some(&Restore::default()),
        "recorded from its start"
    );
    assert_eq!(consent(&play, a, "tag v1"), Consented::Ask);
    assert!(
        play.refuses(begins(&play, a, "tag v1", None))
            .contains("needs approval"),
        "nothing without a decision"
    );
    assert!(
        play.refuses(begins(&play, a, "tag v1", Some(once(1))))
            .contains("no approval 1")
    );

    play.must(stops(a, "tag v1"));
    assert_eq!(play.word("a"), "pending approval");
    assert_eq!(
        play.run.waits(),
        [Wait::Call {
            task: Some("a".parse().unwrap()),
            gate: None,
            ask: AskNo(1)
        }]
    );
    assert_eq!(play.start(), ["b"], "the slot is free");
    assert!(
        play.refuses(begins(&play, a, "tag v1", None))
            .contains("does not run")
    );
    let late = play.ended("a", output(&[]));
    assert!(play.refuses(late).contains("no attempt of it runs"));
    play.ok("b");
    assert!(play.run.idle());
    play.must(Event::HostStarted);
    assert_eq!(
        (play.word("a"), play.open()),
        ("pending approval".to_owned(), vec![1])
    );

    play.approve(1, &ann());
    assert_eq!(
        play.run.next_start(),
        Some(Start::AttemptResumed {
            task: TaskIx(0),
            attempt: AttemptNo(1)
        })
    );
    let anew = crate::play::attempt(TaskIx(0), 2);
    assert!(play.refuses(anew).contains("goes on"));
    let wrong = Event::AttemptResumed {
        task: TaskIx(0),
        attempt: AttemptNo(2),
    };
    assert!(play.refuses(wrong).contains("is 1, not 2"));
    assert_eq!(play.start(), ["a again"]);
    let restore = play.run.restore_of(a).unwrap();
    assert_eq!(restore.tape, [digest("tape before tag v1")]);
    assert_eq!(restore.ask, Some(AskNo(1)));

    assert_eq!(consent(&play, a, "tag v1"), Consented::Yes(once(1)));
    assert_eq!(
        consent(&play, a, "tag v2"),
        Consented::Stale {
            ask: AskNo(1),
            approved: digest("tag v1")
        }
    );
    assert!(play.refuses(stops(a, "tag v2")).contains("something else"));
    assert!(
        play.refuses(begins(&play, a, "tag v2", Some(once(1))))
            .contains("another call")
    );
    play.must(begins(&play, a, "tag v1", Some(once(1))));
    assert!(play.run.ask(AskNo(1)).unwrap().consumed);
    assert_eq!(play.run.restore_of(a).unwrap().ask, None);
    assert!(
        play.refuses(begins(&play, a, "tag v1", Some(once(1))))
            .contains("used up")
    );
    assert_eq!(
        consent(&play, a, "tag v1"),
        Consented::Ask,
        "once more is another time"
    );
    play.must(ends(a, 1, Some(digest("tape of tag v1"))));
    play.ok("a");
    assert_eq!(play.run.outcome(), Some(Outcome::Verified));
    assert_eq!(play.task("a").took, Some(Millis(8)), "both parts");
}

#[test]
fn a_no_is_not_asked_again_in_the_same_attempt() {
    let mut play = run(false);
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    play.reject(1, &ann());
    play.start();
    let why = "`ann` rejected it (request 1): because".to_owned();
    assert_eq!(consent(&play, a, "tag v1"), Consented::No { why });
    assert!(play.refuses(stops(a, "tag v1")).contains("have been asked"));
    assert!(
        play.refuses(begins(&play, a, "tag v1", Some(once(1))))
            .contains("rejected")
    );
    play.must(stops(a, "tag v2"));
    play.approve(2, &ann());
    play.start();
    play.fail("a");
    assert_eq!(play.start(), ["a"], "a new attempt");
    let second = play.by("a");
    assert_eq!(play.run.restore_of(second), Some(&Restore::default()));
    assert_eq!(play.run.restore_of(a), None);
    assert_eq!(consent(&play, second, "tag v1"), Consented::Ask);
    assert_eq!(
        consent(&play, second, "tag v2"),
        Consented::Ask,
        "it was the first attempt's"
    );
    assert!(
        play.refuses(begins(&play, second, "tag v2", Some(once(2))))
            .contains("not for attempt 2")
    );
}

#[test]
fn an_approval_for_the_run_covers_exactly_the_same_until_it_is_revoked() {
    let mut play = run(false);
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    let event = play.decision(1, Decision::Approve { for_run: true }, &ann());
    play.must(event);
    play.start();
    assert_eq!(consent(&play, a, "tag v1"), Consented::Yes(once(1)));
    play.must(begins(&play, a, "tag v1", Some(once(1))));
    assert_eq!(consent(&play, a, "tag v1"), Consented::Yes(forever(1)));
    play.must(begins(&play, a, "tag v1", Some(forever(1))));
    for call in [1, 2] {
        play.must(ends(a, call, Some(digest("tape"))));
    }
    assert_eq!(consent(&play, a, "tag v2"), Consented::Ask);
    assert!(
        play.refuses(begins(&play, a, "tag v2", Some(forever(1))))
            .contains("another call")
    );
    play.fail("a");
    play.start();
    let second = play.by("a");
    play.must(begins(&play, second, "tag v1", Some(forever(1))));
    let standing = &play.run.standing()[0];
    assert_eq!((standing.uses, standing.revoked), (3, false));

    let revoke = || Event::Revoked {
        ask: AskNo(1),
        by: ann(),
        reason: String::new(),
    };
    play.must(revoke());
    assert!(play.refuses(revoke()).contains("already"));
    assert!(play.run.standing()[0].revoked);
    assert_eq!(consent(&play, second, "tag v1"), Consented::Ask);
    assert!(
        play.refuses(begins(&play, second, "tag v1", Some(forever(1))))
            .contains("taken back")
    );
    play.must(ends(second, 1, Some(digest("tape"))));
}

#[test]
fn what_was_taken_back_before_it_was_used_does_not_happen() {
    let mut play = run(false);
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    let event = play.decision(1, Decision::Approve { for_run: true }, &ann());
    play.must(event);
    play.must(Event::Revoked {
        ask: AskNo(1),
        by: ann(),
        reason: String::new(),
    });
    play.start();
    assert!(matches!(consent(&play, a, "tag v1"), Consented::No { .. }));
    assert!(
        play.refuses(begins(&play, a, "tag v1", Some(once(1))))
            .contains("taken back")
    );
}

#[test]
fn calls_follow_the_rules_about_their_kind() {
    let rules = vec![
        rule("exec", RuleOn::Exec, &["lead"]),
        rule("http", RuleOn::Http, &["x"]),
    ];
    let (mut play, _) = governed(rules, &[], plan(false));
    play.start();
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    let refused = play
        .run
        .judge(AskNo(1), digest("tag v1"), Decision::YES, &ann())
        .unwrap_err();
    assert!(matches!(refused, DecideRefusal::NotAllowed { .. }));
    assert_eq!(play.run.blocked(TaskIx(0)).unwrap().who, "lead");
    play.approve(1, &who("lea", &["lead"]));
    assert_eq!(play.start(), ["a again"]);
}

#[test]
fn a_question_is_answered_once() {
    let mut play = run(false);
    let a = play.by("a");
    assert!(play.must(wonders(a, question(None, None))).is_empty());
    assert_eq!(play.word("a"), "pending response");
    assert_eq!(play.run.answer(a, digest("which?")), None);
    let wrong = play.run.judge_answer(AskNo(1), "up", &ann()).unwrap_err();
    assert_eq!(wrong.to_string(), "the answer has to be `left` or `right`");
    assert!(matches!(
        play.run
            .judge(AskNo(1), digest("which?"), Decision::YES, &ann()),
        Err(DecideRefusal::Wrong { .. })
    ));
    let answered = |answer: &str| Event::Answered {
        ask: AskNo(1),
        answer: answer.to_owned(),
        by: ann(),
    };
    play.must(answered("left"));
    assert!(matches!(
        play.run.judge_answer(AskNo(1), "left", &ann()),
        Ok(Judged::Repeat { .. })
    ));
    assert!(matches!(
        play.run.judge_answer(AskNo(1), "right", &who("bob", &[])),
        Err(DecideRefusal::Conflict { winner }) if winner.by.name == "ann"
    ));
    assert!(!play.refuses(answered("left")).is_empty());
    assert_eq!(play.start(), ["a again"]);
    assert_eq!(
        play.run.answer(a, digest("which?")),
        Some(Ok("left".to_owned()))
    );
    assert_eq!(play.run.answer(a, digest("what?")), None);
}

#[test]
fn a_question_that_nobody_answers_has_its_default_or_none() {
    for default in [Some("right"), None] {
        let mut play = run(false);
        let a = play.by("a");
        let commands = play.must(wonders(a, question(Some(50), default)));
        let at = Moment(play.now + 50);
        let timer = Timer::Ask(AskNo(1));
        assert_eq!(commands, [Command::ArmTimer { timer, at }]);
        play.now += 100;
        play.timer(1);
        let state = if default.is_some() {
            "answered"
        } else {
            "expired"
        };
        assert_eq!(play.ask_state(1), state);
        let expected = match default {
            Some(default) => Ok(default.to_owned()),
            None => Err("nobody answered in time (request 1)".to_owned()),
        };
        assert_eq!(play.run.answer(a, digest("which?")), Some(expected));
        assert_eq!(play.run.ask(AskNo(1)).unwrap().votes[0].by, Actor::host());
        assert_eq!(play.state("a"), TaskState::Ready);
    }
}

#[test]
fn only_what_runs_and_may_wait_stops() {
    let mut play = run(false);
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    assert!(play.refuses(stops(a, "tag v2")).contains("does not run"));
    play.start();
    let b = play.by("b");
    assert!(
        play.refuses(stops(b, "tag v1"))
            .contains("waits for people")
    );
    assert!(
        play.refuses(wonders(b, question(None, None)))
            .contains("waits for people")
    );
    assert!(
        play.refuses(ends(b, 1, Some(digest("tape"))))
            .contains("not recorded")
    );
    let mut foreign = stops(b, "tag v1");
    if let Event::Suspended { by, .. } = &mut foreign {
        *by = a;
    }
    assert!(!play.refuses(foreign).is_empty());

    let plan = with(plan(false), |plan| plan.tasks[0].grants.question = false);
    let (mut play, _) = governed(vec![], &[], plan);
    play.start();
    let a = play.by("a");
    assert!(
        play.refuses(wonders(a, question(None, None)))
            .contains("may ask nothing")
    );
    play.must(stops(a, "tag v1"));
    play.approve(1, &ann());
    assert_eq!(play.start(), ["a again"]);
    play.must(begins(&play, a, "tag v1", Some(once(1))));
    assert!(play.refuses(stops(a, "tag v2")).contains("not ended"));
}

#[test]
fn cancelling_withdraws_what_is_asked() {
    let mut play = run(false);
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    assert_eq!(play.cancel(), [Command::Finish]);
    assert_eq!(
        (play.state("a"), play.ask_state(1)),
        (TaskState::Cancelled, "withdrawn")
    );
    play.must(Event::RetryRequested {
        tasks: vec![],
        by: None,
    });
    assert_eq!(play.start(), ["a"]);
    assert_eq!(play.task("a").attempt, AttemptNo(2));
    assert_eq!(play.run.restore_of(a), None);

    let mut play = run(false);
    play.must(stops(play.by("a"), "tag v1"));
    play.must(Event::TaskCancelRequested {
        task: TaskIx(0),
        by: ann(),
        reason: String::new(),
    });
    assert_eq!(
        play.run.ask(AskNo(1)).unwrap().why,
        "the task was cancelled"
    );
    assert_eq!(play.start(), ["b"]);
    play.ok("b");
    assert!(play.run.state().ended());

    // An attempt that is being taken down stops no more.
    let mut play = run(false);
    let a = play.by("a");
    play.cancel();
    assert!(play.refuses(stops(a, "tag v1")).contains("stopping"));
    play.end("a", AttemptEnd::Cancelled);
    play.is(RunState::Cancelled);
}

#[test]
fn a_pause_holds_back_what_was_decided() {
    let mut play = run(false);
    play.must(stops(play.by("a"), "tag v1"));
    play.must(Event::Paused { by: None });
    play.approve(1, &ann());
    assert_eq!(play.start(), [""; 0]);
    play.must(Event::Resumed { by: None });
    assert_eq!(play.start(), ["a again"]);
}
