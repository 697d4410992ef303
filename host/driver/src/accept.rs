//! What was accepted: the lock file, and whether what a workflow's plugins may do now goes beyond it. Decides nothing
//! by itself: the comparison is the workflow crate's, and a person says yes.

use crate::{plugins::Plugins, project::Project};
use sandgate_model::PluginName;
use sandgate_workflow::{
    Catalog, Diagnostics, Imports, Lock, LockDiff, Source, compare, read_lock,
};
use std::{
    collections::BTreeSet,
    io::{self, Read as _, Write as _},
    path::PathBuf,
};

/// The lock file, beside the project's file.
pub const LOCK_FILE: &str = "sandgate.lock";

/// Largest lock file that is read, in bytes: a thousand plugins with a hundred lines each.
const LOCK_MAX: u64 = 16 << 20;

/// What was accepted, and what it would be now.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// What the lock file says; `None`: there is none, so nothing was ever accepted.
    pub accepted: Option<Lock>,
    /// What the plugins at hand may do now.
    pub now: Lock,
    /// The difference, over the plugins at hand.
    pub diff: LockDiff,
}

/// Why the lock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read or written.
    #[error("{} cannot be used", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// It has mistakes.
    #[error("{LOCK_FILE} has mistakes")]
    Invalid(Diagnostics),
}

impl Acceptance {
    /// Compares the lock with what `names` may do now. Only plugins that the project's file names take part: the gates
    /// that ship with sandgate come and go with it.
    ///
    /// # Errors
    /// When the lock cannot be read or has mistakes: then nothing counts as accepted, and nothing may run.
    pub async fn of(
        project: &Project,
        plugins: &Plugins,
        names: &BTreeSet<PluginName>,
    ) -> Result<Self, LockError> {
        let named: BTreeSet<PluginName> = names
            .iter()
            .filter(|name| project.names_plugin(name))
            .cloned()
            .collect();
        let (catalog, _) = plugins.catalog(&named).await;
        let imports = imports(plugins, &catalog).await;
        let now = Lock::of(project.file(), &catalog, &imports);
        let accepted = read(project)?;
        let mut before = accepted.clone().unwrap_or_default();
        before.plugins.retain(|name, _| named.contains(name));
        let diff = compare(&before, &now);
        Ok(Self {
            accepted,
            now,
            diff,
        })
    }

    /// Whether a person has to accept it first. A project without a lock was never accepted, and its first use accepts
    /// what its own file says.
    #[must_use]
    pub fn wider(&self) -> bool {
        self.accepted.is_some() && self.diff.wider()
    }

    /// Whether the lock file would change.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.accepted.is_none() || !self.diff.is_empty()
    }

    /// Writes what is now into the lock. Plugins that are not at hand stay as they were accepted.
    ///
    /// # Errors
    /// When it cannot be written; the old one is whole then.
    pub fn accept(&self, project: &Project) -> Result<(), LockError> {
        let mut lock = self.accepted.clone().unwrap_or_default();
        lock.plugins
            .retain(|name, _| project.file().plugins.contains_key(name));
        lock.plugins.extend(self.now.plugins.clone());
        let path = project.dir().join(LOCK_FILE);
        let io = |error| LockError::Io(path.clone(), error);
        // Beside it and then over it: whoever reads sees the old one or the new one.
        let new = project.dir().join(format!("{LOCK_FILE}.new"));
        let mut file = std::fs::File::create(&new).map_err(io)?;
        file.write_all(lock.to_toml().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(io)
    }
}

/// The interfaces that each component imports.
pub async fn imports(plugins: &Plugins, catalog: &Catalog) -> Imports {
    let mut imports = Imports::new();
    for name in catalog.plugins.keys() {
        if let Some(Ok(plugin)) = plugins.load(name).await {
            imports.insert(name.clone(), plugin.component.imports().to_vec());
        }
    }
    imports
}

fn read(project: &Project) -> Result<Option<Lock>, LockError> {
    let path = project.dir().join(LOCK_FILE);
    let io = |error| LockError::Io(path.clone(), error);
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut text = String::new();
    file.take(LOCK_MAX).read_to_string(&mut text).map_err(io)?;
    let (lock, problems) = read_lock(&Source::new(LOCK_FILE, text));
    match lock {
        Some(lock) if !problems.has_errors() => Ok(Some(lock)),
        _ => Err(LockError::Invalid(problems)),
    }
}
