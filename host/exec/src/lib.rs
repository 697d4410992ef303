//! Runs allowed commands.
