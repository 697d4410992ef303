//! Host interfaces, one file each: state, functions, `link`. What is not linked cannot be called.

pub(crate) mod artifacts;
pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod log;
pub(crate) mod wasi;
