//! Ctrl-C and `kill` end the host cleanly: what runs is ended, everything is recorded, and the run goes on later.

use crate::harness::Project;
use std::time::Duration;

const WORKFLOW: &str = r#"
name = "long"
goal = "Be interrupted"
concurrency = 2

[[task]]
id = "quick"
agent = "fake"
input = { sleep_ms = 1 }

[[task]]
id = "slow"
agent = "fake"
needs = ["quick"]
input = { sleep_ms = 2500 }

[[task]]
id = "after"
agent = "fake"
needs = ["slow"]
input = {}
"#;

fn interrupted_by(signal: &str, code: i32) {
    let project = Project::fake(WORKFLOW);
    let mut running = project.start(&["run", "w.toml"]);
    running.wait_until("the slow task to start", |r| r.stderr().contains("slow"));
    running.signal(signal);
    let done = running.finish().expect(code);
    assert!(done.took < Duration::from_secs(10), "{done}");
    // A person is told how to go on.
    let done = done.says(&["sandgate resume"]);
    drop(done);

    let run = project.only_run();
    let before = project.history(&run).ends();
    assert!(before.iter().any(|e| e.2 == "output"), "{before:?}");
    assert_ne!(project.summary(&run)["state"], "verified");

    project.run(&["resume"]).expect(0);
    let history = project.history(&run);
    history.check().unwrap();
    assert_eq!(history.ends().iter().filter(|e| e.2 == "output").count(), 3);
    assert_eq!(project.summary(&run)["state"], "verified");
}

#[test]
fn ctrl_c_is_130_and_resumable() {
    interrupted_by("INT", 130);
}

#[test]
fn terminate_is_143_and_resumable() {
    interrupted_by("TERM", 143);
}
