//! The functions of `wasi:filesystem/types` in a call with a tape: each is answered from it or done and recorded. What was
//! done is not done again; what was opened is opened again where it was, without making or emptying anything, so that it works
//! when the guest goes on. Must not change anything itself: that is [`super::host`]'s.

use super::Fs;
use super::again::Found;
use super::host::{Guarded, guarded};
use super::listing::Listing;
use super::open::Wanted;
use super::played::{TapedReading, TapedWriting};
use crate::state::{State, Stop};
use crate::tape::{Args, Blob, Tag, Tape, Word};
use std::sync::Arc;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

/// [`Guarded`] with the call's tape, if it has one.
pub(super) struct Taped<'a> {
    pub(super) inner: Guarded<'a>,
    pub(super) tape: Option<Tape>,
}

pub(super) fn taped(state: &mut State) -> <Fs as HasData>::Data<'_> {
    let tape = state.tape.clone();
    Taped {
        inner: guarded(state),
        tape,
    }
}

/// How many bytes were written and how many things made, all together; the quotas count on from there.
type Spent = (u64, u64);

fn trap(stop: Stop) -> FsError {
    FsError::trap(stop)
}

/// The guest is about to change something by itself.
async fn changing(tape: Option<Tape>) -> FsResult<()> {
    match tape {
        Some(tape) => tape.changing().await.map_err(trap),
        None => Ok(()),
    }
}

impl Taped<'_> {
    /// The answer on the tape.
    fn replayed<T: Word>(
        &self,
        tape: &Tape,
        tag: Tag,
        args: &Args,
    ) -> FsResult<Option<Result<T, ErrorCode>>> {
        let answer = tape.replay::<(Result<T, ErrorCode>, Spent)>(tag, args);
        Ok(answer.map_err(trap)?.map(|(answer, spent)| {
            self.inner.files.quota.restore(spent);
            answer
        }))
    }

    /// Records an answer, and gives it.
    fn recorded<T: Word>(
        &self,
        tape: &Tape,
        tag: Tag,
        args: &Args,
        answer: FsResult<T>,
    ) -> FsResult<T> {
        let answer = match answer {
            Ok(value) => Ok(value),
            Err(error) => Err(error.downcast().map_err(FsError::trap)?),
        };
        let spent = self.inner.files.quota.spent();
        let kept = (answer, spent);
        tape.record(tag, args, &kept).map_err(trap)?;
        kept.0.map_err(Into::into)
    }

    /// Whether descriptors can be used, that is, whether they were opened or could be opened again.
    fn usable(&self, fds: &[u32]) -> FsResult<()> {
        if fds.iter().any(|fd| self.inner.files.lost.has(*fd)) {
            return Err(ErrorCode::BadDescriptor.into());
        }
        Ok(())
    }
}

/// Answers from the tape, or does something and records the answer; without a tape just does it.
macro_rules! taped {
    ($self:ident, $tag:ident, [$($fd:expr),*], $args:expr, $do:expr) => {{
        let Some(tape) = $self.tape.clone() else {
            return $do;
        };
        let fds = [$($fd.rep()),*];
        let args = Args::of(&(fds.as_slice().to_vec(), $args));
        if let Some(answer) = $self.replayed(&tape, Tag::$tag, &args)? {
            return answer.map_err(Into::into);
        }
        let answer = match $self.usable(&fds) {
            Ok(()) => $do,
            Err(error) => Err(error),
        };
        $self.recorded(&tape, Tag::$tag, &args, answer)
    }};
}

