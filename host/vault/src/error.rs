//! What can be wrong with a secret. No error holds a value or a part of one, not even its length when it is short.

use crate::value::{MAX_SECRET, MIN_SECRET};
use std::{io, path::PathBuf, time::Duration};

/// Why specifications make no vault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SpecError {
    /// One name, two values.
    #[error(
        "secret `{0}` is listed with two different `from`; a name stands for one value, so give the second another name"
    )]
    TwoSources(String),
    /// An empty command.
    #[error("secret `{0}`: the command is empty; write the program and its arguments as a list")]
    EmptyCommand(String),
}

/// Why a secret is not given.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Nobody named it.
    #[error("there is no secret `{0}`; list it under `secrets`")]
    Unknown(String),
    /// It exists, and not for this.
    #[error("secret `{name}` is not meant for {wanted}; it may go to {allowed}")]
    OtherTarget {
        /// The secret.
        name: String,
        /// What it was wanted for.
        wanted: String,
        /// Where it may go.
        allowed: String,
    },
    /// [`Vault::ready`](crate::Vault::ready) was asked before [`Vault::reveal`](crate::Vault::reveal).
    #[error("secret `{0}` has not been read yet")]
    NotRead(String),
    /// Its value cannot be had.
    #[error("secret `{name}` cannot be read")]
    Read {
        /// The secret.
        name: String,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// What was read cannot be a secret.
    #[error("the value of secret `{name}` cannot be used")]
    Value {
        /// The secret.
        name: String,
        /// Why.
        #[source]
        source: ValueError,
    },
}

/// Why a value cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The variable was not set.
    #[error("the environment variable `{0}` is not set; set it before the host starts")]
    NoVariable(String),
    /// The file could not be opened or read.
    #[error("cannot read the file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Below the project's directory a link could have been put there by a task.
    #[error(
        "{} leads through a symbolic link or out of the project's directory; name the file itself, or give an absolute path",
        .0.display()
    )]
    Link(PathBuf),
    /// A directory, a device, a pipe.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Others can read or change it.
    #[error(
        "{path} can be {what} by every user of this machine, so it is no secret (mode {mode:03o}); run `chmod o= {path}`",
        path = path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// `read` or `changed`.
        what: &'static str,
        /// Its permissions.
        mode: u32,
    },
    /// Another user than this one, and not root.
    #[error(
        "{} belongs to another user, who can change it; it has to belong to you or to root",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The program does not exist or is no program.
    #[error(
        "there is no program `{program}`{}; give its absolute path",
        if program.contains('/') { "" } else { " in /usr/local/bin, /usr/bin or /bin" }
    )]
    NoProgram {
        /// As written.
        program: String,
    },
    /// The program could not be started or listened to.
    #[error("cannot run `{program}`")]
    Run {
        /// As written.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program took too long.
    #[error("`{program}` did not end within {} s and was stopped; it must not ask for anything", after.as_secs())]
    Slow {
        /// As written.
        program: String,
        /// How long it had.
        after: Duration,
    },
    /// The program failed. What it said is not repeated: it may hold the value in any form.
    #[error("`{program}` failed: {how}; run it by hand to see what it says")]
    Failed {
        /// As written.
        program: String,
        /// `exit 1`, `signal 9`.
        how: String,
    },
}

/// Why something read is no secret.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ValueError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Too short to be found in other text.
    #[error(
        "it has fewer than {MIN_SECRET} bytes; so short a value occurs by chance and could not be cut out of logs and answers safely"
    )]
    Short,
    /// Too long for a header.
    #[error("it has more than {MAX_SECRET} bytes")]
    Long,
    /// Control characters, with which a header could be split.
    #[error(
        "it holds a line break, a NUL or another control character, with which a request header could be split; a value is one line"
    )]
    Control,
}
