//! Checks the whole journal. Must not change it.

use super::db::{Db, meta_sum};
use crate::chain::Chain;
use crate::head;
use crate::{Fault, Head, ReadError, Verified};
use sandgate_model::Digest;

impl Db {
    /// Every record, the head, SQLite's own structure with its index, and the meta values, in one snapshot.
    pub(super) fn verify(&self) -> Result<Verified, ReadError> {
        // Before the snapshot: a writer that is busy moves records first and the head after them.
        let heads = head::read(&self.dir).map_err(|source| ReadError::Io {
            file: self.dir.join(head::HEAD_FILE),
            source,
        })?;
        self.batch("BEGIN")?;
        let result = self.verify_snapshot(&heads);
        self.batch("COMMIT")?;
        result
    }

    fn batch(&self, sql: &str) -> Result<(), ReadError> {
        self.connection
            .execute_batch(sql)
            .map_err(|e| self.error(None, e))
    }

    fn verify_snapshot(&self, heads: &head::Heads) -> Result<Verified, ReadError> {
        let mut chain = Chain::after(Head::empty());
        self.stream(|record| {
            let near = chain.last().seq + 1;
            chain
                .push(&record)
                .map_err(|fault| self.damage(Some(near), fault))
        })?;
        self.compare(heads)?;
        self.structure()?;
        self.all_meta()?;
        Ok(Verified {
            records: chain.last().seq,
            head: chain.last(),
        })
    }

    /// SQLite's own check: pages, cells, and that the index has exactly the rows of the table.
    fn structure(&self) -> Result<(), ReadError> {
        let text: String = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))
            .map_err(|e| self.error(None, e))?;
        if text == "ok" {
            return Ok(());
        }
        // The records themselves are right, so name the first one that reading by run would miss.
        let first_bad = self
            .connection
            .query_row(
                "SELECT min(r.seq) FROM record r NOT INDEXED WHERE NOT EXISTS (SELECT 1 FROM record x INDEXED BY \
                 record_by_run WHERE x.run = r.run AND x.seq = r.seq)",
                [],
                |r| r.get::<_, Option<i64>>(0),
            )
            .ok()
            .flatten()
            .and_then(|seq| u64::try_from(seq).ok());
        Err(self.damage(first_bad, Fault::Database(text)))
    }

    fn all_meta(&self) -> Result<(), ReadError> {
        let fail = |e| self.error(None, e);
        let mut statement = self
            .connection
            .prepare("SELECT key, value, version, sum FROM meta")
            .map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let (key, value, version, sum): (String, Vec<u8>, i64, Vec<u8>) =
                row.try_into().map_err(fail)?;
            let sum: Result<[u8; 32], _> = sum.try_into();
            if sum.map(Digest::from_bytes) != Ok(meta_sum(&key, version, &value)) {
                return Err(self.damage(None, Fault::Meta(key)));
            }
        }
        Ok(())
    }
}