impl Taped<'_> {
    /// A listing; linked instead of `read-directory`.
    pub(super) async fn list(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> wasmtime::Result<Result<Resource<Listing>, ErrorCode>> {
        let Some(tape) = self.tape.clone() else {
            return self.inner.list(fd).await;
        };
        let args = Args::of(&fd.rep());
        let dir = self.inner.handle(&fd)?;
        let answer = match self.replayed(&tape, Tag::List, &args)? {
            Some(answer) => answer,
            None => {
                let looked = match self.usable(&[fd.rep()]) {
                    Ok(()) => self.inner.may_list(&fd).await,
                    Err(error) => Err(error),
                };
                match self.recorded(&tape, Tag::List, &args, looked) {
                    Ok(()) => Ok(()),
                    Err(error) => Err(error.downcast()?),
                }
            }
        };
        if let Err(error) = answer {
            return Ok(Err(error));
        }
        let lost = self.inner.files.lost.has(fd.rep());
        let listing = Listing::taped((!lost).then_some(dir), self.inner.open_token(), tape);
        Ok(Ok(self.inner.inner.table.push(listing)?))
    }

    /// Opens again what was opened the first time, and marks the descriptor where that cannot be done.
    async fn reopen(
        &mut self,
        fd: &Resource<Descriptor>,
        wanted: Wanted,
        found: &Found,
    ) -> FsResult<Resource<Descriptor>> {
        let opened = if self.inner.files.lost.has(fd.rep()) {
            None
        } else {
            let again = wanted.again();
            self.inner
                .with(fd, move |files, dir| files.open(dir, &again))
                .await
                .ok()
                .filter(|opened| Found::of(opened).as_ref() == Some(found))
        };
        let is_lost = opened.is_none();
        let opened = match opened {
            Some(opened) => opened,
            None => Found::stand_in(&self.inner.files.quota)?,
        };
        let fd = self.inner.inner.table.push(opened)?;
        if is_lost {
            self.inner.files.lost.add(fd.rep());
        }
        Ok(fd)
    }

    /// The file of a stream that is made; `None` when it could not be opened again.
    fn stream_file(&self, fd: &Resource<Descriptor>) -> FsResult<Option<Arc<std::fs::File>>> {
        if self.inner.files.lost.has(fd.rep()) {
            return Ok(None);
        }
        match self.inner.inner.table.get(fd)? {
            Descriptor::File(file) => Ok(Some(Arc::clone(&file.file))),
            Descriptor::Dir(_) => Ok(None),
        }
    }

    fn taped_writing(
        &mut self,
        tape: Tape,
        fd: Resource<Descriptor>,
        at: Option<u64>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let args = Args::of(&(fd.rep(), at));
        let file = self.stream_file(&fd)?;
        match self.replayed(&tape, Tag::WriteStream, &args)? {
            Some(answer) => answer?,
            None => {
                let rep = fd.rep();
                let made = match self.usable(&[rep]) {
                    Ok(()) => match at {
                        Some(at) => self.inner.write_via_stream(fd, at),
                        None => self.inner.append_via_stream(fd),
                    },
                    Err(error) => Err(error),
                };
                let made = match made {
                    Ok(stream) => {
                        self.inner.inner.table.delete(stream)?;
                        Ok(())
                    }
                    Err(error) => Err(error),
                };
                self.recorded(&tape, Tag::WriteStream, &args, made)?;
            }
        }
        let stream: DynOutputStream = Box::new(TapedWriting {
            file,
            at,
            quota: Arc::clone(&self.inner.files.quota),
            tape,
            _open: self.inner.open_token(),
        });
        Ok(self.inner.inner.table.push(stream)?)
    }
}

impl Host for Taped<'_> {
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

