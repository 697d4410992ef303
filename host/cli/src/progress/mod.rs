//! What a person sees while runs are driven. Follows the runs with the engine's own state, so that what is said to
//! wait, and why, is what the engine says. Must not ask, decide or delay anything: notices come after the fact.

mod echo;
mod live;
mod plain;
mod tracker;

pub(crate) use live::Live;
pub(crate) use plain::{JsonLines, Plain};
pub(crate) use tracker::{Tracker, log};

use crate::ui::Ui;
use sandgate_driver::Notice;
use sandgate_engine::Run;

/// Whoever is told what happens.
pub(crate) enum Progress {
    /// Nobody.
    Quiet,
    /// A pipe or a file: plain lines.
    Plain(Plain),
    /// A program: JSON Lines.
    Json(JsonLines),
    /// A person at a terminal.
    Live(Live),
}

impl Progress {
    /// What fits standard error and the user's wish.
    pub(crate) fn new(ui: &Ui) -> Self {
        match () {
            () if ui.quiet => Self::Quiet,
            () if ui.json() => Self::Json(JsonLines),
            () if ui.err_terminal && live::possible() => Self::Live(Live::start(ui.err.clone())),
            () => Self::Plain(Plain::new(ui.err.clone())),
        }
    }

    /// Takes note of a run as it is before the first notice about it.
    pub(crate) fn know(&mut self, run: Run) {
        match self {
            Self::Quiet | Self::Json(_) => {}
            Self::Plain(plain) => plain.know(run),
            Self::Live(live) => live.know(run),
        }
    }

    /// Tells it.
    pub(crate) fn notice(&mut self, notice: &Notice) {
        match self {
            Self::Quiet => {}
            Self::Plain(plain) => plain.notice(notice),
            Self::Json(json) => json.notice(notice),
            Self::Live(live) => live.notice(notice),
        }
    }

    /// Says something of the host's own in between.
    pub(crate) fn note(&mut self, ui: &Ui, text: &str) {
        match self {
            Self::Live(live) => live.note(text),
            Self::Plain(plain) => plain.say(text),
            Self::Quiet | Self::Json(_) => ui.note(text),
        }
    }

    /// Says something of the host's own, where people read.
    pub(crate) fn say(&mut self, text: &str) {
        match self {
            Self::Quiet | Self::Json(_) => {}
            Self::Plain(plain) => plain.say(text),
            Self::Live(live) => live.note(text),
        }
    }

    /// Stops drawing until [`Progress::release`], so that somebody else may use the terminal. What is told meanwhile is
    /// shown then.
    pub(crate) fn hold(&mut self) {
        match self {
            Self::Quiet | Self::Json(_) => {}
            Self::Plain(plain) => plain.hold(),
            Self::Live(live) => live.hold(),
        }
    }

    /// Goes on.
    pub(crate) fn release(&mut self) {
        match self {
            Self::Quiet | Self::Json(_) => {}
            Self::Plain(plain) => plain.release(),
            Self::Live(live) => live.release(),
        }
    }

    /// Leaves the terminal clean. Nothing is shown after this.
    pub(crate) fn finish(self) {
        if let Self::Live(live) = self {
            live.finish();
        }
    }
}
