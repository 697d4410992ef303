//! A value that a program prints, such as a password manager.
//!
//! No shell, no input, a fixed search path, a short list of variables. Standard error is thrown away: nobody can tell
//! whether it holds the value in some form. A program that does not end in time is killed with everything in its
//! process group; one that asks for something finds no terminal input and ends.

use super::{ROOM, buffer};
use crate::error::ReadError;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::fd::OwnedFd,
    os::unix::{fs::PermissionsExt, process::CommandExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    net::unix::pipe::Receiver,
    time::{Instant, sleep, timeout_at},
};
use zeroize::Zeroizing;

/// Where programs without a slash are looked up. Never the user's own `PATH`: a directory early in it may be writable
/// by a task.
const PATH: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// How long a program may take: a key has to be unlocked perhaps, and a person waits for the run to go on.
const LIMIT: Duration = Duration::from_secs(10);

/// How long its output is read on after its end, when something it started keeps the pipe open.
const LINGER: Duration = Duration::from_millis(200);

/// How often its end is looked for.
const POLL: Duration = Duration::from_millis(5);

/// Variables that password managers need to find their store and their agent. Handed on when they are set; no other.
const HANDED_ON: [&str; 9] = [
    "HOME",
    "USER",
    "LOGNAME",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME",
    "PASSWORD_STORE_DIR",
];

/// What a program finds around it.
pub(crate) struct Surroundings {
    dir: PathBuf,
    env: BTreeMap<String, OsString>,
    limit: Duration,
}

impl Surroundings {
    pub(crate) fn new(dir: &Path) -> Self {
        let env = [
            ("PATH".to_owned(), OsString::from(PATH.join(":"))),
            ("LANG".to_owned(), "C.UTF-8".into()),
        ];
        Self {
            dir: dir.to_path_buf(),
            env: env.into(),
            limit: LIMIT,
        }
    }

    /// Takes the variable over when programs get it.
    pub(crate) fn offer(&mut self, name: &str, value: &OsString) {
        if HANDED_ON.contains(&name) {
            self.env.insert(name.to_owned(), value.clone());
        }
    }

    #[cfg(test)]
    pub(crate) fn limited(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// Runs it and gives what it printed, at most [`ROOM`] bytes.
pub(crate) async fn from_command(
    argv: &[String],
    around: &Surroundings,
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let (program, args) = argv.split_first().ok_or_else(|| ReadError::NoProgram {
        program: String::new(),
    })?;
    let failed = |source: io::Error| ReadError::Run {
        program: program.clone(),
        source,
    };
    let path = find(program).ok_or_else(|| ReadError::NoProgram {
        program: program.clone(),
    })?;
    let mut child = Command::new(path)
        .args(args)
        .env_clear()
        .envs(&around.env)
        .current_dir(&around.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let stdout = child.stdout.take();
    let mut group = Group(Some(child));
    let fd = OwnedFd::from(stdout.ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?);
    let pipe = Receiver::from_owned_fd(fd).map_err(failed)?;
    let deadline = Instant::now() + around.limit;
    let mut value = buffer();
    let status = tokio::select! {
        // Not `join`: what it started may keep the pipe open for ever.
        read = listen(&pipe, &mut value, deadline) => {
            read.map_err(failed)?;
            if value.len() >= ROOM {
                // Too long already; it would wait for a reader now.
                return Ok(value);
            }
            group.ended(deadline).await.map_err(failed)?
        }
        ended = group.ended(deadline) => ended.map_err(failed)?,
    };
    let Some(status) = status else {
        return Err(ReadError::Slow {
            program: program.clone(),
            after: around.limit,
        });
    };
    if !status.success() {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit code".to_owned(),
        };
        return Err(ReadError::Failed {
            program: program.clone(),
            how,
        });
    }
    let rest = deadline.min(Instant::now() + LINGER);
    listen(&pipe, &mut value, rest).await.map_err(failed)?;
    Ok(value)
}

/// Reads until the end, the cap or the deadline.
async fn listen(pipe: &Receiver, value: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
    // Never more than the room there is: the buffer must not move.
    while value.len() < ROOM {
        match timeout_at(deadline, pipe.readable()).await {
            Err(_) => return Ok(()),
            Ok(ready) => ready?,
        }
        let room = ROOM - value.len();
        let mut piece = Zeroizing::new([0_u8; 4096]);
        let most = piece.len().min(room);
        let Some(target) = piece.get_mut(..most) else {
            return Ok(());
        };
        match pipe.try_read(target) {
            Ok(0) => return Ok(()),
            Ok(n) => value.extend(target.iter().take(n)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The program, killed with its group when this goes away first.
struct Group(Option<Child>);

impl Group {
    /// Its end; `None` when the deadline came first.
    async fn ended(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.0 else {
            return Ok(None);
        };
        loop {
            if let Some(status) = child.try_wait()? {
                self.0 = None;
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(POLL).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            // Killed, so this does not wait.
            let _ = child.wait();
        }
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let path = PathBuf::from(program);
        return (path.is_absolute() && runs(&path)).then_some(path);
    }
    PATH.iter()
        .map(|dir| Path::new(dir).join(program))
        .find(|p| !program.is_empty() && runs(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant as Clock;

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let around = Surroundings::new(dir.path()).limited(Duration::from_millis(300));
        let scripts = [
            "sleep 60",
            "exec sleep 60",
            "(sleep 1; touch mark) & sleep 60",
            "exec >&-; (sleep 1; touch mark) & sleep 60",
            "trap '' TERM HUP INT; (trap '' TERM HUP; sleep 1; touch mark) & wait",
        ];
        for script in scripts {
            let start = Clock::now();
            let argv = ["/bin/sh", "-c", script].map(str::to_owned);
            let error = from_command(&argv, &around).await.unwrap_err();
            assert!(
                matches!(error, ReadError::Slow { .. }),
                "{script}: {error:?}"
            );
            let took = start.elapsed();
            assert!(took < Duration::from_millis(600), "{script}: {took:?}");
        }
        sleep(Duration::from_millis(1200)).await;
        assert!(!dir.path().join("mark").exists(), "something went on");
        println!("{} programs that hang, 0 left", scripts.len());
    }
}
