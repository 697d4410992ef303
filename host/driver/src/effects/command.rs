//! `command`: one allowed command of a guest. Permit, intent, the contained process, outcome.

use super::desk::{CallDesk, NotBegun};
use crate::{
    local::CallSink,
    notice::{LogLevel, LogSource},
};
use sandgate_authority::{ExecAuthority, ExecPermit};
use sandgate_exec::{
    DirGrant, Ending, ExecError, Finished, LineSink, OutputCaps, Program, RunSpec, Runner,
    SecretEnv, Stream,
};
use sandgate_model::{Amount, CallEnd, CallRequest, Digest, Grants, NeedKind, SecretTarget};
use sandgate_sandbox::{
    AllowedCommand, CommandEnding, CommandFailure, CommandPort, CommandRequest, FinishedCommand,
    PortFuture,
};
use sandgate_vault::Vault;
use std::{path::PathBuf, sync::Arc, time::Instant};
use zeroize::Zeroizing;

/// Longest command line in the record, in characters; the digest covers all of it.
const WHAT_MAX: usize = 300;

/// A directory that commands see: where it is, and what the guest calls it.
#[derive(Clone, Debug)]
pub(crate) struct CommandDir {
    /// Where it is, absolute.
    pub(crate) path: PathBuf,
    /// Its device and file number, from the handle that was opened when it was granted.
    pub(crate) identity: Option<(u64, u64)>,
    /// What the guest calls it.
    pub(crate) guest: String,
    /// Whether it may be written.
    pub(crate) write: bool,
}

/// What every command of a caller shares.
pub(crate) struct CommandParts {
    pub(crate) runner: Runner,
    pub(crate) vault: Arc<Vault>,
    pub(crate) desk: Arc<CallDesk>,
    pub(crate) sink: Arc<CallSink>,
    pub(crate) dirs: Vec<CommandDir>,
    /// When the attempt is over.
    pub(crate) deadline: Instant,
    pub(crate) allowed: Vec<AllowedCommand>,
    /// Where each grant's rule is written.
    pub(crate) rules: Vec<String>,
    /// The program of each grant, found when it was granted: what lies at its path later is not what was granted.
    pub(crate) programs: Vec<Result<Program, String>>,
}

/// Commands of one caller.
pub(crate) struct CommandPower {
    pub(crate) grants: Arc<Grants>,
    pub(crate) parts: Arc<CommandParts>,
}

impl CommandPort for CommandPower {
    fn allowed(&self) -> Vec<AllowedCommand> {
        self.parts.allowed.clone()
    }

    fn run(&self, request: CommandRequest) -> PortFuture<Result<FinishedCommand, CommandFailure>> {
        let parts = Arc::clone(&self.parts);
        let permit = ExecAuthority::new(&self.grants).permit(
            &request.program,
            &request.args,
            request.cwd.as_deref(),
        );
        Box::pin(async move {
            match permit {
                Ok(permit) => run(&parts, permit).await,
                Err(refusal) => {
                    let words = std::iter::once(&request.program).chain(&request.args);
                    let line = words.map(String::as_str).collect::<Vec<_>>().join(" ");
                    let record = CallRequest {
                        kind: NeedKind::Exec,
                        digest: Digest::of(line.as_bytes()),
                        what: cut(line),
                        rule: String::new(),
                        secrets: Vec::new(),
                        reserve: Amount::NOTHING,
                    };
                    let why = refusal.to_string();
                    parts.desk.refused(record, why.clone());
                    Err(match refusal {
                        sandgate_authority::ExecRefusal::Approval { .. } => {
                            CommandFailure::NotApproved(why)
                        }
                        _ => CommandFailure::NotGranted(why),
                    })
                }
            }
        })
    }
}

