//! What every [`Store`] must do, as checks. A new store is right when [`check_all`] says so.
//!
//! The checks return what is wrong instead of panicking, so that they can be used outside a test too.

use crate::{
    AppendError, Head, KIND_MAX, META_MAX, NewRecord, ReadStore, Record, RunSpan, Store, genesis,
};
use sandgate_model::{Moment, RunId};

/// Why a store does not conform: the check and what it saw.
pub type Breach = Box<dyn std::error::Error + Send + Sync>;

/// Makes a new, empty store for each check.
pub type MakeStore<'a> = &'a mut dyn FnMut() -> Result<Box<dyn Store>, Breach>;

type Check = fn(&mut dyn Store) -> Result<(), Breach>;

const CHECKS: &[(&str, Check)] = &[
    ("an empty store", empty),
    ("sequence and chain", sequence),
    ("splitting into batches", batches),
    ("invalid batches change nothing", invalid),
    ("reading by position", read_positions),
    ("reading by run", read_runs),
    ("extreme values", extremes),
    ("meta values", meta),
    ("maintenance", maintenance),
];

/// Runs every check on a new store each.
///
/// # Errors
/// The first check that fails, by name, with what was seen.
pub fn check_all(make: MakeStore<'_>) -> Result<(), Breach> {
    for (name, check) in CHECKS {
        let mut store = make()?;
        check(store.as_mut()).map_err(|e| format!("{name}: {e}"))?;
        store.verify().map_err(|e| format!("{name}: verify: {e}"))?;
    }
    Ok(())
}

/// Some records of a few runs.
#[must_use]
pub fn sample(count: usize) -> Vec<NewRecord> {
    (0..count).map(|i| record(i as u64)).collect()
}

fn run(number: u8) -> RunId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    // Version 7, variant 1, so that it is a UUID the host could have made.
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    RunId::from_bytes(bytes)
}

fn record(i: u64) -> NewRecord {
    NewRecord {
        run: run((i % 3) as u8),
        at: Moment(1_700_000_000_000 + i),
        kind: match i % 3 {
            0 => "run-created".to_owned(),
            1 => "attempt-started".to_owned(),
            _ => "attempt-ended".to_owned(),
        },
        body: format!("{{\"n\":{i}}}").into_bytes(),
    }
}

