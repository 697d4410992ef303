//! Finds out what the kernel offers, by trying. Each try is a process of its own: what was entered cannot be left.

use super::{filter, outer};
use crate::wire::{MAGIC, Probe, VERSION};
use landlock::{AccessFs, LandlockStatus, Ruleset, RulesetAttr};
use nix::mount::{MsFlags, mount};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Prints what was found as a line of JSON.
pub(super) fn run() -> i32 {
    let everything = "user,pid,net,ipc,uts,mount";
    let all = attempt(everything);
    // In one go when all work, which is the usual case; one by one to find out which does not.
    let (user, pid, net, ipc, uts, mounts, proc) = if all.is_ok() {
        (Ok(()), Ok(()), Ok(()), Ok(()), Ok(()), Ok(()), Ok(()))
    } else {
        let user = attempt("user");
        // Without a user namespace root can have the others, and nobody else.
        let with = |name: &str| {
            if user.is_ok() {
                attempt(&format!("user,{name}"))
            } else {
                attempt(name)
            }
        };
        let pid = with("pid");
        let proc = with("pid,mount");
        (
            user.clone(),
            pid,
            with("net"),
            with("ipc"),
            with("uts"),
            with("mount"),
            proc,
        )
    };
    let probe = Probe {
        version: VERSION,
        landlock: landlock(),
        seccomp: in_thread(|| filter::apply(false, false).map_err(|f| f.message)),
        user,
        pid,
        net,
        ipc,
        uts,
        mount: mounts,
        proc,
    };
    let Ok(mut line) = serde_json::to_vec(&probe) else {
        return 1;
    };
    line.push(b'\n');
    let mut out = std::io::stdout();
    i32::from(out.write_all(&line).and_then(|()| out.flush()).is_err())
}

/// Tries namespaces in a process of their own.
fn attempt(namespaces: &str) -> Result<(), String> {
    let output = Command::new("/proc/self/exe")
        .arg(MAGIC)
        .args(["try", namespaces])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("the trial could not be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Err(if why.is_empty() {
        format!("the trial ended with {}", output.status)
    } else {
        why
    })
}

/// Enters namespaces, and where the list says so sees whether what needs a second process works too.
pub(super) fn try_namespaces(namespaces: &str) -> i32 {
    let tell = |why: String| {
        let _ = writeln!(std::io::stdout(), "{why}");
        1
    };
    if let Err(failed) = outer::prepare().and_then(|()| outer::enter(namespaces)) {
        return tell(failed.message);
    }
    let has = |name: &str| namespaces.split(',').any(|n| n == name);
    if !has("pid") && !has("mount") {
        return 0;
    }
    let what = match (has("pid"), has("mount")) {
        (true, true) => "proc",
        (false, true) => "mount",
        _ => "pid",
    };
    match outer::again(&["tried", what], Stdio::null()) {
        Ok(status) if status.success() => 0,
        // The second process has told why.
        Ok(_) => 1,
        Err(e) => tell(format!("the first process of the namespaces: {e}")),
    }
}

/// The second process of a trial.
pub(super) fn tried(what: &str) -> i32 {
    let none: Option<&str> = None;
    let separate = || mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none);
    let proc = || {
        let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("proc"), "/proc", Some("proc"), strict, none)
    };
    let done = match what {
        "proc" => separate().and_then(|()| proc()),
        "mount" => separate(),
        _ => Ok(()),
    };
    match done {
        Ok(()) => 0,
        Err(e) => {
            let _ = writeln!(std::io::stdout(), "mounting: {e}");
            1
        }
    }
}

/// What is applied to a thread ends with it.
fn in_thread<T: Send>(f: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|s| {
        s.spawn(f)
            .join()
            .unwrap_or_else(|_| Err("the trial stopped unexpectedly".to_owned()))
    })
}

fn landlock() -> Result<u32, String> {
    in_thread(|| {
        let status = Ruleset::default()
            .handle_access(AccessFs::MakeBlock)
            .and_then(Ruleset::create)
            .and_then(landlock::RulesetCreated::restrict_self)
            .map_err(|e| e.to_string())?;
        match status.landlock {
            LandlockStatus::NotEnabled => Err("the kernel has it, and it is switched off at boot; add `landlock` to the boot parameter `lsm=`".to_owned()),
            LandlockStatus::NotImplemented => Err("the kernel does not have it (Linux 5.13 or newer does), or the container's filter refuses it".to_owned()),
            LandlockStatus::Available { effective_abi, .. } => {
                u32::try_from(effective_abi as i32).map_err(|e| e.to_string())
            }
        }
    })
}
