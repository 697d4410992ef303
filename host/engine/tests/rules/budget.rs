use crate::play::{BOTH, Play, charged, checks, failure, frozen, money};
use sandgate_engine::{
    Allowance, Command, Evaluated, Event, GateState, Reason, Run, RunState, Wait,
};
use sandgate_model::{
    Amount, AttemptEnd, AttemptNo, Caller, FailureClass, GateIx, Moment, OverBudget, Payload, Plan,
    TaskIx, Verdict,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder, created_with, run_id};
use serde_json::json;
use std::sync::Arc;

fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

fn plan(limit: u64, tasks: impl IntoIterator<Item = TaskBuilder>) -> PlanBuilder {
    let plan = PlanBuilder::new().budget(limit, None, OverBudget::Refuse);
    tasks.into_iter().fold(plan, PlanBuilder::task)
}

fn run(limit: u64, tasks: impl IntoIterator<Item = TaskBuilder>) -> Play {
    Play::of(plan(limit, tasks).build())
}

fn lefts(play: &Play, ids: &[&str]) -> Vec<Option<u64>> {
    ids.iter().map(|id| play.left(play.by(id))).collect()
}

fn error(play: &Play, id: &str) -> String {
    let (class, message) = play.task(id).error.unwrap();
    assert_eq!(*class, FailureClass::Refused);
    message.to_owned()
}

#[test]
fn spenders_share_alike_and_nobody_else_gets_anything() {
    let mut play = run(
        100,
        [t("a").model(), t("b"), t("c").charges(), t("d").model()],
    );
    play.start();
    assert_eq!(
        lefts(&play, &["a", "b", "c", "d"]),
        [Some(33), Some(0), Some(33), Some(34)]
    );
    assert_eq!(play.run.reserved(), money(100));
    play.refuses(crate::play::starts(play.by("b"), 1, 1));
    play.call(play.by("b"), 0);
}

#[test]
fn what_an_attempt_leaves_goes_to_those_that_follow() {
    let mut play = run(
        100,
        [
            t("a").model(),
            t("b").model().needs(&[0]),
            t("c").model().needs(&[1]),
        ],
    );
    play.start();
    assert_eq!(lefts(&play, &["a"]), [Some(33)]);
    play.spend("a", 10);
    play.ok("a");
    assert_eq!(play.run.reserved(), Amount::NOTHING);
    play.start();
    assert_eq!(lefts(&play, &["b"]), [Some(45)], "90 for two");
    play.ok("b");
    play.start();
    assert_eq!(lefts(&play, &["c"]), [Some(90)]);
    play.spend("c", 90);
    play.ok("c");
    play.is(RunState::Verified);
    let summary = play.run.summary();
    assert_eq!(summary.spent, money(100));
    let each: Vec<u64> = summary.tasks.iter().map(|task| task.spent.micros).collect();
    assert_eq!(each, [10, 0, 90]);
}

#[test]
fn a_written_budget_is_reserved_whole_and_kept_from_the_shares() {
    let mut play = run(
        100,
        [
            t("a").model(),
            t("b").model().budget(70).needs(&[0]),
            t("c").model(),
        ],
    );
    play.start();
    assert_eq!(
        lefts(&play, &["a", "c"]),
        [Some(15), Some(15)],
        "70 are spoken for"
    );
    play.ok("a");
    play.start();
    assert_eq!(lefts(&play, &["b"]), [Some(70)]);
    assert_eq!(
        play.run.limit(),
        Allowance {
            micros: Some(100),
            tokens: None
        }
    );
}

#[test]
fn a_skipped_spender_leaves_its_share() {
    let mut play = run(
        100,
        [
            t("a").model().when(),
            t("b").model().budget(60).when(),
            t("c").model(),
        ],
    );
    for id in ["a", "b"] {
        let task = play.ix(id);
        play.must(Event::TaskEvaluated {
            task,
            evaluated: Evaluated::Skip,
        });
    }
    play.start();
    assert_eq!(lefts(&play, &["c"]), [Some(100)]);
}

