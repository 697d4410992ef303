//! Reading a journal, also while another process writes it.
//!
//! Must not create or change a file. The one exception is the content of `journal.db-shm`, which is not data but
//! the memory in which SQLite's readers and its writer coordinate.

use super::db::{Db, connect};
use super::open::{database_error, identify, is_empty, open_error, read_heads};
use super::schema::Kind;
use super::{DB_FILE, SHM_FILE, WAL_FILE, open};
use crate::{Head, OpenError, ReadError, ReadStore, Record, RunSpan, Verified, place};
use rusqlite::OpenFlags;
use sandgate_model::RunId;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A journal, open for reading only. A damaged one opens too, as far as SQLite can read it: what is returned has been
/// checked, and [`verify`](ReadStore::verify) says what is wrong.
#[derive(Debug)]
pub struct SqliteReader {
    db: Db,
    /// For a file that is read without locks because SQLite's files beside it were not all there: which were.
    at_rest: Option<[bool; 2]>,
}

impl SqliteReader {
    /// Opens the journal in the state directory `dir`.
    ///
    /// # Errors
    /// [`OpenError::Absent`] when there is none yet; a foreign, a newer or an entirely unreadable one.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let dir = place::find(dir)?;
        let file = dir.join(DB_FILE);
        let heads = read_heads(&dir)?;
        if is_empty(&file)? {
            open::refuse_lost_database(&dir, &heads)?;
            return Err(OpenError::Absent { dir });
        }
        // A journal that was ever written keeps its log and its shared memory. Where they are missing (a copy of the
        // database alone), SQLite would create them, unless it is told that nobody writes.
        let beside = beside(&dir);
        let at_rest = (beside != [true, true]).then_some(beside);
        let connection = if at_rest.is_some() {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            connect(&immutable(&file), flags)
        } else {
            connect(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
        .map_err(|e| database_error("open", &dir, e))?;
        let db = Db {
            connection,
            file,
            dir: dir.clone(),
        };
        if identify(&db, &heads)? == Kind::Empty {
            return Err(OpenError::Absent { dir });
        }
        let reader = Self { db, at_rest };
        reader.still_at_rest().map_err(|e| open_error(&dir, e))?;
        Ok(reader)
    }

    /// A file at rest is read without locks, so nobody must have begun to write it meanwhile.
    fn still_at_rest(&self) -> Result<(), ReadError> {
        match self.at_rest {
            Some(then) if beside(&self.db.dir) != then => Err(ReadError::Awoken {
                file: self.db.file.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Db) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let result = read(&self.db);
        self.still_at_rest()?;
        result
    }
}

/// Which of SQLite's files beside the database are there: the log, the shared memory.
fn beside(dir: &Path) -> [bool; 2] {
    [WAL_FILE, SHM_FILE].map(|name| dir.join(name).exists())
}

/// The file as a URI that promises SQLite that nobody writes it.
fn immutable(file: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in file.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-') {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str("?immutable=1");
    OsString::from(uri).into()
}

impl ReadStore for SqliteReader {
    fn read_from(&self, seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.read(|db| db.read_from(seq, limit))
    }

    fn read_run(&self, run: RunId, after_seq: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.read(|db| db.read_run(run, after_seq, limit))
    }

    fn runs(&self) -> Result<Vec<RunSpan>, ReadError> {
        self.read(Db::runs)
    }

    fn head(&self) -> Result<Head, ReadError> {
        self.read(Db::head)
    }

    fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(|db| db.meta(key))
    }

    fn verify(&self) -> Result<Verified, ReadError> {
        self.read(Db::verify)
    }
}
