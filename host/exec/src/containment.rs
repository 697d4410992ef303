//! What this machine offers to contain commands, and whether it is enough. Must not assume: everything was tried.

use crate::wire::{Features, MAGIC, Probe, VERSION};
use std::{
    fmt,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// Longest a probe may take; it takes some 20 ms.
const PROBE_MAX: Duration = Duration::from_secs(10);

/// Oldest Landlock that holds files: before ABI 3 any file could be cut to nothing.
const LANDLOCK_FILES: u32 = 3;

/// Oldest Landlock that holds TCP.
const LANDLOCK_TCP: u32 = 4;

/// Oldest Landlock that holds signals and abstract sockets.
const LANDLOCK_SCOPES: u32 = 6;

/// One of the kernel's features.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// Files, TCP, signals by rule.
    Landlock,
    /// System calls by rule.
    Seccomp,
    /// Makes the other namespaces possible without being root.
    UserNamespace,
    /// Other processes are out of sight, and all end with the first.
    PidNamespace,
    /// No network interface.
    NetworkNamespace,
    /// No shared memory or queues of others.
    IpcNamespace,
    /// A host name of its own.
    UtsNamespace,
    /// Mounts of its own.
    MountNamespace,
    /// A `/proc` that shows its own processes only.
    OwnProc,
}

impl Part {
    /// All of them, the weightiest first.
    pub const ALL: &'static [Self] = &[
        Self::Landlock,
        Self::Seccomp,
        Self::UserNamespace,
        Self::PidNamespace,
        Self::NetworkNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::MountNamespace,
        Self::OwnProc,
    ];

    /// Its name for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
            Self::UserNamespace => "user namespaces",
            Self::PidNamespace => "process id namespaces",
            Self::NetworkNamespace => "network namespaces",
            Self::IpcNamespace => "IPC namespaces",
            Self::UtsNamespace => "host name namespaces",
            Self::MountNamespace => "mount namespaces",
            Self::OwnProc => "a /proc of its own",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether one feature is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartReport {
    /// Which.
    pub part: Part,
    /// What was found (`ABI 7`, `works`), or why it is not to be had.
    pub state: Result<String, String>,
}

/// How commands are contained here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// By namespaces, Landlock and seccomp. Everything a command started dies with its first process, at once.
    Namespaces,
    /// By Landlock and seccomp alone. No command has a socket, and everything it started is found and killed one by
    /// one by a process that watches over it.
    Filtered,
}

/// What this machine offers to contain commands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Containment {
    probe: Probe,
}

impl Containment {
    /// Tries everything, in short-lived processes of `launcher`: the binary whose `main` begins with
    /// [`crate::launcher::run_if_launched`]. Takes some 20 ms. When the launcher cannot be started, nothing is there,
    /// and that is the reason.
    #[must_use]
    pub fn probe(launcher: &Path) -> Self {
        let probe = ask(launcher).unwrap_or_else(|why| {
            let no = || Err(why.clone());
            Probe {
                version: VERSION,
                landlock: Err(why.clone()),
                seccomp: no(),
                user: no(),
                pid: no(),
                net: no(),
                ipc: no(),
                uts: no(),
                mount: no(),
                proc: no(),
            }
        });
        Self { probe }
    }

    /// The same without some features: what a lesser kernel would offer. For tests, and for operators who want to see
    /// what would be refused.
    #[must_use]
    pub fn without(mut self, parts: &[Part]) -> Self {
        let p = &mut self.probe;
        for part in parts {
            let off = Err("switched off".to_owned());
            match part {
                Part::Landlock => p.landlock = Err("switched off".to_owned()),
                Part::Seccomp => p.seccomp = off,
                Part::UserNamespace => p.user = off,
                Part::PidNamespace => p.pid = off,
                Part::NetworkNamespace => p.net = off,
                Part::IpcNamespace => p.ipc = off,
                Part::UtsNamespace => p.uts = off,
                Part::MountNamespace => p.mount = off,
                Part::OwnProc => p.proc = off,
            }
        }
        self
    }

    /// The same with an older Landlock.
    #[must_use]
    pub fn with_landlock_at_most(mut self, abi: u32) -> Self {
        self.probe.landlock = self.probe.landlock.map(|now| now.min(abi));
        self
    }

    /// The same with a Landlock that the machine may not have, to see that the launcher finds out. For tests: nothing
    /// is contained less by it.
    #[must_use]
    pub fn promising_landlock(mut self, abi: u32) -> Self {
        self.probe.landlock = Ok(abi);
        self
    }

    /// Each feature, the weightiest first.
    #[must_use]
    pub fn parts(&self) -> Vec<PartReport> {
        Part::ALL
            .iter()
            .map(|part| PartReport {
                part: *part,
                state: self.state(*part),
            })
            .collect()
    }

    fn state(&self, part: Part) -> Result<String, String> {
        let p = &self.probe;
        let plain = match part {
            Part::Landlock => return p.landlock.clone().map(|abi| format!("ABI {abi}")),
            Part::Seccomp => &p.seccomp,
            Part::UserNamespace => &p.user,
            Part::PidNamespace => &p.pid,
            Part::NetworkNamespace => &p.net,
            Part::IpcNamespace => &p.ipc,
            Part::UtsNamespace => &p.uts,
            Part::MountNamespace => &p.mount,
            Part::OwnProc => &p.proc,
        };
        plain.clone().map(|()| "works".to_owned())
    }