#[test]
fn what_does_not_fit_beside_others_waits_for_their_end() {
    let mut play = run(
        10,
        [
            t("a").model().budget(8),
            t("b").model().budget(8),
            t("c"),
            t("d").needs(&[1]),
        ],
    );
    assert_eq!(play.start(), ["a", "c"]);
    assert_eq!(play.word("b"), "pending budget");
    let blocked = play.run.blocked(play.ix("b")).unwrap();
    assert_eq!(blocked.who, "nobody");
    assert_eq!(play.run.waits(), [], "it happens by itself");
    play.spend("a", 2);
    play.ok("a");
    assert_eq!(play.start(), ["b"]);
    play.ok("b");
    assert_eq!(play.start(), ["d"]);

    let mut play = run(
        10,
        [
            t("a").model().budget(8),
            t("b").model().budget(8),
            t("c"),
            t("d").needs(&[1]),
        ],
    );
    play.start();
    play.spend("a", 3);
    play.ok("a");
    assert_eq!(
        play.words(&["b", "d"]),
        ["failed", "skipped dependency-failed"]
    );
    assert_eq!(
        error(&play, "b"),
        "over the budget: task `b` needs 0.000008, and 0.000007 of the run's 0.00001 are left; raise `limit` under \
         [budget] of the workflow, or lower `budget` of the task"
    );
    play.ok("c");
    play.is(RunState::Failed);
    assert!(play.run.refused_by_budget() && !play.run.refused_by_policy());
}

#[test]
fn many_that_wait_are_let_in_one_after_the_other() {
    let tasks = (0..50).map(|n| t(&format!("t{n}")).model().budget(3));
    let mut play = Play::of(plan(7, tasks).concurrency(40).build());
    let mut order = Vec::new();
    for _ in 0..25 {
        let started = play.start();
        assert_eq!(started.len(), 2, "two fit");
        for id in started {
            play.ok(&id);
            order.push(id);
        }
    }
    assert_eq!(order, (0..50).map(|n| format!("t{n}")).collect::<Vec<_>>());
    play.is(RunState::Verified);
}

#[test]
fn a_share_of_nothing_is_refused() {
    let mut play = run(10, [t("a").model(), t("b").model().needs(&[0])]);
    play.start();
    play.spend("a", 5);
    play.ok("a");
    play.start();
    play.spend("b", 5);
    play.fail("b");
    play.is(RunState::Failed);
    assert!(!play.run.refused_by_budget());
    play.must(Event::RetryRequested { tasks: vec![] });
    play.is(RunState::Failed);
    assert_eq!(
        error(&play, "b"),
        "over the budget: task `b` needs a share of what is left, and 0.00 of the run's 0.00001 are; raise `limit` \
         under [budget] of the workflow"
    );
    assert!(play.run.refused_by_budget());
    assert_eq!(play.task("b").attempt, AttemptNo(1), "it did not start");
}

#[test]
fn the_smaller_limit_counts_and_is_named() {
    let cases = [(50, 100, "project"), (100, 50, "workflow")];
    for (given, written, who) in cases {
        let budget = Allowance {
            micros: Some(given),
            tokens: None,
        };
        let (run, _) = Run::create(run_id(1), Moment(0), &created_with(BOTH, &[], budget)).unwrap();
        let mut play = Play { run, now: 0 };
        play.must(Event::PlanningStarted);
        play.must(frozen(plan(written, [t("a").model().budget(51)]).build()));
        assert_eq!(play.run.limit().micros, Some(50));
        play.is(RunState::Failed);
        assert!(error(&play, "a").contains(&format!("[budget] of the {who}")));
    }
}

fn asking(limit: u64, tasks: impl IntoIterator<Item = TaskBuilder>) -> Arc<Plan> {
    let plan = PlanBuilder::new().budget(limit, None, OverBudget::Ask);
    tasks.into_iter().fold(plan, PlanBuilder::task).build()
}

#[test]
fn a_person_is_asked_when_the_plan_says_so() {
    let mut play = Play::of(asking(10, [t("a").model().budget(11), t("b")]));
    assert_eq!(play.start(), ["b"]);
    play.ok("b");
    play.is(RunState::Running);
    assert!(play.run.idle());
    assert_eq!(
        play.run.waits(),
        [Wait::Budget {
            task: "a".parse().unwrap()
        }]
    );
    let blocked = play.run.blocked(TaskIx(0)).unwrap();
    assert_eq!(
        (&blocked.reason, blocked.who.as_str()),
        (&Reason::Budget, "operator")
    );
    assert!(
        blocked.unblocks.contains("needs 0.000011, and 0.00001"),
        "{}",
        blocked.unblocks
    );
    play.must(Event::HostStarted);
    assert_eq!(play.word("a"), "pending budget");
    play.cancel();
    play.is(RunState::Cancelled);
}

#[test]
fn a_task_never_costs_more_than_its_own_budget() {
    let mut play = run(100, [t("a").model().budget(10).retry(5, 0)]);
    play.start();
    play.spend("a", 6);
    play.fail("a");
    assert_eq!(play.start(), ["a"]);
    assert_eq!(
        lefts(&play, &["a"]),
        [Some(4)],
        "what the first attempt left of it"
    );
    play.spend("a", 4);
    play.fail("a");
    play.is(RunState::Failed);
    assert!(error(&play, "a").contains("task `a` has spent its own `budget`"));
    assert_eq!(play.task("a").spent, money(10));
}

