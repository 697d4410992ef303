//! What a plugin says and does cannot reach the terminal, the host or another task. The sandbox's own limits are
//! tested in `sandgate-sandbox`; here is what a person sees of them.

use crate::harness::{Project, dangerous, mentions};
use std::time::Duration;

/// Clears the screen, sets the clipboard, turns the text round, forges a line.
const PAYLOAD: &str =
    "\\u001b[2J\\u001b]52;c;cHduZWQ=\\u0007\\u202egnp\\u0000\\u009b31m\\r\\ntask other: succeeded";

/// As people see it, in part, when it is escaped.
const RECOGNISED: &str = "52;c;cHduZWQ=";

#[test]
fn hostile_text_moves_no_cursor() {
    let project = Project::fake(&format!(
        r#"
name = "loud"
goal = "Be shouted at"
on_failure = "continue"

[[task]]
id = "talks"
agent = "fake"
input = {{ log = ["{PAYLOAD}"], progress = "{PAYLOAD}", output = {{ text = "{PAYLOAD}" }} }}

[[task]]
id = "fails"
agent = "fake"
input = {{ fail = "permanent", message = "{PAYLOAD}" }}

[[task]]
id = "after"
agent = "fake"
needs = ["fails"]
input = {{}}
"#
    ));
    let ran = project.run(&["run", "w.toml"]).expect(1);
    let run = project.only_run();
    let mut seen = vec![ran];
    for command in ["status", "summary", "why", "events", "logs"] {
        seen.push(project.run(&[command, &run]));
        seen.push(project.run(&[command, &run, "--format", "json"]));
        // Colours are wanted, and only the host's own ones come through.
        let coloured = project.run(&[command, &run, "--color", "always"]);
        for sequence in ["\u{1b}[2J", "\u{1b}]", "\u{9b}", "\u{7}", "\u{202e}"] {
            assert!(
                !coloured.stdout.contains(sequence),
                "{sequence:?} in {coloured}"
            );
        }
    }
    seen.push(project.run(&["runs"]));
    for done in &seen {
        assert!([0, 1].contains(&done.code()), "{done}");
        let found = dangerous(done);
        assert!(found.is_empty(), "{}\n{}", found.join("\n"), done.what);
        assert!(
            !done
                .stdout
                .lines()
                .chain(done.stderr.lines())
                .any(|l| l.trim_start().starts_with("task other")),
            "a forged line: {done}"
        );
    }
    // It is shown, not swallowed.
    let logs = project.run(&["logs", &run]).expect(0);
    assert!(logs.stdout.contains(RECOGNISED), "{logs}");
    assert!(mentions(&project.summary(&run), RECOGNISED));
}

#[test]
fn a_raw_artifact_is_written_as_it_is_only_when_asked_for() {
    let project = Project::fake(&format!(
        "name = \"w\"\ngoal = \"g\"\n\n[[task]]\nid = \"one\"\nagent = \"fake\"\nproduces = [\"text\"]\n\
         input = {{ produce = {{ text = \"{PAYLOAD}\" }} }}\n"
    ));
    let ran = project.run(&["run", "w.toml"]).expect(0);
    assert!(dangerous(&ran).is_empty(), "{ran}");
    // Into a pipe or file: the bytes, since programs want them.
    let done = project
        .run(&["summary", "--artifact", "one.text"])
        .expect(0);
    assert!(done.stdout.starts_with('\u{1b}'), "{done}");
}

/// One task that never ends beside one that is quick: the first is ended by its deadline, the second succeeds.
fn ended_by_deadline(input: &str) {
    let project = Project::fake(&format!(
        r#"
name = "stuck"
goal = "End in time"
concurrency = 2

[[task]]
id = "stuck"
agent = "fake"
timeout = "400ms"
input = {input}

[[task]]
id = "quick"
agent = "fake"
input = {{}}
"#
    ));
    let done = project.run(&["run", "w.toml"]).expect(1);
    assert!(done.took < Duration::from_secs(10), "{done}");
    let run = project.only_run();
    let summary = project.summary(&run);
    assert_eq!(summary["outcome"], "partial", "{summary:#}");
    assert!(mentions(&summary, "timeout"), "{summary:#}");
    let history = project.history(&run);
    history.check().unwrap();
    let outputs: Vec<_> = history
        .ends()
        .into_iter()
        .filter(|e| e.2 == "output")
        .collect();
    assert_eq!(outputs.len(), 1, "{outputs:?}");
}

#[test]
fn a_plugin_that_loops_is_ended_by_its_deadline() {
    ended_by_deadline("{ spin_ms = 600000 }");
}

#[test]
fn a_plugin_that_sleeps_is_ended_by_its_deadline() {
    ended_by_deadline("{ sleep_ms = 600000 }");
}

#[test]
fn a_trap_is_one_tasks_failure() {
    let project = Project::fake(
        r#"
name = "trap"
goal = "Go on"

[[task]]
id = "breaks"
agent = "fake"
input = { fail = "trap" }

[[task]]
id = "works"
agent = "fake"
input = {}
"#,
    );
    let done = project.run(&["run", "w.toml"]).expect(1);
    assert!(!done.stderr.contains("panicked"), "{done}");
    let summary = project.summary(&project.only_run());
    assert_eq!(summary["outcome"], "partial", "{summary:#}");
    assert!(mentions(&summary, "trap"), "{summary:#}");
}

#[test]
fn what_is_no_component_is_refused_by_name_before_anything_runs() {
    let text = b"\0asm\x01\0\0\0";
    for (name, bytes) in [
        ("empty.wasm", &b""[..]),
        ("text.wasm", b"this is not wasm at all\n"),
        ("core-module.wasm", text),
        ("cut.wasm", b"\0asm\x0d\0\x01\0\x07\xff\xff"),
    ] {
        let project = Project::new(&[
            (
                "sandgate.toml",
                &format!("[project]\nname = \"t\"\n\n[plugins]\nbad = {{ path = \"{name}\" }}\n"),
            ),
            (
                "w.toml",
                "name = \"w\"\ngoal = \"g\"\n\n[[task]]\nid = \"one\"\nagent = \"bad\"\ninput = {}\n",
            ),
        ]);
        project.write(name, bytes);
        let done = project.run(&["run", "w.toml"]).expect(2);
        assert!(done.stderr.contains(name), "{done}");
        assert!(!done.stderr.contains("panicked"), "{done}");
    }
}

/// The agent wants to read files; the project grants none. Nothing runs, and the line to add is printed.
#[test]
fn authority_that_is_not_granted_is_refused_with_the_line_that_would_allow_it() {
    let project = Project::new(&[
        (
            "sandgate.toml",
            "[project]\nname = \"t\"\n\n[plugins]\nresearcher = \"builtin:agent-research\"\n",
        ),
        (
            "w.toml",
            "name = \"w\"\ngoal = \"g\"\n\n[[task]]\nid = \"research\"\nagent = \"researcher\"\n\
             input = { topic = \"laptops\" }\n",
        ),
    ]);
    let done = project.run(&["run", "w.toml"]).expect(5);
    done.says(&["research", "files", "[policy]"]);
}
