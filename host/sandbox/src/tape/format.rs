//! How a tape is written: segments, each a version, the number of its first entry, and entries with their lengths. Reading
//! trusts nothing: whatever the bytes are, it ends in entries or in an error.

use super::word::{Args, Put, Reader, Word as _};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// The format's version; the first byte of a segment.
const VERSION: u8 = 1;

/// Version and number of the first entry.
const HEAD: usize = 1 + 8;

/// Digest of all that comes before it, at a segment's end: against damage, not against forgery.
pub(super) const SEAL: usize = 16;

/// Tag, clock and digest of the arguments.
const ENTRY_HEAD: usize = 1 + 8 + 16;

/// Why bytes are not a tape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TapeError {
    /// Another version of this host wrote it.
    #[error(
        "segment {segment} of the tape is of version {found}, and this host reads version {VERSION}"
    )]
    Version {
        /// Which segment, from 0.
        segment: usize,
        /// Its version.
        found: u8,
    },
    /// It is cut off or changed.
    #[error("segment {segment} of the tape is damaged at byte {at}")]
    Damaged {
        /// Which segment, from 0.
        segment: usize,
        /// Where the part begins that cannot be read.
        at: usize,
    },
    /// A segment is missing, or they are in another order.
    #[error("segment {segment} of the tape begins with entry {found} where {expected} is due")]
    Order {
        /// Which segment, from 0.
        segment: usize,
        /// The entry that is due.
        expected: u64,
        /// The entry it begins with.
        found: u64,
    },
    /// It is too long.
    #[error("the tape has {bytes} bytes, more than {}", super::TAPE_MAX)]
    TooLarge {
        /// Bytes of all segments.
        bytes: usize,
    },
}

/// One answer.
pub(super) struct Entry {
    pub(super) tag: Tag,
    pub(super) at: Duration,
    pub(super) args: Args,
    pub(super) payload: Bytes,
}

/// Begins a segment.
pub(super) fn begin(out: &mut Vec<u8>, position: u64) {
    out.push(VERSION);
    position.put(out);
}

/// Ends a segment.
pub(super) fn seal(segment: &mut Vec<u8>) {
    let seal = Args::of_bytes(segment);
    segment.extend_from_slice(&seal.0);
}

/// Appends an entry.
pub(super) fn write(out: &mut Vec<u8>, tag: Tag, at: Duration, args: &Args, answer: &impl Put) {
    let start = out.len();
    0_u32.put(out);
    out.push(tag as u8);
    nanos(at).put(out);
    out.extend_from_slice(&args.0);
    answer.put(out);
    let length = out.len() - start - 4;
    // An entry is far below the tape's cap: what it holds was in memory, and is cut where it is made.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// 584 years fit.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads segments.
pub(super) fn read(segments: &[Vec<u8>]) -> Result<VecDeque<Entry>, TapeError> {
    let mut entries = VecDeque::new();
    let mut expected = 0;
    for (segment, bytes) in segments.iter().enumerate() {
        let Some(found) = bytes.first().copied() else {
            continue;
        };
        if found != VERSION {
            return Err(TapeError::Version { segment, found });
        }
        let damaged = |at| TapeError::Damaged { segment, at };
        let (bytes, seal) = bytes
            .len()
            .checked_sub(SEAL)
            .and_then(|body| bytes.split_at_checked(body))
            .ok_or(damaged(0))?;
        if Args::of_bytes(bytes).0 != *seal {
            return Err(damaged(bytes.len()));
        }
        let bytes = Bytes::copy_from_slice(bytes);
        let found = bytes
            .get(1..HEAD)
            .and_then(|head| u64::get(&mut Reader::new(head)))
            .ok_or(damaged(0))?;
        if found != expected {
            return Err(TapeError::Order {
                segment,
                expected,
                found,
            });
        }
        let mut at = HEAD;
        while at < bytes.len() {
            let (entry, next) = entry(&bytes, at).ok_or(damaged(at))?;
            entries.push_back(entry);
            expected += 1;
            at = next;
        }
    }
    Ok(entries)
}

/// The entry at a place, and where the next one begins.
fn entry(bytes: &Bytes, at: usize) -> Option<(Entry, usize)> {
    let body = at.checked_add(4)?;
    let length = u32::get(&mut Reader::new(bytes.get(at..body)?))?;
    let end = body.checked_add(usize::try_from(length).ok()?)?;
    let payload = body.checked_add(ENTRY_HEAD)?;
    if payload > end || end > bytes.len() {
        return None;
    }
    let mut head = Reader::new(bytes.get(body..payload)?);
    let entry = Entry {
        tag: Tag::of(u8::get(&mut head)?)?,
        at: Duration::from_nanos(u64::get(&mut head)?),
        args: Args(<[u8; 16]>::try_from(bytes.get(payload - 16..payload)?).ok()?),
        payload: bytes.slice(payload..end),
    };
    Some((entry, end))
}

/// Tags in the order of their numbers, with their names for people. A new one goes to the end.
macro_rules! tags {
    ($($name:ident: $what:literal,)*) => {
        /// What was answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Tag { $(#[doc = $what] $name,)* }

        impl Tag {
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// For messages.
            pub(crate) const fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)* }
            }

            fn of(number: u8) -> Option<Self> {
                Self::ALL.get(usize::from(number)).copied()
            }
        }
    };
}

tags! {
    Start: "its start",
    Log: "a log line",
    Progress: "a word of progress",
    Stdout: "standard output",
    Stderr: "standard error",
    WallClock: "the wall clock",
    MonotonicClock: "the monotonic clock",
    Random: "random bytes",
    RandomNumber: "a random number",
    Insecure: "insecure random bytes",
    InsecureNumber: "an insecure random number",
    Seed: "an insecure seed",
    Poll: "a poll",
    Block: "a wait",
    Ready: "a look whether something is ready",
    Remaining: "the rest of the budget",
    Charge: "a charge",
    Command: "a command",
    Http: "a request",
    Generate: "a generation",
    Question: "a question",
    Open: "opening a file",
    List: "listing a directory",
    Entries: "entries of a directory",
    FileRead: "reading a file",
    FileWrite: "writing a file",
    FileAppend: "appending to a file",
    StreamRead: "reading a file's stream",
    StreamWrite: "writing a file's stream",
    ReadStream: "a stream that reads a file",
    WriteStream: "a stream that writes a file",
    SetSize: "setting a file's size",
    SetTimes: "setting a file's times",
    SetTimesAt: "setting times by name",
    MakeDirectory: "making a directory",
    RemoveDirectory: "removing a directory",
    RemoveFile: "removing a file",
    MakeLink: "making a symbolic link",
    HardLink: "making a hard link",
    Rename: "renaming",
    Advise: "advice about a file",
    SyncData: "syncing a file's data",
    Sync: "syncing a file",
    Flags: "a descriptor's flags",
    Type: "a descriptor's type",
    Stat: "a descriptor's attributes",
    StatAt: "attributes by name",
    ReadLink: "reading a symbolic link",
    Same: "comparing descriptors",
    Hash: "a descriptor's hash",
    HashAt: "a hash by name",
}
