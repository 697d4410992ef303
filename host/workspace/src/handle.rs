//! The system calls on directory handles. Nothing here follows a symbolic link or leaves the directory it was given,
//! whatever somebody does to the names meanwhile.

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstatfs, openat2, statat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// How often a look-up is tried again when the kernel says that something was renamed meanwhile.
const TRIES: usize = 64;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// Opens `path` below `dir`; the empty path is `dir` itself.
pub(crate) fn open(dir: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    for _ in 0..TRIES {
        match openat2(dir.as_fd(), path, flags, Mode::empty(), RESOLVE) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Opens a directory to read its entries.
pub(crate) fn open_dir(dir: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    open(dir, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Opens a file to read it. Does not wait for anybody to write into a pipe.
pub(crate) fn open_file(dir: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    open(
        dir,
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
    )
}

/// What an open file is.
pub(crate) fn stat(fd: impl AsFd) -> io::Result<Stat> {
    Ok(rustix::fs::fstat(fd)?)
}

/// What an entry is, itself and not what it leads to.
pub(crate) fn stat_entry(dir: impl AsFd, name: &OsStr) -> io::Result<Stat> {
    Ok(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Device and number: which object it is, whatever it is called.
pub(crate) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Whether an error says that a symbolic link stood in the way, or that it led out.
pub(crate) fn is_link(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::LOOP.raw_os_error()) || code == Some(Errno::XDEV.raw_os_error())
}

/// The entries of a directory, without `.` and `..`, in no order.
pub(crate) fn entries(
    dir: impl AsFd,
) -> io::Result<impl Iterator<Item = io::Result<(OsString, FileType)>>> {
    let listing = Dir::read_from(dir)?;
    Ok(listing.filter_map(|entry| match entry {
        Err(e) => Some(Err(e.into())),
        Ok(entry) => {
            let name = entry.file_name().to_bytes();
            (name != b"." && name != b"..")
                .then(|| Ok((OsStr::from_bytes(name).to_owned(), entry.file_type())))
        }
    }))
}

/// The name of a file system whose files are not files: reading one may act, tell about the host, or never end.
pub(crate) fn special(fd: impl AsFd) -> io::Result<Option<&'static str>> {
    let magic = i128::from(fstatfs(fd)?.f_type) & 0xFFFF_FFFF;
    Ok(match magic {
        0x9FA0 => Some("proc"),
        0x6265_6572 => Some("sysfs"),
        0x1CD1 => Some("devpts"),
        0x0027_E0EB => Some("cgroup"),
        0x6367_7270 => Some("cgroup2"),
        0x6462_6720 => Some("debugfs"),
        0x7472_6163 => Some("tracefs"),
        0x7363_6673 => Some("securityfs"),
        0x6265_6570 => Some("configfs"),
        0xCAFE_4A11 => Some("bpf"),
        0xDE5E_81E4 => Some("efivarfs"),
        0xF97C_FF8C => Some("selinuxfs"),
        0x4249_4E4D => Some("binfmt_misc"),
        0x1980_0202 => Some("mqueue"),
        0x6E73_6673 => Some("nsfs"),
        0x6165_676C => Some("pstore"),
        0x0187 => Some("autofs"),
        _ => None,
    })
}
