//! Appending: commit the records, sync; write the head, sync; only then answer.
//!
//! After any failure that leaves it open what reached the disk, the store stops for good (a second `fsync` may report
//! success for data that the first one lost). A full disk leaves nothing open: SQLite rolls back.

use super::db::{Db, meta_sum};
use super::open::{self, Opener};
use super::wal::{Wal, fold};
use crate::head::{HeadFile, Mark};
use crate::lock::Lock;
use crate::place;
use crate::store::{check, check_meta};
use crate::{
    AppendError, Appended, Head, NewRecord, OpenError, ReadError, ReadStore, Record, RunSpan,
    Store, Verified,
};
use rusqlite::wal::CheckpointMode;
use rusqlite::{ErrorCode, FileControl, params};
use sandgate_model::RunId;
use std::path::Path;
use std::time::Duration;

/// The journal of a project, open for writing. Holds the project's lock; dropping it folds the write-ahead log back
/// and releases the lock.
#[derive(Debug)]
pub struct SqliteStore {
    // Fields are dropped in this order: the lock goes last.
    db: Db,
    wal: Wal,
    head_file: HeadFile,
    /// What was acknowledged last.
    mark: Mark,
    stopped: Option<String>,
    maintained: bool,
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the journal in the state directory `dir` (usually `.sandgate`), creating both when they are not there;
    /// its parent must exist. Checks the head and the last 1,000 records.
    ///
    /// # Errors
    /// [`OpenError::Held`] when another process has it, [`OpenError::Damaged`] when it is not what was written, and
    /// the others. Nothing has been changed then, except the mode of a directory that others could enter.
    pub fn open(dir: &Path, opener: &Opener) -> Result<Self, OpenError> {
        let dir = place::prepare(dir)?;
        let lock = Lock::take(&dir, &opener.command, opener.at)?;
        let (db, head_file, mark) = open::database(&dir)?;
        let wal = Wal::open(&dir).map_err(|source| OpenError::Io {
            action: "prepare",
            path: dir.join(super::WAL_FILE),
            source,
        })?;
        Ok(Self {
            db,
            wal,
            head_file,
            mark,
            stopped: None,
            maintained: true,
            _lock: lock,
        })
    }

    fn ready(&self) -> Result<(), AppendError> {
        match &self.stopped {
            None => Ok(()),
            Some(cause) => Err(AppendError::Stopped {
                cause: cause.clone(),
            }),
        }
    }

    /// Remembers a failure after which nothing is appended any more.
    fn stop(&mut self, error: AppendError) -> AppendError {
        if error.is_fatal() && self.stopped.is_none() {
            self.stopped = Some(error.chain());
        }
        error
    }

    fn failed(
        &self,
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> AppendError {
        AppendError::Failed {
            action,
            file: self.db.file.clone(),
            source: source.into(),
        }
    }

    /// Runs `work` in a transaction. When it fails, nothing of it remains.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Self) -> rusqlite::Result<T>,
    ) -> Result<T, AppendError> {
        let run = |sql: &str| {
            self.db
                .connection
                .prepare_cached(sql)
                .and_then(|mut s| s.execute([]))
        };
        let result = run("BEGIN IMMEDIATE")
            .and_then(|_| work(self))
            .and_then(|value| run("COMMIT").map(|_| value));
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        // SQLite may have rolled back by itself.
        let undone = self.db.connection.is_autocommit() || run("ROLLBACK").is_ok();
        let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        let error = if full && undone {
            AppendError::DiskFull {
                file: self.db.file.clone(),
                source: Box::new(error),
            }
        } else {
            self.failed("write", error)
        };
        Err(self.stop(error))
    }

