//! Streams of files in a call with a tape. What was read is given again, what was written is not written again; either way the
//! position advances, so that a guest goes on where it was. A write is done when it returns: one that was still on its way when
//! its call is suspended would be on the tape and not in the file.

use super::quota::{Quota, Token};
use super::stream::cost;
use crate::tape::{Args, Blob, Put, Reader, Tag, Tape, Word};
use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError};
use wasmtime_wasi::runtime::spawn_blocking;

/// Bytes read or written at once: what `wasmtime-wasi` reads at most.
const PIECE: usize = 64 << 10;

/// How a stream failed, as it is recorded.
#[derive(Debug)]
enum Fail {
    Closed,
    System(i32),
}

impl Put for Fail {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Closed => None,
            Self::System(code) => Some(*code),
        }
        .put(out);
    }
}

impl Word for Fail {
    fn get(from: &mut Reader<'_>) -> Option<Self> {
        Option::<i32>::get(from).map(|code| code.map_or(Self::Closed, Self::System))
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        let code = error.raw_os_error();
        Self::System(code.unwrap_or(Errno::IO.raw_os_error()))
    }
}

impl From<Fail> for StreamError {
    fn from(fail: Fail) -> Self {
        match fail {
            Fail::Closed => Self::Closed,
            Fail::System(code) => {
                Self::LastOperationFailed(io::Error::from_raw_os_error(code).into())
            }
        }
    }
}

/// What is done with a stream whose file could not be opened again.
fn lost() -> io::Error {
    io::Error::from_raw_os_error(Errno::BADF.raw_os_error())
}

fn stop(stop: crate::state::Stop) -> StreamError {
    StreamError::Trap(stop.into())
}

/// A stream that reads a file.
pub(super) struct TapedReading {
    /// `None` when it could not be opened again.
    pub(super) file: Option<Arc<File>>,
    /// Where the next byte is.
    pub(super) at: u64,
    /// Whether the end was met, or a failure: it stays so, as without a tape.
    pub(super) over: bool,
    pub(super) tape: Tape,
    pub(super) _open: Token,
}

impl TapedReading {
    fn args(&self, size: usize) -> Args {
        Args::of(&(self.at, size.min(PIECE) as u64))
    }

    fn replayed(&self, size: usize) -> Result<Option<Result<Blob, Fail>>, StreamError> {
        let args = self.args(size);
        self.tape.replay(Tag::StreamRead, &args).map_err(stop)
    }

    /// Gives what was read, and advances.
    fn give(&mut self, read: Result<Blob, Fail>) -> Result<Bytes, StreamError> {
        self.over = read.is_err();
        let Blob(bytes) = read?;
        self.at = self.at.saturating_add(bytes.len() as u64);
        Ok(bytes.into())
    }

    fn recorded(&mut self, size: usize, read: Result<Blob, Fail>) -> Result<Bytes, StreamError> {
        let args = self.args(size);
        self.tape
            .record(Tag::StreamRead, &args, &(&read,))
            .map_err(stop)?;
        self.give(read)
    }
}

