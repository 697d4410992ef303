//! Who gets how much.

use crate::play::{BOTH, Play, frozen, money};
use sandgate_engine::{Allowance, Evaluated, Event, Run, RunState};
use sandgate_model::{Amount, AttemptNo, FailureClass, Moment, OverBudget, Payload};
use sandgate_testkit::{PlanBuilder, TaskBuilder, created_with, run_id};
use serde_json::json;

pub(crate) fn t(id: &str) -> TaskBuilder {
    TaskBuilder::new(id)
}

pub(crate) fn plan(limit: u64, tasks: impl IntoIterator<Item = TaskBuilder>) -> PlanBuilder {
    let plan = PlanBuilder::new().budget(limit, None, OverBudget::Refuse);
    tasks.into_iter().fold(plan, PlanBuilder::task)
}

pub(crate) fn run(limit: u64, tasks: impl IntoIterator<Item = TaskBuilder>) -> Play {
    Play::of(plan(limit, tasks).build())
}

pub(crate) fn lefts(play: &Play, ids: &[&str]) -> Vec<Option<u64>> {
    ids.iter().map(|id| play.left(play.by(id))).collect()
}

pub(crate) fn error(play: &Play, id: &str) -> String {
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
    play.must(Event::RetryRequested {
        tasks: vec![],
        by: None,
    });
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