    fn insert(&self, batches: &[&[NewRecord]]) -> rusqlite::Result<(Vec<Appended>, Head)> {
        let mut insert = self.db.connection.prepare_cached(
            "INSERT INTO record (seq, run, at, kind, hash, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut tail = self.mark.head;
        let mut answers = Vec::with_capacity(batches.len());
        for batch in batches {
            let first_seq = tail.seq + 1;
            for record in *batch {
                let seq = tail.seq + 1;
                let hash = record.hash(&tail.hash, seq);
                insert.execute(params![
                    seq.cast_signed(),
                    record.run.as_bytes(),
                    record.at.0.cast_signed(),
                    record.kind,
                    hash.as_bytes(),
                    record.body,
                ])?;
                tail = Head { seq, hash };
            }
            answers.push(Appended {
                first_seq,
                last_seq: tail.seq,
                head: tail.hash,
            });
        }
        Ok((answers, tail))
    }

    /// A journal that was deleted or moved away under us would take records that nobody can read.
    fn still_there(&mut self) -> Result<(), AppendError> {
        let mut moved = 0;
        let asked = self
            .db
            .connection
            .file_control(None::<&str>, FileControl::HasMoved(&mut moved));
        let error = match asked {
            Ok(()) if moved == 0 => return Ok(()),
            Ok(()) => self.failed("find", "the file was moved or deleted while it was in use"),
            Err(e) => self.failed("look at", e),
        };
        Err(self.stop(error))
    }

    /// Moves the head after a commit. What was committed is in the database now; without the head it must not be
    /// acknowledged, and it cannot be taken back: when this fails, the store is at its end.
    fn acknowledge(&mut self, mark: Mark) -> Result<(), AppendError> {
        match self.head_file.set(mark) {
            Ok(()) => {
                self.mark = mark;
                Ok(())
            }
            Err(source) => {
                let error = AppendError::Failed {
                    action: "write",
                    file: self.head_file.path().to_path_buf(),
                    source: Box::new(source),
                };
                Err(self.stop(error))
            }
        }
    }

    fn maintain_log(&mut self) -> Result<(), AppendError> {
        self.maintained = true;
        match self.wal.maintain(&self.db.connection) {
            Ok(()) => Ok(()),
            Err(e) => {
                let error = self.failed("fold back the write-ahead log of", e);
                Err(self.stop(error))
            }
        }
    }

    /// Folds the whole log back, for a clean end. When that does not succeed, the log stays and the next open reads it.
    fn settle(&mut self) {
        if self.stopped.is_none() && self.db.connection.busy_timeout(Duration::ZERO).is_ok() {
            let _ = fold(&self.db.connection, CheckpointMode::TRUNCATE);
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Store for SqliteStore {
    fn append_all(&mut self, batches: &[&[NewRecord]]) -> Result<Vec<Appended>, AppendError> {
        self.ready()?;
        check(batches)?;
        self.still_there()?;
        // Nobody did it after the commit before.
        if !self.maintained {
            self.maintain_log()?;
        }
        self.maintained = false;
        let (answers, tail) = self.transaction(|store| store.insert(batches))?;
        self.acknowledge(Mark {
            head: tail,
            ..self.mark
        })?;
        Ok(answers)
    }

    fn put_meta(&mut self, key: &str, value: &[u8]) -> Result<(), AppendError> {
        self.ready()?;
        check_meta(key, value)?;
        self.still_there()?;
        let version = self.mark.meta + 1;
        let sql_version = version.cast_signed();
        let sum = meta_sum(key, sql_version, value);
        self.transaction(|store| {
            store
                .db
                .connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO meta (key, value, version, sum) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![key, value, sql_version, sum.as_bytes()])
        })?;
        self.acknowledge(Mark {
            meta: version,
            ..self.mark
        })
    }

    fn maintain(&mut self) -> Result<(), AppendError> {
        self.ready()?;
        self.maintain_log()
    }
}

impl ReadStore for SqliteStore {
    fn read_from(&self, seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.db.read_from(seq, limit)
    }

    fn read_run(&self, run: RunId, after_seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.db.read_run(run, after_seq, limit)
    }

    fn runs(&self) -> Result<Vec<RunSpan>, ReadError> {
        self.db.runs()
    }

    fn head(&self) -> Result<Head, ReadError> {
        Ok(self.mark.head)
    }

    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.db.meta(key)
    }

    fn verify(&self) -> Result<Verified, ReadError> {
        self.db.verify()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample;
    use sandgate_model::Moment;

    fn open(dir: &Path) -> SqliteStore {
        let opener = Opener {
            command: "test".into(),
            at: Moment(0),
        };
        SqliteStore::open(dir, &opener).unwrap()
    }

    /// `max_page_count` makes SQLite report a full disk where it would have to grow the database.
    #[test]
    fn a_full_disk_stores_nothing_and_is_survived() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("state");
        let mut store = open(&dir);
        store.append(&sample(10)).unwrap();
        let limit = |store: &SqliteStore, pages: u32| {
            let set = store
                .db
                .connection
                .pragma_update(None, "max_page_count", pages);
            // It answers with the new limit, which is not a row to be taken for an error.
            assert!(matches!(
                set,
                Ok(()) | Err(rusqlite::Error::ExecuteReturnedResults)
            ));
        };
        limit(&store, 8);
        let mut acknowledged = 10;
        let error = loop {
            match store.append(&sample(50)) {
                Ok(appended) => acknowledged = appended.last_seq,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::DiskFull { .. }), "{error:?}");
        assert!(!error.is_fatal());
        assert_eq!(store.head().unwrap().seq, acknowledged);
        assert_eq!(
            store.read_from(1, usize::MAX).unwrap().len() as u64,
            acknowledged
        );
        assert_eq!(store.verify().unwrap().records, acknowledged);
        assert!(store.append(&sample(500)).is_err(), "still full");
        limit(&store, 100_000);
        assert_eq!(
            store.append(&sample(500)).unwrap().first_seq,
            acknowledged + 1
        );
        drop(store);
        assert_eq!(open(&dir).verify().unwrap().records, acknowledged + 500);
    }
}
