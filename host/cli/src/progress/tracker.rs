//! Runs as they are after each notice.

use crate::{
    ui::{Look, line},
    view::event,
};
use sandgate_driver::{LogLevel, LogLine, Notice};
use sandgate_engine::{Event, Run};
use sandgate_model::{Moment, RunId};
use std::collections::BTreeMap;

/// The runs.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    runs: BTreeMap<RunId, Run>,
}

impl Tracker {
    /// Takes note of a run that exists already.
    pub(crate) fn know(&mut self, run: Run) {
        self.runs.insert(run.id(), run);
    }

    /// One of them.
    pub(crate) fn get(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// Takes an event in. Answers with the run, or with nothing when the event is of a run whose beginning was not
    /// seen; then there is nothing to say about it.
    pub(crate) fn step(&mut self, id: RunId, at: Moment, event: &Event) -> Option<&Run> {
        if let Some(run) = self.runs.get_mut(&id) {
            // The driver has applied the same event to the same state, so it fits.
            run.step(at, event).ok()?;
        } else {
            let (run, _) = Run::create(id, at, event).ok()?;
            self.runs.insert(id, run);
        }
        self.runs.get(&id)
    }

    /// All of them.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// How many there are: with more than one, lines say which run they are about.
    pub(crate) fn many(&self) -> bool {
        self.runs.len() > 1
    }

    /// The lines for people that a notice is worth.
    pub(crate) fn lines(&mut self, notice: &Notice, look: &Look) -> Vec<String> {
        let mut out = Vec::new();
        let many = self.many();
        match notice {
            Notice::Event {
                run: id, at, event, ..
            } => {
                let Some(run) = self.step(*id, *at, event) else {
                    return out;
                };
                let head = head(*id, *at, many, look);
                let line = event::line(event, run, look);
                if line.main {
                    out.push(format!("{head}{}", line.text));
                    out.extend(line.below.iter().map(|l| format!("{:9}  {l}", "")));
                }
                if run.state().ended()
                    && let Some(end) = event::run_ended(run, look)
                {
                    out.push(format!("{head}{end}"));
                }
            }
            Notice::Log { run, line } if line.level >= LogLevel::Warn => {
                out.push(format!(
                    "{}{}",
                    head(*run, line.at, many, look),
                    log(line, look)
                ));
            }
            Notice::Log { .. } | Notice::Progress { .. } => {}
            Notice::Fault { run, message } => out.push(format!(
                "{} run {} is no longer driven: {}",
                look.bad("fault:"),
                run.short(),
                line(message)
            )),
        }
        out
    }
}

fn head(run: RunId, at: Moment, many: bool, look: &Look) -> String {
    let time = look.dim(look.zone.clock(at));
    if many {
        format!("{time} {} ", look.dim(run.short()))
    } else {
        format!("{time} ")
    }
}

/// A plugin's line, marked as such: nothing a plugin writes stands before the bar.
pub(crate) fn log(line: &LogLine, look: &Look) -> String {
    let level = match line.level {
        LogLevel::Debug => look.dim("debug"),
        LogLevel::Info => "info".to_owned(),
        LogLevel::Warn => look.warn("warn"),
        LogLevel::Error => look.bad("error"),
    };
    let who = look.bold(crate::ui::Esc(&line.who));
    format!(
        "{who} {level} | {}",
        crate::ui::line(line.text.trim_end_matches('\n'))
    )
}
