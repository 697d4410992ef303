//! Starting git. The one place in this crate that starts a program.
//!
//! Nothing is inherited: the environment is this list, the configuration is the file in the git directory that we
//! made, and the command line closes what would otherwise run a program or open a connection.

use std::{
    ffi::{OsStr, OsString},
    io::{self, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// How long one git command may take: a large repository on a slow disk, and not for ever.
const LIMIT: Duration = Duration::from_secs(300);

/// Most of what git says that goes into a message.
const SAID: u64 = 2000;

/// The first version with `merge-tree --write-tree`.
const OLDEST: (u32, u32) = (2, 38);

const PLACES: [&str; 2] = ["/usr/local/bin/git", "/usr/bin/git"];

/// What closes the ways to other programs, beside the configuration that we write ourselves.
const CLOSED: [&str; 7] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// Why git did not do it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Not installed.
    #[error(
        "there is no program git{}; install it, or use the workspace `clone`",
        .0.as_ref().map_or(" in /usr/local/bin or /usr/bin".to_owned(), |p| format!(" at {}", p.display()))
    )]
    Absent(Option<PathBuf>),
    /// Too old.
    #[error("git {0} is too old; 2.38 or newer is needed")]
    Old(String),
    /// It cannot be started or talked to.
    #[error("cannot run `git {what}`")]
    Run {
        /// The subcommand.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It said no.
    #[error("`git {what}` failed (exit {code}): {said}")]
    Failed {
        /// The subcommand.
        what: String,
        /// Its exit code, -1 for a signal.
        code: i32,
        /// What it wrote, in one line.
        said: String,
    },
    /// It took too long.
    #[error("`git {what}` took longer than {} s and was stopped", LIMIT.as_secs())]
    Slow {
        /// The subcommand.
        what: String,
    },
    /// It answered with something else than it should.
    #[error("`git {what}` gave an answer that is none")]
    Answer {
        /// The subcommand.
        what: String,
    },
}

/// The program.
pub(crate) struct Git {
    wanted: Option<PathBuf>,
    found: OnceLock<PathBuf>,
}

/// How it ended, when it was not stopped.
pub(crate) struct Ended<T> {
    pub(crate) code: i32,
    pub(crate) said: String,
    pub(crate) value: T,
}

impl Git {
    pub(crate) fn new(wanted: Option<PathBuf>) -> Self {
        Self {
            wanted,
            found: OnceLock::new(),
        }
    }

    fn program(&self) -> Result<&Path, GitError> {
        if let Some(path) = self.found.get() {
            return Ok(path);
        }
        let runs = |path: &Path| {
            path.is_absolute()
                && path
                    .metadata()
                    .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        let path = match &self.wanted {
            Some(path) => Some(path.clone()),
            None => PLACES.iter().map(PathBuf::from).find(|p| runs(p)),
        };
        let path = path
            .filter(|p| runs(p))
            .ok_or_else(|| GitError::Absent(self.wanted.clone()))?;
        let mut command = bare(&path);
        command.arg("version");
        let text = drive(
            command,
            "version",
            None::<fn(ChildStdin) -> io::Result<()>>,
            text_of,
        )?;
        let version = String::from_utf8_lossy(&text.value?).trim().to_owned();
        let version = version.strip_prefix("git version ").unwrap_or(&version);
        let mut numbers = version.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
        if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
            return Err(GitError::Old(version.to_owned()));
        }
        Ok(self.found.get_or_init(|| path))
    }

    /// A command in one of our git directories.
    fn command(&self, at: &Path, dir: &Path, args: &[&OsStr]) -> Result<Command, GitError> {
        let mut command = bare(self.program()?);
        command.current_dir(at).env("GIT_DIR", dir);
        for setting in CLOSED {
            command.args(["-c", setting]);
        }
        command.args(args);
        Ok(command)
    }

