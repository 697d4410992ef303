//! Damage is reported, never absorbed: single flipped bits all over the state files, and lost ends.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a failed assertion is the purpose of a test, and its helpers are part of it"
)]

use rusqlite::Connection;
use sandgate_journal::{
    Damage, Fault, NewRecord, OpenError, Opener, ReadError, ReadStore, Record, RunSpan,
    SqliteReader, SqliteStore, Store, conformance,
};
use sandgate_model::Moment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const META: (&str, &[u8]) = ("project", b"laptops");

fn opener() -> Opener {
    Opener {
        command: "the test".into(),
        at: Moment(1),
    }
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(dir, &opener()).unwrap()
}

/// In memory where there is such a place: flushes are not what is tested here, and there are thousands.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn records(count: usize) -> Vec<NewRecord> {
    let mut records = conformance::sample(count);
    for (i, record) in records.iter_mut().enumerate() {
        record.body =
            format!("{{\"n\":{i},\"text\":\"{}\"}}", "abcdefgh".repeat(i % 20)).into_bytes();
    }
    records
}

/// The files of a state directory, as bytes.
#[derive(Clone)]
struct Snapshot {
    files: BTreeMap<String, Vec<u8>>,
}

impl Snapshot {
    fn take(dir: &Path) -> Self {
        let read = |name: &str| Some((name.to_owned(), std::fs::read(dir.join(name)).ok()?));
        let mut files: BTreeMap<String, Vec<u8>> = ["journal.db", "journal.db-wal", "head"]
            .into_iter()
            .filter_map(read)
            .collect();
        // The zeros after the last frame mean nothing; without them a copy is quick.
        if let Some(log) = files.get_mut("journal.db-wal") {
            let used = log.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
            let frames = used.saturating_sub(32).div_ceil(4096 + 24);
            log.resize(
                if used == 0 {
                    0
                } else {
                    32 + frames * (4096 + 24)
                },
                0,
            );
        }
        Self { files }
    }

    fn restore(&self, dir: &Path) {
        let _ = std::fs::remove_dir_all(dir);
        std::fs::create_dir(dir).unwrap();
        for (name, bytes) in &self.files {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
    }
}

/// What reading gives when nothing is wrong.
struct Truth {
    records: Vec<Record>,
    runs: Vec<RunSpan>,
}

impl Truth {
    fn of(store: &dyn ReadStore) -> Self {
        Self {
            records: store.read_from(1, usize::MAX).unwrap(),
            runs: store.runs().unwrap(),
        }
    }

