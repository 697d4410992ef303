//! Pause, resume, cancel and retry at any moment, by another process; and that a cancel ends what runs.

use super::kit::{
    POLICY, asks, count, events, eventually, fake, free, mark, marks, project, question, state,
    task, task_of, twice, workflow,
};
use crate::harness::{Dice, Project};
use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a cancel may take until everything has ended: the promise is a second; the rest is the machine of a test.
const ENDED: Duration = Duration::from_secs(3);

/// Rounds at moments by chance; each takes one to two seconds.
fn rounds() -> u64 {
    let given = std::env::var("SANDGATE_STEER")
        .ok()
        .and_then(|t| t.parse().ok());
    given.unwrap_or(8)
}

/// Processes whose command line has this word.
fn alive(word: &str) -> usize {
    let procs = fs::read_dir("/proc").into_iter().flatten().flatten();
    procs
        .filter(|p| {
            let line = fs::read(p.path().join("cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).any(|arg| arg == word.as_bytes())
        })
        .count()
}

#[test]
fn a_cancel_ends_a_spinning_guest_and_a_sleeping_command() {
    let policy = |seconds: &str| {
        POLICY.replace(
            "exec = [",
            &format!(
                "exec = [\n    {{ name = \"sleep\", program = \"sleep\", args = [\"{seconds}\"], cwd = \"/desk\", approval = \"none\" }},"
            ),
        )
    };
    let mut worst = Duration::ZERO;
    for (what, work) in [
        ("spinning", "{ act = \"spin-after\", steps = [], after = 100000000000000 }".to_owned()),
        ("commanding", "{ act = \"effects\", steps = [{ do = \"command\", program = \"sleep\", args = [\"987.25\"], cwd = \"/desk\" }] }".to_owned()),
        ("sleeping", "{ act = \"effects\", steps = [{ do = \"sleep\", ms = 600000 }] }".to_owned()),
        ("waiting", format!("{{ act = \"effects\", steps = [{}] }}", question("well?", ""))),
    ] {
        let flow = workflow(&[
            &format!("[[task]]\nid = \"t\"\nagent = \"guest\"\ninput = {work}\n"),
            &task("after", "needs = [\"t\"]", &[free("never")]),
        ]);
        let project = project(&policy("987.25"), &flow);
        let mut owner = project.start(&["run", "w.toml", "--wait"]);
        owner.wait_until("the attempt", |_| {
            !project.runs().is_empty() && count(&events(&project), "attempt-started") == 1
        });
        if what == "commanding" {
            owner.wait_until("the command", |_| alive("987.25") > 0);
        }
        // Well inside of its work.
        sleep(Duration::from_millis(200));
        let start = Instant::now();
        project.run(&["cancel", "--reason", "stop it"]).expect(0);
        let took = start.elapsed();
        worst = worst.max(took);
        assert!(took < ENDED, "{what}: {took:?}");
        assert_eq!(state(&project), "cancelled", "{what}");
        owner.finish().expect(1);
        eventually("the end of the command", || alive("987.25") == 0);
        assert_eq!(marks(&project), [""; 0]);
        // A complete record: every attempt that started ended, nothing is open.
        let seen = events(&project);
        assert_eq!(
            count(&seen, "attempt-started"),
            count(&seen, "attempt-ended") + count(&seen, "suspended"),
            "{what}: {seen:#?}"
        );
        let asked = seen.iter().find(|e| e["type"] == "cancel-requested").unwrap();
        assert_eq!(asked["reason"], "stop it");
        assert_eq!(asked["by"]["channel"], "socket");
        assert_eq!(asks(&project, false).len(), 0, "{what}");
        assert_eq!(task_of(&project, "t")["state"], "cancelled", "{what}");
    }
    println!("4 kinds of work cancelled, the slowest command took {worst:?}");
}

#[test]
fn a_paused_run_starts_nothing() {
    let project = project(
        POLICY,
        &workflow(&[
            &task(
                "a",
                "",
                &["{ do = \"sleep\", ms = 1500 }".to_owned(), free("a")],
            ),
            &task("b", "needs = [\"a\"]", &[free("b")]),
        ]),
    );
    let mut owner = project.start(&["run", "w.toml", "--wait"]);
    owner.wait_until("the attempt", |_| {
        !project.runs().is_empty() && count(&events(&project), "attempt-started") == 1
    });
    project.run(&["pause"]).expect(0);
    // What runs goes on.
    owner.wait_until("the first", |_| marks(&project) == ["a"]);
    sleep(Duration::from_millis(500));
    assert_eq!(marks(&project), ["a"]);
    let why = project.run(&["why"]).expect(0);
    assert!(why.stdout.contains("paused"), "{why}");
    project.run(&["resume"]).expect(0);
    owner.finish().expect(0);
    assert_eq!(marks(&project), ["a", "b"]);
}

#[test]
fn one_task_is_paused_resumed_and_cancelled() {
    let flow = workflow(&[
        &task("a", "approval = \"before\"", &[free("a")]),
        &task("b", "", &[mark("b")]),
        &task("c", "needs = [\"b\"]", &[free("c")]),
    ]);
    let project = project(POLICY, &flow);
    project.run(&["run", "w.toml"]).expect(4);
    let run = project.only_run();
    project.run(&["pause", &run, "a"]).expect(0);
    project
        .run(&["cancel", &run, "b", "--reason", "not this"])
        .expect(0);
    project.run(&["approve", "--all"]);
    project.run(&["resume"]);
    assert_eq!(task_of(&project, "b")["state"], "cancelled");
    assert_eq!(task_of(&project, "c")["state"], "skipped");
    assert_eq!(marks(&project), [""; 0], "`a` is paused, `b` was cancelled");
    let done = project.run(&["resume", &run, "a"]);
    assert_eq!(marks(&project), ["a"], "{done}");
}

/// Commands by chance, at moments by chance, at a run with everything in it: it never hangs, and its record is whole.
#[test]
fn anything_at_any_moment() {
    let mut dice = Dice::new();
    println!("SANDGATE_SEED={}", dice.seed);
    let mut ends = std::collections::BTreeMap::new();
    let mut commands = 0;
    for _ in 0..rounds() {
        let project = round(&mut dice, &mut commands);
        let run = project.only_run();
        let summary = project.summary(&run);
        let end = super::kit::text(&summary["state"]);
        assert!(
            ["verified", "failed", "partial", "cancelled"].contains(&end.as_str()),
            "seed {}: {summary:#}",
            dice.seed
        );
        if let Err(broken) = project.history(&run).check() {
            panic!("seed {}: {broken}", dice.seed);
        }
        // Whoever tries a cancelled task again wants its effects again.
        if count(&events(&project), "retry-requested") == 0 {
            assert_eq!(twice(&project), [""; 0], "seed {}", dice.seed);
        }
        *ends.entry(end).or_insert(0) += 1;
    }
    println!(
        "{commands} commands at any moment in {} runs: {ends:?}",
        rounds()
    );
}

fn round(dice: &mut Dice, commands: &mut u32) -> Project {
    let flow = format!(
        "name = \"w\"\ngoal = \"Ask\"\nconcurrency = 2\n\n{}{}{}{}[[task]]\nid = \"s\"\nwait_for = {{ signal = \"ci\", match = {{ sha = \"abc\" }} }}\n",
        fake("root", ""),
        task(
            "a",
            "needs = [\"root\"]",
            &[free("a1"), mark("a2"), free("a3")]
        ),
        task(
            "b",
            "approval = \"before\"",
            &["{ do = \"sleep\", ms = 50 }".to_owned(), free("b")]
        ),
        task(
            "c",
            "needs = [\"a\", \"b\"]",
            &[question("go on?", ""), free("c")]
        ),
    );
    let project = project(POLICY, &flow);
    let mut owner = project.start(&["run", "w.toml", "--wait"]);
    owner.wait_until("the run", |_| !project.runs().is_empty());
    for _ in 0..8 {
        sleep(Duration::from_millis(dice.below(150)));
        let words: &[&str] = match dice.below(12) {
            0 | 1 => &["pause"],
            2 | 3 => &["resume", "--format", "json"],
            4 => &["pause", "a"],
            5 => &["cancel", "b"],
            6 => &["retry"],
            7 => &["signal", "ci", "-m", "sha=abc", "--id", "1"],
            8 if dice.below(3) == 0 => &["cancel"],
            _ => &["approve", "--all"],
        };
        // `resume` stays with the run while it works, and comes back when it waits.
        let done = project.run(words);
        *commands += 1;
        assert!(
            [0, 1, 2, 4].contains(&done.code()),
            "seed {}: {done}",
            dice.seed
        );
        assert!(
            !done.stderr.contains("panicked"),
            "seed {}: {done}",
            dice.seed
        );
    }
    // Then somebody clears up.
    for _ in 0..10 {
        let summary = project.run(&["summary", "--format", "json"]).json();
        if !["running", "planning", "plan-review", "verifying", "created"]
            .contains(&summary["state"].as_str().unwrap_or(""))
        {
            break;
        }
        let run = project.only_run();
        for task in ["a", "b", "c"] {
            project.run(&["resume", &run, task]);
        }
        project.run(&["approve", "--all"]);
        for ask in asks(&project, false) {
            if ask["about"] == "question" {
                project.run(&["answer", &super::kit::text(&ask["id"]), "yes"]);
            }
        }
        project.run(&["signal", "ci", "-m", "sha=abc", "--id", "1"]);
        project.run(&["resume"]);
        sleep(Duration::from_millis(200));
    }
    drop(owner.finish());
    project
}

/// Two commands that contradict each other, at the same moment.
#[test]
fn opposites_at_once() {
    let project = project(
        POLICY,
        &workflow(&[&task("a", "approval = \"before\"", &[free("a")])]),
    );
    project.run(&["run", "w.toml"]).expect(4);
    let all: Vec<_> = [
        &["pause"][..],
        &["resume"],
        &["cancel"],
        &["approve", "--all"],
        &["retry"],
        &["resume"],
    ]
    .iter()
    .map(|args| project.start(args))
    .collect();
    for one in all {
        let done = one.finish();
        assert!([0, 1, 2, 4].contains(&done.code()), "{done}");
        assert!(!done.stderr.contains("panicked"), "{done}");
    }
    project.run(&["resume"]);
    let run: &Project = &project;
    run.history(&run.only_run()).check().unwrap();
    assert!(marks(run).len() <= 1);
}
