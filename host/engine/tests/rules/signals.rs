//! Waits for signals: what they wait for, what ends them, and what does not.

use crate::play::{BOTH, Play};
use sandgate_engine::{Command, Evaluated, Event, RunState, TaskState, Timer, signal_digest};
use sandgate_model::{Digest, Moment, Payload, Signal, TaskIx};
use sandgate_testkit::{PlanBuilder, TaskBuilder, actor};
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) fn map(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

pub(crate) fn signal(id: &str, kind: &str, fields: &[(&str, &str)]) -> Signal {
    let (kind, fields) = (kind.parse().unwrap(), map(fields));
    let data = json!({ "ok": true });
    Signal {
        id: id.to_owned(),
        digest: signal_digest(&kind, &fields, &data),
        kind,
        fields,
        data: Payload::Inline(data),
        by: actor("ci", &[]),
        at: Moment(1),
    }
}

pub(crate) fn started(task: TaskIx, fields: &[(&str, &str)]) -> Event {
    Event::WaitStarted {
        task,
        matches: map(fields),
    }
}

pub(crate) fn delivered(task: TaskIx, signal: Signal) -> Event {
    Event::SignalDelivered { task, signal }
}

fn plan(timeout: Option<u64>) -> PlanBuilder {
    PlanBuilder::new()
        .task(
            TaskBuilder::new("ci")
                .wait("ci", timeout)
                .matching(&["sha"]),
        )
        .task(TaskBuilder::new("after").needs(&[0]))
}

#[test]
fn a_wait_says_what_for_and_the_signal_that_fits_ends_it() {
    let (mut play, commands) = Play::with(BOTH, plan(Some(60)).build());
    let ci = play.ix("ci");
    let arm = Command::ArmTimer {
        timer: Timer::Wait(ci),
        at: Moment(play.now + 60),
    };
    assert_eq!(commands, [arm, Command::StartWait { task: ci }]);
    assert_eq!(play.run.open_waits(), []);
    let early = play.refuses(delivered(ci, signal("1", "ci", &[("sha", "a")])));
    assert!(early.contains("has not said yet"), "{early}");
    assert!(
        play.refuses(started(ci, &[("branch", "main")]))
            .contains("by these fields")
    );

    assert_eq!(play.must(started(ci, &[("sha", "a")])), []);
    assert!(
        play.refuses(started(ci, &[("sha", "b")]))
            .contains("has said")
    );
    let open = play.run.open_waits();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].task, &open[0].matches),
        (ci, &map(&[("sha", "a")]))
    );
    assert_eq!(open[0].since, Moment(play.now));

    for wrong in [
        signal("1", "ci", &[("sha", "b")]),
        signal("1", "ci", &[]),
        signal("1", "review", &[("sha", "a")]),
        signal("1", "human_approval", &[("sha", "a")]),
    ] {
        play.refuses(delivered(ci, wrong));
    }
    let fits = signal("1", "ci", &[("sha", "a"), ("by", "github")]);
    play.must(delivered(ci, fits.clone()));
    assert_eq!(
        play.words(&["ci", "after"]),
        ["succeeded", "ready dispatch-limit"]
    );
    let output = play.run.output(ci).unwrap();
    assert_eq!(
        output.output,
        Payload::Inline(json!({
            "type": "ci", "id": "1", "fields": { "sha": "a", "by": "github" }, "data": { "ok": true },
        }))
    );
    assert_eq!(play.run.wait_signal(ci), Some(&fits));
    let past = play.run.past_waits();
    assert_eq!(past[0].how, "resolved by signal `1`");
    assert_eq!(
        (past[0].ended, play.run.open_waits().len()),
        (Moment(play.now), 0)
    );
    play.refuses(delivered(ci, fits));
    play.refuses(Event::TimerFired {
        timer: Timer::Wait(ci),
    });
}

#[test]
fn stored_data_stays_a_reference() {
    let mut play = Play::of(plan(None).build());
    let ci = play.ix("ci");
    play.must(started(ci, &[("sha", "a")]));
    let mut large = signal("1", "ci", &[("sha", "a")]);
    large.data = Payload::Stored {
        digest: Digest::of(b"large"),
        size: 9_999,
    };
    play.must(delivered(ci, large.clone()));
    let Payload::Inline(output) = &play.run.output(ci).unwrap().output else {
        panic!("the frame is small");
    };
    assert_eq!(output["data"]["$payload"]["stored"]["size"], json!(9_999));
    assert_eq!(play.run.wait_signal(ci).unwrap().data, large.data);
}

