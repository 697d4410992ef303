//! The operations of `wasi:filesystem`, each on any path.

use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};
use wasip2::io::streams::StreamError;

pub const READ: DescriptorFlags = DescriptorFlags::READ;
pub const WRITE: DescriptorFlags = DescriptorFlags::WRITE;

/// Everything that can be done with one path. What takes a name away stands last, so that all else is tried on links
/// that are still there.
pub const OPERATIONS: [&str; 17] = [
    "read",
    "read-nofollow",
    "stat",
    "lstat",
    "list",
    "readlink",
    "write",
    "append",
    "create",
    "truncate",
    "mkdir",
    "touch",
    "symlink",
    "link-from",
    "rename-from",
    "unlink",
    "rename-to",
];

/// A granted directory.
pub struct Root(pub Descriptor);

fn text<T>(result: Result<T, ErrorCode>) -> Result<T, String> {
    result.map_err(|error| error.name().to_owned())
}

impl Root {
    /// The directory with this guest path, or the first one.
    pub fn open(path: &str) -> Result<Self, String> {
        preopens::get_directories()
            .into_iter()
            .find(|(_, found)| path.is_empty() || found == path)
            .map(|(directory, _)| Self(directory))
            .ok_or_else(|| format!("no directory {path:?} is granted"))
    }

    pub fn at(
        &self,
        path: &str,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Descriptor, String> {
        text(self.0.open_at(PathFlags::SYMLINK_FOLLOW, path, open, flags))
    }

    pub fn read(&self, path: &str) -> Result<String, String> {
        let file = self.at(path, OpenFlags::empty(), READ)?;
        let (bytes, _) = text(file.read(200, 0))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn write(&self, path: &str, contents: &str) -> Result<u64, String> {
        let file = self.at(path, OpenFlags::CREATE, WRITE)?;
        text(file.write(contents.as_bytes(), 0))
    }

    pub fn list(&self, path: &str) -> Result<Vec<String>, String> {
        let directory = self.at(path, OpenFlags::DIRECTORY, READ)?;
        let entries = text(directory.read_directory())?;
        let mut names = Vec::new();
        while let Some(entry) = text(entries.read_directory_entry())? {
            names.push(entry.name);
        }
        names.sort();
        Ok(names)
    }

    /// Reads through a stream, which waits where the file makes it wait.
    pub fn read_stream(&self, path: &str) -> Result<usize, String> {
        let file = self.at(path, OpenFlags::empty(), READ)?;
        let stream = text(file.read_via_stream(0))?;
        let mut bytes = 0;
        loop {
            match stream.blocking_read(1 << 16) {
                Ok(chunk) => bytes += chunk.len(),
                Err(StreamError::Closed) => return Ok(bytes),
                Err(error) => return Err(format!("{error:?}")),
            }
        }
    }

    pub fn mkdir(&self, path: &str) -> Result<(), String> {
        text(self.0.create_directory_at(path))
    }

    pub fn symlink(&self, target: &str, path: &str) -> Result<(), String> {
        text(self.0.symlink_at(target, path))
    }

    pub fn link(&self, from: &str, to: &str, follow: bool) -> Result<(), String> {
        let flags = if follow {
            PathFlags::SYMLINK_FOLLOW
        } else {
            PathFlags::empty()
        };
        text(self.0.link_at(flags, from, &self.0, to))
    }

    pub fn rename(&self, from: &str, to: &str) -> Result<(), String> {
        text(self.0.rename_at(from, &self.0, to))
    }

    pub fn unlink(&self, path: &str) -> Result<(), String> {
        text(self.0.unlink_file_at(path))
    }

    pub fn rmdir(&self, path: &str) -> Result<(), String> {
        text(self.0.remove_directory_at(path))
    }

    pub fn size(&self, file: &Descriptor, size: u64) -> Result<(), String> {
        text(file.set_size(size))
    }

    pub fn write_at(&self, file: &Descriptor, bytes: &[u8], offset: u64) -> Result<u64, String> {
        text(file.write(bytes, offset))
    }

    /// One operation on one path; what it gave, in a line.
    pub fn operate(&self, operation: &str, path: &str) -> Result<String, String> {
        let done = |result: Result<(), String>| result.map(|()| "done".to_owned());
        // A name inside that is free each time, and that is put away again.
        let inside = "escape-probe";
        let came = match operation {
            "read" => self.read(path),
            "read-nofollow" => {
                text(
                    self.0
                        .open_at(PathFlags::empty(), path, OpenFlags::empty(), READ),
                )
                .and_then(|file| text(file.read(200, 0)))
                .map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned())
            }
            "write" => self
                .at(path, OpenFlags::empty(), WRITE)
                .and_then(|file| text(file.write(b"escaped", 0)))
                .map(|n| format!("{n} bytes")),
            "append" => self
                .at(path, OpenFlags::empty(), WRITE)
                .and_then(|file| text(file.append_via_stream()))
                .and_then(|stream| {
                    stream
                        .blocking_write_and_flush(b"escaped")
                        .map_err(|error| format!("{error:?}"))
                })
                .map(|()| "appended".to_owned()),
            "create" => self
                .at(path, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, WRITE)
                .map(|_| "created".to_owned()),
            "truncate" => self
                .at(path, OpenFlags::TRUNCATE, WRITE)
                .map(|_| "truncated".to_owned()),
            "stat" => text(self.0.stat_at(PathFlags::SYMLINK_FOLLOW, path))
                .map(|stat| format!("{:?} {}", stat.type_, stat.size)),
            "lstat" => text(self.0.stat_at(PathFlags::empty(), path))
                .map(|stat| format!("{:?} {}", stat.type_, stat.size)),
            "list" => self.list(path).map(|names| names.join(",")),
            "readlink" => text(self.0.readlink_at(path)),
            "mkdir" => done(self.mkdir(path)),
            "touch" => done(text(self.0.set_times_at(
                PathFlags::SYMLINK_FOLLOW,
                path,
                NewTimestamp::Now,
                NewTimestamp::Now,
            ))),
            "symlink" => done(self.symlink("anywhere", path)),
            "link-from" => done(self.link(path, inside, true)),
            "rename-from" => {
                let moved = self.rename(path, inside);
                if moved.is_ok() {
                    let _ = self.rename(inside, path);
                }
                done(moved)
            }
            "rename-to" => {
                self.write(inside, "escaped")?;
                done(self.rename(inside, path))
            }
            "unlink" => done(self.unlink(path)),
            other => Err(format!("there is no operation {other:?}")),
        };
        let _ = self.unlink(inside);
        came
    }
}