    /// Runs it to the end and gives what it printed. An exit code other than 0 is an error.
    pub(crate) fn text<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
        input: Option<&[u8]>,
        env: &[(&str, OsString)],
    ) -> Result<Vec<u8>, GitError> {
        let what = name_of(args);
        let ended = self.pipe(
            dir,
            args,
            env,
            input.map(|bytes| move |mut to: ChildStdin| to.write_all(bytes)),
            text_of,
        )?;
        good(&what, ended)?
    }

    /// Runs it with a writer and a reader at its ends, at the same time. Gives the exit code.
    pub(crate) fn pipe<A, F, T>(
        &self,
        dir: &Path,
        args: &[A],
        env: &[(&str, OsString)],
        feed: Option<F>,
        read: impl FnOnce(&mut BufReader<ChildStdout>) -> T,
    ) -> Result<Ended<T>, GitError>
    where
        A: AsRef<OsStr>,
        F: FnOnce(ChildStdin) -> io::Result<()> + Send,
    {
        self.pipe_in(dir, dir, args, env, feed, read)
    }

    /// As [`Git::pipe`], started in the directory `at`.
    pub(crate) fn pipe_in<A, F, T>(
        &self,
        at: &Path,
        dir: &Path,
        args: &[A],
        env: &[(&str, OsString)],
        feed: Option<F>,
        read: impl FnOnce(&mut BufReader<ChildStdout>) -> T,
    ) -> Result<Ended<T>, GitError>
    where
        A: AsRef<OsStr>,
        F: FnOnce(ChildStdin) -> io::Result<()> + Send,
    {
        let list: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        let mut command = self.command(at, dir, &list)?;
        for (name, value) in env {
            command.env(name, value);
        }
        drive(command, &name_of(args), feed, read)
    }
}

/// The value, when git ended well.
pub(crate) fn good<T>(what: &str, ended: Ended<T>) -> Result<T, GitError> {
    if ended.code == 0 {
        Ok(ended.value)
    } else {
        Err(GitError::Failed {
            what: what.to_owned(),
            code: ended.code,
            said: ended.said,
        })
    }
}

fn name_of<A: AsRef<OsStr>>(args: &[A]) -> String {
    args.iter()
        .map(|a| a.as_ref().to_string_lossy().into_owned())
        .find(|a| !a.starts_with('-'))
        .unwrap_or_default()
}

/// Most that is read of an answer that is held whole. A list of 200,000 files with long names has less.
const WHOLE: u64 = 256 << 20;

fn text_of(from: &mut BufReader<ChildStdout>) -> Result<Vec<u8>, GitError> {
    let mut text = Vec::new();
    let read = from.by_ref().take(WHOLE).read_to_end(&mut text);
    read.map_err(|source| GitError::Run {
        what: "output".into(),
        source,
    })?;
    Ok(text)
}

fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .process_group(0);
    command
}

/// Kills a process group when the time is up, unless it is told before that it is not needed.
fn watch(child: &Child, done: mpsc::Receiver<()>, late: &AtomicBool) {
    if done.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
        late.store(true, Ordering::SeqCst);
        kill(child);
    }
}

fn kill(child: &Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

fn drive<F, T>(
    mut command: Command,
    what: &str,
    feed: Option<F>,
    read: impl FnOnce(&mut BufReader<ChildStdout>) -> T,
) -> Result<Ended<T>, GitError>
where
    F: FnOnce(ChildStdin) -> io::Result<()> + Send,
{
    let failed = |source: io::Error| GitError::Run {
        what: what.to_owned(),
        source,
    };
    command
        .stdin(if feed.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    let late = AtomicBool::new(false);
    let (value, fed, said) = thread::scope(|scope| {
        let (finished, done) = mpsc::channel::<()>();
        let watched = &child;
        let late = &late;
        scope.spawn(move || watch(watched, done, late));
        let feeder = feed
            .zip(stdin)
            .map(|(feed, to)| scope.spawn(move || feed(to)));
        let listener = scope.spawn(move || {
            let mut said = Vec::new();
            let mut stderr = stderr;
            let _ = stderr.by_ref().take(SAID).read_to_end(&mut said);
            // The rest is read too, or it would wait for us.
            let _ = io::copy(&mut stderr, &mut io::sink());
            said
        });
        let mut from = BufReader::with_capacity(1 << 16, stdout);
        let value = read(&mut from);
        // A reader that stopped early does not wait for the rest: git gets a broken pipe.
        drop(from);
        let fed = feeder.map_or(Ok(()), |f| {
            f.join()
                .unwrap_or_else(|_| Err(io::Error::other("the writer stopped")))
        });
        let said = listener.join().unwrap_or_default();
        // Its streams are closed; it ends now, or is stopped by the watch.
        let _ = finished.send(());
        (value, fed, said)
    });
    let status = child.wait().map_err(failed)?;
    if late.load(Ordering::SeqCst) {
        return Err(GitError::Slow {
            what: what.to_owned(),
        });
    }
    let code = status.code().unwrap_or(-1);
    if let Err(e) = fed
        && (code == 0 || e.kind() != io::ErrorKind::BrokenPipe)
    {
        return Err(failed(e));
    }
    let said = String::from_utf8_lossy(&said);
    Ok(Ended {
        code,
        said: said.split_whitespace().collect::<Vec<_>>().join(" "),
        value,
    })
}
