//! The host's side of compiling in a process of its own: starts it, hands it the bytes, waits for at most a minute,
//! and says in words what came of it. Must not look into what comes back: whether it fits is wasmtime's to check.

use super::AT_ONCE;
use super::child::{Answer, MEMORY_MAX, REQUEST};
use crate::component::LoadError;
use crate::outcome::{MESSAGE_MAX, cut};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Most bytes of machine code taken from a worker. It has a gigabyte of memory for everything; what it makes of
/// 32 MiB is a fifth of that.
const CODE_MAX: u64 = 512 << 20;

/// How much of the end of a worker's last words is kept to explain why it died.
const LAST_WORDS: u64 = 8 << 10;

/// How the process that compiles is started: a program that calls [`crate::compile_worker_main`] when it gets these
/// arguments. It is started without an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// Absolute path of the program; usually the running one.
    pub program: PathBuf,
    /// Arguments that make it the worker.
    pub args: Vec<OsString>,
}

/// Machine code that a worker of ours made. Made in this file only.
pub(crate) struct Compiled(Vec<u8>);

impl Compiled {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn host(reason: impl Into<String>) -> LoadError {
    LoadError::Host {
        reason: reason.into(),
    }
}

/// Compiles in a process of its own, which is gone after `time`. `settings` makes sure that it is of the same build.
pub(super) fn compile(
    worker: &WorkerCommand,
    settings: u64,
    component: &[u8],
    time: Duration,
) -> Result<Compiled, LoadError> {
    let failed = |error: io::Error| {
        host(format!(
            "cannot start the process that compiles plugins, {}: {error}",
            worker.program.display()
        ))
    };
    let mut child = Command::new(&worker.program)
        .args(&worker.args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let talked = talk(&mut child, settings, component, time);
    // Gone in any case: when it is done this does nothing.
    drop(child.kill());
    let status = child.wait().map_err(failed)?;
    match talked {
        Ok((Some(answer), _)) => match answer {
            Answer::Code(code) => Ok(Compiled(code)),
            Answer::Invalid(reason) if is_memory(&reason) => Err(memory()),
            Answer::Invalid(reason) => Err(LoadError::Invalid {
                reason: cut(reason, MESSAGE_MAX),
            }),
            Answer::Host(reason) => Err(host(cut(reason, MESSAGE_MAX))),
        },
        Ok((None, last_words)) => Err(died(status, &last_words, time)),
        Err(Talk::TooLong) => Err(too_long(time)),
        Err(Talk::Failed(error)) => Err(failed(error)),
    }
}

fn too_long(time: Duration) -> LoadError {
    LoadError::CompileTime {
        seconds: time.as_secs(),
    }
}

fn memory() -> LoadError {
    LoadError::CompileMemory {
        mib: MEMORY_MAX >> 20,
    }
}

fn is_memory(words: &str) -> bool {
    // What Rust says when it aborts, and what the kernel's error is called.
    words.contains("memory allocation of") || words.contains("Cannot allocate memory")
}

/// Why there is no answer.
fn died(status: ExitStatus, last_words: &str, time: Duration) -> LoadError {
    if is_memory(last_words) {
        return memory();
    }
    match status.signal() {
        Some(signal) if signal == rustix::process::Signal::XCPU.as_raw() => too_long(time),
        _ => {
            let said = last_words.lines().rfind(|line| !line.trim().is_empty());
            let how = match said {
                Some(line) => format!("{status}: {}", cut(line.trim().to_owned(), 500)),
                None => status.to_string(),
            };
            LoadError::CompileCrash { how }
        }
    }
}

/// Why the talk with a worker broke off.
enum Talk {
    TooLong,
    Failed(io::Error),
}

/// Hands over the bytes and waits for the answer: `None` when it ended without one, with its last words.
fn talk(
    child: &mut Child,
    settings: u64,
    component: &[u8],
    time: Duration,
) -> Result<(Option<Answer>, String), Talk> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Talk::Failed(io::Error::other("it has no pipes")));
    };
    let (give, take) = sync_channel(1);
    thread::scope(|scope| {
        let start = |name: &str| thread::Builder::new().name(format!("sandgate-{name}"));
        start("compile-in")
            .spawn_scoped(scope, move || {
                // A worker that does not listen says why in its answer or by its end.
                drop(
                    stdin
                        .write_all(&REQUEST)
                        .and_then(|()| stdin.write_all(&settings.to_le_bytes()))
                        .and_then(|()| stdin.write_all(component)),
                );
            })
            .map_err(Talk::Failed)?;
        start("compile-out")
            .spawn_scoped(scope, move || {
                let answer = Answer::read(stdout, CODE_MAX);
                let mut words = Vec::new();
                drop(stderr.take(LAST_WORDS).read_to_end(&mut words));
                drop(give.send((answer, String::from_utf8_lossy(&words).into_owned())));
            })
            .map_err(Talk::Failed)?;
        let got = match take.recv_timeout(time) {
            Ok(got) => Ok(got),
            Err(RecvTimeoutError::Timeout) => Err(Talk::TooLong),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Talk::Failed(io::Error::other("its answer was lost")))
            }
        };
        // Ends the threads as well: their pipes close.
        drop(child.kill());
        got
    })
}

/// What is said when others are still compiling.
pub(super) fn busy() -> LoadError {
    host(format!(
        "{AT_ONCE} other components are still being compiled"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// What comes of a worker that is some other program.
    fn with(program: &str, args: &[&str]) -> LoadError {
        let worker = WorkerCommand {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
        };
        // More than a pipe holds, so that a worker that does not read is noticed.
        let component = vec![0; 1 << 20];
        let compiled = compile(&worker, 0, &component, Duration::from_millis(500));
        compiled.err().unwrap()
    }

    #[test]
    fn however_a_worker_ends_it_is_an_error_that_says_so() {
        let sh = |script: &str| with("/bin/sh", &["-c", script]).to_string();
        for (script, said) in [
            ("exit 3", "exit status: 3"),
            ("exit 0", "exit status: 0"),
            ("echo nonsense that is long enough", "exit status: 0"),
            ("kill -SEGV $$", "signal: 11"),
            (
                "echo first >&2; echo last >&2; exit 1",
                "exit status: 1: last",
            ),
            (
                "echo memory allocation of 5 bytes failed >&2; kill -ABRT $$",
                "more than 1024 MiB of memory",
            ),
            ("kill -XCPU $$", "longer than 0 s"),
            ("cat >/dev/null; exit 7", "exit status: 7"),
        ] {
            let told = sh(script);
            assert!(told.contains(said), "{script}: {told}");
        }
        assert!(
            with("/no/such/program", &[])
                .to_string()
                .contains("/no/such/program")
        );
    }

    #[test]
    fn a_worker_that_takes_too_long_or_says_too_much_is_ended() {
        for (program, args) in [("/bin/sleep", &["100"][..]), ("/bin/cat", &["/dev/zero"])] {
            let since = Instant::now();
            let told = with(program, args);
            let ended = matches!(
                told,
                LoadError::CompileTime { .. } | LoadError::CompileCrash { .. }
            );
            assert!(ended, "{program}: {told}");
            assert!(since.elapsed() < Duration::from_secs(5), "{program}");
        }
    }
}
