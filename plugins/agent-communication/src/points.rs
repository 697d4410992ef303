//! Points: what a text says, each with its citations. Extracted, never composed: a point is a sentence of a
//! passage or the cells of rows of one name.

use sandgate_plugin_shared::{Finding, Row, is_price, labelled, shorten, terms};
use serde_json::Value;

/// Characters of a sentence in a point.
const SENTENCE: usize = 280;
/// Characters of a heading before a sentence; a longer one is a sentence itself.
const TITLE: usize = 60;
/// Cells of a row in a point.
const CELLS: usize = 5;
/// Characters of a cell with its label.
const CELL: usize = 80;
/// Words from which a cell counts as a sentence: it then says more than the numbers around it.
const CELL_SENTENCE: usize = 6;

/// One point.
#[derive(Debug, PartialEq)]
pub(crate) struct Point {
    /// Its text with the numbers of its citations, such as `Fjord 13: price 979 EUR [2]`.
    pub(crate) text: String,
    /// The citations, `[2] notes/prices.csv:6`.
    pub(crate) citations: Vec<String>,
}

/// The number of a citation: `[2]` of `[2] notes/prices.csv:6`.
pub(crate) fn mark(citation: &str) -> &str {
    citation.split_once(' ').map_or(citation, |(mark, _)| mark)
}

/// At most `most` points, in the order of the findings. Rows of one name become one point.
pub(crate) fn points(findings: &[Finding], topic: &str, most: usize) -> Vec<Point> {
    let wanted: Vec<String> = terms(topic).collect();
    let mut points: Vec<(Option<String>, Point)> = Vec::new();
    for finding in findings {
        let name = finding
            .fields
            .as_ref()
            .and_then(|row| row.name())
            .map(|(_, name)| name.to_lowercase());
        let part = match &finding.fields {
            Some(row) => row_part(row),
            None => under_heading(finding, sentence(&finding.text, &wanted)),
        };
        let marked = |part: String| match finding.citation.is_empty() {
            true => part,
            false => format!("{part} {}", mark(&finding.citation)),
        };
        let citations: Vec<String> = Some(finding.citation.clone())
            .filter(|c| !c.is_empty())
            .into_iter()
            .collect();
        let same = points
            .iter_mut()
            .find(|(known, _)| known.is_some() && *known == name);
        match (same, &finding.fields) {
            (Some((_, point)), Some(row)) => {
                point.text.push_str("; ");
                point.text.push_str(&marked(cells(row).join(", ")));
                point.citations.extend(citations);
            }
            _ if part.is_empty() => {}
            _ => points.push((
                name,
                Point {
                    text: marked(part),
                    citations,
                },
            )),
        }
    }
    points
        .into_iter()
        .map(|(_, point)| point)
        .take(most)
        .collect()
}

/// A sentence below a heading says little without it: the heading comes before, unless the sentence has its words.
fn under_heading(finding: &Finding, sentence: String) -> String {
    let heading = finding.source.heading.as_deref().unwrap_or_default();
    let title = heading.rsplit(" > ").next().unwrap_or_default().trim();
    let said: Vec<String> = terms(&sentence).collect();
    let repeats = terms(title).all(|word| said.contains(&word));
    match sentence.is_empty() || repeats || title.chars().count() > TITLE {
        true => sentence,
        false => format!("{title}: {sentence}"),
    }
}

/// `NAME: cell, cell`.
fn row_part(row: &Row) -> String {
    let cells = cells(row).join(", ");
    match row.name() {
        Some((_, name)) if cells.is_empty() => name.to_owned(),
        Some((_, name)) => format!("{name}: {cells}"),
        None => cells,
    }
}

