//! From points to a text: greeting, introduction, points, recommendation, closing, sources.

use crate::input::{Kind, Material, Tone};
use crate::points::{Point, mark, points};
use sandgate_plugin_shared::shorten;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Rows of a comparison's table in a letter; the artifact of the comparison has all.
const TABLE_ROWS: usize = 5;
/// Characters of a subject.
const SUBJECT: usize = 78;

/// A finished text.
#[derive(Debug)]
pub(crate) struct Letter {
    to: String,
    subject: String,
    body: String,
    points: usize,
    citations: Vec<String>,
}

/// Writes it.
pub(crate) fn write(material: &Material) -> Letter {
    let topic = material.topic.as_deref().unwrap_or_default();
    let points = points(&material.findings, topic, material.max_points);
    let citations = citations(material, &points);
    let mut body = String::new();
    if material.kind != Kind::Summary {
        let _ = write!(body, "{}\n\n", greeting(&material.to, material.tone));
    }
    let _ = writeln!(body, "{}", introduction(material, &points, &citations));
    if !points.is_empty() {
        body.push('\n');
        for point in &points {
            let _ = writeln!(body, "- {}", point.text);
        }
    }
    body.push_str(&recommendation(material));
    body.push_str(&closing(material));
    if !citations.is_empty() {
        body.push_str("\nSources:\n\n");
        for citation in &citations {
            let _ = writeln!(body, "- {citation}");
        }
    }
    Letter {
        to: material.to.clone(),
        subject: subject(material),
        points: points.len(),
        citations,
        body,
    }
}

fn subject(material: &Material) -> String {
    match (&material.subject, &material.topic) {
        (Some(subject), _) => subject.clone(),
        (None, Some(topic)) => shorten(&capital(topic), SUBJECT),
        (None, None) => match material.kind {
            Kind::Summary => "Summary".to_owned(),
            Kind::Email | Kind::Message => "What I found".to_owned(),
        },
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().collect::<String>() + characters.as_str(),
        None => String::new(),
    }
}

/// The name in an address or a name: `john.smith@example.com` is `John`.
fn first_name(to: &str) -> String {
    let local = to.split('@').next().unwrap_or_default();
    if !to.contains('@') {
        return local.trim().to_owned();
    }
    let name: String = local.chars().take_while(|c| c.is_alphabetic()).collect();
    capital(&name)
}

/// Addresses and names behind which there is more than one person.
const GROUPS: &[&str] = &[
    "all",
    "board",
    "everybody",
    "everyone",
    "group",
    "info",
    "office",
    "staff",
    "team",
];

fn greeting(to: &str, tone: Tone) -> String {
    let word = match tone {
        Tone::Friendly => "Hi",
        Tone::Neutral => "Hello",
        Tone::Formal => "Dear",
    };
    let several = to.contains(',') || to.contains('&') || to.contains(" and ");
    let name = first_name(to);
    let group = name.starts_with("the ") || GROUPS.contains(&name.to_lowercase().as_str());
    match (several || group, name.is_empty()) {
        (true, _) => format!("{word} all,"),
        (_, true) => format!(
            "{},",
            if tone == Tone::Formal {
                "Good day"
            } else {
                word
            }
        ),
        _ => format!("{word} {name},"),
    }
}

fn introduction(material: &Material, points: &[Point], citations: &[String]) -> String {
    let about = match &material.topic {
        Some(topic) => format!(" about {topic}"),
        None => String::new(),
    };
    if points.is_empty() && material.comparison.is_none() {
        return format!("I found nothing{about} in the material I was given.");
    }
    let mut files: Vec<&str> = citations
        .iter()
        .filter_map(|citation| citation.split_once(' '))
        .map(|(_, place)| place.rsplit_once(':').map_or(place, |(path, _)| path))
        .collect();
    files.sort_unstable();
    files.dedup();
    let count = |n: usize, one: &str, many: &str| match n {
        1 => format!("one {one}"),
        n => format!("{n} {many}"),
    };
    let mut of = Vec::new();
    if !points.is_empty() {
        of.push(count(points.len(), "point", "points"));
    }
    if !files.is_empty() {
        of.push(format!("from {}", count(files.len(), "file", "files")));
    }
    let of = if of.is_empty() {
        String::new()
    } else {
        format!(" ({})", of.join(" "))
    };
    format!("Here is what I found{about}{of}:")
}

