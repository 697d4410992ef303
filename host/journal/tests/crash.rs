//! The writer is killed at random moments, runs beside a second one, and fails to write.
//!
//! The child is this same test binary: [`child`] is its entry, and does nothing when the tests are run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assertion is the purpose of a test, and its helpers are part of it"
)]

use sandgate_journal::{
    AppendError, NewRecord, OpenError, Opener, ReadStore, SqliteStore, Store, Writer,
};
use sandgate_model::{Digest, Moment, RunId};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MODE: &str = "JOURNAL_TEST_CHILD";
const DIR: &str = "JOURNAL_TEST_DIR";
const SEED: &str = "JOURNAL_TEST_SEED";

fn opener() -> Opener {
    Opener {
        command: "the crash test".into(),
        at: Moment(1),
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The record number `n` of every journal in this file: its content tells its place.
fn record(n: u64) -> NewRecord {
    NewRecord {
        run: RunId::from_bytes([(n % 5) as u8; 16]),
        at: Moment(n),
        kind: "attempt-ended".into(),
        body: format!(
            "{{\"n\":{n},\"pad\":\"{}\"}}",
            "x".repeat((n % 700) as usize)
        )
        .into_bytes(),
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Not with `println!`, which the test harness keeps for itself.
    let _ = writeln!(out, "@{text}").and_then(|()| out.flush());
}

/// What runs in the child process.
#[test]
fn child() {
    let Ok(mode) = std::env::var(MODE) else {
        return;
    };
    let dir = std::env::var_os(DIR).unwrap();
    let seed = std::env::var(SEED).unwrap().parse().unwrap();
    let store = SqliteStore::open(Path::new(&dir), &opener()).unwrap();
    match mode.as_str() {
        "append" => append_for_ever(store, Random(seed)),
        "hold" => {
            say("ready");
            std::thread::sleep(Duration::from_secs(60));
        }
        "until-failure" => append_until_failure(store),
        other => panic!("{other}"),
    }
}

fn append_for_ever(store: SqliteStore, mut random: Random) {
    let mut next = store.head().unwrap().seq + 1;
    let writer = Writer::start(Box::new(store)).unwrap();
    // Some children append single records, some batches that fill the log and have it folded back.
    let largest = [1, 5, 400][random.below(3) as usize];
    say("ready");
    loop {
        let size = 1 + random.below(largest);
        let batch = (next..next + size).map(record).collect();
        next += size;
        writer.submit(
            batch,
            Box::new(|result| {
                let appended = result.unwrap();
                say(&format!("ack {} {}", appended.last_seq, appended.head));
            }),
        );
    }
}

fn append_until_failure(mut store: SqliteStore) {
    let mut next = store.head().unwrap().seq + 1;
    loop {
        let batch: Vec<NewRecord> = (next..next + 20).map(record).collect();
        match store.append(&batch) {
            Ok(appended) => {
                say(&format!("ack {} {}", appended.last_seq, appended.head));
                next = appended.last_seq + 1;
            }
            Err(error) => {
                say(&format!("failed fatal={} {error}", error.is_fatal()));
                break;
            }
        }
    }
    // Nothing more is taken, with the first cause; reading still works.
    let error = store.append(&[record(next)]).unwrap_err();
    say(&format!(
        "again stopped={}",
        matches!(error, AppendError::Stopped { .. })
    ));
    say(&format!(
        "read {}",
        store.read_from(1, usize::MAX).unwrap().len()
    ));
}

fn command(mode: &str, dir: &Path, seed: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    set(&mut command, mode, dir, seed);
    command
}

fn set(command: &mut Command, mode: &str, dir: &Path, seed: u64) {
    command
        .env(MODE, mode)
        .env(DIR, dir)
        .env(SEED, seed.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
}

/// The lines the child said, as far as they are whole.
fn lines(child: &mut Child) -> Vec<String> {
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let end = text.rfind('\n').map_or(0, |end| end + 1);
    let said = |line: &str| line.split_once('@').map(|(_, said)| said.to_owned());
    text[..end].lines().filter_map(said).collect()
}

/// The last acknowledgement among the lines.
fn last_ack(lines: &[String]) -> Option<(u64, Digest)> {
    let line = lines.iter().rfind(|line| line.starts_with("ack "))?;
    let mut words = line.split(' ').skip(1);
    let seq = words.next()?.parse().ok()?;
    Some((seq, words.next()?.parse().ok()?))
}

/// Opens what a child left, at once, and checks that all it acknowledged is there.
fn check(dir: &Path, acked: Option<(u64, Digest)>) -> u64 {
    let start = Instant::now();
    let store = SqliteStore::open(dir, &opener()).unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "opened in {:?}",
        start.elapsed()
    );
    if let Some((seq, hash)) = acked {
        let head = store.head().unwrap();
        assert!(head.seq >= seq, "acknowledged {seq}, found {}", head.seq);
        assert_eq!(store.read_from(seq, 1).unwrap()[0].hash, hash);
    }
    let verified = store.verify().unwrap();
    let mut seq = 1;
    while seq <= verified.records {
        for found in store.read_from(seq, 1000).unwrap() {
            let wanted = record(seq);
            assert_eq!(
                (found.seq, found.body, found.at),
                (seq, wanted.body, wanted.at)
            );
            seq += 1;
        }
    }
    verified.records
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    const THREADS: u64 = 4;
    const KILLS: u64 = 52;
    let totals: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|t| scope.spawn(move || kill_often(t, KILLS)))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let records: u64 = totals.iter().map(|t| t.0).sum();
    let acks: u64 = totals.iter().map(|t| t.1).sum();
    println!(
        "{} kills, {acks} acknowledgements, {records} records, 0 lost",
        THREADS * KILLS
    );
    assert!(acks > 100, "the children were killed while they worked");
}

fn kill_often(thread: u64, kills: u64) -> (u64, u64) {
    let tmp = tempfile::tempdir().unwrap();
    let mut random = Random(thread + 17);
    let mut records = 0;
    let mut acks = 0;
    for kill in 0..kills {
        // A new journal now and then, so that creation is interrupted too.
        let dir = tmp.path().join((kill / 8).to_string());
        let mut child = command("append", &dir, random.below(1000)).spawn().unwrap();
        let mut first = String::new();
        if random.below(5) > 0 {
            // Wait until it works; else kill it while it starts.
            let mut out = BufReader::with_capacity(1, child.stdout.take().unwrap());
            while !first.contains("@ready") {
                first.clear();
                if out.read_line(&mut first).unwrap() == 0 {
                    panic!("the child ended by itself: {:?}", child.wait());
                }
            }
            child.stdout = Some(out.into_inner());
        }
        std::thread::sleep(Duration::from_micros(random.below(40_000)));
        child.kill().unwrap();
        let said = lines(&mut child);
        child.wait().unwrap();
        acks += said.iter().filter(|line| line.starts_with("ack ")).count() as u64;
        records = check(&dir, last_ack(&said));
    }
    (records, acks)
}

fn digests(dir: &Path) -> BTreeMap<std::path::PathBuf, Digest> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let digest = Digest::of(&std::fs::read(&path).unwrap());
            (path, digest)
        })
        .collect()
}

