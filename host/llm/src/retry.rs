//! When to try again, and how long to wait. Pure: chance comes in from outside.

use std::{fmt, sync::Arc, time::Duration};

/// The first wait. Below it, a provider that counts requests per second is asked too soon.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait that is not asked for.
const LONGEST: Duration = Duration::from_secs(20);

/// The longest wait that a provider may ask for. It wants more: giving up says so, and whoever runs the task decides.
const ASKED_MAX: Duration = Duration::from_secs(60);

/// Chance: gives 0 to 1000 for the n-th wait. Handed in, so that tests and replays have none.
#[derive(Clone)]
pub struct Jitter(Arc<dyn Fn(u32) -> u16 + Send + Sync>);

impl Jitter {
    /// Chance from a function of the number of the wait, from 0. Numbers over 1000 count as 1000.
    #[must_use]
    pub fn new(chance: impl Fn(u32) -> u16 + Send + Sync + 'static) -> Self {
        Self(Arc::new(chance))
    }

    /// None: always the whole wait.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| 1_000)
    }

    pub(crate) fn of(&self, wait: u32) -> u16 {
        (self.0)(wait)
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
    }
}

/// Whether a status may be different the next time. The provider did no work for any of them.
pub(crate) fn worth_it(status: u16) -> bool {
    matches!(status, 408 | 409 | 429 | 500..=599)
}

/// How long to wait before try `wait` + 2; `None`: the provider asks for more than anybody waits.
pub(crate) fn delay(wait: u32, asked: Option<Duration>, permille: u16) -> Option<Duration> {
    if let Some(asked) = asked {
        return (asked <= ASKED_MAX).then_some(asked);
    }
    let factor = 2u32.checked_pow(wait).unwrap_or(u32::MAX);
    let whole = FIRST.saturating_mul(factor).min(LONGEST);
    // Between half and the whole: tasks that failed together do not come back together.
    let half = whole / 2;
    Some(half.saturating_add(half.saturating_mul(u32::from(permille.min(1_000))) / 1_000))
}

/// `retry-after` in seconds. A date is not read: it would need both clocks to agree.
pub(crate) fn asked(header: Option<&http::HeaderValue>) -> Option<Duration> {
    let seconds = header?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_cap_and_keep_within_half() {
        let ms = |wait, permille| delay(wait, None, permille).unwrap().as_millis();
        assert_eq!(
            [ms(0, 1_000), ms(1, 1_000), ms(2, 1_000)],
            [500, 1_000, 2_000]
        );
        assert_eq!([ms(0, 0), ms(1, 0), ms(9, 0)], [250, 500, 10_000]);
        assert_eq!(ms(u32::MAX, u16::MAX), 20_000);
    }

    #[test]
    fn the_providers_wish_counts_up_to_a_minute() {
        let secs = Duration::from_secs;
        assert_eq!(delay(5, Some(secs(3)), 0), Some(secs(3)));
        assert_eq!(delay(0, Some(secs(61)), 0), None);
        let header = |text| asked(Some(&http::HeaderValue::from_static(text)));
        assert_eq!(header("7"), Some(secs(7)));
        for odd in [
            "-1",
            "soon",
            "99999999999999999999",
            "Fri, 20 Nov 2026 10:00:00 GMT",
            "1.5",
        ] {
            assert_eq!(header(odd), None, "{odd}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let again: Vec<u16> = (100..600).filter(|s| worth_it(*s)).collect();
        assert_eq!(again.len(), 103);
        assert!(!worth_it(400) && !worth_it(401) && !worth_it(404) && !worth_it(200));
    }
}
