//! Every command once, as people and as programs use it; exit codes; what goes to which stream.

use crate::harness::{Project, mentions};
use serde_json::Value;

const OK: &str = r#"
name = "ok"
goal = "Do two things"

[[task]]
id = "one"
agent = "fake"
produces = ["text"]
input = { log = ["a line of the log"], produce = { text = "hello\n" } }

[[task]]
id = "two"
agent = "fake"
consumes = ["one.text"]
input = { read = ["one.text"] }
"#;

/// A project in which `ok` has run.
fn ran() -> Project {
    let project = Project::fake(OK);
    project.run(&["run", "w.toml"]).expect(0);
    project
}

#[test]
fn help_and_version_go_to_standard_output() {
    let project = Project::new(&[]);
    for args in [&["--help"][..], &["--version"], &["run", "--help"]] {
        let done = project.run(args).expect(0);
        assert!(done.stdout.contains("sandgate"), "{done}");
        assert!(done.stderr.is_empty(), "{done}");
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_to_do() {
    let project = Project::fake(OK);
    for args in [
        &["sumary"][..],
        &["run"],
        &["run", "w.toml", "--frob"],
        &["run", "nowhere.toml"],
        &["run", "w.toml", "-i", "novalue"],
        &["run", "w.toml", "-i", "unknown=1"],
        &["status", "ffffffff"],
        &["plugin", "inspect", "builtin:agent-nothing"],
        &["schema", "nothing"],
    ] {
        let done = project.run(args).expect(2);
        assert!(done.stdout.is_empty(), "{done}");
        assert!(done.stderr.contains("error"), "{done}");
        assert!(!done.stderr.contains("panicked"), "{done}");
    }
}

#[test]
fn outside_a_project_the_error_names_init() {
    let project = Project::new(&[]);
    project
        .run(&["runs"])
        .expect(2)
        .says(&["sandgate.toml", "sandgate init"]);
}

#[test]
fn a_new_project_runs_as_it_is() {
    let project = Project::new(&[]);
    project.run(&["init"]).expect(0);
    let again = project.run(&["init"]);
    assert_ne!(again.code(), 0, "what is there is not overwritten: {again}");
    project.run(&["check"]).expect(0);
    let mut workflows: Vec<String> = std::fs::read_dir(project.dir())
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|n| n.ends_with(".toml") && n != "sandgate.toml")
        .collect();
    workflows.sort();
    assert!(!workflows.is_empty());
    for workflow in workflows {
        project.run(&["run", &workflow]).expect(0);
    }
}

#[test]
fn check_reports_all_mistakes_at_once_each_with_its_place() {
    let project = Project::fake(
        "name = \"w\"\ngoal = \"g\"\nconcurency = 3\n\n[[task]]\nid = \"a\"\nagent = \"fak\"\nneeds = [\"b\"]\n\n\
         [[task]]\nid = \"b\"\nagent = \"fake\"\nneeds = [\"a\"]\n",
    );
    let done = project.run(&["check"]).expect(2);
    let done = done.says(&[
        "w.toml:3:1",
        "concurrency",
        "w.toml:7:",
        "fake",
        "a → b → a",
    ]);
    assert!(!done.stderr.contains("panicked"), "{done}");
    // Nothing was written: check looks only.
    assert!(!project.dir().join(".sandgate").exists());
    project.run(&["run", "w.toml"]).expect(2);
}

#[test]
fn run_prints_the_summary_and_keeps_progress_apart() {
    let project = Project::fake(OK);
    let done = project.run(&["run", "w.toml"]).expect(0);
    assert!(done.stdout.contains("verified"), "{done}");
    for task in ["one", "two"] {
        assert!(
            done.stdout.contains(task) && done.stderr.contains(task),
            "{done}"
        );
    }
    let quiet = project
        .run(&["run", "w.toml", "--new", "--quiet"])
        .expect(0);
    assert!(quiet.stderr.is_empty(), "{quiet}");
    assert_eq!(project.runs().len(), 2);
}

#[test]
fn json_documents_carry_their_type() {
    let project = Project::fake(OK);
    let summary = project
        .run(&["run", "w.toml", "--format", "json"])
        .expect(0)
        .json();
    assert_eq!(summary["state"], "verified", "{summary:#}");
    assert_eq!(summary["outcome"], "verified", "{summary:#}");
    let run = project.only_run();
    for args in [
        &["status", &run][..],
        &["summary", &run],
        &["check"],
        &["inspect", "w.toml"],
        &["plugin", "list"],
        &["plugin", "inspect", "fake"],
        &["doctor"],
    ] {
        let done = project
            .run(&[args, &["--format", "json"]].concat())
            .expect(0);
        let documents = done.json_lines();
        assert!(!documents.is_empty(), "{done}");
    }
    for args in [&["events", &run][..], &["logs", &run], &["runs"]] {
        let done = project
            .run(&[args, &["--format", "json"]].concat())
            .expect(0);
        assert!(!done.json_lines().is_empty(), "{done}");
    }
    // Errors too.
    let done = project
        .run(&["status", "ffffffff", "--format", "json"])
        .expect(2);
    let text = if done.stdout.is_empty() {
        &done.stderr
    } else {
        &done.stdout
    };
    let error: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(error["$type"].is_string(), "{done}");
}

#[test]
fn every_looking_command_answers_about_the_latest_run() {
    let project = ran();
    for args in [
        &["runs"][..],
        &["status"],
        &["summary"],
        &["why"],
        &["events"],
        &["logs"],
        &["plugin", "list"],
        &["plugin", "inspect", "builtin:agent-fake"],
        &["schema", "workflow"],
        &["schema", "project"],
        &["doctor"],
        &["inspect", "w.toml"],
    ] {
        let done = project.run(args).expect(0);
        assert!(!done.stdout.is_empty(), "{done}");
    }
    let logs = project.run(&["logs"]).expect(0);
    assert!(logs.stdout.contains("a line of the log"), "{logs}");
    let run = project.only_run();
    let by_end = project.run(&["status", &run[28..]]).expect(0);
    assert!(by_end.stdout.contains(&run[28..]), "{by_end}");
}

#[test]
fn an_artifact_can_be_taken_out() {
    let project = ran();
    let done = project
        .run(&["summary", "--artifact", "one.text"])
        .expect(0);
    assert_eq!(done.stdout, "hello\n");
    project
        .run(&["summary", "--artifact", "one.text", "-o", "out.txt"])
        .expect(0);
    assert_eq!(
        std::fs::read(project.dir().join("out.txt")).unwrap(),
        b"hello\n"
    );
    let again = project.run(&["summary", "--artifact", "one.text", "-o", "out.txt"]);
    assert_ne!(again.code(), 0, "{again}");
    project
        .run(&["summary", "--artifact", "one.nothing"])
        .expect(2);
}

/// Schemas are JSON Schema, and the examples of the tree obey them (checked by the crate that makes them).
#[test]
fn schemas_are_printed() {
    let project = Project::new(&[]);
    for kind in ["workflow", "project"] {
        let done = project.run(&["schema", kind]).expect(0);
        let schema: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(schema["type"], "object", "{done}");
        assert!(schema["properties"].is_object(), "{done}");
    }
}

#[test]
fn a_failing_task_is_1_and_why_names_it() {
    let project = Project::fake(
        r#"
name = "bad"
goal = "Fail in part"

[[task]]
id = "breaks"
agent = "fake"
input = { fail = "permanent", message = "the disk of the moon is full" }

[[task]]
id = "after"
agent = "fake"
needs = ["breaks"]
input = {}

[[task]]
id = "apart"
agent = "fake"
input = {}
"#,
    );
    project.run(&["run", "w.toml"]).expect(1);
    let summary = project.summary(&project.only_run());
    assert_eq!(summary["outcome"], "partial", "{summary:#}");
    assert!(
        mentions(&summary, "the disk of the moon is full"),
        "{summary:#}"
    );
    assert!(mentions(&summary, "dependency-failed"), "{summary:#}");
    let why = project.run(&["why"]).expect(0);
    for text in ["breaks", "after", "the disk of the moon is full"] {
        assert!(why.stdout.contains(text), "{why}");
    }
    // A person may try again; it fails again, and the history holds both.
    project.run(&["retry"]).expect(1);
    let history = project.history(&project.only_run());
    history.check().unwrap();
    assert_eq!(history.ends().iter().filter(|e| e.2 == "failed").count(), 2);
}

const GATED: &str = r#"
name = "gated"
goal = "Pass a gate"

[[task]]
id = "one"
agent = "fake"
produces = ["text"]
input = { produce = { text = "no number here\n" } }

[[gate]]
id = "has-number"
use = "text-rules"
config = { target = { task = "one", artifact = "text" }, must_match = ["[0-9]+"] }
"#;

#[test]
fn a_failing_gate_is_3() {
    let project = Project::fake(GATED);
    project.run(&["run", "w.toml"]).expect(3);
    let summary = project.summary(&project.only_run());
    assert!(mentions(&summary, "fail"), "{summary:#}");
    // The same work passes when the text has a number.
    project.write("w.toml", GATED.replace("no number", "1 number"));
    project.run(&["run", "w.toml"]).expect(0);
}

#[test]
fn the_steps_can_be_taken_one_by_one() {
    let project = Project::fake(OK);
    let planned = project.run(&["plan", "w.toml"]);
    assert!([0, 4].contains(&planned.code()), "{planned}");
    let run = project.only_run();
    assert_eq!(project.summary(&run)["state"], "plan-review");
    let why = project.run(&["why", &run]).expect(0);
    assert!(why.stdout.contains("plan"), "{why}");
    let dispatched = project.run(&["dispatch", &run]);
    assert!([0, 4].contains(&dispatched.code()), "{dispatched}");
    project.run(&["verify", &run]).expect(0);
    assert_eq!(project.summary(&run)["state"], "verified");
}

#[test]
fn a_plan_that_needs_review_waits_with_4() {
    let project = Project::new(&[
        (
            "sandgate.toml",
            "[project]\nname = \"t\"\n\n[plugins]\nrules = \"builtin:planner-rules\"\n\
             writer = \"builtin:agent-communication\"\n",
        ),
        (
            "w.toml",
            "name = \"w\"\ngoal = \"Draft an email to john@example.com about the new canteen\"\n\n\
             [planner]\nuse = \"rules\"\nreview = \"required\"\n",
        ),
    ]);
    let done = project.run(&["run", "w.toml"]).expect(4);
    assert!(
        done.stdout.contains("review") || done.stderr.contains("review"),
        "{done}"
    );
    let run = project.only_run();
    assert_eq!(project.summary(&run)["state"], "plan-review");
    project
        .run(&["cancel", &run, "--reason", "changed our mind"])
        .expect(0);
    assert_eq!(project.summary(&run)["outcome"], "cancelled");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let project = ran();
    let plain = project.run(&["summary"]).expect(0);
    assert!(!plain.stdout.contains('\u{1b}'), "{plain}");
    let coloured = project.run(&["summary", "--color", "always"]).expect(0);
    assert!(coloured.stdout.contains('\u{1b}'), "{coloured}");
}
