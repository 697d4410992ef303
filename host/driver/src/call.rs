//! From a plan's grants and the project's limits to a call of the sandbox.

use crate::{
    local::{CallSink, Shared},
    notice::{LogLevel, LogSource},
    plugins::Plugin,
};
use sandgate_model::{Artifact, FileMode, Grants, Millis, RunId, TaskId};
use sandgate_sandbox::{
    ArtifactSource, Call, CancelToken, Limits, Preopen, Progress, ReadableArtifact, Sink, Turn,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Who calls: for the log and the progress line.
pub(crate) struct Caller<'a> {
    pub(crate) run: RunId,
    pub(crate) who: &'a str,
    pub(crate) task: Option<&'a TaskId>,
    /// The role's limits; the project's are put over them.
    pub(crate) limits: Limits,
}

/// A call of `plugin` with these grants. Directories are opened here, through the project's own handle, so that
/// what was granted is what is used.
///
/// # Errors
/// When a granted directory cannot be opened.
pub(crate) fn prepare(
    shared: &Shared,
    caller: &Caller<'_>,
    plugin: &Plugin,
    grants: &Grants,
    timeout: Millis,
    cancel: &CancelToken,
) -> Result<Call, String> {
    let mut files = Vec::with_capacity(grants.files.len());
    for grant in &grants.files {
        let dir = shared.root.open_dir(&grant.host).map_err(|error| {
            format!(
                "the granted directory `{}` cannot be opened: {error}; create it, or change `files` under \
                 [policy] in sandgate.toml",
                grant.host
            )
        })?;
        files.push(Preopen {
            dir: Arc::new(dir),
            guest: grant.guest.clone(),
            write: grant.mode == FileMode::Write,
        });
    }
    let project = shared.project.file().limits;
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let limits = Limits {
        deadline: Duration::from_millis(timeout.0),
        memory: size(project.memory),
        output_bytes: size(project.output),
        log_bytes: size(project.log),
        artifact_bytes: size(project.artifact),
        ..caller.limits.clone()
    };
    let sink = CallSink {
        run: caller.run,
        who: caller.who.to_owned(),
        task: caller.task.cloned(),
        clock: shared.clock,
        log: shared.log(caller.run),
        notices: shared.notices.clone(),
    };
    Ok(Call {
        component: Arc::clone(&plugin.component),
        files,
        turn: Turn {
            limits,
            cancel: cancel.clone(),
            sink: Arc::new(sink),
        },
    })
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
