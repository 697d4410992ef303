//! One verb, one function of `wasi:filesystem`.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DirectoryEntryStream, ErrorCode, NewTimestamp, OpenFlags,
    PathFlags, filesystem_error_code,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

type Told = Result<String, String>;

/// What the guest holds between steps.
#[derive(Default)]
pub struct Hands {
    base: Option<Descriptor>,
    held: Vec<Descriptor>,
    readers: Vec<InputStream>,
    writers: Vec<OutputStream>,
    lists: Vec<DirectoryEntryStream>,
}

fn text(code: ErrorCode) -> String {
    code.name().to_owned()
}

fn path(hex: &str) -> String {
    if hex == "-" {
        return String::new();
    }
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap_or(b'?'))
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or(0)
}

fn stream(error: StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => match filesystem_error_code(&error) {
            Some(code) => text(code),
            None => error.to_debug_string(),
        },
    }
}

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const READ: DescriptorFlags = DescriptorFlags::READ;
const WRITE: DescriptorFlags = DescriptorFlags::WRITE;
const NONE: OpenFlags = OpenFlags::empty();

impl Hands {
    fn base(&self) -> Result<&Descriptor, String> {
        self.base.as_ref().ok_or_else(|| "no base".to_owned())
    }

    fn root(number: u64) -> Result<Descriptor, String> {
        get_directories()
            .into_iter()
            .nth(number as usize)
            .map(|(dir, _)| dir)
            .ok_or_else(|| "no root".to_owned())
    }

