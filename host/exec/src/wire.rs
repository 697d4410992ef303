//! What host and launcher say to each other: one line of JSON in, lines of JSON out. Both are the same binary, and the
//! version is checked all the same: the file may have been replaced between two starts. Must not do anything.

use serde::{Deserialize, Serialize};

/// First argument that makes this binary a launcher. The version is part of it: another version's launcher does not
/// answer to it.
pub(crate) const MAGIC: &str = "--sandgate-contained-command-launcher-1";

/// Version of the types below.
pub(crate) const VERSION: u32 = 1;

/// A file or directory, so that another one under the same name is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
}

/// A file that must not have changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct FileIdentity {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) size: u64,
    pub(crate) mtime_s: i64,
    pub(crate) mtime_ns: i64,
}

/// What may be done below a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Access {
    /// Read and run.
    Read,
    /// Read, run, write.
    Write,
    /// The command's own scratch directory: named pipes too.
    Scratch,
}

/// A directory (or file) that the command may use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) path: String,
    /// Absent: whatever is there, and nothing when nothing is.
    pub(crate) identity: Option<Identity>,
    pub(crate) access: Access,
}

/// The kernel's features to use; each one asked for has to work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Features {
    pub(crate) user: bool,
    pub(crate) pid: bool,
    pub(crate) net: bool,
    pub(crate) ipc: bool,
    pub(crate) uts: bool,
    pub(crate) mount: bool,
    /// A `/proc` of its own can be mounted.
    pub(crate) proc: bool,
    /// Landlock's ABI.
    pub(crate) landlock: u32,
}

/// Resource limits, as the kernel counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Rlimits {
    pub(crate) cpu_s: u64,
    pub(crate) address_space: u64,
    pub(crate) processes: u64,
    pub(crate) file_size: u64,
    pub(crate) open_files: u64,
}

/// One command, ready to be contained and started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) version: u32,
    pub(crate) features: Features,
    pub(crate) program: String,
    pub(crate) program_identity: FileIdentity,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) places: Vec<Place>,
    /// Index in `places` of the directory that it starts in or below.
    pub(crate) cwd: usize,
    /// Path below that directory; empty: itself.
    pub(crate) cwd_rest: String,
    pub(crate) network: bool,
    pub(crate) limits: Rlimits,
}

/// Which promise a failure belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Failure {
    /// A part of the fence could not be built.
    Contain,
    /// The program or a directory.
    Start,
    /// The launcher itself.
    Host,
}

/// What a launcher reports.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    /// The command runs.
    Started,
    /// It does not; nothing ran.
    Failed { kind: Failure, message: String },
    /// It ended by itself.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
}

/// What a launcher found that the kernel offers: for each part that it works, or why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Probe {
    pub(crate) version: u32,
    pub(crate) landlock: Result<u32, String>,
    pub(crate) seccomp: Result<(), String>,
    pub(crate) user: Result<(), String>,
    pub(crate) pid: Result<(), String>,
    pub(crate) net: Result<(), String>,
    pub(crate) ipc: Result<(), String>,
    pub(crate) uts: Result<(), String>,
    pub(crate) mount: Result<(), String>,
    pub(crate) proc: Result<(), String>,
}
