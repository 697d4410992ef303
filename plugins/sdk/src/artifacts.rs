//! Artifacts: named bytes from task to task. An agent reads what its task consumes and writes what its task
//! produces; a gate reads what the run produced.

#[cfg(target_arch = "wasm32")]
use crate::bindings::host::sandgate::plugin::artifacts as host;
use crate::{PluginError, Result};
use std::fmt;

/// Most bytes of one call over the component boundary; the contract says so.
#[cfg(target_arch = "wasm32")]
const CHUNK: usize = 1 << 20;

/// An artifact that can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Info {
    /// `TASK.NAME`.
    pub name: String,
    /// SHA-256 of the bytes, `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// Media type its producer claims.
    pub media_type: String,
}

/// Why an artifact could not be read or written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ArtifactError {
    /// No artifact of that name can be read here.
    NotFound(String),
    /// The task does not declare it in `produces`, or it is no artifact name.
    NotAllowed(String),
    /// Over the limit, which is in bytes.
    TooLarge(u64),
    /// The host could not store or load it.
    Host(String),
    /// The bytes are not UTF-8 text.
    NotText(String),
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(name) => write!(
                f,
                "artifact `{name}` cannot be read here; name it in `consumes` of the task"
            ),
            Self::NotAllowed(name) => write!(
                f,
                "artifact `{name}` may not be written; name it in `produces` of the task"
            ),
            Self::TooLarge(limit) => write!(f, "the artifact is over the limit of {limit} bytes"),
            Self::Host(text) => write!(f, "the host could not handle the artifact: {text}"),
            Self::NotText(name) => write!(f, "artifact `{name}` is not UTF-8 text"),
        }
    }
}

impl std::error::Error for ArtifactError {}

/// Only a failure of the host may pass by itself.
impl From<ArtifactError> for PluginError {
    fn from(error: ArtifactError) -> Self {
        let text = error.to_string();
        match error {
            ArtifactError::NotFound(_) | ArtifactError::NotAllowed(_) => Self::Unavailable(text),
            ArtifactError::TooLarge(_) | ArtifactError::NotText(_) => Self::Permanent(text),
            ArtifactError::Host(_) => Self::Failed(text),
        }
    }
}

/// What can be read, sorted by name.
#[must_use]
pub fn list() -> Vec<Info> {
    #[cfg(target_arch = "wasm32")]
    return host::list_artifacts()
        .into_iter()
        .map(|info| Info {
            name: info.name,
            digest: info.digest,
            size: info.size,
            media_type: info.media_type,
        })
        .collect();
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::list()
}

/// Reads a whole artifact, `TASK.NAME`, into memory.
///
/// # Errors
/// [`ArtifactError::NotFound`] when the task does not consume it, [`ArtifactError::Host`] when the host could not.
pub fn read(name: &str) -> std::result::Result<Vec<u8>, ArtifactError> {
    #[cfg(target_arch = "wasm32")]
    {
        let mut bytes = Vec::new();
        loop {
            let chunk = host::read(name, bytes.len() as u64, CHUNK as u32)
                .map_err(|error| from_host(name, error))?;
            if chunk.is_empty() {
                return Ok(bytes);
            }
            // The first chunk is mostly the whole artifact: take it over instead of copying.
            if bytes.is_empty() {
                bytes = chunk;
            } else {
                bytes.extend_from_slice(&chunk);
            }
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::read(name)
}

/// Reads a whole artifact as text.
///
/// # Errors
/// As for [`read`], and [`ArtifactError::NotText`].
pub fn read_text(name: &str) -> std::result::Result<String, ArtifactError> {
    String::from_utf8(read(name)?).map_err(|_| ArtifactError::NotText(name.to_owned()))
}

/// Writes a whole artifact of this task, replacing what it wrote before. `name` is as in `produces`, without
/// the task.
///
/// # Errors
/// [`ArtifactError::NotAllowed`] when the task does not produce it, [`ArtifactError::TooLarge`] over the limit.
pub fn write(
    name: &str,
    media_type: &str,
    bytes: impl AsRef<[u8]>,
) -> std::result::Result<(), ArtifactError> {
    #[cfg(target_arch = "wasm32")]
    {
        let mut chunks = bytes.as_ref().chunks(CHUNK);
        host::write(name, media_type, chunks.next().unwrap_or_default())
            .map_err(|error| from_host(name, error))?;
        for chunk in chunks {
            host::append(name, chunk).map_err(|error| from_host(name, error))?;
        }
        Ok(())
    }
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::write(name, media_type, bytes.as_ref())
}

/// Writes an artifact when the task declares it, and says whether it did.
///
/// # Errors
/// As for [`write`].
pub fn write_declared(
    task: &crate::Task,
    name: &str,
    media_type: &str,
    bytes: impl AsRef<[u8]>,
) -> Result<bool> {
    if !task.produces(name) {
        return Ok(false);
    }
    write(name, media_type, bytes)?;
    Ok(true)
}

#[cfg(target_arch = "wasm32")]
fn from_host(name: &str, error: host::ArtifactError) -> ArtifactError {
    match error {
        host::ArtifactError::NotFound => ArtifactError::NotFound(name.to_owned()),
        host::ArtifactError::NotAllowed(_) => ArtifactError::NotAllowed(name.to_owned()),
        host::ArtifactError::TooLarge(limit) => ArtifactError::TooLarge(limit),
        host::ArtifactError::Host(text) => ArtifactError::Host(text),
    }
}
