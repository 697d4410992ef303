//! What fills the placeholders: topic, recipient, kind of message, criteria.

use crate::data::CriterionWords;
use regex_lite::Regex;
use serde_json::{Value, json};

/// A pattern of this file. One that does not compile matches nothing; the tests hold each of them.
fn regex(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

fn capture(pattern: &str, text: &str) -> Option<String> {
    let captures = regex(pattern)?.captures(text)?;
    Some(captures.get(1)?.as_str().trim().to_owned())
}

fn cut(pattern: &str, text: &str) -> String {
    regex(pattern).map_or_else(
        || text.to_owned(),
        |regex| regex.replace(text, "").into_owned(),
    )
}

/// `in the notes`, `from our files`: where to look is decided by grants, not by the goal.
const PLACE: &str = r"(?ix)\s+ (in|from|across|within|inside|through) \s+
    ((all\s+the|the|our|my|these|those|all)\s+)?
    (notes?|files?|folders?|director(y|ies)|documents?|docs|papers|archive|material|sources) \b .* $";

/// `all information about`.
const PREAMBLE: &str = r"(?ix)^ ((all|some|more)\s+)?
    (information|info|facts|details|everything|data|what\s+we\s+know|anything) \s+
    (there\s+is\s+)? (about|on|regarding|for) \s+";

const ARTICLE: &str = r"(?i)^(about|for|on|into|up|out|of|the|a|an|some|our|my|whether|between)\s+";

/// What only points at something said before.
const POINTS_BACK: &str = r"(?ix)^ (it|them|this|that|these|those|they|results?|findings?|outcome|everything|all
    |what\s+you\s+(find|found)|options|both|two|best(\s+(one|offer|option))?|cheapest(\s+one)?|winner)? $";

/// What a clause is about: without articles, without "in the notes", and nothing when it only points back.
pub(crate) fn topic(object: &str) -> Option<String> {
    let text = object.trim().trim_end_matches(['.', '!', '?', ';', ',']);
    let mut text = cut(PREAMBLE, &cut(PLACE, text));
    // `about the best`: several may stand in a row, but not a whole sentence of them.
    for _ in 0..3 {
        text = cut(ARTICLE, &text);
    }
    let points_back = regex(POINTS_BACK).is_none_or(|regex| regex.is_match(text.trim()));
    (!points_back).then(|| text.trim().to_owned())
}

const ADDRESS: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+";

/// Names begin with a capital letter; `the team` and the like are said in full.
const NAME: &str = r"(
    [A-Z][\w'’-]* (?:\s+[A-Z][\w'’-]*)* (?: (?:,|\s+and|\s+&) \s+[A-Z][\w'’-]* )*
    | (?:the|our|my)\s+[a-z]+ (?:\s+(?:team|group|list|board|department))?
    | everyone | everybody )";

/// What may stand before a name, the likeliest first; the last one only at the end of the clause.
const BEFORE_NAME: &[(&str, &str)] = &[
    (r"\b[Tt]o\s+", ""),
    (
        r"^(?:[Pp]lease\s+)?
          (?:[Ee]-?mail|[Mm]ail|[Mm]essage|[Tt]ell|[Nn]otify|[Ii]nform|[Ll]et|[Ss]end|[Ww]rite)\s+",
        "",
    ),
    (
        r"\b(?:[Ee]-?mail|[Mm]essage|[Ss]ummary|[Rr]eport|[Nn]ote)\s+for\s+",
        "",
    ),
    (r"\bfor\s+", "[.!]?$"),
];

/// Address or name that a message goes to.
pub(crate) fn recipient(clause: &str) -> Option<String> {
    let addresses: Vec<String> = regex(ADDRESS)?
        .find_iter(clause)
        .map(|found| found.as_str().to_owned())
        .collect();
    if !addresses.is_empty() {
        return Some(addresses.join(", "));
    }
    // `email the results`: a thing, not a person.
    let thing = |name: &str| {
        [
            "result",
            "finding",
            "comparison",
            "best",
            "outcome",
            "top",
            "summary",
        ]
        .iter()
        .any(|thing| {
            name.strip_prefix("the ")
                .is_some_and(|rest| rest.starts_with(thing))
        })
    };
    BEFORE_NAME
        .iter()
        .filter_map(|(before, after)| capture(&format!("(?x){before}{NAME}{after}"), clause))
        .find(|name| !thing(&name.to_lowercase()))
}

/// What is written: `email`, `message` or `summary`.
pub(crate) fn kind(clause: &str) -> &'static str {
    let has = |pattern: &str| regex(pattern).is_some_and(|regex| regex.is_match(clause));
    if has(r"(?i)\be-?mails?\b|\bmail\b|@") {
        "email"
    } else if has(r"(?i)\b(summar\w*|report|sum up|brief|overview|digest)\b") {
        "summary"
    } else if has(r"(?i)\b(message|chat|slack|text message|tell|notify|inform|let .* know|note)\b")
    {
        "message"
    } else {
        "email"
    }
}

/// What a message is about, when it says so itself.
pub(crate) fn message_topic(clause: &str) -> Option<String> {
    capture(r"(?i)\b(?:about|on|regarding|concerning)\s+(.+)$", clause)
        .or_else(|| {
            capture(
                r"(?i)^(?:please\s+)?(?:summari[sz]e|sum up)\s+(.+)$",
                clause,
            )
        })
        .map(|text| cut(r"(?i)\s+(to|for)\s+\S+@\S+.*$", &text))
        .map(|text| cut(r"\s+(to|for)\s+[A-Z][\w'’-]*.*$", &text))
        .and_then(|text| topic(&text))
}

