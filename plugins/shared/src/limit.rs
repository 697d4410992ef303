//! Limits in a sentence: "under 1200 EUR", "< 1.5 kg", "at least 16 GB", "between 800 and 1,200".
//!
//! A limit without a unit, or with a currency, is about a price and applies to fields that are named like one. A limit with
//! another unit applies to fields whose name has that unit in it, such as `weight_kg`. A row without such a
//! field is not touched by it.

use crate::loose::show;
use crate::rows::field_tokens;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Op {
    /// Less than.
    #[serde(rename = "<")]
    Less,
    /// At most.
    #[serde(rename = "<=")]
    AtMost,
    /// More than.
    #[serde(rename = ">")]
    More,
    /// At least.
    #[serde(rename = ">=")]
    AtLeast,
}

impl Op {
    /// Whether `value` is within `limit`.
    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
            Self::More => value > limit,
            Self::AtLeast => value >= limit,
        }
    }

    /// The sign.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// A limit that was found in a text.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// How it compares.
    pub op: Op,
    /// With what.
    pub value: f64,
    /// The unit as in field names (`kg`, `gb`); absent: a price.
    pub unit: Option<&'static str>,
}

impl Limit {
    /// Whether it speaks of a field of this name.
    #[must_use]
    pub fn applies_to(&self, field: &str) -> bool {
        match self.unit {
            None => is_price(field),
            Some(unit) => field_tokens(field).any(|token| unit_of(&token) == Some(unit)),
        }
    }
}

/// A cell with the name of its column for people: `price_eur` and 1169 is `price 1169 EUR`.
#[must_use]
pub fn labelled(field: &str, cell: &Value) -> String {
    let mut tokens: Vec<String> = field_tokens(field).collect();
    let unit = match tokens.last() {
        Some(last) if tokens.len() > 1 && cell.is_number() => {
            if CURRENCIES.contains(&last.as_str()) {
                Some(last.to_uppercase())
            } else {
                unit_of(last).map(|unit| match unit {
                    "gb" | "tb" => unit.to_uppercase(),
                    _ => unit.to_owned(),
                })
            }
        }
        _ => None,
    };
    match unit {
        Some(unit) => {
            tokens.pop();
            format!("{} {} {unit}", tokens.join(" "), show(cell))
        }
        None => format!("{} {}", tokens.join(" "), show(cell)),
    }
}

const PRICES: &[&str] = &[
    "price", "prices", "cost", "costs", "eur", "euro", "euros", "usd", "gbp", "chf", "fee",
    "amount",
];

const CURRENCIES: &[&str] = &[
    "€", "$", "£", "eur", "euro", "euros", "usd", "dollar", "dollars", "gbp", "pound", "pounds",
    "chf",
];

/// Unit in field names, and the words that mean it.
const UNITS: &[(&str, &[&str])] = &[
    ("kg", &["kg", "kilo", "kilos", "kilogram", "kilograms"]),
    ("g", &["g", "gram", "grams"]),
    ("gb", &["gb", "gigabyte", "gigabytes"]),
    ("tb", &["tb", "terabyte", "terabytes"]),
    ("h", &["h", "hour", "hours", "hrs"]),
    ("min", &["min", "minute", "minutes"]),
    ("in", &["in", "inch", "inches"]),
    ("cm", &["cm"]),
    ("mm", &["mm"]),
    ("km", &["km"]),
    ("w", &["w", "watt", "watts"]),
    ("percent", &["percent", "%"]),
];

fn unit_of(word: &str) -> Option<&'static str> {
    UNITS
        .iter()
        .find(|(_, words)| words.contains(&word))
        .map(|(unit, _)| *unit)
}

/// Whether a field of this name holds a price.
#[must_use]
pub fn is_price(field: &str) -> bool {
    field_tokens(field).any(|token| PRICES.contains(&token.as_str()))
}

