//! Commands: a program and exact arguments that a rule of the project allows. There is no shell anywhere: `|`, `*` and `$HOME` are
//! plain text.
//!
//! ```
//! use sandgate_plugin::command::{self, Ending};
//!
//! # fn work() -> sandgate_plugin::Result<()> {
//! let done = command::run("cargo", &["test", "--workspace"], None)?;
//! if done.ending != Ending::Exit(0) {
//!     sandgate_plugin::log::warn(done.stderr_text());
//! }
//! # Ok(())
//! # }
//! ```

use crate::PluginError;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host::sandgate::plugin::command as host;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A command that this call may run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// Name of the rule.
    pub name: String,
    /// Program as the rule names it.
    pub program: String,
    /// Arguments; `{name:type}` is a hole that a request fills, everything else is literal.
    pub args: Vec<String>,
    /// Whether a person is asked each time.
    pub approval: bool,
}

/// What is to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Program, exactly as a rule names it.
    pub program: String,
    /// Arguments; each has to equal the rule's, holes filled.
    pub args: Vec<String>,
    /// Directory to start in, as this plugin sees it; absent: the rule's.
    pub cwd: Option<String>,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By itself, with this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// The host ended it, and everything it had started, after this time.
    TimedOut(Duration),
}

/// As in `it ENDING`: `ended with exit code 2`.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(number) => write!(f, "was ended by signal {number}"),
            Self::TimedOut(time) => {
                write!(f, "was ended by the host after {} ms", time.as_millis())
            }
        }
    }
}

/// A command that ran.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// What it wrote to its standard output; at most 1 MiB, the end is kept.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error; at most 1 MiB, the end is kept.
    pub stderr: Vec<u8>,
    /// Bytes of both that were dropped.
    pub dropped: u64,
    /// How long it took.
    pub took: Duration,
}

impl Finished {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.ending == Ending::Exit(0)
    }

    /// Its standard output as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Its standard error as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

/// Why a command did not run. The text is the host's, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// No rule fits; says which line would allow it.
    NotGranted(String),
    /// A rule fits, and a person has to approve it, which did not happen; says why.
    NotApproved(String),
    /// The machine cannot contain it as promised; says what is missing.
    NotContained(String),
    /// It could not be started: no such program, and the like.
    NotStarted(String),
    /// Over a limit of this attempt; says which.
    Limit(String),
    /// The host could not do its part.
    Host(String),
}

impl CommandError {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::NotGranted(text)
            | Self::NotApproved(text)
            | Self::NotContained(text)
            | Self::NotStarted(text)
            | Self::Limit(text)
            | Self::Host(text) => text,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = match self {
            Self::NotGranted(_) => "the command is not granted",
            Self::NotApproved(_) => "the command is not approved",
            Self::NotContained(_) => "the command cannot be contained on this machine",
            Self::NotStarted(_) => "the command could not be started",
            Self::Limit(_) => "the command is over a limit",
            Self::Host(_) => "the host could not run the command",
        };
        write!(f, "{case}: {}", self.text())
    }
}

impl std::error::Error for CommandError {}

/// Only a failure of the host may pass by itself.
impl From<CommandError> for PluginError {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::NotGranted(_)
            | CommandError::NotApproved(_)
            | CommandError::NotContained(_)
            | CommandError::NotStarted(_) => Self::Unavailable(text),
            CommandError::Limit(_) => Self::Permanent(text),
            CommandError::Host(_) => Self::Failed(text),
        }
    }
}

/// What this call may run, in the order of the rules.
#[must_use]
pub fn allowed() -> Vec<Allowed> {
    #[cfg(target_arch = "wasm32")]
    return host::allowed_commands()
        .into_iter()
        .map(|command| Allowed {
            name: command.name,
            program: command.program,
            args: command.args,
            approval: command.approval,
        })
        .collect();
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::allowed_commands()
}

/// Runs a command to its end and returns what it wrote. The output also goes to the log as it comes.
///
/// # Errors
/// Why it did not run. A command that ran and failed is not an error: see [`Finished::ending`].
pub fn run<A: AsRef<str>>(
    program: &str,
    args: &[A],
    cwd: Option<&str>,
) -> Result<Finished, CommandError> {
    let request = Request {
        program: program.to_owned(),
        args: args.iter().map(|arg| arg.as_ref().to_owned()).collect(),
        cwd: cwd.map(str::to_owned),
    };
    #[cfg(target_arch = "wasm32")]
    return match host::run_command(&host::CommandRequest {
        program: request.program,
        args: request.args,
        cwd: request.cwd,
    }) {
        Ok(done) => Ok(finished(done)),
        Err(error) => Err(failure(error)),
    };
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::run_command(request)
}

#[cfg(target_arch = "wasm32")]
fn finished(done: host::Finished) -> Finished {
    Finished {
        ending: match done.ending {
            host::Ending::ExitCode(code) => Ending::Exit(code),
            host::Ending::Signal(number) => Ending::Signal(number),
            host::Ending::TimedOut(ms) => Ending::TimedOut(Duration::from_millis(ms)),
        },
        stdout: done.stdout,
        stderr: done.stderr,
        dropped: done.dropped_bytes,
        took: Duration::from_millis(done.duration_ms),
    }
}

#[cfg(target_arch = "wasm32")]
fn failure(error: host::CommandError) -> CommandError {
    match error {
        host::CommandError::NotGranted(text) => CommandError::NotGranted(text),
        host::CommandError::NotApproved(text) => CommandError::NotApproved(text),
        host::CommandError::NotContained(text) => CommandError::NotContained(text),
        host::CommandError::NotStarted(text) => CommandError::NotStarted(text),
        host::CommandError::Limit(text) => CommandError::Limit(text),
        host::CommandError::Host(text) => CommandError::Host(text),
    }
}
