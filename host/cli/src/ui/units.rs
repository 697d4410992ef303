//! Numbers for people: spans, sizes, moments, counts. JSON never goes through here; it has milliseconds and bytes.

use jiff::{Timestamp, tz::TimeZone};
use sandgate_model::{Millis, Moment};

/// A span with two or three digits that matter: `12ms`, `0.2s`, `3.4s`, `2m 05s`, `1h 02m`.
pub(crate) fn span(span: Millis) -> String {
    let ms = span.0;
    let secs = ms / 1000;
    match ms {
        0..100 => format!("{ms}ms"),
        100..59_950 => {
            let tenths = (ms + 50) / 100;
            format!("{}.{}s", tenths / 10, tenths % 10)
        }
        59_950..3_600_000 => {
            let secs = (ms + 500) / 1000;
            format!("{}m {:02}s", secs / 60, secs % 60)
        }
        3_600_000..86_400_000 => format!("{}h {:02}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d {:02}h", secs / 86_400, secs / 3600 % 24),
    }
}

/// A size: `812 B`, `4.2 KiB`, `1.0 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths of the unit, in integers: exact at every size.
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!(
        "{}.{} {}",
        tenths / 10,
        tenths % 10,
        UNITS.get(unit).unwrap_or(&"TiB")
    )
}

/// An amount of money in millionths: `0.25`, `12.00`, `0.000004`.
pub(crate) fn money(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let cents = text.len().saturating_sub(4);
    let (keep, rest) = text.split_at(cents);
    format!("{keep}{}", rest.trim_end_matches('0'))
}

/// `1 task`, `2 tasks`.
pub(crate) fn count(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// Where a moment is shown: the machine's time zone, or UTC in tests.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The machine's.
    pub(crate) fn system() -> Self {
        Self(TimeZone::system())
    }

    /// Universal time.
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    fn format(&self, at: Moment, pattern: &str) -> String {
        let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
        match Timestamp::from_millisecond(ms) {
            Ok(time) => time.to_zoned(self.0.clone()).strftime(pattern).to_string(),
            Err(_) => "(no such time)".to_owned(),
        }
    }

    /// `12:01:03`.
    pub(crate) fn clock(&self, at: Moment) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// `2026-11-21 12:01:03`.
    pub(crate) fn day(&self, at: Moment) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }
}

/// The present moment, for "since" and "elapsed" in what is shown; nothing is decided by it.
pub(crate) fn now() -> Moment {
    Moment(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let shown: Vec<_> = [
            0, 99, 100, 101, 1234, 59_900, 60_000, 125_000, 3_720_000, 90_000_000,
        ]
        .map(|ms| span(Millis(ms)))
        .into();
        assert_eq!(
            shown,
            [
                "0ms", "99ms", "0.1s", "0.1s", "1.2s", "59.9s", "1m 00s", "2m 05s", "1h 02m",
                "1d 01h"
            ]
        );
        assert_eq!(span(Millis(u64::MAX)).split(' ').count(), 2);
    }

    #[test]
    fn sizes() {
        let shown: Vec<_> = [0, 1023, 1024, 4300, 1 << 20, (1 << 30) - 1, 5 << 40]
            .map(size)
            .into();
        assert_eq!(
            shown,
            [
                "0 B",
                "1023 B",
                "1.0 KiB",
                "4.1 KiB",
                "1.0 MiB",
                "1023.9 MiB",
                "5.0 TiB"
            ]
        );
    }

    #[test]
    fn money_shows_every_digit_that_counts() {
        assert_eq!(
            [0, 4, 250_000, 12_000_000].map(money),
            ["0.00", "0.000004", "0.25", "12.00"]
        );
    }

    #[test]
    fn moments() {
        assert_eq!(
            Zone::utc().day(Moment(1_700_000_000_123)),
            "2023-11-14 22:13:20"
        );
        assert_eq!(Zone::utc().clock(Moment(1_700_000_000_123)), "22:13:20");
        assert_eq!(Zone::utc().clock(Moment(u64::MAX)), "(no such time)");
    }
}
