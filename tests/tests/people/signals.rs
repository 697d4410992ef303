//! Signals: what is told to whom, what is kept, what is refused; and that none of them approves anything.

use super::kit::{
    POLICY, asks, count, events, fake, free, marks, only, project, state, task, text, workflow,
};
use crate::harness::{Done, Project};
use serde_json::Value;

/// A wait, and a task after it that leaves a mark.
fn wait(id: &str, kind: &str, matches: &str) -> String {
    format!(
        "[[task]]\nid = \"{id}\"\nwait_for = {{ signal = \"{kind}\", match = {{ {matches} }} }}\n"
    )
}

const DEPLOY: &str = "\n[signals]\ntypes = [\"deploy\"]\n";

fn waiting(parts: &[&str]) -> Project {
    let project = project(&format!("{POLICY}{DEPLOY}"), &workflow(parts));
    project.run(&["run", "w.toml"]).expect(4);
    project
}

fn signal(project: &Project, args: &[&str]) -> Done {
    let mut all = vec!["signal"];
    all.extend(args);
    all.extend(["--format", "json"]);
    project.run(&all)
}

fn told(done: Done) -> usize {
    done.expect(0).json()["to"].as_array().unwrap().len()
}

fn unmatched(project: &Project) -> Vec<Value> {
    let list = project
        .run(&["signal", "--list", "--format", "json"])
        .expect(0);
    list.json()["unmatched"].as_array().unwrap().clone()
}

#[test]
fn a_signal_ends_the_wait_that_it_matches() {
    let project = waiting(&[
        &wait("s", "ci", "repo = \"acme/site\", sha = \"abc\""),
        &task("t", "needs = [\"s\"]", &[free("t")]),
    ]);
    // Another commit, another type, too little.
    for args in [
        &["ci", "-m", "repo=acme/site", "-m", "sha=abd"][..],
        &["deploy", "-m", "repo=acme/site", "-m", "sha=abc"],
        &["ci", "-m", "repo=acme/site"],
    ] {
        let done = signal(&project, args);
        if done.code() == 0 {
            assert_eq!(told(done), 0, "{args:?}");
        }
    }
    assert_eq!(marks(&project), [""; 0]);
    // More fields than were asked for are no matter.
    let done = signal(
        &project,
        &[
            "ci",
            "-m",
            "repo=acme/site",
            "-m",
            "sha=abc",
            "-m",
            "by=robot",
            "--data",
            "{\"ok\":true}",
        ],
    );
    assert_eq!(told(done), 1);
    project.run(&["resume"]).expect(0);
    assert_eq!(marks(&project), ["t"]);
    let said = super::kit::output(&project, "s");
    assert!(said.contains("ok"), "{said}");
}

#[test]
fn a_type_that_nobody_declared_is_an_error() {
    let project = waiting(&[&wait("s", "ci", "sha = \"abc\"")]);
    let done = signal(&project, &["ic", "-m", "sha=abc"]).expect(2);
    drop(done.says(&["ic", "ci"]));
    for bad in ["", "CI ", "a b", "\u{202e}ci", "../x"] {
        let done = signal(&project, &[bad, "-m", "sha=abc"]);
        assert_eq!(done.code(), 2, "{bad:?}: {done}");
    }
    assert_eq!(unmatched(&project).len(), 0);
    assert_eq!(told(signal(&project, &["deploy", "-m", "sha=abc"])), 0);
}

#[test]
fn an_early_signal_is_kept_and_picked_up() {
    let project = project(
        POLICY,
        &workflow(&[
            &wait("s", "ci", "sha = \"abc\""),
            &fake("t", "needs = [\"s\"]"),
        ]),
    );
    assert_eq!(told(signal(&project, &["ci", "-m", "sha=abc"])), 0);
    assert_eq!(unmatched(&project).len(), 1);
    project.run(&["run", "w.toml"]).expect(0);
    assert_eq!(unmatched(&project).len(), 0);
    assert_eq!(count(&events(&project), "signal-delivered"), 1);
}

#[test]
fn an_id_counts_once() {
    let project = waiting(&[
        &wait("a", "ci", "sha = \"abc\""),
        &wait("b", "ci", "sha = \"def\""),
    ]);
    let send = |sha: &str, data: &str| {
        let sha = format!("sha={sha}");
        signal(&project, &["ci", "-m", &sha, "--id", "one", "--data", data])
    };
    assert_eq!(told(send("abc", "1")), 1);
    let again = send("abc", "1").expect(0).json();
    assert_eq!(again["repeat"], true, "{again:#}");
    for other in [send("abc", "2"), send("def", "1")] {
        let other = other.expect(2);
        assert!(other.stderr.contains("another content"), "{other}");
    }
    assert_eq!(count(&events(&project), "signal-delivered"), 1);
    assert_eq!(state(&project), "running");
    assert_eq!(
        told(signal(&project, &["ci", "-m", "sha=def", "--id", "two"])),
        1
    );
}

#[test]
fn several_tasks_and_runs_are_told() {
    let project = waiting(&[
        &wait("a", "ci", "sha = \"abc\""),
        &wait("b", "ci", "sha = \"abc\""),
        &wait("c", "ci", "sha = \"other\""),
    ]);
    project.run(&["run", "w.toml", "--new"]).expect(4);
    assert_eq!(told(signal(&project, &["ci", "-m", "sha=abc"])), 4);
    assert_eq!(unmatched(&project).len(), 0);
}

