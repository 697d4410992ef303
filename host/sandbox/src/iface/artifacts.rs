//! `sandgate:plugin/artifacts`: linked for agents and gates. A guest reads what its source lists and writes what its
//! task produces, in memory, within the call's limits. Must not touch the artifact store.

use crate::bindings::sandgate::plugin::artifacts::{
    ArtifactError, ArtifactInfo, Host, add_to_linker,
};
use crate::limiter::Limiter;
use crate::state::State;
use crate::{ArtifactSource, Limits, NewArtifact, NoArtifacts, ReadableArtifact};
use sandgate_model::ArtifactName;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::{HasSelf, Linker};

/// Most bytes in one read or write. Bounds what the host copies at a time.
pub(crate) const CHUNK: usize = 1 << 20;

/// Longest media type: the RFC allows 127 characters for each half, and nobody uses them.
const MEDIA_TYPE_MAX: usize = 127;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_to_linker::<State, HasSelf<State>>(linker, State::count)
}

/// A call's artifacts: what it can read and what it wrote.
pub(crate) struct Desk {
    source: Arc<dyn ArtifactSource>,
    /// What the source lists, sorted; asked for at most once.
    listed: Option<Vec<ReadableArtifact>>,
    may_write: Vec<ArtifactName>,
    written: BTreeMap<ArtifactName, (String, Vec<u8>)>,
    bytes: usize,
    bytes_max: usize,
    artifacts_max: usize,
}

impl Desk {
    /// Nothing to read, nothing to write.
    pub(crate) fn closed() -> Self {
        Self::read_only(Arc::new(NoArtifacts))
    }

    /// For gates.
    pub(crate) fn read_only(source: Arc<dyn ArtifactSource>) -> Self {
        Self {
            source,
            listed: None,
            may_write: Vec::new(),
            written: BTreeMap::new(),
            bytes: 0,
            bytes_max: 0,
            artifacts_max: 0,
        }
    }

    /// For agents.
    pub(crate) fn open(
        source: Arc<dyn ArtifactSource>,
        may_write: Vec<ArtifactName>,
        limits: &Limits,
    ) -> Self {
        Self {
            may_write,
            bytes_max: limits.artifact_bytes,
            artifacts_max: limits.artifacts,
            ..Self::read_only(source)
        }
    }

    /// What was written, by name, and what is missing.
    pub(crate) fn close(self) -> (Vec<NewArtifact>, Vec<ArtifactName>) {
        let missing = self
            .may_write
            .iter()
            .filter(|name| !self.written.contains_key(*name))
            .cloned()
            .collect();
        let written = self
            .written
            .into_iter()
            .map(|(name, (media_type, bytes))| NewArtifact {
                name,
                media_type,
                bytes,
            })
            .collect();
        (written, missing)
    }

    fn listed(&mut self) -> &[ReadableArtifact] {
        self.listed.get_or_insert_with(|| {
            let mut all = self.source.list();
            all.sort_by(|a, b| a.name.cmp(&b.name));
            all
        })
    }

