//! `sandgate.lock`: which plugins were accepted, with which authority. Written by the host, read back strictly.

pub(crate) mod diff;

pub use diff::{Change, LockDiff, PluginDiff, PluginState, compare};

use crate::{Catalog, Project};
use sandgate_authority::plugin_lines;
use sandgate_model::{Digest, NeedKind, PluginName};
use std::{collections::BTreeMap, fmt::Write as _};

/// Version of the format. Version 1 had neither imports nor authority; what it does not say was not accepted.
pub const LOCK_VERSION: u32 = 2;

/// Interfaces that components import, by plugin; from the binaries.
pub type Imports = BTreeMap<PluginName, Vec<String>>;

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
    /// Kinds of authority that it asks for, sorted.
    pub needs: Vec<NeedKind>,
    /// Interfaces that it imports, sorted.
    pub imports: Vec<String>,
    /// What it can get at most in this project, sorted; see [`sandgate_authority::plugin_lines`].
    pub authority: Vec<String>,
}

/// A lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Plugins, by name in the project.
    pub plugins: BTreeMap<PluginName, LockedPlugin>,
}

impl Lock {
    /// The lock that would accept everything as it is now: the plugins of the catalog, what they ask for and import,
    /// and what policy and operator let them have.
    #[must_use]
    pub fn of(project: &Project, catalog: &Catalog, imports: &Imports) -> Self {
        let plugin = |name: &PluginName, entry: &crate::CatalogEntry| {
            let needs = &entry.description.needs;
            let mut kinds: Vec<NeedKind> = needs.iter().map(|n| n.kind).collect();
            kinds.sort();
            kinds.dedup();
            let mut imports = imports.get(name).cloned().unwrap_or_default();
            imports.sort();
            imports.dedup();
            LockedPlugin {
                digest: entry.digest,
                needs: kinds,
                imports,
                authority: plugin_lines(needs, &project.policy, project.operator.as_ref()),
            }
        };
        Self {
            plugins: catalog
                .plugins
                .iter()
                .map(|(name, entry)| (name.clone(), plugin(name, entry)))
                .collect(),
        }
    }

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
            list(&mut out, "imports", &plugin.imports);
            list(&mut out, "authority", &plugin.authority);
        }
        out
    }
}

/// One text a line, so that version control shows what changed.
fn list(out: &mut String, key: &str, texts: &[String]) {
    if texts.is_empty() {
        let _ = writeln!(out, "{key} = []");
        return;
    }
    let _ = writeln!(out, "{key} = [");
    for text in texts {
        let _ = writeln!(out, "    {},", quoted(text));
    }
    out.push_str("]\n");
}

/// A text as TOML writes it, in ASCII.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
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
                imports: vec!["wasi:io/poll@0.2.0".to_owned()],
                authority: vec![
                    "exec x: \"a\\\\b\" ü".to_owned(),
                    "files-read /a".to_owned(),
                ],
            },
        );
        lock.plugins.insert(
            PluginName::new("b.c-d").unwrap(),
            LockedPlugin {
                digest: Digest::of(b"b"),
                needs: vec![],
                imports: vec![],
                authority: vec![],
            },
        );
        let (read, problems) =
            crate::read_lock(&crate::Source::new("sandgate.lock", lock.to_toml()));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(read.unwrap(), lock);
    }
}
