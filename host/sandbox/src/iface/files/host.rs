//! The functions of `wasi:filesystem/types`, each written out: a function that WASI adds is a compile error here and
//! not a hole. Reading is passed on; changing goes to [`Files`].

use super::Files;
use super::listing::Listing;
use super::open::Wanted;
use super::quota::Token;
use super::stream::{Reading, Writing, cost};
use crate::state::State;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};
use wasmtime_wasi::runtime::spawn_blocking;

/// wasmtime-wasi's view with our rules beside it.
pub(super) struct Guarded<'a> {
    pub(super) inner: WasiFilesystemCtxView<'a>,
    pub(super) files: Arc<Files>,
}

pub(super) fn guarded(state: &mut State) -> Guarded<'_> {
    let files = Arc::clone(&state.files);
    Guarded {
        inner: state.filesystem(),
        files,
    }
}

impl Guarded<'_> {
    fn dir(&self, fd: &Resource<Descriptor>) -> FsResult<Dir> {
        match self.inner.table.get(fd)? {
            Descriptor::Dir(dir) => Ok(dir.clone()),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    fn file(&self, fd: &Resource<Descriptor>) -> FsResult<File> {
        match self.inner.table.get(fd)? {
            Descriptor::File(file) => Ok(file.clone()),
            Descriptor::Dir(_) => Err(ErrorCode::BadDescriptor.into()),
        }
    }

    /// Does something with a directory where it may block. A guest that is ended does not wait for it.
    pub(super) async fn with<T: Send + 'static>(
        &mut self,
        fd: &Resource<Descriptor>,
        act: impl FnOnce(&Files, &Dir) -> Result<T, ErrorCode> + Send + 'static,
    ) -> FsResult<T> {
        let (files, dir) = (Arc::clone(&self.files), self.dir(fd)?);
        Ok(spawn_blocking(move || act(&files, &dir)).await?)
    }

    /// What a descriptor is open on.
    pub(super) fn handle(&self, fd: &Resource<Descriptor>) -> wasmtime::Result<Arc<std::fs::File>> {
        Ok(match self.inner.table.get(fd)? {
            Descriptor::File(file) => Arc::clone(&file.file),
            Descriptor::Dir(dir) => Arc::clone(&dir.dir),
        })
    }

    /// Whether a descriptor can be listed.
    pub(super) async fn may_list(&mut self, fd: &Resource<Descriptor>) -> FsResult<()> {
        let dir = self.dir(fd)?;
        self.files.quota.may_open()?;
        let opened = spawn_blocking(move || rustix::fs::Dir::read_from(&*dir.dir)).await;
        opened
            .map(drop)
            .map_err(|error| super::look::code(error).into())
    }

    /// A listing of our own; linked instead of `read-directory`.
    pub(super) async fn list(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> wasmtime::Result<Result<Resource<Listing>, ErrorCode>> {
        let dir = match self.inner.table.get(&fd)? {
            Descriptor::Dir(dir) => Arc::clone(&dir.dir),
            Descriptor::File(_) => return Ok(Err(ErrorCode::NotDirectory)),
        };
        if let Err(error) = self.files.quota.may_open() {
            return Ok(Err(error));
        }
        let token: Token = Arc::new(());
        self.files.quota.opened(&token);
        match Listing::open(dir, token).await {
            Ok(listing) => Ok(Ok(self.inner.table.push(listing)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Wraps a stream that was just made for writing.
    fn writing(
        &mut self,
        stream: Resource<DynOutputStream>,
        file: &File,
        at: Option<u64>,
        open: Token,
    ) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.inner.table.delete(stream)?;
        let stream: DynOutputStream = Box::new(Writing {
            inner,
            quota: Arc::clone(&self.files.quota),
            file: Arc::clone(&file.file),
            at,
            _open: open,
        });
        Ok(self.inner.table.push(stream)?)
    }

    /// A token for one more stream. Streams count as open beside their files: each holds a buffer.
    fn stream_token(&self) -> FsResult<Token> {
        self.files.quota.may_open()?;
        Ok(self.open_token())
    }

    /// A token that is counted, whether or not there is room for it.
    pub(super) fn open_token(&self) -> Token {
        let token: Token = Arc::new(());
        self.files.quota.opened(&token);
        token
    }
}

fn time(stamp: NewTimestamp) -> Result<Timespec, ErrorCode> {
    let special = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    Ok(match stamp {
        NewTimestamp::NoChange => special(UTIME_OMIT),
        NewTimestamp::Now => special(UTIME_NOW),
        NewTimestamp::Timestamp(at) => {
            if at.nanoseconds >= 1_000_000_000 {
                return Err(ErrorCode::Invalid);
            }
            Timespec {
                tv_sec: i64::try_from(at.seconds).map_err(|_| ErrorCode::Overflow)?,
                tv_nsec: i64::from(at.nanoseconds),
            }
        }
    })
}

impl Host for Guarded<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.filesystem_error_code(error)
    }
}

impl HostDescriptor for Guarded<'_> {
    // Opening and what changes names.

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let wanted = Wanted::new(path, path_flags, open, flags)?;
        let opened = self
            .with(&fd, move |files, dir| files.open(dir, &wanted))
            .await?;
        Ok(self.inner.table.push(opened)?)
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.with(&fd, move |files, dir| files.make_directory(dir, &path))
            .await
    }

    async fn remove_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.with(&fd, move |files, dir| files.remove_directory(dir, &path))
            .await
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.with(&fd, move |files, dir| files.remove_file(dir, &path))
            .await
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FsResult<()> {
        self.with(&fd, move |files, dir| files.make_link(dir, &target, &path))
            .await
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        _old_path_flags: PathFlags,
        _old_path: String,
        new_fd: Resource<Descriptor>,
        _new_path: String,
    ) -> FsResult<()> {
        self.dir(&fd)?;
        self.dir(&new_fd)?;
        Err(ErrorCode::NotPermitted.into())
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let new_dir = self.dir(&new_fd)?;
        self.with(&fd, move |files, dir| {
            files.rename(dir, &old_path, &new_dir, &new_path)
        })
        .await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let times = Timestamps {
            last_access: time(accessed)?,
            last_modification: time(modified)?,
        };
        let follow = path_flags.contains(PathFlags::SYMLINK_FOLLOW);
        self.with(&fd, move |files, dir| {
            files.touch(dir, &path, follow, &times)
        })
        .await
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let place = match self.inner.table.get(&fd)? {
            Descriptor::File(file) => self.files.roots.place(&*file.file),
            Descriptor::Dir(dir) => self.files.roots.place(&*dir.dir),
        };
        place?.may_change(None)?;
        self.inner.set_times(fd, accessed, modified).await
    }

    // What changes contents: counted first.

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let file = self.file(&fd)?;
        let cost = cost(&file.file, offset, bytes.len() as u64);
        self.files.quota.write(cost)?;
        self.inner
            .write(fd, bytes, offset)
            .await
            .inspect_err(|_| self.files.quota.unwrite(cost))
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        let file = self.file(&fd)?;
        let cost = cost(&file.file, size, 0);
        self.files.quota.write(cost)?;
        self.inner
            .set_size(fd, size)
            .await
            .inspect_err(|_| self.files.quota.unwrite(cost))
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let (file, open) = (self.file(&fd)?, self.stream_token()?);
        let stream = self.inner.write_via_stream(fd, offset)?;
        self.writing(stream, &file, Some(offset), open)
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let (file, open) = (self.file(&fd)?, self.stream_token()?);
        let stream = self.inner.append_via_stream(fd)?;
        self.writing(stream, &file, None, open)
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let open = self.stream_token()?;
        let stream = self.inner.read_via_stream(fd, offset)?;
        let inner = self.inner.table.delete(stream)?;
        let stream: DynInputStream = Box::new(Reading { inner, _open: open });
        Ok(self.inner.table.push(stream)?)
    }

    // What only looks.

    async fn read_directory(
        &mut self,
        _fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        // Never called: `link` puts `Guarded::list` in its place.
        Err(ErrorCode::Unsupported.into())
    }

    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        self.inner.advise(fd, offset, length, advice).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.inner.sync_data(fd).await
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.inner.sync(fd).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.inner.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        self.inner.get_type(fd).await
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        self.inner.read(fd, length, offset).await
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.inner.stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        self.inner.stat_at(fd, path_flags, path).await
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.inner.readlink_at(fd, path).await
    }

    async fn is_same_object(
        &mut self,
        a: Resource<Descriptor>,
        b: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        self.inner.is_same_object(a, b).await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        self.inner.metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.inner.metadata_hash_at(fd, path_flags, path).await
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.inner, fd)
    }
}

impl HostDirectoryEntryStream for Guarded<'_> {
    async fn read_directory_entry(
        &mut self,
        _stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        // Never called, as no such stream is made.
        Err(ErrorCode::Unsupported.into())
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.inner, stream)
    }
}
