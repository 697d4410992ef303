//! Counts what a guest allocates, refuses what is over a cap, and remembers which cap it was.

use crate::{LimitKind, Limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasmtime::ResourceLimiter;

/// Memory of all calls of a process together.
#[derive(Debug)]
pub(crate) struct TotalMemory {
    used: AtomicUsize,
    cap: usize,
}

impl TotalMemory {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            cap,
        }
    }

    /// Takes `bytes` if they are left.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.cap)
            })
            .is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The allocation side of one store's limits.
pub(crate) struct Limiter {
    total: Arc<TotalMemory>,
    limits: Limits,
    total_cap: usize,
    memory: usize,
    /// Host memory that the guest made us hold (artifacts), counted against the total only.
    held: usize,
    memory_peak: usize,
    table_elements: usize,
    /// The last refusal, until a later request of the same kind succeeds: a guest that lives on found another way.
    refused: Option<LimitKind>,
}

impl Limiter {
    pub(crate) fn new(total: Arc<TotalMemory>, limits: Limits) -> Self {
        let total_cap = total.cap;
        Self {
            total,
            limits,
            total_cap,
            memory: 0,
            held: 0,
            memory_peak: 0,
            table_elements: 0,
            refused: None,
        }
    }

    /// The caps of the next use of a live session; what is allocated stays counted.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.refused = None;
    }

    pub(crate) fn memory_peak(&self) -> usize {
        self.memory_peak
    }

    /// The cap that was hit last and not got round, with its figure.
    pub(crate) fn refused(&self) -> Option<(LimitKind, u64)> {
        self.refused.map(|which| (which, self.cap(which)))
    }

    /// The figure of a cap.
    pub(crate) fn cap(&self, which: LimitKind) -> u64 {
        let limits = &self.limits;
        let cap = match which {
            LimitKind::Memory => limits.memory,
            LimitKind::TotalMemory => self.total_cap,
            LimitKind::TableElements => limits.table_elements,
            LimitKind::Instances => limits.instances,
            LimitKind::Tables => limits.tables,
            LimitKind::Memories => limits.memories,
            LimitKind::Resources => limits.resources,
            LimitKind::Handles => limits.handles,
            LimitKind::Crossing => limits.crossing_bytes,
            LimitKind::Tape => crate::TAPE_MAX,
            LimitKind::HostCalls => return limits.host_calls,
        };
        cap as u64
    }

    /// Counts host memory against the process's total.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let ok = self.total.take(bytes);
        if ok {
            self.held += bytes;
        }
        ok
    }

    /// The opposite of [`Limiter::hold`].
    pub(crate) fn release(&mut self, bytes: usize) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.total.give_back(bytes);
    }

    fn refuse(&mut self, which: LimitKind) -> bool {
        self.refused = Some(which);
        false
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.total.give_back(self.memory + self.held);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Past the guest's own declared maximum: its affair, and nothing of ours is taken.
        if maximum.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current);
        let memory = self.memory.saturating_add(more);
        if memory > self.limits.memory {
            return Ok(self.refuse(LimitKind::Memory));
        }
        if !self.total.take(more) {
            return Ok(self.refuse(LimitKind::TotalMemory));
        }
        // A growth that fails after this (the kernel has no memory left) stays counted: too much is safe.
        self.memory = memory;
        self.memory_peak = self.memory_peak.max(memory);
        if matches!(
            self.refused,
            Some(LimitKind::Memory | LimitKind::TotalMemory)
        ) {
            self.refused = None;
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|max| desired > max) {
            // The pool's tables have a maximum of their own, which is our cap.
            if desired > self.limits.table_elements {
                self.refused = Some(LimitKind::TableElements);
            }
            return Ok(false);
        }
        let elements = self
            .table_elements
            .saturating_add(desired.saturating_sub(current));
        if elements > self.limits.table_elements {
            return Ok(self.refuse(LimitKind::TableElements));
        }
        self.table_elements = elements;
        if self.refused == Some(LimitKind::TableElements) {
            self.refused = None;
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(total: usize, memory: usize) -> (Arc<TotalMemory>, Limiter) {
        let total = Arc::new(TotalMemory::new(total));
        let limits = Limits {
            memory,
            table_elements: 10,
            ..Limits::agent()
        };
        (Arc::clone(&total), Limiter::new(total, limits))
    }

    #[test]
    fn memories_are_summed() {
        let (total, mut limiter) = limiter(1_000, 100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert_eq!(limiter.refused(), Some((LimitKind::Memory, 100)));
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert_eq!(limiter.refused(), None, "it found another way");
        assert_eq!((limiter.memory_peak(), total.used()), (100, 100));
        drop(limiter);
        assert_eq!(total.used(), 0);
    }

    #[test]
    fn the_total_counts_all_stores_and_what_the_host_holds() {
        let (total, mut one) = limiter(100, 100);
        let mut two = Limiter::new(Arc::clone(&total), Limits::agent());
        assert!(one.memory_growing(0, 50, None).unwrap());
        assert!(two.hold(40));
        assert!(!one.memory_growing(50, 61, None).unwrap());
        assert_eq!(one.refused(), Some((LimitKind::TotalMemory, 100)));
        two.release(40);
        assert!(one.memory_growing(50, 61, None).unwrap());
        drop((one, two));
        assert_eq!(total.used(), 0);
    }

    #[test]
    fn a_declared_maximum_takes_nothing_and_is_not_our_limit() {
        let (total, mut limiter) = limiter(1_000, 100);
        assert!(!limiter.memory_growing(0, 80, Some(70)).unwrap());
        assert_eq!((limiter.refused(), total.used()), (None, 0));
    }

    #[test]
    fn tables_are_summed() {
        let (_total, mut limiter) = limiter(1_000, 100);
        assert!(limiter.table_growing(0, 6, None).unwrap());
        assert!(!limiter.table_growing(0, 6, None).unwrap());
        assert_eq!(limiter.refused(), Some((LimitKind::TableElements, 10)));
        assert!(limiter.table_growing(0, 4, None).unwrap());
    }
}
