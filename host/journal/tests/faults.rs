//! The system fails at every single write and flush, one after the other.
//!
//! Failures are injected into a child process with `strace`; without it these tests say so and check nothing (the
//! other tests reach the same code with a size limit and a page limit). The child is this same test binary.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failed assertion is the purpose of a test, and its helpers are part of it"
)]

use sandgate_journal::{NewRecord, Opener, ReadStore, SqliteStore, Store};
use sandgate_model::{Digest, Moment, RunId};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

const DIR: &str = "JOURNAL_TEST_DIR";
const BATCHES: u64 = 10;
const SIZE: u64 = 3;

fn opener() -> Opener {
    Opener {
        command: "the fault test".into(),
        at: Moment(1),
    }
}

fn record(n: u64) -> NewRecord {
    NewRecord {
        run: RunId::from_bytes([(n % 5) as u8; 16]),
        at: Moment(n),
        kind: "attempt-ended".into(),
        body: format!("{{\"n\":{n}}}").into_bytes(),
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "@{text}").and_then(|()| out.flush());
}

/// What runs in the child process: appends, tries again when the disk was full, and ends.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let mut store = match SqliteStore::open(Path::new(&dir), &opener()) {
        Ok(store) => store,
        Err(error) => return say(&format!("not opened: {error}")),
    };
    let mut next = store.head().unwrap().seq + 1;
    for _ in 0..BATCHES {
        let batch: Vec<NewRecord> = (next..next + SIZE).map(record).collect();
        let mut tries = 0;
        let appended = loop {
            tries += 1;
            match store.append(&batch) {
                Ok(appended) => break appended,
                Err(error) if error.is_fatal() => {
                    say(&format!("fatal {error}"));
                    for _ in 0..3 {
                        assert!(store.append(&batch).unwrap_err().is_fatal());
                    }
                    assert!(store.read_from(1, usize::MAX).is_ok());
                    return;
                }
                Err(_) if tries < 3 => say("full"),
                Err(error) => panic!("{error}"),
            }
        };
        next = appended.last_seq + 1;
        say(&format!("ack {} {}", appended.last_seq, appended.head));
        store
            .maintain()
            .unwrap_or_else(|error| say(&format!("fatal {error}")));
    }
    drop(store);
    say("end");
}

/// Runs the child with one failure and checks what it leaves. Says what the child said.
fn run(base: &Path, calls: &str, error: &str, number: usize) -> Vec<String> {
    let dir = base.join(format!("{calls}-{error}-{number}").replace(',', "-"));
    let output = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
        ])
        .args(["-e", &format!("inject={calls}:error={error}:when={number}")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(DIR, &dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let what = format!("{calls} number {number} fails with {error}");
    assert!(
        output.status.success(),
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let said: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once('@').map(|(_, said)| said.to_owned()))
        .collect();

    let acks: Vec<usize> = (0..said.len())
        .filter(|i| said[*i].starts_with("ack "))
        .collect();
    if let Some(fatal) = said.iter().position(|line| line.starts_with("fatal ")) {
        assert!(
            acks.iter().all(|ack| *ack < fatal),
            "{what}: acknowledged after it: {said:?}"
        );
    }
    // Whoever opens it next finds all that was acknowledged, and an intact chain.
    let store =
        SqliteStore::open(&dir, &opener()).unwrap_or_else(|e| panic!("{what}: {e}: {said:?}"));
    if let Some(last) = acks.last() {
        let mut words = said[*last].split(' ').skip(1);
        let seq: u64 = words.next().unwrap().parse().unwrap();
        let hash: Digest = words.next().unwrap().parse().unwrap();
        assert_eq!(store.read_from(seq, 1).unwrap()[0].hash, hash, "{what}");
    }
    let found = store.read_from(1, usize::MAX).unwrap();
    for (n, found) in (1..).zip(&found) {
        assert_eq!(found.body, record(n).body, "{what}");
    }
    assert_eq!(
        store.verify().unwrap().records,
        found.len() as u64,
        "{what}"
    );
    said
}

/// Lets the calls with these numbers fail, one in each run.
fn all(calls: &str, error: &str, numbers: impl Iterator<Item = usize> + Send) -> Vec<Vec<String>> {
    if !Command::new("strace")
        .arg("-V")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        println!("strace is not installed: nothing was checked");
        return Vec::new();
    }
    let tmp = tempfile::tempdir().unwrap();
    let numbers = Mutex::new(numbers);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = numbers.lock().unwrap().next();
                    let Some(number) = next else {
                        break;
                    };
                    let said = run(tmp.path(), calls, error, number);
                    results.lock().unwrap().push(said);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

fn count(results: &[Vec<String>], text: &str) -> usize {
    results
        .iter()
        .filter(|said| said.iter().any(|line| line.starts_with(text)))
        .count()
}

#[test]
fn a_failed_flush_ends_the_writer() {
    // SQLite flushes with one of the calls, the head file with the other.
    for (calls, numbers) in [("fsync", 1..=25), ("fdatasync", 1..=12)] {
        let results = all(calls, "EIO", numbers);
        if results.is_empty() {
            return;
        }
        let fatal = count(&results, "fatal ");
        println!(
            "{} failed calls of {calls}, {fatal} while appending: 0 acknowledged after them",
            results.len()
        );
        assert!(fatal as u64 >= BATCHES, "one for each batch: {fatal}");
    }
}

#[test]
fn a_full_disk_is_survived_wherever_it_strikes() {
    let results = all("pwrite64", "ENOSPC", (1..=160).step_by(3));
    if results.is_empty() {
        return;
    }
    let full = count(&results, "full");
    let survived = results
        .iter()
        .filter(|said| said.iter().any(|l| l == "full") && said.last().is_some_and(|l| l == "end"))
        .count();
    println!(
        "{} failed writes, {full} reported as a full disk, {survived} went on",
        results.len()
    );
    assert!(full > 5 && survived == full);
}