#[test]
fn a_budget_bounds_a_task_also_in_a_run_without_a_limit() {
    let plan = PlanBuilder::new()
        .task(t("a").model().budget(10))
        .task(t("b").model());
    let mut play = Play::of(plan.build());
    play.start();
    assert_eq!(lefts(&play, &["a", "b"]), [Some(10), None]);
    assert_eq!(
        play.run.reserved(),
        Amount::NOTHING,
        "of nothing in particular"
    );
    assert!(
        play.refuses(crate::play::starts(play.by("a"), 1, 11))
            .starts_with("over the budget")
    );
}

fn each(items: u64) -> Evaluated {
    Evaluated::Each {
        items: (0..items).map(|n| Payload::Inline(json!(n))).collect(),
    }
}

#[test]
fn instances_divide_what_their_task_may_cost() {
    let mut play = run(100, [t("a").model().budget(11).for_each(), t("b").model()]);
    let task = play.ix("a");
    play.must(Event::TaskEvaluated {
        task,
        evaluated: each(3),
    });
    play.start();
    assert_eq!(
        lefts(&play, &["b", "a.0", "a.1", "a.2"]),
        [Some(89), Some(4), Some(4), Some(3)]
    );

    let mut play = run(100, [t("a").model().for_each(), t("b").model()]);
    let task = play.ix("a");
    play.must(Event::TaskEvaluated {
        task,
        evaluated: each(3),
    });
    play.start();
    assert_eq!(
        lefts(&play, &["b", "a.0", "a.1", "a.2"]),
        [Some(25); 4],
        "instances count as spenders"
    );
    for id in ["a.0", "a.1", "a.2"] {
        play.spend(id, 5);
        play.ok(id);
    }
    assert_eq!(
        play.task("a").spent,
        Amount::NOTHING,
        "instances have their own"
    );
    assert_eq!(play.run.spent(), money(15));
}

#[test]
fn tokens_are_divided_among_those_that_use_them() {
    let plan = PlanBuilder::new()
        .budget(100, Some(1000), OverBudget::Refuse)
        .task(t("a").model())
        .task(t("b").charges())
        .task(t("c").model().tokens(50))
        .task(t("d").model().needs(&[0, 1, 2]));
    let mut play = Play::of(plan.build());
    play.start();
    let tokens = |play: &Play, id: &str| play.run.allowance(play.by(id)).unwrap().tokens;
    assert_eq!(
        ["a", "b", "c"].map(|id| tokens(&play, id)),
        [Some(333), Some(0), Some(50)]
    );
    let request = crate::play::request(Amount {
        micros: 0,
        tokens: 333,
    });
    let by = play.by("a");
    play.must(Event::CallStarted {
        by,
        call: 1,
        request,
    });
    play.must(Event::HostStarted);
    assert_eq!(
        play.run.spent(),
        Amount {
            micros: 0,
            tokens: 333
        }
    );
}

#[test]
fn a_crash_gives_back_what_was_not_spent_and_the_rest_stays_spent() {
    let mut play = run(
        100,
        [t("a").model().budget(60), t("b").charges().budget(40)],
    );
    play.start();
    play.spend("a", 10);
    play.call(play.by("a"), 20);
    play.spend("b", 5);
    play.must(Event::HostStarted);
    assert_eq!(
        play.words(&["a", "b"]),
        ["ready dispatch-limit", "lost response"]
    );
    assert_eq!(
        (play.run.spent(), play.run.reserved()),
        (money(35), Amount::NOTHING)
    );
    play.start();
    assert_eq!(lefts(&play, &["a"]), [Some(30)]);
    play.must(Event::RetryRequested {
        tasks: vec![TaskIx(1)],
    });
    play.start();
    assert_eq!(lefts(&play, &["b"]), [Some(35)]);
}

#[test]
fn a_report_beyond_the_reservation_is_refused_and_what_there_was_is_spent() {
    let mut play = run(
        100,
        [
            t("a").charges().budget(20).retry(5, 0),
            t("b"),
            t("c").charges(),
        ],
    );
    play.start();
    play.spend("a", 5);
    play.end("a", charged(&[10, 6]));
    assert_eq!(play.word("a"), "failed", "and not tried again");
    assert!(error(&play, "a").contains("charges of 0.000016"));
    assert!(
        error(&play, "a").contains("0.000005 were left then") || error(&play, "a").contains("left")
    );
    assert_eq!(play.task("a").spent, money(20));
    play.end("b", charged(&[1]));
    assert_eq!(play.word("b"), "failed", "it had nothing to spend");
    assert_eq!(play.task("b").spent, Amount::NOTHING);
    play.end("c", charged(&[40, 40]));
    assert_eq!(play.word("c"), "succeeded");
    assert_eq!(play.run.spent(), money(100));
    assert!(play.run.refused_by_budget());
}

