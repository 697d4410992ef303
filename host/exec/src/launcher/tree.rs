//! Kills everything a command started, where there is no namespace that does it. Orphans come to this process, because
//! it is their reaper; so whatever the command started is always a descendant, however it forked and whatever session
//! it made. Must not kill anything else.

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long processes are looked for. One that still appears after that forks faster than it can be stopped, or
/// cannot be killed at all.
const TRY_FOR: Duration = Duration::from_secs(5);

/// Kills all descendants. First each is stopped, until no new one appears, so that none can fork on; then all are
/// killed at once.
pub(super) fn kill_all() {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let until = Instant::now() + TRY_FOR;
    let mut stopped = BTreeSet::new();
    while Instant::now() < until {
        let now = descendants();
        let new: Vec<i32> = now.difference(&stopped).copied().collect();
        for pid in &new {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
        }
        stopped.extend(new.iter().copied());
        if new.is_empty() {
            for pid in &now {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            reap();
            if descendants().is_empty() {
                return;
            }
            stopped.clear();
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}

/// All processes that descend from this one, those that are dead and not reaped left out.
fn descendants() -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<i32>().ok());
        if let Some(pid) = pid
            && let Some((state, parent)) = stat(pid)
            && state != 'Z'
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut next = vec![i32::try_from(std::process::id()).unwrap_or(0)];
    while let Some(pid) = next.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                next.push(*child);
            }
        }
    }
    found
}

/// State and parent. The name in between may hold anything, also parentheses.
fn stat(pid: i32) -> Option<(char, i32)> {
    let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (_, after) = text.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}