/// The cells that are not the name: a sentence if there is one, else the first few.
fn cells(row: &Row) -> Vec<String> {
    let name = row.name().map(|(column, _)| column);
    let others = || row.iter().filter(move |(column, _)| Some(*column) != name);
    let said = others().find_map(|(_, cell)| {
        cell.as_str()
            .filter(|text| text.split_whitespace().count() >= CELL_SENTENCE)
    });
    match said {
        Some(text) => vec![shorten(&one_line(text), SENTENCE)],
        None => {
            // The price first: it is what most rows are read for, and columns come in any order.
            let (prices, rest): (Vec<_>, Vec<_>) = others()
                .filter(|(_, cell)| !matches!(cell, Value::Object(_)))
                .partition(|(column, cell)| is_price(column) && cell.is_number());
            prices
                .into_iter()
                .chain(rest)
                .take(CELLS)
                .map(|(column, cell)| shorten(&labelled(column, cell), CELL))
                .collect()
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The sentence of a passage with most of the wanted words, the first of equals, without Markdown emphasis.
fn sentence(text: &str, wanted: &[String]) -> String {
    let mut best: Option<(usize, String)> = None;
    for paragraph in paragraphs(text) {
        for sentence in sentences(&paragraph) {
            let found: Vec<String> = terms(&sentence).collect();
            let hits = wanted.iter().filter(|word| found.contains(word)).count();
            if best.as_ref().is_none_or(|(most, _)| hits > *most) {
                best = Some((hits, sentence));
            }
        }
    }
    best.map(|(_, sentence)| shorten(&sentence.replace("**", "").replace("__", ""), SENTENCE))
        .unwrap_or_default()
}

/// Paragraphs and list items, each in one line.
fn paragraphs(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in text.lines() {
        let item = line
            .trim_start()
            .strip_prefix(['-', '*', '>'])
            .filter(|rest| rest.starts_with(' '));
        if line.trim().is_empty() || item.is_some() {
            found.push(String::new());
        }
        if let Some(last) = found.last_mut() {
            last.push(' ');
            last.push_str(item.unwrap_or(line).trim());
        }
    }
    found
        .iter()
        .map(|paragraph| one_line(paragraph))
        .filter(|p| !p.is_empty())
        .collect()
}

/// Cuts after `.`, `!` and `?` that a space and a capital letter or a digit follow.
fn sentences(paragraph: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut characters = paragraph.chars().peekable();
    while let Some(c) = characters.next() {
        current.push(c);
        if !matches!(c, '.' | '!' | '?') || characters.peek() != Some(&' ') {
            continue;
        }
        let next = characters.clone().nth(1);
        // `e.g. Norden` is no end; a piece of a word or two is glued to what follows.
        let last = current
            .trim_end_matches('.')
            .rsplit(' ')
            .next()
            .unwrap_or_default();
        let abbreviation =
            last.contains('.') && last.chars().all(|c| c.is_alphabetic() || c == '.');
        let ends = next.is_some_and(|c| c.is_uppercase() || c.is_ascii_digit() || c == '"');
        if ends && !abbreviation && current.split_whitespace().count() > 2 {
            found.push(current.trim().to_owned());
            current.clear();
        }
    }
    if !current.trim().is_empty() {
        found.push(current.trim().to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sentences_are_cut_with_care() {
        assert_eq!(
            sentences("It costs 3.5 kg. Then it rains! Is it? e.g. Norden says so."),
            [
                "It costs 3.5 kg.",
                "Then it rains!",
                "Is it? e.g. Norden says so."
            ]
        );
        assert_eq!(
            sentence(
                "Nothing here.\n\n- about **battery life** of\n  the Comet",
                &["battery".to_owned()]
            ),
            "about battery life of the Comet"
        );
    }

    #[test]
    fn headings_say_what_a_sentence_is_about() {
        for (heading, text, expected) in [
            (
                Some("Visit > Norden Aerolite 14"),
                "1049 euros on the tag.",
                "Norden Aerolite 14: 1049 euros on the tag.",
            ),
            (
                Some("Visit > Aerolite"),
                "The Aerolite is light.",
                "The Aerolite is light.",
            ),
            (None, "It rained.", "It rained."),
        ] {
            let finding = Finding {
                text: text.to_owned(),
                source: sandgate_plugin_shared::Source {
                    heading: heading.map(str::to_owned),
                    ..Default::default()
                },
                ..Finding::default()
            };
            assert_eq!(points(&[finding], "", 1)[0].text, expected);
        }
    }

    #[test]
    fn rows_of_one_name_are_one_point() {
        let findings: Vec<Finding> = serde_json::from_value(json!([
            {"text": "", "citation": "[1] r.json:1", "fields": {"model": "Fjord 13", "verdict": "A laptop for people who commute."}},
            {"text": "The Fjord is small. Its battery is fine.", "citation": "[2] n.md:1"},
            {"text": "", "citation": "[3] p.csv:2", "fields": {"laptop": "fjord 13", "price_eur": 979, "weight_kg": 1.08}},
        ])).unwrap();
        let found = points(&findings, "battery", 9);
        assert_eq!(
            found[0].text,
            "Fjord 13: A laptop for people who commute. [1]; price 979 EUR, weight 1.08 kg [3]"
        );
        assert_eq!(found[0].citations, ["[1] r.json:1", "[3] p.csv:2"]);
        assert_eq!(found[1].text, "Its battery is fine. [2]");
        assert_eq!(points(&findings, "battery", 1).len(), 1);
    }
}
