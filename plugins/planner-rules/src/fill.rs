//! Placeholders: `{topic}` in the texts of a pattern. `{{ … }}` belongs to the host and is left alone.

use sandgate_plugin::{PluginError, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Values by placeholder. A name with no value (`None`) is known but empty.
pub(crate) type Values = BTreeMap<String, Option<Value>>;

/// Text of the goal that must not become a template of the host: the goal is a person's words, not code.
pub(crate) fn harmless(text: &str) -> String {
    text.replace("{{", "{ {")
        .replace("{%", "{ %")
        .replace("{#", "{ #")
}

/// Fills a document. A member whose whole text is an empty placeholder is left out.
pub(crate) fn fill(value: &Value, values: &Values) -> Result<Option<Value>> {
    Ok(match value {
        Value::String(text) => match whole(text) {
            Some(name) => look(values, name)?.clone(),
            None => Some(Value::String(text_of(text, values)?)),
        },
        Value::Array(items) => {
            let mut filled = Vec::with_capacity(items.len());
            for item in items {
                filled.extend(fill(item, values)?);
            }
            Some(Value::Array(filled))
        }
        Value::Object(members) => {
            let mut filled = Map::new();
            for (name, member) in members {
                if let Some(member) = fill(member, values)? {
                    filled.insert(name.clone(), member);
                }
            }
            Some(Value::Object(filled))
        }
        other => Some(other.clone()),
    })
}

/// Fills a text; an empty placeholder becomes nothing.
pub(crate) fn text_of(text: &str, values: &Values) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        if let Some(end) = from.strip_prefix("{{").and_then(|_| from.find("}}")) {
            let (template, after) = from.split_at(end + 2);
            filled.push_str(template);
            rest = after;
            continue;
        }
        let name = from
            .get(1..)
            .and_then(|inner| inner.split_once('}'))
            .map(|(name, _)| name);
        match name.filter(|name| is_name(name)) {
            Some(name) => {
                match look(values, name)? {
                    Some(Value::String(text)) => filled.push_str(text),
                    Some(other) => filled.push_str(&other.to_string()),
                    None => {}
                }
                rest = from.get(name.len() + 2..).unwrap_or_default();
            }
            None => {
                filled.push('{');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name when a text is nothing but one placeholder.
fn whole(text: &str) -> Option<&str> {
    text.strip_prefix('{')?
        .strip_suffix('}')
        .filter(|name| is_name(name))
}

fn look<'a>(values: &'a Values, name: &str) -> Result<&'a Option<Value>> {
    values.get(name).ok_or_else(|| {
        let known: Vec<&str> = values.keys().map(String::as_str).collect();
        PluginError::invalid_input(format!(
            "the placeholder `{{{name}}}` is not known; known are: {}",
            known.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values() -> Values {
        [
            ("topic".to_owned(), Some(json!("laptops"))),
            ("top".to_owned(), Some(json!(3))),
            ("to".to_owned(), None),
        ]
        .into()
    }

    #[test]
    fn fills() {
        let filled = fill(
            &json!({"a": "about {topic}!", "n": "{top}", "to": "{to}", "t": "{{ tasks.x.output }} {to}", "o": "{ {topic}", "l": ["{to}", "{top}"]}),
            &values(),
        );
        assert_eq!(
            filled.unwrap().unwrap(),
            json!({"a": "about laptops!", "n": 3, "t": "{{ tasks.x.output }} ", "o": "{ laptops", "l": [3]})
        );
        assert!(fill(&json!("{nobody}"), &values()).is_err());
    }

    #[test]
    fn goals_are_no_templates() {
        let text = harmless("laptops {{ secrets }} {% if %}");
        assert!(!text.contains("{{") && !text.contains("{%"));
    }
}
