//! Listings of directories, read piece by piece: a directory may have more entries than the host has memory.

use super::look::code;
use super::quota::Token;
use crate::state::Stop;
use crate::tape::{Args, Tag, Tape};
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, statat};
use std::collections::{HashSet, VecDeque};
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
    played: Option<Played>,
    _open: Token,
}

/// Of a listing in a call with a tape.
struct Played {
    tape: Tape,
    /// `None` when it could not be opened again.
    dir: Option<Arc<std::fs::File>>,
    /// What was given already: a listing that is read on after a suspension begins anew, and leaves these out.
    given: HashSet<String>,
    over: bool,
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
            played: None,
            _open: open,
        })
    }

    /// A listing in a call with a tape; the directory is opened when something new is read.
    pub(super) fn taped(dir: Option<Arc<std::fs::File>>, open: Token, tape: Tape) -> Self {
        Self {
            rest: None,
            read: VecDeque::new(),
            played: Some(Played {
                tape,
                dir,
                given: HashSet::new(),
                over: false,
            }),
            _open: open,
        }
    }

    /// The next entry; `None` at the end. `.` and `..` are left out.
    pub(super) async fn next(&mut self) -> Result<Result<Option<DirectoryEntry>, ErrorCode>, Stop> {
        if self.read.is_empty()
            && let Some(played) = &mut self.played
            && !played.over
        {
            let (read, over) = played.more(&mut self.rest).await?;
            for entry in read.iter().flatten() {
                played.given.insert(entry.name.clone());
            }
            self.read = read.into();
            played.over = over;
        }
        if self.read.is_empty()
            && let Some(dir) = self.rest.take()
        {
            let (read, rest) = spawn_blocking(move || piece(dir)).await;
            self.read = read;
            self.rest = rest;
        }
        Ok(self.read.pop_front().transpose())
    }
}

impl Played {
    /// The next entries, and whether these are the last.
    async fn more(&mut self, rest: &mut Option<Dir>) -> Result<(Entries, bool), Stop> {
        if let Some(piece) = self.tape.replay(Tag::Entries, &Args::NONE)? {
            return Ok(piece);
        }
        let piece = self.look(rest).await;
        self.tape.record(Tag::Entries, &Args::NONE, &piece)?;
        Ok(piece)
    }

    async fn look(&self, rest: &mut Option<Dir>) -> (Entries, bool) {
        let mut dir = match (rest.take(), &self.dir) {
            (Some(dir), _) => dir,
            (None, None) => return (vec![Err(ErrorCode::BadDescriptor)], true),
            (None, Some(dir)) => {
                let dir = Arc::clone(dir);
                match spawn_blocking(move || Dir::read_from(&*dir)).await {
                    Ok(dir) => dir,
                    Err(error) => return (vec![Err(code(error))], true),
                }
            }
        };
        loop {
            let (read, left) = spawn_blocking(move || piece(dir)).await;
            let is_new = |entry: &DirectoryEntry| !self.given.contains(&entry.name);
            let new: Entries = read
                .into_iter()
                .filter(|entry| entry.as_ref().map_or(true, is_new))
                .collect();
            match left {
                None => return (new, true),
                Some(left) if new.is_empty() => dir = left,
                left => {
                    *rest = left;
                    return (new, false);
                }
            }
        }
    }
}

/// Entries as they are recorded.
type Entries = Vec<Result<DirectoryEntry, ErrorCode>>;

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
