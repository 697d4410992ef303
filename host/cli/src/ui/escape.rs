//! Text from outside (plugins, files, the environment) made harmless: nothing in it can move the cursor, change
//! a colour, turn the reading order round, hide, or pretend to be another line. Escaping happens here and only
//! here, at the last moment; what is stored stays as it came.

use std::fmt::{self, Write as _};

/// Whether a character is shown as an escape instead of as itself: everything that a terminal acts on or that a
/// reader cannot see.
fn hidden(c: char) -> bool {
    c.is_control() // C0, DEL, C1
        || matches!(c,
            '\u{00ad}' // soft hyphen
            | '\u{034f}' // combining grapheme joiner
            | '\u{061c}' // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers: letters that show nothing
            | '\u{17b4}' | '\u{17b5}' // Khmer vowels that show nothing
            | '\u{180b}'..='\u{180f}' // Mongolian separators
            | '\u{200b}'..='\u{200f}' // zero width, direction marks
            | '\u{2028}' | '\u{2029}' // line and paragraph separator
            | '\u{202a}'..='\u{202e}' // bidirectional embedding and override
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, bidirectional isolates
            | '\u{feff}' // byte order mark
            | '\u{fff0}'..='\u{fffb}' // interlinear annotation
            | '\u{1bca0}'..='\u{1bca3}' // shorthand format controls
            | '\u{1d173}'..='\u{1d17a}' // musical format controls
            | '\u{e0000}'..='\u{e0fff}') // tags and supplementary variation selectors
}

/// One line of foreign text. A line break in it is shown as `\n`, so it never starts a line of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Esc<'a>(pub(crate) &'a str);

impl fmt::Display for Esc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if hidden(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// One line of foreign text in printable ASCII alone, for what people agree to: a letter that only looks like another
/// one is seen as what it is. A backslash is doubled, so different texts never look the same.
pub(crate) fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    out
}

/// A line that is escaped already, in printable ASCII alone.
pub(crate) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    out
}

/// One line of foreign text, as a string.
pub(crate) fn line(text: &str) -> String {
    Esc(text).to_string()
}

/// One line of foreign text of at most `max` columns; what is cut off is marked with `…`.
pub(crate) fn short(text: &str, max: usize) -> String {
    let text = line(text);
    if super::width(&text) <= max {
        return text;
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + w + 1 > max {
            break;
        }
        used += w;
        out.push(c);
    }
    out.push('…');
    out
}

/// Foreign text of several lines. Its line breaks are kept, tabs become spaces, and the caller puts something of
/// its own before each line, so that no line can be taken for one of the host's.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.trim_end_matches(['\n', '\r'])
        .split('\n')
        .map(|l| line(&l.strip_suffix('\r').unwrap_or(l).replace('\t', "    ")))
        .collect()
}

/// A JSON text in which every such character is written `\uXXXX`. The value stays the same: outside of strings JSON
/// has none of these characters, and inside of one the escape means the character itself.
pub(crate) fn json(text: &str, keep_breaks: bool) -> String {
    if !text.contains(hidden) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !hidden(c) || (keep_breaks && c == '\n') {
            out.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Text rich in what must not get through.
    pub(crate) fn hostile() -> impl Strategy<Value = String> {
        let bad = prop::char::ranges(
            vec![
                '\0'..='\u{a0}',
                '\u{200a}'..='\u{2070}',
                '\u{e0000}'..='\u{e01ff}',
            ]
            .into(),
        );
        prop::collection::vec(prop_oneof![bad, any::<char>()], 0..60)
            .prop_map(|chars| chars.into_iter().collect())
    }

    #[test]
    fn every_forbidden_character_is_visible() {
        let forbidden = (0..0x20)
            .chain(0x7f..0xa0)
            .chain(0x200b..0x2010)
            .chain(0x202a..0x202f)
            .chain(0x2066..0x206a)
            .chain([0xfeff, 0x2028, 0x2029]);
        for c in forbidden.filter_map(char::from_u32) {
            let shown = line(&format!("a{c}b"));
            assert!(
                shown.starts_with("a\\") && shown.ends_with('b'),
                "{:x}: {shown}",
                u32::from(c)
            );
            assert!(!shown.contains(c));
        }
        assert_eq!(line("\u{1b}[31mred\u{202e}"), "\\u{1b}[31mred\\u{202e}");
        assert_eq!(line("grüße 日本 ✓"), "grüße 日本 ✓");
    }

    #[test]
    fn lines_keep_breaks_only() {
        assert_eq!(lines("a\r\nb\tc\rd\n"), ["a", "b    c\\rd"]);
    }

    #[test]
    fn short_counts_columns() {
        assert_eq!(short("abcdef", 6), "abcdef");
        assert_eq!(short("abcdefg", 6), "abcde…");
        assert_eq!(short("日本語日本語", 5), "日本…");
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(text in hostile()) {
            prop_assert!(!line(&text).contains(hidden));
            prop_assert!(lines(&text).iter().all(|l| !l.contains(hidden)));
            prop_assert!(!short(&text, 10).contains(hidden));
        }

        #[test]
        fn json_keeps_its_meaning(text in hostile()) {
            let plain = serde_json::to_string_pretty(&serde_json::json!({ "k": [text] })).unwrap();
            let shown = json(&plain, true);
            prop_assert!(!shown.contains(|c| hidden(c) && c != '\n'));
            let back: serde_json::Value = serde_json::from_str(&shown).unwrap();
            prop_assert_eq!(back, serde_json::json!({ "k": [text] }));
        }
    }
}
