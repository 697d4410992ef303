//! The shape of user files, written once as data. From it come the check of a file's structure, the JSON Schemas,
//! and what the readers may ask for; so the three cannot disagree.

mod edited;
mod limits;
mod lock;
mod narrowing;
mod operator;
mod policy;
mod project;
mod workflow;

pub(crate) use edited::EDITED;
pub(crate) use lock::LOCK;
pub(crate) use operator::OPERATOR;
pub(crate) use policy::METHODS;
pub(crate) use project::PROJECT;
pub(crate) use workflow::WORKFLOW;

/// A table with known keys.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What it is called in messages: "a task".
    pub(crate) what: &'static str,
    /// For the schema.
    pub(crate) doc: &'static str,
    /// Its keys, in the order people should write them.
    pub(crate) fields: &'static [Field],
}

/// A key of a table.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) doc: &'static str,
}

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Text that is not empty, of at most this many bytes.
    Text(usize),
    /// Any text at all, of at most this many bytes.
    Free(usize),
    /// A whole number in a range.
    Int(i64, i64),
    /// A number that is not negative, with at most six decimals.
    Amount,
    /// `true` or `false`.
    Bool,
    /// A duration; whether zero is allowed.
    Duration { zero: bool },
    /// A size, at least this many bytes.
    Size(u64),
    /// A name of the common grammar; what it names.
    Name(&'static str),
    /// The id of a task.
    TaskId,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any value that JSON has.
    Json,
    /// A table of such values.
    JsonTable,
    /// A list of any values that JSON has.
    JsonList,
    /// A list.
    List(&'static Self),
    /// A table with known keys.
    Table(&'static Shape),
    /// A table whose keys are names; what the keys name.
    Map(&'static str, &'static Self),
    /// Text in one form, a table in the other.
    TextOr(&'static Self, &'static Shape),
    /// `true` or `false` in one form, a table in the other.
    BoolOr(&'static Shape),
    /// One of these words, or a list.
    WordOrList(&'static [&'static str], &'static Self),
    /// Text in one form, anything checked as text by the reader; kept apart because the schema gives a pattern.
    Pattern(&'static str, &'static str),
}

impl Shape {
    /// The field with this key.
    pub(crate) fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.key == key)
    }
}

/// A key that may be left out.
const fn may(key: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        required: false,
        doc,
    }
}

/// A key that has to be there.
const fn must(key: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        required: true,
        doc,
    }
}
