//! How long a failed task waits. The jitter is a hash of what names the attempt, so that replay gives the same
//! moment and two tasks that failed together still do not come back together.

use sandgate_model::{AttemptNo, Millis, Retry, RunId, TaskIx};

/// The wait after the `spent`th failure: doubled each time, capped, then between half of that and all of it.
pub(crate) fn backoff(
    run: RunId,
    task: TaskIx,
    attempt: AttemptNo,
    spent: u32,
    retry: Retry,
) -> Millis {
    let doublings = spent.saturating_sub(1);
    let factor = 1u64.checked_shl(doublings).unwrap_or(u64::MAX);
    let full = retry
        .backoff
        .0
        .saturating_mul(factor)
        .min(retry.max_backoff.0);
    let half = full / 2;
    let spread = full - half;
    let hash = hash(run, task, attempt);
    Millis(half + hash % spread.saturating_add(1).max(1))
}

/// Written out, because the standard library does not promise that its hash stays the same: a replay by a later
/// version has to agree. The mixer is SplitMix64.
fn hash(run: RunId, task: TaskIx, attempt: AttemptNo) -> u64 {
    let bytes = u128::from_be_bytes(*run.as_bytes());
    let low = u64::try_from(bytes & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(bytes >> 64).unwrap_or(0);
    let place = u64::from(task.0) << 32 | u64::from(attempt.0);
    mix(mix(mix(low) ^ high) ^ place)
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "01932c5e-7c0a-7000-8000-000000000000";

    fn wait(task: u32, attempt: u32, spent: u32, backoff_ms: u64, max: u64) -> u64 {
        let retry = Retry {
            attempts: 9,
            backoff: Millis(backoff_ms),
            max_backoff: Millis(max),
        };
        backoff(
            RUN.parse().unwrap(),
            TaskIx(task),
            AttemptNo(attempt),
            spent,
            retry,
        )
        .0
    }

    #[test]
    fn doubles_within_half_and_whole_and_is_capped() {
        for spent in 1..200 {
            let full = 1000u64
                .saturating_mul(1u64.checked_shl(spent - 1).unwrap_or(u64::MAX))
                .min(60_000);
            for task in 0..50 {
                let w = wait(task, spent, spent, 1000, 60_000);
                assert!((full / 2..=full).contains(&w), "{spent} {task}: {w}");
            }
        }
    }

    #[test]
    fn fixed_for_ever() {
        // A replay by any later version has to find the same moments: never change these numbers.
        let waits: Vec<u64> = (0..4).map(|task| wait(task, 1, 1, 1000, 60_000)).collect();
        assert_eq!(waits, [749, 962, 726, 692]);
    }

    #[test]
    fn extremes() {
        assert_eq!(wait(0, 1, 1, 0, 0), 0);
        assert!(wait(0, 1, 64, u64::MAX, u64::MAX) >= u64::MAX / 2);
        let spread: std::collections::BTreeSet<u64> = (0..100)
            .map(|task| wait(task, 1, 1, 1000, 60_000))
            .collect();
        assert!(spread.len() > 80, "the jitter spreads: {}", spread.len());
    }
}
