//! Cuts secrets out of what comes back, also across the borders of pieces.
//!
//! A secret is found as it is, in base64 (each alignment, both alphabets) and in hex, and all of these also where
//! single characters are written as `%41`, `\u0041`, `\x41`, `\"`, `&#65;` or `&amp;`. What is found is replaced by as
//! many `*`, so that lengths stay true. This is a second line: a server that was given a secret can always give it
//! back in a form that nobody foresees. That is why a secret goes only to the origin it is bound to.
//!
//! Must not hold back more than what could be the beginning of a secret: streams stay streams.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest HTML entity that stands for one ASCII character: `&#x00041;` and a little more.
const ENTITY_MAX: usize = 12;

/// How characters of a needle are compared.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Exactly.
    Text,
    /// `+` is `-`, `/` is `_`.
    Base64,
    /// Without regard to case.
    Hex,
}

impl Alphabet {
    fn same(self, needle: u8, found: u8) -> bool {
        match self {
            Self::Text => needle == found,
            Self::Hex => needle.eq_ignore_ascii_case(&found),
            Self::Base64 => {
                needle == found || matches!((needle, found), (b'+', b'-') | (b'/', b'_'))
            }
        }
    }
}

struct Needle {
    alphabet: Alphabet,
    bytes: Zeroizing<Vec<u8>>,
}

/// What stands at a place.
enum Found {
    /// No secret.
    Nothing,
    /// What could become one.
    Beginning,
    /// One of this length; `more`: what follows could make it a longer one.
    Secret { length: usize, more: bool },
}

/// Searches one stream.
pub(crate) struct Redactor {
    needles: Arc<Vec<Needle>>,
    first: Arc<Vec<bool>>,
    held: Zeroizing<Vec<u8>>,
    /// Bytes at the beginning of `held` that belong to a secret already found.
    stars: usize,
}

impl Redactor {
    /// A search for all of these.
    pub(crate) fn new(secrets: &[Arc<Zeroizing<Vec<u8>>>]) -> Self {
        let needles: Vec<Needle> = secrets.iter().flat_map(|s| needles(s)).collect();
        let first = (0..=u8::MAX)
            .map(|b| needles.iter().any(|n| could_begin(n, b)))
            .collect();
        Self {
            needles: Arc::new(needles),
            first: Arc::new(first),
            held: Zeroizing::default(),
            stars: 0,
        }
    }

    /// The same search in another stream.
    pub(crate) fn again(&self) -> Self {
        Self {
            needles: Arc::clone(&self.needles),
            first: Arc::clone(&self.first),
            held: Zeroizing::default(),
            stars: 0,
        }
    }

    /// Whether there is nothing to search for.
    pub(crate) fn is_idle(&self) -> bool {
        self.needles.is_empty()
    }

    /// Bytes that wait for what follows them.
    pub(crate) fn waiting(&self) -> usize {
        self.held.len()
    }

