//! Edits of a plan that waits for review: they are checked like any plan, and reviewed anew.

use super::kit::{count, events, fake, only, project, rule, state, text, workflow};
use crate::harness::{Done, Project};

/// A planner whose plan is one task, `told`, for `fake`.
const PLANNER: &str = "[planner]\nuse = \"planner\"\nreview = \"required\"\nconfig = { act = \"effects\", steps = [] }\n";

fn planned() -> Project {
    let project = project("", &workflow(&[PLANNER]));
    project.run(&["run", "w.toml"]).expect(4);
    project
}

/// The plan as it is edited.
fn shown(project: &Project) -> String {
    let text = project.run(&["modify", "--show"]).expect(0).stdout;
    assert!(text.contains("told"), "{text}");
    text
}

fn modify(project: &Project, text: &str) -> Done {
    project.write("edited.toml", text);
    project.run(&["modify", "--from", "edited.toml"])
}

const MORE: &str = "\n[[task]]\nid = \"more\"\nagent = \"fake\"\nneeds = [\"told\"]\n";

#[test]
fn an_edited_plan_is_reviewed_anew_and_runs_as_edited() {
    let project = planned();
    let first = only(&project);
    let text_now = shown(&project);
    let done = modify(&project, &(text_now + MORE)).expect(0);
    assert!(
        done.stdout.contains("more") || done.stderr.contains("more"),
        "the change is not shown: {done}"
    );
    assert_eq!(state(&project), "plan-review", "an edit approves nothing");
    let second = only(&project);
    assert_eq!(second["revision"], 2, "{second:#}");
    assert_ne!(second["digest"], first["digest"]);
    // Who saw the first plan cannot approve the second by it.
    let digest = text(&first["digest"]);
    let id = text(&second["id"]);
    let stale = project
        .run(&[
            "approve",
            &id,
            "--digest",
            digest.trim_start_matches("sha256:"),
        ])
        .expect(2);
    assert_eq!(state(&project), "plan-review", "{stale}");
    let old = project.run(&["approve", &text(&first["id"])]);
    assert_eq!(old.code(), 2, "{old}");
    // The reviewer sees what changed.
    let done = project.run(&["approve", &id, "--drive"]).expect(0);
    let done = done.says(&["+ task more"]);
    drop(done);
    assert_eq!(state(&project), "verified");
    assert_eq!(count(&events(&project), "attempt-started"), 2);
}

#[test]
fn a_hostile_edit_changes_nothing() {
    let project = planned();
    let plan = shown(&project);
    let deep = format!(
        "\n[[task]]\nid = \"deep\"\nagent = \"fake\"\ninput_json = '{}{}'\n",
        "[".repeat(100),
        "]".repeat(100)
    );
    let many: String = (0..100_001)
        .map(|n| format!("\n[[task]]\nid = \"m{n}\"\nagent = \"fake\"\n"))
        .collect();
    let nested = format!("x = {}{}\n", "[".repeat(20_000), "]".repeat(20_000));
    let huge = format!("rationale = \"{}\"\n", "x".repeat(17 << 20));
    let mut refused = 0;
    for (name, text, says) in [
        (
            "unknown agent",
            plan.clone() + "\n[[task]]\nid = \"x\"\nagent = \"nobody\"\n",
            "nobody",
        ),
        (
            "cycle",
            plan.clone()
                + "\n[[task]]\nid = \"a\"\nagent = \"fake\"\nneeds = [\"b\"]\n\n[[task]]\nid = \"b\"\nagent = \"fake\"\nneeds = [\"a\"]\n",
            "circle",
        ),
        (
            "unknown key",
            plan.clone() + "\n[[task]]\nid = \"x\"\nagent = \"fake\"\napproval_before = false\n",
            "approval_before",
        ),
        (
            "grants",
            plan.clone() + "\n[[task]]\nid = \"x\"\nagent = \"fake\"\nfiles = []\n",
            "files",
        ),
        (
            "the review itself",
            format!("review = false\n{plan}"),
            "review",
        ),
        ("two of a name", plan.clone() + MORE + MORE, "more"),
        (
            "unknown need",
            plan.clone() + "\n[[task]]\nid = \"x\"\nagent = \"fake\"\nneeds = [\"who\"]\n",
            "who",
        ),
        ("too deep", plan.clone() + &deep, "level"),
        ("nested", nested, ""),
        ("too many", plan.clone() + &many, ""),
        ("too long", huge, ""),
        ("no TOML", "\u{202e}[[[".to_owned(), ""),
        (
            "bidirectional",
            plan.clone() + "\n[[task]]\nid = \"x\u{202e}y\"\nagent = \"fake\"\n",
            "",
        ),
        ("empty", String::new(), ""),
    ] {
        let done = modify(&project, &text);
        assert_eq!(done.code(), 2, "{name}: {done}");
        assert!(done.stderr.contains(says), "{name}: {done}");
        assert!(
            crate::harness::dangerous(&done).is_empty(),
            "{name}: {:?}",
            crate::harness::dangerous(&done)
        );
        assert!(!done.stderr.contains("panicked"), "{name}: {done}");
        refused += 1;
    }
    let done = modify(&project, &plan);
    assert_eq!(done.code(), 0, "the same plan: {done}");
    let events = events(&project);
    assert_eq!(count(&events, "plan-modified"), 0);
    assert_eq!(only(&project)["revision"], 1);
    println!("{refused} hostile edits, {refused} refused, 0 recorded");
}

/// Any agent of the project may be given a task, whoever wrote the others.
#[test]
fn an_edit_may_use_another_agent() {
    let written = workflow(&[&rule("plan-rule", "plan", ""), &fake("told", "")]);
    for flow in [workflow(&[PLANNER]), written] {
        let project = project("", &flow);
        project.run(&["run", "w.toml"]).expect(4);
        let more = "\n[[task]]\nid = \"more\"\nagent = \"guest\"\ninput = { act = \"effects\", steps = [] }\n";
        let plan = project.run(&["modify", "--show"]).expect(0).stdout;
        modify(&project, &(plan + more)).expect(0);
        project.run(&["approve", "--all", "--drive"]).expect(0);
    }
}

/// An edit that somebody else made in the meantime is not overwritten.
#[test]
fn of_two_edits_of_one_plan_one_counts() {
    let project = planned();
    let plan = shown(&project);
    let digest = text(&only(&project)["digest"]);
    let digest = &digest.trim_start_matches("sha256:")[..16];
    modify(&project, &(plan.clone() + MORE)).expect(0);
    project.write("late.toml", plan + &MORE.replace("more", "late"));
    let late = project
        .run(&["modify", "--from", "late.toml", "--digest", digest])
        .expect(2);
    assert!(!late.stderr.contains("panicked"), "{late}");
    let events = events(&project);
    assert_eq!(count(&events, "plan-modified"), 1);
    // What runs has no plan to edit.
    project.run(&["approve", "--all", "--drive"]).expect(0);
    let done = project.run(&["modify", "--from", "late.toml"]).expect(2);
    assert!(done.stderr.contains("verified"), "{done}");
}
