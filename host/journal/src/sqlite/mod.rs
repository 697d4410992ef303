//! The journal in SQLite. SQL is nowhere else in the product.
//!
//! - `schema`: what the database looks like, and whether a file is one.
//! - `db`: connections and all reading; shared by the writer and the reader.
//! - `open`: from a directory to a store that may be written: checks, creation, recovery.
//! - `wal`: keeps the write-ahead log at its size and folds it back.
//! - `store`: appending.
//! - `reader`: reading beside a writer.

mod db;
mod open;
mod reader;
mod schema;
mod store;
mod verify;
mod wal;

pub use open::Opener;
pub use reader::SqliteReader;
pub use store::SqliteStore;

/// Name of the database in the state directory.
pub(crate) const DB_FILE: &str = "journal.db";
/// Name of SQLite's write-ahead log beside it.
pub(crate) const WAL_FILE: &str = "journal.db-wal";
/// Name of SQLite's shared memory beside it: no content, only coordination.
pub(crate) const SHM_FILE: &str = "journal.db-shm";
