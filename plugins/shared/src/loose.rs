//! Values that come through templates: a whole document may arrive as text.

use serde_json::Value;

/// A value, or the document inside it when it is a text that is a JSON object or list.
#[must_use]
pub fn loose(value: Value) -> Value {
    if let Value::String(text) = &value
        && text.trim_start().starts_with(['{', '['])
        && let Ok(inner) = serde_json::from_str(text)
    {
        return inner;
    }
    value
}

/// A cell for people: text without quotes, lists with commas.
#[must_use]
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(show).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// At most `most` characters, cut after a word and marked with an ellipsis.
#[must_use]
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    let end = cut.rfind(char::is_whitespace).unwrap_or(cut.len());
    format!("{}…", cut.get(..end).unwrap_or(&cut).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_inside_text() {
        assert_eq!(loose(json!("{\"a\": 1}")), json!({"a": 1}));
        assert_eq!(loose(json!("{not json")), json!("{not json"));
        assert_eq!(loose(json!([1])), json!([1]));
        assert_eq!(show(&json!(["a", 1])), "a, 1");
    }

    #[test]
    fn cut_after_a_word() {
        assert_eq!(shorten("one two three", 9), "one two…");
        assert_eq!(shorten("one", 9), "one");
        assert_eq!(shorten("ääääääää", 4), "äää…");
    }
}
