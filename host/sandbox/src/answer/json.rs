//! JSON from a plugin: at most 4 MiB, 64 levels and a bounded number of values, no key twice. serde_json by itself
//! keeps the last of two equal keys; two readers of the same document would then see different things.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Deepest nesting: more than any document a person has to read, and far from any recursion limit.
const DEPTH_MAX: usize = 64;

/// Most values in the documents of one answer. A value takes up to a hundred bytes of memory however short its
/// text: 250,000 of them are 25 MiB.
pub(super) const VALUES_MAX: usize = 250_000;

/// What may still be read in this answer.
pub(crate) struct Reader {
    bytes_max: usize,
    values_left: Cell<usize>,
}

impl Reader {
    pub(crate) fn new(bytes_max: usize, values: usize) -> Self {
        Self {
            bytes_max,
            values_left: Cell::new(values),
        }
    }

    /// Reads one document.
    ///
    /// # Errors
    /// What is wrong with it, with line and column.
    pub(crate) fn read(&self, text: &str) -> Result<Value, String> {
        if text.len() > self.bytes_max {
            return Err(format!(
                "it has {} bytes, and {} is the most",
                text.len(),
                self.bytes_max
            ));
        }
        let mut source = serde_json::Deserializer::from_str(text);
        let value = Strict {
            reader: self,
            depth: DEPTH_MAX,
        }
        .deserialize(&mut source)
        .map_err(|error| error.to_string())?;
        source.end().map_err(|error| error.to_string())?;
        Ok(value)
    }
}

#[derive(Clone, Copy)]
struct Strict<'r> {
    reader: &'r Reader,
    /// Levels that may still be opened.
    depth: usize,
}

impl<'r> Strict<'r> {
    /// For what is inside.
    fn inner<E: serde::de::Error>(self) -> Result<Strict<'r>, E> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| E::custom(format!("nested deeper than {DEPTH_MAX} levels")))?;
        Ok(Strict { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        let left = self.reader.values_left.get();
        if left == 0 {
            return Err(D::Error::custom("too many values in one answer"));
        }
        self.reader.values_left.set(left - 1);
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = source.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut source: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(key) = source.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("key {key:?} twice")));
            }
            let value = source.next_value_seed(inner)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        Reader::new(1_000, 100).read(text)
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [
            "null",
            " [1, -2, 3.5, true, \"a\\u0000b\", {\"k\": {\"k\": []}}] ",
            "18446744073709551615",
            "\"\\ud83d\\ude00\"",
        ] {
            assert_eq!(
                read(text).unwrap(),
                serde_json::from_str::<Value>(text).unwrap()
            );
        }
        assert_eq!(read("{\"b\":1,\"a\":2}").unwrap(), json!({"a": 2, "b": 1}));
    }

    #[test]
    fn refuses() {
        for (text, reason) in [
            ("", "EOF"),
            ("{", "EOF"),
            ("1 2", "trailing characters"),
            ("nonsense", "expected"),
            ("1e999", "number out of range"),
            ("NaN", "expected"),
            ("{\"a\":1,\"a\":1}", "key \"a\" twice"),
            ("{\"a\":1,\"\\u0061\":1}", "key \"a\" twice"),
            ("[{\"x\":{\"a\":1,\"a\":1}}]", "key \"a\" twice"),
            ("\"\\ud800\"", "hex escape"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn bounds_depth_size_and_number_of_values() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&deep(64)).is_ok());
        assert!(read(&deep(65)).unwrap_err().contains("64 levels"));
        let objects = |n: usize| format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n));
        assert!(read(&objects(64)).is_ok());
        assert!(read(&objects(65)).unwrap_err().contains("64 levels"));
        assert!(read(&format!("\"{}\"", "x".repeat(998))).is_ok());
        assert!(
            read(&format!("\"{}\"", "x".repeat(999)))
                .unwrap_err()
                .contains("1001 bytes")
        );
        assert!(read(&format!("[{}0]", "0,".repeat(98))).is_ok());
        assert!(
            read(&format!("[{}0]", "0,".repeat(99)))
                .unwrap_err()
                .contains("too many values")
        );
        let two = Reader::new(1_000, 3);
        assert!(two.read("[1]").is_ok());
        assert!(two.read("[1]").is_err(), "the budget is the answer's");
    }
}
