//! Whether a value begins at a given place. Decides on the bytes that are there and says when more are needed, so
//! that a whole text and its pieces give the same answer.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::general_purpose::{GeneralPurpose, NO_PAD},
};
use zeroize::Zeroizing;

/// What is known about one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// No value begins here.
    No,
    /// One begins here and has this many bytes.
    Yes(usize),
    /// The bytes end before it is certain.
    Perhaps,
}

/// Everything that is looked for.
#[derive(Default)]
pub(super) struct Finder {
    /// Found byte by byte, each plain, percent-encoded or escaped: the values and their base64 forms.
    spelled: Vec<Zeroizing<Vec<u8>>>,
    /// Found as hex digits: the values.
    hexed: Vec<Zeroizing<Vec<u8>>>,
    /// Bytes with which anything of it can begin. Most places are passed with one look here.
    first: Vec<bool>,
}

impl Finder {
    pub(super) fn new(values: &[&[u8]]) -> Self {
        let mut finder = Self {
            first: vec![false; 256],
            ..Self::default()
        };
        for value in values {
            let mut forms = vec![Zeroizing::new(value.to_vec())];
            for alphabet in [STANDARD, URL_SAFE] {
                let engine = GeneralPurpose::new(&alphabet, NO_PAD);
                for before in 0..3 {
                    forms.push(base64_core(&engine, value, before));
                }
            }
            for form in forms {
                if !finder.spelled.contains(&form) {
                    finder.mark(form.first().copied());
                    finder.spelled.push(form);
                }
            }
            let high = value.first().map_or(0, |b| b >> 4);
            for digit in 0..=u8::MAX {
                if nibble(digit) == Some(high) {
                    finder.mark(Some(digit));
                }
            }
            finder.hexed.push(Zeroizing::new(value.to_vec()));
        }
        if !values.is_empty() {
            finder.mark(Some(b'%'));
            finder.mark(Some(b'\\'));
        }
        finder
    }

    fn mark(&mut self, byte: Option<u8>) {
        if let Some(slot) = byte.and_then(|b| self.first.get_mut(usize::from(b))) {
            *slot = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hexed.is_empty()
    }

    /// Whether anything that is looked for can begin with this byte.
    pub(super) fn may_begin(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte)).copied() == Some(true)
    }

    /// Whether something begins at the first of these bytes. The longest counts; as long as a longer one is possible
    /// the answer is `Perhaps`, unless `whole` says that no more bytes will come.
    pub(super) fn at(&self, bytes: &[u8], whole: bool) -> Found {
        let mut best = Found::No;
        let spelled = self
            .spelled
            .iter()
            .map(|form| match_spelled(form, bytes, whole));
        let hexed = self.hexed.iter().map(|value| match_hex(value, bytes));
        for found in spelled.chain(hexed) {
            match (found, best) {
                (Found::Perhaps, _) if !whole => return Found::Perhaps,
                (Found::Yes(n), Found::No | Found::Perhaps) => best = Found::Yes(n),
                (Found::Yes(n), Found::Yes(m)) => best = Found::Yes(n.max(m)),
                _ => {}
            }
        }
        best
    }

    pub(super) fn occurs(&self, bytes: &[u8]) -> bool {
        (0..bytes.len()).any(|i| {
            bytes.get(i..).is_some_and(|rest| {
                rest.first().is_some_and(|b| self.may_begin(*b))
                    && matches!(self.at(rest, true), Found::Yes(_))
            })
        })
    }
}

