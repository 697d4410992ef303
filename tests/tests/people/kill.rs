//! `kill -9` at every write to the journal of a run with a plan's review, a task's approval, a call's approval, a question
//! and a signal. It always goes on; nobody is asked twice; nothing is executed twice.
//!
//! A write is seen from outside, by the counter of commits in the journal's shared memory: the kill comes within
//! microseconds after it.

use super::kit::{
    POLICY, asks, count, free, mark, marks, project, question, rule, task, text, twice, workflow,
};
use crate::harness::{Done, Project};
use serde_json::Value;
use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Of the writes, every so manyth is killed at; `SANDGATE_KILL_STRIDE=1` takes all, which takes minutes.
const STRIDE: usize = 7;

/// What asks a person: the plan, the task, its call, its question.
const ASKS: usize = 4;

/// What leaves a mark.
const MARKS: [&str; 4] = ["a1", "a2", "a3", "end"];

fn scenario() -> Project {
    project(
        POLICY,
        &workflow(&[
            &rule("plan-rule", "plan", ""),
            &task(
                "a",
                "approval = \"before\"",
                &[free("a1"), mark("a2"), question("go on?", ""), free("a3")],
            ),
            "[[task]]\nid = \"s\"\nwait_for = { signal = \"ci\", match = { sha = \"abc\" } }\n",
            &task("end", "needs = [\"a\", \"s\"]", &[free("end")]),
        ]),
    )
}

/// Counts the commits of whoever works on the journal, and kills at one of them.
struct Killer {
    shm: PathBuf,
    last: Option<u32>,
    /// Commits so far.
    seen: usize,
    /// At which one; `None`: never, or not any more.
    at: Option<usize>,
}

impl Killer {
    fn new(project: &Project, at: Option<usize>) -> Self {
        Self {
            shm: project.dir().join(".sandgate/journal.db-shm"),
            last: None,
            seen: 0,
            at,
        }
    }

    /// The third word of the index of the write-ahead log counts commits.
    fn look(&mut self) {
        let mut bytes = [0; 4];
        let read = File::open(&self.shm).and_then(|file| file.read_exact_at(&mut bytes, 8));
        let now = read.ok().map(|()| u32::from_ne_bytes(bytes));
        let (Some(now), before) = (now, self.last) else {
            return;
        };
        self.last = Some(now);
        let more = match before {
            // A new index begins at nothing.
            Some(before) if now >= before => now - before,
            _ => now,
        };
        self.seen += usize::try_from(more).unwrap();
    }

    /// Runs a command; `None`: it was killed.
    fn run(&mut self, project: &Project, args: &[&str]) -> Option<Done> {
        let mut running = project.start(args);
        let start = Instant::now();
        while !running.ended() && start.elapsed() < Duration::from_secs(60) {
            for _ in 0..200 {
                self.look();
                if self.at.is_some_and(|at| self.seen >= at) {
                    self.at = None;
                    running.kill();
                    return None;
                }
            }
        }
        Some(running.finish())
    }
}

/// What came of a scenario.
struct End {
    writes: usize,
    killed_in: Option<String>,
    summary: Value,
}

/// Does whatever is to be done next, until the run ends.
fn play(project: &Project, at: Option<usize>) -> End {
    let mut killer = Killer::new(project, at);
    let mut killed_in = None;
    for _ in 0..60 {
        let args = match next(project) {
            Next::Ended(summary) => {
                return End {
                    writes: killer.seen,
                    killed_in,
                    summary,
                };
            }
            Next::Do(args) => args,
        };
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let hurt = killer.at.is_some();
        match killer.run(project, &words) {
            None => killed_in = Some(words.join(" ")),
            Some(done) => assert!(
                [0, 1, 3, 4].contains(&done.code()) || hurt && done.code() == 2,
                "{done}"
            ),
        }
    }
    panic!("it does not end: {}", project.run(&["status"]));
}

enum Next {
    Do(Vec<String>),
    Ended(Value),
}