async fn run(
    parts: &Arc<CommandParts>,
    permit: ExecPermit,
) -> Result<FinishedCommand, CommandFailure> {
    let record = CallRequest {
        kind: NeedKind::Exec,
        what: cut(permit.what()),
        digest: permit.digest(),
        rule: parts.rules.get(permit.rule()).cloned().unwrap_or_default(),
        secrets: permit.secrets().to_vec(),
        reserve: Amount::NOTHING,
    };
    let refuse = |record: CallRequest, why: String| {
        parts.desk.refused(record, why.clone());
        why
    };
    let cwd = match permit.cwd().map(|guest| host_path(&parts.dirs, guest)) {
        None => None,
        Some(Some(path)) => Some(path),
        Some(None) => {
            let why = format!(
                "`{}` lies in no directory of this attempt",
                permit.cwd().unwrap_or_default()
            );
            return Err(CommandFailure::NotGranted(refuse(record, why)));
        }
    };
    let mut secrets = Vec::new();
    for name in permit.secrets() {
        let purpose = SecretTarget::Exec(permit.name().to_owned());
        let value = match parts.vault.reveal(name, &purpose).await {
            Ok(value) => value,
            Err(error) => {
                let why = refuse(record, crate::chain(&error));
                return Err(CommandFailure::NotStarted(why));
            }
        };
        let Ok(value) = std::str::from_utf8(&value) else {
            let why =
                format!("the secret `{name}` is not text, so it cannot be an environment variable");
            return Err(CommandFailure::NotStarted(refuse(record, why)));
        };
        secrets.push(SecretEnv {
            name: name.clone(),
            value: Zeroizing::new(value.to_owned()),
        });
    }
    let program = match parts.programs.get(permit.rule()) {
        Some(Ok(program)) => program.clone(),
        Some(Err(why)) => return Err(CommandFailure::NotStarted(refuse(record, why.clone()))),
        None => {
            let why = "its program was not found when it was granted".to_owned();
            return Err(CommandFailure::NotStarted(refuse(record, why)));
        }
    };
    let spec = RunSpec {
        program: Some(program),
        dirs: parts
            .dirs
            .iter()
            .map(|dir| DirGrant {
                path: dir.path.clone(),
                write: dir.write,
                identity: dir.identity,
            })
            .collect(),
        cwd,
        secrets,
        timeout: Some(parts.deadline.saturating_duration_since(Instant::now())),
        caps: OutputCaps::default(),
        on_line: Some(lines(&parts.sink)),
    };
    let call = parts.desk.begin(record).await.map_err(|why| match why {
        NotBegun::Refused(why) => CommandFailure::NotGranted(why),
        NotBegun::Limit(why) => CommandFailure::Limit(why),
        NotBegun::Host(why) => CommandFailure::Host(why),
    })?;
    match parts.runner.run(permit, spec).await {
        Ok(finished) => {
            let finished = mapped(finished);
            call.end(CallEnd::Done {
                note: note(&finished),
                cost: Amount::NOTHING,
            })
            .await;
            Ok(finished)
        }
        Err(error) => {
            let message = crate::chain(&error);
            call.end(CallEnd::Failed {
                message: message.clone(),
                cost: Amount::NOTHING,
            })
            .await;
            Err(match error {
                ExecError::NotContained(_) => CommandFailure::NotContained(message),
                ExecError::NotStarted(_) => CommandFailure::NotStarted(message),
                _ => CommandFailure::Host(message),
            })
        }
    }
}

/// Where a guest's path is on the host, as text: the directories of the attempt are roots, and what is below one of
/// them is opened beneath it.
fn host_path(dirs: &[CommandDir], guest: &str) -> Option<PathBuf> {
    dirs.iter().find_map(|dir| {
        let rest = guest.strip_prefix(dir.guest.as_str())?;
        let rest = match (rest, dir.guest.as_str()) {
            ("", _) => return Some(dir.path.clone()),
            (rest, "/") => rest,
            (rest, _) => rest.strip_prefix('/')?,
        };
        let plain = rest.split('/').all(|part| !matches!(part, "" | "." | ".."));
        plain.then(|| dir.path.join(rest))
    })
}

fn mapped(finished: Finished) -> FinishedCommand {
    FinishedCommand {
        ending: match finished.ending {
            Ending::Exit(code) => CommandEnding::Exit(code),
            Ending::Signal(signal) => CommandEnding::Signal(signal),
            Ending::TimedOut(span) => CommandEnding::TimedOut(span),
        },
        stdout: finished.stdout,
        stderr: finished.stderr,
        dropped: finished.dropped,
        took: finished.took,
    }
}

fn note(finished: &FinishedCommand) -> String {
    let bytes = finished.stdout.len() + finished.stderr.len();
    match finished.ending {
        CommandEnding::Exit(code) => format!("exit {code}, {bytes} bytes of output"),
        CommandEnding::Signal(signal) => format!("ended by signal {signal}"),
        CommandEnding::TimedOut(span) => format!("ended after {} ms", span.as_millis()),
    }
}

/// Output goes to the log as it comes.
fn lines(sink: &Arc<CallSink>) -> LineSink {
    let sink = Arc::clone(sink);
    Arc::new(move |stream, line| {
        let source = match stream {
            Stream::Stdout => LogSource::Stdout,
            Stream::Stderr => LogSource::Stderr,
        };
        sink.write(
            LogLevel::Info,
            source,
            String::from_utf8_lossy(line).into_owned(),
        );
    })
}

fn cut(text: String) -> String {
    match text.char_indices().nth(WHAT_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_paths_stay_in_their_directories() {
        let dir = |guest: &str, path: &str| CommandDir {
            path: path.into(),
            identity: None,
            guest: guest.into(),
            write: false,
        };
        let dirs = [dir("/notes", "/host/notes"), dir("/data", "/host/w")];
        let path = |guest: &str| host_path(&dirs, guest).map(|p| p.display().to_string());
        assert_eq!(path("/notes").as_deref(), Some("/host/notes"));
        assert_eq!(path("/data/a/b").as_deref(), Some("/host/w/a/b"));
        for bad in [
            "/notesx",
            "/notes/..",
            "/notes/../../etc",
            "/notes//x",
            "/notes/./x",
            "/",
            "/etc",
            "notes",
            "",
        ] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
