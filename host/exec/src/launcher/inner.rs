//! The second stage: builds the fence in a thread of its own, which starts the command, and stays outside of it to see
//! the end. In a namespace of process ids its own end is the end of everything in there. Must not run anything else.

use super::{Failed, fence, filter, report, socket, tree};
use crate::wire::{FileIdentity, Launch, Report, Rlimits, VERSION};
use nix::{
    mount::{MsFlags, mount},
    sys::{
        prctl,
        resource::{Resource, getrlimit, rlim_t, setrlimit},
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::MetadataExt, net::UnixStream},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Longest order: the longest arguments, some secrets, and room.
const ORDER_MAX: u64 = 4 << 20;

/// The command is to be killed: the host said so, or is gone.
static GIVE_UP: AtomicBool = AtomicBool::new(false);

/// Held while the command is started, and while everything is killed: what starts is seen by who kills.
static STARTING: Mutex<()> = Mutex::new(());

/// `own_process`: outer started this as the first process of the namespaces; otherwise this is outer.
pub(super) fn run(own_process: bool) -> i32 {
    let Ok(host) = socket() else {
        return 1;
    };
    match go(&host, own_process) {
        Ok(end) => {
            report(&host, &end);
            0
        }
        Err(Failed { kind, message }) => {
            report(&host, &Report::Failed { kind, message });
            1
        }
    }
}

fn go(host: &UnixStream, own_process: bool) -> Result<Report, Failed> {
    if own_process {
        // When outer dies, so does this, and with the first process of the namespace everything in it. Not where
        // outer does this work itself: the signal comes when the host's *thread* ends that started it, and threads
        // come and go. The socket's end is the sign there, and here too.
        prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| Failed::contain("death signal", e))?;
    }
    let launch = order(host)?;
    if launch.version != VERSION {
        return Err(Failed::host(
            "the order",
            "host and launcher are different versions: the binary was replaced while it runs; restart the host",
        ));
    }
    let features = launch.features;
    if features.pid != own_process {
        return Err(Failed::host(
            "the order",
            "it does not go with the namespaces",
        ));
    }
    if !features.pid {
        prctl::set_child_subreaper(true).map_err(|e| Failed::contain("adopting orphans", e))?;
    }
    if features.mount {
        // Anywhere else these would be the machine's mounts.
        if std::process::id() != 1 {
            return Err(Failed::host(
                "the order",
                "mounts are for the first process of a namespace",
            ));
        }
        mounts(&launch)?;
    }
    let fence = fence::Fence::open(&launch)?;
    same_program(&launch)?;
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o022));
    limits(&launch.limits, features.user)?;
    watch(host, features.pid)?;
    let main = std::thread::scope(|s| {
        // Landlock, seccomp and capabilities are a thread's: this one goes behind the fence, the rest of the process
        // stays outside and out of the command's reach.
        s.spawn(|| start(&launch, fence))
            .join()
            .unwrap_or_else(|_| Err(Failed::host("the launcher", "it stopped unexpectedly")))
    })?;
    report(host, &Report::Started);
    let end = wait(main)?;
    if !features.pid {
        tree::kill_all();
    }
    Ok(end)
}

fn order(host: &UnixStream) -> Result<Launch, Failed> {
    let failed = |e: std::io::Error| Failed::host("the order", e);
    let mut line = zeroize::Zeroizing::new(Vec::new());
    BufReader::new(host.take(ORDER_MAX))
        .read_until(b'\n', &mut line)
        .map_err(failed)?;
    serde_json::from_slice(&line).map_err(|e| Failed::host("the order", e))
}

/// Kills everything as soon as the host's end of the socket is closed. After the order the host sends nothing.
fn watch(host: &UnixStream, namespace: bool) -> Result<(), Failed> {
    let mut host = host
        .try_clone()
        .map_err(|e| Failed::host("the socket to the host", e))?;
    std::thread::Builder::new()
        .spawn(move || {
            let mut byte = [0];
            while host.read(&mut byte).is_ok_and(|n| n > 0) {}
            GIVE_UP.store(true, Ordering::SeqCst);
            let _nothing_starts = STARTING.lock();
            if !namespace {
                tree::kill_all();
            }
            std::process::exit(0);
        })
        .map(drop)
        .map_err(|e| Failed::host("the launcher", e))
}

