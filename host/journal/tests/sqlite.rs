//! The journal on a real disk: conformance, reopening, creation, refusals, reading beside a writer.
#![expect(
    clippy::unwrap_used,
    reason = "a failed assertion is the purpose of a test, and its helpers are part of it"
)]

use proptest::prelude::*;
use sandgate_journal::{
    AppendError, Head, MemoryStore, NewRecord, OpenError, Opener, ReadError, ReadStore, Record,
    SqliteReader, SqliteStore, Store, conformance,
};
use sandgate_model::{Digest, Moment, RunId};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn opener() -> Opener {
    Opener {
        command: "the test".into(),
        at: Moment(1),
    }
}

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(dir, &opener()).unwrap()
}

/// All files below `dir` with a digest of their content, except SQLite's shared memory.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Digest> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if !path.ends_with("journal.db-shm") {
            found.insert(path.clone(), Digest::of(&std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[test]
fn conforms() {
    let tmp = tempfile::tempdir().unwrap();
    let mut count = 0;
    conformance::check_all(&mut || {
        count += 1;
        let store = SqliteStore::open(&tmp.path().join(count.to_string()), &opener())?;
        Ok(Box::new(store))
    })
    .unwrap();
    assert!(count > 5, "the suite ran");
}

#[test]
fn reopening_keeps_everything_and_goes_on_with_the_chain() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    let all = conformance::sample(30);
    let mut memory = MemoryStore::new();
    for part in all.chunks(10) {
        let mut store = open(&dir);
        store.append(part).unwrap();
        store.put_meta("last", &[part.len() as u8]).unwrap();
        memory.append(part).unwrap();
    }
    let store = open(&dir);
    assert_eq!(store.head().unwrap(), memory.head().unwrap());
    assert_eq!(
        store.read_from(1, 100).unwrap(),
        memory.read_from(1, 100).unwrap()
    );
    assert_eq!(store.runs().unwrap(), memory.runs().unwrap());
    assert_eq!(store.meta("last").unwrap(), Some(vec![10]));
    assert_eq!(store.verify().unwrap().records, 30);
}

#[test]
fn a_clean_end_leaves_no_log_behind() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    open(&dir).append(&conformance::sample(100)).unwrap();
    assert_eq!(dir.join("journal.db-wal").metadata().unwrap().len(), 0);
    // The database alone holds everything now.
    std::fs::remove_file(dir.join("journal.db-wal")).unwrap();
    std::fs::remove_file(dir.join("journal.db-shm")).unwrap();
    assert_eq!(open(&dir).verify().unwrap().records, 100);
}

#[test]
fn the_log_is_folded_back_and_does_not_grow() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    let mut store = open(&dir);
    let batch = conformance::sample(500);
    for _ in 0..400 {
        store.append(&batch).unwrap();
    }
    let log = dir.join("journal.db-wal").metadata().unwrap().len();
    let database = dir.join("journal.db").metadata().unwrap().len();
    assert!(log < 16 << 20, "the log has {log} bytes");
    assert!(database > 10 << 20, "the database has {database} bytes");
    assert_eq!(store.verify().unwrap().records, 200_000);
}

#[test]
fn a_second_writer_is_refused_and_changes_no_byte() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    let mut store = open(&dir);
    store.append(&conformance::sample(3)).unwrap();
    let before = contents(&dir);
    let OpenError::Held { holder, .. } = SqliteStore::open(&dir, &opener()).unwrap_err() else {
        panic!("the second writer must be refused");
    };
    assert_eq!(holder.pid, Some(std::process::id()));
    assert_eq!(contents(&dir), before);
}

#[test]
fn a_reader_sees_what_is_committed_and_changes_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state #1?%20");
    assert!(matches!(
        SqliteReader::open(&dir),
        Err(OpenError::Absent { .. })
    ));
    assert!(!dir.exists(), "a reader creates nothing");

    let mut store = open(&dir);
    let reader = SqliteReader::open(&dir).unwrap();
    for n in 1..=50 {
        store.append(&conformance::sample(1)).unwrap();
        assert_eq!(reader.head().unwrap().seq, n);
    }
    drop(reader);
    let before = contents(&dir);
    let reader = SqliteReader::open(&dir).unwrap();
    assert_eq!(
        reader.read_from(1, 100).unwrap(),
        store.read_from(1, 100).unwrap()
    );
    assert_eq!(reader.verify().unwrap().records, 50);
    drop(reader);
    assert_eq!(contents(&dir), before, "beside a writer");

    drop(store);
    let before = contents(&dir);
    let reader = SqliteReader::open(&dir).unwrap();
    assert_eq!(reader.verify().unwrap().records, 50);
    drop(reader);
    assert_eq!(contents(&dir), before, "with nobody writing");

    // A copy of the database alone, as a person may have made it.
    std::fs::remove_file(dir.join("journal.db-wal")).unwrap();
    std::fs::remove_file(dir.join("journal.db-shm")).unwrap();
    let before = contents(&dir);
    let reader = SqliteReader::open(&dir).unwrap();
    assert_eq!(reader.verify().unwrap().records, 50);
    assert_eq!(contents(&dir), before, "with the database alone");
    let _store = open(&dir);
    assert!(matches!(reader.head(), Err(ReadError::Awoken { .. })));
}

