//! What programs write for a terminal, as plain text. The input is hostile: any bytes, any length of line.

/// Escape sequences that are longer than this are no sequences: only the escape is left out then.
const SEQUENCE: usize = 4096;

/// The text without escape sequences and control characters, but for tabs and line breaks. What is not UTF-8 is
/// replaced; a carriage return, with which progress bars overwrite a line, is a line break.
#[must_use]
pub fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(|c: char| is_control(c) && !matches!(c, '\n' | '\t')) {
        let (before, control) = rest.split_at_checked(at).unwrap_or((rest, ""));
        plain.push_str(before);
        let mut chars = control.chars();
        let first = chars.next();
        rest = chars.as_str();
        match first {
            Some('\r') if !rest.starts_with('\n') => plain.push('\n'),
            Some('\u{1b}') => rest = after_sequence(rest),
            Some('\u{9b}') => rest = after_parameters(rest).unwrap_or(rest),
            _ => {}
        }
    }
    plain.push_str(rest);
    plain
}

/// Controls, and what changes the direction of text or cannot be seen.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What follows an escape sequence whose escape is already gone.
fn after_sequence(rest: &str) -> &str {
    let mut chars = rest.chars();
    match chars.next() {
        Some('[') => after_parameters(chars.as_str()).unwrap_or(rest),
        // A command to the terminal, such as its title or a link: up to BEL or ESC \.
        Some(']' | 'P' | '_' | '^' | 'X') => after_string(chars.as_str()).unwrap_or(rest),
        Some('(' | ')' | '*' | '+' | '#' | ' ') => {
            chars.next();
            chars.as_str()
        }
        Some(c) if c.is_ascii() && !c.is_ascii_control() => chars.as_str(),
        _ => rest,
    }
}

/// After the parameters and the final letter of a control sequence.
fn after_parameters(rest: &str) -> Option<&str> {
    let end = rest
        .bytes()
        .take(SEQUENCE)
        .position(|byte| !(0x20..=0x3f).contains(&byte))?;
    // A byte that ends no sequence is not part of it.
    match rest.as_bytes().get(end) {
        Some(0x40..=0x7e) => rest.get(end + 1..),
        _ => rest.get(end..),
    }
}

fn after_string(rest: &str) -> Option<&str> {
    let end = rest
        .bytes()
        .take(SEQUENCE)
        .position(|byte| matches!(byte, 0x07 | 0x1b | b'\n'))?;
    match rest.as_bytes().get(end) {
        Some(0x07) => rest.get(end + 1..),
        Some(0x1b) if rest.as_bytes().get(end + 1) == Some(&b'\\') => rest.get(end + 2..),
        _ => rest.get(end..),
    }
}

/// The last lines of a text that are not empty, at most `lines` of them, each at most `width` characters.
#[must_use]
pub fn last_lines(text: &str, lines: usize, width: usize) -> Vec<String> {
    let mut last: Vec<String> = text
        .lines()
        .rev()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .take(lines)
        .map(|line| cut(line, width))
        .collect();
    last.reverse();
    last
}

/// At most `most` characters; what is longer ends with an ellipsis.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
            short.push('…');
            short
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_left_out() {
        for (bytes, expected) in [
            (&b"\x1b[1;32mok\x1b[0m"[..], "ok"),
            (b"\x1b]0;title\x07text", "text"),
            (b"\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"10%\r20%\r100%\r\ndone", "10%\n20%\n100%\ndone"),
            (b"a\x1b(Bb\x1b=c", "abc"),
            (b"\x1b[2J\x1b[H\x07\x00x", "x"),
            ("\u{9b}31mred\u{202e}der".as_bytes(), "redder"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"\x1b[", "["),
            (b"\x1b", ""),
            (b"\x1b]never ends\nnext", "\nnext"),
            (b"tab\tstays", "tab\tstays"),
        ] {
            assert_eq!(
                plain(bytes),
                expected,
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    /// Whatever comes in: no control comes out, and the time grows with the length alone.
    #[test]
    fn hostile_output_is_plain_and_quick() {
        const ALPHABET: &[u8] = b"\x1b[]0;m\x07\\\n\r\xc2\x9b\xe2\x80\xaea9 ";
        let start = std::time::Instant::now();
        let mut seed = 7u64;
        let mut probes = 0;
        for length in [0, 1, 10, 1000, 100_000] {
            for _ in 0..20 {
                let bytes: Vec<u8> = (0..length)
                    .map(|_| {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        ALPHABET[(seed >> 33) as usize % ALPHABET.len()]
                    })
                    .collect();
                let text = plain(&bytes);
                let control = |c: char| is_control(c) && !matches!(c, '\n' | '\t');
                assert!(!text.contains(control), "{text:?}");
                probes += 1;
            }
        }
        for flood in ["\x1b[", "\x1b]", "\x1b[1;", "\r", "\x1b"] {
            let text = plain(flood.repeat(1 << 19).as_bytes());
            assert!(!text.contains('\x1b'));
            probes += 1;
        }
        println!(
            "{probes} hostile outputs, 0 control characters, {:?}",
            start.elapsed()
        );
        assert!(start.elapsed().as_secs() < 20);
    }

    #[test]
    fn last_lines_are_bounded() {
        assert_eq!(last_lines("a\n\nb\n \nc\n", 2, 9), ["b", "c"]);
        assert_eq!(last_lines(&"x".repeat(1 << 20), 5, 4), ["xxx…"]);
        assert!(last_lines("", 5, 5).is_empty());
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
