//! Watches over one command: hands the order to the launcher, reads what comes, ends it when its time is over, and
//! does not return before everything it started is gone. Must not decide anything.

use crate::{
    ExecError, LineSink, OutputCaps, Stream,
    output::Output,
    redact::Redactor,
    scratch::{self, Scratch},
    wire::{Failure, MAGIC, Report},
};
use nix::{sys::signal::Signal, unistd::Pid};
use std::{
    io::{self, Read},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream as StdStream},
    path::PathBuf,
    pin::pin,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    process::{Child, Command},
};
use zeroize::Zeroizing;

/// How long the launcher has to kill everything by itself, before it is killed. It takes some milliseconds; the watcher
/// without namespaces looks for processes for up to five seconds.
const GRACE: Duration = Duration::from_secs(6);

/// How long the kernel then has. What is left after that is stuck in the kernel itself.
const GRACE_KILLED: Duration = Duration::from_secs(2);

/// Longest report of a launcher.
const REPORT_MAX: u64 = 64 << 10;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By itself, with this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// Ended, with everything it had started, after this time.
    TimedOut(Duration),
}

/// A command that ran.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// End of its standard output, secrets taken out.
    pub stdout: Vec<u8>,
    /// End of its standard error, secrets taken out.
    pub stderr: Vec<u8>,
    /// Bytes of both that were not kept.
    pub dropped: u64,
    /// From the start of the launcher until nothing was left.
    pub took: Duration,
}

/// A command, ready to be started.
pub(crate) struct Prepared {
    pub(crate) launcher: PathBuf,
    pub(crate) namespaces: String,
    pub(crate) order: Zeroizing<Vec<u8>>,
    pub(crate) scratch: Scratch,
    pub(crate) timeout: Duration,
    pub(crate) caps: OutputCaps,
    pub(crate) on_line: Option<LineSink>,
    pub(crate) redactors: (Redactor, Redactor),
}

/// What is left behind when the future is dropped: ends the launcher's processes by closing the socket, waits for
/// their end, removes the scratch directory.
struct Cleanup {
    socket: Option<StdStream>,
    scratch: Scratch,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let Some(socket) = self.socket.take() else {
            // The command is gone; the scratch directory's own drop does the rest.
            return;
        };
        let path = self.scratch.take();
        let _ = socket.shutdown(Shutdown::Write);
        // Not here: this is somebody's runtime, and a file system may be slow.
        std::thread::spawn(move || {
            wait_for_end(&socket);
            if let Some(path) = path {
                scratch::remove(&path);
            }
        });
    }
}

/// Waits until the launcher's processes have closed their end of the socket: they are gone then.
fn wait_for_end(mut socket: &StdStream) {
    let _ = socket.set_nonblocking(false);
    let _ = socket.set_read_timeout(Some(GRACE));
    let mut buffer = [0; 1024];
    while socket.read(&mut buffer).is_ok_and(|n| n > 0) {}
}

struct Started {
    child: Child,
    socket: UnixStream,
    cleanup: Cleanup,
}

fn start(prepared: Prepared) -> Result<(Started, Rest), ExecError> {
    let failed = |e| ExecError::host("the launcher cannot be started", e);
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    let own_copy = ours.try_clone().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let namespaces = prepared.namespaces != "none";
    let child = Command::new(&prepared.launcher)
        .args([MAGIC, "outer", &prepared.namespaces])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // With namespaces a dead launcher takes everything with it. Without, it is the one who knows what to kill,
        // and is told by the end of the socket.
        .kill_on_drop(namespaces)
        .spawn()
        .map_err(failed)?;
    let socket = UnixStream::from_std(ours).map_err(failed)?;
    let cleanup = Cleanup {
        socket: Some(own_copy),
        scratch: prepared.scratch,
    };
    let (out, err) = prepared.redactors;
    let rest = Rest {
        order: prepared.order,
        timeout: prepared.timeout,
        stdout: Output::new(
            Stream::Stdout,
            prepared.caps.stdout,
            out,
            prepared.on_line.clone(),
        ),
        stderr: Output::new(Stream::Stderr, prepared.caps.stderr, err, prepared.on_line),
    };
    Ok((
        Started {
            child,
            socket,
            cleanup,
        },
        rest,
    ))
}

struct Rest {
    order: Zeroizing<Vec<u8>>,
    timeout: Duration,
    stdout: Output,
    stderr: Output,
}

/// What the launcher said.
#[derive(Default)]
struct Said {
    started: bool,
    failed: Option<(Failure, String)>,
    end: Option<Ending>,
}