/// A number as people write it: `1,200`, `1.5`, `1200€`, `$1,200.50`, `1.2k`. Nothing else may be in the text.
#[must_use]
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let text = text
        .trim_start_matches(['€', '$', '£'])
        .trim_end_matches(['€', '$', '£'])
        .trim();
    let (text, factor) = match text.strip_suffix(['k', 'K']) {
        Some(rest) => (rest, 1000.0),
        None => (text, 1.0),
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let plain = if text.contains(',') {
        let grouped = digits
            .split('.')
            .next()
            .unwrap_or_default()
            .split(',')
            .enumerate()
            .all(|(n, group)| n == 0 || group.len() == 3);
        match (grouped, text.matches(',').count()) {
            (true, _) => text.replace(',', ""),
            // A decimal comma, as in `13,5`.
            (false, 1) if !text.contains('.') => text.replace(',', "."),
            _ => return None,
        }
    } else {
        text.to_owned()
    };
    if !plain
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'))
    {
        return None;
    }
    plain.parse::<f64>().ok().map(|value| value * factor)
}

/// Phrase, and what it means. Longer ones first, so that `no more than` is not read as `more than`.
const PHRASES: &[(&[&str], Op)] = &[
    (&["no", "more", "than"], Op::AtMost),
    (&["not", "more", "than"], Op::AtMost),
    (&["no", "less", "than"], Op::AtLeast),
    (&["a", "maximum", "of"], Op::AtMost),
    (&["a", "minimum", "of"], Op::AtLeast),
    (&["cheaper", "than"], Op::Less),
    (&["less", "than"], Op::Less),
    (&["lighter", "than"], Op::Less),
    (&["more", "than"], Op::More),
    (&["up", "to"], Op::AtMost),
    (&["at", "most"], Op::AtMost),
    (&["at", "least"], Op::AtLeast),
    (&["under"], Op::Less),
    (&["below"], Op::Less),
    (&["within"], Op::AtMost),
    (&["maximum"], Op::AtMost),
    (&["max"], Op::AtMost),
    (&["minimum"], Op::AtLeast),
    (&["min"], Op::AtLeast),
    (&["over"], Op::More),
    (&["above"], Op::More),
    (&["<="], Op::AtMost),
    (&["≤"], Op::AtMost),
    (&[">="], Op::AtLeast),
    (&["≥"], Op::AtLeast),
    (&["<"], Op::Less),
    (&[">"], Op::More),
];

