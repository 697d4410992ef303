//! From a directory to a journal that may be written.
//!
//! Order: private local directory → lock → head file → database → comparison. Nothing is written before the
//! comparison has succeeded; a damaged journal stays as it is.

use super::db::{Db, connect, is_corrupt};
use super::schema::{self, Kind, SCHEMA};
use super::{DB_FILE, WAL_FILE};
use crate::chain::Chain;
use crate::durable::sync_dir;
use crate::head::{self, HEAD_FILE, HEAD_FORMAT, HeadFile, Heads, Mark};
use crate::{Damage, Fault, Head, OpenError, ReadError};
use rusqlite::{Connection, OpenFlags};
use sandgate_model::Moment;
use std::io;
use std::path::Path;

/// How many records at the end are checked at every open: what a crash or a lost write can have touched, in about a
/// millisecond.
const TAIL: u64 = 1000;

/// Memory for pages of the database, in KiB: holds the index of a few running runs.
const CACHE_KIB: i64 = 8 * 1024;

/// A log that grew beyond this (a reader held it for long) is cut when it starts again.
const LOG_MAX: i64 = 64 << 20;

/// Who opens a journal, as the next process is told that finds it in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opener {
    /// The command, for people, such as `sandgate run brief`. Must not hold secrets.
    pub command: String,
    /// Now.
    pub at: Moment,
}

/// Opens or creates the database of the writer, which holds the lock.
pub(super) fn database(dir: &Path) -> Result<(Db, HeadFile, Mark), OpenError> {
    let heads = read_heads(dir)?;
    let file = dir.join(DB_FILE);
    if is_empty(&file)? {
        refuse_lost_database(dir, &heads)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = connect(&file, flags).map_err(|e| database_error("open", dir, e))?;
    let db = Db {
        connection,
        file,
        dir: dir.to_path_buf(),
    };
    match identify(&db, &heads)? {
        Kind::Empty => {
            configure(&db.connection).map_err(|e| database_error("set up", dir, e))?;
            schema::create(&db.connection).map_err(|e| database_error("create", dir, e))?;
            let head = create_head(dir)?;
            Ok((db, head, Mark::empty()))
        }
        _ => {
            let last = check_tail(&db, &heads).map_err(|e| open_error(dir, e))?;
            configure(&db.connection).map_err(|e| database_error("set up", dir, e))?;
            let head = catch_up(dir, &heads, last)?;
            Ok((db, head, last))
        }
    }
}

/// Reads the head file; a newer one is refused.
pub(super) fn read_heads(dir: &Path) -> Result<Heads, OpenError> {
    let heads = head::read(dir).map_err(|source| OpenError::Io {
        action: "read",
        path: dir.join(HEAD_FILE),
        source,
    })?;
    match heads {
        Heads::Newer(found) => Err(OpenError::Newer {
            file: dir.join(HEAD_FILE),
            found,
            supported: HEAD_FORMAT,
        }),
        heads => Ok(heads),
    }
}

/// Whether a file is missing or has no content.
pub(super) fn is_empty(file: &Path) -> Result<bool, OpenError> {
    match file.symlink_metadata() {
        Ok(meta) => Ok(meta.len() == 0),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(OpenError::Io {
            action: "look at",
            path: file.to_path_buf(),
            source,
        }),
    }
}

/// With an empty database: whether there was something in it once.
pub(super) fn refuse_lost_database(dir: &Path, heads: &Heads) -> Result<(), OpenError> {
    let fault = match heads {
        Heads::Good(mark, _) if *mark != Mark::empty() => lost_all(mark),
        // SQLite would delete a log that it finds beside an empty database.
        _ if !is_empty(&dir.join(WAL_FILE))? => {
            Fault::Database("it is empty, but its write-ahead log is not".into())
        }
        _ => return Ok(()),
    };
    Err(OpenError::Damaged {
        dir: dir.to_path_buf(),
        damage: Damage {
            file: dir.join(DB_FILE),
            first_bad: Some(1),
            fault,
        },
    })
}

/// Says what the database is: nothing yet, or a journal. Everything else is an error.
pub(super) fn identify(db: &Db, heads: &Heads) -> Result<Kind, OpenError> {
    let kind = schema::identify(&db.connection).map_err(|e| {
        // A file of another kind is no damage, unless the head file says that it was a journal.
        let not_a_database = matches!(
            e.sqlite_error_code(),
            Some(rusqlite::ErrorCode::NotADatabase)
        );
        if not_a_database && !had_records(heads) {
            OpenError::Foreign {
                file: db.file.clone(),
            }
        } else {
            open_error(&db.dir, db.error(Some(1), e))
        }
    })?;
    match kind {
        Kind::Journal => Ok(kind),
        Kind::Empty if !had_records(heads) => Ok(kind),
        Kind::Newer(found) => Err(OpenError::Newer {
            file: db.file.clone(),
            found,
            supported: SCHEMA.unsigned_abs(),
        }),
        Kind::Foreign if !had_records(heads) => Err(OpenError::Foreign {
            file: db.file.clone(),
        }),
        Kind::Empty => {
            let fault = match heads {
                Heads::Good(mark, _) => lost_all(mark),
                _ => Fault::Schema,
            };
            Err(open_error(&db.dir, db.damage(Some(1), fault)))
        }
        Kind::Foreign | Kind::Altered => {
            Err(open_error(&db.dir, db.damage(Some(1), Fault::Schema)))
        }
    }
}

fn had_records(heads: &Heads) -> bool {
    matches!(heads, Heads::Good(mark, _) if *mark != Mark::empty())
}

fn lost_all(mark: &Mark) -> Fault {
    Fault::LostTail {
        acknowledged: mark.head.seq,
        found: 0,
    }
}

/// Settings of the writer's connection.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |r| r.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "the database stays in journal mode {mode:?}"
        )));
    }
    // FULL: a commit is on the disk when it returns. NORMAL would lose the last ones with the power.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_MAX)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // SQLite opens the log with the first transaction, and the log must be there from now on.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// Checks the end of the chain against itself and against the head file.