pub(crate) async fn supervise(prepared: Prepared) -> Result<Finished, ExecError> {
    let begin = Instant::now();
    let (started, rest) = start(prepared)?;
    let Started {
        mut child,
        socket,
        mut cleanup,
    } = started;
    let Rest {
        order,
        timeout,
        mut stdout,
        mut stderr,
    } = rest;
    let pid = child.id();
    let (from, mut to) = socket.into_split();
    let (pipe_out, pipe_err) = (child.stdout.take(), child.stderr.take());
    let mut timed_out = false;
    let said = {
        let mut work = pin!(async {
            let listen = async {
                // An error means that the launcher is gone; what it said before is still there to be read.
                let _ = to.write_all(&order).await;
                listen(from).await
            };
            let (said, out, err) = tokio::join!(
                listen,
                read(pipe_out, &mut stdout),
                read(pipe_err, &mut stderr)
            );
            let said = said?;
            out?;
            err?;
            Ok::<_, io::Error>(said)
        });
        let deadline = tokio::time::sleep(timeout);
        tokio::select! {
            done = &mut work => Some(done),
            () = deadline => {
                timed_out = true;
                if let Some(socket) = &cleanup.socket {
                    // The end of the order's stream is the launcher's sign to kill everything.
                    let _ = socket.shutdown(Shutdown::Write);
                }
                match tokio::time::timeout(GRACE, &mut work).await {
                    Ok(done) => Some(done),
                    Err(_) => {
                        kill_group(pid);
                        tokio::time::timeout(GRACE_KILLED, &mut work).await.ok()
                    }
                }
            }
        }
    };
    let gone = said.is_some();
    let said = match said {
        Some(said) => said.map_err(|e| ExecError::Host {
            what: "what the command prints cannot be read".to_owned(),
            started: true,
            source: Some(e),
        })?,
        None => Said::default(),
    };
    if gone {
        let _ = child.wait().await;
        cleanup.socket = None;
        // Removing a large scratch directory takes time that is not the runtime's.
        let _ = tokio::task::spawn_blocking(move || drop(cleanup)).await;
    }
    let (stdout, dropped_out) = stdout.finish();
    let (stderr, dropped_err) = stderr.finish();
    let ending = match (said.end, said.failed) {
        // A command that ended by itself at the last moment has ended by itself.
        (Some(end), _) => end,
        (None, Some((kind, message))) => return Err(not_started(kind, message)),
        (None, None) if timed_out => Ending::TimedOut(timeout),
        (None, None) => {
            return Err(ExecError::Host {
                what: "the process that watches over the command ended without a word; it and everything it started are gone"
                    .to_owned(),
                started: said.started,
                source: None,
            });
        }
    };
    Ok(Finished {
        ending,
        stdout,
        stderr,
        dropped: dropped_out.saturating_add(dropped_err),
        took: begin.elapsed(),
    })
}

fn not_started(kind: Failure, message: String) -> ExecError {
    match kind {
        Failure::Contain => ExecError::NotContained(format!(
            "the command could not be contained, so it did not run: {message}; `sandgate doctor` says what this machine offers"
        )),
        Failure::Start => ExecError::NotStarted(message),
        Failure::Host => ExecError::Host {
            what: message,
            started: false,
            source: None,
        },
    }
}

fn kill_group(pid: Option<u32>) {
    // The child is not waited for yet, so the number is still its own.
    if let Some(pid) = pid.and_then(|p| i32::try_from(p).ok()) {
        let _ = nix::sys::signal::killpg(Pid::from_raw(pid), Signal::SIGKILL);
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Reads reports until every process of the launcher has closed the socket.
async fn listen(from: impl AsyncRead + Unpin) -> io::Result<Said> {
    let mut said = Said::default();
    let mut lines = BufReader::new(from.take(REPORT_MAX));
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line).await {
            Ok(0) => return Ok(said),
            Ok(_) => {}
            // The launcher was killed with the order unread.
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(said),
            Err(e) => return Err(e),
        }
        match serde_json::from_slice(&line) {
            Ok(Report::Started) => said.started = true,
            Ok(Report::Failed { kind, message }) => said.failed = Some((kind, message)),
            Ok(Report::Exit(code)) => said.end = Some(Ending::Exit(code)),
            Ok(Report::Signal(signal)) => said.end = Some(Ending::Signal(signal)),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Reads a stream to its end. Reading stops while a line is handed on, and then the command waits: what is not taken
/// is not held.
async fn read(pipe: Option<impl AsyncRead + Unpin>, to: &mut Output) -> io::Result<()> {
    let Some(mut pipe) = pipe else {
        return Ok(());
    };
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match pipe.read(&mut buffer).await? {
            0 => return Ok(()),
            n => to.push(buffer.get(..n).unwrap_or_default()),
        }
    }
}