/// A `/proc` that shows the namespace's processes only, shared memory of its own, and no mounts that reach others.
fn mounts(launch: &Launch) -> Result<(), Failed> {
    let none: Option<&str> = None;
    let failed = |what: &'static str| move |e| Failed::contain(what, e);
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(failed("separating mounts"))?;
    let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if launch.features.proc {
        mount(Some("proc"), "/proc", Some("proc"), strict, none)
            .map_err(failed("mounting /proc"))?;
        fewer_processes(launch.limits.processes);
        // Shared memory of its own is a convenience for programs that use semaphores: where it cannot be had, the
        // fence does not open that directory.
        let size = Some("size=64m,mode=1777");
        let shm = mount(Some("tmpfs"), fence::SHM, Some("tmpfs"), strict, size);
        if shm.is_ok() {
            fence::SHM_OWN.store(true, Ordering::SeqCst);
        }
    }
    Ok(())
}

/// Limits the namespace's processes as a whole. `RLIMIT_NPROC` does not hold for root; this does, from Linux 6.14 on,
/// where the number belongs to the namespace. Before, it is the machine's: not to be touched.
fn fewer_processes(most: u64) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-'])
        .map(|n| n.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (6, 14) {
        // The kernel does not take less than 301.
        let _ = fs::write("/proc/sys/kernel/pid_max", most.max(301).to_string());
    }
}

fn limits(l: &Rlimits, user_namespace: bool) -> Result<(), Failed> {
    let mut set = vec![
        (Resource::RLIMIT_CORE, 0, "core dumps"),
        (Resource::RLIMIT_CPU, l.cpu_s, "CPU time"),
        (Resource::RLIMIT_AS, l.address_space, "address space"),
        (Resource::RLIMIT_FSIZE, l.file_size, "size of a file"),
        (Resource::RLIMIT_NOFILE, l.open_files, "open files"),
        (Resource::RLIMIT_MEMLOCK, 64 << 10, "locked memory"),
        (Resource::RLIMIT_MSGQUEUE, 0, "message queues"),
    ];
    // The kernel counts per user and user namespace: in one of its own the count begins at nothing. Elsewhere every
    // process of the user counts, and any number is either none or too few.
    if user_namespace {
        set.push((Resource::RLIMIT_NPROC, l.processes, "processes"));
    }
    for (resource, most, what) in set {
        let part = format!("limit of {what}");
        let (_, hard) = getrlimit(resource).map_err(|e| Failed::contain(&part, e))?;
        let most = rlim_t::from(most).min(hard);
        setrlimit(resource, most, most).map_err(|e| Failed::contain(&part, e))?;
    }
    Ok(())
}

fn same_program(launch: &Launch) -> Result<(), Failed> {
    let same = fs::metadata(&launch.program).is_ok_and(|m| {
        launch.program_identity
            == FileIdentity {
                dev: m.dev(),
                ino: m.ino(),
                size: m.size(),
                mtime_s: m.mtime(),
                mtime_ns: m.mtime_nsec(),
            }
    });
    if same {
        return Ok(());
    }
    Err(Failed::start(format!(
        "the program {} is not the file that was granted",
        launch.program
    )))
}

/// Runs in the thread that goes behind the fence.
fn start(launch: &Launch, fence: fence::Fence) -> Result<Pid, Failed> {
    fence.enter_directory()?;
    fence.close(launch)?;
    drop_capabilities()?;
    filter::apply(launch.network, launch.features.pid)?;
    let nobody_kills = STARTING.lock();
    if GIVE_UP.load(Ordering::SeqCst) {
        drop(nobody_kills);
        killed();
    }
    let child = Command::new(&launch.program)
        .args(&launch.args)
        .env_clear()
        .envs(launch.env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .spawn()
        .map_err(|e| {
            Failed::start(format!(
                "the program {} cannot be started: {e}",
                launch.program
            ))
        })?;
    let pid = i32::try_from(child.id()).map_err(|e| Failed::host("process id", e))?;
    Ok(Pid::from_raw(pid))
}

fn drop_capabilities() -> Result<(), Failed> {
    let failed = |e| Failed::contain("dropping capabilities", e);
    rustix::thread::clear_ambient_capability_set().map_err(failed)?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )
    .map_err(failed)
}

/// Waits for the command, and takes in whatever it orphaned.
fn wait(main: Pid) -> Result<Report, Failed> {
    loop {
        let status = waitpid(None, None);
        if GIVE_UP.load(Ordering::SeqCst) {
            killed();
        }
        let status = match status {
            Ok(status) => status,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(e) => return Err(Failed::host("waiting for the command", e)),
        };
        match status {
            WaitStatus::Exited(pid, code) if pid == main => return Ok(Report::Exit(code)),
            WaitStatus::Signaled(pid, signal, _) if pid == main => {
                return Ok(Report::Signal(signal as i32));
            }
            _ => {}
        }
    }
}

/// The other thread kills, and ends this process when nothing is left. How the command ended is then no news.
fn killed() -> ! {
    loop {
        std::thread::park();
    }
}