fn ensure(right: bool, text: impl FnOnce() -> String) -> Result<(), Breach> {
    if right { Ok(()) } else { Err(text().into()) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), Breach> {
    ensure(found == wanted, || {
        format!("{what}: found {found:?}, wanted {wanted:?}")
    })
}

/// What the store must hold after these records.
fn expected(records: &[NewRecord]) -> Vec<Record> {
    let mut before = genesis();
    let mut expected = Vec::with_capacity(records.len());
    for (seq, new) in (1..).zip(records) {
        before = new.hash(&before, seq);
        expected.push(Record {
            seq,
            run: new.run,
            at: new.at,
            kind: new.kind.clone(),
            body: new.body.clone(),
            hash: before,
        });
    }
    expected
}

fn head_of(records: &[Record]) -> Head {
    records.last().map_or_else(Head::empty, |r| Head {
        seq: r.seq,
        hash: r.hash,
    })
}

fn holds(store: &dyn ReadStore, records: &[NewRecord]) -> Result<(), Breach> {
    let expected = expected(records);
    same("head", store.head()?, head_of(&expected))?;
    same("all records", store.read_from(1, usize::MAX)?, expected)?;
    let verified = store.verify()?;
    same("verified", verified.records, records.len() as u64)?;
    same("verified head", verified.head, store.head()?)
}

fn empty(store: &mut dyn Store) -> Result<(), Breach> {
    holds(store, &[])?;
    same("runs", store.runs()?, vec![])?;
    same("records of no run", store.read_run(run(1), 0, 10)?, vec![])?;
    same("meta", store.meta("missing")?, None)
}

fn sequence(store: &mut dyn Store) -> Result<(), Breach> {
    let all = sample(20);
    let wanted = expected(&all);
    for (new, wanted) in all.iter().zip(&wanted) {
        let appended = store.append(std::slice::from_ref(new))?;
        same("first", appended.first_seq, wanted.seq)?;
        same("last", appended.last_seq, wanted.seq)?;
        same("head", appended.head, wanted.hash)?;
        same(
            "head of the store",
            store.head()?,
            head_of(std::slice::from_ref(wanted)),
        )?;
    }
    holds(store, &all)
}

fn batches(store: &mut dyn Store) -> Result<(), Breach> {
    let all = sample(60);
    let wanted = expected(&all);
    let mut rest = all.as_slice();
    // Groups of three batches of growing size, in one transaction each.
    for size in 1.. {
        let mut group = Vec::new();
        for _ in 0..3 {
            let (batch, left) = rest.split_at(rest.len().min(size));
            rest = left;
            if !batch.is_empty() {
                group.push(batch);
            }
        }
        if group.is_empty() {
            break;
        }
        let first = store.head()?.seq + 1;
        let answers = store.append_all(&group)?;
        same("answers", answers.len(), group.len())?;
        let mut next = first;
        for (answer, batch) in answers.iter().zip(&group) {
            same("first of a batch", answer.first_seq, next)?;
            next += batch.len() as u64;
            same("last of a batch", answer.last_seq, next - 1)?;
            let hash = wanted.iter().find(|r| r.seq == next - 1).map(|r| r.hash);
            same("hash of a batch", Some(answer.head), hash)?;
        }
    }
    same("no batches, no answers", store.append_all(&[])?, vec![])?;
    holds(store, &all)
}

fn invalid(store: &mut dyn Store) -> Result<(), Breach> {
    let good = sample(4);
    store.append(&good)?;
    let mut refused = Vec::new();
    for kind in ["", "Upper", "a b", "ü", "a\n", &"x".repeat(KIND_MAX + 1)] {
        let mut batch = sample(3);
        if let Some(last) = batch.last_mut() {
            last.kind = kind.to_owned();
        }
        refused.push((batch, 2));
    }
    refused.push((Vec::new(), 0));
    for (batch, place) in refused {
        match store.append(&batch) {
            Err(AppendError::Invalid { index, .. }) if index == place => {}
            other => return Err(format!("{batch:?} gave {other:?}").into()),
        }
        holds(store, &good)?;
    }
    // One bad batch refuses the whole group, and the index counts over all of it.
    let mut bad = sample(2);
    if let Some(first) = bad.first_mut() {
        first.kind.clear();
    }
    match store.append_all(&[&good, &bad]) {
        Err(AppendError::Invalid { index: 4, .. }) => {}
        other => return Err(format!("a group with a bad batch gave {other:?}").into()),
    }
    holds(store, &good)
}

fn read_positions(store: &mut dyn Store) -> Result<(), Breach> {
    let all = sample(10);
    let wanted = expected(&all);
    store.append(&all)?;
    for from in [0, 1, 2, 9, 10, 11, 1000, u64::MAX] {
        for limit in [0, 1, 3, 10, usize::MAX] {
            let found = store.read_from(from, limit)?;
            let wanted: Vec<Record> = wanted
                .iter()
                .filter(|r| r.seq >= from)
                .take(limit)
                .cloned()
                .collect();
            same(&format!("from {from}, limit {limit}"), found, wanted)?;
        }
    }
    Ok(())
}

fn read_runs(store: &mut dyn Store) -> Result<(), Breach> {
    let all = sample(11);
    let wanted = expected(&all);
    store.append(&all)?;
    for number in 0..4 {
        for after in [0, 1, 5, 11, u64::MAX] {
            for limit in [0, 1, 2, usize::MAX] {
                let found = store.read_run(run(number), after, limit)?;
                let wanted: Vec<Record> = wanted
                    .iter()
                    .filter(|r| r.run == run(number) && r.seq > after)
                    .take(limit)
                    .cloned()
                    .collect();
                same(
                    &format!("run {number} after {after}, limit {limit}"),
                    found,
                    wanted,
                )?;
            }
        }
    }
    let span = |number, first_seq, last_seq| RunSpan {
        run: run(number),
        first_seq,
        last_seq,
    };
    same(
        "runs",
        store.runs()?,
        vec![span(0, 1, 10), span(1, 2, 11), span(2, 3, 9)],
    )
}

fn extremes(store: &mut dyn Store) -> Result<(), Breach> {
    let mut all = sample(5);
    let bodies: [Vec<u8>; 5] = [
        Vec::new(),
        vec![0],
        (0..=255).collect(),
        vec![b'x'; 1 << 20],
        vec![0xff; 5000],
    ];
    for (record, body) in all.iter_mut().zip(bodies) {
        record.body = body;
    }
    for (record, at) in all.iter_mut().zip([0, u64::MAX, 1 << 63, 1, (1 << 63) - 1]) {
        record.at = Moment(at);
    }
    for (record, run) in all.iter_mut().zip([[0; 16], [0xff; 16]]) {
        record.run = RunId::from_bytes(run);
    }
    for (record, kind) in all.iter_mut().zip(["a", "0._-z", &"k".repeat(KIND_MAX)]) {
        record.kind = kind.to_owned();
    }
    store.append(&all)?;
    holds(store, &all)
}

fn meta(store: &mut dyn Store) -> Result<(), Breach> {
    for value in [&b"one"[..], b"", &[0, 255], b"two"] {
        store.put_meta("key", value)?;
        same("value", store.meta("key")?.as_deref(), Some(value))?;
    }
    store.put_meta("other", &vec![7; META_MAX])?;
    same(
        "length",
        store.meta("other")?.map(|v| v.len()),
        Some(META_MAX),
    )?;
    same("the first", store.meta("key")?, Some(b"two".to_vec()))?;
    for (key, length) in [
        ("", 1),
        (&*"k".repeat(KIND_MAX + 1), 1),
        ("key", META_MAX + 1),
    ] {
        let result = store.put_meta(key, &vec![0; length]);
        ensure(matches!(result, Err(AppendError::Invalid { .. })), || {
            format!("a bad meta value gave {result:?}")
        })?;
    }
    // Meta values are not events.
    holds(store, &[])
}

fn maintenance(store: &mut dyn Store) -> Result<(), Breach> {
    let mut all = Vec::new();
    for _ in 0..5 {
        let more = sample(7);
        store.append(&more)?;
        all.extend(more);
        store.maintain()?;
        holds(store, &all)?;
    }
    Ok(())
}
