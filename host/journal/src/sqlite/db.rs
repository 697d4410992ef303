//! A connection and everything that is read through it.
//!
//! Every record that leaves here has been checked against its hash and the record before it. Must not write.

use crate::head::{self, Heads, Mark};
use crate::{Damage, Fault, Head, ReadError, Record, RunSpan, genesis};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row};
use sandgate_model::{Digest, Moment, RunId};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for a lock of another process. Locks inside the database are held for the time of a recovery at
/// most; the lock that keeps a second writer out is another one and is not waited for.
const BUSY: Duration = Duration::from_secs(2);

const COLUMNS: &str = "r.seq, r.run, r.at, r.kind, r.hash, r.body";

/// A database and where it lies.
#[derive(Debug)]
pub(super) struct Db {
    pub(super) connection: Connection,
    pub(super) file: PathBuf,
    pub(super) dir: PathBuf,
}

/// Opens a database file without changing it.
pub(super) fn connect(target: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(target, flags)?;
    connection.busy_timeout(BUSY)?;
    // Closing must not fold the log back behind our back: a damaged journal is left as it is, and an error of
    // that checkpoint would be lost.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Notice a broken page when it is read, not when it has been followed.
    connection.pragma_update(None, "cell_size_check", true)?;
    // Never map the file: a read error would be a signal instead of an error.
    connection.pragma_update(None, "mmap_size", 0)?;
    Ok(connection)
}

