//! `sandgate.lock`: which plugins were accepted, with which authority. Written by the host, read back strictly.

use sandgate_model::{Digest, NeedKind, PluginName};
use std::{collections::BTreeMap, fmt::Write as _};

/// Version of the format.
pub const LOCK_VERSION: u32 = 1;

/// The words for needs in files, in the order of the kinds.
pub(crate) const NEED_WORDS: &[&str] = &[
    "files-read",
    "files-write",
    "http",
    "exec",
    "model",
    "secrets",
    "question",
    "budget",
];

const NEED_KINDS: &[NeedKind] = &[
    NeedKind::FilesRead,
    NeedKind::FilesWrite,
    NeedKind::Http,
    NeedKind::Exec,
    NeedKind::Model,
    NeedKind::Secrets,
    NeedKind::Question,
    NeedKind::Budget,
];

/// The kind that a word means.
pub(crate) fn need_kind(word: &str) -> Option<NeedKind> {
    NEED_WORDS
        .iter()
        .position(|w| *w == word)
        .and_then(|i| NEED_KINDS.get(i))
        .copied()
}

fn need_word(kind: NeedKind) -> &'static str {
    NEED_KINDS
        .iter()
        .position(|k| *k == kind)
        .and_then(|i| NEED_WORDS.get(i))
        .copied()
        .unwrap_or("")
}

/// A plugin as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPlugin {
    /// Digest of the component.
    pub digest: Digest,
    /// Authority that was accepted, sorted.
    pub needs: Vec<NeedKind>,
}

/// A lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Plugins, by name in the project.
    pub plugins: BTreeMap<PluginName, LockedPlugin>,
}

impl Lock {
    /// The text of the file. Equal locks have equal texts.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out = format!("# Written by sandgate; do not edit.\nversion = {LOCK_VERSION}\n");
        for (name, plugin) in &self.plugins {
            let needs: Vec<String> = plugin
                .needs
                .iter()
                .map(|n| format!("\"{}\"", need_word(*n)))
                .collect();
            // Names, digests and words hold no character that TOML would have to escape.
            let _ = write!(
                out,
                "\n[[plugin]]\nname = \"{name}\"\ndigest = \"{}\"\nneeds = [{}]\n",
                plugin.digest,
                needs.join(", ")
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let needs = NEED_KINDS.to_vec();
        let mut lock = Lock::default();
        lock.plugins.insert(
            PluginName::new("a").unwrap(),
            LockedPlugin {
                digest: Digest::of(b"a"),
                needs,
            },
        );
        lock.plugins.insert(
            PluginName::new("b.c-d").unwrap(),
            LockedPlugin {
                digest: Digest::of(b"b"),
                needs: vec![],
            },
        );
        let (read, problems) =
            crate::read_lock(&crate::Source::new("sandgate.lock", lock.to_toml()));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(read.unwrap(), lock);
    }
}
