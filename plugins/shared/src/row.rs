//! A row of a table: cells by column, in the order of the columns.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A row: column and cell. As JSON an object; the order of its members is kept.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Row(Vec<(String, Value)>);

/// Columns that name a row, the likeliest first.
const NAMES: &[&str] = &["name", "model", "product", "title", "item", "label", "id"];

impl Row {
    /// The cell of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, cell)| cell)
    }

    /// Sets a cell; a new column comes last.
    pub fn insert(&mut self, column: impl Into<String>, cell: Value) {
        let column = column.into();
        match self.0.iter_mut().find(|(name, _)| *name == column) {
            Some((_, old)) => *old = cell,
            None => self.0.push((column, cell)),
        }
    }

    /// Takes a column out.
    pub fn remove(&mut self, column: &str) {
        self.0.retain(|(name, _)| name != column);
    }

    /// Column and cell, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, cell)| (name.as_str(), cell))
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The cell that names the row: the one of the first column that is called like a name, or else the first
    /// text. A row of numbers has no name.
    #[must_use]
    pub fn name(&self) -> Option<(&str, &str)> {
        NAMES
            .iter()
            .filter_map(|wanted| {
                self.iter()
                    .find(|(column, _)| column.eq_ignore_ascii_case(wanted))
            })
            .find(|(_, cell)| cell.is_string())
            .or_else(|| self.iter().find(|(_, cell)| cell.is_string()))
            .and_then(|(column, cell)| Some((column, cell.as_str()?)))
    }

    /// Whether it has no cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Value)> for Row {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(cells: I) -> Self {
        let mut row = Self::default();
        for (column, cell) in cells {
            row.insert(column, cell);
        }
        row
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Cells;
        impl<'de> Visitor<'de> for Cells {
            type Value = Row;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some((column, cell)) = map.next_entry::<String, Value>()? {
                    row.insert(column, cell);
                }
                Ok(row)
            }
        }
        deserializer.deserialize_map(Cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names() {
        for (text, name) in [
            (
                r#"{"maker":"Norden","model":"Fjord 13"}"#,
                Some(("model", "Fjord 13")),
            ),
            (
                r#"{"laptop":"Fjord 13","hours":3}"#,
                Some(("laptop", "Fjord 13")),
            ),
            (r#"{"id":7,"city":"Bonn"}"#, Some(("city", "Bonn"))),
            (r#"{"a":1}"#, None),
        ] {
            let row: Row = serde_json::from_str(text).unwrap();
            assert_eq!(row.name(), name, "{text}");
        }
    }

    #[test]
    fn order_is_kept() {
        let text = r#"{"z":1,"a":"x","m":null}"#;
        let mut row: Row = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
        row.insert("a", Value::from(2));
        row.remove("z");
        assert_eq!(row.columns().collect::<Vec<_>>(), ["a", "m"]);
        assert_eq!(row.get("a"), Some(&Value::from(2)));
    }
}
