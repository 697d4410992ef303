//! Secrets: where they come from, where they may go, and how they are found in what others say.
//!
//! A value is read at its first use, kept in memory that is wiped, and given only to the target that its
//! specification names. This crate must not write a value anywhere, not into an error, not into `Debug`, and must
//! not decide which task may use which secret: `authority` does that, on names.

mod error;
mod read;
mod redact;
mod spec;
mod value;
mod vault;

pub use error::{ReadError, SpecError, ValueError, VaultError};
pub use redact::{MARK, RedactStream, Redactor, TooShort};
pub use spec::{SecretFrom, SecretSpec};
pub use value::{MAX_SECRET, MIN_SECRET};
pub use vault::Vault;