    /// Whether commands can be contained as promised, and how.
    ///
    /// # Errors
    /// What is missing, and what an operator can do about it.
    pub fn sufficient(&self) -> Result<Level, String> {
        let p = &self.probe;
        let begin = "this machine cannot contain commands, so none runs";
        let abi = match &p.landlock {
            Ok(abi) => *abi,
            Err(why) => {
                return Err(format!(
                    "{begin}: Landlock is missing: {why}; use Linux 6.2 or newer with `landlock` in /sys/kernel/security/lsm, or a container whose seccomp profile lets `landlock_*` through"
                ));
            }
        };
        if abi < LANDLOCK_FILES {
            return Err(format!(
                "{begin}: its Landlock has ABI {abi}, and files are held from ABI {LANDLOCK_FILES} on; use Linux 6.2 or newer"
            ));
        }
        if let Err(why) = &p.seccomp {
            return Err(format!(
                "{begin}: seccomp is missing: {why}; use a kernel built with CONFIG_SECCOMP_FILTER, on x86-64, aarch64 or riscv64"
            ));
        }
        // The filter alone holds sockets; that of the network is a second door behind it, and Landlock's TCP another.
        if p.pid.is_ok() && (p.net.is_ok() || abi >= LANDLOCK_TCP) {
            return Ok(Level::Namespaces);
        }
        if abi >= LANDLOCK_SCOPES {
            return Ok(Level::Filtered);
        }
        let (missing, not_held) = if p.pid.is_err() {
            (
                Part::PidNamespace,
                "signals to other processes (ABI 6, Linux 6.12, does)",
            )
        } else {
            (
                Part::NetworkNamespace,
                "connections (ABI 4, Linux 6.7, does)",
            )
        };
        let why = self.state(missing).err().unwrap_or_default();
        Err(format!(
            "{begin}: {missing} are missing ({why}), and Landlock has ABI {abi}, which does not hold {not_held}; allow unprivileged user namespaces (sysctl user.max_user_namespaces > 0; on Ubuntu an AppArmor profile with `userns,` for this program), or use a newer kernel"
        ))
    }

    /// What the launcher is told to use: everything that works. Without the namespace of process ids none of the
    /// others: they need a first process, which only that one has.
    pub(crate) fn features(&self) -> Features {
        let p = &self.probe;
        let pid = p.pid.is_ok();
        let mount = pid && p.mount.is_ok();
        Features {
            user: pid && p.user.is_ok(),
            pid,
            net: pid && p.net.is_ok(),
            ipc: pid && p.ipc.is_ok(),
            uts: pid && p.uts.is_ok(),
            mount,
            proc: mount && p.proc.is_ok(),
            landlock: *p.landlock.as_ref().unwrap_or(&0),
        }
    }
}

impl Features {
    /// The launcher's argument: namespaces separated by commas, or `none`.
    pub(crate) fn namespaces(&self, network: bool) -> String {
        if !self.pid {
            return "none".to_owned();
        }
        let list = [
            (self.user, "user"),
            (self.pid, "pid"),
            (self.net && !network, "net"),
            (self.ipc, "ipc"),
            (self.uts, "uts"),
            (self.mount, "mount"),
        ];
        let names: Vec<&str> = list.iter().filter(|(is, _)| *is).map(|(_, n)| *n).collect();
        names.join(",")
    }
}

fn ask(launcher: &Path) -> Result<Probe, String> {
    let mut child = Command::new(launcher)
        .args([MAGIC, "probe"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("the launcher {} cannot be started: {e}", launcher.display()))?;
    let Some(mut stdout) = child.stdout.take() else {
        return Err("the launcher has no output".to_owned());
    };
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout.read_to_end(&mut text).map(|_| text);
        // Nobody waits any more when it took too long.
        let _ = to.send(read);
    });
    let answer = from.recv_timeout(PROBE_MAX);
    let _ = child.kill();
    let _ = child.wait();
    match answer {
        Ok(Ok(text)) => {
            let probe: Probe = serde_json::from_slice(&text).map_err(|e| {
                format!(
                    "the launcher {} does not answer as one: {e}",
                    launcher.display()
                )
            })?;
            if probe.version == VERSION {
                Ok(probe)
            } else {
                Err("the launcher is of another version; restart the host".to_owned())
            }
        }
        Ok(Err(e)) => Err(format!("the launcher's answer cannot be read: {e}")),
        Err(_) => Err("the launcher did not answer in 10 s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Containment {
        Containment {
            probe: Probe {
                version: VERSION,
                landlock: Ok(7),
                seccomp: Ok(()),
                user: Ok(()),
                pid: Ok(()),
                net: Ok(()),
                ipc: Ok(()),
                uts: Ok(()),
                mount: Ok(()),
                proc: Ok(()),
            },
        }
    }

    /// What is done to mounts without a namespace is done to the machine's.
    #[test]
    fn without_the_namespace_of_process_ids_there_is_none() {
        let features = all().without(&[Part::PidNamespace]).features();
        let only_landlock = Features {
            landlock: 7,
            ..Features::default()
        };
        assert_eq!(features, only_landlock);
        assert_eq!(features.namespaces(false), "none");
        let features = all().without(&[Part::MountNamespace]).features();
        assert!(!features.mount && !features.proc && features.pid);
    }

    #[test]
    fn the_network_decides_about_its_namespace() {
        let features = all().features();
        assert_eq!(features.namespaces(false), "user,pid,net,ipc,uts,mount");
        assert_eq!(features.namespaces(true), "user,pid,ipc,uts,mount");
    }
}
