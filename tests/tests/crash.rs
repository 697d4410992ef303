//! `kill -9` at any moment loses nothing that was said to be done and repeats nothing that is finished.

use crate::harness::{Dice, Project};
use std::{thread::sleep, time::Duration};

/// How many times the host is killed. Each costs about a third of a second.
const KILLS: u32 = 40;

/// Fan-out, fan-in and a tail; about 15 attempts of 10 to 40 ms, two at a time, so that most moments have some
/// tasks finished, some running and some waiting.
const WORKFLOW: &str = r#"
name = "crash"
goal = "Survive"
concurrency = 2

[[task]]
id = "root"
agent = "fake"
input = { sleep_ms = 10 }
produces = ["seed"]

[[task]]
id = "each"
agent = "fake"
needs = ["root"]
for_each = "range(8)"
input = { sleep_ms = 25 }

[[task]]
id = "second_try"
agent = "fake"
needs = ["root"]
input = { sleep_ms = 20, fail_attempts = 1 }
retry = { attempts = 10, backoff = "10ms" }

[[task]]
id = "join"
agent = "fake"
needs = ["each", "second_try"]
consumes = ["root.seed"]
input = { sleep_ms = 20, read = ["root.seed"] }

[[task]]
id = "tail"
agent = "fake"
needs = ["join"]
input = { sleep_ms = 10, output = { text = "{{ tasks.join.output.read }}" } }
"#;

#[test]
fn kill_at_any_moment_and_resume() {
    let mut dice = Dice::new();
    println!("SANDGATE_SEED={}", dice.seed);
    let whole = whole_time();
    let mut kills = 0;
    let mut unfinished = 0;
    while kills < KILLS {
        let project = Project::fake(WORKFLOW);
        kills += until_it_ends(&project, &mut dice, whole);
        let run = project.only_run();
        let history = project.history(&run);
        if let Err(broken) = history.check() {
            panic!("seed {}: {broken}", dice.seed);
        }
        let summary = project.summary(&run);
        assert_eq!(
            summary["state"], "verified",
            "seed {}: {summary:#}",
            dice.seed
        );
        let outputs = history.ends().iter().filter(|e| e.2 == "output").count();
        assert!(outputs >= 12, "seed {}: {outputs} outputs", dice.seed);
        unfinished += history.of("host-started").count();
    }
    // The test means nothing when every kill came before the run began or after it ended.
    assert!(
        unfinished >= KILLS as usize / 4,
        "{unfinished} of {kills} kills hit a run"
    );
}

/// How long the run takes when nobody disturbs it.
fn whole_time() -> Duration {
    let project = Project::fake(WORKFLOW);
    project.run(&["run", "w.toml"]).expect(0);
    let project = Project::fake(WORKFLOW);
    project.run(&["run", "w.toml"]).expect(0).took
}

/// Starts, kills and resumes until the run ends by itself; how many times it was killed.
fn until_it_ends(project: &Project, dice: &mut Dice, whole: Duration) -> u32 {
    let mut kills = 0;
    loop {
        let fresh = kills == 0 || project.runs().is_empty();
        let args: &[&str] = if fresh {
            &["run", "w.toml"]
        } else {
            &["resume"]
        };
        let mut running = project.start(args);
        let limit = u64::try_from(whole.as_micros()).unwrap();
        // After many kills it may go on: otherwise chance decides how long the test takes.
        let pause = if kills < 8 {
            dice.below(limit)
        } else {
            limit * 20
        };
        sleep_unless(Duration::from_micros(pause), || running.ended());
        if running.ended() {
            running.finish().expect(0);
            return kills;
        }
        let killed = running.kill();
        kills += 1;
        // What was said to be done is in the journal.
        if let Some(run) = project.runs().first() {
            let events = project.run(&["events", run]).expect(0).stdout;
            for line in killed.stderr.lines() {
                let before = line.split(" succeeded").next().filter(|b| *b != line);
                if let Some(task) = before.and_then(|b| b.rsplit(' ').next()) {
                    let said = format!("{task} succeeded");
                    assert!(
                        events.contains(&said),
                        "`{line}` was said and is not in\n{events}"
                    );
                }
            }
            // The kill came after the last commit and before the exit.
            if project.summary(run)["state"] == "verified" {
                return kills;
            }
        }
    }
}

fn sleep_unless(time: Duration, mut ended: impl FnMut() -> bool) {
    let step = Duration::from_millis(2);
    let mut left = time;
    while left > Duration::ZERO && !ended() {
        sleep(left.min(step));
        left = left.saturating_sub(step);
    }
}

const SLOW: &str = r#"
name = "slow"
goal = "Take a while"

[[task]]
id = "wait"
agent = "fake"
input = { sleep_ms = 4000 }
"#;

#[test]
fn a_second_process_follows_the_first_and_needs_no_lock_after_its_death() {
    let project = Project::fake(SLOW);
    let mut first = project.start(&["run", "w.toml"]);
    first.wait_until("the task to start", |r| r.stderr().contains("wait"));
    // The same command goes on with the same run, wherever that is driven.
    let second = project.run(&["run", "w.toml"]);
    assert_eq!(second.code(), 0, "{second}");
    assert_eq!(project.runs().len(), 1);
    drop(first);

    let project = Project::fake(SLOW);
    let mut first = project.start(&["run", "w.toml"]);
    first.wait_until("the task to start", |r| r.stderr().contains("wait"));
    project.run(&["runs"]).expect(0);
    first.kill();
    // After a kill the lock is free at once.
    project.run(&["resume"]).expect(0);
}
