//! What a descriptor was opened on, so that a replayed call gets that very thing again or nothing. Must not open by itself.

use super::quota::{Quota, Token};
use crate::tape::{Put, Reader, Word};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmtime_wasi::filesystem::{Descriptor, File as OpenFile};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::{FsPerms, OpenMode};

/// What was found where a guest opened a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    directory: bool,
    device: u64,
    inode: u64,
}

impl Put for Found {
    fn put(&self, out: &mut Vec<u8>) {
        (self.directory, self.device, self.inode).put(out);
    }
}

impl Word for Found {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        let (directory, device, inode) = Word::get(from)?;
        Some(Self {
            directory,
            device,
            inode,
        })
    }
}

impl Found {
    /// What a descriptor is open on. Another file of the same name is something else: a guest that renamed what it held
    /// open must not go on in whatever came in its place.
    pub(super) fn of(descriptor: &Descriptor) -> Option<Self> {
        let (file, directory) = match descriptor {
            Descriptor::File(file) => (&file.file, false),
            Descriptor::Dir(dir) => (&dir.dir, true),
        };
        let meta = file.metadata().ok()?;
        Some(Self {
            directory,
            device: meta.dev(),
            inode: meta.ino(),
        })
    }

    /// A descriptor that counts as open and is good for nothing, in the place of one that is gone.
    pub(super) fn stand_in(quota: &Quota) -> Result<Descriptor, ErrorCode> {
        let nothing = File::open("/dev/null").map_err(ErrorCode::from)?;
        let file = OpenFile::new(nothing, FsPerms::ReadOnly, OpenMode::empty(), false);
        let token: Token = file.file.clone();
        quota.opened(&token);
        Ok(Descriptor::File(file))
    }
}

/// Descriptors of a replayed call that could not be opened again, by their places in the table.
#[derive(Default)]
pub(crate) struct Lost(Mutex<BTreeSet<u32>>);

impl Lost {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, fd: u32) -> bool {
        self.lock().contains(&fd)
    }

    pub(super) fn add(&self, fd: u32) {
        self.lock().insert(fd);
    }

    pub(super) fn remove(&self, fd: u32) {
        self.lock().remove(&fd);
    }
}