    /// Takes a piece, gives what can go on.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        if self.is_idle() {
            return piece;
        }
        self.held.extend_from_slice(&piece);
        self.sweep(false)
    }

    /// What was held back, at the end of the stream.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.sweep(true)
    }

    /// Something whole: `None` when no secret is in it.
    pub(crate) fn scrub(&self, whole: &[u8]) -> Option<Bytes> {
        if self.is_idle() {
            return None;
        }
        let mut search = self.again();
        search.held.extend_from_slice(whole);
        let clean = search.sweep(true);
        (clean != whole).then_some(clean)
    }

    /// Whether the name of a header, which has lost its capitals on the way, holds a secret.
    pub(crate) fn in_name(&self, name: &str) -> bool {
        self.needles.iter().any(|n| {
            name.as_bytes()
                .windows(n.bytes.len().max(1))
                .any(|w| w.eq_ignore_ascii_case(&n.bytes))
        })
    }

    fn sweep(&mut self, end: bool) -> Bytes {
        let mut out = Vec::with_capacity(self.held.len());
        let mut covered = self.stars;
        for (at, byte) in self.held.iter().enumerate() {
            // Every place is looked at, also inside what was found: secrets can overlap.
            let (length, wait) = match self.look(self.held.get(at..).unwrap_or_default()) {
                Found::Nothing => (0, false),
                Found::Beginning => (0, true),
                Found::Secret { length, more } => (length, more),
            };
            covered = covered.max(at.saturating_add(length));
            if wait && !end {
                break;
            }
            out.push(if at < covered { b'*' } else { *byte });
        }
        let rest = self.held.get(out.len()..).unwrap_or_default().to_vec();
        self.held = Zeroizing::new(rest);
        self.stars = covered.saturating_sub(out.len());
        out.into()
    }

    fn look(&self, rest: &[u8]) -> Found {
        let candidate = rest
            .first()
            .and_then(|b| self.first.get(usize::from(*b)))
            .is_some_and(|f| *f);
        let mut found = Found::Nothing;
        if !candidate {
            return found;
        }
        for needle in self.needles.iter() {
            found = match (found, stands(needle, rest)) {
                (Found::Secret { length: a, more: x }, Found::Secret { length: b, more: y }) => {
                    Found::Secret {
                        length: a.max(b),
                        more: x || y,
                    }
                }
                (Found::Secret { length, .. }, Found::Beginning)
                | (Found::Beginning, Found::Secret { length, .. }) => {
                    Found::Secret { length, more: true }
                }
                (Found::Nothing, other) | (other, Found::Nothing) => other,
                (Found::Beginning, Found::Beginning) => Found::Beginning,
            };
        }
        found
    }
}

fn needles(secret: &[u8]) -> Vec<Needle> {
    let needle = |alphabet, bytes: Vec<u8>| Needle {
        alphabet,
        bytes: Zeroizing::new(bytes),
    };
    let hex = secret.iter().flat_map(|b| {
        [b >> 4, b & 15].map(|d| char::from_digit(u32::from(d), 16).map_or(b'0', |c| c as u8))
    });
    let mut out = vec![
        needle(Alphabet::Text, secret.to_vec()),
        needle(Alphabet::Hex, hex.collect()),
    ];
    // In base64 a secret looks different depending on how many bytes stand before it, modulo three; the characters
    // at its ends that it shares with its neighbours are left out.
    for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
        let mut whole = Zeroizing::new(vec![0_u8; before]);
        whole.extend_from_slice(secret);
        let text = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&*whole));
        let full = whole.len().saturating_mul(8) / 6;
        if let Some(own) = text.as_bytes().get(shared..full) {
            out.push(needle(Alphabet::Base64, own.to_vec()));
        }
    }
    out.retain(|n| !n.bytes.is_empty());
    out
}

fn could_begin(needle: &Needle, byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&')
        || needle
            .bytes
            .first()
            .is_some_and(|n| needle.alphabet.same(*n, byte) || (*n == b' ' && byte == b'+'))
}

/// Compares a needle with what stands at the beginning of `text`, over all ways to write its characters.
fn stands(needle: &Needle, text: &[u8]) -> Found {
    let mut at = vec![0_usize];
    let mut next = Vec::new();
    let mut open = false;
    for byte in needle.bytes.iter() {
        for place in at.drain(..) {
            let rest = text.get(place..).unwrap_or_default();
            open |= spellings(needle.alphabet, *byte, rest, |length| {
                let end = place.saturating_add(length);
                if !next.contains(&end) {
                    next.push(end);
                }
            });
        }
        std::mem::swap(&mut at, &mut next);
        if at.is_empty() {
            return if open {
                Found::Beginning
            } else {
                Found::Nothing
            };
        }
    }
    match at.into_iter().max() {
        Some(length) => Found::Secret { length, more: open },
        None => Found::Nothing,
    }
}

