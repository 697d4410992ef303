//! The head file: the last acknowledged record, kept outside the database and synced by itself.
//!
//! SQLite recovers a damaged write-ahead log by dropping its end, and says nothing. The head file is what notices.
//! It has two slots in blocks of their own, written in turn, so that a write torn by a power loss spoils at most the
//! older of two facts. Layout in `host/docs/formats.md`.
//!
//! Must not decide whether a journal is damaged; that is for whoever can compare it with the records.

use crate::Head;
use rustix::fs::{Mode, OFlags};
use sandgate_model::Digest;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Name of the head file.
pub(crate) const HEAD_FILE: &str = "head";
/// Version of the layout.
pub(crate) const HEAD_FORMAT: u32 = 1;

/// Distance of the slots: one block of every common file system and a multiple of every disk's sector, so that one
/// torn write cannot touch both.
const BLOCK: u64 = 4096;
const MAGIC: &[u8; 8] = b"SANDHEAD";
/// Magic 8, format 4, zero 4, sequence number 8, hash 32, meta version 8, check sum 32.
const SLOT: usize = 96;
const CHECKED: usize = SLOT - 32;

/// What was acknowledged last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// The last record.
    pub(crate) head: Head,
    /// The last version of the meta values; 0 when there is none.
    pub(crate) meta: u64,
}

impl Mark {
    /// Of a journal in which nothing has been stored.
    pub(crate) fn empty() -> Self {
        Self {
            head: Head::empty(),
            meta: 0,
        }
    }
}

/// What the head file says.
#[derive(Debug)]
pub(crate) enum Heads {
    /// There is no such file.
    Absent,
    /// There is one, but no slot of it is good.
    Unreadable,
    /// A newer version wrote it.
    Newer(u32),
    /// The newest good slot, and which one it is.
    Good(Mark, Slot),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    A,
    B,
}

