//! Durations and sizes as people write them: `90s`, `1h30m`, `64MiB`. One grammar for all files. Must not accept
//! two spellings of a unit: a value looks the same wherever it stands.

use sandgate_model::Millis;

/// Longest duration: a hundred days. A wait that is longer is a mistake in the unit.
pub(crate) const MAX_DURATION: Millis = Millis(100 * 24 * 3_600_000);

const UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads `90s`, `2m`, `1h30m`, `250ms`. The error is what to write instead.
pub(crate) fn duration(text: &str) -> Result<Millis, String> {
    const HELP: &str = "write a number with d, h, m, s or ms, such as \"90s\", \"2m\" or \"1h30m\"";
    let mut total: u64 = 0;
    let mut rest = text;
    let mut last = u64::MAX;
    if rest.is_empty() {
        return Err(HELP.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len()
            - tail
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = number.parse().map_err(|_| HELP.to_owned())?;
        let factor = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, f)| *f)
            .ok_or_else(|| HELP.to_owned())?;
        if factor >= last {
            return Err(
                "write the larger unit first and each unit once, such as \"1h30m\"".to_owned(),
            );
        }
        last = factor;
        total = number
            .checked_mul(factor)
            .and_then(|n| total.checked_add(n))
            .filter(|n| *n <= MAX_DURATION.0)
            .ok_or_else(|| "the longest duration is 100 days, \"100d\"".to_owned())?;
        rest = tail;
    }
    Ok(Millis(total))
}

/// A duration as it would be written.
pub(crate) fn show_duration(span: Millis) -> String {
    let mut rest = span.0;
    let mut out = String::new();
    for (unit, factor) in UNITS {
        if rest >= *factor {
            out.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// A size as it would be written.
pub(crate) fn show_size(bytes: u64) -> String {
    let unit = SIZES
        .iter()
        .rev()
        .find(|(_, f)| bytes >= *f && bytes.is_multiple_of(*f));
    let (unit, factor) = unit.copied().unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

/// Reads `64MiB`. The error is what to write instead.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const HELP: &str = "write a whole number with B, KiB, MiB or GiB, such as \"64MiB\"";
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| HELP.to_owned())?;
    if let Some(unit) = ["KB", "MB", "GB", "kB", "K", "M", "G", "kb", "mb", "gb"]
        .iter()
        .find(|u| **u == unit)
    {
        let right = unit
            .chars()
            .next()
            .map(|c| c.to_ascii_uppercase())
            .unwrap_or('M');
        return Err(format!(
            "sizes are powers of two: write \"{number}{right}iB\""
        ));
    }
    let factor = SIZES
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, f)| *f)
        .ok_or_else(|| HELP.to_owned())?;
    number.checked_mul(factor).ok_or_else(|| HELP.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("90s", 90_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1m0s500ms", 60_500),
            ("0s", 0),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Ok(Millis(ms)), "{text}");
        }
        for bad in [
            "",
            "90",
            "s",
            "1.5h",
            "-1s",
            "1s1m",
            "1s1s",
            "1 h",
            "1h ",
            "99999999999999999999s",
            "101d",
            "1w",
            "１s",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shown_durations_are_read_back() {
        for ms in [0, 1, 999, 1_000, 60_500, 5_400_000, MAX_DURATION.0] {
            assert_eq!(duration(&show_duration(Millis(ms))), Ok(Millis(ms)));
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("0B"), Ok(0));
        assert!(size("64MB").unwrap_err().contains("64MiB"));
        for bad in ["", "64", "MiB", "1.5MiB", "64 MiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
