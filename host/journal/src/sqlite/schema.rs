//! What the database looks like. A change here is a new [`SCHEMA`] version and a migration.

use rusqlite::{Connection, Result};

/// Marks the file as a Sandgate journal (`file` and SQLite show it): the ASCII text `SGJL`.
pub(super) const APPLICATION: i32 = 0x5347_4A4C;
/// Version of the tables, kept as `user_version`.
pub(super) const SCHEMA: i32 = 1;

/// The statements as SQLite keeps them, so that a difference of one character is noticed at open. The rowid is the
/// sequence number, so records lie in the file in the order in which they were written, and the index on `run`
/// holds it without naming it.
const OBJECTS: [(&str, &str); 3] = [
    (
        "record",
        "CREATE TABLE record (seq INTEGER PRIMARY KEY, run BLOB NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, \
         hash BLOB NOT NULL, body BLOB NOT NULL) STRICT",
    ),
    (
        "record_by_run",
        "CREATE INDEX record_by_run ON record (run)",
    ),
    (
        "meta",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, sum BLOB NOT NULL) STRICT, WITHOUT ROWID",
    ),
];

/// What a database file is.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Nothing has been created in it.
    Empty,
    /// A journal of this version.
    Journal,
    /// A journal of a newer version.
    Newer(u32),
    /// Something else.
    Foreign,
    /// It says it is a journal, but its tables are others.
    Altered,
}

/// Looks at a database without changing it.
pub(super) fn identify(connection: &Connection) -> Result<Kind> {
    // One look: another process may create the journal at this moment.
    let _one_look = connection.unchecked_transaction()?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY rowid")?;
    let objects = statement
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<Vec<(String, Option<String>)>>>()?;
    if application == 0 && version == 0 && objects.is_empty() {
        return Ok(Kind::Empty);
    }
    if application != APPLICATION {
        return Ok(Kind::Foreign);
    }
    if version > SCHEMA {
        return Ok(Kind::Newer(version.unsigned_abs()));
    }
    let same = objects.len() == OBJECTS.len()
        && objects
            .iter()
            .zip(OBJECTS)
            .all(|((name, sql), (n, s))| name == n && sql.as_deref() == Some(s));
    Ok(if same && version == SCHEMA {
        Kind::Journal
    } else {
        Kind::Altered
    })
}

/// Creates the tables in an empty database, in one transaction.
pub(super) fn create(connection: &Connection) -> Result<()> {
    let mut batch = String::from("BEGIN IMMEDIATE;");
    for (_, sql) in OBJECTS {
        batch.push_str(sql);
        batch.push(';');
    }
    batch.push_str(&format!(
        "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA}; COMMIT;"
    ));
    connection.execute_batch(&batch)
}