fn next(project: &Project) -> Next {
    let words = |text: &[&str]| Next::Do(text.iter().map(|w| (*w).to_owned()).collect());
    let Some(run) = project.runs().first().cloned() else {
        return words(&["run", "w.toml"]);
    };
    let summary = project.summary(&run);
    if ["verified", "failed", "partial", "cancelled"].contains(&text(&summary["state"]).as_str()) {
        return Next::Ended(summary);
    }
    let list = project
        .run(&["approvals", "--format", "json"])
        .expect(0)
        .json();
    for kind in ["plans", "approvals"] {
        if let Some(ask) = list[kind].as_array().and_then(|a| a.first()) {
            return words(&["approve", &text(&ask["id"]), "--drive"]);
        }
    }
    if let Some(ask) = list["questions"].as_array().and_then(|a| a.first()) {
        return words(&["answer", &text(&ask["id"]), "yes", "--drive"]);
    }
    let waits = summary["waits"].as_array().cloned().unwrap_or_default();
    let only_signals = !waits.is_empty() && waits.iter().all(|w| w.to_string().contains("signal"));
    match only_signals && list["signals"].as_array().is_some_and(|s| !s.is_empty()) {
        true => words(&["signal", "ci", "-m", "sha=abc", "--id", "one", "--drive"]),
        false => words(&["resume"]),
    }
}

/// What must hold however often it was killed; whether a task was lost.
fn check(project: &Project, end: &End) -> Result<bool, String> {
    let again = twice(project);
    if !again.is_empty() {
        return Err(format!("executed twice: {again:?}"));
    }
    let asked = asks(project, true);
    if asked.len() > ASKS {
        return Err(format!("asked {} times: {asked:#?}", asked.len()));
    }
    let run = project.only_run();
    project.history(&run).check()?;
    let events = super::kit::events(project);
    if count(&events, "signal-delivered") > 1 {
        return Err("the signal came twice".to_owned());
    }
    for ask in &asked {
        let votes = ask["votes"].as_array().map_or(0, Vec::len);
        if votes > 1 {
            return Err(format!("{votes} decisions: {ask:#}"));
        }
    }
    // Every marked call has its decision before it.
    for (n, event) in events.iter().enumerate() {
        let consent = &event["request"]["consent"]["ask"];
        if event["type"] == "call-started" && !consent.is_null() {
            let before = events[..n]
                .iter()
                .filter(|e| e["type"] == "decided" && e["ask"] == *consent);
            if before.count() != 1 {
                return Err(format!("no decision before {event:#}"));
            }
        }
    }
    if end.summary["state"] == "verified" {
        if asked.len() != ASKS || marks(project) != MARKS {
            return Err(format!("{} asked, {:?}", asked.len(), marks(project)));
        }
        return Ok(false);
    }
    // Only what was in the middle of an effect is lost; a person decides about it.
    let tasks = end.summary["tasks"].as_array().cloned().unwrap_or_default();
    let lost = tasks.iter().any(|t| t["state"] == "lost");
    let open = count(&events, "call-started") > count(&events, "call-ended");
    match lost && open {
        true => Ok(true),
        false => Err(format!(
            "ended {} for no reason: {:#}",
            end.summary["state"], end.summary
        )),
    }
}

#[test]
fn killed_at_every_write_it_goes_on() {
    let stride = std::env::var("SANDGATE_KILL_STRIDE")
        .ok()
        .and_then(|t| t.parse().ok())
        .unwrap_or(STRIDE);
    let project = scenario();
    let whole = play(&project, None);
    assert!(!check(&project, &whole).unwrap());
    assert!(whole.writes > 30, "{} writes are seen", whole.writes);
    let (mut kills, mut lost) = (0, 0);
    let mut wrong = Vec::new();
    let mut in_what = std::collections::BTreeMap::new();
    for at in (1..=whole.writes).step_by(stride) {
        let project = scenario();
        let end = play(&project, Some(at));
        let Some(killed_in) = &end.killed_in else {
            continue;
        };
        kills += 1;
        let verb = killed_in.split(' ').next().unwrap_or_default().to_owned();
        *in_what.entry(verb).or_insert(0) += 1;
        match check(&project, &end) {
            Ok(was_lost) => lost += u32::from(was_lost),
            Err(why) => wrong.push(format!("write {at}, in `{killed_in}`: {why}")),
        }
    }
    println!(
        "{} writes; killed at {kills} of them ({in_what:?}): {lost} lost in the middle of an effect, {} went on to the end, {} wrong",
        whole.writes,
        kills - lost,
        wrong.len()
    );
    for line in &wrong {
        println!("WRONG: {line}");
    }
    assert!(wrong.is_empty(), "{} wrong, see above", wrong.len());
    assert!(kills > 3, "{kills} kills hit");
}
