//! Whether a signal fits a wait, how near it comes when it does not, and what makes two signals the same. Nothing
//! here keeps anything.

use sandgate_model::{Digest, Moment, RunId, Signal, SignalType, TaskId, TaskIx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest id of a signal, in bytes: a delivery id of any known sender fits three times.
pub const SIGNAL_ID_MAX: usize = 200;

/// Most fields of a signal. Matching looks at those that a wait names; more is data, and belongs there.
pub const SIGNAL_FIELDS_MAX: usize = 50;

/// Longest name of a field, in bytes.
pub const SIGNAL_NAME_MAX: usize = 100;

/// Longest value of a field, in bytes: a URL fits, a document does not.
pub const SIGNAL_VALUE_MAX: usize = 1_000;

/// Characters of a value that a message shows. A value may be hostile, and long.
const SHOWN_MAX: usize = 60;

/// A task that waits for a signal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenWait {
    /// Its run.
    pub run: RunId,
    /// The task.
    pub task: TaskIx,
    /// Its id.
    pub id: TaskId,
    /// Type of signal.
    pub kind: SignalType,
    /// Fields that have to be equal.
    pub matches: BTreeMap<String, String>,
    /// Since when it waits.
    pub since: Moment,
}

/// Whether a signal fits: same type, and every field that the wait names is equal. Fields that only the signal has do
/// not matter.
#[must_use]
pub fn fits(kind: &SignalType, matches: &BTreeMap<String, String>, signal: &Signal) -> bool {
    *kind == signal.kind
        && matches
            .iter()
            .all(|(name, value)| signal.fields.get(name) == Some(value))
}

/// What tells a repeat from another signal with the same id: SHA-256 of type, fields and data in one fixed form, in
/// which the order of an object's keys does not matter. Data goes by value, so that it does not matter either whether it
/// is stored in the event or beside it.
#[must_use]
pub fn signal_digest(kind: &SignalType, fields: &BTreeMap<String, String>, data: &Value) -> Digest {
    let mut bytes = b"sandgate.signal/1\n".to_vec();
    text(kind.as_str(), &mut bytes);
    bytes.push(b'\n');
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
    object(fields, &mut bytes, |value, bytes| text(value, bytes));
    bytes.push(b'\n');
    canonical(data, &mut bytes);
    Digest::of(&bytes)
}

/// Whether a signal keeps to the bounds. Whoever takes one in asks this before anything else; [`crate::Inbox::receive`]
/// asks it again.
///
/// # Errors
/// The first bound that it breaks, for its sender.
pub fn validate_signal(signal: &Signal) -> Result<(), String> {
    plain("the id of a signal", &signal.id, SIGNAL_ID_MAX)?;
    if signal.fields.len() > SIGNAL_FIELDS_MAX {
        return Err(format!(
            "a signal has at most {SIGNAL_FIELDS_MAX} fields to match by, this one has {}; what is not matched by belongs into its data",
            signal.fields.len()
        ));
    }
    for (name, value) in &signal.fields {
        plain("the name of a field", name, SIGNAL_NAME_MAX)?;
        if value.len() > SIGNAL_VALUE_MAX {
            return Err(format!(
                "the value of a field has at most {SIGNAL_VALUE_MAX} bytes, that of {} has {}",
                shown(name),
                value.len()
            ));
        }
    }
    Ok(())
}

/// How many fields of the wait the signal has with the same value; `None` when the types differ.
pub(super) fn nearness(wait: &OpenWait, signal: &Signal) -> Option<usize> {
    let equal = |(name, value): &(&String, &String)| signal.fields.get(*name) == Some(*value);
    (wait.kind == signal.kind).then(|| wait.matches.iter().filter(equal).count())
}

/// What keeps a signal from fitting a wait of its type: `sha=b, this one says sha=a`.
pub(super) fn difference(wait: &OpenWait, signal: &Signal) -> String {
    let (mut wants, mut says) = (Vec::new(), Vec::new());
    for (name, value) in &wait.matches {
        let said = signal.fields.get(name);
        if said != Some(value) {
            wants.push(format!("{}={}", shown(name), shown(value)));
            says.push(match said {
                Some(said) => format!("{}={}", shown(name), shown(said)),
                None => format!("nothing of {}", shown(name)),
            });
        }
    }
    format!("{}, this one says {}", wants.join(", "), says.join(", "))
}

