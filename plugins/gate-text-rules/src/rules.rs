//! The rules and how each one is checked.

use regex_lite::{Regex, RegexBuilder};
use sandgate_plugin::{Check, PluginError, Result, Subject, Target};
use serde::Deserialize;

/// Characters of an excerpt or of a pattern in a message.
const EXCERPT: usize = 120;

/// The configuration.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rules {
    target: Target,
    must_match: Vec<String>,
    must_not_match: Vec<String>,
    must_mention: Vec<String>,
    min_words: Option<usize>,
    max_words: Option<usize>,
    min_citations: Option<usize>,
}

/// A text with its label.
struct Text {
    label: String,
    text: String,
}

impl Rules {
    /// A check for each rule.
    pub(crate) fn check(&self, subject: &Subject) -> Result<Vec<Check>> {
        // Patterns first: a mistake in the configuration shows even when there is nothing to look at.
        let must_match = compile("must_match", &self.must_match)?;
        let must_not_match = compile("must_not_match", &self.must_not_match)?;
        let texts = match self.texts(subject) {
            Ok(texts) => texts,
            Err(why) => return Ok(vec![Check::inconclusive("target", why)]),
        };
        let mut checks = Vec::new();
        for (pattern, regex) in self.must_match.iter().zip(&must_match) {
            checks.push(matched(pattern, regex, &texts));
        }
        for (pattern, regex) in self.must_not_match.iter().zip(&must_not_match) {
            checks.push(not_matched(pattern, regex, &texts));
        }
        for word in &self.must_mention {
            checks.push(mentioned(word, &texts));
        }
        let words: usize = texts
            .iter()
            .map(|text| text.text.split_whitespace().count())
            .sum();
        checks.extend(
            self.min_words
                .map(|least| at_least("min_words", "words", words, least, &texts)),
        );
        checks.extend(self.max_words.map(|most| {
            let message = format!("{words} words in {}, at most {most} wanted", labels(&texts));
            check(words <= most, "max_words", message)
        }));
        if let Some(least) = self.min_citations {
            let found = citations(&texts)?;
            checks.push(at_least(
                "min_citations",
                "different citations",
                found,
                least,
                &texts,
            ));
        }
        if checks.is_empty() {
            checks.push(Check::inconclusive(
                "rules",
                "there are no rules; give at least one of must_match, must_not_match, must_mention, min_words, \
                 max_words, min_citations in the gate's config",
            ));
        }
        number_repeats(&mut checks);
        Ok(checks)
    }

    fn texts(&self, subject: &Subject) -> std::result::Result<Vec<Text>, String> {
        let mut texts = Vec::new();
        for view in self.target.views(subject)? {
            let text = view
                .text()
                .ok_or_else(|| format!("{} is not UTF-8 text", view.label))?
                .to_owned();
            texts.push(Text {
                label: view.label,
                text,
            });
        }
        // Every `must_not_match` holds for an empty text; that is not what the person meant who wrote it.
        if texts.iter().all(|text| text.text.trim().is_empty()) {
            return Err(format!("{} is empty", labels(&texts)));
        }
        Ok(texts)
    }
}

fn compile(rule: &str, patterns: &[String]) -> Result<Vec<Regex>> {
    patterns
        .iter()
        .map(|pattern| {
            RegexBuilder::new(pattern)
                .multi_line(true)
                .build()
                .map_err(|error| {
                    PluginError::invalid_input(format!(
                        "{rule} has a pattern that cannot be read: `{}`: {error}",
                        excerpt(pattern)
                    ))
                })
        })
        .collect()
}

fn check(holds: bool, name: impl Into<String>, message: String) -> Check {
    match holds {
        true => Check::pass(name, message),
        false => Check::fail(name, message),
    }
}

fn at_least(name: &str, what: &str, found: usize, least: usize, texts: &[Text]) -> Check {
    let message = format!(
        "{found} {what} in {}, at least {least} wanted",
        labels(texts)
    );
    check(found >= least, name, message)
}

