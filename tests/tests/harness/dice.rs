//! Chance that can be repeated: `SANDGATE_SEED=n` gives the same throws again.

use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator (xorshift); good enough to choose moments.
pub(crate) struct Dice {
    /// What it began with: print it when a test fails.
    pub(crate) seed: u64,
    state: u64,
}

impl Dice {
    /// From `SANDGATE_SEED`, else from the clock.
    pub(crate) fn new() -> Self {
        let seed = std::env::var("SANDGATE_SEED")
            .ok()
            .and_then(|t| t.parse().ok())
            .unwrap_or_else(|| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                u64::from(now.subsec_nanos())
            });
        Self {
            seed,
            // Never zero, where the generator would stay.
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % limit.max(1)
    }
}
