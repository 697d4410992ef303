//! Handing an object to the user as a file of theirs.
//!
//! The path comes from the person at the command line, never from a plugin.

use crate::artifacts::{ArtifactError, failed};
use crate::durable::{parent, sync_dir_at};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use sandgate_model::Digest;
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;

/// Writes a file beside `path` with `fill`, then puts it in the place of `path`. When `fill` fails, `path` is as it was.
pub(crate) fn replace(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<u64, ArtifactError>,
) -> Result<u64, ArtifactError> {
    let io = |source| failed("write", path.to_path_buf(), source);
    let name = path
        .file_name()
        .ok_or_else(|| io(io::ErrorKind::InvalidFilename.into()))?;
    let dir = Dir::open_ambient_dir(parent(path), ambient_authority()).map_err(io)?;
    let mut tmp = OsString::from(".");
    tmp.push(name);
    tmp.push(format!(".{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = dir.open_with(&tmp, &options).map_err(io)?;
    let result = fill(&mut file).and_then(|size| {
        file.sync_all()
            .and_then(|()| dir.rename(&tmp, &dir, name))
            .and_then(|()| sync_dir_at(&dir))
            .map_err(io)?;
        Ok(size)
    });
    if result.is_err() {
        // Best effort; the first error is the one to report.
        let _ = dir.remove_file(&tmp);
    }
    result
}

/// Copies everything and says what it hashed to and how long it was.
pub(crate) fn copy_hashed(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(Digest, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        hasher.update(bytes);
        to.write_all(bytes)?;
        size += read as u64;
    }
    Ok((Digest::from_bytes(hasher.finalize().into()), size))
}
