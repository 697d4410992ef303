//! Many at once: 16 processes that decide about one request, through the socket and on the journal; and 300 requests that
//! are made in one moment. Ten thousand races inside of one process are in the tests of the engine.

use super::kit::{
    POLICY, asks, count, events, fake, free, marks, project, task, text, twice, workflow,
};
use crate::harness::{Dice, Done, Project, Running};
use serde_json::Value;

/// Processes that decide at once.
const AT_ONCE: usize = 16;

/// Requests that are put to people at the same time.
const MOST: usize = 20;

/// Rounds of each kind; each is 16 processes, and takes one to two seconds.
fn rounds() -> usize {
    let given = std::env::var("SANDGATE_RACES")
        .ok()
        .and_then(|t| t.parse().ok());
    given.unwrap_or(4)
}

/// A run in which so many tasks wait for a yes.
fn asking(tasks: usize) -> Project {
    let tasks: Vec<String> = (0..tasks)
        .map(|n| {
            task(
                &format!("t{n}"),
                "approval = \"before\"",
                &[free(&format!("m{n}"))],
            )
        })
        .collect();
    let parts: Vec<&str> = tasks.iter().map(String::as_str).collect();
    project(POLICY, &workflow(&parts))
}

#[derive(Default)]
struct Tally {
    rounds: usize,
    new: usize,
    repeats: usize,
    conflicts: usize,
    approved: usize,
}

/// All at once about one request.
fn race(project: &Project, ask: &Value, dice: &mut Dice, tally: &mut Tally) -> bool {
    let id = text(&ask["id"]);
    let mut running = Vec::new();
    for n in 0..AT_ONCE {
        let verb = if dice.below(2) == 0 {
            "approve"
        } else {
            "reject"
        };
        let reason = format!("by {n}");
        let args = [verb, id.as_str(), "--reason", &reason, "--format", "json"];
        running.push((verb, reason.clone(), project.start(&args)));
    }
    let done: Vec<(&str, String, Done)> = running
        .into_iter()
        .map(|(verb, reason, r)| (verb, reason, r.finish()))
        .collect();
    let (mut winners, mut losers) = (Vec::new(), Vec::new());
    for (verb, reason, done) in &done {
        assert!(!done.stderr.contains("panicked"), "{done}");
        match done.code() {
            0 => match done.stdout.contains("\"repeat\"") {
                true => {
                    tally.repeats += 1;
                    losers.push((*verb, reason, done));
                }
                false => winners.push((*verb, reason)),
            },
            2 => {
                tally.conflicts += 1;
                losers.push((*verb, reason, done));
            }
            _ => panic!("neither won nor lost: {done}"),
        }
    }
    tally.rounds += 1;
    // A process whose answer was lost on the way repeats its wish; so at most one is new, and one is recorded.
    assert!(winners.len() <= 1, "{winners:?}");
    tally.new += winners.len();
    let after = asks(project, true)
        .into_iter()
        .find(|a| a["id"] == ask["id"])
        .unwrap();
    let votes = after["votes"].as_array().unwrap();
    assert_eq!(votes.len(), 1, "{after:#}");
    let approved = votes[0]["decision"]["decision"] == "approve";
    tally.approved += usize::from(approved);
    let won = if approved { "approve" } else { "reject" };
    for (verb, reason) in &winners {
        assert_eq!(*verb, won);
        assert_eq!(votes[0]["reason"], **reason, "{after:#}");
    }
    for (verb, _, done) in losers {
        assert_eq!(done.code() == 0, verb == won, "the winner is {won}: {done}");
        let who = text(&votes[0]["by"]["name"]);
        let told = format!("{}{}", done.stdout, done.stderr);
        assert!(told.contains(&who), "{who} is not named: {done}");
    }
    approved
}

/// So many races in one run, with or without a process that drives it.
fn races(rounds: usize, socket: bool, dice: &mut Dice, tally: &mut Tally) {
    let project = asking(rounds);
    let owner = match socket {
        false => {
            project.run(&["run", "w.toml"]).expect(4);
            None
        }
        true => {
            let mut owner = project.start(&["run", "w.toml", "--wait"]);
            super::kit::wait_open(&mut owner, &project, rounds);
            Some(owner)
        }
    };
    let mut yes = 0;
    for ask in asks(&project, false) {
        yes += usize::from(race(&project, &ask, dice, tally));
    }
    match owner {
        Some(owner) => drop(owner.finish()),
        None => drop(project.run(&["resume"])),
    }
    assert_eq!(
        marks(&project).len(),
        yes,
        "what was approved ran, and nothing else"
    );
    assert_eq!(twice(&project), [""; 0]);
    assert_eq!(count(&events(&project), "decided"), rounds);
}

#[test]
fn of_sixteen_decisions_one_counts() {
    let mut dice = Dice::new();
    println!("SANDGATE_SEED={}", dice.seed);
    let mut tally = Tally::default();
    for socket in [false, true] {
        let mut left = rounds();
        while left > 0 {
            let here = left.min(MOST);
            left -= here;
            races(here, socket, &mut dice, &mut tally);
        }
    }
    println!(
        "{} races of {AT_ONCE} processes: {} recorded ({} approved), {} repeats, {} conflicts that name the winner",
        tally.rounds, tally.rounds, tally.approved, tally.repeats, tally.conflicts
    );
}

/// Three hundred tasks become ready in one moment, and each needs a yes. At most 20 are put to people at once.
#[test]
fn three_hundred_requests_at_once() {
    let project = project(
        "",
        &workflow(&[
            &fake("root", ""),
            &fake(
                "each",
                "needs = [\"root\"]\nfor_each = \"range(300)\"\napproval = \"before\"",
            ),
        ]),
    );
    let first = project.run(&["run", "w.toml"]);
    assert_eq!(first.code(), 4, "{first}");
    let list = project.run(&["approvals"]).expect(0);
    assert!(list.stdout.len() < 64 << 10, "{} bytes", list.stdout.len());
    let mut acts = 0;
    let mut most = 0;
    while super::kit::state(&project) == "running" {
        most = most.max(asks(&project, false).len());
        let done = project.run(&["approve", "--all", "--drive"]);
        assert!([0, 4].contains(&done.code()), "{done}");
        acts += 1;
        assert!(acts < 400, "it does not end");
    }
    let seen = events(&project);
    let all = asks(&project, true);
    assert!(most > 0);
    println!(
        "300 tasks at once: {} requests, at most {most} open, {acts} acts, first answer after {:?}",
        all.len(),
        first.took
    );
    assert_eq!(count(&seen, "decided"), all.len());
    assert_eq!(super::kit::state(&project), "verified");
}

/// Whoever looks while the journal is being made sees nothing yet, or the run; never a broken journal.
#[test]
fn looking_while_the_journal_is_made() {
    let (mut looks, mut wrong) = (0, Vec::new());
    for _ in 0..40 {
        let project = project("", &workflow(&[&fake("one", "")]));
        let mut owner = project.start(&["run", "w.toml"]);
        loop {
            let all: Vec<_> = (0..2).map(|_| project.start(&["runs"])).collect();
            let all: Vec<Done> = all.into_iter().map(Running::finish).collect();
            looks += all.len();
            let bad = all
                .iter()
                .filter(|d| d.code() != 0 && !d.stderr.contains("nothing has run"));
            wrong.extend(bad.map(|d| d.stderr.clone()));
            if owner.ended() || all.iter().all(|d| d.stdout.contains("w.toml")) {
                break;
            }
        }
        owner.finish().expect(0);
    }
    println!(
        "{looks} looks at 40 journals that were being made, {} told wrong",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:?}");
}
