//! What may stand in a hole. Each type is closed: what is not listed is refused. Must not know about rules.

use super::template::HoleType;

/// Longest word, in characters: names of packages, tests, branches and versions are shorter.
const WORD_MAX: usize = 128;

/// Most digits of an integer: every number with so many fits into 64 bits.
const INT_MAX: usize = 18;

/// Most hexadecimal digits: a SHA-512 digest.
const HEX_MAX: usize = 128;

/// Longest text in bytes: a commit message's first line, not a document.
const TEXT_MAX: usize = 1024;

/// Longest path in bytes; the usual limit of the operating system.
const PATH_MAX: usize = 4096;

/// Whether a character shows nothing, moves the cursor, or changes the direction of what follows: it could make a
/// person read something else than what runs.
pub(super) fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Why `value` cannot stand in a hole of this type; a fragment that follows "it".
pub(super) fn wrong(kind: HoleType, value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return Some("is empty");
    }
    match kind {
        HoleType::Word => word(value),
        HoleType::Int => digits(value, INT_MAX, |b| b.is_ascii_digit())
            .then_some("is not an integer of 1 to 18 digits without a sign"),
        HoleType::Hex => digits(value, HEX_MAX, |b| b.is_ascii_hexdigit())
            .then_some("is not 1 to 128 hexadecimal digits"),
        HoleType::Path => path(value),
        HoleType::Text => text(value),
    }
}

fn word(value: &str) -> Option<&'static str> {
    let first = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let rest = |b: &u8| first(b) || b".:@+-".contains(b);
    let bytes = value.as_bytes();
    if bytes.len() > WORD_MAX {
        return Some("is longer than a word's 128 characters");
    }
    if !bytes.first().is_some_and(first) {
        return Some("does not begin with a letter, a digit or `_`");
    }
    (!bytes.iter().all(rest)).then_some("has a character other than letters, digits and `_.:@+-`")
}

fn digits(value: &str, most: usize, fine: fn(&u8) -> bool) -> bool {
    value.len() > most || !value.as_bytes().iter().all(fine)
}

fn path(value: &str) -> Option<&'static str> {
    if value.len() > PATH_MAX {
        return Some("is longer than a path's 4,096 bytes");
    }
    if value.starts_with('-') {
        return Some("begins with `-`, so that it could be taken for an option");
    }
    if value.starts_with('/') || value.starts_with('~') {
        return Some("is not relative to the directory that the command starts in");
    }
    if value.contains('\\') || value.chars().any(deceives) {
        return Some("has a character that cannot stand in a path");
    }
    if value.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("has an empty part, `.` or `..`");
    }
    // `host:path` and `helper::address` are other machines and other programs for git, scp and rsync.
    if value.split('/').next().is_some_and(|p| p.contains(':')) {
        return Some("has a `:` in its first part, so that it could be taken for another machine");
    }
    None
}

fn text(value: &str) -> Option<&'static str> {
    if value.len() > TEXT_MAX {
        return Some("is longer than a text's 1,024 bytes");
    }
    if value.starts_with('-') {
        return Some("begins with `-`, so that it could be taken for an option");
    }
    value
        .chars()
        .any(deceives)
        .then_some("has a line break, a control character or one that hides or turns text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: HoleType, good: &[&str], bad: &[&str]) {
        for value in good {
            assert_eq!(wrong(kind, value), None, "{kind:?} {value:?}");
        }
        for value in bad {
            assert!(wrong(kind, value).is_some(), "{kind:?} {value:?}");
        }
    }

    #[test]
    fn values() {
        let long = "a".repeat(129);
        check(
            HoleType::Word,
            &["a", "_", "9", "a.b:c@d+e-f", "serde_json", &long[..128]],
            &[
                "", "-a", ".a", "@a", "a b", "a/b", "a=b", "ä", "a\n", "$a", "a;b", &long,
            ],
        );
        check(
            HoleType::Int,
            &["0", "42", "007"],
            &["", "-1", "+1", "1.5", "1e3", "٣", "1234567890123456789"],
        );
        check(HoleType::Hex, &["0", "dEaD"], &["", "0x1", "g", "-f"]);
        check(
            HoleType::Path,
            &[
                "a", "a/b.c", ".hidden", "...", "a b", "a/-b", "a/b:c", "ä/ö",
            ],
            &[
                "",
                "/etc",
                "../a",
                "a/../b",
                "a//b",
                "./a",
                "a/",
                "-rf",
                "~/x",
                "~root",
                "a\\b",
                "a\nb",
                "a\u{202e}b",
                "ext::sh -c x",
                "host:repo",
                "a\0b",
            ],
        );
        check(
            HoleType::Text,
            &["fix: a thing -- done", "`x` $(y) ; z", "ü", "a"],
            &[
                "",
                "-m",
                "--exec=x",
                "a\nb",
                "a\rb",
                "a\u{1b}[2J",
                "a\0",
                "a\u{200b}b",
                "a\u{2028}b",
                &"x".repeat(1025),
            ],
        );
    }
}
