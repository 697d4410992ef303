//! Bytes that somebody is to agree to, made readable without changing or hiding anything: printable ASCII alone, every
//! byte there, different bytes never look the same. JSON is laid out over several lines, but not read and written again:
//! what stands in the bytes twice stands here twice.

use super::escape::strict;
use serde::de::IgnoredAny;

/// Spaces for each level of JSON.
const INDENT: usize = 2;

/// Bytes as lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Canonical {
    /// The lines.
    pub(crate) lines: Vec<String>,
    /// The bytes are UTF-8. Others are shown byte by byte, which nobody can judge at a glance.
    pub(crate) text: bool,
}

/// Shows all of it.
pub(crate) fn canonical(bytes: &[u8]) -> Canonical {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Canonical {
            lines: bytes.split(|b| *b == b'\n').map(raw).collect(),
            text: false,
        };
    };
    let lines = match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) => layout(text),
        Err(_) => text.split('\n').map(strict).collect(),
    };
    Canonical { lines, text: true }
}

fn raw(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

/// Lines of a text that is known to be JSON. Outside of strings only its white space changes; inside of them characters
/// become the escape that JSON has for them.
fn layout(text: &str) -> Vec<String> {
    let mut out = Layout::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                out.push('"');
                let mut escaped = false;
                for c in chars.by_ref() {
                    out.inside(c);
                    if escaped {
                        escaped = false;
                    } else if c == '\\' {
                        escaped = true;
                    } else if c == '"' {
                        break;
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                match chars.next_if(|next| matches!((c, next), ('{', '}') | ('[', ']'))) {
                    Some(end) => out.push(end),
                    None => {
                        out.depth += 1;
                        out.turn();
                    }
                }
            }
            '}' | ']' => {
                out.depth = out.depth.saturating_sub(1);
                out.turn();
                out.push(c);
            }
            ',' => {
                out.push(c);
                out.turn();
            }
            ':' => {
                out.push(c);
                out.push(' ');
            }
            // Numbers and words.
            c => out.inside(c),
        }
    }
    out.lines.push(out.line);
    out.lines
}

#[derive(Default)]
struct Layout {
    lines: Vec<String>,
    line: String,
    depth: usize,
}

impl Layout {
    fn push(&mut self, c: char) {
        self.line.push(c);
    }

    fn inside(&mut self, c: char) {
        if matches!(c, ' '..='~') {
            return self.line.push(c);
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            self.line.push_str(&format!("\\u{unit:04x}"));
        }
    }

    fn turn(&mut self) {
        let next = " ".repeat(self.depth * INDENT);
        self.lines.push(std::mem::replace(&mut self.line, next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn visible(lines: &[String]) -> bool {
        lines
            .iter()
            .all(|l| l.bytes().all(|b| (0x20..0x7f).contains(&b)))
    }

    #[test]
    fn json_is_laid_out_and_nothing_is_dropped() {
        let text = r#"{"argv":["git","tag","v\u202e1"],"a":{},"e":[], "argv" : [1.50, true]}"#;
        assert_eq!(
            canonical(text.as_bytes()).lines.join("\n"),
            "{\n  \"argv\": [\n    \"git\",\n    \"tag\",\n    \"v\\u202e1\"\n  ],\n  \"a\": {},\n  \"e\": [],\n  \"argv\": [\n    1.50,\n    true\n  ]\n}"
        );
    }

    #[test]
    fn every_byte_and_every_trick_is_visible() {
        let mut probes: Vec<String> = (0..0xa0u32)
            .filter_map(char::from_u32)
            .map(String::from)
            .collect();
        for range in [
            0x202a..=0x202e,
            0x2066..=0x2069,
            0x200b..=0x200f,
            0xfeff..=0xfeff,
        ] {
            probes.extend(range.filter_map(char::from_u32).map(String::from));
        }
        // Letters that look like those of `sudo`, `rm` and `paypal`, and digits of other scripts.
        probes.extend(
            "ѕuԁо rт раураӏ аеорсухіј ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ ɡ ℓ ⅼ １２３ ＄ ／ ∕ ⁄ ․ ‐ ‑ − ՝ ׳"
                .chars()
                .map(String::from),
        );
        let probes: Vec<String> = probes.into_iter().filter(|p| p != " ").collect();
        let mut seen = BTreeMap::new();
        let mut raw = 0;
        for probe in &probes {
            let json =
                serde_json::to_string(&serde_json::json!({ "k": format!("a{probe}b") })).unwrap();
            // Also as JSON that does not escape what it must not contain: then it is no JSON, and shown as text.
            for text in [
                format!("a{probe}b"),
                json,
                format!("{{\"k\":\"a{probe}b\"}}"),
            ] {
                let shown = canonical(text.as_bytes());
                if !visible(&shown.lines) {
                    raw += 1;
                }
                if let Some(other) = seen.insert(shown.lines.join("\n"), text.clone()) {
                    let same = |t: &str| serde_json::from_str::<serde_json::Value>(t).ok();
                    assert!(
                        other == text || same(&other) == same(&text),
                        "{other:?} and {text:?}"
                    );
                }
            }
        }
        for byte in 0..=255u8 {
            let shown = canonical(&[b'a', byte, 0xff]);
            raw += usize::from(!visible(&shown.lines));
            assert!(!shown.text);
        }
        assert_eq!(raw, 0);
        println!(
            "{} probes through the approval text, {raw} raw",
            probes.len() * 3 + 256
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_visible_and_lose_nothing(bytes in prop::collection::vec(any::<u8>(), 0..80), text in crate::ui::hostile()) {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let shown = canonical(bytes);
                prop_assert!(visible(&shown.lines));
                if shown.text && serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
                    prop_assert_eq!(back(&shown.lines.join("\n")), std::str::from_utf8(bytes).unwrap());
                }
            }
        }

        #[test]
        fn laid_out_json_means_the_same(text in crate::ui::hostile(), key in crate::ui::hostile()) {
            let value = serde_json::json!({ key: [text, { "n": 1 }, [], {}], "z": null });
            let shown = canonical(&serde_json::to_vec(&value).unwrap());
            prop_assert!(visible(&shown.lines));
            let read: serde_json::Value = serde_json::from_str(&shown.lines.join("\n")).unwrap();
            prop_assert_eq!(read, value);
        }
    }

    /// Reads what `strict` wrote: it can be undone, so nothing is lost.
    fn back(shown: &str) -> String {
        let mut out = String::new();
        let mut chars = shown.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next().unwrap() {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                '\\' => out.push('\\'),
                _ => {
                    let hex: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    out.push(char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap());
                }
            }
        }
        out
    }
}