fn check_tail(db: &Db, heads: &Heads) -> Result<Mark, ReadError> {
    let mark = db.compare(heads)?;
    let last = mark.head;
    if last.seq == 0 {
        return Ok(mark);
    }
    // Everything that was appended after the head was moved for the last time, and some more.
    let acknowledged = match heads {
        Heads::Good(mark, _) => mark.head.seq,
        _ => 0,
    };
    let first = last.seq.saturating_sub(TAIL - 1).min(acknowledged).max(1);
    let before = match first - 1 {
        0 => Head::empty(),
        seq => Head {
            seq,
            hash: db
                .hash_at(seq)?
                .ok_or_else(|| db.damage(Some(seq), Fault::Missing { found: first }))?,
        },
    };
    let mut chain = Chain::after(before);
    while chain.last().seq < last.seq {
        let near = chain.last().seq + 1;
        let records = db.read_from(near, 256)?;
        if records.is_empty() {
            return Err(db.damage(Some(near), Fault::Missing { found: last.seq }));
        }
        for record in &records {
            let near = chain.last().seq + 1;
            chain
                .push(record)
                .map_err(|fault| db.damage(Some(near), fault))?;
        }
    }
    if chain.last() == last {
        Ok(mark)
    } else {
        Err(db.damage(Some(last.seq), Fault::Changed))
    }
}

/// Makes the head file of a journal without records, and everything so far durable.
fn create_head(dir: &Path) -> Result<HeadFile, OpenError> {
    let io = |source| OpenError::Io {
        action: "create",
        path: dir.join(HEAD_FILE),
        source,
    };
    let file = HeadFile::create(dir).map_err(io)?;
    sync_dir(dir).map_err(io)?;
    Ok(file)
}

/// Opens the head file and moves it to the last record. The records may be ahead of it: the process died between the
/// commit and the head. They were never acknowledged, but they are whole, so they count.
fn catch_up(dir: &Path, heads: &Heads, last: Mark) -> Result<HeadFile, OpenError> {
    let Heads::Good(mark, slot) = heads else {
        return create_head(dir);
    };
    let io = |source| OpenError::Io {
        action: "write",
        path: dir.join(HEAD_FILE),
        source,
    };
    let mut file = HeadFile::open(dir, *slot).map_err(io)?;
    if *mark != last {
        file.set(last).map_err(io)?;
    }
    Ok(file)
}

/// A reading error as an error of opening.
pub(super) fn open_error(dir: &Path, error: ReadError) -> OpenError {
    match error {
        ReadError::Damaged(damage) => OpenError::Damaged {
            dir: dir.to_path_buf(),
            damage,
        },
        ReadError::Io { file, source } => OpenError::Io {
            action: "read",
            path: file,
            source,
        },
        ReadError::Awoken { file } => OpenError::Database {
            action: "read",
            file,
            source: "a writer opened it at the same moment".into(),
        },
        ReadError::Database { file, source } => OpenError::Database {
            action: "read",
            file,
            source,
        },
    }
}

/// An error of SQLite while opening.
pub(super) fn database_error(
    action: &'static str,
    dir: &Path,
    error: rusqlite::Error,
) -> OpenError {
    let file = dir.join(DB_FILE);
    if is_corrupt(&error) {
        let damage = Damage {
            file,
            first_bad: None,
            fault: Fault::Database(error.to_string()),
        };
        return OpenError::Damaged {
            dir: dir.to_path_buf(),
            damage,
        };
    }
    OpenError::Database {
        action,
        file,
        source: Box::new(error),
    }
}