#[test]
fn gates_share_what_the_tasks_left() {
    let gates = plan(100, [t("a").model()])
        .model_gate("g0", 0)
        .gate("g1", 0)
        .model_gate("g2", 1);
    let mut play = Play::of(gates.build());
    play.start();
    play.spend("a", 40);
    play.ok("a");
    play.start();
    let by = |gate: u32| Caller::Gate {
        gate: GateIx(gate),
        attempt: AttemptNo(1),
    };
    assert_eq!((play.left(by(0)), play.left(by(1))), (Some(30), Some(0)));
    play.call(by(0), 30);
    for gate in [0, 1] {
        play.gate(gate, checks(&[Verdict::Pass]));
    }
    play.start();
    assert_eq!(play.left(by(2)), Some(30));
    play.gate(2, checks(&[Verdict::Pass]));
    play.is(RunState::Verified);
    let spent: Vec<u64> = play
        .run
        .summary()
        .gates
        .iter()
        .map(|gate| gate.spent.micros)
        .collect();
    assert_eq!((spent, play.run.spent()), (vec![30, 0, 0], money(70)));
}

#[test]
fn a_gate_that_is_not_covered_does_not_pass() {
    let broke = |over| {
        let plan = PlanBuilder::new()
            .budget(10, None, over)
            .task(t("a").model())
            .model_gate("g", 0)
            .gate("h", 0);
        let mut play = Play::of(plan.build());
        play.start();
        play.spend("a", 10);
        play.ok("a");
        assert_eq!(play.start(), ["h"]);
        play.gate(1, checks(&[Verdict::Pass]));
        play
    };
    let play = broke(OverBudget::Refuse);
    play.is(RunState::Failed);
    assert!(play.run.refused_by_budget());
    let gate = play.run.gates().next().unwrap();
    assert_eq!(
        (gate.state, gate.verdict),
        (GateState::Blocked, Some(Verdict::Inconclusive))
    );
    assert!(
        gate.message
            .starts_with("over the budget: gate `g` needs a share"),
        "{}",
        gate.message
    );

    let mut play = broke(OverBudget::Ask);
    play.is(RunState::Verifying);
    assert!(play.run.idle());
    assert_eq!(
        play.run.waits(),
        [Wait::GateBudget {
            gate: "g".parse().unwrap()
        }]
    );
    play.cancel();
    play.is(RunState::Cancelled);
}

#[test]
fn a_start_that_the_budget_does_not_cover_is_refused_and_a_stop_ends_what_waits() {
    let mut play = Play::of(
        plan(10, [t("a").model().budget(8), t("b").model().budget(8)])
            .stop_on_failure()
            .build(),
    );
    play.start();
    let b = play.ix("b");
    assert!(
        play.refuses(crate::play::attempt(b, 1))
            .contains("not ready")
    );
    play.spend("a", 2);
    play.end("a", failure(FailureClass::Plugin));
    assert_eq!(
        play.words(&["a", "b"]),
        ["failed", "cancelled run-cancelled"]
    );
    play.is(RunState::Failed);
    play.must(Event::RetryRequested { tasks: vec![] });
    assert_eq!(play.start(), ["a"]);
    assert_eq!(
        play.word("b"),
        "pending budget",
        "8 are left, 6 of them held"
    );
    let commands = {
        let by = play.by("a");
        let call = play.call(by, 1);
        play.must(crate::play::done(by, call, 1))
    };
    assert_eq!(
        play.word("b"),
        "failed",
        "it can never be covered any more, and it is not kept waiting to be told so"
    );
    let cancel = Command::CancelAttempt {
        task: TaskIx(0),
        attempt: AttemptNo(2),
    };
    assert_eq!(commands, [cancel]);
    play.end("a", AttemptEnd::Cancelled);
    play.is(RunState::Failed);
    assert!(play.run.refused_by_budget());
}

#[test]
fn books_survive_a_snapshot() {
    let gates = plan(
        100,
        [
            t("a").model(),
            t("b").model().budget(99),
            t("c").model().needs(&[0]),
        ],
    );
    let mut play = Play::of(gates.build());
    play.start();
    play.call(play.by("a"), 1);
    assert_eq!(play.word("b"), "pending budget");
    let text = serde_json::to_string(&play.run.snapshot()).unwrap();
    let restored = Run::restore(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(restored, play.run);

    let mut damaged: serde_json::Value = serde_json::from_str(&text).unwrap();
    damaged["ledger"]["held"] = json!({ "micros": 1 });
    assert!(Run::restore(serde_json::from_value(damaged).unwrap()).is_err());
}