    fn open(
        &self,
        path: &str,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Descriptor, String> {
        self.base()?
            .open_at(FOLLOW, path, open, flags)
            .map_err(text)
    }

    /// Does one step.
    pub fn step(&mut self, step: &str) -> Told {
        let words: Vec<&str> = step.split(' ').collect();
        let word = |n: usize| words.get(n).copied().unwrap_or("");
        let at = path(word(1));
        let none = |result: Result<(), ErrorCode>| result.map(|()| String::new()).map_err(text);
        match word(0) {
            "root" => {
                self.base = Some(Self::root(number(word(1)))?);
                Ok(String::new())
            }
            "cd" => {
                self.base = Some(self.open(&at, OpenFlags::DIRECTORY, READ)?);
                Ok(String::new())
            }
            // Reading.
            "read" => {
                let file = self.open(&at, NONE, READ)?;
                let (bytes, _) = file.read(4096, 0).map_err(text)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            "read-nofollow" => {
                let base = self.base()?;
                let file = base
                    .open_at(PathFlags::empty(), &at, NONE, READ)
                    .map_err(text)?;
                let (bytes, _) = file.read(4096, 0).map_err(text)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            "read-stream" => {
                let file = self.open(&at, NONE, READ)?;
                let from = file.read_via_stream(0).map_err(text)?;
                let bytes = from.blocking_read(4096).map_err(stream)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            "stat" => {
                let stat = self.base()?.stat_at(FOLLOW, &at).map_err(text)?;
                Ok(format!("{:?} {}", stat.type_, stat.size))
            }
            "lstat" => {
                let stat = self
                    .base()?
                    .stat_at(PathFlags::empty(), &at)
                    .map_err(text)?;
                Ok(format!("{:?} {}", stat.type_, stat.size))
            }
            "hash" => {
                let hash = self.base()?.metadata_hash_at(FOLLOW, &at).map_err(text)?;
                Ok(format!("{:x}", hash.lower))
            }
            "readlink" => self.base()?.readlink_at(&at).map_err(text),
            "list" => {
                let dir = self.open(&at, OpenFlags::DIRECTORY, READ)?;
                let entries = dir.read_directory().map_err(text)?;
                let mut names = Vec::new();
                while let Some(entry) = entries.read_directory_entry().map_err(text)? {
                    names.push(entry.name);
                }
                names.sort();
                Ok(if names.len() > 50 {
                    format!("{} names", names.len())
                } else {
                    names.join(",")
                })
            }
            // Writing.
            "write" => {
                let file = self.open(&at, NONE, WRITE)?;
                let written = file.write(b"pwned", 0).map_err(text)?;
                Ok(written.to_string())
            }
            "create" => {
                let file = self.open(&at, OpenFlags::CREATE, WRITE)?;
                let written = file.write(b"pwned", 0).map_err(text)?;
                Ok(written.to_string())
            }
            "create-new" => {
                let flags = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
                self.open(&at, flags, WRITE).map(|_| String::new())
            }
            "create-read" => {
                let file = self.open(&at, OpenFlags::CREATE, READ)?;
                let (bytes, _) = file.read(4096, 0).map_err(text)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            "truncate" => self
                .open(&at, OpenFlags::TRUNCATE, WRITE)
                .map(|_| String::new()),
            "mkdir" => none(self.base()?.create_directory_at(&at)),
            "rmdir" => none(self.base()?.remove_directory_at(&at)),
            "unlink" => none(self.base()?.unlink_file_at(&at)),
            "touch" => {
                none(
                    self.base()?
                        .set_times_at(FOLLOW, &at, NewTimestamp::Now, NewTimestamp::Now),
                )
            }
            "touch-open" => {
                let file = self.open(&at, NONE, READ)?;
                none(file.set_times(NewTimestamp::Now, NewTimestamp::Now))
            }
            // `symlink TARGET PATH`
            "symlink" => none(self.base()?.symlink_at(&at, &path(word(2)))),
            "link" => {
                let base = self.base()?;
                none(base.link_at(PathFlags::empty(), &at, base, &path(word(2))))
            }
            "rename" => {
                let base = self.base()?;
                none(base.rename_at(&at, base, &path(word(2))))
            }
            // `rename-into OLD NUMBER NEW`: into another root.
            "rename-into" => {
                let to = Self::root(number(word(2)))?;
                none(self.base()?.rename_at(&at, &to, &path(word(3))))
            }
            // Quotas.
            "write-at" => {
                let file = self.open(&at, OpenFlags::CREATE, WRITE)?;
                let bytes = vec![7; number(word(3)) as usize];
                let written = file.write(&bytes, number(word(2))).map_err(text)?;
                Ok(written.to_string())
            }
            "size" => {
                let file = self.open(&at, NONE, WRITE)?;
                none(file.set_size(number(word(2))))
            }
            // `stream PATH OFFSET BYTES`, in pieces of 4096; `append` the same without the offset counting.
            verb @ ("stream" | "append") => {
                let file = self.open(&at, OpenFlags::CREATE, WRITE)?;
                let to = if verb == "append" {
                    file.append_via_stream()
                } else {
                    file.write_via_stream(number(word(2)))
                };
                let to = to.map_err(text)?;
                let mut left = number(word(3));
                while left > 0 {
                    let piece = left.min(4096);
                    to.blocking_write_and_flush(&vec![7; piece as usize])
                        .map_err(stream)?;
                    left -= piece;
                }
                Ok(String::new())
            }
            // The same without waiting in between: check, write, and look what became of it.
            "stream-async" => {
                let file = self.open(&at, OpenFlags::CREATE, WRITE)?;
                let to = file.write_via_stream(number(word(2))).map_err(text)?;
                let mut left = number(word(3));
                while left > 0 {
                    let ready = to.subscribe();
                    ready.block();
                    let permit = to.check_write().map_err(stream)?.min(left);
                    to.write(&vec![7; permit as usize]).map_err(stream)?;
                    left -= permit;
                }
                to.blocking_flush().map_err(stream)?;
                Ok(String::new())
            }
            "zeroes" => {
                let file = self.open(&at, OpenFlags::CREATE, WRITE)?;
                let to = file.write_via_stream(0).map_err(text)?;
                let mut left = number(word(2));
                while left > 0 {
                    let piece = left.min(4096);
                    to.blocking_write_zeroes_and_flush(piece).map_err(stream)?;
                    left -= piece;
                }
                Ok(String::new())
            }
            "splice" => {
                let from = self
                    .open(&at, NONE, READ)?
                    .read_via_stream(0)
                    .map_err(text)?;
                let file = self.open(&path(word(2)), OpenFlags::CREATE, WRITE)?;
                let to = file.write_via_stream(0).map_err(text)?;
                let mut sum = 0;
                loop {
                    match to.blocking_splice(&from, 4096) {
                        Ok(n) => sum += n,
                        Err(StreamError::Closed) => break Ok(sum.to_string()),
                        Err(error) => break Err(stream(error)),
                    }
                }
            }
            // `mkdirs N`, `files N`: as many as it can; says how many and why no more.
            "mkdirs" | "files" | "links" => {
                for n in 0..number(word(1)) {
                    let name = format!("made-{n}");
                    let made = match word(0) {
                        "mkdirs" => self.base()?.create_directory_at(&name).map_err(text),
                        "links" => self.base()?.symlink_at("x", &name).map_err(text),
                        _ => self.open(&name, OpenFlags::CREATE, WRITE).map(drop),
                    };
                    made.map_err(|code| format!("{code} after {n}"))?;
                }
                Ok(String::new())
            }
            // `hold N PATH`, `readers N PATH`, …: holds as many as it can.
            verb @ ("hold" | "readers" | "writers" | "lists") => {
                let at = path(word(2));
                for n in 0..number(word(1)) {
                    let told = |code: String| format!("{code} after {n}");
                    match verb {
                        "hold" => self.held.push(self.open(&at, NONE, READ).map_err(told)?),
                        "readers" => {
                            let file = self.open(&at, NONE, READ).map_err(told)?;
                            let stream = file.read_via_stream(0);
                            self.readers.push(stream.map_err(text).map_err(told)?);
                        }
                        "writers" => {
                            let file = self.open(&at, NONE, WRITE).map_err(told)?;
                            let stream = file.append_via_stream();
                            self.writers.push(stream.map_err(text).map_err(told)?);
                        }
                        _ => {
                            let list = self.base()?.read_directory();
                            self.lists.push(list.map_err(text).map_err(told)?);
                        }
                    }
                }
                Ok(String::new())
            }
            "drop" => {
                self.readers.clear();
                self.writers.clear();
                self.lists.clear();
                self.held.clear();
                Ok(String::new())
            }
            // `swap N A B`: renames A and B into each other's place N times; how often it worked.
            "swap" => {
                let (base, b) = (self.base()?, path(word(3)));
                let a = path(word(2));
                let mut done = 0;
                for _ in 0..number(word(1)) {
                    done += u64::from(base.rename_at(&a, base, "swapping").is_ok());
                    done += u64::from(base.rename_at(&b, base, &a).is_ok());
                    done += u64::from(base.rename_at("swapping", base, &b).is_ok());
                }
                Ok(done.to_string())
            }
            // `probe N PATH`: reads, writes and creates through a path that somebody swaps; what was read.
            "probe" => {
                let at = path(word(2));
                let (mut read, mut wrote) = (0, 0);
                let mut seen = String::new();
                for _ in 0..number(word(1)) {
                    if let Ok(file) = self.open(&at, NONE, READ)
                        && let Ok((bytes, _)) = file.read(64, 0)
                    {
                        read += 1;
                        let text = String::from_utf8_lossy(&bytes);
                        if !text.starts_with("inside") && !text.starts_with("pwned") {
                            seen = text.into_owned();
                        }
                    }
                    if let Ok(file) = self.open(&at, OpenFlags::CREATE, WRITE) {
                        wrote += u64::from(file.write(b"pwned", 0).is_ok());
                    }
                    let now = NewTimestamp::Now;
                    let _ = self.base()?.set_times_at(FOLLOW, &at, now, now);
                }
                Ok(format!("{read} {wrote} [{seen}]"))
            }
            other => Err(format!("no such verb: {other}")),
        }
    }
}
