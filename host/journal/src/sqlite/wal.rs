//! Keeps the write-ahead log at a fixed size and folds it back into the database.
//!
//! A commit that overwrites allocated blocks needs one flush; one that makes the file longer also needs the file
//! system's own journal, which takes twice as long. So the log is filled with zeros ahead of its use and is not
//! cut while the journal is open. SQLite ends its recovery at the first frame whose check sum is wrong, and zeros
//! are no frame.
//!
//! Checkpoints run here and not in SQLite's automatic hook, because the hook drops their errors: after a failed
//! flush of the database the log would be overwritten as if the records were safe.

use super::WAL_FILE;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Frames after which the log is folded back: with single records about 700 commits, so that the two flushes of a
/// checkpoint do not count, and few enough that recovery after a crash reads 8 MiB at most.
const CHECKPOINT_FRAMES: i32 = 2000;
/// When a reader keeps old frames in use, try again after this many more.
const CHECKPOINT_STEP: i32 = 500;
/// A frame: a page of 4096 bytes and its header.
const FRAME: u64 = 4096 + 24;
/// Zeros are written in steps of this size, so that a short command does not pay for the whole log.
const STEP: u64 = 1 << 20;
/// The next step is written when less than this is left: a group of 500 records.
const SLACK: u64 = 256 << 10;
/// Size at which the log normally stays: the frames above and one large group.
const FULL: u64 = CHECKPOINT_FRAMES as u64 * FRAME + STEP;

/// The log file of the one writer.
#[derive(Debug)]
pub(super) struct Wal {
    file: File,
    length: u64,
    next_checkpoint: i32,
}

impl Wal {
    /// Opens the log of a database that is in use in this process, and fills its first step.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = rustix::fs::open(dir.join(WAL_FILE), flags, Mode::empty())?.into();
        let mut wal = Self {
            file,
            length: 0,
            next_checkpoint: CHECKPOINT_FRAMES,
        };
        // A full disk shows itself at the first commit, where it has its own error; reading must work without it.
        let _ = wal.ensure(STEP);
        Ok(wal)
    }

    /// Makes the file at least `length` long. Nobody else writes to it meanwhile: SQLite does so in this thread only.
    fn ensure(&mut self, length: u64) -> io::Result<()> {
        if self.length >= length {
            return Ok(());
        }
        self.length = self.file.metadata()?.len();
        // 64 KiB at a time: the file system allocates in extents anyway.
        let zeros = [0; 64 << 10];
        while self.length < length {
            self.file.write_all_at(&zeros, self.length)?;
            self.length += zeros.len() as u64;
        }
        Ok(())
    }

    /// Prepares for the next commits: folds the log back when it is long, or writes more zeros ahead. Call it when
    /// nobody waits. The error is one after which nothing more may be acknowledged.
    pub(super) fn maintain(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let (frames, folded) = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP)?;
        if frames == folded {
            // All safe in the database; the next commit starts the log from its beginning.
            self.next_checkpoint = CHECKPOINT_FRAMES;
            return Ok(());
        }
        if frames >= self.next_checkpoint {
            self.next_checkpoint = frames.saturating_add(CHECKPOINT_STEP);
            return fold(connection, CheckpointMode::PASSIVE).map(|_| ());
        }
        let used = u64::try_from(frames).unwrap_or(0) * FRAME;
        if used + SLACK > self.length && self.length < FULL {
            // A full disk shows itself at the next commit, where it has its own error.
            let _ = self.ensure(self.length + STEP);
        }
        Ok(())
    }
}

/// Folds the log back. Says whether all of it is in the database now. A full disk and a busy reader are no errors:
/// the log stays and it is tried again.
pub(super) fn fold(connection: &Connection, mode: CheckpointMode) -> rusqlite::Result<bool> {
    match connection.wal_checkpoint_v2(None::<&str>, mode) {
        Ok((frames, folded)) => Ok(frames == folded),
        Err(rusqlite::Error::SqliteFailure(e, _))
            if matches!(
                e.code,
                ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}
