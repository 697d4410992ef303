//! Plans are reviewed, rejected with feedback, edited. Nothing of a plan that was not approved ever starts.

use crate::people::{digest, governed, rule, who, with};
use crate::play::{BOTH, Play};
use sandgate_engine::{Command, DecideRefusal, Event, Outcome, RunState, Steps, Wait};
use sandgate_model::{AskNo, Decision, Plan, RuleOn};
use sandgate_testkit::{PlanBuilder, TaskBuilder};
use std::sync::Arc;

const REPLAN: Decision = Decision::Reject { replan: true };

fn plan(revision: u32, tasks: &[&str]) -> Arc<Plan> {
    let plan = PlanBuilder::new().review();
    let all = tasks.iter().map(|id| TaskBuilder::new(id));
    with(all.fold(plan, PlanBuilder::task).build(), |plan| {
        plan.revision = revision;
    })
}

fn frozen(plan: Arc<Plan>) -> Event {
    let digest = plan.digest().unwrap();
    Event::PlanFrozen { digest, plan }
}

fn modified(was: &Plan, plan: Arc<Plan>) -> Event {
    Event::PlanModified {
        was: was.digest().unwrap(),
        digest: plan.digest().unwrap(),
        plan,
        by: who("ann", &[]),
        reason: String::new(),
    }
}

fn make(planner: &str) -> Command {
    Command::MakePlan {
        planner: Some(planner.parse().unwrap()),
    }
}

fn play(planners: &[&str]) -> Play {
    let mut play = crate::people::drafted(vec![], planners);
    play.must(Event::PlanningStarted);
    play
}

fn says(play: &mut Play, no: u32, decision: Decision) -> Vec<Command> {
    let event = play.decision(no, decision, &who("ann", &[]));
    play.must(event)
}

#[test]
fn a_rejected_plan_is_made_anew_with_what_was_said() {
    let mut play = play(&["model", "rules"]);
    play.must(Event::PlannerFailed {
        planner: Some("model".parse().unwrap()),
        message: "no".to_owned(),
    });
    play.must(frozen(plan(1, &["a", "b"])));
    assert_eq!(
        play.run.ask(AskNo(1)).unwrap().ask.digest,
        plan(1, &["a", "b"]).digest().unwrap()
    );
    assert_eq!(
        says(&mut play, 1, REPLAN),
        [make("model")],
        "from the first one on"
    );
    play.is(RunState::Planning);
    let feedback = &play.run.feedback()[0];
    assert_eq!(
        (feedback.text.as_str(), feedback.by.name.as_str()),
        ("because", "ann")
    );
    assert_eq!(Some(feedback.plan), plan(1, &["a", "b"]).digest().ok());
    assert_eq!((play.run.plan(), play.run.tasks().count()), (None, 0));

    assert!(play.refuses(frozen(plan(1, &["c"]))).contains("revision 2"));
    let quiet = with(plan(2, &["c"]), |plan| plan.review = false);
    assert!(play.refuses(frozen(quiet)).contains("reviewed, too"));
    play.must(frozen(plan(2, &["c"])));
    assert_eq!(play.open(), [2]);
    play.approve(2, &who("ann", &[]));
    assert_eq!(play.start(), ["c"]);
    play.ok("c");
    assert_eq!(play.run.outcome(), Some(Outcome::Verified));
}

#[test]
fn nothing_of_a_rejected_plan_can_be_retried() {
    let mut run = play(&["model"]);
    run.must(frozen(plan(1, &["a"])));
    says(&mut run, 1, REPLAN);
    run.must(Event::PlannerFailed {
        planner: Some("model".parse().unwrap()),
        message: "no".to_owned(),
    });
    run.is(RunState::Failed);
    let retry = || Event::RetryRequested {
        tasks: vec![],
        by: None,
    };
    assert!(run.refuses(retry()).contains("no plan"));

    let mut run = play(&[]);
    run.must(frozen(plan(1, &["a"])));
    run.cancel();
    assert!(run.refuses(retry()).contains("never approved"));
    assert_eq!(run.ask_state(1), "withdrawn");

    for decision in [Decision::NO, REPLAN] {
        let mut run = play(&[]);
        run.must(frozen(plan(1, &["a"])));
        says(&mut run, 1, decision);
        run.is(RunState::Cancelled);
        assert!(run.refuses(retry()).contains("never approved"));
        assert!(run.refuses(Event::DispatchRequested).contains("ended"));
    }
}

