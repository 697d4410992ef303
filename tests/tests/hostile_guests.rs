//! Components that misbehave (`tests/guests`), through the whole product: each ends in a clear failure of its own
//! task, plan or gate, and what stands beside it goes on.

use crate::harness::{Project, dangerous, mentions};

/// What a task asks the hostile agent for, and the class of failure that has to come of it.
const ACTS: &[(&str, &str)] = &[
    ("loop", "timeout"),
    ("sleep:600000", "timeout"),
    ("recurse", "trap"),
    ("grow", "limit"),
    ("unreachable", "trap"),
    ("panic", "trap"),
    ("failed:as told", "plugin"),
    ("permanent:as told", "plugin"),
    ("not-json", "bad-answer"),
    ("two-documents", "bad-answer"),
    ("duplicate", "bad-answer"),
    ("deep:5000", "bad-answer"),
    ("huge:9", "limit"),
    ("long-error:1000000", "plugin"),
];

/// Behaves, or is cut without failing.
const HARMLESS: &[&str] = &[
    "log:200000",
    "log-long:1000000",
    "stdout-flood:2000",
    "log-ansi",
];

/// A project with the guests beside its files.
fn project(plugins: &str, workflow: &str) -> Project {
    let project = Project::new(&[
        (
            "sandgate.toml",
            &format!(
                "[project]\nname = \"t\"\n\n[plugins]\nfake = \"builtin:agent-fake\"\n{plugins}"
            ),
        ),
        ("w.toml", workflow),
    ]);
    project.write("agent.wasm", sandgate_test_guests::hostile_agent());
    project.write("planner.wasm", sandgate_test_guests::hostile_planner());
    project.write("gate.wasm", sandgate_test_guests::hostile_gate());
    project.write("describer.wasm", sandgate_test_guests::hostile_describer());
    project.write("files.wasm", sandgate_test_guests::file_agent());
    project
}

#[test]
fn agents_that_misbehave_harm_nobody_else() {
    let mut workflow = String::from("name = \"zoo\"\ngoal = \"Go on\"\nconcurrency = 4\n");
    let mut task = |id: &str, agent: &str, input: &str| {
        workflow += &format!(
            "\n[[task]]\nid = \"{id}\"\nagent = \"{agent}\"\ninput = {input}\ntimeout = \"2s\"\n"
        );
    };
    for (n, (act, _)) in ACTS.iter().enumerate() {
        task(
            &format!("bad{n}"),
            "hostile",
            &format!("{{ act = \"{act}\" }}"),
        );
    }
    for (n, act) in HARMLESS.iter().enumerate() {
        task(
            &format!("odd{n}"),
            "hostile",
            &format!("{{ act = \"{act}\" }}"),
        );
    }
    for n in 0..6 {
        task(&format!("good{n}"), "fake", "{ sleep_ms = 5 }");
    }
    let project = project("hostile = { path = \"agent.wasm\" }\n", &workflow);
    let done = project.run(&["run", "w.toml"]).expect(1);
    assert!(dangerous(&done).is_empty(), "{:?}", dangerous(&done));
    // A guest's panic is its own affair and is shown as its log; one of the host would be a fault.
    assert!(!done.stderr.contains("panicked at host/"), "{done}");

    let run = project.only_run();
    let summary = project.summary(&run);
    assert_eq!(summary["outcome"], "partial", "{summary:#}");
    let tasks = summary["tasks"].as_array().unwrap();
    let find = |id: &str| tasks.iter().find(|t| t["id"] == id).unwrap();
    for (n, (act, class)) in ACTS.iter().enumerate() {
        let task = find(&format!("bad{n}"));
        assert_eq!(task["state"], "failed", "{act}: {task:#}");
        assert!(mentions(task, class), "{act} is not a {class}: {task:#}");
        let size = task.to_string().len();
        assert!(size < 64 << 10, "{act}: {size} bytes in the summary");
    }
    for (n, act) in HARMLESS.iter().enumerate() {
        let task = find(&format!("odd{n}"));
        assert_eq!(task["state"], "succeeded", "{act}: {task:#}");
    }
    for n in 0..6 {
        assert_eq!(find(&format!("good{n}"))["state"], "succeeded");
    }
    let logs = project.run(&["logs", &run]).expect(0);
    assert!(
        dangerous(&logs).is_empty(),
        "{:?}",
        dangerous(&logs).first()
    );
    assert!(
        logs.stdout.len() < 8 << 20,
        "{} bytes of log",
        logs.stdout.len()
    );
}

