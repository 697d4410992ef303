//! The state directory itself: that it is a private directory of this user on a local disk.
//!
//! The project's directory may hold anything, also a symbolic link where the state directory should be; so the
//! directory is opened without following links, and everything is decided on that handle.

use crate::durable::{parent, sync_dir};
use crate::error::OpenError;
use rustix::fs::{Mode, OFlags};
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What only this user may enter.
const PRIVATE: u32 = 0o700;

/// Makes the state directory ready for the writer and returns its absolute path without links.
pub(crate) fn prepare(dir: &Path) -> Result<PathBuf, OpenError> {
    let io = |action, source| OpenError::Io {
        action,
        path: dir.to_path_buf(),
        source,
    };
    match DirBuilder::new().mode(PRIVATE).create(dir) {
        Ok(()) => sync_dir(parent(dir)).map_err(|e| io("make durable", e))?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(io("create", e)),
    }
    let (handle, path) = enter(dir)?;
    let meta = handle.metadata().map_err(|e| io("look at", e))?;
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(OpenError::NotPrivate {
            dir: dir.to_path_buf(),
            reason: format!("it belongs to user {}, this is user {me}", meta.uid()),
        });
    }
    // Wider than it was made: somebody copied or unpacked it. Nothing in it is meant for others.
    if meta.mode() & 0o777 != PRIVATE {
        handle
            .set_permissions(Permissions::from_mode(PRIVATE))
            .map_err(|e| io("make private", e))?;
    }
    let magic = rustix::fs::fstatfs(&handle)
        .map_err(|e| io("look at", e.into()))?
        .f_type;
    if let Some(kind) = network(i128::from(magic)) {
        return Err(OpenError::NetworkFs { dir: path, kind });
    }
    Ok(path)
}

/// Finds the state directory for a reader, changing nothing.
pub(crate) fn find(dir: &Path) -> Result<PathBuf, OpenError> {
    match dir.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(OpenError::Absent {
            dir: dir.to_path_buf(),
        }),
        _ => enter(dir).map(|(_, path)| path),
    }
}

fn enter(dir: &Path) -> Result<(File, PathBuf), OpenError> {
    let io = |action, source| OpenError::Io {
        action,
        path: dir.to_path_buf(),
        source,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = match rustix::fs::open(dir, flags, Mode::empty()) {
        Ok(handle) => File::from(handle),
        Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
            return Err(OpenError::NotPrivate {
                dir: dir.to_path_buf(),
                reason: "it is not a directory, or it is a symbolic link".into(),
            });
        }
        Err(e) => return Err(io("open", e.into())),
    };
    // SQLite wants a path without any link in it; links above the state directory are the user's own.
    let path = dir.canonicalize().map_err(|e| io("resolve", e))?;
    Ok((handle, path))
}

/// The name of a file system on which several machines can have the same file open. SQLite's write-ahead log needs
/// shared memory and locks that all its users see, which these do not give. FUSE is not in the list: it says
/// nothing about where the data are, and local disks are mounted through it too.
fn network(magic: i128) -> Option<&'static str> {
    // statfs(2) gives the type as a signed number on some architectures.
    match magic & 0xFFFF_FFFF {
        0x6969 => Some("NFS"),
        0x517B => Some("SMB"),
        0xFF53_4D42 => Some("CIFS"),
        0xFE53_4D42 => Some("SMB2"),
        0x0102_1997 => Some("9p"),
        0x00C3_6400 => Some("Ceph"),
        0x5346_414F | 0x6B41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x564C => Some("NCP"),
        0x0BD0_0BD0 => Some("Lustre"),
        0x0116_1970 => Some("GFS2"),
        0x7461_636F => Some("OCFS2"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        let cifs_as_signed = i128::from(0xFF53_4D42_u32.cast_signed());
        for (magic, expected) in [
            (0x6969, Some("NFS")),
            (0xFF53_4D42, Some("CIFS")),
            (cifs_as_signed, Some("CIFS")),
            (0xEF53, None),      // ext4
            (0x9123_683E, None), // btrfs
            (0x0102_1994, None), // tmpfs
            (0x6573_5546, None), // FUSE
        ] {
            assert_eq!(network(magic), expected, "{magic:#x}");
        }
    }

    #[test]
    fn a_wide_directory_is_made_private_and_a_link_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("state");
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        prepare(&dir).unwrap();
        assert_eq!(dir.metadata().unwrap().mode() & 0o777, 0o700);

        let link = tmp.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(matches!(prepare(&link), Err(OpenError::NotPrivate { .. })));
        assert!(matches!(find(&link), Err(OpenError::NotPrivate { .. })));
    }

    #[test]
    fn a_new_directory_is_private_whatever_the_umask() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("state");
        prepare(&dir).unwrap();
        assert_eq!(dir.metadata().unwrap().mode() & 0o777, 0o700);
    }
}
