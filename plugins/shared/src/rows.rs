//! Rows: tables from CSV and JSON text, with typed cells and columns in the order of the file.

use crate::limit::number;
use crate::row::Row;
use serde_json::Value;

/// A text that is no table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableError(pub String);

impl std::fmt::Display for TableError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TableError {}

/// The words of a field's name, in lower case: `priceEUR per_unit` is `price`, `eur`, `per`, `unit`.
pub fn field_tokens(field: &str) -> impl Iterator<Item = String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower_before = false;
    for c in field.chars() {
        if !c.is_alphanumeric() {
            words.push(std::mem::take(&mut word));
            lower_before = false;
            continue;
        }
        if c.is_uppercase() && lower_before {
            words.push(std::mem::take(&mut word));
        }
        lower_before = c.is_lowercase();
        word.extend(c.to_lowercase());
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty())
}

/// The column a person means: the same name, the same but for case, or one whose name has all the words of it.
/// Of several the one with the fewest words, then the first.
#[must_use]
pub fn column<'a>(columns: &'a [String], wanted: &str) -> Option<&'a str> {
    if let Some(same) = columns.iter().find(|column| column.as_str() == wanted) {
        return Some(same);
    }
    let wanted_tokens: Vec<_> = field_tokens(wanted).collect();
    if wanted_tokens.is_empty() {
        return None;
    }
    columns
        .iter()
        .map(|column| (field_tokens(column).collect::<Vec<_>>(), column))
        .filter(|(tokens, _)| wanted_tokens.iter().all(|word| tokens.contains(word)))
        .min_by_key(|(tokens, _)| tokens.len())
        .map(|(_, column)| column.as_str())
}

/// A cell with its type: a number where it is one, otherwise text. Leading zeros mean a code, not a number.
#[must_use]
pub fn typed(cell: &str) -> Value {
    let cell = cell.trim();
    let code = cell.len() > 1 && cell.starts_with('0') && !cell.starts_with("0.");
    match number(cell) {
        Some(value) if !code && !cell.ends_with(['k', 'K']) => json_number(value),
        _ => Value::String(cell.to_owned()),
    }
}

/// A number as JSON: whole ones without a fraction.
fn json_number(value: f64) -> Value {
    // Every whole number up to 2^53 is exact in both types.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Value::from(value as i64);
    }
    Value::from(value)
}

/// Rows of a CSV text, each with the line on which it starts. The delimiter is the one of `,`, `;`, tab and `|`
/// that the first line has most of. A row with too few cells lacks the last columns.
///
/// # Errors
/// When there is no header, or the quoting is broken.
pub fn csv_rows(text: &str) -> Result<Vec<(usize, Row)>, TableError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t', b'|']
        .into_iter()
        .max_by_key(|&delimiter| {
            (
                first.bytes().filter(|&byte| byte == delimiter).count(),
                delimiter == b',',
            )
        })
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(text.as_bytes());
    let wrong = |error: csv::Error| TableError(format!("not a CSV table: {error}"));
    let header: Vec<String> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    if header.iter().all(String::is_empty) {
        return Err(TableError(
            "not a CSV table: the first line has no column names".to_owned(),
        ));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, |position| {
            let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
            // The reader reports where it stood before it skipped empty lines.
            let skipped = text.as_bytes().get(start..).map_or(0, |rest| {
                rest.iter()
                    .take_while(|byte| byte.is_ascii_whitespace())
                    .filter(|&&byte| byte == b'\n')
                    .count()
            });
            usize::try_from(position.line()).unwrap_or(0) + skipped
        });
        let row: Row = header
            .iter()
            .zip(record.iter())
            .filter(|(name, cell)| !name.is_empty() && !cell.trim().is_empty())
            .map(|(name, cell)| (name.clone(), typed(cell)))
            .collect();
        if !row.is_empty() {
            rows.push((line, row));
        }
    }
    Ok(rows)
}

/// Deepest nesting of objects that [`flatten`] follows. Deeper values stay as they are.
const FLATTEN_DEPTH: usize = 3;

/// A row without nested objects: they become `outer.inner`. Lists stay lists, and empty cells are dropped.
#[must_use]
pub fn flatten(object: &Row) -> Row {
    let mut row = Row::default();
    for (name, value) in object.iter() {
        flatten_cell(&mut row, name, value, 1);
    }
    row
}

fn flatten_cell(row: &mut Row, name: &str, value: &Value, depth: usize) {
    match value {
        Value::Null => {}
        Value::Object(inner) if depth < FLATTEN_DEPTH => {
            for (key, value) in inner {
                flatten_cell(row, &format!("{name}.{key}"), value, depth + 1);
            }
        }
        other => row.insert(name, other.clone()),
    }
}

/// Rows of a JSON value: the objects of a list, or of the first list of objects inside an object, or the
/// object itself.
#[must_use]
pub fn json_rows(value: &Value) -> Vec<Row> {
    let row = |object: &serde_json::Map<String, Value>| {
        let row: Row = object
            .iter()
            .map(|(name, cell)| (name.clone(), cell.clone()))
            .collect();
        flatten(&row)
    };
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_object).map(row).collect(),
        Value::Object(object) => object
            .values()
            .find_map(|inner| match inner {
                Value::Array(items) if items.iter().any(Value::is_object) => Some(json_rows(inner)),
                _ => None,
            })
            .unwrap_or_else(|| vec![row(object)]),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn csv_is_typed_and_has_lines() {
        let rows = csv_rows(
            "model,price_eur,zip,seen\n\"A, \"\"big\"\"\",\"1,049\",0123,2026-02-11\n\nB,13.5\n",
        )
        .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].0, 2);
        assert_eq!(
            serde_json::to_string(&rows[0].1).unwrap(),
            r#"{"model":"A, \"big\"","price_eur":1049,"zip":"0123","seen":"2026-02-11"}"#
        );
        assert_eq!(rows[1].0, 4);
        assert_eq!(json!(rows[1].1), json!({"model": "B", "price_eur": 13.5}));
        assert_eq!(
            csv_rows("a;b\n1;2,5\n").unwrap()[0].1.get("b"),
            Some(&json!(2.5))
        );
        assert!(csv_rows("").is_err());
    }

    #[test]
    fn json_becomes_rows() {
        let value = json!({"at": "x", "items": [{"n": 1, "spec": {"ram": 16, "os": null}}, 3]});
        assert_eq!(json!(json_rows(&value)), json!([{"n": 1, "spec.ram": 16}]));
        assert_eq!(json_rows(&json!({"n": 1})).len(), 1);
        assert!(json_rows(&json!("text")).is_empty());
    }

    #[test]
    fn columns_are_found_as_people_name_them() {
        let columns: Vec<String> = ["list_price_usd", "price_eur", "Battery h", "model"]
            .map(str::to_owned)
            .into();
        for (wanted, expected) in [
            ("price_eur", Some("price_eur")),
            ("price", Some("price_eur")),
            ("Battery", Some("Battery h")),
            ("weight", None),
            ("", None),
        ] {
            assert_eq!(column(&columns, wanted), expected, "{wanted}");
        }
    }
}
