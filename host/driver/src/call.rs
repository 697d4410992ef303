//! From a plan's grants and the project's limits to a call of the sandbox.

use crate::{
    effects::{CallDesk, Caps, Facts, Minted, Minting, Parting, mint, offered, still_allowed},
    local::{CallSink, Shared, lock},
    notice::{LogLevel, LogSource},
    plugins::Plugin,
    room::{Keep, Room},
    work::Inbox,
};
use sandgate_engine::{Allowance, Event, Restore};
use sandgate_model::{
    Artifact, Digest, FailureClass, FileMode, Grants, Millis, PluginName, RunId, TaskId, TaskLimits,
};
use sandgate_sandbox::{
    ArtifactSource, Call, CancelToken, Limits, Progress, ReadableArtifact, Sink, Tape, Turn,
};
use sandgate_workspace::AttemptKey;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
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
    /// The plugin, as the project names it.
    pub(crate) name: &'a PluginName,
    /// Where it stopped, when it is taken up again.
    pub(crate) restore: Option<&'a Restore>,
}

/// A call that can begin, with its directories.
pub(crate) struct Ready {
    pub(crate) call: Call,
    pub(crate) room: Option<Room>,
    pub(crate) desk: Arc<CallDesk>,
    /// What the host answers to it; absent when it cannot be suspended.
    pub(crate) tape: Option<Tape>,
}

/// Why a call did not begin.
#[derive(Debug)]
pub(crate) struct NotReady {
    pub(crate) class: FailureClass,
    pub(crate) message: String,
}

impl NotReady {
    fn refused(message: String) -> Self {
        Self {
            class: FailureClass::Refused,
            message,
        }
    }

    fn host(message: String) -> Self {
        Self {
            class: FailureClass::Host,
            message,
        }
    }
}

/// Where the directories of a piece of work are kept. The same for an attempt that is taken up again, in whatever
/// process.
pub(crate) fn room_key(run: RunId, by: sandgate_model::Caller) -> AttemptKey {
    let run = run.to_string();
    let (kind, place, attempt) = match by {
        sandgate_model::Caller::Planner => ("planner", 0, 0),
        sandgate_model::Caller::Task { task, attempt } => ("task", task.0, attempt.0),
        sandgate_model::Caller::Gate { gate, attempt } => ("gate", gate.0, attempt.0),
    };
    AttemptKey::new(&[&run, kind, &place.to_string(), &attempt.to_string()])
}

/// Work that stopped in the middle, to go on later.
pub(crate) struct Stopped {
    /// What is to be recorded.
    pub(crate) event: Event,
    /// Its directories, to be parked when that is durable.
    pub(crate) room: Option<Room>,
}

/// How work that a port stopped in the middle ended.
pub(crate) enum Parted {
    /// It waits for a person; this is to be recorded, and then the directories are parked.
    Suspended(Box<Stopped>),
    /// It failed.
    Failed(NotReady),
}

/// What is to be recorded of work that stopped in the middle of a call. Its directories are kept.
pub(crate) async fn part(
    shared: &Arc<Shared>,
    desk: &CallDesk,
    by: sandgate_model::Caller,
    tape: Option<&Tape>,
    room: Option<Room>,
    took: Millis,
) -> Parted {
    let failed = |room: Option<Room>, failed: NotReady| async move {
        if let Some(room) = room {
            room.discard().await;
        }
        Parted::Failed(failed)
    };
    desk.unchanging(true).await;
    let ask = match desk.parting() {
        Some(Parting::Ask(ask)) => *ask,
        Some(Parting::Stale(why)) => return failed(room, NotReady::refused(why)).await,
        Some(Parting::Host(why)) => return failed(room, NotReady::host(why)).await,
        None => {
            let why = "it stopped in the middle of a call and nobody knows why; this is a fault of sandgate";
            return failed(room, NotReady::host(why.to_owned())).await;
        }
    };
    let Some(tape) = tape else {
        let why =
            "it would have to wait for a person, and was not recorded; this is a fault of sandgate";
        return failed(room, NotReady::host(why.to_owned())).await;
    };
    let tape = match crate::attempt::put(shared, desk.segment(tape.take())).await {
        Ok(digest) => digest,
        Err(why) => return failed(room, NotReady::host(why)).await,
    };
    let event = Event::Suspended {
        by,
        ask,
        tape,
        took,
    };
    Parted::Suspended(Box::new(Stopped { event, room }))
}

/// Ends the use of directories after work that did not end well. Of recorded work that the host takes down because it
/// stops they are kept, but for those that the work could change: what it changed since its last recorded call is in them
/// and not on its tape, so that it cannot go on there.
pub(crate) async fn leave(shared: &Shared, room: Option<Room>, recorded: bool, grants: &Grants) {
    let Some(room) = room else {
        return;
    };
    if recorded && shared.stopping() && !changes(grants) {
        if let Err(why) = room.park().await {
            tracing::warn!(%why, "directories of an interrupted attempt are not kept");
        }
        return;
    }
    room.discard().await;
}