impl Slot {
    fn offset(self) -> u64 {
        match self {
            Self::A => 0,
            Self::B => BLOCK,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

enum SlotContent {
    Bad,
    Newer(u32),
    Good(Mark),
}

/// Reads the head file of `dir`.
pub(crate) fn read(dir: &Path) -> io::Result<Heads> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file: File = match rustix::fs::open(dir.join(HEAD_FILE), flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(rustix::io::Errno::NOENT) => return Ok(Heads::Absent),
        Err(e) => return Err(e.into()),
    };
    let mut best = Heads::Unreadable;
    for slot in [Slot::A, Slot::B] {
        match read_slot(&file, slot)? {
            SlotContent::Bad => {}
            SlotContent::Newer(format) => return Ok(Heads::Newer(format)),
            SlotContent::Good(mark) => match best {
                Heads::Good(other, _) if age(other) >= age(mark) => {}
                _ => best = Heads::Good(mark, slot),
            },
        }
    }
    Ok(best)
}

/// Both numbers only grow, so they order any two marks of one journal.
fn age(mark: Mark) -> (u64, u64) {
    (mark.head.seq, mark.meta)
}

fn read_slot(file: &File, slot: Slot) -> io::Result<SlotContent> {
    let mut bytes = [0; SLOT];
    match file.read_exact_at(&mut bytes, slot.offset()) {
        Ok(()) => Ok(decode(&bytes)),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(SlotContent::Bad),
        Err(e) => Err(e),
    }
}

fn encode(mark: Mark) -> [u8; SLOT] {
    let mut bytes = Vec::with_capacity(SLOT);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&HEAD_FORMAT.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&mark.head.seq.to_be_bytes());
    bytes.extend_from_slice(mark.head.hash.as_bytes());
    bytes.extend_from_slice(&mark.meta.to_be_bytes());
    let check = Digest::of(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    let mut slot = [0; SLOT];
    slot.copy_from_slice(&bytes);
    slot
}

fn decode(bytes: &[u8; SLOT]) -> SlotContent {
    let (checked, check) = bytes.split_at(CHECKED);
    if Digest::of(checked).as_bytes() != check {
        return SlotContent::Bad;
    }
    let (Some(magic), Some(format), Some(seq), Some(hash), Some(meta)) = (
        checked.first_chunk::<8>(),
        part::<4>(checked, 8),
        part::<8>(checked, 16),
        part::<32>(checked, 24),
        part::<8>(checked, 56),
    ) else {
        return SlotContent::Bad;
    };
    if magic != MAGIC {
        return SlotContent::Bad;
    }
    match u32::from_be_bytes(format) {
        HEAD_FORMAT => SlotContent::Good(Mark {
            head: Head {
                seq: u64::from_be_bytes(seq),
                hash: Digest::from_bytes(hash),
            },
            meta: u64::from_be_bytes(meta),
        }),
        newer if newer > HEAD_FORMAT => SlotContent::Newer(newer),
        _ => SlotContent::Bad,
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// The head file, open for its one writer.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    path: PathBuf,
    next: Slot,
}

impl HeadFile {
    /// Creates or overwrites the file with the head of an empty journal, both slots, and syncs it. The caller syncs
    /// the directory.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let path = dir.join(HEAD_FILE);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?.into();
        // Whole blocks, so that later writes overwrite and never allocate: cheaper to sync, and no full disk there.
        let mut block = encode(Mark::empty()).to_vec();
        block.resize(BLOCK as usize, 0);
        file.write_all_at(&block, Slot::A.offset())?;
        file.write_all_at(&block, Slot::B.offset())?;
        file.sync_all()?;
        Ok(Self {
            file,
            path,
            next: Slot::A,
        })
    }

    /// Opens the existing file; `newest` is the slot that must survive the next write.
    pub(crate) fn open(dir: &Path, newest: Slot) -> io::Result<Self> {
        let path = dir.join(HEAD_FILE);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::empty())?.into();
        Ok(Self {
            file,
            path,
            next: newest.other(),
        })
    }

    /// The file's path, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the new mark into the older slot and syncs it. When this fails, nothing is known about that slot, and
    /// the caller must not go on.
    pub(crate) fn set(&mut self, mark: Mark) -> io::Result<()> {
        self.file.write_all_at(&encode(mark), self.next.offset())?;
        self.file.sync_data()?;
        self.next = self.next.other();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(seq: u64) -> Mark {
        Mark {
            head: Head {
                seq,
                hash: Digest::of(&seq.to_be_bytes()),
            },
            meta: seq / 2,
        }
    }

    fn newest(dir: &Path) -> Option<Mark> {
        match read(dir).unwrap() {
            Heads::Good(mark, _) => Some(mark),
            _ => None,
        }
    }

    #[test]
    fn a_torn_write_leaves_the_head_before() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join(HEAD_FILE);
        let mut file = HeadFile::create(tmp.path()).unwrap();
        for seq in 1..=4 {
            let before = std::fs::read(&path).unwrap();
            file.set(mark(seq)).unwrap();
            let after = std::fs::read(&path).unwrap();
            assert_eq!(newest(tmp.path()), Some(mark(seq)));
            // Every mixture of old and new that begins with new bytes.
            let start = if seq % 2 == 1 { 0 } else { BLOCK as usize };
            for cut in 0..SLOT {
                let mut torn = before.clone();
                torn[start..start + cut].copy_from_slice(&after[start..start + cut]);
                std::fs::write(&path, &torn).unwrap();
                let found = newest(tmp.path()).unwrap();
                assert!(
                    found == mark(seq - 1)
                        || seq == 1 && found == Mark::empty()
                        || found == mark(seq)
                );
            }
            std::fs::write(&path, &after).unwrap();
        }
    }

    #[test]
    fn reopening_goes_on_with_the_older_slot() {
        let tmp = tempfile::tempdir().unwrap();
        HeadFile::create(tmp.path()).unwrap();
        for seq in 1..=5 {
            let Heads::Good(_, slot) = read(tmp.path()).unwrap() else {
                panic!("the head file must be readable");
            };
            HeadFile::open(tmp.path(), slot)
                .unwrap()
                .set(mark(seq))
                .unwrap();
            assert_eq!(newest(tmp.path()), Some(mark(seq)));
        }
        let bytes = std::fs::read(tmp.path().join(HEAD_FILE)).unwrap();
        assert_eq!(bytes.len() as u64, 2 * BLOCK, "it never grows");
    }

    #[test]
    fn a_newer_format_is_named_and_a_short_file_is_unreadable() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join(HEAD_FILE);
        assert!(matches!(read(tmp.path()).unwrap(), Heads::Absent));
        let mut slot = encode(mark(1));
        slot[8..12].copy_from_slice(&7_u32.to_be_bytes());
        let check = Digest::of(&slot[..CHECKED]);
        slot[CHECKED..].copy_from_slice(check.as_bytes());
        std::fs::write(&path, slot).unwrap();
        assert!(matches!(read(tmp.path()).unwrap(), Heads::Newer(7)));
        std::fs::write(&path, &slot[..50]).unwrap();
        assert!(matches!(read(tmp.path()).unwrap(), Heads::Unreadable));
    }
}
