//! Takes the values of secrets out of what a command prints, before anybody sees it. Works on the stream of bytes, so
//! that a value that is cut by the end of a line or of a read is found too.
//!
//! A program that has a secret can always print it in a form that nobody expects; the forms here are the ones that
//! happen by accident: as it is, base64 (also inside a longer text), hexadecimal, escaped for URLs and JSON, and the
//! lines of a value of several lines.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

/// Shortest value that can be taken out; shorter ones stand in ordinary text by chance.
pub(crate) const SECRET_MIN: usize = 4;

/// Shortest piece of an encoding, and shortest line of a value, that is looked for on its own.
const PIECE_MIN: usize = 8;

struct Pattern {
    bytes: Zeroizing<Vec<u8>>,
    instead: String,
}

/// A stream without secrets.
pub(crate) struct Redactor {
    patterns: Vec<Pattern>,
    /// Whether a byte begins any pattern.
    begins: Box<[bool; 256]>,
    longest: usize,
    held: Zeroizing<Vec<u8>>,
}

impl Redactor {
    /// For these secrets, name and value.
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut patterns: Vec<Pattern> = Vec::new();
        for (name, value) in secrets {
            for bytes in forms(value) {
                if !patterns.iter().any(|p| *p.bytes == *bytes) {
                    let instead = format!("[secret {name}]");
                    patterns.push(Pattern { bytes, instead });
                }
            }
        }
        // The longest first: a value that begins with another one is taken out whole.
        patterns.sort_by_key(|p| std::cmp::Reverse(p.bytes.len()));
        let mut begins = Box::new([false; 256]);
        for p in &patterns {
            if let Some(slot) = p
                .bytes
                .first()
                .and_then(|b| begins.get_mut(usize::from(*b)))
            {
                *slot = true;
            }
        }
        Self {
            longest: patterns.first().map_or(0, |p| p.bytes.len()),
            patterns,
            begins,
            held: Zeroizing::new(Vec::new()),
        }
    }

    /// Takes more bytes and appends what is safe to show to `out`. Keeps back what could be the beginning of a value.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.patterns.is_empty() {
            out.extend_from_slice(bytes);
            return;
        }
        self.held.extend_from_slice(bytes);
        self.work(false, out);
    }

    /// The stream has ended: what was kept back is no value.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.work(true, out);
    }

    fn work(&mut self, end: bool, out: &mut Vec<u8>) {
        let mut rest = self.held.as_slice();
        while let Some(first) = rest.first() {
            let begins = self.begins.get(usize::from(*first)).is_some_and(|b| *b);
            if begins {
                let longer = |p: &&Pattern| p.bytes.len() > rest.len() && p.bytes.starts_with(rest);
                if !end && rest.len() < self.longest && self.patterns.iter().any(|p| longer(&p)) {
                    break;
                }
                if let Some(p) = self.patterns.iter().find(|p| rest.starts_with(&p.bytes)) {
                    out.extend_from_slice(p.instead.as_bytes());
                    rest = rest.get(p.bytes.len()..).unwrap_or_default();
                    continue;
                }
            }
            out.push(*first);
            rest = rest.get(1..).unwrap_or_default();
        }
        self.held = Zeroizing::new(rest.to_vec());
    }
}

/// The forms in which a value is looked for.
fn forms(value: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let bytes = value.as_bytes();
    let mut out = vec![Zeroizing::new(bytes.to_vec())];
    let mut add = |text: String, least: usize| {
        let text = Zeroizing::new(text.into_bytes());
        if text.len() >= least {
            out.push(text);
        }
    };
    add(hex::encode(bytes), PIECE_MIN);
    add(hex::encode_upper(bytes), PIECE_MIN);
    for piece in base64_pieces(bytes) {
        let url: String = piece
            .chars()
            .map(|c| match c {
                '+' => '-',
                '/' => '_',
                c => c,
            })
            .collect();
        add(piece, PIECE_MIN);
        add(url, PIECE_MIN);
    }
    let mut percent = String::new();
    for b in bytes {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(b) {
            percent.push(char::from(*b));
        } else {
            percent.push_str(&format!("%{b:02X}"));
        }
    }
    add(percent, SECRET_MIN);
    if let Ok(json) = serde_json::to_string(value) {
        add(json.trim_matches('"').to_owned(), SECRET_MIN);
    }
    for line in value.lines() {
        if line.len() < value.len() {
            add(line.trim().to_owned(), PIECE_MIN);
        }
    }
    out
}