    /// Where to read an artifact from, if it can be read.
    fn readable(&mut self, name: &str) -> Option<Arc<dyn ArtifactSource>> {
        self.listed()
            .binary_search_by(|artifact| artifact.name.as_str().cmp(name))
            .ok()
            .map(|_| Arc::clone(&self.source))
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn allowed(&self, name: &str) -> Result<ArtifactName, ArtifactError> {
        self.may_write
            .iter()
            .find(|allowed| allowed.as_str() == name)
            .cloned()
            .ok_or_else(|| {
                let names: Vec<_> = self.may_write.iter().map(ArtifactName::as_str).collect();
                ArtifactError::NotAllowed(if names.is_empty() {
                    "this call produces no artifacts".to_owned()
                } else {
                    format!("this task produces {} and nothing else", names.join(", "))
                })
            })
    }

    fn room(&self, more: usize, limiter: &mut Limiter) -> Result<(), ArtifactError> {
        if more > CHUNK {
            return Err(ArtifactError::TooLarge(CHUNK as u64));
        }
        if self.bytes.saturating_add(more) > self.bytes_max {
            return Err(ArtifactError::TooLarge(self.bytes_max as u64));
        }
        if !limiter.hold(more) {
            return Err(ArtifactError::Host(
                "the host has no memory left for artifacts; try again later".to_owned(),
            ));
        }
        Ok(())
    }

    fn write(
        &mut self,
        name: &str,
        media_type: String,
        bytes: Vec<u8>,
        limiter: &mut Limiter,
    ) -> Result<(), ArtifactError> {
        let name = self.allowed(name)?;
        if media_type.is_empty()
            || media_type.len() > MEDIA_TYPE_MAX
            || !media_type
                .bytes()
                .all(|b| b.is_ascii_graphic() || b == b' ')
        {
            return Err(ArtifactError::NotAllowed(format!(
                "a media type is 1 to {MEDIA_TYPE_MAX} printable ASCII characters, such as text/plain"
            )));
        }
        if !self.written.contains_key(&name) && self.written.len() >= self.artifacts_max {
            return Err(ArtifactError::TooLarge(self.artifacts_max as u64));
        }
        // The old bytes make room first; when the new ones do not fit, the artifact is gone, not half replaced.
        if let Some((_, old)) = self.written.remove(&name) {
            self.bytes -= old.len();
            limiter.release(old.len());
        }
        self.room(bytes.len(), limiter)?;
        self.bytes += bytes.len();
        self.written.insert(name, (media_type, bytes));
        Ok(())
    }

    fn append(
        &mut self,
        name: &str,
        bytes: &[u8],
        limiter: &mut Limiter,
    ) -> Result<(), ArtifactError> {
        let name = self.allowed(name)?;
        if !self.written.contains_key(&name) {
            return Err(ArtifactError::NotFound);
        }
        self.room(bytes.len(), limiter)?;
        self.bytes += bytes.len();
        if let Some((_, all)) = self.written.get_mut(&name) {
            all.extend_from_slice(bytes);
        }
        Ok(())
    }
}

impl Host for State {
    fn list_artifacts(&mut self) -> wasmtime::Result<Vec<ArtifactInfo>> {
        self.may_go_on()?;
        Ok(self
            .desk
            .listed()
            .iter()
            .map(|artifact| ArtifactInfo {
                name: artifact.name.clone(),
                digest: artifact.digest.to_string(),
                size: artifact.size,
                media_type: artifact.media_type.clone(),
            })
            .collect())
    }

    async fn read(
        &mut self,
        name: String,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, ArtifactError>> {
        self.may_go_on()?;
        let Some(source) = self.desk.readable(&name) else {
            return Ok(Err(ArtifactError::NotFound));
        };
        let length = length.min(CHUNK as u32);
        let read = tokio::task::spawn_blocking(move || source.read(&name, offset, length)).await;
        Ok(match read {
            Ok(Ok(bytes)) if bytes.len() > length as usize => Err(ArtifactError::Host(
                "the artifact store gave more than was asked for".to_owned(),
            )),
            Ok(result) => result.map_err(ArtifactError::Host),
            Err(_) => Err(ArtifactError::Host(
                "reading the artifact failed inside the host".to_owned(),
            )),
        })
    }

    fn write(
        &mut self,
        name: String,
        media_type: String,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
        self.may_go_on()?;
        let (desk, limiter) = self.desk_and_limiter();
        Ok(desk.write(&name, media_type, bytes, limiter))
    }

    fn append(
        &mut self,
        name: String,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), ArtifactError>> {
        self.may_go_on()?;
        let (desk, limiter) = self.desk_and_limiter();
        Ok(desk.append(&name, &bytes, limiter))
    }
}