fn read_at(file: Option<Arc<File>>, at: u64, size: usize) -> Result<Blob, Fail> {
    let file = file.ok_or_else(lost)?;
    let mut piece = vec![0; size.min(PIECE)];
    loop {
        match file.read_at(&mut piece, at) {
            Ok(0) => return Err(Fail::Closed),
            Ok(count) => {
                piece.truncate(count);
                return Ok(Blob(piece));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for TapedReading {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl InputStream for TapedReading {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        if self.over {
            return Err(StreamError::Closed);
        }
        if size == 0 {
            return Ok(Bytes::new());
        }
        if let Some(read) = self.replayed(size)? {
            return self.give(read);
        }
        // On this thread: the guest wants it now or not at all, and whether it is there must not depend on who is faster.
        let read = read_at(self.file.clone(), self.at, size);
        self.recorded(size, read)
    }

    async fn blocking_read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        if self.over {
            return Err(StreamError::Closed);
        }
        if size == 0 {
            return Ok(Bytes::new());
        }
        if let Some(read) = self.replayed(size)? {
            return self.give(read);
        }
        let (file, at) = (self.file.clone(), self.at);
        let read = spawn_blocking(move || read_at(file, at, size)).await;
        self.recorded(size, read)
    }
}

/// A stream that writes a file.
pub(super) struct TapedWriting {
    /// `None` when it could not be opened again.
    pub(super) file: Option<Arc<File>>,
    /// Where the next byte goes; `None`: to the end.
    pub(super) at: Option<u64>,
    pub(super) quota: Arc<Quota>,
    pub(super) tape: Tape,
    pub(super) _open: Token,
}

impl TapedWriting {
    fn args(&self, bytes: &Bytes) -> Args {
        Args::of(&(self.at, bytes.as_ref()))
    }

    fn replayed(&mut self, bytes: &Bytes) -> Result<Option<()>, StreamError> {
        let args = self.args(bytes);
        let answer = self
            .tape
            .replay::<(Result<(), Fail>, (u64, u64))>(Tag::StreamWrite, &args)
            .map_err(stop)?;
        let Some((written, spent)) = answer else {
            return Ok(None);
        };
        self.quota.restore(spent);
        self.advance(bytes.len());
        written?;
        Ok(Some(()))
    }

    /// Also over a write that failed: as `wasmtime-wasi` does, and what a guest makes of it is its own matter.
    fn advance(&mut self, count: usize) {
        if let Some(at) = &mut self.at {
            *at = at.saturating_add(count as u64);
        }
    }

    /// Takes room for a write.
    fn charge(&self, count: usize) -> Result<Arc<File>, Fail> {
        let file = self.file.clone().ok_or_else(lost)?;
        let count = count as u64;
        let cost = self.at.map_or(count, |at| cost(&file, at, count));
        self.quota.write_io(cost)?;
        Ok(file)
    }

    fn recorded(&mut self, bytes: &Bytes, written: Result<(), Fail>) -> Result<(), StreamError> {
        let args = self.args(bytes);
        let kept = (&written, self.quota.spent());
        self.tape
            .record(Tag::StreamWrite, &args, &kept)
            .map_err(stop)?;
        self.advance(bytes.len());
        Ok(written?)
    }
}

fn write_all(file: &File, at: Option<u64>, bytes: &[u8]) -> Result<(), Fail> {
    let Some(at) = at else {
        let mut left = bytes;
        while !left.is_empty() {
            let written = match pwritev2(file, &[IoSlice::new(left)], 0, ReadWriteFlags::APPEND) {
                Ok(0) => return Err(Fail::System(Errno::IO.raw_os_error())),
                Ok(written) => written,
                Err(Errno::INTR) => 0,
                Err(error) => return Err(io::Error::from(error).into()),
            };
            left = left.get(written..).unwrap_or_default();
        }
        return Ok(());
    };
    Ok(file.write_all_at(bytes, at)?)
}

#[wasmtime_wasi::async_trait]
impl Pollable for TapedWriting {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for TapedWriting {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        if bytes.is_empty() || self.replayed(&bytes)?.is_some() {
            return Ok(());
        }
        let written = self
            .charge(bytes.len())
            .and_then(|file| write_all(&file, self.at, &bytes));
        self.recorded(&bytes, written)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(PIECE)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        if bytes.is_empty() || self.replayed(&bytes)?.is_some() {
            return Ok(());
        }
        let written = match self.charge(bytes.len()) {
            Ok(file) => {
                let (at, bytes) = (self.at, bytes.clone());
                spawn_blocking(move || write_all(&file, at, &bytes)).await
            }
            Err(error) => Err(error),
        };
        self.recorded(&bytes, written)
    }
}