/// `top 3`, `the 5 best`.
pub(crate) fn top(goal: &str) -> Option<u64> {
    capture(r"(?i)\btop\s+(\d{1,2})\b", goal)
        .or_else(|| capture(r"(?i)\b(\d{1,2})\s+best\b", goal))
        .or_else(|| capture(r"(?i)\bbest\s+(\d{1,2})\b", goal))
        .and_then(|digits| digits.parse().ok())
        .filter(|top| (1..=50).contains(top))
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// The criteria that a clause asks for, in its order.
pub(crate) fn criteria(clause: &str, known: &[CriterionWords]) -> Vec<Value> {
    let mut found: Vec<&CriterionWords> = Vec::new();
    for word in words(clause) {
        if let Some(criterion) = known
            .iter()
            .find(|criterion| criterion.words.contains(&word))
            && !found.iter().any(|seen| seen.field == criterion.field)
        {
            found.push(criterion);
        }
    }
    found
        .into_iter()
        .map(|criterion| json!({ "field": criterion.field, "better": criterion.better }))
        .collect()
}

/// The object of a comparison without its criteria: `prices of laptops` is `laptops`, `laptops by price` too.
pub(crate) fn without_criteria(object: &str, known: &[CriterionWords]) -> String {
    let is_criterion = |word: &str| {
        matches!(
            word,
            "and" | "their" | "the" | "its" | "of" | "life" | "lowest" | "highest" | "best"
        ) || known
            .iter()
            .any(|criterion| criterion.words.iter().any(|known| known == word))
    };
    let only_criteria = |text: &str| words(text).all(|word| is_criterion(&word));
    if only_criteria(object) {
        return String::new();
    }
    let split =
        |at: usize, connector: &str| Some((object.get(..at)?, object.get(at + connector.len()..)?));
    let lower = object.to_lowercase();
    for connector in [" by ", " on ", " according to ", " with respect to "] {
        if let Some((before, after)) = lower.find(connector).and_then(|at| split(at, connector))
            && only_criteria(after.split(" under ").next().unwrap_or_default())
        {
            let limit = after
                .find(" under ")
                .and_then(|at| after.get(at..))
                .unwrap_or_default();
            return format!("{before}{limit}");
        }
    }
    for connector in [" of ", " for ", " between ", " among "] {
        if let Some((before, after)) = lower.find(connector).and_then(|at| split(at, connector))
            && only_criteria(before)
        {
            return after.to_owned();
        }
    }
    object.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Builtin;

    #[test]
    fn topics() {
        for (object, expected) in [
            (
                "the best laptops under 1200 euros in the notes",
                Some("best laptops under 1200 euros"),
            ),
            ("information about the canteen.", Some("canteen")),
            (
                "for flights from Bonn to Rome",
                Some("flights from Bonn to Rome"),
            ),
            ("them", None),
            ("the results", None),
            ("", None),
        ] {
            assert_eq!(topic(object).as_deref(), expected, "{object}");
        }
    }

    #[test]
    fn recipients() {
        for (clause, expected) in [
            (
                "draft an email to john@example.com",
                Some("john@example.com"),
            ),
            (
                "email a@x.org and b@y.org the results",
                Some("a@x.org, b@y.org"),
            ),
            ("email John Smith the results", Some("John Smith")),
            ("write to Anna and Bob about laptops", Some("Anna and Bob")),
            ("send a message to the team", Some("the team")),
            ("tell Mira about it", Some("Mira")),
            ("write a summary for Anna", Some("Anna")),
            ("summarise the tests for the team.", Some("the team")),
            ("draft an email about laptops", None),
            ("send the results to me", None),
            ("write an email", None),
        ] {
            assert_eq!(recipient(clause).as_deref(), expected, "{clause}");
        }
    }

    #[test]
    fn kinds_and_topics_of_messages() {
        for (clause, expected, about) in [
            (
                "draft an email to John about the canteen",
                "email",
                Some("canteen"),
            ),
            ("tell Mira about the results", "message", None),
            ("summarise the meeting for Anna", "summary", Some("meeting")),
            (
                "write a report on battery life",
                "summary",
                Some("battery life"),
            ),
            ("draft something", "email", None),
        ] {
            assert_eq!(kind(clause), expected, "{clause}");
            assert_eq!(message_topic(clause).as_deref(), about, "{clause}");
        }
    }

    #[test]
    fn comparisons() {
        let known = Builtin::load().unwrap().criteria;
        for (object, expected) in [
            ("prices", ""),
            ("their prices and battery life", ""),
            ("prices of laptops", "laptops"),
            ("the laptops by weight and price", "the laptops"),
            ("Fjord and Comet", "Fjord and Comet"),
        ] {
            assert_eq!(without_criteria(object, &known), expected, "{object}");
        }
        assert_eq!(
            json!(criteria(
                "compare battery life and the cheapest price",
                &known
            )),
            json!([{"field": "battery", "better": "higher"}, {"field": "price", "better": "lower"}])
        );
        assert_eq!(top("the top 3 laptops"), Some(3));
        assert_eq!(top("top 0"), None);
    }
}