/// Whether the error says that the file's content is wrong, as opposed to the file being out of reach.
pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(e, _) => {
            matches!(e.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}

fn seq_of(value: i64) -> Option<u64> {
    u64::try_from(value).ok()
}

/// A sequence number as SQLite keeps it; beyond the largest one there is nothing to find.
fn sql_seq(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn digest(value: ValueRef<'_>) -> Option<Digest> {
    let bytes: [u8; 32] = value.as_blob().ok()?.try_into().ok()?;
    Some(Digest::from_bytes(bytes))
}

fn run_id(value: ValueRef<'_>) -> Option<RunId> {
    let bytes: [u8; 16] = value.as_blob().ok()?.try_into().ok()?;
    Some(RunId::from_bytes(bytes))
}

/// A record from [`COLUMNS`]; `None` when a value has a form that is never written.
fn record(row: &Row<'_>) -> Option<Record> {
    let ValueRef::Integer(seq) = row.get_ref(0).ok()? else {
        return None;
    };
    let ValueRef::Integer(at) = row.get_ref(2).ok()? else {
        return None;
    };
    let ValueRef::Text(kind) = row.get_ref(3).ok()? else {
        return None;
    };
    Some(Record {
        seq: seq_of(seq)?,
        run: run_id(row.get_ref(1).ok()?)?,
        at: Moment(at.cast_unsigned()),
        kind: String::from_utf8(kind.to_vec()).ok()?,
        hash: digest(row.get_ref(4).ok()?)?,
        body: row.get_ref(5).ok()?.as_blob().ok()?.to_vec(),
    })
}

impl Db {
    pub(super) fn damage(&self, first_bad: Option<u64>, fault: Fault) -> ReadError {
        ReadError::Damaged(Damage {
            file: self.file.clone(),
            first_bad,
            fault,
        })
    }

    /// Turns an error of SQLite into ours; `near` is the first record that could not be read.
    pub(super) fn error(&self, near: Option<u64>, error: rusqlite::Error) -> ReadError {
        if is_corrupt(&error) {
            self.damage(near, Fault::Database(error.to_string()))
        } else {
            ReadError::Database {
                file: self.file.clone(),
                source: Box::new(error),
            }
        }
    }

    /// Records from `seq` on, without gaps.
    pub(super) fn read_from(&self, seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let seq = seq.max(1);
        let sql = format!(
            "SELECT {COLUMNS}, p.hash FROM record r LEFT JOIN record p ON p.seq = r.seq - 1 \
             WHERE r.seq >= ?1 ORDER BY r.seq LIMIT ?2"
        );
        let records = self.checked(&sql, (sql_seq(seq), sql_limit(limit)), seq)?;
        for (offset, record) in (0..).zip(&records) {
            if record.seq != seq + offset {
                let found = record.seq;
                return Err(self.damage(Some(seq + offset), Fault::Missing { found }));
            }
        }
        Ok(records)
    }

    /// Records of a run after `after`.
    pub(super) fn read_run(
        &self,
        run: RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS}, p.hash FROM record r LEFT JOIN record p ON p.seq = r.seq - 1 \
             WHERE r.run = ?1 AND r.seq > ?2 ORDER BY r.seq LIMIT ?3"
        );
        let parameters = (run.as_bytes(), sql_seq(after), sql_limit(limit));
        self.checked(&sql, parameters, after.saturating_add(1))
    }

    /// Runs a query of records with the hash before each, and checks each hash.
    fn checked(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        first: u64,
    ) -> Result<Vec<Record>, ReadError> {
        let mut near = first;
        let fail = |near, e| self.error(Some(near), e);
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .map_err(|e| fail(near, e))?;
        let mut rows = statement.query(parameters).map_err(|e| fail(near, e))?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().map_err(|e| fail(near, e))? {
            let Some(record) = record(row) else {
                return Err(self.damage(Some(near), Fault::Malformed));
            };
            let before = match row.get_ref(6).map_err(|e| fail(near, e))? {
                ValueRef::Null if record.seq == 1 => Some(genesis()),
                ValueRef::Null => {
                    let found = record.seq;
                    return Err(self.damage(Some(found - 1), Fault::Missing { found }));
                }
                value => digest(value),
            };
            if before.is_none_or(|before| record.expected_hash(&before) != record.hash) {
                return Err(self.damage(Some(record.seq), Fault::Changed));
            }
            near = record.seq + 1;
            records.push(record);
        }
        Ok(records)
    }

    /// Streams all records from the first, unchecked, to `each`, which may stop with an error.
    pub(super) fn stream(
        &self,
        mut each: impl FnMut(Record) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut near = 1;
        let fail = |near, e| self.error(Some(near), e);
        let sql = format!("SELECT {COLUMNS} FROM record r ORDER BY r.seq");
        let mut statement = self.connection.prepare(&sql).map_err(|e| fail(near, e))?;
        let mut rows = statement.query([]).map_err(|e| fail(near, e))?;
        while let Some(row) = rows.next().map_err(|e| fail(near, e))? {
            let Some(record) = record(row) else {
                return Err(self.damage(Some(near), Fault::Malformed));
            };
            near = record.seq.saturating_add(1);
            each(record)?;
        }
        Ok(())
    }

    /// All runs. Jumps from run to run in the index instead of walking it.
    pub(super) fn runs(&self) -> Result<Vec<RunSpan>, ReadError> {
        const SQL: &str = "WITH RECURSIVE ids(run) AS (SELECT min(run) FROM record UNION ALL \
            SELECT (SELECT min(run) FROM record WHERE run > ids.run) FROM ids WHERE ids.run IS NOT NULL) \
            SELECT run, (SELECT min(seq) FROM record WHERE run = ids.run), \
            (SELECT max(seq) FROM record WHERE run = ids.run) FROM ids WHERE run IS NOT NULL";
        let fail = |e| self.error(None, e);
        let mut statement = self.connection.prepare_cached(SQL).map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next().map_err(fail)? {
            let span = || {
                Some(RunSpan {
                    run: run_id(row.get_ref(0).ok()?)?,
                    first_seq: seq_of(row.get(1).ok()?)?,
                    last_seq: seq_of(row.get(2).ok()?)?,
                })
            };
            runs.push(span().ok_or_else(|| self.damage(None, Fault::Malformed))?);
        }
        Ok(runs)
    }

    /// The last record's place in the chain, unchecked.
    pub(super) fn head(&self) -> Result<Head, ReadError> {
        const SQL: &str = "SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1";
        let found = self
            .connection
            .prepare_cached(SQL)
            .and_then(|mut s| {
                s.query_row([], |r| Ok((r.get(0)?, digest(r.get_ref(1)?))))
                    .optional()
            })
            .map_err(|e| self.error(None, e))?;
        match found {
            None => Ok(Head::empty()),
            Some((seq, Some(hash))) if seq > 0 => Ok(Head {
                seq: sql_unsigned(seq),
                hash,
            }),
            Some((seq, _)) => Err(self.damage(seq_of(seq), Fault::Malformed)),
        }
    }

    /// The stored hash of one record, unchecked.
    pub(super) fn hash_at(&self, seq: u64) -> Result<Option<Digest>, ReadError> {
        self.connection
            .prepare_cached("SELECT hash FROM record WHERE seq = ?1")
            .and_then(|mut s| {
                s.query_row([sql_seq(seq)], |r| Ok(digest(r.get_ref(0)?)))
                    .optional()
            })
            .map(Option::flatten)
            .map_err(|e| self.error(Some(seq), e))
    }

    /// A meta value, checked.
    pub(super) fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let found = self
            .connection
            .prepare_cached("SELECT value, version, sum FROM meta WHERE key = ?1")
            .and_then(|mut s| {
                s.query_row([key], |r| {
                    let value: Vec<u8> = r.get(0)?;
                    Ok((value, r.get(1)?, digest(r.get_ref(2)?)))
                })
                .optional()
            })
            .map_err(|e| self.error(None, e))?;
        match found {
            None => Ok(None),
            Some((value, version, sum)) if sum == Some(meta_sum(key, version, &value)) => {
                Ok(Some(value))
            }
            Some(_) => Err(self.damage(None, Fault::Meta(key.to_owned()))),
        }
    }

    /// The version of the meta value that was stored last.
    fn meta_version(&self) -> Result<u64, ReadError> {
        self.connection
            .query_row("SELECT max(version) FROM meta", [], |r| r.get(0))
            .map(|version: Option<i64>| version.and_then(seq_of).unwrap_or(0))
            .map_err(|e| self.error(None, e))
    }

    /// Compares what is stored with what the head file says, and gives the end of what is stored. `heads` must have
    /// been read before the records are: the head follows the records, never the other way round.
    pub(super) fn compare(&self, heads: &Heads) -> Result<Mark, ReadError> {
        let last = Mark {
            head: self.head()?,
            meta: self.meta_version()?,
        };
        let in_head_file = |fault| {
            ReadError::Damaged(Damage {
                file: self.dir.join(head::HEAD_FILE),
                first_bad: None,
                fault,
            })
        };
        let mark = match heads {
            Heads::Good(mark, _) => mark,
            // Between the creation of the database and of the head file there is nothing to lose.
            Heads::Absent | Heads::Unreadable if last == Mark::empty() => return Ok(last),
            Heads::Absent => return Err(in_head_file(Fault::HeadMissing)),
            Heads::Unreadable | Heads::Newer(_) => return Err(in_head_file(Fault::HeadUnreadable)),
        };
        if mark.head.seq > last.head.seq {
            let fault = Fault::LostTail {
                acknowledged: mark.head.seq,
                found: last.head.seq,
            };
            return Err(self.damage(Some(last.head.seq + 1), fault));
        }
        if mark.head.seq > 0 && self.hash_at(mark.head.seq)? != Some(mark.head.hash) {
            return Err(self.damage(Some(mark.head.seq), Fault::HeadDiffers));
        }
        if mark.meta > last.meta {
            let fault = Fault::LostMeta {
                acknowledged: mark.meta,
                found: last.meta,
            };
            return Err(self.damage(None, fault));
        }
        Ok(last)
    }
}

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn sql_unsigned(value: i64) -> u64 {
    value.cast_unsigned()
}

/// Check sum of a meta value; covers the key and the version, so that values cannot change places.
pub(super) fn meta_sum(key: &str, version: i64, value: &[u8]) -> Digest {
    let mut bytes = Vec::with_capacity(16 + key.len() + value.len());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&(key.len() as u64).to_be_bytes());
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(value);
    Digest::of(&bytes)
}