    /// Whether everything reads back as it was; the error is a report of damage.
    fn holds(&self, store: &dyn ReadStore) -> Result<bool, ReadError> {
        let mut same = store.read_from(1, usize::MAX)? == self.records;
        same &= store.runs()? == self.runs;
        for span in &self.runs {
            let run: Vec<&Record> = self.records.iter().filter(|r| r.run == span.run).collect();
            same &= store.read_run(span.run, 0, usize::MAX)?.iter().eq(run);
        }
        same &= store.meta(META.0)?.as_deref() == Some(META.1);
        same &= store.head()?.seq == self.records.len() as u64;
        Ok(same)
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy, Debug)]
enum Outcome {
    RefusedAtOpen,
    ReportedWhenRead,
    ReportedByVerify,
    Harmless,
    Silent,
}

fn judge(truth: &Truth, store: &dyn ReadStore) -> Outcome {
    match truth.holds(store) {
        Err(_) => Outcome::ReportedWhenRead,
        Ok(true) => Outcome::Harmless,
        Ok(false) => match store.verify() {
            Err(_) => Outcome::ReportedByVerify,
            Ok(_) => Outcome::Silent,
        },
    }
}

fn outcome(dir: &Path, truth: &Truth) -> Outcome {
    let mut store = match SqliteStore::open(dir, &opener()) {
        Ok(store) => store,
        Err(
            OpenError::Damaged { .. }
            | OpenError::Foreign { .. }
            | OpenError::Newer { .. }
            | OpenError::Database { .. },
        ) => return Outcome::RefusedAtOpen,
        Err(other) => panic!("{other:?}"),
    };
    let outcome = judge(truth, &store);
    if outcome == Outcome::Harmless {
        // What looks intact must also go on: an append is refused, or it is there afterwards.
        let more = records(1);
        if store.append(&more).is_ok() {
            let all = store.read_from(1, usize::MAX).unwrap();
            assert_eq!(all.len(), truth.records.len() + 1);
            assert_eq!(all[..truth.records.len()], truth.records);
        }
    }
    outcome
}

/// A small generator, so that a failing flip can be found again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Where to flip: all of what is dense in meaning, samples of the rest.
fn places(snapshot: &Snapshot, random: &mut Random) -> Vec<(String, usize)> {
    let mut places = Vec::new();
    for (name, bytes) in &snapshot.files {
        let (dense, samples): (Vec<usize>, usize) = match name.as_str() {
            "head" => ((0..96).chain(4096..4096 + 96).collect(), 20),
            "journal.db-wal" => ((0..32 + 24).collect(), 150),
            _ => ((0..112).collect(), 150),
        };
        places.extend(
            dense
                .into_iter()
                .filter(|at| *at < bytes.len())
                .map(|at| (name.clone(), at)),
        );
        if !bytes.is_empty() {
            places.extend((0..samples).map(|_| (name.clone(), random.below(bytes.len()))));
        }
    }
    places
}

fn flip_all(snapshot: &Snapshot, truth: &Truth, seed: u64) -> usize {
    let tmp = scratch();
    let dir = tmp.path().join("state");
    let mut random = Random(seed);
    let mut counts: BTreeMap<(String, Outcome), usize> = BTreeMap::new();
    let places = places(snapshot, &mut random);
    for (name, at) in &places {
        let bit = random.below(8);
        let mut changed = snapshot.clone();
        changed.files.get_mut(name).unwrap()[*at] ^= 1 << bit;
        changed.restore(&dir);
        if let Ok(reader) = SqliteReader::open(&dir) {
            let seen = judge(truth, &reader);
            assert_ne!(
                seen,
                Outcome::Silent,
                "reader: {name}, byte {at}, bit {bit}"
            );
        }
        changed.restore(&dir);
        let outcome = outcome(&dir, truth);
        assert_ne!(outcome, Outcome::Silent, "{name}, byte {at}, bit {bit}");
        *counts.entry((name.clone(), outcome)).or_default() += 1;
    }
    for ((name, outcome), count) in &counts {
        println!("{name}: {count} × {outcome:?}");
    }
    assert!(
        counts
            .keys()
            .any(|(_, outcome)| *outcome != Outcome::Harmless)
    );
    places.len()
}

#[test]
fn no_flipped_bit_passes_in_silence() {
    let tmp = scratch();
    let dir = tmp.path().join("state");
    let mut store = open(&dir);
    for batch in records(120).chunks(7) {
        store.append(batch).unwrap();
    }
    store.put_meta(META.0, META.1).unwrap();
    let truth = Truth::of(&store);
    let in_log = Snapshot::take(&dir);
    drop(store);
    let folded = Snapshot::take(&dir);
    assert!(
        in_log.files["journal.db-wal"].len() > 40_000,
        "the records are in the log"
    );
    assert!(
        folded.files["journal.db-wal"].is_empty(),
        "the records are in the database"
    );

    // Half and half: what a process leaves that died some time after a checkpoint.
    let mut store = open(&dir);
    for batch in records(60).chunks(7) {
        store.append(batch).unwrap();
    }
    let both_truth = Truth::of(&store);
    let both = Snapshot::take(&dir);
    drop(store);

    let flips = flip_all(&in_log, &truth, 1)
        + flip_all(&folded, &truth, 2)
        + flip_all(&both, &both_truth, 3);
    println!("{flips} flips, 0 silent differences");
    assert!(flips > 1000);
}

fn damage(dir: &Path) -> Damage {
    match SqliteStore::open(dir, &opener()) {
        Err(OpenError::Damaged { damage, .. }) => damage,
        other => panic!("{other:?}"),
    }
}

/// A state directory with `count` acknowledged records, still in the log, as a killed process leaves it.
fn killed(dir: &Path, count: usize) -> Snapshot {
    let mut store = open(dir);
    for batch in records(count).chunks(5) {
        store.append(batch).unwrap();
    }
    Snapshot::take(dir)
}

#[test]
fn a_lost_end_is_reported_with_its_first_record() {
    let tmp = scratch();
    let dir = tmp.path().join("state");
    let old = killed(&dir, 20);
    drop(open(&dir));
    let old_folded = Snapshot::take(&dir);
    let new = killed(&dir, 30);
    let lost = |acknowledged, found| Fault::LostTail {
        acknowledged,
        found,
    };
    let check = |what: &str, snapshot: &Snapshot, first_bad, fault: Fault| {
        snapshot.restore(&dir);
        let damage = damage(&dir);
        assert_eq!(
            (damage.first_bad, damage.fault),
            (first_bad, fault),
            "{what}"
        );
        // Looking at it changes nothing, so a second look says the same.
        assert!(SqliteStore::open(&dir, &opener()).is_err(), "{what}");
    };

    let mut s = new.clone();
    s.files.remove("journal.db-wal");
    check("the log was deleted", &s, Some(21), lost(50, 20));

    let mut s = new.clone();
    s.files.get_mut("journal.db-wal").unwrap().truncate(20_000);
    s.restore(&dir);
    let Fault::LostTail {
        acknowledged: 50,
        found,
    } = damage(&dir).fault
    else {
        panic!("a cut log must be a lost tail");
    };
    assert!((20..50).contains(&found));

    let mut s = old_folded.clone();
    s.files.insert("head".into(), new.files["head"].clone());
    check("an older database", &s, Some(21), lost(50, 20));

    let mut s = old.clone();
    s.files.insert("head".into(), new.files["head"].clone());
    check("an older database and log", &s, Some(21), lost(50, 20));

    let mut s = new.clone();
    s.files.remove("journal.db");
    check("no database", &s, Some(1), lost(50, 0));
    assert!(SqliteReader::open(&dir).is_err());

    let mut s = new.clone();
    s.files.remove("head");
    check("no head", &s, None, Fault::HeadMissing);
    s.files.insert("head".into(), vec![0; 8192]);
    check("an empty head", &s, None, Fault::HeadUnreadable);

    // Another journal of the same length.
    let other = tmp.path().join("other");
    let mut different = records(50);
    different[49].body.push(b' ');
    open(&other).append(&different).unwrap();
    let mut s = Snapshot::take(&other);
    s.files.insert("head".into(), new.files["head"].clone());
    check("another end", &s, Some(50), Fault::HeadDiffers);

    // All of it can still be read, and the reader says what is wrong.
    let reader = SqliteReader::open(&dir).unwrap();
    assert_eq!(reader.read_from(1, 100).unwrap().len(), 50);
    let Err(ReadError::Damaged(damage)) = reader.verify() else {
        panic!("the reader must report it");
    };
    assert_eq!(damage.first_bad, Some(50));
}

#[test]
fn the_message_says_what_to_do() {
    let tmp = scratch();
    let dir = tmp.path().join("state");
    let mut snapshot = killed(&dir, 10);
    snapshot.files.remove("journal.db-wal");
    snapshot.restore(&dir);
    let text = SqliteStore::open(&dir, &opener()).unwrap_err().to_string();
    for part in [
        "journal.db",
        "record 1",
        "up to 10",
        "backup",
        "mv ",
        ".damaged",
    ] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn records_that_were_committed_but_not_acknowledged_are_kept() {
    let tmp = scratch();
    let dir = tmp.path().join("state");
    let before = killed(&dir, 10);
    let mut after = killed(&dir, 10);
    // The process died between the commit and the head.
    after
        .files
        .insert("head".into(), before.files["head"].clone());
    after.restore(&dir);
    assert_eq!(open(&dir).verify().unwrap().records, 20);
    assert_eq!(open(&dir).head().unwrap().seq, 20);
}

/// Runs SQL on a journal behind its back and folds the log.
fn tamper(dir: &Path, sql: &str) {
    let db = Connection::open(dir.join("journal.db")).unwrap();
    db.execute_batch(sql).unwrap();
}

#[test]
fn changes_made_with_sql_are_named_by_verify() {
    let tmp = scratch();
    let dir: PathBuf = tmp.path().join("state");
    open(&dir).append(&records(1500)).unwrap();
    let clean = Snapshot::take(&dir);
    for (sql, first_bad) in [
        ("UPDATE record SET body = X'7B7D' WHERE seq = 10", 10),
        ("UPDATE record SET at = at + 1 WHERE seq = 20", 20),
        ("UPDATE record SET kind = 'x' WHERE seq = 30", 30),
        (
            "UPDATE record SET run = (SELECT run FROM record WHERE seq = 41) WHERE seq = 40",
            40,
        ),
        ("UPDATE record SET hash = zeroblob(32) WHERE seq = 50", 50),
        ("UPDATE record SET hash = zeroblob(31) WHERE seq = 50", 50),
        ("DELETE FROM record WHERE seq = 60", 60),
        ("DELETE FROM record WHERE seq <= 70", 1),
        ("UPDATE record SET seq = -1 WHERE seq = 80", 1),
        (
            "UPDATE record SET seq = 0 WHERE seq = 90; UPDATE record SET seq = 90 WHERE seq = 91; \
             UPDATE record SET seq = 91 WHERE seq = 0",
            90,
        ),
    ] {
        clean.restore(&dir);
        tamper(&dir, sql);
        // Opening checks the end only, which is as it was.
        let store = open(&dir);
        let Err(ReadError::Damaged(damage)) = store.verify() else {
            panic!("{sql} was not reported");
        };
        assert_eq!(damage.first_bad, Some(first_bad), "{sql}: {damage}");
        assert!(
            store.read_from(1, usize::MAX).is_err(),
            "{sql}: reading notices it too"
        );
    }
    // A forged record with the hash that belongs to it: the next one does not follow from it.
    clean.restore(&dir);
    let forged = {
        let store = open(&dir);
        let mut record = store.read_from(100, 1).unwrap().remove(0);
        let before = store.read_from(99, 1).unwrap().remove(0).hash;
        record.body = b"{}".to_vec();
        record.expected_hash(&before)
    };
    tamper(
        &dir,
        &format!(
            "UPDATE record SET body = X'7B7D', hash = X'{}' WHERE seq = 100",
            forged.hex()
        ),
    );
    let Err(ReadError::Damaged(damage)) = open(&dir).verify() else {
        panic!("the forged record was not reported");
    };
    assert_eq!(damage.first_bad, Some(101));
    // At the end there is no next one, but there is the head.
    clean.restore(&dir);
    tamper(&dir, "DELETE FROM record WHERE seq = 1500");
    assert_eq!(self::damage(&dir).first_bad, Some(1500));
}

#[test]
fn a_changed_meta_value_is_reported() {
    let tmp = scratch();
    let dir = tmp.path().join("state");
    open(&dir).put_meta("key", b"value").unwrap();
    tamper(&dir, "UPDATE meta SET value = X'00'");
    let store = open(&dir);
    assert!(matches!(store.meta("key"), Err(ReadError::Damaged(_))));
    assert!(matches!(store.verify(), Err(ReadError::Damaged(_))));
    drop(store);
    tamper(&dir, "DELETE FROM meta");
    let lost = Fault::LostMeta {
        acknowledged: 1,
        found: 0,
    };
    assert_eq!(damage(&dir).fault, lost);
}
