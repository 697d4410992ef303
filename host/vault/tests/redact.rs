//! Redaction against an oracle: in every encoding, at every place, in every cut, the value is gone.
#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests: a failed assertion is their purpose"
)]

use base64::{Engine as _, engine::general_purpose as b64};
use proptest::prelude::*;
use sandgate_vault::{MARK, Redactor, TooShort};

fn percent(value: &[u8], all: bool, upper: bool) -> Vec<u8> {
    value
        .iter()
        .flat_map(|b| match (all || !b.is_ascii_alphanumeric(), upper) {
            (true, true) => format!("%{b:02X}").into_bytes(),
            (true, false) => format!("%{b:02x}").into_bytes(),
            (false, _) => vec![*b],
        })
        .collect()
}

fn json(value: &[u8]) -> Vec<u8> {
    value
        .iter()
        .flat_map(|b| match b {
            b'"' | b'\\' => vec![b'\\', *b],
            b'\t' => b"\\t".to_vec(),
            0..0x20 => format!("\\u{b:04x}").into_bytes(),
            _ => vec![*b],
        })
        .collect()
}

/// Every encoding that is promised, without base64, which needs its surroundings.
fn plain_forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mixed: String = hex::encode(value)
        .chars()
        .enumerate()
        .map(|(i, c)| {
            if i % 3 == 0 {
                c.to_ascii_uppercase()
            } else {
                c
            }
        })
        .collect();
    vec![
        ("raw", value.to_vec()),
        ("percent", percent(value, false, true)),
        ("percent, lower", percent(value, false, false)),
        ("percent, all", percent(value, true, true)),
        ("json", json(value)),
        ("json of percent", json(&percent(value, false, true))),
        (
            "json, all",
            value
                .iter()
                .flat_map(|b| format!("\\u{b:04X}").into_bytes())
                .collect(),
        ),
        ("hex", hex::encode(value).into_bytes()),
        ("HEX", hex::encode_upper(value).into_bytes()),
        ("hex, mixed", mixed.into_bytes()),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(0x21_u8..0x7f, 8..80),
        proptest::collection::vec(any::<u8>(), 8..80),
        // Full of what is special to one of the encodings, and of repetition.
        proptest::collection::vec(proptest::sample::select(b"%\\25cuC+/\"a4 ".to_vec()), 8..24),
    ]
}

/// What a chunked redaction gives.
fn in_pieces(redactor: &Redactor, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (text.len() + 1)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    let mut stream = redactor.stream();
    let mut out = Vec::new();
    for pair in cuts.windows(2) {
        out.extend(stream.push(&text[pair[0]..pair[1]]));
    }
    out.extend(stream.finish());
    out
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}

