//! From a plan's grants and the project's limits to a call of the sandbox.

use crate::{
    effects::{Caps, Minting, mint, still_allowed},
    local::{CallSink, Shared},
    notice::{LogLevel, LogSource},
    plugins::Plugin,
    room::Room,
    work::Inbox,
};
use sandgate_engine::Allowance;
use sandgate_model::{Artifact, Grants, Millis, RunId, TaskId, TaskLimits};
use sandgate_sandbox::{
    ArtifactSource, Call, CancelToken, Limits, Progress, ReadableArtifact, Sink, Turn,
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Who calls: for the log and the progress line, and for the books.
pub(crate) struct Caller<'a> {
    pub(crate) run: RunId,
    pub(crate) by: sandgate_model::Caller,
    pub(crate) who: &'a str,
    pub(crate) task: Option<&'a TaskId>,
    /// The role's limits; the project's are put over them.
    pub(crate) limits: Limits,
    /// The task's own limits, which only lower.
    pub(crate) own: TaskLimits,
    /// What it may spend.
    pub(crate) allowance: Allowance,
    pub(crate) inbox: &'a Inbox,
}

/// A call that can begin, with its directories.
pub(crate) struct Ready {
    pub(crate) call: Call,
    pub(crate) room: Option<Room>,
}

/// A call of `plugin` with these grants: directories are opened and ports are minted here, so that what was granted is
/// what is used, and it is gone with the call.
///
/// # Errors
/// When the project allows less by now, or a granted directory cannot be opened or made.
pub(crate) async fn prepare(
    shared: &Arc<Shared>,
    caller: &Caller<'_>,
    plugin: &Plugin,
    grants: &Grants,
    timeout: Millis,
    cancel: &CancelToken,
) -> Result<Ready, String> {
    if *grants != Grants::default() {
        still_allowed(&shared.project, caller.who, grants)?;
    }
    let deadline = Duration::from_millis(timeout.0);
    let sink = Arc::new(CallSink {
        run: caller.run,
        who: caller.who.to_owned(),
        task: caller.task.cloned(),
        clock: shared.clock,
        log: shared.log(caller.run),
        notices: shared.notices.clone(),
    });
    let key = [
        caller.run.to_string(),
        format!("{:?}", caller.by),
        caller.who.to_owned(),
    ];
    let room = Room::open(shared, caller.run, &key, caller.who, grants).await?;
    if let Some(left_out) = room.as_ref().and_then(Room::left_out) {
        sink.write(LogLevel::Warn, LogSource::Log, left_out);
    }
    let project = shared.project.file().limits;
    let own = &caller.own;
    let low = |project: u64, own: Option<u64>| own.map_or(project, |own| own.min(project));
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let limits = Limits {
        deadline,
        memory: memory(&project, own, &caller.limits),
        output_bytes: size(low(project.output, own.output)),
        log_bytes: size(low(project.log, own.log)),
        artifact_bytes: size(low(project.artifact, own.artifact)),
        disk_bytes: low(project.disk, own.disk),
        disk_files: low(project.files, own.files),
        host_calls: low(project.calls, own.calls),
        ..caller.limits.clone()
    };
    let mut powers = mint(
        &shared.brokers,
        &shared.project,
        Minting {
            run: caller.run,
            by: caller.by,
            grants,
            allowance: caller.allowance,
            inbox: caller.inbox,
            sink: Arc::clone(&sink),
            deadline: Instant::now() + deadline,
            dirs: room.as_ref().map(Room::command_dirs).unwrap_or_default(),
            caps: Caps {
                network: low(project.network, own.network),
                tokens: low(project.tokens, own.tokens),
                effects: low(project.effects, own.effects),
            },
        },
    );
    powers.optional = plugin
        .description
        .needs
        .iter()
        .filter(|need| need.optional)
        .map(|need| need.kind)
        .collect();
    let call = Call {
        component: Arc::clone(&plugin.component),
        files: room.as_ref().map(Room::preopens).unwrap_or_default(),
        turn: Turn {
            limits,
            cancel: cancel.clone(),
            sink,
            powers,
        },
    };
    Ok(Ready { call, room })
}

/// Memory of the instance: what the project wrote, or the role's own default where it wrote nothing.
fn memory(project: &sandgate_workflow::Limits, own: &TaskLimits, role: &Limits) -> usize {
    let unwritten = project.memory == sandgate_workflow::Limits::default().memory;
    let most = match unwritten {
        true => role.memory as u64,
        false => project.memory,
    };
    usize::try_from(own.memory.map_or(most, |own| own.min(most))).unwrap_or(usize::MAX)
}

impl Sink for CallSink {
    fn line(&self, line: sandgate_sandbox::LogLine) {
        let level = match line.level {
            sandgate_sandbox::LogLevel::Debug => LogLevel::Debug,
            sandgate_sandbox::LogLevel::Info => LogLevel::Info,
            sandgate_sandbox::LogLevel::Warn => LogLevel::Warn,
            sandgate_sandbox::LogLevel::Error => LogLevel::Error,
        };
        let source = match line.source {
            sandgate_sandbox::LogSource::Log => LogSource::Log,
            sandgate_sandbox::LogSource::Stdout => LogSource::Stdout,
            sandgate_sandbox::LogSource::Stderr => LogSource::Stderr,
        };
        self.write(level, source, line.message);
    }

    fn progress(&self, progress: Progress) {
        self.report(progress.message, progress.permille);
    }
}

/// The artifacts a call may read, in the artifact store.
struct Stored {
    shared: Arc<Shared>,
    readable: BTreeMap<String, Artifact>,
}

/// A source of exactly these artifacts.
pub(crate) fn readable(
    shared: &Arc<Shared>,
    readable: &BTreeMap<String, Artifact>,
) -> Arc<dyn ArtifactSource> {
    Arc::new(Stored {
        shared: Arc::clone(shared),
        readable: readable.clone(),
    })
}

impl ArtifactSource for Stored {
    fn list(&self) -> Vec<ReadableArtifact> {
        self.readable
            .iter()
            .map(|(name, artifact)| ReadableArtifact {
                name: name.clone(),
                digest: artifact.digest,
                size: artifact.size,
                media_type: artifact.media_type.clone(),
            })
            .collect()
    }

    fn read(&self, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, String> {
        let artifact = self
            .readable
            .get(name)
            .ok_or_else(|| format!("there is no artifact {name}"))?;
        self.shared
            .artifacts
            .read_at(&artifact.digest, offset, length as usize)
            .map_err(|error| crate::chain(&error))
    }
}
