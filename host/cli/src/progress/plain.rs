//! Progress without a terminal: a line for each thing that happened, or a JSON document.

use super::Tracker;
use crate::ui::{Look, json_line, stderr};
use sandgate_driver::Notice;
use sandgate_engine::Run;
use serde_json::json;

/// Lines for people.
#[derive(Debug)]
pub(crate) struct Plain {
    tracker: Tracker,
    look: Look,
    /// What is told while somebody else uses the terminal.
    held: Option<String>,
}

impl Plain {
    pub(super) fn new(look: Look) -> Self {
        Self {
            tracker: Tracker::default(),
            look,
            held: None,
        }
    }

    pub(super) fn know(&mut self, run: Run) {
        self.tracker.know(run);
    }

    pub(super) fn notice(&mut self, notice: &Notice) {
        let lines = self.tracker.lines(notice, &self.look);
        if !lines.is_empty() {
            self.say(&lines.join("\n"));
        }
    }

    /// Writes a line, or keeps it.
    pub(super) fn say(&mut self, text: &str) {
        match &mut self.held {
            Some(held) => held.push_str(&format!("{text}\n")),
            None => stderr(&format!("{text}\n")),
        }
    }

    pub(super) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    pub(super) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            stderr(&held);
        }
    }
}

/// Lines for programs: the same documents as `events` and `logs` write.
#[derive(Debug)]
pub(crate) struct JsonLines;

impl JsonLines {
    pub(super) fn notice(&self, notice: &Notice) {
        let line = match notice {
            Notice::Event {
                run,
                seq,
                at,
                event,
            } => json_line(
                "sandgate.event/1",
                json!({ "run": run, "seq": seq, "at": at, "event": event }),
            ),
            Notice::Log { run, line } => {
                json_line("sandgate.log/1", json!({ "run": run, "line": line }))
            }
            Notice::Progress {
                run,
                task,
                message,
                permille,
            } => json_line(
                "sandgate.progress/1",
                json!({ "run": run, "task": task, "message": message, "permille": permille }),
            ),
            Notice::Fault { run, message } => json_line(
                "sandgate.fault/1",
                json!({ "run": run, "message": message }),
            ),
        };
        if let Ok(line) = line {
            stderr(&line);
        }
    }
}