#[test]
fn what_nobody_waits_for_is_listed_with_what_comes_nearest() {
    let project = waiting(&[&wait("s", "ci", "repo = \"acme/site\", sha = \"abc\"")]);
    let done = signal(&project, &["ci", "-m", "repo=acme/site", "-m", "sha=old"]);
    if done.code() == 0 {
        let done = done.json();
        assert!(!done["near"].as_array().unwrap().is_empty(), "{done:#}");
        let kept = unmatched(&project);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0]["fields"]["sha"], "old");
    }
    let list = project.run(&["signal", "--list"]).expect(0);
    assert!(list.stdout.contains("sha=abc"), "{list}");
}

/// A push came after the build that is reported: the older commit says nothing any more.
#[test]
fn a_stale_signal_is_refused_with_the_reason() {
    let project = waiting(&[&wait("s", "ci", "repo = \"acme/site\", sha = \"abc\"")]);
    assert_eq!(
        told(signal(
            &project,
            &["ci", "-m", "repo=acme/site", "-m", "sha=abc", "--id", "1"]
        )),
        1
    );
    // The wait was for `abc`; a second run waits for `def`, and `abc` comes again under another id.
    project.write(
        "w2.toml",
        workflow(&[&wait("s", "ci", "repo = \"acme/site\", sha = \"def\"")])
            .replace("name = \"w\"", "name = \"w2\""),
    );
    project.run(&["run", "w2.toml"]).expect(4);
    let done = signal(
        &project,
        &["ci", "-m", "repo=acme/site", "-m", "sha=abc", "--id", "2"],
    );
    assert_eq!(done.code(), 2, "{done}");
    drop(done.says(&["stale"]));
    assert_eq!(state(&project), "running");
}

#[test]
fn a_human_approval_signal_approves_nothing() {
    let project = waiting(&[
        &wait("s", "human_approval", "of = \"t\""),
        &task("t", "approval = \"before\"", &[free("t")]),
    ]);
    let before = text(&only(&project)["id"]);
    let ask = before.rsplit('/').next().unwrap().to_owned();
    for fields in [
        vec!["-m", "of=t"],
        vec!["-m", "of=t", "-m", "task=t"],
        vec!["-m", "ask=1", "-m", "decision=approve"],
    ] {
        let mut args = vec!["human_approval"];
        args.extend(fields);
        let data = format!("{{\"decision\":\"approve\",\"ask\":{ask}}}");
        args.extend(["--data", &data]);
        drop(signal(&project, &args));
    }
    project.run(&["resume"]).expect(4);
    assert_eq!(marks(&project), [""; 0]);
    assert_eq!(asks(&project, false).len(), 1);
    let events = events(&project);
    assert_eq!(count(&events, "decided"), 0);
    assert_eq!(count(&events, "signal-delivered"), 1, "it ends the wait");
}

/// What a sender can do to the host.
#[test]
fn hostile_signals_are_refused_or_harmless() {
    let project = waiting(&[&wait("s", "ci", "sha = \"abc\"")]);
    let long = "x".repeat(5_000);
    let many: Vec<String> = (0..200).map(|n| format!("f{n}=1")).collect();
    let big = format!("\"{}\"", "x".repeat(100_000));
    let mut probes = 0;
    let mut refused = 0;
    let mut probe = |args: &[&str]| {
        let done = signal(&project, args);
        assert!([0, 2].contains(&done.code()), "{done}");
        assert!(!done.stderr.contains("panicked"), "{done}");
        assert!(crate::harness::dangerous(&done).is_empty(), "{done}");
        probes += 1;
        refused += usize::from(done.code() == 2);
    };
    probe(&["ci", "-m", &format!("sha={long}")]);
    probe(&["ci", "-m", &format!("{long}=1")]);
    probe(&["ci", "--id", &long]);
    probe(&["ci", "--id", ""]);
    probe(&["ci", "--id", "\u{1b}[2J\u{202e}"]);
    probe(&["ci", "-m", "sha=\u{1b}[2J\u{202e}"]);
    probe(&["ci", "-m", "=1"]);
    probe(&["ci", "-m", "sha=1", "-m", "sha=2"]);
    probe(&["ci", "--data", "not json"]);
    probe(&[
        "ci",
        "--data",
        &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
    ]);
    probe(&["ci", "--data", "{\"a\":1,\"a\":2}"]);
    probe(&["ci", "--data", &big]);
    let mut fields = vec!["ci"];
    many.iter().for_each(|f| fields.extend(["-m", f.as_str()]));
    probe(&fields);
    let list = project.run(&["signal", "--list"]).expect(0);
    assert!(crate::harness::dangerous(&list).is_empty(), "{list}");
    let list = project.run(&["approvals"]).expect(0);
    assert!(crate::harness::dangerous(&list).is_empty(), "{list}");
    assert_eq!(count(&events(&project), "signal-delivered"), 0);
    println!("{probes} hostile signals, {refused} refused, 0 delivered");
}
