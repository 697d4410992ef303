//! Stands in for the host in native unit tests: artifacts in memory, log lines collected, commands, models, servers
//! and people played by closures. What a test does not grant is refused, as by the host. Each thread has its own, so
//! tests may run side by side. Not there in a component.
//!
//! ```
//! use sandgate_plugin::{artifacts, testing};
//!
//! let bench = testing::Bench::new().artifact("draft.email", "text/markdown", "Dear John");
//! let (answer, bench) = bench.run(|| artifacts::read_text("draft.email"));
//! assert_eq!(answer.unwrap(), "Dear John");
//! assert!(bench.written().is_empty());
//! ```

use crate::Task;
use crate::artifacts::{ArtifactError, Info};
use crate::log::Level;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;

mod powers;

use powers::Powers;
pub(crate) use powers::{
    allowed_commands, ask, available_models, budget_left, charge, generate, run_command, send,
};

/// An artifact in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The claimed media type.
    pub media_type: String,
    /// The digest the host would say; empty unless a test sets it.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Written {
    /// The bytes as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// What the host would give and take.
#[derive(Default, Debug)]
pub struct Bench {
    readable: BTreeMap<String, Written>,
    written: BTreeMap<String, Written>,
    produces: Option<Vec<String>>,
    logged: Vec<(Level, String)>,
    roots: Vec<String>,
    powers: Powers,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::default();
}

impl Bench {
    /// No artifacts; anything may be written.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers an artifact, `TASK.NAME`, for reading.
    #[must_use]
    pub fn artifact(mut self, name: &str, media_type: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.readable.insert(
            name.to_owned(),
            Written {
                media_type: media_type.to_owned(),
                digest: String::new(),
                bytes: bytes.as_ref().to_vec(),
            },
        );
        self
    }

    /// Says the digest of an artifact that was offered; digests are the host's business, nothing here computes one.
    #[must_use]
    pub fn digest(mut self, name: &str, digest: &str) -> Self {
        if let Some(artifact) = self.readable.get_mut(name) {
            digest.clone_into(&mut artifact.digest);
        }
        self
    }

    /// Grants a directory of this machine.
    #[must_use]
    pub fn root(mut self, path: &str) -> Self {
        self.roots.push(path.to_owned());
        self
    }

    /// Refuses to write anything but these, as the host does.
    #[must_use]
    pub fn produces(mut self, names: &[String]) -> Self {
        self.produces = Some(names.to_vec());
        self
    }

    /// Runs `work` with this bench in the place of the host, and gives the bench back.
    pub fn run<T>(self, work: impl FnOnce() -> T) -> (T, Self) {
        BENCH.with(|bench| bench.replace(self));
        let answer = work();
        (answer, BENCH.with(RefCell::take))
    }

    /// What was written, by name.
    #[must_use]
    pub fn written(&self) -> &BTreeMap<String, Written> {
        &self.written
    }

    /// The log.
    #[must_use]
    pub fn logged(&self) -> &[(Level, String)] {
        &self.logged
    }
}

/// A first attempt at a task with this input.
#[must_use]
pub fn task(input: &Value, produces: &[&str]) -> Task {
    Task {
        id: "test".to_owned(),
        attempt: 1,
        idempotency_key: "test-key".to_owned(),
        input: input.to_string(),
        produces: produces.iter().map(|name| (*name).to_owned()).collect(),
    }
}

pub(crate) fn logged(level: Level, message: &str) {
    BENCH.with_borrow_mut(|bench| bench.logged.push((level, message.to_owned())));
}

pub(crate) fn roots() -> Vec<String> {
    BENCH.with_borrow(|bench| bench.roots.clone())
}

pub(crate) fn list() -> Vec<Info> {
    BENCH.with_borrow(|bench| {
        bench
            .readable
            .iter()
            .map(|(name, artifact)| Info {
                name: name.clone(),
                digest: artifact.digest.clone(),
                size: artifact.bytes.len() as u64,
                media_type: artifact.media_type.clone(),
            })
            .collect()
    })
}

pub(crate) fn read(name: &str) -> Result<Vec<u8>, ArtifactError> {
    BENCH.with_borrow(|bench| {
        bench
            .readable
            .get(name)
            .map(|artifact| artifact.bytes.clone())
            .ok_or_else(|| ArtifactError::NotFound(name.to_owned()))
    })
}

pub(crate) fn write(name: &str, media_type: &str, bytes: &[u8]) -> Result<(), ArtifactError> {
    BENCH.with_borrow_mut(|bench| {
        let allowed = bench
            .produces
            .as_ref()
            .is_none_or(|names| names.iter().any(|allowed| allowed == name));
        if !allowed {
            return Err(ArtifactError::NotAllowed(name.to_owned()));
        }
        bench.written.insert(
            name.to_owned(),
            Written {
                media_type: media_type.to_owned(),
                digest: String::new(),
                bytes: bytes.to_vec(),
            },
        );
        Ok(())
    })
}
