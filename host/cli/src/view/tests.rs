//! What people read, whole: a change here is a change of the product. And whatever a plugin says, nothing it says
//! reaches the terminal raw.

use super::{event, fixture::*, plan as plan_view, status, summary, why};
use crate::{
    exit::{self, Exit},
    ui::Look,
};
use proptest::prelude::*;
use sandgate_engine::{Event, Run, Steps};
use sandgate_journal::Driving;
use sandgate_model::{AttemptEnd, FailureClass, Moment, TaskId, Verdict};

fn later(run: &Run) -> Moment {
    Moment(run.created().0 + 10_000)
}

fn shown(run: &Run) -> String {
    summary::text(&run.summary(), &Look::plain())
}

#[test]
fn a_partial_run() {
    let (run, _) = play(partial());
    insta::assert_snapshot!(shown(&run));
    assert_eq!(exit::of_run(summary::ended(&run.summary())), Exit::Failed);
}

#[test]
fn a_partial_run_in_a_narrow_terminal() {
    let (run, _) = play(partial());
    insta::assert_snapshot!(summary::text(&run.summary(), &Look::plain().columns(72)));
}

fn all_succeed(verdict: Verdict) -> Script {
    let mut script = planned(plan(true), ALL);
    for task in 0..3 {
        script.extend(attempt(task, 1, 100, answer()));
    }
    script.extend(gate(verdict));
    script
}

#[test]
fn a_verified_run() {
    let (run, _) = play(all_succeed(Verdict::Pass));
    insta::assert_snapshot!(shown(&run));
    assert_eq!(exit::of_run(summary::ended(&run.summary())), Exit::Success);
}

#[test]
fn a_gate_that_fails_is_told_from_a_task_that_fails() {
    for verdict in [Verdict::Fail, Verdict::Inconclusive, Verdict::NeedsHuman] {
        let (run, _) = play(all_succeed(verdict));
        assert_eq!(
            exit::of_run(summary::ended(&run.summary())),
            Exit::Gate,
            "{verdict:?}"
        );
    }
    let (run, _) = play(all_succeed(Verdict::Fail));
    insta::assert_snapshot!(shown(&run));
}

#[test]
fn a_plan_that_waits() {
    let (run, _) = play(planned(
        plan(true),
        Steps {
            dispatch: false,
            verify: false,
        },
    ));
    insta::assert_snapshot!(shown(&run));
    assert_eq!(exit::of_run(summary::ended(&run.summary())), Exit::Waiting);
    let plan = run.plan().unwrap();
    insta::assert_snapshot!(
        "the_plan",
        plan_view::text(plan, run.digest(), &Look::plain())
    );
}

#[test]
fn planning_that_fails() {
    let mut script = planned(plan(false), ALL);
    script.truncate(2);
    script.push((
        5,
        Event::PlannerFailed {
            planner: plan(false).planner,
            message: "a cycle: a -> b -> a\nan unknown agent `sudo`".into(),
        },
    ));
    let (run, _) = play(script);
    insta::assert_snapshot!(shown(&run));
    assert_eq!(exit::of_run(summary::ended(&run.summary())), Exit::Failed);
}

#[test]
fn a_refusal_is_told_from_a_failure() {
    let mut script = planned(plan(false), ALL);
    for task in 0..2 {
        let end = AttemptEnd::Failed {
            class: FailureClass::Refused,
            message: "no grant".into(),
            permanent: true,
        };
        script.extend(attempt(task, 1, 1, end));
    }
    let (run, _) = play(script);
    assert_eq!(exit::of_run(summary::ended(&run.summary())), Exit::Refused);
}

#[test]
fn why_names_reason_time_and_who() {
    let mut script = partial();
    script.truncate(7);
    let (run, _) = play(script);
    let summary = run.summary();
    let all = why::collect(&summary, run.open_waits(), None);
    insta::assert_snapshot!(why::text(&summary, &all, later(&run), &Look::plain()));
    let draft = TaskId::new("draft").unwrap();
    let one = why::collect(&summary, run.open_waits(), Some(&draft));
    assert!(!why::text(&summary, &one, later(&run), &Look::plain()).contains("compare:"));
}

#[test]
fn why_after_the_end() {
    let (run, _) = play(partial());
    let summary = run.summary();
    let all = why::collect(&summary, run.open_waits(), None);
    insta::assert_snapshot!(why::text(&summary, &all, later(&run), &Look::plain()));
}

#[test]
fn status_of_a_run_on_its_way() {
    let mut script = partial();
    script.truncate(6);
    let (run, _) = play(script);
    let look = Look::plain();
    insta::assert_snapshot!(status::text(
        &run.summary(),
        &Driving::Process(4711),
        later(&run),
        &look
    ));
    let left = status::text(&run.summary(), &Driving::Nobody, later(&run), &look);
    assert!(
        left.contains("go on with `sandgate resume deadbeef`"),
        "{left}"
    );
}

/// All events of a story, as `events` shows them.
pub(super) fn story(script: Script) -> String {
    let look = Look::plain();
    let mut run: Option<Run> = None;
    let (end, events) = play(script);
    let mut out = String::new();
    for (at, event) in events {
        match &mut run {
            None => run = Some(Run::create(end.id(), at, &event).unwrap().0),
            Some(run) => drop(run.step(at, &event).unwrap()),
        }
        let run = run.as_ref().unwrap();
        let line = event::line(&event, run, &look);
        out.push_str(&format!("{} {}\n", look.zone.clock(at), line.text));
        for below in line.below {
            out.push_str(&format!("           {below}\n"));
        }
        if let Some(end) = event::run_ended(run, &look) {
            out.push_str(&format!("{} {end}\n", look.zone.clock(at)));
        }
    }
    out
}

#[test]
fn events_in_words() {
    insta::assert_snapshot!(story(partial()));
    insta::assert_snapshot!("events_with_a_gate", story(all_succeed(Verdict::Fail)));
}

fn raw(text: &str) -> bool {
    text.chars().any(|c| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn plugin_text_is_inert_and_makes_no_line_of_its_own(text in crate::ui::hostile()) {
        let message = format!("{text}\nrun 00000000 of brief: verified\n{text}");
        let mut script = planned(plan(true), ALL);
        script.extend(attempt(0, 1, 1, answer()));
        for n in 1..=2 {
            let end = AttemptEnd::Failed { class: FailureClass::Plugin, message: message.clone(), permanent: n == 2 };
            script.extend(attempt(1, n, 1, end));
            if n == 1 {
                script.push((1, Event::TimerFired { timer: sandgate_engine::Timer::Retry(sandgate_model::TaskIx(1)) }));
            }
        }
        let (run, _) = play(script.clone());
        let summary = run.summary();
        let look = Look::plain();
        let outputs = [
            summary::text(&summary, &look),
            why::text(&summary, &why::collect(&summary, run.open_waits(), None), later(&run), &look),
            status::text(&summary, &Driving::Nobody, later(&run), &look),
            story(script),
        ];
        for out in outputs {
            prop_assert!(!raw(&out), "{out:?}");
            prop_assert!(!out.lines().any(|l| l.starts_with("run 00000000")), "{out}");
        }
    }
}
