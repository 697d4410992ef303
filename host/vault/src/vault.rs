//! The vault: reads a value when it is first wanted and gives it to its target only.

use crate::{
    error::{SpecError, VaultError},
    read::{Surroundings, from_command, from_file},
    redact::Redactor,
    spec::{SecretFrom, SecretSpec},
    value::checked,
};
use sandgate_model::SecretTarget;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// The secrets of one project. Share it in an `Arc`.
pub struct Vault {
    entries: BTreeMap<String, Entry>,
    project: PathBuf,
    /// Only the variables that a specification names.
    variables: BTreeMap<String, Zeroizing<Vec<u8>>>,
    around: Surroundings,
}

struct Entry {
    from: SecretFrom,
    to: Vec<SecretTarget>,
    value: OnceLock<Zeroizing<Vec<u8>>>,
    /// Held while it is read, so that ten tasks run a command once.
    reading: Mutex<()>,
}

impl Vault {
    /// A vault over these secrets. Reads nothing yet.
    ///
    /// `env` is the environment as the embedder sees it; of it only the variables that a secret names are kept, and
    /// a few that a secret's command needs (`HOME`, `XDG_RUNTIME_DIR`, …). Relative files are below `project_dir`,
    /// and commands start there.
    ///
    /// # Errors
    /// A name with two sources; an empty command.
    pub fn new(
        specs: Vec<SecretSpec>,
        project_dir: &Path,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SpecError> {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for SecretSpec { name, from, to } in specs {
            if matches!(&from, SecretFrom::Command(argv) if argv.is_empty()) {
                return Err(SpecError::EmptyCommand(name));
            }
            let entry = entries.entry(name.clone()).or_insert_with(|| Entry {
                from: from.clone(),
                to: Vec::new(),
                value: OnceLock::new(),
                reading: Mutex::new(()),
            });
            if entry.from != from {
                return Err(SpecError::TwoSources(name));
            }
            if !entry.to.contains(&to) {
                entry.to.push(to);
            }
        }
        let mut around = Surroundings::new(project_dir);
        let mut variables = BTreeMap::new();
        for (name, value) in env {
            let Ok(name) = name.into_string() else {
                continue;
            };
            around.offer(&name, &value);
            let wanted = |e: &Entry| matches!(&e.from, SecretFrom::Env(v) if *v == name);
            if entries.values().any(wanted) {
                variables.insert(name, Zeroizing::new(value.into_vec()));
            }
        }
        Ok(Self {
            entries,
            project: project_dir.to_path_buf(),
            variables,
            around,
        })
    }

    /// The value, for exactly this purpose. The first use reads it, which may take 10 s when it comes from a command;
    /// a read that failed is tried again at the next use. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// There is no such secret, it is bound to another target, it cannot be read, or what was read is no secret.
    pub async fn reveal(
        &self,
        name: &str,
        purpose: &SecretTarget,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let entry = self.bound(name, purpose)?;
        if let Some(value) = entry.value.get() {
            return Ok(value.clone());
        }
        let _alone = entry.reading.lock().await;
        if let Some(value) = entry.value.get() {
            return Ok(value.clone());
        }
        let read = match &entry.from {
            SecretFrom::Env(variable) => self
                .variables
                .get(variable)
                .cloned()
                .ok_or_else(|| crate::ReadError::NoVariable(variable.clone())),
            SecretFrom::File(path) => from_file(&self.project, path),
            SecretFrom::Command(argv) => from_command(argv, &self.around).await,
        };
        let value = read.map_err(|source| VaultError::Read {
            name: name.to_owned(),
            source,
        })?;
        let value = checked(value).map_err(|source| VaultError::Value {
            name: name.to_owned(),
            source,
        })?;
        Ok(entry.value.get_or_init(|| value).clone())
    }

    /// The value when it has been read before, for callers that cannot wait.
    ///
    /// # Errors
    /// As [`Vault::reveal`], and [`VaultError::NotRead`].
    pub fn ready(
        &self,
        name: &str,
        purpose: &SecretTarget,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.bound(name, purpose)?
            .value
            .get()
            .cloned()
            .ok_or_else(|| VaultError::NotRead(name.to_owned()))
    }

    /// Finds every value that has been read so far. A value that was never read cannot have come from here.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        let values: Vec<&[u8]> = self
            .entries
            .values()
            .filter_map(|e| e.value.get().map(|v| v.as_slice()))
            .collect();
        Redactor::of_checked(&values)
    }

    fn bound(&self, name: &str, purpose: &SecretTarget) -> Result<&Entry, VaultError> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| VaultError::Unknown(name.to_owned()))?;
        if entry.to.contains(purpose) {
            return Ok(entry);
        }
        let allowed: Vec<String> = entry.to.iter().map(words).collect();
        Err(VaultError::OtherTarget {
            name: name.to_owned(),
            wanted: words(purpose),
            allowed: allowed.join(", "),
        })
    }
}

fn words(target: &SecretTarget) -> String {
    match target {
        SecretTarget::Origin(origin) => format!("`{origin}`"),
        SecretTarget::Exec(rule) => format!("the command rule `{rule}`"),
        SecretTarget::Provider(provider) => format!("the provider `{provider}`"),
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}
