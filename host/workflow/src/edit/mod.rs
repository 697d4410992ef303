//! A plan as a document that a person edits, and back. What comes back is hostile input like any other: it becomes a
//! draft, which [`crate::freeze_edited`] checks. Must not open an editor or a file.

mod read;
mod write;

pub use read::read_edited;
pub use write::editable;
