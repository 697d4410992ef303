use crate::play::{BOTH, Play, checks, done, failure, money, output, request, starts};
use sandgate_engine::{Allowance, CallCounts, Event, Run, RunState};
use sandgate_model::{
    Amount, AttemptEnd, AttemptNo, CallEnd, Caller, Digest, FailureClass, GateIx, Millis, Moment,
    NeedKind, OverBudget, TaskIx, Verdict,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder, created_with, run_id};

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

/// A run of 100 with one task, which runs and has all of it.
fn one() -> (Play, Caller) {
    let plan = PlanBuilder::new()
        .task(t("a").model())
        .budget(100, None, OverBudget::Refuse)
        .gate("g", 0);
    let mut play = Play::of(plan.build());
    play.start();
    let by = play.by("a");
    (play, by)
}

fn counts(play: &Play) -> CallCounts {
    play.run.summary().calls[&NeedKind::Model]
}

#[test]
fn calls_are_numbered_from_one_for_each_caller() {
    let (mut play, by) = one();
    assert_eq!(play.run.next_call(by), Some(1));
    assert!(play.refuses(starts(by, 2, 1)).contains("is 1, not 2"));
    assert_eq!(play.call(by, 1), 1);
    assert!(play.refuses(starts(by, 1, 1)).contains("is 2, not 1"));
    assert_eq!(play.call(by, 1), 2, "the first one is still open");
    play.call_done(by, 2, 0);
    play.call_done(by, 1, 0);
    assert_eq!(play.run.next_call(by), Some(3));
    play.end("a", AttemptEnd::Interrupted);
    assert_eq!(play.run.next_call(by), None);
    play.start();
    assert_eq!(play.run.next_call(play.by("a")), Some(1), "another attempt");
}

#[test]
fn only_who_runs_may_call() {
    let (mut play, by) = one();
    let wrong = [
        Caller::Planner,
        Caller::Task {
            task: TaskIx(0),
            attempt: AttemptNo(2),
        },
        Caller::Task {
            task: TaskIx(7),
            attempt: AttemptNo(1),
        },
        Caller::Gate {
            gate: GateIx(0),
            attempt: AttemptNo(1),
        },
        Caller::Gate {
            gate: GateIx(7),
            attempt: AttemptNo(1),
        },
    ];
    for by in wrong {
        play.refuses(starts(by, 1, 0));
        play.refuses(done(by, 1, 0));
        play.refuses(Event::CallRefused {
            by,
            request: request(Amount::NOTHING),
            reason: String::new(),
        });
        assert_eq!(play.run.next_call(by), None);
        assert_eq!(play.run.allowance(by), None);
    }
    play.must(Event::Paused { by: None });
    let call = play.call(by, 1);
    play.cancel();
    assert!(play.refuses(starts(by, call + 1, 1)).contains("stopping"));
    play.call_done(by, call, 1);
    play.end("a", AttemptEnd::Cancelled);
    play.is(RunState::Cancelled);
    assert_eq!(
        play.run.spent(),
        money(1),
        "what was under way is accounted for"
    );
}

#[test]
fn a_call_ends_once_and_costs_at_most_what_it_reserved() {
    let (mut play, by) = one();
    let call = play.call(by, 40);
    assert_eq!(play.left(by), Some(60));
    assert!(
        play.refuses(done(by, call, 41))
            .contains("reserved 0.00004 and cannot have cost 0.000041")
    );
    let tokens = Event::CallEnded {
        tape: None,
        by,
        call,
        end: CallEnd::Failed {
            message: String::new(),
            cost: Amount {
                micros: 0,
                tokens: 1,
            },
        },
        took: Millis(1),
    };
    play.refuses(tokens);
    play.call_done(by, call, 15);
    assert_eq!(play.left(by), Some(85), "the rest comes back");
    assert!(play.refuses(done(by, call, 15)).contains("not open"));
    assert!(play.refuses(done(by, call + 1, 0)).contains("not open"));
    assert_eq!(play.run.spent(), money(15));
}

#[test]
fn over_the_reservation_is_refused_with_what_is_left() {
    let (mut play, by) = one();
    play.call(by, 70);
    let why = play.refuses(starts(by, 2, 31));
    assert!(why.starts_with("over the budget: "), "{why}");
    assert!(
        why.contains("this may cost 0.000031, and 0.00003 is left"),
        "{why}"
    );
    assert!(why.contains("attempt 1 of task `a`"), "{why}");
    play.call(by, 30);
    assert_eq!(play.left(by), Some(0));
    play.call(by, 0);
}

#[test]
fn an_unknown_end_has_cost_its_reserve() {
    let ends: [fn(&mut Play, Caller); 4] = [
        |play, by| {
            let end = CallEnd::Interrupted;
            play.must(Event::CallEnded {
                tape: None,
                by,
                call: 1,
                end,
                took: Millis(1),
            });
        },
        |play, _| drop(play.end("a", output(&[]))),
        |play, _| drop(play.end("a", failure(FailureClass::Trap))),
        |play, _| drop(play.must(Event::HostStarted)),
    ];
    for end in ends {
        let (mut play, by) = one();
        play.call(by, 40);
        end(&mut play, by);
        assert_eq!(play.run.spent(), money(40));
        assert_eq!(play.run.summary().tasks[0].spent, money(40));
        let counted = counts(&play);
        assert_eq!((counted.started, counted.interrupted), (1, 1));
        play.refuses(done(by, 1, 0));
    }
}

