//! Review of plans: approved, rejected, planned anew, edited; what was seen is what counts; who may decide.

use super::kit::{
    as_who, asks, count, events, eventually, fake, marks, only, only_id, principals, project, rule,
    state, task, text, workflow,
};
use crate::harness::Project;
use std::{thread::sleep, time::Duration};

/// A planner whose plan is one task, `told`, for `fake`.
const PLANNER: &str = "[planner]\nuse = \"planner\"\nreview = \"required\"\nconfig = { act = \"effects\", steps = [] }\n";

fn planned() -> Project {
    let project = project("", &workflow(&[PLANNER]));
    project.run(&["run", "w.toml"]).expect(4);
    assert_eq!(state(&project), "plan-review");
    project
}

#[test]
fn nothing_starts_before_the_plan_is_approved() {
    let project = planned();
    let plan = only(&project);
    assert_eq!(plan["about"], "plan");
    assert_eq!(plan["revision"], 1);
    assert_eq!(count(&events(&project), "attempt-started"), 0);
    // Whoever only resumes gets nowhere.
    project.run(&["resume"]).expect(4);
    assert_eq!(count(&events(&project), "attempt-started"), 0);
    let done = project
        .run(&["approve", &text(&plan["id"]), "--drive"])
        .expect(0);
    // The reviewer was shown the plan: its task, its agent, its plugin's digest.
    let done = done.says(&["told", "fake", "sha256:"]);
    drop(done);
    assert_eq!(state(&project), "verified");
    let events = events(&project);
    let at = |kind: &str| events.iter().position(|e| e["type"] == kind).unwrap();
    assert!(at("decided") < at("attempt-started"));
}

#[test]
fn a_rejected_plan_is_the_end_of_the_run() {
    let project = planned();
    let id = only_id(&project);
    project.run(&["reject", &id, "--reason", "no"]).expect(0);
    assert_eq!(state(&project), "cancelled");
    assert_eq!(count(&events(&project), "attempt-started"), 0);
    // Also for whoever says yes afterwards.
    let late = project.run(&["approve", &id]).expect(2);
    drop(late.says(&["rejected", "that stands"]));
    assert_eq!(count(&events(&project), "decided"), 1);
}

#[test]
fn feedback_makes_another_plan() {
    let project = planned();
    let first = only(&project);
    project
        .run(&[
            "reject",
            &text(&first["id"]),
            "--feedback",
            "two tasks, please",
            "--drive",
        ])
        .expect(4);
    let second = only(&project);
    assert_eq!(second["revision"], 2, "{second:#}");
    assert_ne!(second["id"], first["id"]);
    let seen = events(&project);
    assert_eq!(count(&seen, "plan-frozen"), 2);
    assert_eq!(count(&seen, "attempt-started"), 0);
    let decided = seen.iter().find(|e| e["type"] == "decided").unwrap();
    assert_eq!(decided["reason"], "two tasks, please");
    // The first plan is history: it cannot be approved any more.
    let old = project.run(&["approve", &text(&first["id"])]);
    assert_eq!(old.code(), 2, "{old}");
    assert_eq!(state(&project), "plan-review");
    let id = text(&second["id"]);
    project.run(&["approve", &id, "--drive"]).expect(0);
    assert_eq!(state(&project), "verified");
}

#[test]
fn a_decision_names_what_it_saw() {
    let project = planned();
    let plan = only(&project);
    let (id, digest) = (text(&plan["id"]), text(&plan["digest"]));
    let done = project
        .run(&["approve", &id, "--digest", &"0".repeat(16)])
        .expect(2);
    drop(done);
    let done = project.run(&["approve", &id, "--digest", "x"]).expect(2);
    drop(done);
    assert_eq!(state(&project), "plan-review");
    let right = digest.trim_start_matches("sha256:")[..12].to_owned();
    project.run(&["approve", &id, "--digest", &right]).expect(0);
}

/// A run whose plan needs this rule; `by` starts it.
fn ruled(more: &str, by: &str) -> Project {
    let project = project(
        &principals(),
        &workflow(&[&rule("plan-rule", "plan", more), &fake("one", "")]),
    );
    as_who(&project, by, &["run", "w.toml"]).expect(4);
    project
}

#[test]
fn only_whoever_has_the_role_decides() {
    let project = ruled("roles = [\"lead\"]", "bob");
    let id = only_id(&project);
    for who in ["bob", "eve", "mallory"] {
        for verb in ["approve", "reject"] {
            let done = as_who(&project, who, &[verb, &id]).expect(5);
            assert!(!done.stderr.contains("panicked"), "{done}");
        }
    }
    // The user of the machine is a principal without the role.
    project.run(&["approve", &id]).expect(5);
    assert_eq!(count(&events(&project), "decided"), 0);
    as_who(&project, "ada", &["approve", &id, "--drive"]).expect(0);
    let events = events(&project);
    let decided = events.iter().find(|e| e["type"] == "decided").unwrap();
    assert_eq!(decided["by"]["name"], "ada");
    assert_eq!(decided["by"]["roles"], serde_json::json!(["lead", "ops"]));
}