/// What the planner is told to do; each plan is refused whole, and the reason names what is wrong.
#[test]
fn plans_that_nobody_wants_are_refused_with_all_reasons() {
    let mut missed = Vec::new();
    for (act, reason) in [
        ("cycle", "SG-D007"),
        ("duplicate-ids", "SG-D002"),
        ("unknown-need", "SG-D005"),
        ("unknown-agent", "SG-D008"),
        ("template-id", "SG-D010"),
        ("bidi-id", "SG-D001"),
        ("long-id:100000", "256 is the most"),
        ("many:200000", "100000"),
        ("deep:5000", "64 levels"),
        ("empty", "SG-D015"),
        ("rationale:1000000", "65536 is the most"),
        ("panic", "trap"),
        ("loop", "timeout"),
        ("unavailable:no idea", "no idea"),
    ] {
        let project = project(
            "planner = { path = \"planner.wasm\" }\n",
            &format!(
                "name = \"w\"\ngoal = \"g\"\n\n[planner]\nuse = \"planner\"\nconfig = {{ act = \"{act}\" }}\ntimeout = \"2s\"\n"
            ),
        );
        let done = project.run(&["run", "w.toml"]);
        assert!([1, 2, 3].contains(&done.code()), "{act}: {done}");
        assert!(dangerous(&done).is_empty(), "{act}: {:?}", dangerous(&done));
        assert!(
            done.stdout.len() + done.stderr.len() < 64 << 10,
            "{act}: {done}"
        );
        let summary = project.summary(&project.only_run());
        assert_eq!(summary["state"], "failed", "{act}: {summary:#}");
        assert!(mentions(&summary, "plan_generation"), "{act}: {summary:#}");
        if !mentions(&summary, reason) {
            missed.push(format!("{act} without {reason}: {}", summary["checks"]));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn the_next_planner_is_asked_when_the_first_fails() {
    let project = project(
        "planner = { path = \"planner.wasm\" }\nrules = \"builtin:planner-rules\"\n\
         writer = \"builtin:agent-communication\"\n",
        "name = \"w\"\ngoal = \"Draft an email to john@example.com about the canteen\"\n\n\
         [planner]\nuse = \"planner\"\nconfig = { act = \"panic\" }\nfallback = [\"rules\"]\n",
    );
    let planned = project.run(&["plan", "w.toml"]);
    assert!([0, 4].contains(&planned.code()), "{planned}");
    let run = project.only_run();
    let history = project.history(&run);
    assert_eq!(history.of("planner-failed").count(), 1);
    assert_eq!(history.of("plan-frozen").count(), 1);
}

/// Whatever a gate does but pass, the run is not verified.
#[test]
fn gates_fail_closed() {
    for (act, code) in [
        ("", 0),
        ("fail:no", 3),
        ("inconclusive:who knows", 3),
        ("empty", 3),
        ("panic", 3),
        ("loop", 3),
        ("failed:no answer", 3),
        ("same-name", 3),
        ("no-name", 3),
        ("needs-human:look", 3),
    ] {
        let project = project(
            "gate = { path = \"gate.wasm\" }\n",
            &format!(
                "name = \"w\"\ngoal = \"g\"\n\n[[task]]\nid = \"one\"\nagent = \"fake\"\ninput = {{}}\n\n\
                 [[gate]]\nid = \"door\"\nuse = \"gate\"\nconfig = {{ act = \"{act}\" }}\ntimeout = \"1s\"\n"
            ),
        );
        let done = project.run(&["run", "w.toml"]);
        assert!(
            done.code() == code || (act.starts_with("needs") && done.code() == 4),
            "{act}: {done}"
        );
        let summary = project.summary(&project.only_run());
        assert_eq!(
            summary["state"] == "verified",
            code == 0,
            "{act}: {summary:#}"
        );
    }
}

#[test]
fn a_description_that_lies_is_refused_before_anything_runs() {
    let project = project(
        "liar = { path = \"describer.wasm\" }\n",
        "name = \"w\"\ngoal = \"g\"\n\n[[task]]\nid = \"one\"\nagent = \"liar\"\ninput = {}\n",
    );
    for args in [
        &["run", "w.toml"][..],
        &["plugin", "inspect", "liar"],
        &["plugin", "list"],
    ] {
        let done = project.run(args);
        assert!(dangerous(&done).is_empty(), "{:?}", dangerous(&done));
        assert!(done.stdout.len() + done.stderr.len() < 64 << 10, "{done}");
    }
    project.run(&["run", "w.toml"]).expect(2).says(&["liar"]);
}

/// Files: only what is granted, only as it is granted, whatever path is asked for.
#[test]
fn a_plugin_sees_granted_directories_and_nothing_else() {
    let policy = "files = { path = \"files.wasm\" }\n\n[policy]\n\
                  files = [{ host = \"notes\", guest = \"/notes\", mode = \"read\" }]\n";
    let acts = [
        ("read:/notes/a.txt", "succeeded"),
        ("list:/notes", "succeeded"),
        ("write:/notes/b.txt", "failed"),
        ("remove:/notes/a.txt", "failed"),
        ("read:/notes/../secret.txt", "failed"),
        ("read:/notes/link.txt", "failed"),
        ("read:/notes/dir/secret.txt", "failed"),
        ("read:/sandgate.toml", "failed"),
        ("read:/etc/passwd", "failed"),
        ("list:/", "failed"),
        ("list:/notes/..", "failed"),
    ];
    let mut workflow = String::from("name = \"w\"\ngoal = \"g\"\n");
    for (n, (act, _)) in acts.iter().enumerate() {
        workflow += &format!(
            "\n[[task]]\nid = \"t{n}\"\nagent = \"files\"\ninput = {{ act = \"{act}\" }}\n"
        );
    }
    let project = project(policy, &workflow);
    project.write("notes/a.txt", "the note");
    project.write("secret.txt", "the secret");
    std::os::unix::fs::symlink("../secret.txt", project.dir().join("notes/link.txt")).unwrap();
    std::os::unix::fs::symlink("..", project.dir().join("notes/dir")).unwrap();
    project.run(&["run", "w.toml"]).expect(1);
    let summary = project.summary(&project.only_run());
    let tasks = summary["tasks"].as_array().unwrap();
    for (n, (act, state)) in acts.iter().enumerate() {
        let task = tasks.iter().find(|t| t["id"] == format!("t{n}")).unwrap();
        assert_eq!(task["state"], *state, "{act}: {task:#}");
    }
    assert!(!mentions(&summary, "the secret"), "{summary:#}");
    assert_eq!(
        std::fs::read(project.dir().join("notes/a.txt")).unwrap(),
        b"the note"
    );
    assert!(!project.dir().join("notes/b.txt").exists());
}