/// The characters of the base64 of `value` that do not depend on what stands around it, when `before` bytes stand
/// between it and the last whole group.
fn base64_core(engine: &GeneralPurpose, value: &[u8], before: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0_u8; before]);
    bytes.extend_from_slice(value);
    let text = Zeroizing::new(engine.encode(&*bytes).into_bytes());
    // One byte before it touches two characters, two bytes three.
    let from = if before == 0 { 0 } else { before + 1 };
    // A group that is not whole shares its last character with what follows.
    let to = if bytes.len().is_multiple_of(3) {
        text.len()
    } else {
        text.len().saturating_sub(1)
    };
    Zeroizing::new(text.get(from..to).unwrap_or_default().to_vec())
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Whether these are hex digits of `byte`; `None` when there are too few, and they fit so far.
fn digits(byte: u8, bytes: &[u8]) -> Option<bool> {
    let high = nibble(*bytes.first()?) == Some(byte >> 4);
    if !high {
        return Some(false);
    }
    Some(nibble(*bytes.get(1)?) == Some(byte & 15))
}

fn match_hex(value: &[u8], bytes: &[u8]) -> Found {
    let mut at = 0;
    for byte in value {
        match digits(*byte, bytes.get(at..).unwrap_or_default()) {
            None => return Found::Perhaps,
            Some(false) => return Found::No,
            Some(true) => at += 2,
        }
    }
    Found::Yes(at)
}

/// Each byte of `form` may stand for itself, be percent-encoded, or be escaped as JSON does it.
fn match_spelled(form: &[u8], bytes: &[u8], whole: bool) -> Found {
    if form.iter().any(|b| matches!(b, b'%' | b'\\')) {
        return match_ambiguous(form, bytes, whole);
    }
    let mut at = 0;
    for byte in form {
        match one(*byte, bytes.get(at..).unwrap_or_default()) {
            Found::Yes(n) => at += n,
            other => return other,
        }
    }
    Found::Yes(at)
}

/// As [`match_spelled`] for a value with `%` or `\` in it: `%25` may be one encoded byte of it or three plain ones,
/// so all readings are followed. There are at most as many as there are places, and two that meet are one.
fn match_ambiguous(form: &[u8], bytes: &[u8], whole: bool) -> Found {
    let mut places = vec![0];
    let mut open = false;
    for byte in form {
        let mut next: Vec<usize> = Vec::new();
        for at in &places {
            let rest = bytes.get(*at..).unwrap_or_default();
            let plain = (rest.first() == Some(byte)).then_some(Found::Yes(1));
            for found in [Some(one(*byte, rest)), plain].into_iter().flatten() {
                match found {
                    Found::Perhaps => open = true,
                    Found::Yes(n) if !next.contains(&(at + n)) => next.push(at + n),
                    _ => {}
                }
            }
        }
        places = next;
    }
    match places.iter().max() {
        _ if open && !whole => Found::Perhaps,
        Some(n) => Found::Yes(*n),
        None => Found::No,
    }
}

fn one(byte: u8, bytes: &[u8]) -> Found {
    let Some((first, rest)) = bytes.split_first() else {
        return Found::Perhaps;
    };
    match first {
        b'%' => encoded(byte, rest, 1),
        b'\\' => escaped(byte, rest),
        // A space in a form.
        b'+' if byte == b' ' => Found::Yes(1),
        _ if *first == byte => Found::Yes(1),
        _ => Found::No,
    }
}

/// Hex digits of `byte` behind a prefix of `prefix` bytes.
fn encoded(byte: u8, digits_at: &[u8], prefix: usize) -> Found {
    match digits(byte, digits_at) {
        None => Found::Perhaps,
        Some(true) => Found::Yes(prefix + 2),
        Some(false) => Found::No,
    }
}

fn escaped(byte: u8, rest: &[u8]) -> Found {
    let Some(second) = rest.first() else {
        return Found::Perhaps;
    };
    if *second == b'u' {
        for place in [1, 2] {
            match rest.get(place) {
                None => return Found::Perhaps,
                Some(b'0') => {}
                Some(_) => return Found::No,
            }
        }
        return encoded(byte, rest.get(3..).unwrap_or_default(), 4);
    }
    let means = match second {
        b'"' | b'\\' | b'/' => *second,
        b't' => b'\t',
        _ => return Found::No,
    };
    if means == byte {
        Found::Yes(2)
    } else {
        Found::No
    }
}
