//! One start of the binary and what came of it.

use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus},
    time::{Duration, Instant},
};

/// Longest a test waits for the binary. Far above what anything takes; a hanging binary must not hang the suite.
const PATIENCE: Duration = Duration::from_secs(90);

/// The binary at work. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    what: String,
    out: PathBuf,
    err: PathBuf,
    started: Instant,
}

/// What came of it.
pub(crate) struct Done {
    /// The command line.
    pub(crate) what: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Running {
    /// Starts a command whose output goes to two files (pipes could fill up and block it).
    pub(crate) fn start(mut command: Command, what: String, out: PathBuf, err: PathBuf) -> Self {
        command
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&err).unwrap());
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{what}: cannot start: {e}"));
        Self {
            child,
            what,
            out,
            err,
            started: Instant::now(),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Done {
        self.child.kill().unwrap();
        self.finish()
    }

    /// Sends a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status()
            .unwrap();
        assert!(status.success(), "kill -{name} {}", self.pid());
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.err).unwrap()).into_owned()
    }

    /// What it has written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap()).into_owned()
    }

    /// The writing end of its standard input, which was made a pipe.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Waits until `what_for` holds.
    pub(crate) fn wait_until(&mut self, what_for: &str, mut holds: impl FnMut(&Self) -> bool) {
        while !holds(self) {
            assert!(
                !self.ended() && self.started.elapsed() < PATIENCE,
                "{}: waited in vain for {what_for}; standard output:\n{}\nstandard error:\n{}",
                self.what,
                self.stdout(),
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Done {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!(
                    "{}: still running after {PATIENCE:?}; standard error:\n{}",
                    self.what,
                    self.stderr()
                );
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        Done {
            status,
            stdout: String::from_utf8_lossy(&fs::read(&self.out).unwrap()).into_owned(),
            stderr: self.stderr(),
            took: self.started.elapsed(),
            what: self.what.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already in the ordinary case; after a failed assertion nothing may be left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Done {
    /// The exit code; 128 + signal for one that a signal ended.
    pub(crate) fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Insists on an exit code; otherwise shows everything.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self}");
        self
    }

    /// Insists that standard error has each of these texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not said by {self}");
        }
        self
    }

    /// Standard output as one JSON document, which has a `$type`.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not a JSON document: {e}: {self}"));
        assert!(value["$type"].is_string(), "no $type: {self}");
        value
    }

    /// Standard output as JSON Lines, each with a `$type`.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line)
                    .unwrap_or_else(|e| panic!("not a JSON line: {e}: {line}: {self}"));
                assert!(value["$type"].is_string(), "no $type: {line}");
                value
            })
            .collect()
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` ended with {} after {:?}\n--- standard output\n{}\n--- standard error\n{}\n---",
            self.what,
            self.code(),
            self.took,
            self.stdout,
            self.stderr
        )
    }
}
