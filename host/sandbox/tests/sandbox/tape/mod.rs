//! Calls that are recorded, suspended at any effect and made again: compared with ones that never were.

mod costs;
mod damage;
mod deck;
mod lives;
mod questions;
mod roles;
mod special;

use crate::support::*;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use deck::{CRASH, Deck};
use sandgate_sandbox::{
    AgentAnswer, Call, LogSource, Outcome, Preopen, Progress, Report, Stats, Tape,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A directory for a guest, as it is at the beginning.
pub(crate) fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("a"), "first a\n").unwrap();
    std::fs::write(dir.path().join("sub/d"), "first d\n".repeat(1_000)).unwrap();
    dir
}

/// Everything below a directory.
pub(crate) fn tree(at: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![at.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(at).unwrap().display().to_string();
            if path.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                left.push(path);
            } else {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// A call of the tape guest in a directory, with a tape or without.
pub(crate) fn call(wanted: &Try, dir: &Path, tape: Option<Tape>) -> Call {
    let mut call = wanted.call();
    let dir = Dir::open_ambient_dir(dir, ambient_authority()).unwrap();
    call.files = vec![Preopen {
        dir: Arc::new(dir),
        guest: "/room".to_owned(),
        write: true,
        protect: false,
    }];
    call.turn.tape = tape;
    call
}

/// The guest with a deck.
pub(crate) fn with(deck: &Deck) -> Try {
    let mut wanted = Try::new(tape_agent());
    wanted.powers = deck.powers();
    wanted
}

/// One life.
pub(crate) async fn life(
    wanted: &Try,
    dir: &Path,
    order: &str,
    tape: Option<Tape>,
) -> Report<AgentAnswer> {
    let call = call(wanted, dir, tape);
    SANDBOX
        .run(&call, &wanted.config, wanted.task(json!(order)))
        .await
}

/// What can be seen of a call from outside.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) output: String,
    pub(crate) done: Vec<String>,
    pub(crate) tree: BTreeMap<String, Vec<u8>>,
    pub(crate) lines: Vec<(LogSource, String)>,
    pub(crate) progress: Vec<Progress>,
    /// Log bytes, dropped lines, disk bytes and files, requests, commands, generations, charges, questions.
    pub(crate) counts: [u64; 9],
}

/// Runs an order to its end, through as many lives as it takes; what was seen, the stats, and how many lives.
pub(crate) async fn run(deck: &Deck, order: &str, taped: bool) -> (Seen, Stats, usize) {
    let dir = place();
    let wanted = with(deck);
    let mut lives = 0;
    loop {
        lives += 1;
        let tape = taped.then(|| Tape::resume(&deck.segments()).unwrap());
        let report = life(&wanted, dir.path(), order, tape.clone()).await;
        match report.outcome {
            Outcome::Suspended => deck.keep(tape.unwrap().take()),
            Outcome::Host { message } if message == CRASH => {}
            outcome => {
                if let Some(tape) = tape {
                    assert!(!tape.replaying(), "{order}, life {lives}: {outcome:?}");
                }
                let stats = report.stats;
                let lines = wanted.kept.lines.lock().unwrap();
                let seen = Seen {
                    output: text(outcome),
                    done: deck.done(),
                    tree: tree(dir.path()),
                    lines: lines
                        .iter()
                        .map(|line| (line.source, line.message.clone()))
                        .collect(),
                    progress: wanted.kept.progress.lock().unwrap().clone(),
                    counts: [
                        stats.log_bytes as u64,
                        stats.dropped_lines,
                        stats.disk_bytes,
                        stats.disk_files,
                        stats.http_requests,
                        stats.commands,
                        stats.generations,
                        stats.charges,
                        stats.questions,
                    ],
                };
                return (seen, stats, lives);
            }
        }
    }
}
