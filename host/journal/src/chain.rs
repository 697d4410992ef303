//! Walks a chain of records and stops at the first that is not what it should be.
//!
//! Must not read or write anything: it is the one place that says what an intact chain is.

use crate::{Fault, Head, Record};

/// What has been checked so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    last: Head,
}

impl Chain {
    /// Goes on after `last`, which is known to be right.
    pub(crate) fn after(last: Head) -> Self {
        Self { last }
    }

    /// The last record that was right.
    pub(crate) fn last(&self) -> Head {
        self.last
    }

    /// Takes the next record; the error is what is wrong with the record after [`Chain::last`].
    pub(crate) fn push(&mut self, record: &Record) -> Result<(), Fault> {
        if record.seq != self.last.seq + 1 {
            return Err(Fault::Missing { found: record.seq });
        }
        if record.expected_hash(&self.last.hash) != record.hash {
            return Err(Fault::Changed);
        }
        self.last = Head {
            seq: record.seq,
            hash: record.hash,
        };
        Ok(())
    }
}