#[test]
fn calls_are_counted_by_kind_and_every_one_that_began_has_one_end() {
    let (mut play, by) = one();
    for call in 1..=4 {
        play.call(by, call);
    }
    play.call_done(by, 1, 1);
    play.call_done(by, 2, 0);
    let failed = CallEnd::Failed {
        message: "500".to_owned(),
        cost: money(2),
    };
    play.must(Event::CallEnded {
        tape: None,
        by,
        call: 3,
        end: failed,
        took: Millis(1),
    });
    let mut http = request(Amount::NOTHING);
    http.kind = NeedKind::Http;
    play.must(Event::CallRefused {
        by,
        request: http,
        reason: "not allowed".to_owned(),
    });
    play.ok("a");
    play.start();
    play.gate(0, checks(&[Verdict::Pass]));
    let summary = play.run.summary();
    let model = CallCounts {
        started: 4,
        done: 2,
        failed: 1,
        interrupted: 1,
        refused: 0,
    };
    assert_eq!(summary.calls[&NeedKind::Model], model);
    assert_eq!(summary.calls[&NeedKind::Http].refused, 1);
    assert_eq!(summary.spent, money(1 + 2 + 4));
    assert_eq!(summary.cost_micros, 7);
    assert_eq!(summary.charges["model"], 7);
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["calls"]["http"]["refused"], 1);
    assert_eq!(json["limit"], serde_json::json!({ "micros": 100 }));
    assert_eq!(
        json["tasks"][0]["spent"],
        serde_json::json!({ "micros": 7 })
    );
}

#[test]
fn a_planner_has_all_that_the_project_gives_and_its_numbers_go_on() {
    let budget = Allowance {
        micros: Some(50),
        tokens: Some(10),
    };
    let first = created_with(BOTH, &["model", "rules"], budget);
    let (run, _) = Run::create(run_id(1), Moment(0), &first).unwrap();
    let mut play = Play { run, now: 0 };
    assert_eq!(play.run.next_call(Caller::Planner), None);
    play.must(Event::PlanningStarted);
    assert_eq!(play.run.allowance(Caller::Planner), Some(budget));
    let request = request(Amount {
        micros: 1,
        tokens: 11,
    });
    let why = play.refuses(Event::CallStarted {
        by: Caller::Planner,
        call: 1,
        request,
    });
    assert!(
        why.contains("11 tokens") && why.contains("10 tokens"),
        "{why}"
    );
    play.call(Caller::Planner, 20);
    play.call_done(Caller::Planner, 1, 5);
    play.call(Caller::Planner, 10);
    play.must(Event::PlannerFailed {
        planner: Some("model".parse().unwrap()),
        message: "no idea".to_owned(),
    });
    assert_eq!(play.run.spent(), money(15));
    play.refuses(done(Caller::Planner, 2, 0));
    assert_eq!(play.call(Caller::Planner, 1), 3);
    play.must(Event::HostStarted);
    assert_eq!(play.run.next_call(Caller::Planner), Some(4));
    let plan = PlanBuilder::new().task(t("a").model()).build();
    play.must(Event::PlanFrozen {
        digest: Digest::of(b"plan"),
        plan,
    });
    assert_eq!(play.run.next_call(Caller::Planner), None);
    play.start();
    assert_eq!(play.left(play.by("a")), Some(50 - 16));
}

#[test]
fn what_is_written_down_alone_has_no_planner_that_could_call() {
    let mut play = Play::draft(BOTH, &[]);
    play.must(Event::PlanningStarted);
    assert!(
        play.refuses(starts(Caller::Planner, 1, 0))
            .contains("no planner runs")
    );
}

#[test]
fn a_run_without_a_limit_adds_up() {
    let plan = PlanBuilder::new().task(t("a").model()).task(t("b"));
    let mut play = Play::of(plan.build());
    play.start();
    let by = play.by("a");
    assert_eq!(play.run.allowance(by), Some(Allowance::OPEN));
    play.call(by, u64::MAX);
    let call = play.call(by, 1_000_000);
    play.call_done(by, call, 700_000);
    play.call_done(by, 1, 300_000);
    play.spend("b", 4);
    play.ok("a");
    play.end("b", crate::play::charged(&[5, 1]));
    assert_eq!(play.run.reserved(), Amount::NOTHING);
    assert_eq!(play.run.spent(), money(1_000_010));
    play.is(RunState::Verified);
}

#[test]
fn a_plugin_that_ran_out_of_money_and_failed_is_told_apart() {
    let (mut play, by) = one();
    play.must(Event::CallRefused {
        by,
        request: request(money(10)),
        reason: "the model is not allowed".to_owned(),
    });
    play.end("a", failure(FailureClass::Plugin));
    assert!(!play.run.refused_by_budget(), "there was enough");

    let (mut play, by) = one();
    play.must(Event::CallRefused {
        by,
        request: request(money(101)),
        reason: "over the budget".to_owned(),
    });
    play.end("a", failure(FailureClass::Plugin));
    play.is(RunState::Failed);
    let summary = play.run.summary();
    assert!(summary.refused_by_budget && !summary.refused_by_policy);
    assert!(summary.errors[0].over_budget);

    let (mut play, _) = one();
    play.end("a", failure(FailureClass::Refused));
    let summary = play.run.summary();
    assert!(!summary.refused_by_budget && summary.refused_by_policy);
}
