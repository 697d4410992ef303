//! Text of strangers in messages for people: escaped, one line, cut.

/// Most characters that a message quotes; enough for every error text of the large providers.
const QUOTED_MAX: usize = 400;

/// Printable ASCII stays, everything else is escaped: no control character, no bidi mark, no second line.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.trim().chars().enumerate() {
        if n == QUOTED_MAX {
            out.push_str("...");
            break;
        }
        match c {
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_default()),
        }
    }
    out
}

/// Bytes of a stranger, which may be no text at all.
pub(crate) fn quoted_bytes(bytes: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_acts() {
        let all: String = (0..0x2100u32).filter_map(char::from_u32).collect();
        for part in all.chars().collect::<Vec<_>>().chunks(300) {
            let shown = quoted(&part.iter().collect::<String>());
            assert!(shown.bytes().all(|b| (b' '..=b'~').contains(&b)), "{shown}");
        }
        assert_eq!(
            quoted(" a\u{1b}[2J\nb\u{202e} "),
            "a\\u{1b}[2J\\nb\\u{202e}"
        );
        assert_eq!(quoted(&"x".repeat(1_000)).len(), 403);
        assert_eq!(quoted_bytes(b"\xff\x00"), "\\u{fffd}\\u{0}");
    }
}