/// Calls `each` with the length of every way in which `byte` stands at the beginning of `rest`. True when `rest` ends
/// before that is known.
fn spellings(alphabet: Alphabet, byte: u8, rest: &[u8], mut each: impl FnMut(usize)) -> bool {
    let Some((first, tail)) = rest.split_first() else {
        return true;
    };
    if alphabet.same(byte, *first) || (byte == b' ' && *first == b'+') {
        each(1);
    }
    let mut digits = |skip: usize, count: usize| {
        let written = tail.get(skip..).unwrap_or_default();
        let known = written.iter().take(count).all(u8::is_ascii_hexdigit);
        if known && written.len() >= count {
            let value = written.iter().take(count).fold(0_u32, |n, d| {
                n * 16 + char::from(*d).to_digit(16).unwrap_or_default()
            });
            if u8::try_from(value).is_ok_and(|v| alphabet.same(byte, v)) {
                each(1 + skip + count);
            }
        }
        known && written.len() < count
    };
    match (first, tail.first()) {
        (b'%', _) => digits(0, 2),
        (b'\\', None) => true,
        (b'\\', Some(b'u')) => digits(1, 4),
        (b'\\', Some(b'x')) => digits(1, 2),
        (b'\\', Some(escaped)) if alphabet.same(byte, *escaped) => {
            each(2);
            false
        }
        (b'&', _) => match tail.iter().take(ENTITY_MAX).position(|b| *b == b';') {
            Some(end) => {
                if entity(tail.get(..end).unwrap_or_default())
                    .is_some_and(|v| alphabet.same(byte, v))
                {
                    each(end + 2);
                }
                false
            }
            None => {
                tail.len() < ENTITY_MAX
                    && tail.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'#')
            }
        },
        _ => false,
    }
}

