//! Files the host keeps for itself: compiled components and descriptions. Each carries a keyed hash over its name
//! and content, with a key that never leaves the directory, so that a damaged, swapped or foreign file is not
//! believed. A cache file that is not believed is as good as none; writing is best effort.

use crate::compile::Compiled;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// First bytes of every cache file; the digit is the format's version.
const MAGIC: &[u8; 8] = b"sgcache1";

/// Length of a mark.
const MARK: usize = 32;

/// Length of the key: one block of the hash, so that it is used as it is.
const KEY_BYTES: usize = 64;

/// Name of the key file.
const KEY: &str = "key";

/// Most files kept. A project has tens of plugins; each new host version compiles them anew and leaves the old
/// files behind.
const FILES_MAX: usize = 256;

/// A directory of marked files.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    temporary: AtomicU64,
}

/// Bytes that this host made: their mark was checked, or its own worker gave them.
pub(crate) struct Marked(Vec<u8>);

impl Marked {
    /// Code that just came from a worker of ours, through its pipe.
    pub(crate) fn from_worker(code: Compiled) -> Self {
        Self(code.into_bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Cache {
    /// Opens the directory, which only its owner may enter, and reads its key or makes one.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let dir = dir.canonicalize()?;
        if fs::metadata(&dir)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
        }
        let mut cache = Self {
            dir,
            key: [0; KEY_BYTES],
            temporary: AtomicU64::new(0),
        };
        cache.key = cache.load_key()?;
        Ok(cache)
    }

    /// The key. Two hosts that make it at once agree: the one that links its file first wins.
    fn load_key(&self) -> io::Result<[u8; KEY_BYTES]> {
        let path = self.dir.join(KEY);
        for _ in 0..2 {
            if let Ok(bytes) = fs::read(&path)
                && let Ok(key) = <[u8; KEY_BYTES]>::try_from(bytes)
            {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
                return Ok(key);
            }
            // Missing or damaged. A new key makes every file here unbelievable, which is right.
            let mut key = [0; KEY_BYTES];
            getrandom::fill(&mut key).map_err(io::Error::other)?;
            let temporary = self.write_temporary(&[&key])?;
            if path.exists() {
                fs::remove_file(&path)?;
            }
            let linked = fs::hard_link(&temporary, &path);
            fs::remove_file(&temporary)?;
            match linked {
                Ok(()) => return Ok(key),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!(
            "another process keeps replacing {}",
            path.display()
        )))
    }

    fn mark(&self, name: &str, content: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(content);
        mac
    }

    /// The content under a name, if it is there and ours.
    pub(crate) fn read(&self, name: &str) -> Option<Marked> {
        let mut bytes = Vec::new();
        File::open(self.dir.join(name))
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (mark, content) = rest.split_at_checked(MARK)?;
        self.mark(name, content).verify_slice(mark).ok()?;
        bytes.drain(..MAGIC.len() + MARK);
        Some(Marked(bytes))
    }

    /// Keeps content under a name. The file appears whole or not at all.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mark = self.mark(name, content).finalize().into_bytes();
        let temporary = self.write_temporary(&[MAGIC, &mark, content])?;
        let done = fs::rename(&temporary, self.dir.join(name));
        if done.is_err() {
            // Nobody else will ever look at it.
            fs::remove_file(&temporary)?;
        }
        done?;
        self.prune()
    }

    fn write_temporary(&self, parts: &[&[u8]]) -> io::Result<PathBuf> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let path = self
            .dir
            .join(format!(".{}-{number}.new", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        for part in parts {
            if let Err(error) = file.write_all(part) {
                fs::remove_file(&path)?;
                return Err(error);
            }
        }
        Ok(path)
    }

    /// Removes the files written longest ago when there are too many.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name() != KEY {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let over = files.len().saturating_sub(FILES_MAX);
        for (_, path) in files.into_iter().take(over) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keeps_and_finds() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("a/b");
        let cache = Cache::open(&dir).unwrap();
        assert!(cache.read("x").is_none());
        cache.write("x", b"content").unwrap();
        assert_eq!(cache.read("x").unwrap().bytes(), b"content");
        let again = Cache::open(&dir).unwrap();
        assert_eq!(again.read("x").unwrap().bytes(), b"content");
        assert_eq!(
            (mode(&dir), mode(&dir.join("x")), mode(&dir.join(KEY))),
            (0o700, 0o600, 0o600)
        );
    }

    #[test]
    fn believes_only_its_own_files() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::open(place.path()).unwrap();
        cache.write("x", b"content").unwrap();
        let path = place.path().join("x");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert!(cache.read("x").is_none(), "byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert!(cache.read("x").is_none(), "length {at}");
        }
        // A good file under another name, and one from another key.
        fs::write(place.path().join("y"), &good).unwrap();
        assert!(cache.read("y").is_none());
        let other = tempfile::tempdir().unwrap();
        let foreign = Cache::open(other.path()).unwrap();
        foreign.write("x", b"content").unwrap();
        fs::copy(other.path().join("x"), &path).unwrap();
        assert!(cache.read("x").is_none());
    }

    #[test]
    fn a_damaged_key_is_replaced_and_old_files_are_not_believed() {
        let place = tempfile::tempdir().unwrap();
        Cache::open(place.path()).unwrap().write("x", b"1").unwrap();
        fs::write(place.path().join(KEY), b"short").unwrap();
        let cache = Cache::open(place.path()).unwrap();
        assert!(cache.read("x").is_none());
        cache.write("x", b"2").unwrap();
        assert_eq!(cache.read("x").unwrap().bytes(), b"2");
    }

    #[test]
    fn does_not_grow_without_end() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::open(place.path()).unwrap();
        for i in 0..FILES_MAX + 10 {
            cache.write(&format!("f{i}"), b"").unwrap();
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), FILES_MAX + 1);
        assert!(cache.read(&format!("f{}", FILES_MAX + 9)).is_some());
    }
}