/// A text from outside in a message: short, and without anything that is not to be seen.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_MAX)
        .flat_map(|c| {
            let plain = c.is_ascii_graphic() || c == ' ';
            let escaped = (!plain).then(|| c.escape_unicode());
            plain
                .then_some(c)
                .into_iter()
                .chain(escaped.into_iter().flatten())
        })
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

fn plain(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{what} cannot be empty"));
    }
    if text.len() > most {
        return Err(format!(
            "{what} has at most {most} bytes, this one has {}",
            text.len()
        ));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("{what} cannot contain the control character {c:?}")),
        None => Ok(()),
    }
}

/// JSON with sorted keys and no space. A value from a parser is at most 128 deep.
fn canonical(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            bytes.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    bytes.push(b',');
                }
                canonical(item, bytes);
            }
            bytes.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(k, v)| (k.as_str(), v)).collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            object(members, bytes, canonical);
        }
        Value::String(string) => text(string, bytes),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            bytes.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

fn object<'a, T>(
    members: impl IntoIterator<Item = (&'a str, T)>,
    bytes: &mut Vec<u8>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    bytes.push(b'{');
    for (n, (key, value)) in members.into_iter().enumerate() {
        if n > 0 {
            bytes.push(b',');
        }
        text(key, bytes);
        bytes.push(b':');
        write(value, bytes);
    }
    bytes.push(b'}');
}

fn text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(Value::from(text).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn digest(kind: &str, fields: &[(&str, &str)], data: &str) -> Digest {
        let fields = fields
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let data = serde_json::from_str(data).unwrap();
        signal_digest(&kind.parse().unwrap(), &fields, &data)
    }

    #[test]
    fn only_the_same_content_has_the_same_digest() {
        let one = digest(
            "ci",
            &[("a", "1"), ("b", "2")],
            r#"{"x": {"p": 1, "q": [1, 2]}, "y": null}"#,
        );
        let order = digest(
            "ci",
            &[("b", "2"), ("a", "1")],
            r#"{"y":null,"x":{"q":[1,2],"p":1}}"#,
        );
        assert_eq!(one, order, "order and space do not matter");
        let others = [
            digest(
                "review",
                &[("a", "1"), ("b", "2")],
                r#"{"x": {"p": 1, "q": [1, 2]}, "y": null}"#,
            ),
            digest(
                "ci",
                &[("a", "1")],
                r#"{"x": {"p": 1, "q": [1, 2]}, "y": null}"#,
            ),
            digest(
                "ci",
                &[("a", "2"), ("b", "1")],
                r#"{"x": {"p": 1, "q": [1, 2]}, "y": null}"#,
            ),
            digest(
                "ci",
                &[("a", "1"), ("b", "2")],
                r#"{"x": {"p": 1, "q": [2, 1]}, "y": null}"#,
            ),
            digest(
                "ci",
                &[("a", "1"), ("b", "2")],
                r#"{"x": {"p": "1", "q": [1, 2]}, "y": null}"#,
            ),
            digest(
                "ci",
                &[("a", "1\",\"b\":\"2")],
                r#"{"x": {"p": 1, "q": [1, 2]}, "y": null}"#,
            ),
            digest("ci", &[("a", "1"), ("b", "2")], "null"),
        ];
        let mut all = others.to_vec();
        all.push(one);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), others.len() + 1);
    }

    #[test]
    fn what_is_shown_is_short_and_plain() {
        assert_eq!(shown("main"), "main");
        assert_eq!(shown("a\u{202e}b\n"), "a\\u{202e}b\\u{a}");
        assert_eq!(shown(&"x".repeat(100)).len(), SHOWN_MAX + 3);
        assert_eq!(
            json!("é").to_string(),
            "\"é\"",
            "canonical text is not escaped"
        );
    }
}
