//! What every store can do. The conformance suite says the same in tests.

use crate::{AppendError, Head, NewRecord, ReadError, Record};
use sandgate_model::{Digest, RunId};

/// Where a batch went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Sequence number of its first record.
    pub first_seq: u64,
    /// Sequence number of its last record.
    pub last_seq: u64,
    /// Hash of its last record.
    pub head: Digest,
}

/// The extent of a run in the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunSpan {
    /// The run.
    pub run: RunId,
    /// Its first record.
    pub first_seq: u64,
    /// Its last record.
    pub last_seq: u64,
}

/// A journal that was checked from its first record to its last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// The end of the chain.
    pub head: Head,
}

/// The reading half of a store.
pub trait ReadStore {
    /// Up to `limit` records from `seq` on, in order; 0 means from the first. Every record that is returned has
    /// been checked against its hash and the one before it.
    ///
    /// # Errors
    /// Damage in what was to be returned, or a failure to read.
    fn read_from(&self, seq: u64, limit: usize) -> Result<Vec<Record>, ReadError>;

    /// Up to `limit` records of `run` after `after_seq`, in order. Checked like those of
    /// [`read_from`](Self::read_from).
    ///
    /// # Errors
    /// Damage in what was to be returned, or a failure to read.
    fn read_run(&self, run: RunId, after_seq: u64, limit: usize) -> Result<Vec<Record>, ReadError>;

    /// All runs, ordered by id, which for ids made by the host is the order of creation. Its cost grows with the
    /// number of runs, not of records.
    ///
    /// # Errors
    /// A failure to read.
    fn runs(&self) -> Result<Vec<RunSpan>, ReadError>;

    /// The end of the chain.
    ///
    /// # Errors
    /// A failure to read.
    fn head(&self) -> Result<Head, ReadError>;

    /// The value stored under a meta key. Meta values are not part of the chain; they hold what can be made again.
    ///
    /// # Errors
    /// A value that does not match its check sum, or a failure to read.
    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError>;

    /// Checks everything: every record's hash, the order, the head, the indexes and the meta values.
    ///
    /// # Errors
    /// The first damage found, or a failure to read.
    fn verify(&self) -> Result<Verified, ReadError>;
}

/// A journal with one writer.
pub trait Store: ReadStore + Send {
    /// Appends several batches in one transaction, all or nothing, and returns when all are durable. One answer per
    /// batch, in the same order.
    ///
    /// # Errors
    /// [`AppendError::Invalid`] counts its index over all batches. After a fatal error every further call fails.
    fn append_all(&mut self, batches: &[&[NewRecord]]) -> Result<Vec<Appended>, AppendError>;

    /// Appends one batch, all or nothing, and returns when it is durable.
    ///
    /// # Errors
    /// See [`append_all`](Self::append_all).
    fn append(&mut self, records: &[NewRecord]) -> Result<Appended, AppendError> {
        let mut answers = self.append_all(&[records])?;
        answers.pop().ok_or_else(|| AppendError::Stopped {
            cause: "a store gave no answer for a batch".into(),
        })
    }

    /// Stores a value under a key, durably. At most [`META_MAX`](crate::META_MAX) bytes.
    ///
    /// # Errors
    /// Like an append.
    fn put_meta(&mut self, key: &str, value: &[u8]) -> Result<(), AppendError>;

    /// Housekeeping that nobody waits for, such as a checkpoint. [`Writer`](crate::Writer) calls it after it has
    /// answered; a store that is used directly does it by itself when it must.
    ///
    /// # Errors
    /// A failure that stops the store. What was appended before stays acknowledged.
    fn maintain(&mut self) -> Result<(), AppendError> {
        Ok(())
    }
}

/// The first record that cannot be stored. An empty batch is refused too: it would have no sequence number to answer.
pub(crate) fn check(batches: &[&[NewRecord]]) -> Result<(), AppendError> {
    let mut index = 0;
    for batch in batches {
        if batch.is_empty() {
            return Err(AppendError::Invalid {
                index,
                reason: "the batch is empty".into(),
            });
        }
        for record in *batch {
            if let Some(reason) = record.fault() {
                return Err(AppendError::Invalid { index, reason });
            }
            index += 1;
        }
    }
    Ok(())
}

/// Why a meta value cannot be stored, as an error.
pub(crate) fn check_meta(key: &str, value: &[u8]) -> Result<(), AppendError> {
    let reason = if key.is_empty() || key.len() > crate::KIND_MAX {
        format!("a meta key has 1 to {} bytes", crate::KIND_MAX)
    } else if value.len() > crate::META_MAX {
        format!("a meta value has at most {} bytes", crate::META_MAX)
    } else {
        return Ok(());
    };
    Err(AppendError::Invalid { index: 0, reason })
}
