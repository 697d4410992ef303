//! What a project says about a secret. Names and places only.

use sandgate_model::SecretTarget;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretFrom {
    /// The environment variable with this name, as it was when the vault was made.
    Env(String),
    /// A file: absolute, or relative to the project's directory.
    File(PathBuf),
    /// What a program prints: program and arguments, no shell.
    Command(Vec<String>),
}

/// A secret: its name, where it comes from and the one target it may go to. A secret with several targets is listed
/// once for each, every time from the same place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretSpec {
    /// Name, as in user files.
    pub name: String,
    /// Where its value is.
    pub from: SecretFrom,
    /// Where it may go.
    pub to: SecretTarget,
}
