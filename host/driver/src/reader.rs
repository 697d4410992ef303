//! Looking at a project: works beside the host that drives it, and when none does. Changes nothing.

use crate::{
    logs,
    notice::LogLine,
    project::Project,
    record::{ReplayError, decode, replay},
    signals::{self, project_stream},
};
use cap_std::{ambient_authority, fs::Dir};
use sandgate_engine::{Event, Inbox, Outcome, Run, RunState};
use sandgate_journal::{
    ArtifactError, ArtifactStore, OpenError, ReadError, ReadStore, Record, SqliteReader, Verified,
};
use sandgate_model::{Digest, Moment, RunId};
use serde::{Deserialize, Serialize};
use std::{io, path::PathBuf};

/// Records read at a time.
const CHUNK: usize = 4096;

/// Where the log files are, in the state directory.
pub(crate) const LOGS_DIR: &str = "logs";

/// A run in a list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunRow {
    /// Its id.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The file it came from.
    pub file: String,
    /// Where it is.
    pub state: RunState,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Whether it is paused.
    pub paused: bool,
    /// When it was asked for.
    pub created: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// How many tasks it has.
    pub tasks: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// What it cost so far, in millionths.
    #[serde(default)]
    pub spent_micros: u64,
    /// What it holds of the project's budget: all it may cost while it goes on, what it cost once it has ended.
    #[serde(default)]
    pub held_micros: u64,
}

/// A row as it is kept beside the journal, so that a list need not replay every run that ever was. Only believed
/// when the run has no later record.
#[derive(Serialize, Deserialize)]
struct KeptRow {
    last_seq: u64,
    row: RunRow,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record does not fit.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The artifact store cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A file cannot be read.
    #[error("{} cannot be read", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// The reading half of a project's state.
pub struct Reader {
    journal: SqliteReader,
    state_dir: PathBuf,
}

impl Reader {
    /// Opens the state of `project`.
    ///
    /// # Errors
    /// [`OpenError::Absent`] when nothing has run yet; a journal that cannot be read.
    pub fn open(project: &Project) -> Result<Self, LookError> {
        let state_dir = project.state_dir();
        Ok(Self {
            journal: SqliteReader::open(&state_dir)?,
            state_dir,
        })
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRow>, LookError> {
        let mut rows = Vec::new();
        for span in self.journal.runs()? {
            // Records of no run.
            if span.run == project_stream() {
                continue;
            }
            // What was kept is only a shortcut: anything odd about it, and the run is replayed.
            let kept = self.journal.meta(&row_key(span.run)).ok().flatten();
            let kept = kept.and_then(|bytes| serde_json::from_slice::<KeptRow>(&bytes).ok());
            match kept {
                Some(kept) if kept.last_seq == span.last_seq && kept.row.run == span.run => {
                    rows.push(kept.row);
                }
                _ => rows.push(row(&self.run(span.run)?)),
            }
        }
        Ok(rows)
    }

    /// The state of a run.
    ///
    /// # Errors
    /// When there is no such run, or its records do not fit together.
    pub fn run(&self, id: RunId) -> Result<Run, LookError> {
        Ok(replay(id, &self.records(id, 0)?)?)
    }

    /// The records of a run after sequence number `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn records(&self, id: RunId, after: u64) -> Result<Vec<Record>, LookError> {
        let mut records: Vec<Record> = Vec::new();
        loop {
            let from = records.last().map_or(after, |r| r.seq);
            let more = self.journal.read_run(id, from, CHUNK)?;
            let full = more.len() == CHUNK;
            records.extend(more);
            if !full {
                return Ok(records);
            }
        }
    }

    /// The events of a run after sequence number `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn events(&self, id: RunId, after: u64) -> Result<Vec<(u64, Moment, Event)>, LookError> {
        self.records(id, after)?
            .iter()
            .map(|record| Ok((record.seq, record.at, decode(record)?)))
            .collect()
    }

    /// The signals of the project.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn signals(&self) -> Result<Inbox, LookError> {
        Ok(signals::inbox(&self.records(project_stream(), 0)?)?)
    }

    /// The canonical bytes of what is put to people, checked against their digest.
    ///
    /// # Errors
    /// When they are not there, or are not what their name says.
    pub fn bytes(&self, digest: &Digest) -> Result<Vec<u8>, LookError> {
        self.artifact(digest)
    }

    /// The log of a run, oldest line first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn logs(&self, id: RunId) -> Result<Vec<LogLine>, LookError> {
        let path = self.state_dir.join(LOGS_DIR);
        let read = || {
            let dir = match Dir::open_ambient_dir(&path, ambient_authority()) {
                Ok(dir) => dir,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            logs::read(&dir, id)
        };
        read().map_err(|error| LookError::Io(path.clone(), error))
    }

    /// The bytes of an artifact or of a stored output.
    ///
    /// # Errors
    /// When it is not there, or its bytes are not what its name says.
    pub fn artifact(&self, digest: &Digest) -> Result<Vec<u8>, LookError> {
        Ok(ArtifactStore::open_existing(&self.state_dir)?.get(digest)?)
    }

    /// Checks the whole journal.
    ///
    /// # Errors
    /// The first damage.
    pub fn verify(&self) -> Result<Verified, LookError> {
        Ok(self.journal.verify()?)
    }
}

/// The row of a run.
#[must_use]
pub fn row(run: &Run) -> RunRow {
    let mut tasks = 0;
    let mut succeeded = 0;
    for task in run.tasks() {
        tasks += 1;
        succeeded += usize::from(task.state == sandgate_engine::TaskState::Succeeded);
    }
    RunRow {
        run: run.id(),
        workflow: run.workflow().to_string(),
        file: run.file().to_owned(),
        state: run.state(),
        outcome: run.outcome(),
        paused: run.paused(),
        created: run.created(),
        ended: run.ended(),
        tasks,
        succeeded,
        spent_micros: run.spent().micros,
        held_micros: match run.limit().micros {
            Some(limit) if !run.state().ended() => limit,
            _ => run.spent().micros,
        },
    }
}

fn row_key(run: RunId) -> String {
    format!("run-row:{run}")
}

/// The row to keep for a run that ended, under its key.
pub(crate) fn kept_row(run: &Run, last_seq: u64) -> Option<(String, Vec<u8>)> {
    let kept = KeptRow {
        last_seq,
        row: row(run),
    };
    serde_json::to_vec(&kept)
        .ok()
        .map(|bytes| (row_key(run.id()), bytes))
}
