//! One writer: an advisory lock on the file `lock` of the state directory.
//!
//! The lock is the kernel's (`flock`), so it ends with the process, however that ends. The text in the file is only
//! for the message that the second process prints; nothing is decided on it.

use crate::error::OpenError;
use rustix::fs::{FlockOperation, Mode, OFlags};
use sandgate_model::Moment;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fmt, io};

/// Name of the lock file.
pub(crate) const LOCK_FILE: &str = "lock";

/// A new holder writes its name right after it got the lock; a second process that comes in between waits this long
/// for it. Well under the two seconds in which a second host must have given up.
const NAME_WAIT: Duration = Duration::from_millis(500);

/// A process that was killed while it started a command leaves a child that holds the lock until its `exec`. That
/// takes a few milliseconds; a refusal would be wrong then.
const GRACE: Duration = Duration::from_millis(200);

/// Between two looks at a lock or its text.
const PAUSE: Duration = Duration::from_millis(10);

/// Longest text read from a lock file, which anybody may have written.
const TEXT_MAX: usize = 1024;

/// Longest command kept.
const COMMAND_MAX: usize = 200;

/// Who has a project open for writing, as it wrote itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Its process id; absent when the lock file does not say.
    pub pid: Option<u32>,
    /// When it opened the project.
    pub since: Option<Moment>,
    /// Its command, one line, control characters replaced.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => write!(f, "another process")?,
        }
        if !self.command.is_empty() {
            write!(f, " ({})", self.command)?;
        }
        Ok(())
    }
}

/// The lock; given back when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, were there not children between fork and exec that have the file open as well. Unlocking
        // cannot fail in a way that closing would not cure.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl Lock {
    /// Takes the lock of `dir` or says who has it.
    pub(crate) fn take(dir: &Path, command: &str, at: Moment) -> Result<Self, OpenError> {
        let path = dir.join(LOCK_FILE);
        let io = |action, source| OpenError::Io {
            action,
            path: path.clone(),
            source,
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| io("open", e.into()))?
            .into();
        let start = Instant::now();
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < GRACE => {
                    std::thread::sleep(PAUSE);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(OpenError::Held {
                        dir: dir.to_path_buf(),
                        holder: name(&file).map_err(|e| io("read", e))?,
                    });
                }
                Err(e) => return Err(io("lock", e.into())),
            }
        }
        let command: String = one_line(command).chars().take(COMMAND_MAX).collect();
        let text = format!(
            "pid={}\nsince={}\ncommand={command}\nend\n",
            std::process::id(),
            at.0
        );
        // Empty first: whoever reads now must not see the name of an earlier holder.
        file.set_len(0)
            .and_then(|()| file.write_all_at(text.as_bytes(), 0))
            .map_err(|e| io("write", e))?;
        Ok(Self { file })
    }
}

/// Reads the holder's name; waits a little when it is not complete yet.
fn name(file: &File) -> io::Result<Holder> {
    let start = Instant::now();
    loop {
        let mut bytes = vec![0; TEXT_MAX];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        let text = String::from_utf8_lossy(&bytes);
        let complete = text.ends_with("\nend\n");
        if complete || start.elapsed() > NAME_WAIT {
            return Ok(parse(&text));
        }
        std::thread::sleep(PAUSE);
    }
}

fn parse(text: &str) -> Holder {
    let field = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    Holder {
        pid: field("pid").and_then(|v| v.parse().ok()),
        since: field("since").and_then(|v| v.parse().ok()).map(Moment),
        command: one_line(field("command").unwrap_or_default()),
    }
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_learns_who_has_it_and_changes_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let first = Lock::take(tmp.path(), "sandgate run\nbrief", Moment(7)).unwrap();
        let before = std::fs::read(tmp.path().join(LOCK_FILE)).unwrap();
        let OpenError::Held { holder, .. } =
            Lock::take(tmp.path(), "other", Moment(8)).unwrap_err()
        else {
            panic!("the second holder must be refused");
        };
        assert_eq!(holder.pid, Some(std::process::id()));
        assert_eq!(holder.since, Some(Moment(7)));
        assert_eq!(holder.command, "sandgate run brief");
        assert_eq!(std::fs::read(tmp.path().join(LOCK_FILE)).unwrap(), before);
        drop(first);
        Lock::take(tmp.path(), "other", Moment(9)).unwrap();
    }

    #[test]
    fn a_strange_lock_file_is_only_a_poorer_message() {
        for text in [
            "",
            "pid=x\nend\n",
            "\u{1b}[2J",
            "command=\u{1b}]0;x\u{7}\nend\n",
        ] {
            let holder = parse(text);
            assert_eq!(holder.pid, None);
            assert!(!holder.to_string().chars().any(char::is_control));
        }
    }
}
