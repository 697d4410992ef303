//! The journal without a disk.
//!
//! Clones share one journal, so that a test can keep a handle while a [`Writer`](crate::Writer) owns another. It must
//! behave like every other store in all that the conformance suite checks; durable it is not.

use crate::chain::Chain;
use crate::store::{check, check_meta};
use crate::{
    AppendError, Appended, Damage, Head, NewRecord, ReadError, ReadStore, Record, RunSpan, Store,
    Verified,
};
use sandgate_model::RunId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A journal in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    records: Vec<Record>,
    runs: BTreeMap<RunId, Vec<u64>>,
    meta: BTreeMap<String, Vec<u8>>,
}

impl Inner {
    fn head(&self) -> Head {
        self.records.last().map_or_else(Head::empty, |r| Head {
            seq: r.seq,
            hash: r.hash,
        })
    }

    fn get(&self, seq: u64) -> Option<&Record> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.records.get(index)
    }
}

impl MemoryStore {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // A panic between two pushes cannot leave half a record, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadStore for MemoryStore {
    fn read_from(&self, seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let inner = self.lock();
        let skip = usize::try_from(seq.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(inner
            .records
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect())
    }

    fn read_run(&self, run: RunId, after_seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let inner = self.lock();
        let Some(seqs) = inner.runs.get(&run) else {
            return Ok(Vec::new());
        };
        let skip = seqs.partition_point(|seq| *seq <= after_seq);
        Ok(seqs
            .iter()
            .skip(skip)
            .take(limit)
            .filter_map(|seq| inner.get(*seq).cloned())
            .collect())
    }

    fn runs(&self) -> Result<Vec<RunSpan>, ReadError> {
        let inner = self.lock();
        Ok(inner
            .runs
            .iter()
            .filter_map(|(run, seqs)| {
                Some(RunSpan {
                    run: *run,
                    first_seq: *seqs.first()?,
                    last_seq: *seqs.last()?,
                })
            })
            .collect())
    }

    fn head(&self) -> Result<Head, ReadError> {
        Ok(self.lock().head())
    }

    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.lock().meta.get(key).cloned())
    }

    fn verify(&self) -> Result<Verified, ReadError> {
        let inner = self.lock();
        let mut chain = Chain::after(Head::empty());
        for record in &inner.records {
            chain.push(record).map_err(|fault| Damage {
                file: "<memory>".into(),
                first_bad: Some(chain.last().seq + 1),
                fault,
            })?;
        }
        Ok(Verified {
            records: chain.last().seq,
            head: chain.last(),
        })
    }
}

impl Store for MemoryStore {
    fn append_all(&mut self, batches: &[&[NewRecord]]) -> Result<Vec<Appended>, AppendError> {
        check(batches)?;
        let mut inner = self.lock();
        let mut answers = Vec::with_capacity(batches.len());
        for batch in batches {
            let first_seq = inner.head().seq + 1;
            for new in *batch {
                let before = inner.head();
                let seq = before.seq + 1;
                inner.records.push(Record {
                    seq,
                    run: new.run,
                    at: new.at,
                    kind: new.kind.clone(),
                    body: new.body.clone(),
                    hash: new.hash(&before.hash, seq),
                });
                inner.runs.entry(new.run).or_default().push(seq);
            }
            let head = inner.head();
            answers.push(Appended {
                first_seq,
                last_seq: head.seq,
                head: head.hash,
            });
        }
        Ok(answers)
    }

    fn put_meta(&mut self, key: &str, value: &[u8]) -> Result<(), AppendError> {
        check_meta(key, value)?;
        self.lock().meta.insert(key.to_owned(), value.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[test]
    fn conforms() {
        conformance::check_all(&mut || Ok(Box::new(MemoryStore::new()))).unwrap();
    }

    #[test]
    fn verify_names_the_first_changed_record() {
        let mut store = MemoryStore::new();
        store.append(&conformance::sample(5)).unwrap();
        store.lock().records[2].body[0] ^= 1;
        let ReadError::Damaged(damage) = store.verify().unwrap_err() else {
            panic!("a changed body must be reported as damage");
        };
        assert_eq!(damage.first_bad, Some(3));
    }
}
