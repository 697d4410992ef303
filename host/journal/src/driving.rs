//! Whether a process drives the project now, without touching its lock: a look must never be in the way of a host that
//! is about to start. The kernel lists locks and their owners in `/proc/locks`; where that cannot be read, nobody
//! knows, and nothing is claimed.

use crate::lock::LOCK_FILE;
use std::{os::unix::fs::MetadataExt as _, path::Path};

/// Who drives a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Driving {
    /// This process.
    Process(u32),
    /// None.
    Nobody,
    /// It cannot be found out.
    Unknown,
}

/// Who drives the project with this state directory, as far as the kernel tells.
#[must_use]
pub fn driving(state_dir: &Path) -> Driving {
    let Ok(lock) = state_dir.join(LOCK_FILE).metadata() else {
        return Driving::Nobody;
    };
    let Ok(locks) = std::fs::read_to_string(Path::new("/proc/locks")) else {
        return Driving::Unknown;
    };
    match owner(&locks, lock.ino()) {
        // A process of another namespace is listed as 0 or -1.
        Some(pid) => u32::try_from(pid)
            .ok()
            .filter(|p| *p > 0)
            .map_or(Driving::Unknown, Driving::Process),
        None => Driving::Nobody,
    }
}

/// The process that holds a lock on the file with this number. A line is
/// `1: FLOCK  ADVISORY  WRITE 4711 00:1f:123456 0 EOF`; one that waits has `->` after its number. The device is not
/// compared, since file systems with subvolumes list another one than `stat` says.
fn owner(locks: &str, inode: u64) -> Option<i64> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = fields.as_slice() else {
            return None;
        };
        let listed = file.rsplit(':').next()?.parse::<u64>().ok()?;
        (listed == inode).then(|| pid.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernel_list() {
        let locks = "1: POSIX  ADVISORY  WRITE 1 00:1f:42 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 fe:01:42 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 5 fe:01:43 0 EOF\n";
        assert_eq!(owner(locks, 42), Some(4711));
        assert_eq!(owner(locks, 43), None);
    }
}
