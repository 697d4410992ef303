//! `command`: one allowed command of a guest. Permit, intent, the contained process, outcome.

use super::{
    bound::{self, host_path},
    consent::{Agreed, approved},
    desk::{CallDesk, NotBegun},
    plain,
};
use crate::{
    local::CallSink,
    notice::{LogLevel, LogSource},
};
use sandgate_authority::{ExecAuthority, ExecPermit, ExecRefusal, Opened, Permission};
use sandgate_engine::Consented;
use sandgate_exec::{
    DirGrant, Ending, ExecError, Finished, LineSink, OutputCaps, Program, RunSpec, Runner,
    SecretEnv, Stream,
};
use sandgate_model::{
    Amount, CallEnd, CallRequest, Consent, Digest, Grants, NeedKind, SecretTarget,
};
use sandgate_sandbox::{
    AllowedCommand, Answered, CommandEnding, CommandFailure, CommandPort, CommandRequest,
    FinishedCommand, PortFuture,
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
    /// Whether those are the project's own or the attempt's: `shared`, `clone`, `worktree`.
    pub(crate) workspace: &'static str,
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

    fn run(
        &self,
        request: CommandRequest,
    ) -> PortFuture<Answered<Result<FinishedCommand, CommandFailure>>> {
        let (parts, grants) = (Arc::clone(&self.parts), Arc::clone(&self.grants));
        Box::pin(async move {
            let permission = ExecAuthority::new(&grants).permit(
                &request.program,
                &request.args,
                request.cwd.as_deref(),
            );
            match permission {
                Ok(Permission::Granted(permit)) => run(&parts, permit, None).await,
                Ok(Permission::Ask(sealed)) => asked(&parts, &grants, sealed.look()).await,
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
                        approval: false,
                        consent: None,
                    };
                    let why = refusal.to_string();
                    parts.desk.refused(record, why.clone());
                    plain(Err(CommandFailure::NotGranted(why)))
                }
            }
        })
    }
}

type Ran = Answered<Result<FinishedCommand, CommandFailure>>;

/// A command that a person has to agree to. What runs is what stands in the record that was approved.
async fn asked(parts: &Arc<CommandParts>, grants: &Grants, wanted: &ExecPermit) -> Ran {
    let action = match bound::action(parts, wanted).await {
        Ok(action) => action,
        Err(why) => {
            // Something was approved, and it cannot even be looked at any more: that is another thing.
            let seen = parts
                .desk
                .consented(NeedKind::Exec, Digest::of(why.as_bytes()));
            if let Some(Consented::Stale { .. }) = seen.await {
                parts.desk.stale(why);
                return plain(Err(CommandFailure::Suspended));
            }
            return plain(Err(CommandFailure::NotStarted(why)));
        }
    };
    match parts
        .desk
        .agree(NeedKind::Exec, &format!("run {}", wanted.what()), action)
        .await
    {
        Agreed::No(why) => plain(Err(CommandFailure::NotApproved(why))),
        Agreed::Parts => plain(Err(CommandFailure::Suspended)),
        Agreed::Yes {
            consent,
            digest,
            action,
        } => {
            let stale = |why: String| {
                parts.desk.stale(why);
                plain(Err(CommandFailure::Suspended))
            };
            let Some((program, args, cwd)) = bound::words(&action) else {
                return stale("the record of the approval is not one of a command".to_owned());
            };
            let sealed = match ExecAuthority::new(grants).permit(&program, &args, cwd.as_deref()) {
                Ok(Permission::Ask(sealed)) => sealed,
                Ok(Permission::Granted(_)) | Err(ExecRefusal::NotGranted { .. }) => {
                    return stale("the rule that it was approved under is another now".to_owned());
                }
                Err(refusal) => return stale(refusal.to_string()),
            };
            // Looked at once more, from the record: the program, the directory and the files as they are now.
            let now = match bound::action(parts, sealed.look()).await {
                Ok(action) => parts.desk.facts.bytes(NeedKind::Exec, action),
                Err(why) => Err(why),
            };
            let now = match now {
                Ok(bytes) => Digest::of(&bytes),
                Err(why) => return stale(why),
            };
            match sealed.open(Opened::new(digest), now) {
                Ok(permit) => run(parts, permit, Some((consent, digest))).await,
                Err(error) => stale(error.to_string()),
            }
        }
    }
}

async fn run(
    parts: &Arc<CommandParts>,
    permit: ExecPermit,
    consent: Option<(Consent, Digest)>,
) -> Ran {
    match started(parts, permit, consent).await {
        Ok(ran) => ran,
        Err(failure) => plain(Err(failure)),
    }
}

async fn started(
    parts: &Arc<CommandParts>,
    permit: ExecPermit,
    consent: Option<(Consent, Digest)>,
) -> Result<Ran, CommandFailure> {
    let mut record = CallRequest {
        kind: NeedKind::Exec,
        what: cut(permit.what()),
        digest: permit.digest(),
        rule: parts.rules.get(permit.rule()).cloned().unwrap_or_default(),
        secrets: permit.secrets().to_vec(),
        reserve: Amount::NOTHING,
        approval: false,
        consent: None,
    };
    if let Some((consent, digest)) = consent {
        record = approved(record, consent, digest);
    }
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
    Ok(match parts.runner.run(permit, spec).await {
        Ok(finished) => {
            let finished = mapped(finished);
            let end = CallEnd::Done {
                note: note(&finished),
                cost: Amount::NOTHING,
            };
            Answered {
                result: Ok(finished),
                then: call.settle(end),
            }
        }
        Err(error) => {
            let message = crate::chain(&error);
            let end = CallEnd::Failed {
                message: message.clone(),
                cost: Amount::NOTHING,
            };
            let failure = match error {
                ExecError::NotContained(_) => CommandFailure::NotContained(message),
                ExecError::NotStarted(_) => CommandFailure::NotStarted(message),
                _ => CommandFailure::Host(message),
            };
            Answered {
                result: Err(failure),
                then: call.settle(end),
            }
        }
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