fn entity(name: &[u8]) -> Option<u8> {
    let name = std::str::from_utf8(name).ok()?;
    match name {
        "amp" => Some(b'&'),
        "lt" => Some(b'<'),
        "gt" => Some(b'>'),
        "quot" => Some(b'"'),
        "apos" => Some(b'\''),
        _ => {
            let number = name.strip_prefix('#')?;
            match number.strip_prefix(['x', 'X']) {
                Some(hex) => u8::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use base64::{Engine, prelude::*};
    use bytes::Bytes;
    use std::sync::Arc;
    use zeroize::Zeroizing;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|s| Arc::new(Zeroizing::new(s.as_bytes().to_vec())))
            .collect();
        Redactor::new(&secrets)
    }

    /// All ways to write a secret that the header of this module promises.
    fn spellings(secret: &str) -> Vec<String> {
        let b = secret.as_bytes();
        let each = |f: &dyn Fn(u8) -> String| b.iter().map(|b| f(*b)).collect::<String>();
        let mut out = vec![
            secret.to_owned(),
            hex(b),
            hex(b).to_uppercase(),
            each(&|b| format!("%{b:02x}")),
            each(&|b| format!("%{b:02X}")),
            each(&|b| {
                if b.is_ascii_alphanumeric() {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            }),
            each(&|b| format!("\\u{b:04x}")),
            each(&|b| format!("\\x{b:02x}")),
            each(&|b| format!("&#{b};")),
            each(&|b| format!("&#x{b:x};")),
            each(&|b| match b {
                b'"' | b'\\' | b'/' => format!("\\{}", char::from(b)),
                _ => char::from(b).to_string(),
            }),
        ];
        for before in ["", "a", "ab", "abc"] {
            for after in ["", "x", "xy"] {
                let whole = format!("{before}{secret}{after}");
                out.push(BASE64_STANDARD.encode(&whole));
                out.push(BASE64_URL_SAFE.encode(&whole));
                out.push(
                    BASE64_STANDARD
                        .encode(&whole)
                        .replace('+', "%2B")
                        .replace('/', "%2F")
                        .replace('=', "%3D"),
                );
            }
        }
        out
    }

    fn hex(b: &[u8]) -> String {
        b.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// What a reader would try: as it is, and decoded in each way.
    fn leaks(text: &[u8], secret: &str) -> bool {
        let text = String::from_utf8_lossy(text);
        let has = |t: &str| t.contains(secret);
        let unpercent = percent_decode(&text);
        has(&text)
            || has(&unpercent)
            || text.to_lowercase().contains(&hex(secret.as_bytes()))
            || (0..4).any(|skip| {
                let cleaned: String = unpercent
                    .chars()
                    .skip(skip)
                    .map(|c| match c {
                        '-' => '+',
                        '_' => '/',
                        c => c,
                    })
                    .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))
                    .collect();
                let whole = cleaned.len() / 4 * 4;
                BASE64_STANDARD
                    .decode(&cleaned[..whole])
                    .is_ok_and(|d| String::from_utf8_lossy(&d).contains(secret))
            })
    }

    fn percent_decode(text: &str) -> String {
        let mut out = Vec::new();
        let b = text.as_bytes();
        let mut i = 0;
        while i < b.len() {
            let two = (b[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
            if let Some(v) = two.and_then(|t| u8::from_str_radix(t, 16).ok()) {
                out.push(v);
                i += 3;
            } else {
                out.push(b[i]);
                i += 1;
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn every_spelling_at_every_border() {
        let mut probes = 0;
        let mut escapes = 0;
        for secret in [
            "canary-7Zq/9+\"x\\&y",
            "sk-live-0123456789abcdef",
            "%41%42%43",
            "aaaaaa",
            "tok en+tok",
        ] {
            for spelling in spellings(secret) {
                let text = format!("<{spelling}>");
                let whole = redactor(&[secret]).scrub(text.as_bytes());
                let whole = whole.unwrap_or_else(|| panic!("{secret} as {spelling} was not found"));
                assert_eq!(whole.len(), text.len());
                for cut in 0..=text.len() {
                    let mut search = redactor(&[secret]);
                    let (a, b) = text.as_bytes().split_at(cut);
                    let mut out = search.push(Bytes::copy_from_slice(a)).to_vec();
                    out.extend_from_slice(&search.push(Bytes::copy_from_slice(b)));
                    out.extend_from_slice(&search.finish());
                    probes += 1;
                    assert_eq!(out, whole, "{secret} as {spelling} cut at {cut}");
                    escapes += usize::from(leaks(&out[1..], secret));
                }
            }
        }
        println!("redaction: {probes} probes, {escapes} escapes");
        assert_eq!(escapes, 0);
    }

    #[test]
    fn byte_by_byte_is_the_same() {
        let secrets = ["abcdef123", "abcdef123456", "xxabcdef"];
        let text = b"_abcdef123456_xxabcdef123_abcdef12_%61bcdef123_YWJjZGVmMTIz_%";
        let whole = redactor(&secrets).scrub(text).unwrap();
        let mut search = redactor(&secrets);
        let mut out = Vec::new();
        for b in text {
            out.extend_from_slice(&search.push(Bytes::copy_from_slice(&[*b])));
        }
        out.extend_from_slice(&search.finish());
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&whole)
        );
        assert_eq!(
            out,
            b"_************_***********_abcdef12_***********_************_%"
        );
    }

    #[test]
    fn what_is_no_secret_passes_at_once() {
        let mut search = redactor(&["sk-live-0123456789abcdef"]);
        let event = Bytes::from_static(b"data: {\"text\":\"hello\"}\n\n");
        assert_eq!(search.push(event.clone()), event);
        assert_eq!(search.waiting(), 0);
        // Only what could be a beginning waits.
        assert_eq!(
            search.push(Bytes::from_static(b"abc sk-li")).as_ref(),
            b"abc "
        );
        assert_eq!(
            search.push(Bytes::from_static(b"mit")).as_ref(),
            b"sk-limit"
        );
        assert!(
            redactor(&["sk-live-0123456789abcdef"])
                .scrub(b"nothing here")
                .is_none()
        );
    }
}