#[test]
fn after_twenty_plans_it_is_enough() {
    let mut play = play(&["model"]);
    for revision in 1..=20 {
        play.must(frozen(plan(revision, &["a"])));
        says(&mut play, revision, REPLAN);
    }
    play.is(RunState::Cancelled);
    assert_eq!(play.run.feedback().len(), 20);
}

#[test]
fn an_edited_plan_is_another_one_and_is_asked_about_anew() {
    let mut play = play(&[]);
    let (one, two) = (plan(1, &["a"]), plan(2, &["b", "c"]));
    play.must(frozen(Arc::clone(&one)));
    let stale = modified(&two, plan(2, &["b"]));
    assert!(play.refuses(stale).contains("not the plan of now"));
    assert!(
        play.refuses(modified(&one, plan(3, &["b"])))
            .contains("next revision of the plan is 2")
    );
    let quiet = with(plan(2, &["b"]), |plan| plan.review = false);
    assert!(
        play.refuses(modified(&one, quiet))
            .contains("who reviews it")
    );
    let other = with(plan(2, &["b"]), |plan| {
        plan.review_rule = Some("mine".to_owned())
    });
    assert!(
        play.refuses(modified(&one, other))
            .contains("who reviews it")
    );

    play.must(modified(&one, Arc::clone(&two)));
    assert_eq!((play.ask_state(1), play.open()), ("withdrawn", vec![2]));
    let why = format!(
        "the plan was edited by `ann`: revision 2, digest {}",
        two.digest().unwrap()
    );
    let refused = play.run.judge(
        AskNo(1),
        one.digest().unwrap(),
        Decision::YES,
        &who("ann", &[]),
    );
    assert_eq!(refused, Err(DecideRefusal::Withdrawn { why }));
    play.approve(2, &who("ann", &[]));
    assert_eq!(play.start(), ["b", "c"]);
    assert!(
        play.refuses(modified(&two, plan(3, &["d"])))
            .contains("only while")
    );
}

#[test]
fn an_approved_plan_that_is_edited_before_dispatch_is_reviewed_again() {
    let steps = Steps {
        dispatch: false,
        ..BOTH
    };
    let mut play = Play::draft(steps, &[]);
    play.must(Event::PlanningStarted);
    let one = plan(1, &["a"]);
    play.must(frozen(Arc::clone(&one)));
    assert!(
        play.refuses(Event::DispatchRequested)
            .contains("needs approval")
    );
    says(&mut play, 1, Decision::YES);
    play.is(RunState::PlanReview);
    assert_eq!(play.run.waits(), [Wait::Dispatch]);
    play.must(modified(&one, plan(2, &["b"])));
    assert_eq!(
        play.run.waits(),
        [Wait::PlanApproval {
            ask: Some(AskNo(2))
        }]
    );
    assert!(
        play.refuses(Event::DispatchRequested)
            .contains("needs approval")
    );
    says(&mut play, 2, Decision::YES);
    play.must(Event::DispatchRequested);
    assert_eq!(play.start(), ["b"]);
}

#[test]
fn the_rule_that_the_plan_names_is_the_one_that_counts() {
    let named = with(plan(1, &["a"]), |plan| {
        plan.review_rule = Some("chief".to_owned());
    });
    let rules = vec![
        rule("all", RuleOn::Plan, &["everybody"]),
        rule("chief", RuleOn::Plan, &["chief"]),
    ];
    let (mut play, _) = governed(rules, &[], named);
    assert!(matches!(
        play.run.judge(
            AskNo(1),
            digest("plan"),
            Decision::YES,
            &who("ann", &["everybody"])
        ),
        Err(DecideRefusal::NotAllowed { .. })
    ));
    play.approve(1, &who("eve", &["chief"]));
    play.is(RunState::Running);
}
