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
    collections::{BTreeMap, BTreeSet},
    fs::File,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

/// Of the writes, every so manyth is killed at; `SANDGATE_KILL_STRIDE=1` takes all, which takes minutes.
const STRIDE: usize = 3;

/// How often the counter is looked at.
const GLANCE: Duration = Duration::from_micros(20);

/// A run in which people are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Story {
    /// Tasks that have effects, and a signal.
    Tasks,
    /// The same, whose author says that they may be repeated.
    Repeatable,
    /// A planner and a gate that ask.
    Roles,
}

impl Story {
    /// How often somebody is asked.
    fn asks(self) -> usize {
        match self {
            // The plan, the task, its call, its question.
            Self::Tasks | Self::Repeatable => 4,
            // The planner's question, its plan, two calls of the gate and its question.
            Self::Roles => 5,
        }
    }

    /// What leaves a mark, in order.
    fn marks(self) -> &'static [&'static str] {
        match self {
            Self::Tasks | Self::Repeatable => &["a1", "a2", "a3", "end"],
            Self::Roles => &["g1", "g2"],
        }
    }

    fn project(self) -> Project {
        let more = format!("repeatable = {}", self == Self::Repeatable);
        let wait =
            "[[task]]\nid = \"s\"\nwait_for = { signal = \"ci\", match = { sha = \"abc\" } }\n";
        let flow = match self {
            Self::Tasks | Self::Repeatable => workflow(&[
                &rule("plan-rule", "plan", ""),
                &task(
                    "a",
                    &format!("approval = \"before\"\n{more}"),
                    &[free("a1"), mark("a2"), question("go on?", ""), free("a3")],
                ),
                wait,
                &task(
                    "end",
                    &format!("needs = [\"a\", \"s\"]\n{more}"),
                    &[free("end")],
                ),
            ]),
            Self::Roles => workflow(&[
                &format!(
                    "[planner]\nuse = \"planner\"\nreview = \"required\"\nconfig = {{ act = \"effects\", steps = [{}] }}\n",
                    question("what for?", "")
                ),
                wait,
                &format!(
                    "[[gate]]\nid = \"door\"\nuse = \"gate\"\nconfig = {{ act = \"effects\", steps = [{}, {}, {}] }}\n",
                    mark("g1"),
                    question("good?", ""),
                    mark("g2")
                ),
            ]),
        };
        project(POLICY, &flow)
    }

    /// Whether this wreck may leave something that nobody knows the end of.
    fn unknown(self, wreck: &Wreck) -> bool {
        match self {
            // What an attempt wrote itself is in no record.
            Self::Tasks => wreck.live,
            Self::Repeatable => wreck.approved,
            Self::Roles => wreck.live || wreck.approved,
        }
    }
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
            for _ in 0..100 {
                self.look();
                if self.at.is_some_and(|at| self.seen >= at) {
                    self.at = None;
                    running.kill();
                    return None;
                }
                // Spinning would take a processor away from what is to be killed.
                sleep(GLANCE);
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
    let done = project.run(&["summary", "--format", "json"]);
    if done.code() != 0 {
        return words(&["run", "w.toml"]);
    }
    let summary = done.json();
    if ["verified", "failed", "partial", "cancelled"].contains(&text(&summary["state"]).as_str()) {
        return Next::Ended(summary);
    }
    // Its end is unknown: a person decides whether it is tried again, and here nobody does.
    let tasks = summary["tasks"].as_array().cloned().unwrap_or_default();
    if tasks.iter().any(|t| t["state"] == "lost") {
        return Next::Ended(summary);
    }
    let waits = summary["waits"].as_array().cloned().unwrap_or_default();
    let only_signals = !waits.is_empty() && waits.iter().all(|w| w.to_string().contains("signal"));
    match only_signals && list["signals"].as_array().is_some_and(|s| !s.is_empty()) {
        true => words(&["signal", "ci", "-m", "sha=abc", "--id", "one", "--drive"]),
        false => words(&["resume"]),
    }
}

/// What the record says was going on when the host died.
#[derive(Default)]
struct Wreck {
    /// An attempt ran.
    live: bool,
    /// One of its calls had begun and not ended.
    open: bool,
    /// That call was one that a person had approved.
    approved: bool,
}

