//! Bytes by their SHA-256.
//!
//! `artifacts/ab/cdef…` holds the object whose digest is `abcdef…`; the name is only ever made from a [`Digest`], never
//! from text that came from outside. An object appears under its name whole and durable or not at all: it is written
//! and flushed under another name in `artifacts/tmp`, then renamed, then its directory is flushed.
//!
//! Must not delete an object, and must not give out bytes that do not match their name where it reads them whole.

use crate::durable::sync_dir_at;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, FileExt, OpenOptions, OpenOptionsExt};
use sandgate_model::Digest;
use std::collections::{BTreeSet, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Directory of the objects in the state directory.
const ARTIFACTS: &str = "artifacts";
/// Directory of unfinished objects in it. Not a name an object's directory can have: those are two hex digits.
const TMP: &str = "tmp";
/// Objects never change, so not even their owner may write them.
const READ_ONLY: u32 = 0o400;
/// How many digests are remembered as durable before the memory is given back: 32 bytes each.
const KNOWN_MAX: usize = 1 << 16;

/// An object could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// There is no such object.
    #[error("there is no artifact {digest}")]
    Missing {
        /// The digest asked for.
        digest: Digest,
    },
    /// The object is not what was stored.
    #[error(
        "{} is damaged: it holds other bytes than its name says; restore it from a backup, or move it away and run \
         the task again", path.display()
    )]
    Damaged {
        /// The digest asked for.
        digest: Digest,
        /// The file.
        path: PathBuf,
    },
    /// The disk is full; nothing was stored.
    #[error("the disk is full, could not store {}", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file operation failed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// The objects of a project. Can be shared between threads.
#[derive(Debug)]
pub struct ArtifactStore {
    root: Dir,
    /// For messages only; nothing is opened by it.
    path: PathBuf,
    next_tmp: AtomicU64,
    /// Objects this store has made durable, so that storing one again costs nothing.
    known: Mutex<HashSet<Digest>>,
}