impl HostDescriptor for Taped<'_> {
    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let Some(tape) = self.tape.clone() else {
            return self.inner.open_at(fd, path_flags, path, open, flags).await;
        };
        // Whatever is written goes through a descriptor that was opened for it, in this life of the call or an earlier one.
        if flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
            || open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
        {
            changing(self.tape.clone()).await?;
        }
        let args = Args::of(&(fd.rep(), path_flags, &path, open, flags));
        if let Some(answer) = self.replayed::<Found>(&tape, Tag::Open, &args)? {
            let wanted = Wanted::new(path, path_flags, open, flags)?;
            return self.reopen(&fd, wanted, &answer?).await;
        }
        let opened = match self.usable(&[fd.rep()]) {
            Ok(()) => {
                let at = Resource::new_borrow(fd.rep());
                self.inner.open_at(at, path_flags, path, open, flags).await
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(opened) => {
                let found = Found::of(self.inner.inner.table.get(&opened)?);
                self.recorded(&tape, Tag::Open, &args, Ok(found.unwrap_or_default()))?;
                Ok(opened)
            }
            Err(error) => {
                self.recorded::<Found>(&tape, Tag::Open, &args, Err(error))?;
                Err(ErrorCode::Io.into())
            }
        }
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        taped!(self, MakeDirectory, [fd], &path, {
            changing(self.tape.clone()).await?;
            self.inner.create_directory_at(fd, path).await
        })
    }

    async fn remove_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        taped!(self, RemoveDirectory, [fd], &path, {
            changing(self.tape.clone()).await?;
            self.inner.remove_directory_at(fd, path).await
        })
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        taped!(self, RemoveFile, [fd], &path, {
            changing(self.tape.clone()).await?;
            self.inner.unlink_file_at(fd, path).await
        })
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FsResult<()> {
        taped!(self, MakeLink, [fd], (&target, &path), {
            changing(self.tape.clone()).await?;
            self.inner.symlink_at(fd, target, path).await
        })
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path_flags: PathFlags,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        taped!(self, HardLink, [fd, new_fd], (&old_path, &new_path), {
            changing(self.tape.clone()).await?;
            self.inner
                .link_at(fd, old_path_flags, old_path, new_fd, new_path)
                .await
        })
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        taped!(self, Rename, [fd, new_fd], (&old_path, &new_path), {
            changing(self.tape.clone()).await?;
            self.inner.rename_at(fd, old_path, new_fd, new_path).await
        })
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let args = (path_flags, &path, accessed, modified);
        taped!(self, SetTimesAt, [fd], args, {
            changing(self.tape.clone()).await?;
            self.inner
                .set_times_at(fd, path_flags, path, accessed, modified)
                .await
        })
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        taped!(self, SetTimes, [fd], (accessed, modified), {
            changing(self.tape.clone()).await?;
            self.inner.set_times(fd, accessed, modified).await
        })
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        taped!(self, FileWrite, [fd], (bytes.as_slice(), offset), {
            self.inner.write(fd, bytes, offset).await
        })
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        taped!(self, SetSize, [fd], size, {
            self.inner.set_size(fd, size).await
        })
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        match self.tape.clone() {
            Some(tape) => self.taped_writing(tape, fd, Some(offset)),
            None => self.inner.write_via_stream(fd, offset),
        }
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        match self.tape.clone() {
            Some(tape) => self.taped_writing(tape, fd, None),
            None => self.inner.append_via_stream(fd),
        }
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let Some(tape) = self.tape.clone() else {
            return self.inner.read_via_stream(fd, offset);
        };
        let args = Args::of(&(fd.rep(), offset));
        let file = self.stream_file(&fd)?;
        match self.replayed(&tape, Tag::ReadStream, &args)? {
            Some(answer) => answer?,
            None => {
                let rep = fd.rep();
                let made = match self.usable(&[rep]) {
                    Ok(()) => self.inner.read_via_stream(fd, offset),
                    Err(error) => Err(error),
                };
                let made = match made {
                    Ok(stream) => {
                        self.inner.inner.table.delete(stream)?;
                        Ok(())
                    }
                    Err(error) => Err(error),
                };
                self.recorded(&tape, Tag::ReadStream, &args, made)?;
            }
        }
        let stream: DynInputStream = Box::new(TapedReading {
            file,
            at: offset,
            over: false,
            tape,
            _open: self.inner.open_token(),
        });
        Ok(self.inner.inner.table.push(stream)?)
    }

    async fn read_directory(
        &mut self,
        _fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        // Never called: `link` puts `Taped::list` in its place.
        Err(ErrorCode::Unsupported.into())
    }

    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        taped!(self, Advise, [fd], (offset, length, advice), {
            self.inner.advise(fd, offset, length, advice).await
        })
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        taped!(self, SyncData, [fd], (), self.inner.sync_data(fd).await)
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        taped!(self, Sync, [fd], (), self.inner.sync(fd).await)
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        taped!(self, Flags, [fd], (), self.inner.get_flags(fd).await)
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        taped!(self, Type, [fd], (), self.inner.get_type(fd).await)
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let read: FsResult<(Blob, bool)> = async {
            taped!(self, FileRead, [fd], (length, offset), {
                let read = self.inner.read(fd, length, offset).await;
                read.map(|(bytes, end)| (Blob(bytes), end))
            })
        }
        .await;
        read.map(|(Blob(bytes), end)| (bytes, end))
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        taped!(self, Stat, [fd], (), self.inner.stat(fd).await)
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        taped!(self, StatAt, [fd], (path_flags, &path), {
            self.inner.stat_at(fd, path_flags, path).await
        })
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        taped!(self, ReadLink, [fd], &path, {
            self.inner.readlink_at(fd, path).await
        })
    }

    async fn is_same_object(
        &mut self,
        a: Resource<Descriptor>,
        b: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let same: FsResult<bool> = async {
            taped!(self, Same, [a, b], (), {
                self.inner.is_same_object(a, b).await.map_err(FsError::trap)
            })
        }
        .await;
        match same {
            Ok(same) => Ok(same),
            // Only of a descriptor that is lost, and that is like no other.
            Err(error) => error.downcast().map(|_| false),
        }
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        taped!(self, Hash, [fd], (), self.inner.metadata_hash(fd).await)
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        taped!(self, HashAt, [fd], (path_flags, &path), {
            self.inner.metadata_hash_at(fd, path_flags, path).await
        })
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.inner.files.lost.remove(fd.rep());
        HostDescriptor::drop(&mut self.inner, fd)
    }
}

impl HostDirectoryEntryStream for Taped<'_> {
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
