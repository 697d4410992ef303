//! What changed since a lock was accepted, and whether it is wider. Must not render: it gives data.
//!
//! Wider is whatever was not accepted: a plugin, a kind of authority that one asks for, an interface that it can call, a
//! line of authority; and a denial or an approval that is gone. Another digest alone is not wider: the plugin changed,
//! and what it may do did not.

use super::{Lock, LockedPlugin};
use sandgate_authority::{APPROVAL, DENY, need_word};
use sandgate_model::{Digest, NeedKind, PluginName};
use std::collections::BTreeMap;

/// Interfaces that give no authority: they compute, tell the time, and say what the host shows or keeps within its
/// caps. A name that ends in `/` stands for all interfaces of the package.
const HARMLESS: &[&str] = &[
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:io/",
    "wasi:random/",
    "sandgate:plugin/artifacts",
    "sandgate:plugin/log",
    "sandgate:plugin/progress",
    "sandgate:plugin/types",
];

/// What was added and what was removed; both sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// Now, and not accepted.
    pub added: Vec<T>,
    /// Accepted, and no more.
    pub removed: Vec<T>,
}

impl<T> Default for Change<T> {
    fn default() -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
        }
    }
}

impl<T: Clone + PartialEq> Change<T> {
    fn between(old: &[T], new: &[T]) -> Self {
        let without = |a: &[T], b: &[T]| a.iter().filter(|x| !b.contains(x)).cloned().collect();
        Self {
            added: without(new, old),
            removed: without(old, new),
        }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// What became of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginState {
    /// Not in the lock.
    New,
    /// In the lock alone.
    Gone,
    /// In both, and different.
    Changed,
    /// In both, and equal.
    Same,
}

impl PluginState {
    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::Same => "same",
        }
    }
}

/// What changed of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginDiff {
    /// What became of it.
    pub state: PluginState,
    /// The accepted digest and the one now, where both are there and differ.
    pub digest: Option<(Digest, Digest)>,
    /// Kinds of authority that it asks for.
    pub needs: Change<NeedKind>,
    /// Interfaces that it imports.
    pub imports: Change<String>,
    /// Lines of authority.
    pub authority: Change<String>,
    /// What was not accepted: a lowercase fragment each; empty when nothing is wider.
    pub wider: Vec<String>,
}

/// What changed of all plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockDiff {
    /// By name in the project; plugins that did not change are in it.
    pub plugins: BTreeMap<PluginName, PluginDiff>,
}

impl LockDiff {
    /// Whether anything has to be accepted.
    #[must_use]
    pub fn wider(&self) -> bool {
        self.plugins.values().any(|p| !p.wider.is_empty())
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plugins.values().all(|p| p.state == PluginState::Same)
    }
}

/// Compares what was accepted with what is.
#[must_use]
pub fn compare(accepted: &Lock, now: &Lock) -> LockDiff {
    let nothing = |digest| LockedPlugin {
        digest,
        needs: Vec::new(),
        imports: Vec::new(),
        authority: Vec::new(),
    };
    let mut plugins = BTreeMap::new();
    for (name, new) in &now.plugins {
        let diff = match accepted.plugins.get(name) {
            Some(old) if old == new => plugin(PluginState::Same, old, new),
            Some(old) => plugin(PluginState::Changed, old, new),
            None => plugin(PluginState::New, &nothing(new.digest), new),
        };
        plugins.insert(name.clone(), diff);
    }
    for (name, old) in &accepted.plugins {
        if !now.plugins.contains_key(name) {
            let diff = plugin(PluginState::Gone, old, &nothing(old.digest));
            plugins.insert(name.clone(), diff);
        }
    }
    LockDiff { plugins }
}

fn plugin(state: PluginState, old: &LockedPlugin, new: &LockedPlugin) -> PluginDiff {
    let needs = Change::between(&old.needs, &new.needs);
    let imports = Change::between(&old.imports, &new.imports);
    let authority = Change::between(&old.authority, &new.authority);
    let mut wider = Vec::new();
    if state == PluginState::New {
        wider.push("the plugin was not accepted".to_owned());
    }
    for kind in &needs.added {
        wider.push(format!("it asks for `{}`", need_word(*kind)));
    }
    let had: Vec<&str> = old.imports.iter().map(|i| unversioned(i)).collect();
    for import in &imports.added {
        let name = unversioned(import);
        if !harmless(name) && !had.contains(&name) {
            wider.push(format!("it can call `{import}`"));
        }
    }
    wider.extend(lines(old, new, &authority));
    PluginDiff {
        state,
        digest: (old.digest != new.digest).then_some((old.digest, new.digest)),
        needs,
        imports,
        authority,
        wider,
    }
}

fn lines(old: &LockedPlugin, new: &LockedPlugin, change: &Change<String>) -> Vec<String> {
    let mut wider = Vec::new();
    for line in &change.added {
        // A line that only takes away, and the same line with an approval, give nothing new.
        let accepted = |l: &str| old.authority.iter().any(|o| o == l);
        let narrower = line.starts_with(DENY) || line.strip_suffix(APPROVAL).is_some_and(accepted);
        if !narrower {
            wider.push(format!("it may get `{line}`"));
        }
    }
    for line in &change.removed {
        let gives = |l: &&String| !l.starts_with(DENY);
        if let Some(rest) = line.strip_prefix(DENY) {
            // Without the kind there is nothing that the denial would take away.
            let kind = rest.split(' ').next().unwrap_or_default();
            if new.authority.iter().filter(gives).any(|l| first(l) == kind) {
                wider.push(format!("`{line}` does not hold any more"));
            }
        } else if line.ends_with(APPROVAL) {
            // Of what several rules allow the strictest rule holds: when it goes, the others hold.
            let free = |l: &&String| {
                matches!(first(l), "exec" | "model" | "http")
                    && first(l) == first(line)
                    && !l.ends_with(APPROVAL)
                    && !change.added.contains(l)
            };
            if new.authority.iter().any(|l| free(&l)) {
                wider.push(format!("`{line}` does not hold any more"));
            }
        }
    }
    wider
}

fn first(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// An interface without its version: a newer one of the same is not another capability.
pub(crate) fn unversioned(import: &str) -> &str {
    import.split_once('@').map_or(import, |(name, _)| name)
}

/// Whether an interface, without its version, gives no authority.
pub(crate) fn harmless(name: &str) -> bool {
    HARMLESS
        .iter()
        .any(|h| *h == name || (h.ends_with('/') && name.starts_with(h)))
}