/// Words of a sentence, signs and units apart: `<1200€` is `<`, `1200`, `€`; `16GB` is `16`, `gb`.
fn pieces(text: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(text.len() + 16);
    let mut last = ' ';
    for c in text.chars() {
        let sign = matches!(c, '<' | '>' | '=' | '≤' | '≥' | '€' | '$' | '£' | '%');
        let joined = c == '=' && matches!(last, '<' | '>');
        let after_digit = last.is_ascii_digit() && c.is_alphabetic() && !matches!(c, 'k' | 'K');
        let after_sign = matches!(last, '<' | '>' | '=' | '≤' | '≥' | '€' | '$' | '£' | '%');
        if (sign && !joined) || after_digit || (after_sign && !joined) {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase());
        last = c;
    }
    spaced
        .split_whitespace()
        .map(|word| {
            word.trim_matches(['.', ',', ';', ':', '(', ')', '!', '?', '"'])
                .to_owned()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Limits with the range of pieces that each one takes.
fn scan(pieces: &[String]) -> Vec<(Limit, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        if let Some((limits, end)) = between(pieces, at).or_else(|| phrase(pieces, at)) {
            found.extend(limits.into_iter().map(|limit| (limit, at..end)));
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// A number with the currency or unit around it: value, unit, index after it.
fn quantity(pieces: &[String], at: usize) -> Option<(f64, Option<&'static str>, usize)> {
    let currency = |at: usize| {
        pieces
            .get(at)
            .is_some_and(|word| CURRENCIES.contains(&word.as_str()))
    };
    let at = if currency(at) { at + 1 } else { at };
    let value = number(pieces.get(at)?)?;
    if currency(at + 1) {
        return Some((value, None, at + 2));
    }
    match pieces.get(at + 1).and_then(|word| unit_of(word)) {
        // `under 1200 in the notes`: a preposition, not inches.
        Some("in") if pieces.get(at + 1).is_some_and(|word| word == "in") => {
            Some((value, None, at + 1))
        }
        Some(unit) => Some((value, Some(unit), at + 2)),
        None => Some((value, None, at + 1)),
    }
}

fn between(pieces: &[String], at: usize) -> Option<(Vec<Limit>, usize)> {
    if pieces.get(at)? != "between" {
        return None;
    }
    let (low, low_unit, next) = quantity(pieces, at + 1)?;
    if pieces.get(next)? != "and" {
        return None;
    }
    let (high, high_unit, end) = quantity(pieces, next + 1)?;
    let unit = high_unit.or(low_unit);
    Some((
        vec![
            Limit {
                op: Op::AtLeast,
                value: low,
                unit,
            },
            Limit {
                op: Op::AtMost,
                value: high,
                unit,
            },
        ],
        end,
    ))
}

fn phrase(pieces: &[String], at: usize) -> Option<(Vec<Limit>, usize)> {
    let (words, op) = PHRASES.iter().find(|(words, _)| {
        words
            .iter()
            .enumerate()
            .all(|(n, word)| pieces.get(at + n).is_some_and(|piece| piece == word))
    })?;
    let (value, unit, end) = quantity(pieces, at + words.len())?;
    Some((
        vec![Limit {
            op: *op,
            value,
            unit,
        }],
        end,
    ))
}

/// All limits of a text, in the order in which they stand.
#[must_use]
pub fn find_limits(text: &str) -> Vec<Limit> {
    scan(&pieces(text))
        .into_iter()
        .map(|(limit, _)| limit)
        .collect()
}

/// The text without its limits, in lower case: what is left to search for.
#[must_use]
pub fn without_limits(text: &str) -> String {
    let pieces = pieces(text);
    let taken: Vec<_> = scan(&pieces).into_iter().map(|(_, range)| range).collect();
    let left: Vec<_> = pieces
        .iter()
        .enumerate()
        .filter(|(n, _)| !taken.iter().any(|range| range.contains(n)))
        .map(|(_, word)| word.as_str())
        .collect();
    left.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("1200", Some(1200.0)),
            ("1,200", Some(1200.0)),
            ("1,200.50", Some(1200.5)),
            ("13,5", Some(13.5)),
            ("€1200", Some(1200.0)),
            ("1200 €", Some(1200.0)),
            ("1.2k", Some(1200.0)),
            ("-3", Some(-3.0)),
            ("2026-02-11", None),
            ("1.2.3", None),
            ("1,20,300", None),
            ("12 apples", None),
            ("", None),
            ("k", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn labels() {
        for (field, cell, expected) in [
            ("price_eur", Value::from(1169), "price 1169 EUR"),
            ("weight_kg", Value::from(1.2), "weight 1.2 kg"),
            ("ram_gb", Value::from(16), "ram 16 GB"),
            ("battery_h", Value::from("long"), "battery h long"),
            ("hours", Value::from(3), "hours 3"),
        ] {
            assert_eq!(labelled(field, &cell), expected);
        }
    }

    #[test]
    fn limits_of_a_sentence() {
        let shown = |text: &str| {
            find_limits(text)
                .iter()
                .map(|limit| {
                    format!(
                        "{}{}{}",
                        limit.op.sign(),
                        limit.value,
                        limit.unit.unwrap_or("")
                    )
                })
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (text, expected) in [
            ("laptops under 1200", "<1200"),
            ("laptops under 1,200 EUR.", "<1200"),
            ("laptops <1200€ in the notes", "<1200"),
            ("below $999.99", "<999.99"),
            ("no more than 1.5 kg and at least 16GB", "<=1.5kg >=16gb"),
            ("between 800 and 1200 euros", ">=800 <=1200"),
            ("under 1200 in the notes", "<1200"),
            ("screens over 14 inches", ">14in"),
            ("battery of at least 10 hours, max 1.2k", ">=10h <=1200"),
            ("under the table", ""),
            ("more than a feeling", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert_eq!(
            without_limits("Laptops under 1,200 EUR for travel"),
            "laptops for travel"
        );
    }

    #[test]
    fn limits_speak_of_fields() {
        let price = find_limits("under 1200").remove(0);
        assert!(price.applies_to("price_eur") && price.applies_to("Unit Price"));
        assert!(!price.applies_to("weight_kg"));
        let weight = find_limits("under 1.5 kilos").remove(0);
        assert!(weight.applies_to("weight_kg") && !weight.applies_to("price_eur"));
    }
}
