//! Reads a goal: clauses, the intent of each, and what they speak of. Never asks anybody and never fails; a
//! goal without a known verb has no intents.

use crate::data::Builtin;
use crate::slots;
use serde_json::Value;

/// Words before a verb that mean nothing.
const FILLERS: &[&str] = &[
    "please",
    "then",
    "also",
    "now",
    "first",
    "next",
    "finally",
    "afterwards",
    "and",
    "to",
    "i want to",
    "i want you to",
    "i need to",
    "i need you to",
    "i would like to",
    "i'd like to",
    "we need to",
    "we want to",
    "we should",
    "can you",
    "could you",
    "would you",
    "you should",
    "help me to",
    "help me",
    "help us",
    "let's",
    "let us",
    "try to",
    "quickly",
    "briefly",
    "carefully",
];

/// Between clauses. The longest that fits is taken.
const CONNECTORS: &[&str] = &[
    ", and then ",
    " and then ",
    "; then ",
    ", then ",
    ". then ",
    " after that, ",
    " after that ",
    "; and ",
    ", and ",
    " and ",
    " then ",
    "; ",
    ". ",
    ", ",
    "! ",
    " & ",
    " plus ",
    " so that i can ",
    " so i can ",
];

/// A clause with its intent.
#[derive(Debug, PartialEq)]
pub(crate) struct Clause {
    /// Name of the intent.
    pub(crate) intent: String,
    /// The clause after its verb.
    pub(crate) object: String,
}

/// What was understood.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) clauses: Vec<Clause>,
    pub(crate) recipient: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) criteria: Vec<Value>,
    /// `top 3`.
    pub(crate) top: Option<u64>,
    /// Topic of the communication, when it names one of its own.
    pub(crate) message_topic: Option<String>,
}

impl Reading {
    /// Intents in the order of the goal, each once.
    pub(crate) fn intents(&self) -> Vec<&str> {
        let mut intents: Vec<&str> = Vec::new();
        for clause in &self.clauses {
            if !intents.contains(&clause.intent.as_str()) {
                intents.push(&clause.intent);
            }
        }
        intents
    }

    /// What an intent is about, as its clauses say it.
    pub(crate) fn topics(&self, intent: &str) -> Vec<String> {
        self.clauses
            .iter()
            .filter(|clause| clause.intent == intent)
            .filter_map(|clause| slots::topic(&clause.object))
            .collect()
    }

    /// What the whole goal is about: the first topic that a clause names.
    pub(crate) fn topic(&self) -> Option<String> {
        ["research", "compare", "purchase"]
            .iter()
            .find_map(|intent| self.topics(intent).into_iter().next())
            .or_else(|| self.message_topic.clone())
    }
}

/// Reads a goal.
pub(crate) fn read(goal: &str, builtin: &Builtin) -> Reading {
    let goal = goal.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut reading = Reading {
        kind: "email",
        ..Reading::default()
    };
    for text in split(&goal, builtin) {
        let Some((intent, object)) = intent_of(&text, builtin) else {
            continue;
        };
        match intent.as_str() {
            "communication" => {
                reading.kind = slots::kind(&text);
                reading.recipient = slots::recipient(&text).or(reading.recipient.take());
                reading.message_topic =
                    slots::message_topic(&text).or(reading.message_topic.take());
            }
            "compare" => {
                reading.criteria = slots::criteria(&text, &builtin.criteria);
            }
            _ => {}
        }
        // The criteria of a comparison are not what it is about.
        let object = match intent.as_str() {
            "compare" => slots::without_criteria(&object, &builtin.criteria),
            _ => object,
        };
        reading.clauses.push(Clause { intent, object });
    }
    reading.top = slots::top(&goal);
    reading
}

/// Cuts a goal into clauses: at a connector, when a verb follows.
fn split(goal: &str, builtin: &Builtin) -> Vec<String> {
    let lower = goal.to_lowercase();
    // Lower case must have the same offsets; a goal where it has not is not cut.
    if lower.len() != goal.len() {
        return vec![goal.to_owned()];
    }
    let mut clauses = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < goal.len() {
        let rest = lower.get(at..).unwrap_or_default();
        let connector = CONNECTORS
            .iter()
            .filter(|connector| rest.starts_with(**connector))
            .max_by_key(|connector| connector.len());
        match connector {
            Some(connector)
                if verb(
                    goal.get(at + connector.len()..).unwrap_or_default(),
                    builtin,
                )
                .is_some() =>
            {
                clauses.push(goal.get(start..at).unwrap_or_default().to_owned());
                start = at + connector.len();
                at = start;
            }
            _ => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    clauses.push(goal.get(start..).unwrap_or_default().to_owned());
    clauses.retain(|clause| !clause.trim().is_empty());
    clauses
}

/// The intent whose verb a clause begins with, and what follows the verb.
fn verb(text: &str, builtin: &Builtin) -> Option<(String, String)> {
    let mut text = text.trim();
    while let Some(rest) = FILLERS.iter().find_map(|filler| after_phrase(text, filler)) {
        text = rest;
    }
    builtin
        .intents
        .iter()
        .flat_map(|intent| intent.verbs.iter().map(move |verb| (intent, verb)))
        .filter_map(|(intent, verb)| Some((intent, verb, after_phrase(text, verb)?)))
        .max_by_key(|(_, verb, _)| verb.len())
        .map(|(intent, _, rest)| (intent.name.clone(), rest.to_owned()))
}

/// The text after a phrase of whole words, in any case.
fn after_phrase<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let begin = text.get(..phrase.len())?;
    let rest = text.get(phrase.len()..)?;
    let whole = rest.is_empty() || rest.starts_with([' ', ',', ':', '.', '?', '!']);
    (begin.eq_ignore_ascii_case(phrase) && whole).then(|| rest.trim_start_matches([' ', ',', ':']))
}

/// The intent of a clause: by its first verb, else by the first telling word in it.
fn intent_of(clause: &str, builtin: &Builtin) -> Option<(String, String)> {
    verb(clause, builtin).or_else(|| {
        let starts = clause
            .char_indices()
            .filter(|(at, _)| {
                *at == 0
                    || clause
                        .get(..*at)
                        .is_some_and(|before| before.ends_with(' '))
            })
            .map(|(at, _)| at);
        starts
            .filter_map(|at| {
                let rest = clause.get(at..)?;
                let intent = builtin.intents.iter().find(|intent| {
                    intent
                        .words
                        .iter()
                        .any(|word| after_phrase(rest, word).is_some())
                })?;
                Some((intent.name.clone(), clause.to_owned()))
            })
            .next()
    })
}
