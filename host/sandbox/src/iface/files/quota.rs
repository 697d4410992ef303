//! What a call may still write, make and hold open. Every path that can write comes here before it does, and what
//! fails afterwards gives back what it took. Must not touch a file.

use crate::Limits;
use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// Marks something open as long as it lives.
pub(super) type Token = Arc<dyn Any + Send + Sync>;

/// A counter with a cap. Shared with streams that write in the background.
#[derive(Debug, Default)]
struct Meter {
    used: AtomicU64,
    cap: AtomicU64,
}

impl Meter {
    fn reset(&self, cap: u64) {
        self.used.store(0, Ordering::Relaxed);
        self.cap.store(cap, Ordering::Relaxed);
    }

    /// Takes `more` if it fits.
    fn take(&self, more: u64) -> bool {
        let cap = self.cap.load(Ordering::Relaxed);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|sum| *sum <= cap)
            })
            .is_ok()
    }

    fn give_back(&self, less: u64) {
        self.used.fetch_sub(less, Ordering::Relaxed);
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// The quotas of one call.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    bytes: Meter,
    made: Meter,
    open: Mutex<Vec<Weak<dyn Any + Send + Sync>>>,
    open_cap: AtomicUsize,
    open_peak: AtomicUsize,
}

impl Quota {
    /// Starts counting anew; what is open stays open and counted.
    pub(crate) fn reset(&self, limits: &Limits) {
        self.bytes.reset(limits.disk_bytes);
        self.made.reset(limits.disk_files);
        self.open_cap.store(limits.open_files, Ordering::Relaxed);
        self.open_peak.store(0, Ordering::Relaxed);
    }

    /// Takes room for bytes that are about to be written.
    pub(super) fn write(&self, bytes: u64) -> Result<(), ErrorCode> {
        if self.bytes.take(bytes) {
            Ok(())
        } else {
            Err(ErrorCode::InsufficientSpace)
        }
    }

    /// The same for streams, whose errors are those of the operating system.
    pub(super) fn write_io(&self, bytes: u64) -> io::Result<()> {
        self.write(bytes).map_err(|_| {
            // Read back as `insufficient-space` when the guest asks what happened.
            io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())
        })
    }

    /// Gives back what was taken for a write that did not happen.
    pub(super) fn unwrite(&self, bytes: u64) {
        self.bytes.give_back(bytes);
    }

    /// Runs what makes one file, directory or link, counted before; not counted if it fails.
    pub(super) fn make<T>(
        &self,
        make: impl FnOnce() -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        if !self.made.take(1) {
            return Err(ErrorCode::Quota);
        }
        make().inspect_err(|_| self.made.give_back(1))
    }

    /// Whether one more may be open.
    pub(super) fn may_open(&self) -> Result<(), ErrorCode> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|token| token.strong_count() > 0);
        if open.len() >= self.open_cap.load(Ordering::Relaxed) {
            return Err(ErrorCode::Quota);
        }
        Ok(())
    }

    /// Counts something as open until `token` and all its clones are gone. Comes right after
    /// [`Quota::may_open`]; a guest does one thing at a time.
    pub(super) fn opened(&self, token: &Token) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|token| token.strong_count() > 0);
        open.push(Arc::downgrade(token));
        self.open_peak.fetch_max(open.len(), Ordering::Relaxed);
    }

    /// Bytes written and things made.
    pub(super) fn spent(&self) -> (u64, u64) {
        (self.bytes.used(), self.made.used())
    }

    /// Counts on from there: what a replayed call did the first time is not done again, and counts all the same.
    pub(super) fn restore(&self, (bytes, made): (u64, u64)) {
        self.bytes.used.store(bytes, Ordering::Relaxed);
        self.made.used.store(made, Ordering::Relaxed);
    }

    /// Bytes written, things made, most open at once.
    pub(crate) fn used(&self) -> (u64, u64, usize) {
        (
            self.bytes.used(),
            self.made.used(),
            self.open_peak.load(Ordering::Relaxed),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota() -> Quota {
        let quota = Quota::default();
        quota.reset(&Limits {
            disk_bytes: 10,
            disk_files: 2,
            open_files: 2,
            ..Limits::agent()
        });
        quota
    }

    #[test]
    fn bytes_are_taken_whole_or_not_at_all() {
        let quota = quota();
        assert!(quota.write(6).is_ok());
        assert!(quota.write(5).is_err());
        assert!(quota.write(4).is_ok());
        assert!(quota.write(u64::MAX).is_err(), "no wrap");
        assert_eq!(quota.used().0, 10);
        assert_eq!(quota.write_io(1).unwrap_err().raw_os_error(), Some(28));
        quota.unwrite(4);
        assert!(quota.write(4).is_ok());
    }

    #[test]
    fn what_could_not_be_made_is_not_counted() {
        let quota = quota();
        for _ in 0..5 {
            assert!(quota.make(|| Err::<(), _>(ErrorCode::Exist)).is_err());
        }
        assert!(quota.make(|| Ok(())).is_ok());
        assert!(quota.make(|| Ok(())).is_ok());
        assert!(matches!(quota.make(|| Ok(())), Err(ErrorCode::Quota)));
        assert_eq!(quota.used().1, 2);
    }

    #[test]
    fn open_means_alive() {
        let quota = quota();
        let token = || -> Token { Arc::new(()) };
        let (one, two) = (token(), token());
        for held in [&one, &two] {
            assert!(quota.may_open().is_ok());
            quota.opened(held);
        }
        assert!(quota.may_open().is_err());
        drop(one);
        assert!(quota.may_open().is_ok());
        assert_eq!(quota.used().2, 2);
        quota.reset(&Limits {
            open_files: 1,
            ..Limits::agent()
        });
        assert!(quota.may_open().is_err(), "still open in the next turn");
    }
}