impl ArtifactStore {
    /// Opens the store in the state directory `dir`, creating it when it is not there, and removes what an earlier
    /// process left unfinished. For the process that holds the project's lock.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(dir: &Path) -> Result<Self, ArtifactError> {
        let path = dir.join(ARTIFACTS);
        let io = |action| {
            let path = path.clone();
            move |source| failed(action, path, source)
        };
        let state = Dir::open_ambient_dir(dir, ambient_authority()).map_err(io("open"))?;
        if ensure_dir(&state, ARTIFACTS).map_err(io("create"))? {
            sync_dir_at(&state).map_err(io("make durable"))?;
        }
        let store = Self::at(&state, path.clone())?;
        ensure_dir(&store.root, TMP).map_err(io("create"))?;
        for entry in store.root.read_dir(TMP).map_err(io("read"))? {
            let entry = entry.map_err(io("read"))?;
            entry.remove_file().map_err(io("clean"))?;
        }
        Ok(store)
    }

    /// Opens an existing store for reading, beside the process that writes it. [`put`](Self::put) works only when
    /// nobody else opens the store, so do not use it here.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn open_existing(dir: &Path) -> Result<Self, ArtifactError> {
        let path = dir.join(ARTIFACTS);
        let state = Dir::open_ambient_dir(dir, ambient_authority())
            .map_err(|e| failed("open", path.clone(), e))?;
        Self::at(&state, path)
    }

    fn at(state: &Dir, path: PathBuf) -> Result<Self, ArtifactError> {
        Ok(Self {
            root: state
                .open_dir(ARTIFACTS)
                .map_err(|e| failed("open", path.clone(), e))?,
            path,
            next_tmp: AtomicU64::new(0),
            known: Mutex::default(),
        })
    }

    /// Stores bytes; they are durable when it returns. Storing what is there already is cheap.
    ///
    /// # Errors
    /// When they could not be made durable.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, ArtifactError> {
        self.put_many(&[bytes])?
            .pop()
            .ok_or_else(|| failed("store", self.path.clone(), io::ErrorKind::Other.into()))
    }

    /// Stores several objects and flushes each directory once. The digests come in the order of the bytes.
    ///
    /// # Errors
    /// When not all could be made durable; some may have been.
    pub fn put_many(&self, objects: &[&[u8]]) -> Result<Vec<Digest>, ArtifactError> {
        let digests: Vec<Digest> = objects.iter().map(|bytes| Digest::of(bytes)).collect();
        let mut dirs = BTreeSet::new();
        let mut new_dir = false;
        for (digest, bytes) in digests.iter().zip(objects) {
            if self.is_known(digest) && self.size(digest)? == Some(bytes.len() as u64) {
                continue;
            }
            let name = Name::of(digest);
            if self.size(digest)? != Some(bytes.len() as u64) {
                new_dir |= self.write(&name, bytes)?;
            }
            // Also when it was there: the process that made it may have died before it flushed the directory.
            dirs.insert(name.dir);
        }
        for dir in &dirs {
            self.root
                .open_dir(dir)
                .and_then(|dir| sync_dir_at(&dir))
                .map_err(|e| failed("flush", self.path.join(dir), e))?;
        }
        if new_dir {
            sync_dir_at(&self.root).map_err(|e| failed("flush", self.path.clone(), e))?;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > KNOWN_MAX {
            known.clear();
        }
        known.extend(&digests);
        Ok(digests)
    }

    fn is_known(&self, digest: &Digest) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(digest)
    }

    /// Writes an object; says whether its directory is new.
    fn write(&self, name: &Name, bytes: &[u8]) -> Result<bool, ArtifactError> {
        let number = self.next_tmp.fetch_add(1, Ordering::Relaxed);
        let tmp = format!("{TMP}/{}-{number}", std::process::id());
        let result = self.write_tmp(&tmp, bytes).and_then(|()| {
            let new = ensure_dir(&self.root, &name.dir)?;
            self.root.rename(&tmp, &self.root, name.path())?;
            Ok(new)
        });
        result.map_err(|source| {
            // Best effort: the next open cleans up too.
            let _ = self.root.remove_file(&tmp);
            failed("store", self.path.join(name.path()), source)
        })
    }

    fn write_tmp(&self, tmp: &str, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(READ_ONLY);
        let mut file = self.root.open_with(tmp, &options)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// The bytes of an object, checked.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], [`ArtifactError::Damaged`], or a failure to read.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
        let name = Name::of(digest);
        let bytes = self
            .root
            .read(name.path())
            .map_err(|e| self.read_error(digest, e))?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(self.damaged(digest))
        }
    }

    /// Whether the object is there.
    ///
    /// # Errors
    /// A failure to look.
    pub fn has(&self, digest: &Digest) -> Result<bool, ArtifactError> {
        Ok(self.size(digest)?.is_some())
    }

    /// The size of an object in bytes; `None` when it is not there.
    ///
    /// # Errors
    /// A failure to look.
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>, ArtifactError> {
        match self.root.symlink_metadata(Name::of(digest).path()) {
            Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
            Ok(_) => Err(self.damaged(digest)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.read_error(digest, e)),
        }
    }

    /// Up to `len` bytes from `offset`; fewer only at the end. A part cannot be checked against the digest: call
    /// [`check`](Self::check) first when it matters.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], or a failure to read.
    pub fn read_at(
        &self,
        digest: &Digest,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, ArtifactError> {
        let file = self.file(digest)?;
        let read = || {
            let rest = file.metadata()?.len().saturating_sub(offset);
            // Never more than there is, whatever the caller asks for.
            let len = usize::try_from(rest).map_or(len, |rest| rest.min(len));
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        };
        read().map_err(|e| self.read_error(digest, e))
    }

    /// Reads a whole object and checks it, without keeping it in memory. Returns its size.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn check(&self, digest: &Digest) -> Result<u64, ArtifactError> {
        self.copy(digest, &mut io::sink())
    }

    /// Writes an object to a file of the user's, replacing it. The file appears whole and checked, or not at all.
    ///
    /// # Errors
    /// As [`get`](Self::get), or a failure to write `path`.
    pub fn export(&self, digest: &Digest, path: &Path) -> Result<u64, ArtifactError> {
        // Missing or damaged is found before anything of the user's is touched.
        self.check(digest)?;
        crate::export::replace(path, |file| self.copy(digest, file))
    }

    /// Copies an object, checking it; an error of `to` counts as one of reading.
    fn copy(&self, digest: &Digest, to: &mut dyn Write) -> Result<u64, ArtifactError> {
        let mut file = self.file(digest)?;
        let (found, size) =
            crate::export::copy_hashed(&mut file, to).map_err(|e| self.read_error(digest, e))?;
        if found == *digest {
            Ok(size)
        } else {
            Err(self.damaged(digest))
        }
    }

    fn file(&self, digest: &Digest) -> Result<File, ArtifactError> {
        self.root
            .open(Name::of(digest).path())
            .map_err(|e| self.read_error(digest, e))
    }

    fn read_error(&self, digest: &Digest, source: io::Error) -> ArtifactError {
        if source.kind() == io::ErrorKind::NotFound {
            return ArtifactError::Missing { digest: *digest };
        }
        failed("read", self.path.join(Name::of(digest).path()), source)
    }

    fn damaged(&self, digest: &Digest) -> ArtifactError {
        ArtifactError::Damaged {
            digest: *digest,
            path: self.path.join(Name::of(digest).path()),
        }
    }
}

pub(crate) fn failed(action: &'static str, path: PathBuf, source: io::Error) -> ArtifactError {
    if matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        ArtifactError::DiskFull { path, source }
    } else {
        ArtifactError::Io {
            action,
            path,
            source,
        }
    }
}

/// Where an object lies, relative to the store.
struct Name {
    dir: String,
    file: String,
}

impl Name {
    fn of(digest: &Digest) -> Self {
        let mut dir = digest.hex();
        let file = dir.split_off(2);
        Self { dir, file }
    }

    fn path(&self) -> String {
        format!("{}/{}", self.dir, self.file)
    }
}

/// Makes a private directory when it is not there; says whether it did.
fn ensure_dir(parent: &Dir, name: &str) -> io::Result<bool> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match parent.create_dir_with(name, &builder) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}
