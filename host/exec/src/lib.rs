//! Runs allowed commands, contained by the kernel.
//!
//! [`Runner::run`] takes an [`sandgate_authority::ExecPermit`] by value, so that nothing runs that was not decided
//! there. It starts this program's own binary once more in a hidden mode, the [`launcher`], which builds the fence
//! around itself, step by step and failing closed, and only then becomes the command:
//!
//! | step | what it holds |
//! |---|---|
//! | new session, no terminal, standard input closed | keystrokes, job control |
//! | namespaces: user, process ids, network, IPC, mounts, host name | other processes are not there; the whole tree dies with its first process; no interface, not even loopback |
//! | resource limits | CPU, address space, processes, size of a file, open files, no core dumps |
//! | Landlock | files: read the system and what is granted, write only the workspace and a scratch directory; TCP; signals and abstract sockets of others |
//! | capabilities dropped, `no_new_privs` | nothing is gained by a set-uid program |
//! | seccomp | tracing, mounting, new namespaces, keys, BPF, `io_uring`, modules, unix sockets; every socket where the network is not granted |
//!
//! Where the machine offers less, [`Containment::sufficient`] says whether the rest is enough, and when it is not,
//! nothing runs. Must not decide what may run, and must not read user files.
//!
//! A contained command sees of the system: `/usr`, `/bin`, `/sbin`, `/lib*` (read and run), of `/etc` what
//! [`launcher::ETC`] lists, `/proc` of its own processes, the harmless devices. It does not see the home directory,
//! the rest of `/etc`, `/var`, `/run`, `/tmp`, `/opt`, `/srv`. Names and sizes of files outside can be asked for
//! (`stat`): Landlock does not cover that.

mod containment;
mod error;
pub mod launcher;
mod output;
mod program;
mod redact;
mod run;
mod runner;
mod scratch;
mod wire;

pub use containment::{Containment, Level, Part, PartReport};
pub use error::ExecError;
pub use output::{LineSink, OutputCaps, Stream};
pub use program::Program;
pub use run::{Ending, Finished};
pub use runner::{DirGrant, Limits, RunSpec, Runner, RunnerConfig, SecretEnv};
pub use scratch::remove_leftovers;
