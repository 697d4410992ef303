//! Workspaces on a real disk, with real git.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod cleanup;
mod copy;
mod hostile;
mod kit;
mod merge;
mod park;
mod park_kill;
mod park_refused;
mod race;
mod shared;
mod worktree;
