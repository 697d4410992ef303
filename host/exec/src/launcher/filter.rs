//! seccomp: the parts of the kernel that a command has no use for. What is not listed is allowed: a list of what is
//! allowed would break programs that nobody here has heard of, and the other fences stand behind this one.
//!
//! Each filter has one answer, so there are several. All of them refuse a foreign instruction set by killing, and the
//! x32 numbers, which would be a second door to everything, as unknown.

use super::Failed;
use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};
use std::collections::BTreeMap;

/// Refused always, with "not permitted".
const NEVER: &[c_long] = &[
    // Other processes' memory, files and limits.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_mount_setattr,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // Namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Keys.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Programs in the kernel, measurements, faults handled in user space: the usual ways up.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    // Queues with names outside of the file system.
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
];

/// Refused as if the kernel did not have them: programs then do without.
const UNKNOWN: &[c_long] = &[
    // Its flags are in memory, where no filter sees them; everybody falls back to `clone`.
    libc::SYS_clone3,
    // Does what other calls do, past the filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Refused where other processes of the user are in sight: there is no namespace of process ids.
const SHARED: &[c_long] = &[
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_process_mrelease,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_semget,
    libc::SYS_msgget,
];

/// Every flag that makes a namespace.
const CLONE_NEW: u64 = 0x7e02_0080;

/// Puts text into a terminal as if it were typed. The number; the C libraries differ in its type.
const TIOCSTI: u64 = 0x5412;

/// Pastes into a console, and more.
const TIOCLINUX: u64 = 0x541c;

/// The part of a socket's type that is not a flag.
const SOCK_TYPE_MASK: u64 = 0xf;

fn cmp(arg: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::Error> {
    Ok(SeccompCondition::new(
        arg,
        SeccompCmpArgLen::Dword,
        op,
        value,
    )?)
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, seccompiler::Error> {
    Ok(SeccompRule::new(conditions)?)
}

fn number(n: libc::c_int) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn never(shared: bool) -> Result<Rules, seccompiler::Error> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};
    let mut rules: Rules = NEVER.iter().map(|n| (*n, Vec::new())).collect();
    if shared {
        rules.extend(SHARED.iter().map(|n| (*n, Vec::new())));
    }
    // `clone` for threads and processes, none of its flags for namespaces. One rule a flag: a filter can ask whether
    // bits are all as given, not whether any is.
    let mut flags = Vec::new();
    for bit in (0..32).map(|n| 1_u64 << n).filter(|b| CLONE_NEW & b != 0) {
        flags.push(rule(vec![cmp(0, MaskedEq(bit), bit)?])?);
    }
    rules.insert(libc::SYS_clone, flags);
    // Its own limits, not those of others.
    rules.insert(libc::SYS_prlimit64, vec![rule(vec![cmp(0, Ne, 0)?])?]);
    // Text put into a terminal is typed by somebody else.
    let mut typed = Vec::new();
    for request in [TIOCSTI, TIOCLINUX] {
        typed.push(rule(vec![cmp(1, Eq, request)?])?);
    }
    rules.insert(libc::SYS_ioctl, typed);
    Ok(rules)
}

/// Sockets. A network namespace does not hold unix sockets with a name in the file system, and Landlock does not
/// before ABI 9: without the network there is no socket at all, with it none but of the internet. Pairs of connected
/// sockets stay: programs talk to their children by them; but not of datagrams, which can be sent elsewhere.
fn sockets(network: bool) -> Result<Rules, seccompiler::Error> {
    use SeccompCmpOp::{MaskedEq, Ne};
    let mut rules = Rules::new();
    if network {
        let other_than = |families: &[libc::c_int]| {
            families
                .iter()
                .map(|f| cmp(0, Ne, number(*f)))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut no = vec![rule(other_than(&[
            libc::AF_INET,
            libc::AF_INET6,
            libc::AF_NETLINK,
        ])?)?];
        // Raw sockets and packets, which without capabilities cannot be had either.
        for family in [libc::AF_INET, libc::AF_INET6] {
            let raw = number(libc::SOCK_RAW);
            no.push(rule(vec![
                cmp(0, SeccompCmpOp::Eq, number(family))?,
                cmp(1, MaskedEq(SOCK_TYPE_MASK), raw)?,
            ])?);
        }
        // Of netlink only the list of routes and addresses.
        no.push(rule(vec![
            cmp(0, SeccompCmpOp::Eq, number(libc::AF_NETLINK))?,
            cmp(2, Ne, number(libc::NETLINK_ROUTE))?,
        ])?);
        rules.insert(libc::SYS_socket, no);
    } else {
        rules.insert(libc::SYS_socket, Vec::new());
    }
    let mut pairs = vec![rule(vec![cmp(0, Ne, number(libc::AF_UNIX))?])?];
    for kind in [libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_RDM] {
        pairs.push(rule(vec![cmp(1, MaskedEq(SOCK_TYPE_MASK), number(kind))?])?);
    }
    rules.insert(libc::SYS_socketpair, pairs);
    Ok(rules)
}

fn program(rules: Rules, errno: libc::c_int) -> Result<BpfProgram, seccompiler::Error> {
    let errno = u32::try_from(errno).unwrap_or(1);
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno),
        arch,
    )?;
    let mut program = no_x32();
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

/// On x86-64 the numbers from 2^30 on are a second set of the same calls. Answered as unknown, before anything else.
fn no_x32() -> BpfProgram {
    if std::env::consts::ARCH != "x86_64" {
        return Vec::new();
    }
    // Classic BPF: load the call's number, which is at 0; below 2^30 go on; return "no such call".
    let op = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let enosys = u32::try_from(libc::ENOSYS).unwrap_or(1);
    vec![
        op(0x20, 0, 0, 0),
        op(0x35, 0, 1, 0x4000_0000),
        op(0x06, 0, 0, 0x0005_0000 | enosys),
    ]
}

fn all(network: bool, own_pids: bool) -> Result<Vec<BpfProgram>, seccompiler::Error> {
    let unknown: Rules = UNKNOWN.iter().map(|n| (*n, Vec::new())).collect();
    Ok(vec![
        program(sockets(network)?, libc::EACCES)?,
        program(unknown, libc::ENOSYS)?,
        program(never(!own_pids)?, libc::EPERM)?,
    ])
}

/// Applies the filters to this thread and what it starts.
pub(super) fn apply(network: bool, own_pids: bool) -> Result<(), Failed> {
    let failed = |e: seccompiler::Error| Failed::contain("seccomp", e);
    for program in all(network, own_pids).map_err(failed)? {
        seccompiler::apply_filter(&program).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compile_and_fit() {
        for network in [false, true] {
            for own_pids in [false, true] {
                let programs = all(network, own_pids).unwrap();
                assert_eq!(programs.len(), 3);
                assert!(programs.iter().all(|p| p.len() < 1024));
            }
        }
    }

    #[test]
    fn every_namespace_has_its_flag() {
        use nix::sched::CloneFlags;
        let flags = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWCGROUP
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET;
        // And the namespace of time, which has no name in the library.
        assert_eq!(u64::try_from(flags.bits()).unwrap() | 0x80, CLONE_NEW);
    }
}