fn cases(n: u32) -> ProptestConfig {
    let more = std::env::var("SANDGATE_CASES")
        .ok()
        .and_then(|v| v.parse().ok());
    ProptestConfig {
        cases: more.unwrap_or(n),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn every_form_is_found_between_other_bytes(
        value in value(),
        // Letters that are no hex digit, no escape and no part of the special values, so that what is left is known.
        before in "[g-tv-z \n]{0,9}", after in "[g-tv-z \n]{0,9}",
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let redactor = Redactor::new(&[&value]).unwrap();
        for (form, bytes) in plain_forms(&value) {
            let text = [before.as_bytes(), &bytes, after.as_bytes()].concat();
            prop_assert!(redactor.holds(&text), "{form}");
            let out = redactor.redact(&text).into_owned();
            prop_assert!(!contains(&out, &bytes), "{form}");
            if value.iter().all(|b| !b.is_ascii_lowercase() && *b != b' ' && *b != b'+') {
                // Nothing around it can be taken for a part of it.
                let expected = [before.as_bytes(), MARK.as_bytes(), after.as_bytes()].concat();
                prop_assert_eq!(&out, &expected, "{}", form);
            }
            prop_assert_eq!(in_pieces(&redactor, &text, &cuts), out, "{}", form);
        }
    }

    #[test]
    fn base64_is_found_at_every_alignment(
        value in value(),
        before in proptest::collection::vec(any::<u8>(), 0..7),
        after in proptest::collection::vec(any::<u8>(), 0..7),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let redactor = Redactor::new(&[&value]).unwrap();
        let whole = [&before[..], &value, &after].concat();
        for text in [
            b64::STANDARD.encode(&whole),
            b64::STANDARD_NO_PAD.encode(&whole),
            b64::URL_SAFE.encode(&whole),
            b64::URL_SAFE_NO_PAD.encode(&whole),
        ] {
            for text in [text.clone().into_bytes(), percent(text.as_bytes(), false, true), text.replace('/', "\\/").into_bytes()] {
                prop_assert!(redactor.holds(&text));
                let out = redactor.redact(&text).into_owned();
                // At most the group before, the one after and a shared character at each end are left.
                let left = out.len() - MARK.len();
                let around = (before.len() + after.len()).div_ceil(3) * 4 * 3 + 16;
                prop_assert!(left <= around, "{} bytes left of {}", left, text.len());
                prop_assert_eq!(in_pieces(&redactor, &text, &cuts), out);
            }
        }
    }

    #[test]
    fn several_values_that_overlap_all_go(
        base in proptest::collection::vec(proptest::sample::select(b"ab".to_vec()), 40),
        places in proptest::collection::vec((0_usize..30, 8_usize..11), 1..5),
        text in proptest::collection::vec(proptest::sample::select(b"ab".to_vec()), 0..200),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let values: Vec<&[u8]> = places.iter().map(|(at, n)| &base[*at..at + n]).collect();
        let redactor = Redactor::new(&values).unwrap();
        // The oracle: every byte that is part of any occurrence.
        let mut gone = vec![false; text.len()];
        for v in &values {
            for at in 0..=text.len().saturating_sub(v.len()) {
                if text[at..].starts_with(v) {
                    gone[at..at + v.len()].fill(true);
                }
            }
        }
        let kept: Vec<u8> = text.iter().zip(&gone).filter(|(_, g)| !**g).map(|(b, _)| *b).collect();
        let out = redactor.redact(&text).into_owned();
        let shown = String::from_utf8(out.clone()).unwrap().replace(MARK, "");
        // Hex digits may hide more than the oracle; with `a` and `b` alone they cannot spell these values.
        prop_assert_eq!(shown.as_bytes(), &kept[..]);
        prop_assert_eq!(in_pieces(&redactor, &text, &cuts), out);
    }

    #[test]
    fn other_bytes_stay_as_they_are(
        value in value(),
        text in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let redactor = Redactor::new(&[&value]).unwrap();
        prop_assume!(!redactor.holds(&text));
        prop_assert_eq!(redactor.redact(&text).into_owned(), text.clone());
        prop_assert_eq!(in_pieces(&redactor, &text, &cuts), text);
    }
}

#[test]
fn every_cut_of_one_text_gives_the_same() {
    let redactor = Redactor::new(&["tok%5Fen\\u0041/+= \"x", "tok%5Fen"]).unwrap();
    let text = b"GET /?t=tok%5Fen\\u0041/+= \"x&u=tok%255Fen&v=tok%5Fen&w=746f6b25 35 746F6b253546656e done";
    let expected = redactor.redact(text).into_owned();
    assert_eq!(String::from_utf8_lossy(&expected).matches(MARK).count(), 4);
    let mut probes = 0;
    for a in 0..=text.len() {
        for b in a..=text.len() {
            assert_eq!(in_pieces(&redactor, text, &[a, b]), expected);
            probes += 1;
        }
    }
    println!("{probes} cuts, 0 differences");
}

#[test]
fn a_stream_lets_through_at_once_what_cannot_be_a_value() {
    let redactor = Redactor::new(&["zebra-zebra"]).unwrap();
    let mut stream = redactor.stream();
    assert_eq!(stream.push(b"hello, ze"), b"hello, ");
    assert_eq!(stream.push(b"ro"), b"zero");
    assert_eq!(stream.push(b"zebra-zebr"), b"");
    assert_eq!(stream.push(b"a"), MARK.as_bytes());
    assert_eq!(stream.push(b"zebra"), b"");
    assert_eq!(stream.finish(), b"zebra");
}

#[test]
fn short_values_and_none() {
    assert_eq!(Redactor::new(&["1234567"]).unwrap_err(), TooShort);
    let none = Redactor::default();
    assert!(none.is_empty() && !none.holds(b"12345678"));
    assert_eq!(none.redact_str("12345678"), "12345678");
    assert!(!format!("{:?}", Redactor::new(&["canary-1"]).unwrap()).contains("canary"));
}
