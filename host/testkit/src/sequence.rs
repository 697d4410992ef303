//! A sequence of events in a file: what a failing simulation leaves behind, and what `sandgate-replay` steps through.
//! JSON Lines: a header, then one `(moment, event)` a line. The last event may be one that the engine has to refuse.

use sandgate_engine::{Event, Illegal, Run};
use sandgate_model::{Moment, RunId};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// The header's `$type`; counted up when the form changes.
const SEQUENCE_TYPE: &str = "sandgate.sequence/1";

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "$type")]
    kind: String,
    run: RunId,
    why: String,
}

/// Events of one run, and why they were kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Sequence {
    /// The run.
    pub run: RunId,
    /// What went wrong at the last event.
    pub why: String,
    /// The events.
    pub events: Vec<(Moment, Event)>,
}

/// A sequence that cannot be read, written or replayed.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// The file.
    #[error("cannot use {}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("line {line} is not {expected}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What it should be.
        expected: &'static str,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// There is no header, or no event.
    #[error("the file has no header and no first event")]
    Empty,
    /// Written in another form.
    #[error("the file is a `{0}`, not a `{SEQUENCE_TYPE}`")]
    Format(String),
}

impl Sequence {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a sequence.
    pub fn read(path: &Path) -> Result<Self, SequenceError> {
        let text = fs::read_to_string(path).map_err(|source| SequenceError::File {
            path: path.to_owned(),
            source,
        })?;
        let bad = |line: usize, expected: &'static str| {
            move |source| SequenceError::Line {
                line,
                expected,
                source,
            }
        };
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().ok_or(SequenceError::Empty)?;
        let header: Header = serde_json::from_str(first).map_err(bad(1, "a header"))?;
        if header.kind != SEQUENCE_TYPE {
            return Err(SequenceError::Format(header.kind));
        }
        let events = lines
            .map(|(at, line)| {
                serde_json::from_str(line).map_err(bad(at + 1, "a moment and an event"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            run: header.run,
            why: header.why,
            events,
        })
    }

    /// Writes a file, and the directories above it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SequenceError> {
        self.try_write(path).map_err(|source| SequenceError::File {
            path: path.to_owned(),
            source,
        })
    }

    fn try_write(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = BufWriter::new(fs::File::create(path)?);
        let header = Header {
            kind: SEQUENCE_TYPE.to_owned(),
            run: self.run,
            why: self.why.clone(),
        };
        serde_json::to_writer(&mut file, &header)?;
        writeln!(file)?;
        for event in &self.events {
            serde_json::to_writer(&mut file, event)?;
            writeln!(file)?;
        }
        file.flush()
    }
}

/// The state that some events add up to.
///
/// # Errors
/// An event that is not possible where it stands; `None` when there is no first event.
pub(crate) fn replay(run: RunId, events: &[(Moment, Event)]) -> Result<Run, Option<Illegal>> {
    let ((at, first), rest) = events.split_first().ok_or(None)?;
    let (mut state, _) = Run::create(run, *at, first).map_err(Some)?;
    for (at, event) in rest {
        state.step(*at, event).map_err(Some)?;
    }
    Ok(state)
}