/// Whether work with these grants can change directories of its own.
pub(crate) fn changes(grants: &Grants) -> bool {
    grants.workspace.is_own() && grants.files.iter().any(|f| f.mode == FileMode::Write)
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
) -> Result<Ready, NotReady> {
    if *grants != Grants::default() {
        let now = shared.project_now().await.map_err(NotReady::refused)?;
        still_allowed(&now, caller.who, grants).map_err(NotReady::refused)?;
    }
    let recorded = grants.may_wait();
    // What it did before each wait is done again from the tape, and takes time as well; so it has its time once more for
    // that, but not for ever.
    if caller.restore.is_some_and(|r| r.took >= timeout) {
        return Err(NotReady {
            class: FailureClass::Timeout,
            message: format!(
                "it was at work for longer than its timeout of {}, the time in which it waited for people not counted",
                crate::answer::span(timeout)
            ),
        });
    }
    let tape = match (recorded, caller.restore) {
        (false, _) => None,
        (true, None) => Some(Tape::recording()),
        (true, Some(restore)) => {
            let mut segments = Vec::with_capacity(restore.tape.len());
            for digest in &restore.tape {
                let bytes = crate::attempt::get(shared, *digest).await;
                segments.push(bytes.map_err(NotReady::host)?);
            }
            if let Some(first) = segments.first_mut() {
                *first = crate::effects::without_preface(first).to_vec();
            }
            let tape = Tape::resume(&segments).map_err(|error| {
                NotReady::host(format!(
                    "it cannot be taken up where it stopped: {}",
                    crate::chain(&error)
                ))
            })?;
            Some(tape)
        }
    };
    let facts = Facts {
        run: caller.run,
        who: caller.who.to_owned(),
        plugin: caller.name.clone(),
        component: plugin.component.digest(),
        policy: policy(&shared.project, caller.who, grants).map_err(NotReady::refused)?,
    };
    let deadline = Duration::from_millis(timeout.0);
    let sink = Arc::new(CallSink {
        run: caller.run,
        who: caller.who.to_owned(),
        task: caller.task.cloned(),
        clock: shared.clock,
        log: shared.log(caller.run),
        notices: shared.notices.clone(),
    });
    let keep = match (recorded, caller.restore) {
        (false, _) => Keep::No,
        (true, None) => Keep::New,
        // Nothing of it is on the tape, so it begins anew, and with new directories.
        (true, Some(restore)) if restore.tape.is_empty() => Keep::New,
        (true, Some(restore)) if restore.ahead => Keep::Ahead,
        (true, Some(_)) => Keep::Again,
    };
    let key = room_key(caller.run, caller.by);
    let room = Room::open(shared, caller.run, key, caller.who, grants, keep)
        .await
        .map_err(|why| match keep {
            Keep::Again | Keep::Ahead => NotReady::host(why),
            Keep::No | Keep::New => NotReady::refused(why),
        })?;
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
    let Minted { mut powers, desk } = mint(
        shared,
        Minting {
            run: caller.run,
            by: caller.by,
            facts,
            grants,
            allowance: caller.allowance,
            inbox: caller.inbox,
            sink: Arc::clone(&sink),
            deadline: Instant::now() + deadline,
            dirs: room.as_ref().map(Room::command_dirs).unwrap_or_default(),
            caps: Caps {
                network: low(project.network, own.network),
                tokens: low(project.tokens, own.tokens),
                // What is on the tape counts, too.
                effects: low(project.effects, own.effects)
                    .saturating_sub(caller.restore.map_or(0, |r| r.calls.into())),
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
            tape: tape.clone(),
        },
    };
    if let Some(tape) = &tape {
        let desk = Arc::clone(&desk);
        tape.on_change(Box::new(move || Box::pin(desk.changing())));
    }
    Ok(Ready {
        call,
        room,
        desk,
        tape,
    })
}

/// Digest of all that project and operator offer at this moment: an approval is bound to it, so that a policy that
/// changed meanwhile is noticed.
pub(crate) fn policy(
    project: &crate::project::Project,
    who: &str,
    grants: &Grants,
) -> Result<Digest, String> {
    let offered = offered(&project.as_it_is()?, who, grants)?;
    let bytes = serde_json::to_vec(&offered)
        .map_err(|error| format!("the policy cannot be written down: {error}"))?;
    Ok(Digest::of(&bytes))
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
    /// The one that was read last: its bytes were checked against its name.
    last: Mutex<Option<(Digest, Arc<Vec<u8>>)>>,
}

/// A source of exactly these artifacts.
pub(crate) fn readable(
    shared: &Arc<Shared>,
    readable: &BTreeMap<String, Artifact>,
) -> Arc<dyn ArtifactSource> {
    Arc::new(Stored {
        shared: Arc::clone(shared),
        readable: readable.clone(),
        last: Mutex::default(),
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
        let kept = lock(&self.last).clone();
        let bytes = match kept.filter(|(digest, _)| *digest == artifact.digest) {
            Some((_, bytes)) => bytes,
            None => {
                // All of it, so that what is handed on is what the name says.
                let bytes = self.shared.artifacts.get(&artifact.digest);
                let bytes = Arc::new(bytes.map_err(|error| crate::chain(&error))?);
                *lock(&self.last) = Some((artifact.digest, Arc::clone(&bytes)));
                bytes
            }
        };
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let to = from.saturating_add(length as usize).min(bytes.len());
        Ok(bytes.get(from..to).unwrap_or_default().to_vec())
    }
}
