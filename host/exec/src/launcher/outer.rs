//! The first stage: a new session, new namespaces, then the inner stage as their first process. Must not touch files
//! of the project.

use super::{Failed, close_inherited, inner, report, socket};
use crate::wire::{MAGIC, Report};
use nix::{
    sched::{CloneFlags, unshare},
    sys::prctl,
    unistd,
};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::{
    fs,
    process::{Command, ExitStatus, Stdio},
};

/// Names of namespaces in the argument, and their flags.
pub(super) const NAMESPACES: &[(&str, CloneFlags)] = &[
    ("user", CloneFlags::CLONE_NEWUSER),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("net", CloneFlags::CLONE_NEWNET),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("mount", CloneFlags::CLONE_NEWNS),
];

pub(super) fn run(namespaces: &str) -> i32 {
    // Before the socket is opened a second time: everything but 0, 1 and 2 is closed.
    let prepared = prepare();
    let Ok(host) = socket() else {
        return 1;
    };
    match prepared.and_then(|()| go(namespaces)) {
        Ok(code) => code,
        Err(Failed { kind, message }) => {
            report(&host, &Report::Failed { kind, message });
            1
        }
    }
}

fn go(namespaces: &str) -> Result<i32, Failed> {
    if namespaces == "none" {
        return Ok(inner::run(false));
    }
    enter(namespaces)?;
    let status = again(&["inner"], Stdio::inherit())
        .map_err(|e| Failed::contain("the first process of the namespaces", e))?;
    Ok(status.code().unwrap_or(1))
}

/// What comes first, whatever the namespaces: no open files, a session of its own, nothing gained by set-uid programs.
pub(super) fn prepare() -> Result<(), Failed> {
    close_inherited()?;
    // Fails when it leads a session already, and then there is nothing to leave.
    let _ = unistd::setsid();
    prctl::set_no_new_privs().map_err(|e| Failed::contain("no_new_privs", e))
}

/// Starts this binary again, in the next role, and waits for its end.
pub(super) fn again(words: &[&str], stdin: Stdio) -> std::io::Result<ExitStatus> {
    // The very file that runs, also when its name now means another one.
    Command::new("/proc/self/exe")
        .arg(MAGIC)
        .args(words)
        .env_clear()
        .stdin(stdin)
        .status()
}

/// Enters the namespaces of the comma-separated list; all or none.
pub(super) fn enter(namespaces: &str) -> Result<(), Failed> {
    let mut flags = CloneFlags::empty();
    for name in namespaces.split(',') {
        match NAMESPACES.iter().find(|(n, _)| *n == name) {
            Some((_, flag)) => flags |= *flag,
            None => {
                return Err(Failed::contain(
                    "namespaces",
                    format!("no such one: {name}"),
                ));
            }
        }
    }
    let (uid, gid) = (unistd::geteuid(), unistd::getegid());
    unshare(flags).map_err(|e| Failed::contain(&format!("namespaces ({namespaces})"), e))?;
    if flags.contains(CloneFlags::CLONE_NEWUSER) {
        // The same numbers inside and outside: files keep their owner, and `id` says what it says outside.
        let write = |file: &str, text: String| {
            fs::write(format!("/proc/self/{file}"), text)
                .map_err(|e| Failed::contain(&format!("user namespace ({file})"), e))
        };
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("{uid} {uid} 1"))?;
        write("gid_map", format!("{gid} {gid} 1"))?;
        keep_mounting()?;
    }
    Ok(())
}

/// An ordinary user loses the namespace's capabilities with the next start; the inner stage needs one, to mount its
/// `/proc`. It gives it up before the command begins.
fn keep_mounting() -> Result<(), Failed> {
    let failed = |e| Failed::contain("capabilities in the user namespace", e);
    let now = rustix::thread::capabilities(None).map_err(failed)?;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            inheritable: CapabilitySet::SYS_ADMIN,
            ..now
        },
    )
    .map_err(failed)?;
    rustix::thread::configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)
        .map_err(failed)
}
