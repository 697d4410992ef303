//! Streams of files: writing is counted before it is done, and a stream counts as open as long as it lives, because it
//! holds its file and up to 64 KiB.

use super::quota::{Quota, Token};
use bytes::Bytes;
use std::fs::File;
use std::sync::Arc;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError,
};

/// A stream that reads a file.
pub(super) struct Reading {
    pub(super) inner: DynInputStream,
    pub(super) _open: Token,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Reading {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Reading {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        self.inner.blocking_read(size).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

/// A stream that writes a file.
pub(super) struct Writing {
    pub(super) inner: DynOutputStream,
    pub(super) quota: Arc<Quota>,
    pub(super) file: Arc<File>,
    /// Where the next byte goes; `None`: to the end.
    pub(super) at: Option<u64>,
    pub(super) _open: Token,
}

/// What writing `len` bytes at `at` costs: the bytes, and the hole before them if they are past the end. A hole takes no
/// room here, but it does in every copy.
pub(super) fn cost(file: &File, at: u64, len: u64) -> u64 {
    let end = file.metadata().map_or(0, |meta| meta.len());
    len.saturating_add(at.saturating_sub(end))
}

impl Writing {
    fn charge(&mut self, len: usize) -> Result<(), StreamError> {
        let len = len as u64;
        let cost = self.at.map_or(len, |at| cost(&self.file, at, len));
        self.quota
            .write_io(cost)
            .map_err(|error| StreamError::LastOperationFailed(error.into()))?;
        if let Some(at) = &mut self.at {
            *at = at.saturating_add(len);
        }
        Ok(())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Writing {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Writing {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        // An empty write would start a thread for nothing.
        if bytes.is_empty() {
            return Ok(());
        }
        self.charge(bytes.len())?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        self.inner.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        // What is still on its way first: the end of the file, and so the cost, depends on it.
        self.inner.ready().await;
        if bytes.is_empty() {
            return self.inner.flush();
        }
        self.charge(bytes.len())?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
