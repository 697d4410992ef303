//! Ways around people that are closed: approvals that outlive their run, editors who agree with themselves, charges that
//! are reported afterwards, questions without end.

use crate::people::{digest, drafted, governed, rule, stops, who, with, wonders};
use crate::play::{Play, charged, output};
use crate::suspend::{ann, begins, consent, ends, once, plan, question, run};
use sandgate_engine::{Consented, Event, Reason, RunState, Start};
use sandgate_model::{
    Actor, AskNo, AttemptEnd, Authenticated, CallEnd, Caller, Decision, FailureClass, GateIx,
    Millis, Plan, RuleOn, RuleTimeout, TaskIx,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use std::{collections::BTreeSet, sync::Arc};

fn ahead(play: &Play, by: Caller) -> bool {
    play.run.restore_of(by).unwrap().ahead
}

fn answered(no: u32, answer: &str) -> Event {
    Event::Answered {
        ask: AskNo(no),
        answer: answer.to_owned(),
        by: ann(),
    }
}

#[test]
fn work_that_ran_on_and_was_interrupted_is_ahead_of_its_tape_until_it_stops_again() {
    let interrupted = |play: &Play| play.ended("a", AttemptEnd::Interrupted);
    let host = |_: &Play| Event::HostStarted;
    for interrupt in [interrupted as fn(&Play) -> Event, host] {
        let mut play = run(false);
        let a = play.by("a");
        play.must(stops(a, "tag v1"));
        assert!(!ahead(&play, a));
        play.must(Event::HostStarted);
        assert!(!ahead(&play, a), "it did not run then");
        play.approve(1, &ann());
        play.start();
        assert!(!ahead(&play, a));
        let event = interrupt(&play);
        play.must(event);
        assert!(ahead(&play, a));
        play.start();
        assert!(ahead(&play, a), "for whoever takes it up");
        play.must(begins(&play, a, "tag v1", Some(once(1))));
        play.must(ends(a, 1, Some(digest("tape"))));
        play.must(stops(a, "tag v2"));
        assert!(!ahead(&play, a));
        assert_eq!(
            play.run.restore_of(a).unwrap().took,
            Millis(6),
            "both parts"
        );
    }

    let mut play = run(false);
    let a = play.by("a");
    play.must(Event::HostStarted);
    assert!(ahead(&play, a), "from its start");

    let mut play = drafted(vec![], &["model"]);
    play.must(Event::PlanningStarted);
    let by = Caller::Planner;
    play.must(wonders(by, question(None, None)));
    play.must(Event::HostStarted);
    assert!(!ahead(&play, by));
    play.must(answered(1, "left"));
    play.must(Event::HostStarted);
    assert!(ahead(&play, by));

    let plan = PlanBuilder::new().task(TaskBuilder::new("a")).gate("g", 0);
    let asks = with(plan.build(), |plan| plan.gates[0].grants.question = true);
    let (mut play, _) = governed(vec![], &[], asks);
    play.start();
    play.ok("a");
    play.start();
    let attempt = play.run.gates().next().unwrap().attempt;
    let gate = GateIx(0);
    let by = Caller::Gate { gate, attempt };
    assert!(!ahead(&play, by));
    play.must(Event::HostStarted);
    assert!(ahead(&play, by));
}

#[test]
fn what_is_approved_for_the_run_ends_with_it() {
    let mut play = run(false);
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    let event = play.decision(1, Decision::Approve { for_run: true }, &ann());
    play.must(event);
    play.start();
    play.must(begins(&play, a, "tag v1", Some(once(1))));
    play.must(ends(a, 1, Some(digest("tape"))));
    assert!(play.run.ask(AskNo(1)).unwrap().standing);
    play.cancel();
    play.end("a", AttemptEnd::Cancelled);
    play.is(RunState::Cancelled);
    assert!(!play.run.ask(AskNo(1)).unwrap().standing);
    play.must(Event::RetryRequested {
        tasks: vec![],
        by: None,
    });
    play.start();
    let again = play.by("a");
    assert_eq!(consent(&play, again, "tag v1"), Consented::Ask);
    let old = sandgate_model::Consent {
        ask: AskNo(1),
        for_run: true,
    };
    let why = play.refuses(begins(&play, again, "tag v1", Some(old)));
    assert!(why.contains("not for attempt 2"), "{why}");
    let why = play.refuses(Event::Revoked {
        ask: AskNo(1),
        by: ann(),
        reason: String::new(),
    });
    assert!(why.contains("ended with the run"), "{why}");
    play.must(stops(again, "tag v1"));
    let event = play.decision(2, Decision::Approve { for_run: true }, &ann());
    play.must(event);
    assert!(play.run.ask(AskNo(2)).unwrap().standing, "a new one holds");
}

#[test]
fn whoever_edited_the_plan_does_not_approve_it_nor_what_is_under_it() {
    let four_eyes = |name: &str, on: RuleOn| {
        let mut rule = rule(name, on, &[]);
        rule.self_approval = false;
        rule
    };
    let rules = vec![
        four_eyes("plan", RuleOn::Plan),
        four_eyes("exec", RuleOn::Exec),
    ];
    let first = with(plan(false), |plan| {
        plan.review = true;
        plan.revision = 1;
    });
    let (mut play, _) = governed(rules, &[], first.clone());
    let (ann, bob) = (who("ann", &[]), who("bob", &[]));
    let may = |play: &Play, no: u32, by: &Actor| {
        let digest = play.run.ask(AskNo(no)).unwrap().ask.digest;
        play.run.judge(AskNo(no), digest, Decision::YES, by)
    };
    assert!(may(&play, 1, &ann).is_ok());
    let second = with(first, |plan| plan.revision = 2);
    play.must(Event::PlanModified {
        was: play.run.digest().unwrap(),
        digest: second.digest().unwrap(),
        plan: second,
        by: ann.clone(),
        reason: String::new(),
    });
    let why = may(&play, 2, &ann).unwrap_err().to_string();
    assert_eq!(
        why,
        "`ann` may not decide about this: rule `plan` asks for anybody, but not `starter`, who started the run, nor \
         `ann`, who edited the plan"
    );
    assert!(may(&play, 2, &who("starter", &[])).is_err());
    play.approve(2, &bob);
    play.start();
    let a = play.by("a");
    play.must(stops(a, "tag v1"));
    assert!(may(&play, 3, &ann).is_err(), "its calls are of that plan");
    play.approve(3, &bob);
}

#[test]
fn charges_that_have_to_be_approved_are_not_reported_afterwards() {
    let plan = PlanBuilder::new().task(TaskBuilder::new("a").asks_charges().budget(10).retry(3, 0));
    let (mut play, _) = governed(vec![], &[], plan.build());
    play.start();
    play.end("a", charged(&[0, 4]));
    let view = play.task("a");
    let (class, message) = view.error.unwrap();
    assert_eq!((*class, view.over_budget), (FailureClass::Refused, false));
    let says =
        "it reports a cost of 0.000004 for \"purchase\", which it may not charge by itself: ";
    assert!(message.starts_with(says), "{message}");
    play.is(RunState::Failed);
    assert_eq!(play.run.spent().micros, 0, "and not booked");

    let plan = PlanBuilder::new().task(TaskBuilder::new("a").asks_charges().budget(10));
    let (mut play, _) = governed(vec![], &[], plan.build());
    play.start();
    play.end("a", charged(&[0]));
    play.is(RunState::Verified);
}

/// 1,000 tasks of which all but ten ask a person once.
fn crowd() -> Arc<Plan> {
    let mut plan = PlanBuilder::new().concurrency(4);
    for n in 0..1000 {
        let task = TaskBuilder::new(&format!("t{n}"));
        let quiet = (30..40).contains(&n);
        plan = plan.task(if quiet { task } else { task.questions() });
    }
    plan.build()
}

#[test]
fn a_thousand_tasks_that_ask_do_not_ask_all_at_once() {
    let (mut play, _) = governed(vec![], &[], crowd());
    let (mut most, mut rounds, mut quiet) = (0, 0, 0);
    let mut asked = BTreeSet::new();
    while play.run.state() == RunState::Running {
        rounds += 1;
        let mut running = Vec::new();
        while let Some(start) = play.run.next_start() {
            let (task, attempt, event) = match start {
                Start::Attempt { task, attempt } => {
                    (task, attempt, Event::AttemptStarted { task, attempt })
                }
                Start::AttemptResumed { task, attempt } => {
                    (task, attempt, Event::AttemptResumed { task, attempt })
                }
                other => panic!("{other:?}"),
            };
            play.must(event);
            running.push((task, attempt));
        }
        for (task, attempt) in running {
            let asks = play.run.task(task).unwrap().plan.grants.question;
            if asks && asked.insert(task) {
                play.must(wonders(
                    Caller::Task { task, attempt },
                    question(None, None),
                ));
            } else {
                quiet += usize::from(!asks);
                let (end, took) = (output(&[]), Millis(1));
                play.must(Event::AttemptEnded {
                    task,
                    attempt,
                    end,
                    took,
                });
            }
        }
        let open: Vec<u32> = play.open();
        most = most.max(open.len());
        if play.run.idle() && !open.is_empty() {
            assert_eq!(quiet, 10, "those that ask nobody went on");
            assert_eq!(play.run.next_start(), None);
            let ready = (0..1000).map(TaskIx).find(|ix| {
                let state = play.run.task(*ix).unwrap().state;
                state == sandgate_engine::TaskState::Ready
            });
            if let Some(ix) = ready {
                let blocked = play.run.blocked(ix).unwrap();
                assert_eq!(blocked.reason, Reason::Approval);
                let wait = format!(
                    "a decision about one of the {} requests that wait: no more are put to people at once",
                    open.len()
                );
                assert_eq!((blocked.unblocks, blocked.who.as_str()), (wait, "operator"));
            }
            for no in open {
                play.must(answered(no, "left"));
            }
        }
    }
    play.is(RunState::Verified);
    assert!((20..=24).contains(&most), "{most} at once");
    assert_eq!(asked.len(), 990);
    println!(
        "{} questions of 1000 tasks, at most {most} at once, {rounds} rounds",
        asked.len()
    );
}

#[test]
fn an_attempt_asks_a_hundred_times_and_no_more() {
    let mut play = run(false);
    let a = play.by("a");
    for no in 1..=100 {
        play.must(stops(a, &format!("tag v{no}")));
        play.approve(no, &ann());
        play.start();
        play.must(begins(&play, a, &format!("tag v{no}"), Some(once(no))));
        play.must(ends(a, no, Some(digest("tape"))));
    }
    assert_eq!(play.run.restore_of(a).unwrap().took, Millis(300));
    let why = play.refuses(stops(a, "tag v101"));
    assert_eq!(
        why,
        "it has asked people 100 times; an attempt asks no more"
    );
    play.fail("a");
    play.start();
    let next = play.by("a");
    assert_eq!(play.run.restore_of(next).unwrap().took, Millis(0));
    play.must(stops(next, "tag v1"));
}

#[test]
fn a_person_is_not_the_host_by_its_name() {
    let mut late = rule("late", RuleOn::Plan, &["dev"]);
    late.timeout = Some(Millis(100));
    late.on_timeout = RuleTimeout::Approve;
    let mut two = rule("two", RuleOn::Plan, &[]);
    two.count = 2;
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a"))
        .review()
        .build();
    let (mut play, _) = governed(vec![late, two], &[], plan);
    play.now = 200;
    play.timer(1);
    assert_eq!(play.ask_state(1), "open");
    let mut host = who("host", &[]);
    play.approve(1, &host);
    host.authenticated = Authenticated::Os;
    let event = play.decision(1, Decision::YES, &host);
    assert!(
        play.refuses(event).contains("said so before"),
        "one principal, one vote"
    );
    play.approve(1, &ann());
    play.is(RunState::Running);
}

#[test]
fn the_same_question_once_more_is_asked_once_more() {
    let mut play = run(false);
    let a = play.by("a");
    let which = digest("which?");
    play.must(wonders(a, question(None, None)));
    play.must(answered(1, "left"));
    play.start();
    assert_eq!(play.run.answer(a, which), Some(Ok("left".to_owned())));
    play.must(Event::HostStarted);
    play.start();
    assert_eq!(
        play.run.answer(a, which),
        Some(Ok("left".to_owned())),
        "nobody knows that it was heard"
    );
    // A call that needs nobody: its answer, and the one before it, are on the tape.
    let mut calls = begins(&play, a, "look", None);
    if let Event::CallStarted { request, .. } = &mut calls {
        request.kind = sandgate_model::NeedKind::Http;
        request.approval = false;
    }
    let mut lost = play.run.clone();
    play.must(calls.clone());
    play.must(ends(a, 1, Some(digest("tape"))));
    assert_eq!(play.run.answer(a, which), None, "on the tape");
    play.must(wonders(a, question(None, None)));
    assert_eq!((play.open(), play.run.answer(a, which)), (vec![2], None));
    play.must(answered(2, "right"));
    play.start();
    assert_eq!(play.run.answer(a, which), Some(Ok("right".to_owned())));

    // A call that stops it.
    std::mem::swap(&mut play.run, &mut lost);
    play.must(stops(a, "tag v1"));
    play.approve(2, &ann());
    play.start();
    assert_eq!(play.run.answer(a, which), None, "older than the last stop");
    play.must(begins(&play, a, "tag v1", Some(once(2))));
    play.must(Event::CallEnded {
        by: a,
        call: 1,
        end: CallEnd::Failed {
            message: "no".to_owned(),
            cost: sandgate_model::Amount::NOTHING,
        },
        took: Millis(1),
        tape: Some(digest("tape")),
    });
    play.must(wonders(a, question(None, None)));
    assert_eq!(play.open(), [3]);
}
