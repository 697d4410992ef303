//! What a caller asks for: which component, with which authority, under which limits.

use crate::{CancelToken, Component, Limits, Powers, Sink, Tape};
use cap_std::fs::Dir;
use sandgate_model::ArtifactName;
use serde_json::Value;
use std::sync::Arc;

/// One call, or one session with its opening.
#[derive(Clone)]
pub struct Call {
    /// The plugin.
    pub component: Arc<Component>,
    /// Directories it may see. When there is none, `wasi:filesystem` is not linked at all.
    pub files: Vec<Preopen>,
    /// Limits, cancellation, where its words go, and what it can do outside.
    pub turn: Turn,
}

/// What changes from one use of a live session to the next.
#[derive(Clone)]
pub struct Turn {
    /// The caps.
    pub limits: Limits,
    /// Takes it down.
    pub cancel: CancelToken,
    /// Where log lines and progress go.
    pub sink: Arc<dyn Sink>,
    /// What it can do outside; each interface is linked only when its port is there. A live session was linked when
    /// it was opened: a later turn brings its own ports, and has to bring the same ones.
    pub powers: Powers,
    /// Records what the host answers, and replays it. `None`: nothing is recorded, and a call that is suspended cannot
    /// be made again from where it was. Not for sessions that stay.
    pub tape: Option<Tape>,
}

/// A granted directory. The handle was opened when the grant was made: whatever happens to the path since then,
/// the guest sees this directory.
#[derive(Clone)]
pub struct Preopen {
    /// The directory.
    pub dir: Arc<Dir>,
    /// Absolute path under which the guest sees it.
    pub guest: String,
    /// Whether it may change anything in it.
    pub write: bool,
    /// Whether names that make other programs run code ([`crate::PROTECTED`]) stay as they are: for directories that
    /// outlive the attempt, such as those of a shared workspace.
    pub protect: bool,
}

/// One task for an agent.
#[derive(Clone)]
pub struct TaskRequest {
    /// Id in the plan.
    pub id: String,
    /// Which try, from 1.
    pub attempt: u32,
    /// Equal for all attempts at the same piece of work.
    pub idempotency_key: String,
    /// Input, templates filled in.
    pub input: Value,
    /// Artifacts it must make; it can make no other.
    pub produces: Vec<ArtifactName>,
    /// Artifacts it can read.
    pub artifacts: Arc<dyn ArtifactSource>,
}

/// What a gate verifies.
#[derive(Clone)]
pub struct Subject {
    /// The goal.
    pub goal: String,
    /// The run's inputs, a JSON object.
    pub inputs: Value,
    /// The tasks that succeeded, in plan order.
    pub tasks: Vec<FinishedTask>,
    /// Artifacts it can read.
    pub artifacts: Arc<dyn ArtifactSource>,
}

/// A finished task.
#[derive(Clone, Debug)]
pub struct FinishedTask {
    /// Its id.
    pub id: String,
    /// Its output.
    pub output: Value,
    /// Artifacts it made, `TASK.NAME`.
    pub artifacts: Vec<String>,
}

/// An artifact that a call can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadableArtifact {
    /// `TASK.NAME`.
    pub name: String,
    /// Digest of the bytes.
    pub digest: sandgate_model::Digest,
    /// Size in bytes.
    pub size: u64,
    /// Media type its producer claims.
    pub media_type: String,
}

/// Gives a call exactly the artifacts it may read.
pub trait ArtifactSource: Send + Sync {
    /// What can be read. Called once in a call, when the guest first asks; must not block.
    fn list(&self) -> Vec<ReadableArtifact>;

    /// At most `length` bytes (never more than 1 MiB) from `offset`; empty at the end. Called on a thread that may
    /// block, and only with names that [`ArtifactSource::list`] gives.
    ///
    /// # Errors
    /// Why the store could not give the bytes; the guest sees the text.
    fn read(&self, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, String>;
}

/// No artifacts at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoArtifacts;

impl ArtifactSource for NoArtifacts {
    fn list(&self) -> Vec<ReadableArtifact> {
        Vec::new()
    }

    fn read(&self, name: &str, _offset: u64, _length: u32) -> Result<Vec<u8>, String> {
        Err(format!("there is no artifact {name}"))
    }
}
