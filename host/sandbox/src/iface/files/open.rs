//! Opening: look, check what was found, open exactly that. Runs on a thread that may block.

use super::Files;
use super::look::{code, kind, look, parent, reopen};
use super::quota::Token;
use rustix::fs::{FileType, Mode, OFlags, openat};
use std::fs::File;
use wasmtime_wasi::FsPerms;
use wasmtime_wasi::OpenMode;
use wasmtime_wasi::filesystem::{Descriptor, Dir, File as OpenFile};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, OpenFlags, PathFlags,
};

/// How often opening starts over when what was found is gone, or what was not found is there. Two guests that make
/// and remove the same file must not keep us here.
const TRIES: usize = 8;

/// Mode of new files, less the process's mask: as any program does.
const MODE: u32 = 0o666;

/// What a guest wants opened.
pub(super) struct Wanted {
    pub(super) path: String,
    follow: bool,
    create: bool,
    exclusive: bool,
    truncate: bool,
    directory: bool,
    mode: OpenMode,
}

impl Wanted {
    /// Reads the flags as WASI means them.
    pub(super) fn new(
        path: String,
        path_flags: PathFlags,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Self, ErrorCode> {
        let sync = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if flags.intersects(sync) {
            return Err(ErrorCode::Unsupported);
        }
        let create = open.contains(OpenFlags::CREATE);
        let truncate = open.contains(OpenFlags::TRUNCATE);
        let directory = open.contains(OpenFlags::DIRECTORY);
        let exclusive = open.contains(OpenFlags::EXCLUSIVE);
        if directory && (create || exclusive || truncate) {
            return Err(ErrorCode::Invalid);
        }
        let mut mode = OpenMode::empty();
        if create || truncate || flags.contains(DescriptorFlags::WRITE) {
            mode |= OpenMode::WRITE;
        }
        if flags.contains(DescriptorFlags::READ) || !flags.contains(DescriptorFlags::WRITE) {
            mode |= OpenMode::READ;
        }
        Ok(Self {
            path,
            follow: path_flags.contains(PathFlags::SYMLINK_FOLLOW),
            create,
            exclusive,
            truncate,
            directory,
            mode,
        })
    }

    /// The same once more, where it was made already.
    pub(super) fn again(self) -> Self {
        Self {
            create: false,
            exclusive: false,
            truncate: false,
            ..self
        }
    }

    fn writes(&self) -> bool {
        self.mode.contains(OpenMode::WRITE)
    }

    fn access(&self) -> OFlags {
        match (self.mode.contains(OpenMode::READ), self.writes()) {
            (_, false) => OFlags::RDONLY,
            (false, true) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        }
    }
}

impl Files {
    /// Opens a path below a guest's directory.
    pub(super) fn open(&self, dir: &Dir, wanted: &Wanted) -> Result<Descriptor, ErrorCode> {
        // As WASI has it: whoever may not write may not ask to, whatever is there.
        if wanted.writes() && dir.perms.write_not_permitted() {
            return Err(ErrorCode::NotPermitted);
        }
        self.quota.may_open()?;
        for _ in 0..TRIES {
            let opened = match look(&*dir.dir, &wanted.path, wanted.follow) {
                Ok(_) if wanted.create && wanted.exclusive => return Err(ErrorCode::Exist),
                Ok(found) => self.existing(&found, wanted),
                Err(ErrorCode::NoEntry) if wanted.create => self.created(dir, wanted),
                Err(error) => return Err(error),
            };
            match opened {
                Ok(Opened::File(file)) => {
                    let file = OpenFile::new(file, dir.perms, wanted.mode, false);
                    let token: Token = file.file.clone();
                    self.quota.opened(&token);
                    return Ok(Descriptor::File(file));
                }
                Ok(Opened::Dir(file)) => {
                    let opened = Dir::new(file, dir.perms, wanted.mode, false);
                    let token: Token = opened.dir.clone();
                    self.quota.opened(&token);
                    return Ok(Descriptor::Dir(opened));
                }
                // It came into being just now, or is a link to nothing: such a link is not written through.
                Err(ErrorCode::Exist) if !wanted.exclusive => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorCode::NoEntry)
    }

    fn existing(&self, found: &rustix::fd::OwnedFd, wanted: &Wanted) -> Result<Opened, ErrorCode> {
        match kind(found)? {
            FileType::Directory if wanted.writes() => Err(ErrorCode::IsDirectory),
            FileType::Directory => {
                reopen(found, OFlags::RDONLY | OFlags::DIRECTORY).map(Opened::Dir)
            }
            FileType::RegularFile if wanted.directory => Err(ErrorCode::NotDirectory),
            FileType::RegularFile => {
                if wanted.writes() {
                    self.roots.place(found)?.may_change(None)?;
                }
                let mut flags = wanted.access();
                if wanted.truncate {
                    flags |= OFlags::TRUNC;
                }
                reopen(found, flags).map(Opened::File)
            }
            FileType::Symlink if wanted.directory => Err(ErrorCode::NotDirectory),
            FileType::Symlink => Err(ErrorCode::Loop),
            // To open a FIFO would wait for somebody to write to it, and devices are nobody's data.
            _ => Err(ErrorCode::NotPermitted),
        }
    }

    fn created(&self, dir: &Dir, wanted: &Wanted) -> Result<Opened, ErrorCode> {
        let (parent, last) = parent(&*dir.dir, &wanted.path)?;
        if last.slash {
            return Err(ErrorCode::IsDirectory);
        }
        self.roots.place(&parent)?.may_change(Some(last.name))?;
        let flags = wanted.access()
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC
            | OFlags::NOCTTY;
        self.quota.make(|| {
            openat(&parent, last.name, flags, Mode::from_raw_mode(MODE))
                .map(|made| Opened::File(File::from(made)))
                .map_err(code)
        })
    }
}

/// What was opened.
enum Opened {
    File(File),
    Dir(File),
}

/// Whether a directory's handle lets its holder write at all.
pub(super) fn writable(dir: &Dir) -> Result<(), ErrorCode> {
    match dir.perms {
        FsPerms::ReadWrite => Ok(()),
        FsPerms::ReadOnly => Err(ErrorCode::NotPermitted),
    }
}
