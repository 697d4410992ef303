//! Host interfaces, one file or folder each: state, functions, `link`. What is not linked cannot be called.

pub(crate) mod artifacts;
pub(crate) mod budget;
pub(crate) mod clock;
pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod poll;
pub(crate) mod question;
pub(crate) mod random;
pub(crate) mod wasi;
