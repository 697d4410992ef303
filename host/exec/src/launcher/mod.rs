//! The hidden mode of the binary that builds the fence and becomes the command.
//!
//! Three starts make one command, because a process cannot move itself into a namespace of process ids, and a process
//! with threads cannot enter any: host → **outer** (new session, new namespaces) → **inner** (first process of the
//! namespace: mounts, limits, Landlock, seccomp) → the command. Where there are no such namespaces, outer does the work
//! of inner. Outer and inner share one socket with the host, on file descriptor 0: the order comes in, reports go out,
//! and its end is the sign to kill everything: the host has dropped the command, or is dead.
//!
//! Nothing of the environment, and no open file but 0, 1 and 2, reaches a command. Whatever cannot be set up ends the
//! launcher with a report; there is no "go on without".

mod fence;
mod filter;
mod inner;
mod outer;
mod probe;
mod tree;

use crate::wire::{Failure, MAGIC, Report};
use nix::unistd;
use std::{
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::ExitCode,
};

pub use fence::{DEVICES, ETC, ETC_NETWORK, SYSTEM};

/// Why a launcher gives up.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) kind: Failure,
    pub(crate) message: String,
}

impl Failed {
    fn contain(part: &str, why: impl std::fmt::Display) -> Self {
        Self {
            kind: Failure::Contain,
            message: format!("{part}: {why}"),
        }
    }

    fn start(message: String) -> Self {
        Self {
            kind: Failure::Start,
            message,
        }
    }

    fn host(what: &str, why: impl std::fmt::Display) -> Self {
        Self {
            kind: Failure::Host,
            message: format!("{what}: {why}"),
        }
    }
}

/// Becomes the launcher when this process was started as one, and then never returns. Otherwise does nothing.
///
/// Has to be called first in `main`: before any thread, any runtime, any output, and before arguments are parsed.
pub fn run_if_launched() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|a| a != MAGIC) {
        return;
    }
    let words: Vec<String> = args.map(|a| a.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let code = match words.as_slice() {
        ["outer", namespaces] => outer::run(namespaces),
        ["inner"] => inner::run(true),
        ["probe"] => probe::run(),
        ["try", namespaces] => probe::try_namespaces(namespaces),
        ["tried", what] => probe::tried(what),
        _ => 64,
    };
    std::process::exit(code);
}

/// For binaries that are nothing but a launcher: tests and benchmarks.
#[must_use]
pub fn main() -> ExitCode {
    run_if_launched();
    // sysexits: wrong usage.
    ExitCode::from(64)
}

/// The socket to the host, which is file descriptor 0.
fn socket() -> Result<UnixStream, Failed> {
    use std::os::fd::AsFd;
    let fd: OwnedFd = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| Failed::host("the socket to the host", e))?;
    Ok(UnixStream::from(fd))
}

/// Tells the host. When it cannot be told it is gone, and its end is seen elsewhere.
fn report(mut to: &UnixStream, report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let _ = to.write_all(&line);
    }
}

/// Closes every file but 0, 1 and 2: what the host inherited, or opened without care, is not the command's.
fn close_inherited() -> Result<(), Failed> {
    let failed = |e| Failed::contain("closing inherited files", e);
    // The list is read to its end first: the directory's own descriptor is in it.
    let list: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .map_err(failed)?
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in list {
        // Already closed is what is wanted.
        let _ = unistd::close(fd);
    }
    Ok(())
}
