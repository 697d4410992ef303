//! What happens when the money does not go round: who waits, who is refused, who is asked.

use crate::budget::{error, lefts, plan, run, t};
use crate::play::{Play, charged, checks, failure, money};
use sandgate_engine::{Command, Event, GateState, Reason, Run, RunState, Wait};
use sandgate_model::{
    Amount, AskNo, AttemptEnd, AttemptNo, Caller, FailureClass, GateIx, OverBudget, Plan, TaskIx,
    Verdict,
};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use serde_json::json;
use std::sync::Arc;

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

fn asking(limit: u64, tasks: impl IntoIterator<Item = TaskBuilder>) -> Arc<Plan> {
    let plan = PlanBuilder::new().budget(limit, None, OverBudget::Ask);
    tasks.into_iter().fold(plan, PlanBuilder::task).build()
}

#[test]
fn a_person_is_asked_when_the_plan_says_so() {
    let (mut play, commands) = Play::with(
        crate::play::BOTH,
        asking(10, [t("a").model().budget(11), t("b")]),
    );
    play.put(&commands);
    assert_eq!(play.start(), ["b"]);
    play.ok("b");
    play.is(RunState::Running);
    assert!(play.run.idle());
    assert_eq!(
        play.run.waits(),
        [Wait::Budget {
            task: "a".parse().unwrap(),
            ask: Some(AskNo(1)),
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
        by: None,
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
        let commands = play.ok("a");
        play.put(&commands);
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
            gate: "g".parse().unwrap(),
            ask: Some(AskNo(1)),
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
    play.must(Event::RetryRequested {
        tasks: vec![],
        by: None,
    });
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