#[test]
fn a_reader_in_the_middle_does_not_stop_the_writer() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    let mut store = open(&dir);
    store.append(&conformance::sample(100)).unwrap();
    let reader = SqliteReader::open(&dir).unwrap();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            for _ in 0..30 {
                reader.verify().unwrap();
            }
        });
        while !reading.is_finished() {
            store.append(&conformance::sample(50)).unwrap();
            store.maintain().unwrap();
        }
        reading.join().unwrap();
    });
    store.verify().unwrap();
}

#[test]
fn foreign_and_newer_files_are_refused_untouched() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    std::fs::create_dir(&dir).unwrap();
    let refused = |what: &str, right: fn(&OpenError) -> bool| {
        let before = contents(&dir);
        for error in [
            SqliteStore::open(&dir, &opener()).unwrap_err(),
            SqliteReader::open(&dir).unwrap_err(),
        ] {
            assert!(right(&error), "{what}: {error:?}");
        }
        let mut after = contents(&dir);
        // Opening names itself in the lock file, and SQLite puts an empty log beside a database that has none.
        let mut before = before;
        before.remove(&dir.join("lock"));
        after.remove(&dir.join("lock"));
        after.retain(|path, digest| before.contains_key(path) || *digest != Digest::of(b""));
        assert_eq!(after, before, "{what}");
    };

    std::fs::write(dir.join("journal.db"), vec![b'x'; 5000]).unwrap();
    refused("text", |e| matches!(e, OpenError::Foreign { .. }));
    std::fs::remove_file(dir.join("journal.db")).unwrap();

    let sql = |sql: &str| {
        let db = rusqlite::Connection::open(dir.join("journal.db")).unwrap();
        db.execute_batch(sql).unwrap();
    };
    sql("CREATE TABLE other (x)");
    refused("another database", |e| {
        matches!(e, OpenError::Foreign { .. })
    });
    std::fs::remove_file(dir.join("journal.db")).unwrap();

    open(&dir).append(&conformance::sample(2)).unwrap();
    sql("PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)");
    refused("newer", |e| {
        matches!(
            e,
            OpenError::Newer {
                found: 2,
                supported: 1,
                ..
            }
        )
    });
    sql("PRAGMA user_version = 1; CREATE TABLE extra (x); PRAGMA wal_checkpoint(TRUNCATE)");
    refused("altered", |e| matches!(e, OpenError::Damaged { .. }));
}

#[test]
fn an_unfinished_creation_is_finished() {
    let tmp = tempfile::tempdir().unwrap();
    // Died after each step of the creation.
    for step in 0..4 {
        let dir = tmp.path().join(step.to_string());
        drop(open(&dir));
        match step {
            0 => {
                for file in ["journal.db", "journal.db-wal", "journal.db-shm", "head"] {
                    std::fs::remove_file(dir.join(file)).unwrap();
                }
            }
            1 => {
                std::fs::write(dir.join("journal.db"), b"").unwrap();
                std::fs::remove_file(dir.join("head")).unwrap();
            }
            2 => std::fs::remove_file(dir.join("head")).unwrap(),
            _ => std::fs::write(dir.join("head"), [0; 100]).unwrap(),
        }
        let mut store = open(&dir);
        assert_eq!(store.head().unwrap(), Head::empty());
        store.append(&conformance::sample(1)).unwrap();
        drop(store);
        assert_eq!(open(&dir).verify().unwrap().records, 1, "step {step}");
    }
}

#[test]
fn a_journal_that_is_deleted_under_the_writer_stops_it() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("state");
    let mut store = open(&dir);
    store.append(&conformance::sample(1)).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let error = store.append(&conformance::sample(1)).unwrap_err();
    assert!(matches!(error, AppendError::Failed { .. }), "{error:?}");
    let error = store.append(&conformance::sample(1)).unwrap_err();
    assert!(matches!(error, AppendError::Stopped { .. }), "{error:?}");
}

fn any_records() -> impl Strategy<Value = Vec<NewRecord>> {
    let record = (0..4_u8, any::<u64>(), "[a-z][a-z-]{0,9}", any::<Vec<u8>>()).prop_map(
        |(run, at, kind, body)| NewRecord {
            run: RunId::from_bytes([run; 16]),
            at: Moment(at),
            kind,
            body,
        },
    );
    prop::collection::vec(record, 1..40)
}

/// Appends all records in batches and groups of the given sizes.
fn append_in(store: &mut dyn Store, records: &[NewRecord], cuts: &[(usize, usize)]) -> Vec<Record> {
    let mut rest = records;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let (first, second) = cuts.next().unwrap();
        let (a, left) = rest.split_at(rest.len().min(*first));
        let (b, left) = left.split_at(left.len().min(*second));
        rest = left;
        let group: Vec<&[NewRecord]> = [a, b].into_iter().filter(|b| !b.is_empty()).collect();
        store.append_all(&group).unwrap();
    }
    store.read_from(1, usize::MAX).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// How records are grouped, and in which store, makes no difference to the chain.
    #[test]
    fn any_split_gives_the_same_chain(
        records in any_records(),
        cuts in prop::collection::vec((1..5_usize, 0..5_usize), 1..6),
    ) {
        let whole = append_in(&mut MemoryStore::new(), &records, &[(records.len(), 0)]);
        let parts = append_in(&mut MemoryStore::new(), &records, &cuts);
        prop_assert_eq!(&whole, &parts);
        let tmp = tempfile::tempdir().unwrap();
        let disk = append_in(&mut open(&tmp.path().join("s")), &records, &cuts);
        prop_assert_eq!(&whole, &disk);
    }
}
