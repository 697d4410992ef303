//! JSON of strangers: no name twice in an object (readers disagree about which one counts), bounded depth. And
//! canonical JSON, for digests.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Deepest nesting. Schemas of people have less than 20 levels; the parser's own recursion stays far from the
/// stack's end.
const DEPTH_MAX: u8 = 64;

/// Parses a whole document. The error never quotes the document's text beyond a position.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut from = serde_json::Deserializer::from_str(text);
    let value = Strict { left: DEPTH_MAX }
        .deserialize(&mut from)
        .and_then(|value| from.end().map(|()| value))
        .map_err(|error| crate::text::quoted(&error.to_string()))?;
    Ok(value)
}

/// Whether a value is nested no deeper than what [`parse`] takes.
pub(crate) fn shallow(value: &Value) -> bool {
    fn within(value: &Value, left: u8) -> bool {
        let Some(left) = left.checked_sub(1) else {
            return false;
        };
        match value {
            Value::Array(items) => items.iter().all(|v| within(v, left)),
            Value::Object(fields) => fields.values().all(|v| within(v, left)),
            _ => true,
        }
    }
    within(value, DEPTH_MAX)
}

/// One text for one value: names sorted, no space.
pub(crate) fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            Value::Object(fields) => {
                let mut all: Vec<(&String, &Value)> = fields.iter().collect();
                all.sort_unstable_by_key(|(name, _)| *name);
                Value::Object(
                    all.into_iter()
                        .map(|(name, v)| (name.clone(), sorted(v)))
                        .collect::<Map<_, _>>(),
                )
            }
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}

#[derive(Clone, Copy)]
struct Strict {
    left: u8,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(D::Error::custom("nested too deeply"));
        };
        from.deserialize_any(Strict { left })
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self)?;
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice in an object"));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_readers_disagree_about_is_refused() {
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"u":{"a":1,"\u0061":2}}"#,
            r#"[NaN]"#,
            r#"{"a":1} x"#,
            r#"{"a":"#,
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let deep = format!("{}1{}", "[".repeat(63), "]".repeat(63));
        assert!(shallow(&parse(&deep).unwrap()));
        for levels in [64, 100_000] {
            let deep = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
            assert!(parse(&deep).is_err(), "{levels}");
        }
    }

    #[test]
    fn canonical_text_does_not_depend_on_the_order() {
        let a = parse(r#"{"b":[{"y":1,"x":2}],"a":null}"#).unwrap();
        assert_eq!(canonical(&a), r#"{"a":null,"b":[{"x":2,"y":1}]}"#);
        assert_eq!(canonical(&json!("é\n")), "\"é\\n\"");
    }

    proptest! {
        /// Where serde_json refuses, so does this; where this takes, both give the same.
        #[test]
        fn never_more_lax_than_the_library(text in r#"[\[\]{}",:a0-9e.\-tru ]{0,24}"#) {
            if let Ok(mine) = parse(&text) {
                let theirs: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(mine, theirs);
            }
        }
    }
}
