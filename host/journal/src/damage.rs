//! What can be wrong with stored data, in words for a person.
//!
//! Damage is reported and never repaired here: a repair would turn a lost record into a wrong one.

use std::{fmt, path::PathBuf};

/// Stored data is not what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The file in which it was seen. For a store without files, its name in angle brackets.
    pub file: PathBuf,
    /// The first record that is wrong or missing, where one can be named.
    pub first_bad: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

/// Kinds of damage.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The content of a record does not give its hash.
    Changed,
    /// A record is missing; the next one found is named.
    Missing {
        /// Sequence number of the record found instead.
        found: u64,
    },
    /// Records that were acknowledged are gone from the end.
    LostTail {
        /// Last record acknowledged, according to the head file.
        acknowledged: u64,
        /// Last record found.
        found: u64,
    },
    /// The last acknowledged record is there, but it is another one.
    HeadDiffers,
    /// The head file is missing although there are records.
    HeadMissing,
    /// No slot of the head file can be read although there are records.
    HeadUnreadable,
    /// A stored value has a type or a length that is never written.
    Malformed,
    /// The database is internally inconsistent; the text is SQLite's own.
    Database(String),
    /// The tables are not those of this format.
    Schema,
    /// Meta values that were acknowledged are gone.
    LostMeta {
        /// Last version acknowledged, according to the head file.
        acknowledged: u64,
        /// Last version found.
        found: u64,
    },
    /// A meta value does not match its check sum; the key is named.
    Meta(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => write!(f, "its content does not give its hash"),
            Self::Missing { found } => write!(f, "it is missing, the next one found is {found}"),
            Self::LostTail {
                acknowledged,
                found,
            } => write!(
                f,
                "records up to {acknowledged} were acknowledged, but the last one found is {found}"
            ),
            Self::HeadDiffers => write!(f, "it is not the record the head file names"),
            Self::HeadMissing => write!(
                f,
                "the file is missing although there are records, so a lost end could not be noticed"
            ),
            Self::HeadUnreadable => write!(
                f,
                "neither of its two slots can be read, so a lost end could not be noticed"
            ),
            Self::Malformed => write!(f, "a value has a form that is never written"),
            Self::Database(text) => write!(f, "the database is inconsistent ({text})"),
            Self::Schema => write!(f, "the tables are not those of this format"),
            Self::LostMeta {
                acknowledged,
                found,
            } => write!(
                f,
                "meta values up to version {acknowledged} were acknowledged, but the last one found is {found}"
            ),
            Self::Meta(key) => write!(f, "the value of {key:?} does not match its check sum"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged", self.file.display())?;
        if let Some(seq) = self.first_bad {
            write!(f, " from record {seq}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for Damage {}