#[test]
fn a_second_process_is_told_who_holds_the_project() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    for round in 0..5 {
        let mut child = command("hold", &dir, round).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("@ready") {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "the child ended");
        }
        let before = digests(&dir);
        let start = Instant::now();
        let Err(OpenError::Held { holder, .. }) = SqliteStore::open(&dir, &opener()) else {
            panic!("the second writer must be refused");
        };
        assert!(start.elapsed() < Duration::from_secs(2));
        assert_eq!(holder.pid, Some(child.id()));
        assert_eq!(holder.command, "the crash test");
        assert_eq!(digests(&dir), before, "no byte was changed");
        child.kill().unwrap();
        child.wait().unwrap();
        // Free at once.
        SqliteStore::open(&dir, &opener()).unwrap();
    }
}

/// A limit on the size of files makes writes fail as a broken disk does: not as a full one.
#[test]
fn a_failed_write_ends_the_writer_and_loses_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    for blocks in [100, 300, 1000, 2100] {
        let dir = tmp.path().join(blocks.to_string());
        // Created without the limit: what is tested is a failure while appending.
        check(&dir, None);
        let exe = std::env::current_exe().unwrap();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!(
                "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact child --nocapture"
            ))
            .arg(exe);
        set(&mut shell, "until-failure", &dir, 0);
        let mut child = shell.spawn().unwrap();
        let said = lines(&mut child);
        child.wait().unwrap();
        let has = |text: &str| said.iter().any(|line| line.contains(text));
        assert!(has("failed fatal=true could not write"), "{said:?}");
        assert!(has("again stopped=true"), "{said:?}");
        let acked = last_ack(&said);
        let read = format!("read {}", acked.map_or(0, |a| a.0));
        assert!(has(&read), "{said:?}");
        check(&dir, acked);
    }
}
