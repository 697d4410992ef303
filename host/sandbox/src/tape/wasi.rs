//! The words of WASI on a tape.