/// The characters that base64 gives for a value that stands at each of the three places in a longer text, without
/// those that depend on its neighbours.
fn base64_pieces(bytes: &[u8]) -> Vec<String> {
    (0_usize..3)
        .map(|before| {
            let mut padded = Zeroizing::new(vec![0; before]);
            padded.extend_from_slice(bytes);
            let text = STANDARD_NO_PAD.encode(&*padded);
            let whole = padded.len().saturating_mul(8) / 6;
            let skip = before.saturating_mul(8).div_ceil(6);
            text.chars().take(whole).skip(skip).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    const SECRET: &str = "s3cr3t-Value/with+all?&\"kinds\"";

    fn redact(text: &[u8], step: usize) -> String {
        let mut r = Redactor::new([("TOKEN", SECRET)].into_iter());
        let mut out = Vec::new();
        for piece in text.chunks(step) {
            r.push(piece, &mut out);
        }
        r.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn every_form_is_found_however_it_is_cut() {
        let json = serde_json::to_string(SECRET).unwrap();
        let texts = [
            SECRET.to_owned(),
            hex::encode(SECRET),
            hex::encode_upper(SECRET),
            json.trim_matches('"').to_owned(),
            "s3cr3t-Value%2Fwith%2Ball%3F%26%22kinds%22".to_owned(),
        ];
        for text in &texts {
            for step in 1..text.len() + 4 {
                let whole = format!("a {text} b {text}{text}");
                let got = redact(whole.as_bytes(), step);
                assert_eq!(
                    got, "a [secret TOKEN] b [secret TOKEN][secret TOKEN]",
                    "{step}"
                );
            }
        }
    }

    #[test]
    fn base64_at_every_place() {
        for before in 0..7 {
            for after in 0..4 {
                let inner = format!("{}{SECRET}{}", "x".repeat(before), "y".repeat(after));
                for text in [STANDARD.encode(&inner), URL_SAFE.encode(&inner)] {
                    for step in [1, 7, 1000] {
                        let got = redact(text.as_bytes(), step);
                        assert!(got.contains("[secret TOKEN]"), "{before} {after}: {got}");
                        // What is left belongs to the neighbours, and the two characters at each edge.
                        assert!(got.len() < 14 + before * 2 + after * 2 + 10, "{got}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_text_is_untouched() {
        let text: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let mut r = Redactor::new([("T", SECRET)].into_iter());
        let mut out = Vec::new();
        for piece in text.chunks(13) {
            r.push(piece, &mut out);
        }
        r.finish(&mut out);
        assert_eq!(out, text);
        assert_eq!(redact(b"s3cr3t-Valu", 1), "s3cr3t-Valu");
    }

    #[test]
    fn one_value_that_begins_with_another_is_taken_out_whole() {
        let mut r = Redactor::new([("A", "abcd"), ("B", "abcdefgh")].into_iter());
        let mut out = Vec::new();
        for b in b"abcdefgh abcdef" {
            r.push(&[*b], &mut out);
        }
        r.finish(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), "[secret B] [secret A]ef");
    }

    #[test]
    fn lines_of_a_key() {
        let key = "-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n-----END KEY-----";
        let mut r = Redactor::new([("K", key)].into_iter());
        let mut out = Vec::new();
        r.push(b"  AAAABBBBCCCC\r\n  DDDDEEEEFFFF\n", &mut out);
        r.finish(&mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "  [secret K]\r\n  [secret K]\n"
        );
    }
}
