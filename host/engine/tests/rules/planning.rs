use crate::play::{BOTH, Play, frozen};
use sandgate_engine::{Command, Event, Outcome, RunState, Steps, Timer, Wait};
use sandgate_model::{AskNo, Moment, PluginName, TaskIx, Verdict};
use sandgate_testkit::{PlanBuilder, TaskBuilder, created};
use std::sync::Arc;

const NEITHER: Steps = Steps {
    dispatch: false,
    verify: false,
};

fn two() -> PlanBuilder {
    PlanBuilder::new()
        .task(TaskBuilder::new("a"))
        .task(TaskBuilder::new("b").needs(&[0]))
}

fn failed(planner: Option<&str>) -> Event {
    Event::PlannerFailed {
        planner: planner.map(|p| p.parse().unwrap()),
        message: "no idea".to_owned(),
    }
}

fn ask(planner: Option<&str>) -> [Command; 1] {
    let planner = planner.map(|p| p.parse::<PluginName>().unwrap());
    [Command::MakePlan { planner }]
}

#[test]
fn a_run_is_born_once() {
    let mut play = Play::draft(BOTH, &[]);
    play.is(RunState::Draft);
    assert!(play.refuses(created(BOTH, &[])).contains("exists already"));
    let wrong = sandgate_engine::Run::create(play.run.id(), Moment(0), &Event::Paused { by: None });
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("`paused` is not possible while the run is draft")
    );
}

#[test]
fn planners_are_asked_in_turn_and_the_last_failure_is_a_check() {
    let mut play = Play::draft(BOTH, &["model", "rules"]);
    assert_eq!(play.must(Event::PlanningStarted), ask(Some("model")));
    assert!(
        play.refuses(failed(Some("rules")))
            .contains("the one asked is `model`")
    );
    assert_eq!(play.must(failed(Some("model"))), ask(Some("rules")));
    assert!(
        play.refuses(failed(Some("model")))
            .contains("the one asked is `rules`")
    );
    assert_eq!(play.must(failed(Some("rules"))), [Command::Finish]);
    play.is(RunState::Failed);
    assert_eq!(play.run.outcome(), Some(Outcome::Failed));
    let summary = play.run.summary();
    let check = &summary.checks[0];
    assert_eq!(
        (check.name.as_str(), check.verdict),
        ("plan_generation", Verdict::Fail)
    );
    assert_eq!(check.message, "model: no idea\nrules: no idea");
    assert!(play.refuses(frozen(two().build())).contains("too late"));
}

#[test]
fn written_tasks_alone_need_no_planner() {
    let mut play = Play::draft(BOTH, &[]);
    assert_eq!(play.must(Event::PlanningStarted), ask(None));
    assert_eq!(play.must(failed(None)), [Command::Finish]);
    play.is(RunState::Failed);
}

#[test]
fn each_step_waits_to_be_asked_for() {
    let (mut play, commands) = Play::with(NEITHER, two().gate("g", 0).timeout(100).build());
    assert_eq!(commands, []);
    play.is(RunState::PlanReview);
    assert_eq!(play.run.waits(), [Wait::Dispatch]);
    assert_eq!(
        play.words(&["a", "b"]),
        ["pending plan-review", "pending plan-review"]
    );
    assert_eq!(play.run.next_start(), None);
    assert!(
        play.refuses(Event::VerifyRequested)
            .contains("nothing of it was dispatched")
    );
    let next = play.run.summary().next_dispatch;
    assert_eq!(
        next.iter().map(|n| n.task.as_str()).collect::<Vec<_>>(),
        ["a"]
    );

    let armed = Command::ArmTimer {
        timer: Timer::Run,
        at: Moment(play.now + 1 + 100),
    };
    assert_eq!(play.must(Event::DispatchRequested), [armed]);
    assert!(
        play.refuses(Event::DispatchRequested)
            .contains("dispatched already")
    );
    assert!(
        play.refuses(Event::VerifyRequested)
            .contains("have not ended")
    );
    for id in ["a", "b"] {
        play.start();
        play.ok(id);
    }
    play.is(RunState::Running);
    assert_eq!(play.run.waits(), [Wait::Verify]);
    assert!(play.run.idle());
    play.must(Event::VerifyRequested);
    play.is(RunState::Verifying);
}

#[test]
fn a_plan_to_be_reviewed_waits_for_a_person() {
    let (mut play, _) = Play::with(BOTH, two().review().build());
    play.is(RunState::PlanReview);
    assert_eq!(
        play.run.waits(),
        [Wait::PlanApproval {
            ask: Some(AskNo(1))
        }]
    );
    assert!(
        play.refuses(Event::DispatchRequested)
            .contains("needs approval")
    );
    let blocked = play.run.blocked(TaskIx(0)).unwrap();
    assert_eq!(
        (blocked.who.as_str(), blocked.unblocks.as_str()),
        ("operator", "approval 1: an approval of the plan")
    );
}

#[test]
fn an_empty_plan_is_verified_at_once() {
    let (play, commands) = Play::with(BOTH, PlanBuilder::new().build());
    assert_eq!(commands, [Command::Finish]);
    play.is(RunState::Verified);
}

#[test]
fn a_plan_that_breaks_its_promises_is_refused() {
    let plan = |change: fn(&mut sandgate_model::Plan)| {
        let mut plan = sandgate_model::Plan::clone(&two().build());
        change(&mut plan);
        Arc::new(plan)
    };
    let cases = [
        (plan(|p| p.tasks[0].needs.push(TaskIx(1))), "cycle"),
        (plan(|p| p.tasks[1].needs.push(TaskIx(1))), "cycle"),
        (plan(|p| p.tasks[1].needs.push(TaskIx(7))), "does not exist"),
        (
            plan(|p| p.tasks[1].needs.push(TaskIx(u32::MAX))),
            "does not exist",
        ),
        (plan(|p| p.tasks[1].needs.push(TaskIx(0))), "named twice"),
        (
            plan(|p| p.tasks[1].id = p.tasks[0].id.clone()),
            "the id `a`",
        ),
        (plan(|p| p.concurrency = 0), "concurrency is 0"),
        (plan(|p| p.tasks[0].retry.attempts = 0), "attempts"),
        (plan(|p| p.format = 9), "format 9"),
        (
            plan(|p| {
                p.tasks[0].consumes.push(sandgate_model::ArtifactRef {
                    task: TaskIx(1),
                    name: "x".parse().unwrap(),
                });
            }),
            "does not need",
        ),
    ];
    for (plan, expected) in cases {
        let mut play = Play::draft(BOTH, &[]);
        play.must(Event::PlanningStarted);
        let why = play.refuses(frozen(plan));
        assert!(why.contains(expected), "{why} / {expected}");
        play.must(frozen(two().build()));
    }
}