fn recommendation(material: &Material) -> String {
    let Some(comparison) = &material.comparison else {
        return String::new();
    };
    let Some(best) = &comparison.best else {
        return "\nThere was nothing that could be compared.\n".to_owned();
    };
    let marks: String = best
        .citations
        .iter()
        .map(|citation| mark(citation))
        .collect();
    let marks = if marks.is_empty() {
        marks
    } else {
        format!(" {marks}")
    };
    let reason = best
        .reason
        .as_deref()
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    let mut text = format!("\nBest of the comparison: {}{reason}{marks}.\n", best.name);
    if material.kind != Kind::Message && !comparison.table_markdown.is_empty() {
        let lines: Vec<&str> = comparison
            .table_markdown
            .lines()
            .take(TABLE_ROWS + 2)
            .collect();
        let _ = write!(text, "\n{}\n", lines.join("\n"));
        let more = comparison.compared.saturating_sub(TABLE_ROWS);
        if more > 0 {
            let _ = write!(text, "\n… and {more} more in the comparison.\n");
        }
    }
    text
}

/// The citations that the text refers to, by number.
fn citations(material: &Material, points: &[Point]) -> Vec<String> {
    let mut all: Vec<String> = points
        .iter()
        .flat_map(|point| point.citations.clone())
        .collect();
    if let Some(comparison) = &material.comparison {
        let shown = if material.kind == Kind::Message {
            0
        } else {
            TABLE_ROWS
        };
        let rows = comparison
            .rows
            .iter()
            .take(shown)
            .flat_map(|row| row.citations.clone());
        let best = comparison
            .best
            .iter()
            .flat_map(|best| best.citations.clone());
        all.extend(best.chain(rows));
    }
    let number = |citation: &String| -> usize {
        mark(citation)
            .trim_matches(['[', ']'])
            .parse()
            .unwrap_or(usize::MAX)
    };
    all.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| a.cmp(b)));
    all.dedup();
    all
}

fn closing(material: &Material) -> String {
    let words = match (material.kind, material.tone) {
        (Kind::Summary, _) => return String::new(),
        (Kind::Message, _) => "",
        (_, Tone::Formal) => "Yours sincerely",
        (_, Tone::Neutral) => "Kind regards",
        (_, Tone::Friendly) => "Best wishes",
    };
    match (words, material.from.as_str()) {
        ("", "") => String::new(),
        ("", from) => format!("\n{from}\n"),
        (words, "") => format!("\n{words}\n"),
        (words, from) => format!("\n{words},\n{from}\n"),
    }
}

impl Letter {
    /// The output document.
    pub(crate) fn json(&self) -> Value {
        json!({
            "to": self.to,
            "subject": self.subject,
            "body": self.body,
            "points": self.points,
            "citations": self.citations,
        })
    }

    /// The text with its head, for people.
    pub(crate) fn text(&self) -> String {
        let to = match self.to.is_empty() {
            true => String::new(),
            false => format!("To: {}\n", self.to),
        };
        format!("{to}Subject: {}\n\n{}", self.subject, self.body)
    }

    /// The text as a mail file.
    pub(crate) fn rfc822(&self) -> String {
        format!(
            "To: {}\r\nSubject: {}\r\nMIME-Version: 1.0\r\nContent-Type: text/markdown; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n{}",
            encoded(&self.to),
            encoded(&self.subject),
            self.body.replace('\n', "\r\n")
        )
    }
}

/// A header's text: as it is when it is ASCII, else as encoded words (RFC 2047) of at most 75 characters.
fn encoded(text: &str) -> String {
    /// Bytes of text in a word: three characters each at most, and twelve around them.
    const WORD: usize = 20;
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut bytes = 0;
    for c in text.chars() {
        // A character is never cut into two words.
        if bytes + c.len_utf8() > WORD {
            words.push(std::mem::take(&mut word));
            bytes = 0;
        }
        bytes += c.len_utf8();
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                let _ = write!(word, "={byte:02X}");
            }
        }
    }
    words.push(word);
    words
        .iter()
        .map(|word| format!("=?UTF-8?Q?{word}?="))
        .collect::<Vec<_>>()
        .join("\r\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings() {
        for (to, tone, expected) in [
            ("john.smith@example.com", Tone::Neutral, "Hello John,"),
            ("Anna", Tone::Friendly, "Hi Anna,"),
            ("Dr Weber", Tone::Formal, "Dear Dr Weber,"),
            ("the team", Tone::Friendly, "Hi all,"),
            ("team@example.com", Tone::Neutral, "Hello all,"),
            ("a@x.org, b@x.org", Tone::Neutral, "Hello all,"),
            ("", Tone::Neutral, "Hello,"),
            ("", Tone::Formal, "Good day,"),
            ("42@x.org", Tone::Friendly, "Hi,"),
        ] {
            assert_eq!(greeting(to, tone), expected, "{to}");
        }
    }

    #[test]
    fn headers_are_ascii() {
        assert_eq!(encoded("Laptops"), "Laptops");
        assert_eq!(encoded("Über 5 €"), "=?UTF-8?Q?=C3=9Cber=205=20=E2=82=AC?=");
        let long = encoded(&"ä".repeat(40));
        assert!(long.is_ascii() && long.split("\r\n").all(|line| line.len() <= 76));
    }
}
