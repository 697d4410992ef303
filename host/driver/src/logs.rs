//! Plugin output on disk: one file of JSON Lines a run, `logs/RUN.jsonl` in the state directory. Not part of the
//! journal: a line may be lost in a crash, and no state depends on one.

use crate::notice::LogLine;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use sandgate_model::RunId;
use std::{
    io::{BufRead, BufReader, BufWriter, Write},
    sync::Mutex,
};

/// Most bytes of log a run keeps. One attempt is bounded at 1 MiB; this bounds a run of many attempts.
const RUN_MAX: u64 = 64 << 20;

/// The open log of one run.
#[derive(Debug)]
pub(crate) struct RunLog(Mutex<State>);

#[derive(Debug)]
struct State {
    file: BufWriter<cap_std::fs::File>,
    size: u64,
}

fn file_name(run: RunId) -> String {
    format!("{run}.jsonl")
}

impl RunLog {
    /// Opens the log of `run` for appending.
    pub(crate) fn open(logs: &Dir, run: RunId) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let file = logs.open_with(file_name(run), &options)?;
        let size = file.metadata()?.len();
        Ok(Self(Mutex::new(State {
            file: BufWriter::new(file),
            size,
        })))
    }

    /// Appends a line. A line that cannot be written is dropped: a log must never stop the work.
    pub(crate) fn write(&self, line: &LogLine) {
        let Ok(mut text) = serde_json::to_vec(line) else {
            return;
        };
        text.push(b'\n');
        let Ok(mut state) = self.0.lock() else { return };
        let size = state.size.saturating_add(text.len() as u64);
        if size > RUN_MAX {
            return;
        }
        if state.file.write_all(&text).is_ok() {
            state.size = size;
        }
    }

    /// Hands buffered lines to the kernel, so that other processes see them.
    pub(crate) fn flush(&self) {
        if let Ok(mut state) = self.0.lock() {
            // A full disk shows where it matters, in the journal; a log line is not worth stopping for.
            drop(state.file.flush());
        }
    }
}

/// The lines of a run, oldest first. A line cut by a crash is left out.
pub(crate) fn read(logs: &Dir, run: RunId) -> std::io::Result<Vec<LogLine>> {
    let file = match logs.open(file_name(run)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut lines = Vec::new();
    for line in BufReader::new(file).lines() {
        if let Ok(line) = serde_json::from_str(&line?) {
            lines.push(line);
        }
    }
    Ok(lines)
}
