//! Listings of directories, read piece by piece: a directory may have more entries than the host has memory.

use super::look::code;
use super::quota::Token;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, statat};
use std::collections::VecDeque;
use std::sync::Arc;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};
use wasmtime_wasi::runtime::spawn_blocking;

/// Entries read at a time: about what the kernel gives in one call.
const PIECE: usize = 256;

/// A listing that is being read.
pub(super) struct Listing {
    /// `None` when all of it was read, or while a piece is.
    rest: Option<Dir>,
    read: VecDeque<Result<DirectoryEntry, ErrorCode>>,
    _open: Token,
}

impl Listing {
    /// A listing of an open directory.
    pub(super) async fn open(dir: Arc<std::fs::File>, open: Token) -> Result<Self, ErrorCode> {
        let dir = spawn_blocking(move || Dir::read_from(&*dir))
            .await
            .map_err(code)?;
        Ok(Self {
            rest: Some(dir),
            read: VecDeque::new(),
            _open: open,
        })
    }

    /// The next entry; `None` at the end. `.` and `..` are left out.
    pub(super) async fn next(&mut self) -> Result<Option<DirectoryEntry>, ErrorCode> {
        if self.read.is_empty()
            && let Some(dir) = self.rest.take()
        {
            let (read, rest) = spawn_blocking(move || piece(dir)).await;
            self.read = read;
            self.rest = rest;
        }
        self.read.pop_front().transpose()
    }
}

type Piece = (VecDeque<Result<DirectoryEntry, ErrorCode>>, Option<Dir>);

fn piece(mut dir: Dir) -> Piece {
    let mut read = VecDeque::new();
    while read.len() < PIECE {
        match dir.read() {
            None => return (read, None),
            Some(Ok(found)) => {
                let name = found.file_name().to_bytes();
                if name != b"." && name != b".." {
                    read.push_back(entry(&dir, &found));
                }
            }
            Some(Err(error)) => {
                read.push_back(Err(code(error)));
                return (read, None);
            }
        }
    }
    (read, Some(dir))
}

fn entry(dir: &Dir, found: &DirEntry) -> Result<DirectoryEntry, ErrorCode> {
    let name = found
        .file_name()
        .to_str()
        .map_err(|_| ErrorCode::IllegalByteSequence)?;
    let kind = match found.file_type() {
        // Some file systems do not say.
        FileType::Unknown => dir
            .fd()
            .and_then(|at| statat(at, name, AtFlags::SYMLINK_NOFOLLOW))
            .map_or(FileType::Unknown, |stat| {
                FileType::from_raw_mode(stat.st_mode)
            }),
        known => known,
    };
    Ok(DirectoryEntry {
        type_: match kind {
            FileType::RegularFile => DescriptorType::RegularFile,
            FileType::Directory => DescriptorType::Directory,
            FileType::Symlink => DescriptorType::SymbolicLink,
            FileType::BlockDevice => DescriptorType::BlockDevice,
            FileType::CharacterDevice => DescriptorType::CharacterDevice,
            _ => DescriptorType::Unknown,
        },
        name: name.to_owned(),
    })
}
