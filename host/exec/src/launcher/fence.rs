//! Landlock: which files a command can use, and what it cannot reach of other processes. The lists here are the
//! documentation of what a contained command sees. Must not grant what the order does not name, but for these lists.

use super::Failed;
use crate::wire::{Access, Identity, Launch};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, open, openat2};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

/// Read and run: programs and libraries of the machine.
pub const SYSTEM: &[&str] = &[
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
];

/// Read: what programs need of the configuration, and nothing that holds keys or passwords.
pub const ETC: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/debian_version",
    "/etc/gitconfig",
    "/etc/group",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/python3",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/sys/devices/system/cpu",
];

/// Read, with the network only.
pub const ETC_NETWORK: &[&str] = &[
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/resolv.conf",
];

/// Read and write.
pub const DEVICES: &[&str] = &[
    "/dev/full",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
];

/// Of `/proc`, where it cannot be the command's own: what says nothing about processes.
const PROC_SHARED: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/random",
    "/proc/sys/vm/overcommit_memory",
    "/proc/uptime",
    "/proc/version",
];

/// Shared memory, where it is the command's own.
pub(super) const SHM: &str = "/dev/shm";

/// Set when [`SHM`] was mounted for this command.
pub(super) static SHM_OWN: AtomicBool = AtomicBool::new(false);

/// Everything that the rules will name, opened.
pub(super) struct Fence {
    rules: Vec<(OwnedFd, BitFlags<AccessFs>)>,
    cwd: OwnedFd,
}

struct Rights {
    read: BitFlags<AccessFs>,
    write: BitFlags<AccessFs>,
    scratch: BitFlags<AccessFs>,
    file: BitFlags<AccessFs>,
}

impl Rights {
    fn new(abi: ABI) -> Self {
        let read = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
        // No devices and no sockets: neither has a place in a project, and either waits there for somebody else. No
        // named pipes outside of the scratch directory: whoever opens one waits.
        let never = AccessFs::MakeChar
            | AccessFs::MakeBlock
            | AccessFs::MakeSock
            | AccessFs::IoctlDev
            | AccessFs::ResolveUnix;
        let scratch = AccessFs::from_all(abi) & !never;
        Self {
            read,
            write: scratch & !BitFlags::from(AccessFs::MakeFifo),
            scratch,
            file: AccessFs::from_file(abi),
        }
    }

    fn of(&self, access: Access) -> BitFlags<AccessFs> {
        match access {
            Access::Read => self.read,
            Access::Write => self.write,
            Access::Scratch => self.scratch,
        }
    }
}

fn abi(launch: &Launch) -> ABI {
    ABI::from(i32::try_from(launch.features.landlock).unwrap_or(0))
}

impl Fence {
    /// Opens everything that the command may use, and looks whether it is what the host saw.
    pub(super) fn open(launch: &Launch) -> Result<Self, Failed> {
        let rights = Rights::new(abi(launch));
        let mut rules = Vec::new();
        let allow = |rules: &mut Vec<_>, (fd, is_dir), access| {
            rules.push((fd, if is_dir { access } else { access & rights.file }));
        };
        let mut optional = |list: &[&str], access| {
            // What the machine does not have needs no rule.
            for opened in list.iter().filter_map(|path| open_any(path).ok()) {
                allow(&mut rules, opened, access);
            }
        };
        let look = AccessFs::ReadFile | AccessFs::ReadDir;
        optional(SYSTEM, rights.read);
        optional(ETC, look);
        if launch.network {
            optional(ETC_NETWORK, look);
        }
        optional(DEVICES, AccessFs::ReadFile | AccessFs::WriteFile);
        if launch.features.proc {
            optional(&["/proc"], look);
        } else {
            optional(PROC_SHARED, look);
        }
        if SHM_OWN.load(Ordering::SeqCst) {
            optional(&[SHM], rights.scratch);
        }
        let mut cwd = None;
        for (i, place) in launch.places.iter().enumerate() {
            let path = &place.path;
            let access = rights.of(place.access);
            let Some(expected) = place.identity else {
                if i == launch.cwd {
                    return Err(Failed::host("the order", "its directory has no identity"));
                }
                if let Ok(opened) = open_any(path) {
                    allow(&mut rules, opened, access);
                }
                continue;
            };
            let (fd, is_dir) = open_any(path)
                .map_err(|e| Failed::start(format!("{path} cannot be opened: {e}")))?;
            if identity(&fd)? != expected {
                return Err(Failed::start(format!(
                    "{path} is not the directory that was granted: it was replaced in the meantime"
                )));
            }
            if i == launch.cwd {
                cwd = Some(below(fd.as_fd(), path, &launch.cwd_rest)?);
            }
            allow(&mut rules, (fd, is_dir), access);
        }
        let cwd = cwd.ok_or_else(|| Failed::host("the order", "it names no directory"))?;
        Ok(Self { rules, cwd })
    }

    /// Goes to the directory that the command starts in, by what was opened and not by its name.
    pub(super) fn enter_directory(&self) -> Result<(), Failed> {
        rustix::process::fchdir(&self.cwd)
            .map_err(|e| Failed::start(format!("the directory to start in cannot be entered: {e}")))
    }

    /// From here on this thread, and what it starts, uses only what was opened.
    pub(super) fn close(self, launch: &Launch) -> Result<(), Failed> {
        let failed = |e: landlock::RulesetError| Failed::contain("Landlock", e);
        let abi = abi(launch);
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(abi))
            .map_err(failed)?;
        let net = AccessNet::from_all(abi);
        if !launch.network && !net.is_empty() {
            ruleset = ruleset.handle_access(net).map_err(failed)?;
        }
        let scope = Scope::from_all(abi);
        if !scope.is_empty() {
            ruleset = ruleset.scope(scope).map_err(failed)?;
        }
        let mut created = ruleset.create().map_err(failed)?;
        for (fd, access) in &self.rules {
            created = created
                .add_rule(PathBeneath::new(fd, *access))
                .map_err(failed)?;
        }
        let status = created.restrict_self().map_err(failed)?;
        if status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs {
            return Ok(());
        }
        Err(Failed::contain(
            "Landlock",
            format!("only {:?}", status.ruleset),
        ))
    }
}

/// Opens a file or directory without reading it; whether it is a directory.
fn open_any(path: &str) -> rustix::io::Result<(OwnedFd, bool)> {
    let fd = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&fd)?;
    let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    Ok((fd, is_dir))
}

fn identity(fd: &OwnedFd) -> Result<Identity, Failed> {
    let stat = fstat(fd).map_err(|e| Failed::host("a granted directory", e))?;
    Ok(Identity {
        dev: stat.st_dev,
        ino: stat.st_ino,
    })
}

/// The directory to start in, below a granted one, through no link: one could lead elsewhere tomorrow.
fn below(dir: BorrowedFd<'_>, shown: &str, rest: &str) -> Result<OwnedFd, Failed> {
    let rest = if rest.is_empty() { "." } else { rest };
    openat2(
        dir,
        rest,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
    .map_err(|e| {
        Failed::start(format!(
            "the directory {rest} in {shown} cannot be entered: {e}; it has to be there and have no links in its path"
        ))
    })
}