fn wreck(events: &[Value]) -> Wreck {
    let (mut live, mut open) = (BTreeSet::new(), BTreeMap::new());
    let mut wreck = Wreck::default();
    for event in events {
        let call = || format!("{} {}", event["by"], event["call"]);
        match event["type"].as_str().unwrap_or_default() {
            "attempt-started" | "attempt-resumed" => {
                live.insert(event["task"].to_string());
            }
            "attempt-ended" => {
                live.remove(&event["task"].to_string());
            }
            "suspended" => {
                live.remove(&event["by"]["task"].to_string());
            }
            "call-started" => {
                open.insert(call(), !event["request"]["consent"].is_null());
            }
            "call-ended" => {
                open.remove(&call());
            }
            "host-started" => {
                wreck.live |= !live.is_empty();
                wreck.open |= !open.is_empty();
                wreck.approved |= open.values().any(|approved| *approved);
                live.clear();
                open.clear();
            }
            _ => {}
        }
    }
    wreck
}

/// What must hold wherever it was killed; whether a task was lost.
fn check(project: &Project, end: &End, story: Story) -> Result<bool, String> {
    let events = super::kit::events(project);
    let wreck = wreck(&events);
    let again = twice(project);
    // Only what its author calls repeatable is done again, and that only when nobody knows whether it was done.
    let may_repeat = story == Story::Repeatable && wreck.open && !wreck.approved;
    if !again.is_empty() && !may_repeat {
        return Err(format!("executed twice: {again:?}"));
    }
    let asked = asks(project, true);
    if asked.len() > story.asks() {
        return Err(format!("asked {} times: {asked:#?}", asked.len()));
    }
    if count(&events, "signal-delivered") > 1 {
        return Err("the signal came twice".to_owned());
    }
    for ask in &asked {
        let votes = ask["votes"].as_array().map_or(0, Vec::len);
        if votes > 1 {
            return Err(format!("{votes} decisions: {ask:#}"));
        }
    }
    decided_before(&events)?;
    if end.summary["state"] == "verified" {
        let mut done = marks(project);
        done.dedup();
        if asked.len() != story.asks() || done != story.marks() {
            return Err(format!("{} asked, {:?}", asked.len(), marks(project)));
        }
        return Ok(false);
    }
    let tasks = end.summary["tasks"].as_array().cloned().unwrap_or_default();
    let lost = tasks.iter().any(|t| t["state"] == "lost") || story == Story::Roles;
    match lost && story.unknown(&wreck) {
        true => Ok(true),
        false => {
            let kinds: Vec<String> = events.iter().map(|e| text(&e["type"])).collect();
            let state = &end.summary["state"];
            Err(format!("ended {state} for no reason: {}", kinds.join(" ")))
        }
    }
}

/// Every call that somebody had to agree to has exactly one decision before it.
fn decided_before(events: &[Value]) -> Result<(), String> {
    let mut yes = BTreeMap::new();
    for event in events {
        let consent = &event["request"]["consent"]["ask"];
        if event["type"] == "decided" {
            *yes.entry(event["ask"].to_string()).or_insert(0) += 1;
        } else if event["type"] == "call-started"
            && !consent.is_null()
            && yes.get(&consent.to_string()) != Some(&1)
        {
            return Err(format!("{yes:?} before {event:#}"));
        }
    }
    Ok(())
}

fn killed_at_every_write(story: Story) {
    let stride = std::env::var("SANDGATE_KILL_STRIDE")
        .ok()
        .and_then(|t| t.parse().ok())
        .unwrap_or(STRIDE);
    let project = story.project();
    let whole = play(&project, None);
    assert!(!check(&project, &whole, story).unwrap());
    assert!(whole.writes > 20, "{} writes are seen", whole.writes);
    let (mut kills, mut live, mut lost) = (0, 0, 0);
    let mut wrong = Vec::new();
    let mut in_what = BTreeMap::new();
    for at in (1..=whole.writes).step_by(stride) {
        let project = story.project();
        let end = play(&project, Some(at));
        let Some(killed_in) = &end.killed_in else {
            continue;
        };
        kills += 1;
        live += u32::from(wreck(&super::kit::events(&project)).live);
        let verb = killed_in.split(' ').next().unwrap_or_default().to_owned();
        *in_what.entry(verb).or_insert(0) += 1;
        match check(&project, &end, story) {
            Ok(was_lost) => lost += u32::from(was_lost),
            Err(why) => wrong.push(format!("write {at}, in `{killed_in}`: {why}")),
        }
    }
    println!(
        "{story:?}: {} writes, killed at {kills} of them ({in_what:?}), {live} times with an attempt at work: {} went on to the end, {lost} lost, 0 asked twice, {} wrong",
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

#[test]
fn killed_at_every_write_nothing_happens_twice() {
    killed_at_every_write(Story::Tasks);
}

#[test]
fn killed_at_every_write_what_may_be_repeated_goes_on() {
    killed_at_every_write(Story::Repeatable);
}

#[test]
fn killed_at_every_write_planners_and_gates_go_on() {
    killed_at_every_write(Story::Roles);
}