#[test]
fn a_wait_whose_fields_cannot_be_made_out_fails_and_one_that_waits_does_not() {
    let mut play = Play::of(plan(None).build());
    let ci = play.ix("ci");
    let failed = Event::TaskEvaluated {
        task: ci,
        evaluated: Evaluated::Failed {
            message: "no such input".to_owned(),
        },
    };
    let mut waits = Play::of(plan(None).build());
    waits.must(started(ci, &[("sha", "a")]));
    assert!(waits.refuses(failed.clone()).contains("has said"));
    play.must(failed);
    assert_eq!(
        play.words(&["ci", "after"]),
        ["failed", "skipped dependency-failed"]
    );
    play.is(RunState::Failed);
}

#[test]
fn the_time_of_a_wait_runs_from_its_beginning_and_a_late_signal_is_too_late() {
    let mut play = Play::of(plan(Some(60)).build());
    let ci = play.ix("ci");
    play.must(started(ci, &[("sha", "a")]));
    play.must(Event::TimerFired {
        timer: Timer::Wait(ci),
    });
    play.is(RunState::Failed);
    play.refuses(delivered(ci, signal("1", "ci", &[("sha", "a")])));
    assert_eq!(play.run.past_waits()[0].how, "timed out");

    let commands = play.must(Event::RetryRequested {
        tasks: vec![ci],
        by: None,
    });
    assert!(
        commands.contains(&Command::StartWait { task: ci }),
        "anew: {commands:?}"
    );
    assert_eq!(play.run.past_waits(), []);
    play.must(started(ci, &[("sha", "b")]));
    play.must(delivered(ci, signal("2", "ci", &[("sha", "b")])));
    assert_eq!(play.state("ci"), TaskState::Succeeded);
}

#[test]
fn a_new_host_asks_again_only_those_that_have_not_said_what_for() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a").wait("ci", None))
        .task(TaskBuilder::new("b").wait("ci", Some(60)))
        .build();
    let mut play = Play::of(plan);
    let (a, b) = (play.ix("a"), play.ix("b"));
    let again = play.must(Event::HostStarted);
    assert!(again.contains(&Command::StartWait { task: a }), "{again:?}");
    assert!(again.contains(&Command::StartWait { task: b }), "{again:?}");
    play.must(started(a, &[]));
    let again = play.must(Event::HostStarted);
    assert!(
        !again.contains(&Command::StartWait { task: a }),
        "{again:?}"
    );
    assert!(again.contains(&Command::StartWait { task: b }), "{again:?}");
    play.must(delivered(a, signal("1", "ci", &[])));
    assert_eq!(
        play.state("a"),
        TaskState::Succeeded,
        "a crash is no end of a wait"
    );
}

#[test]
fn waits_of_instances_are_resolved_one_by_one() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("each").wait("ci", None).for_each())
        .build();
    let mut play = Play::of(plan);
    let each = play.ix("each");
    play.must(Event::TaskEvaluated {
        task: each,
        evaluated: Evaluated::Each {
            items: vec![Payload::Inline(json!(1)), Payload::Inline(json!(2))],
        },
    });
    let (one, two) = (play.ix("each.0"), play.ix("each.1"));
    play.refuses(started(each, &[]));
    play.must(started(one, &[]));
    play.must(started(two, &[]));
    assert_eq!(play.run.open_waits()[1].id.as_str(), "each.1");
    play.must(delivered(two, signal("1", "ci", &[])));
    assert_eq!(play.state("each"), TaskState::Running);
    play.must(delivered(one, signal("1", "ci", &[])));
    play.is(RunState::Verified);
}

#[test]
fn a_signal_that_says_approved_approves_nothing() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("deploy").approval_before())
        .task(
            TaskBuilder::new("person")
                .wait("human_approval", None)
                .approval_before(),
        )
        .task(TaskBuilder::new("told").wait("human_approval", None))
        .build();
    let mut play = Play::of(plan);
    let (deploy, person, told) = (play.ix("deploy"), play.ix("person"), play.ix("told"));
    play.must(started(told, &[]));
    let yes = signal(
        "1",
        "human_approval",
        &[("approved", "yes"), ("task", "deploy")],
    );
    for task in [deploy, person] {
        play.refuses(delivered(task, yes.clone()));
        play.refuses(started(task, &[]));
    }
    play.must(delivered(told, yes));
    assert_eq!(
        play.words(&["deploy", "person", "told"]),
        ["pending approval", "pending approval", "succeeded"]
    );
    assert_eq!(play.start(), Vec::<String>::new());
}
