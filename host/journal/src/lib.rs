//! The durable record: everything that happened in a project, in order, chained by hashes, and the bytes that
//! tasks produced.
//!
//! A store keeps opaque records. What an event means, and how it is encoded, is the business of the caller. The
//! format of the records, of the head file and of the artifact store is in `host/docs/formats.md`; why it is
//! built this way is ADR 0002.
//!
//! - [`SqliteStore`]: the journal of a project; exactly one process writes it.
//! - [`SqliteReader`]: reads the same journal, also while another process writes.
//! - [`MemoryStore`]: the same behaviour without a disk, for tests and simulations.
//! - [`Writer`]: a thread that owns a store and commits what is waiting in one transaction.
//! - [`ArtifactStore`]: bytes by their SHA-256.
//!
//! This crate must not interpret a body, read a clock or the environment, or print. It never repairs damage: it
//! reports it and refuses to write.

mod artifacts;
mod chain;
pub mod conformance;
mod damage;
mod driving;
mod durable;
mod error;
mod export;
mod head;
mod lock;
mod memory;
mod place;
mod record;
mod sqlite;
mod store;
mod writer;

pub use artifacts::{ArtifactError, ArtifactStore};
pub use damage::{Damage, Fault};
pub use driving::{Driving, driving};
pub use error::{AppendError, OpenError, ReadError};
pub use lock::Holder;
pub use memory::MemoryStore;
pub use record::{
    BODY_MAX, Head, KIND_MAX, META_MAX, NewRecord, RECORD_FORMAT, Record, genesis, record_hash,
};
pub use sqlite::{Opener, SqliteReader, SqliteStore};
pub use store::{Appended, ReadStore, RunSpan, Store, Verified};
pub use writer::{Done, GROUP_RECORDS_MAX, QUEUE_MAX, Writer};