fn labels(texts: &[Text]) -> String {
    texts
        .iter()
        .map(|text| text.label.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn matched(pattern: &str, regex: &Regex, texts: &[Text]) -> Check {
    let name = format!("must_match {}", excerpt(pattern));
    match first_match(regex, texts) {
        Some(place) => Check::pass(name, format!("found {place}")),
        None => Check::fail(
            name,
            format!(
                "nothing matches `{}` in {}",
                excerpt(pattern),
                labels(texts)
            ),
        ),
    }
}

fn not_matched(pattern: &str, regex: &Regex, texts: &[Text]) -> Check {
    let name = format!("must_not_match {}", excerpt(pattern));
    match first_match(regex, texts) {
        Some(place) => Check::fail(name, format!("found {place}")),
        None => Check::pass(name, format!("nothing matches in {}", labels(texts))),
    }
}

fn mentioned(word: &str, texts: &[Text]) -> Check {
    let name = format!("must_mention {}", excerpt(word));
    let lower = word.to_lowercase();
    match texts
        .iter()
        .find(|text| text.text.to_lowercase().contains(&lower))
    {
        Some(text) => Check::pass(name, format!("in {}", text.label)),
        None => Check::fail(
            name,
            format!("`{}` is not in {}", excerpt(word), labels(texts)),
        ),
    }
}

/// Where a pattern first matches: text, line, and the line itself.
fn first_match(regex: &Regex, texts: &[Text]) -> Option<String> {
    texts.iter().find_map(|text| {
        let found = regex.find(&text.text)?;
        let before = text.text.get(..found.start())?;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text.text.get(start..)?.lines().next().unwrap_or_default();
        Some(format!(
            "in {} line {}: {}",
            text.label,
            before.matches('\n').count() + 1,
            excerpt(line.trim())
        ))
    })
}

/// How many different `[N]` the texts have.
fn citations(texts: &[Text]) -> Result<usize> {
    let regex =
        Regex::new(r"\[(\d{1,4})\]").map_err(|error| PluginError::permanent(error.to_string()))?;
    let mut found: Vec<&str> = texts
        .iter()
        .flat_map(|text| regex.find_iter(&text.text).map(|found| found.as_str()))
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found.len())
}

fn excerpt(text: &str) -> String {
    if text.chars().count() <= EXCERPT {
        return text.to_owned();
    }
    let cut: String = text.chars().take(EXCERPT - 1).collect();
    format!("{cut}…")
}

/// Names of checks are unique: a repeated one gets a number.
fn number_repeats(checks: &mut [Check]) {
    let names: Vec<String> = checks.iter().map(|check| check.name.clone()).collect();
    for (n, check) in checks.iter_mut().enumerate() {
        let before = names
            .iter()
            .take(n)
            .filter(|name| **name == check.name)
            .count();
        if before > 0 {
            check.name = format!("{} ({})", check.name, before + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TextRules;
    use sandgate_plugin::testing::Bench;
    use sandgate_plugin::{Config, FinishedTask, Gate, Verdict};
    use serde_json::{Value, json};

    const MAIL: &str = "To: John\nSubject: Laptops\n\nThe Summit costs 1169 euros [1].\nThe Fjord costs 979 euros [2][1].\n";

    fn run(config: Value) -> Result<Vec<Check>> {
        let subject = Subject {
            tasks: vec![FinishedTask {
                id: "draft".to_owned(),
                output: json!({"body": "short", "blank": " "}).to_string(),
                artifacts: vec!["draft.email".to_owned()],
            }],
            ..Subject::default()
        };
        Bench::new()
            .artifact("draft.email", "text/markdown", MAIL)
            .run(|| TextRules::check(subject, Config::new(config.to_string())))
            .0
    }

    fn one(config: Value) -> (Verdict, String) {
        let mut checks = run(config).unwrap();
        assert_eq!(checks.len(), 1);
        let check = checks.remove(0);
        (check.verdict, check.message)
    }

    #[test]
    fn every_rule_passes_and_fails() {
        for (config, verdict, message) in [
            (
                json!({"must_match": ["\\d+ euros"]}),
                Verdict::Pass,
                "found in artifact draft.email line 4: The Summit costs 1169 euros [1].",
            ),
            (
                json!({"must_match": ["^Subject: L"]}),
                Verdict::Pass,
                "found in artifact draft.email line 2: Subject: Laptops",
            ),
            (
                json!({"must_match": ["(?i)dollars"]}),
                Verdict::Fail,
                "nothing matches `(?i)dollars` in artifact draft.email",
            ),
            (
                json!({"must_not_match": ["TODO"]}),
                Verdict::Pass,
                "nothing matches in artifact draft.email",
            ),
            (
                json!({"must_not_match": ["Fjord"]}),
                Verdict::Fail,
                "found in artifact draft.email line 5: The Fjord costs 979 euros [2][1].",
            ),
            (
                json!({"must_mention": ["summit"]}),
                Verdict::Pass,
                "in artifact draft.email",
            ),
            (
                json!({"must_mention": ["zebra"]}),
                Verdict::Fail,
                "`zebra` is not in artifact draft.email",
            ),
            (
                json!({"min_words": 14}),
                Verdict::Pass,
                "16 words in artifact draft.email, at least 14 wanted",
            ),
            (
                json!({"min_words": 17}),
                Verdict::Fail,
                "16 words in artifact draft.email, at least 17 wanted",
            ),
            (
                json!({"max_words": 16}),
                Verdict::Pass,
                "16 words in artifact draft.email, at most 16 wanted",
            ),
            (
                json!({"max_words": 15}),
                Verdict::Fail,
                "16 words in artifact draft.email, at most 15 wanted",
            ),
            (
                json!({"min_citations": 2}),
                Verdict::Pass,
                "2 different citations in artifact draft.email, at least 2 wanted",
            ),
            (
                json!({"min_citations": 3}),
                Verdict::Fail,
                "2 different citations in artifact draft.email, at least 3 wanted",
            ),
            (
                json!({"max_words": 1, "target": {"output": "/body"}}),
                Verdict::Pass,
                "1 words in output draft/body, at most 1 wanted",
            ),
        ] {
            assert_eq!(
                one(config.clone()),
                (verdict, message.to_owned()),
                "{config}"
            );
        }
    }

    #[test]
    fn nothing_to_check_blocks() {
        for (config, why) in [
            (Value::Null, "there are no rules"),
            (json!({"target": {"task": "draft"}}), "there are no rules"),
            (
                json!({"must_not_match": ["x"], "target": {"output": "/blank"}}),
                "output draft/blank is empty",
            ),
            (
                json!({"must_match": ["x"], "target": {"task": "x"}}),
                "no task `x`",
            ),
            (
                json!({"must_match": ["x"], "target": {"artifact": "sms"}}),
                "it made: draft.email",
            ),
        ] {
            let (verdict, message) = one(config.clone());
            assert_eq!(verdict, Verdict::Inconclusive, "{config}");
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn mistakes_in_the_configuration_are_named() {
        for (config, why) in [
            (json!({"must_match": ["("]}), "cannot be read: `(`"),
            (json!({"must_macth": ["x"]}), "must_macth"),
        ] {
            let error = run(config.clone()).unwrap_err();
            assert!(
                matches!(&error, PluginError::InvalidInput(text) if text.contains(why)),
                "{error}"
            );
        }
    }

    #[test]
    fn names_are_unique() {
        let checks = run(json!({"must_match": ["a", "a"], "must_mention": ["a"]})).unwrap();
        let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(
            names,
            ["must_match a", "must_match a (2)", "must_mention a"]
        );
    }
}