#[test]
fn two_of_them_have_to_agree() {
    let project = ruled("roles = [\"ops\"]\ncount = 2", "eve");
    let id = only_id(&project);
    as_who(&project, "ada", &["approve", &id]).expect(0);
    assert_eq!(state(&project), "plan-review");
    // The same person twice is one.
    as_who(&project, "ada", &["approve", &id]).expect(0);
    assert_eq!(state(&project), "plan-review");
    assert_eq!(count(&events(&project), "decided"), 1);
    as_who(&project, "eve", &["approve", &id]).expect(5);
    as_who(&project, "bob", &["approve", &id, "--drive"]).expect(0);
    assert_eq!(count(&events(&project), "decided"), 2);
    assert_eq!(state(&project), "verified");
    // One no is enough.
    let project = ruled("roles = [\"ops\"]\ncount = 2", "eve");
    let id = only_id(&project);
    as_who(&project, "ada", &["approve", &id]).expect(0);
    as_who(&project, "bob", &["reject", &id]).expect(0);
    assert_eq!(state(&project), "cancelled");
}

#[test]
fn whoever_started_it_does_not_approve_it() {
    let project = ruled("roles = [\"ops\"]\nself_approval = false", "ada");
    let id = only_id(&project);
    as_who(&project, "ada", &["approve", &id]).expect(5);
    assert_eq!(state(&project), "plan-review");
    as_who(&project, "bob", &["approve", &id, "--drive"]).expect(0);
    // Without the rule's word it is allowed.
    let project = ruled("roles = [\"ops\"]", "ada");
    as_who(&project, "ada", &["approve", &only_id(&project), "--drive"]).expect(0);
}

#[test]
fn nobody_decides_in_time() {
    // Without a word of the rule it is a no.
    let project = ruled("timeout = \"1s\"", "ada");
    let id = only_id(&project);
    sleep(Duration::from_millis(1_200));
    let late = as_who(&project, "bob", &["approve", &id]);
    assert_eq!(late.code(), 2, "{late}");
    let done = project.run(&["resume"]);
    assert!([0, 1, 2].contains(&done.code()), "{done}");
    assert_eq!(state(&project), "cancelled");
    // A written yes.
    let project = ruled("timeout = \"1s\"\non_timeout = \"approve\"", "ada");
    assert_eq!(asks(&project, false).len(), 1);
    sleep(Duration::from_millis(1_200));
    project.run(&["resume"]).expect(0);
    assert_eq!(state(&project), "verified");
}

#[test]
fn what_is_escalated_is_decided_by_another_role() {
    let more = "roles = [\"ops\"]\ntimeout = \"2s\"\nescalate = \"lead\"";
    let project = ruled(more, "eve");
    let id = only_id(&project);
    let mut owner = project.start(&["resume", "--format", "json"]);
    // `resume` ends while it waits; a driver that stays sees the time pass.
    eventually("the end of resume", || owner.ended());
    sleep(Duration::from_millis(2_100));
    as_who(&project, "bob", &["approve", &id]).expect(5);
    as_who(&project, "ada", &["approve", &id, "--drive"]).expect(0);
    assert_eq!(state(&project), "verified");
}

/// Nobody of that role either, in as long again: a no.
#[test]
fn what_nobody_decides_after_an_escalation_is_rejected() {
    let project = ruled(
        "roles = [\"ops\"]\ntimeout = \"1s\"\nescalate = \"lead\"",
        "eve",
    );
    let id = only_id(&project);
    let mut owner = project.start(&["run", "w.toml", "--wait"]);
    owner.wait_until("the end", |_| state(&project) == "cancelled");
    owner.finish();
    let late = as_who(&project, "ada", &["approve", &id]);
    assert_eq!(late.code(), 2, "{late}");
    assert_eq!(count(&events(&project), "attempt-started"), 0);
}

/// A driver that stays ends the wait by itself.
#[test]
fn a_timeout_ends_the_wait_of_a_driver_that_stays() {
    let project = project(
        "",
        &workflow(&[
            &rule(
                "plan-rule",
                "plan",
                "timeout = \"1s\"\non_timeout = \"approve\"",
            ),
            &fake("one", ""),
        ]),
    );
    project.run(&["run", "w.toml", "--wait"]).expect(0);
    let events = events(&project);
    assert_eq!(count(&events, "decided"), 0, "a timeout is not a decision");
    assert_eq!(state(&project), "verified");
}

/// Before a task, and on its result, by a rule.
#[test]
fn tasks_and_their_results_wait_for_people() {
    let flow = |approval: &str| {
        workflow(&[
            &rule("signs", "result", ""),
            &task(
                "t",
                &format!("approval = \"{approval}\""),
                &[super::kit::free("t")],
            ),
            &task("u", "needs = [\"t\"]", &[super::kit::free("u")]),
        ])
    };
    for (approval, before) in [("before", 0), ("after", 1), ("signs", 1)] {
        let project = project(super::kit::POLICY, &flow(approval));
        project.run(&["run", "w.toml"]).expect(4);
        assert_eq!(marks(&project).len(), before, "{approval}");
        project
            .run(&["approve", &only_id(&project), "--drive"])
            .expect(0);
        assert_eq!(marks(&project), ["t", "u"], "{approval}");
        // The twin: a no.
        let project = super::kit::project(super::kit::POLICY, &flow(approval));
        project.run(&["run", "w.toml"]).expect(4);
        let done = project.run(&["reject", &only_id(&project), "--drive"]);
        // A no may end the run in the same act, and then nothing is driven.
        assert!([0, 1, 3, 5].contains(&done.code()), "{approval}: {done}");
        assert_eq!(state(&project), "failed", "{approval}");
        assert_eq!(marks(&project).len(), before, "{approval}");
    }
}
