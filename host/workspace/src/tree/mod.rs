//! Files of a workspace of the attempt's own: what may be in it, writing it, copying into it.

mod copy;
mod link;
mod write;

pub(crate) use copy::copy;
pub(crate) use link::stays;
pub(crate) use write::{Stamp, WriteError, Writer};

use std::{fmt, path::Path};

/// Something that a workspace does not have, or that was not kept of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// Path relative to the project's directory (a copy) or the repository (a worktree).
    pub path: String,
    /// Why.
    pub why: SkipReason,
}

/// Why something was left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SkipReason {
    /// A symbolic link to an absolute path, or out of the root.
    LinkLeaves,
    /// A pipe, a socket or a device.
    NotAFile,
    /// The state directory.
    State,
    /// On a file system of the kernel's.
    Special,
    /// It became something else while it was copied.
    Changed,
    /// A submodule: its files are another repository's.
    Submodule,
    /// A name that git refuses, such as `.git`.
    GitRefuses,
}

impl SkipReason {
    /// Every reason, with the word for it in records. The words never change.
    const WORDS: [(Self, &'static str); 7] = [
        (Self::LinkLeaves, "link-leaves"),
        (Self::NotAFile, "not-a-file"),
        (Self::State, "state"),
        (Self::Special, "special"),
        (Self::Changed, "changed"),
        (Self::Submodule, "submodule"),
        (Self::GitRefuses, "git-refuses"),
    ];

    pub(crate) fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(why, _)| *why == self);
        found.map_or("", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(_, w)| *w == word);
        found.map(|(why, _)| *why)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinkLeaves => "a symbolic link that leads out",
            Self::NotAFile => "not a file, a directory or a link",
            Self::State => "the state directory",
            Self::Special => "on a file system of the kernel",
            Self::Changed => "changed while it was copied",
            Self::Submodule => "a submodule",
            Self::GitRefuses => "a name that git refuses",
        })
    }
}

/// What was left out. Keeps the first thousand by name, which is more than anybody reads, and counts on.
#[derive(Clone, Default, Debug)]
pub(crate) struct Skips {
    named: Vec<Skipped>,
    count: u64,
}

/// How many are kept by name.
const NAMED: usize = 1000;

impl Skips {
    pub(crate) fn add(&mut self, path: &Path, why: SkipReason) {
        self.count = self.count.saturating_add(1);
        if self.named.len() < NAMED {
            self.named.push(Skipped {
                path: path.to_string_lossy().into_owned(),
                why,
            });
        }
    }

    /// What [`Self::named`] and [`Self::count`] said.
    pub(crate) fn again(named: Vec<Skipped>, count: u64) -> Self {
        Self { named, count }
    }

    pub(crate) fn named(&self) -> &[Skipped] {
        &self.named
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}
