//! Passages: the pieces that are ranked, and the choice of a reader by file name.

use crate::{Kind, markdown, structured};
use sandgate_plugin_shared::{Row, Source, show};
use std::borrow::Cow;

/// A piece of a file.
#[derive(Debug)]
pub(crate) struct Passage {
    /// Paragraph or row.
    pub(crate) kind: Kind,
    /// Where it stands.
    pub(crate) source: Source,
    /// Its text; empty for a row, which is its cells.
    pub(crate) text: String,
    /// The fields of a row.
    pub(crate) fields: Option<Row>,
}

/// Passages of a file, or why it has none.
pub(crate) fn passages(path: &str, text: &str) -> Result<Vec<Passage>, String> {
    match extension(path).as_str() {
        "csv" | "tsv" => structured::csv(path, text),
        "json" => structured::json(path, text),
        "jsonl" | "ndjson" => structured::json_lines(path, text),
        "md" | "markdown" => Ok(markdown::split(path, text, true)),
        _ => Ok(markdown::split(path, text, false)),
    }
}

impl Passage {
    /// The text for people; of a row `column: cell; …`.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match &self.fields {
            None => Cow::Borrowed(&self.text),
            Some(row) => row
                .iter()
                .map(|(name, cell)| format!("{name}: {}", show(cell)))
                .collect::<Vec<_>>()
                .join("; ")
                .into(),
        }
    }
}

/// Whether a file of this name is taken apart into rows.
pub(crate) fn is_table(path: &str) -> bool {
    matches!(
        extension(path).as_str(),
        "csv" | "tsv" | "json" | "jsonl" | "ndjson"
    )
}

/// Whether a file of this name is read at all.
pub(crate) fn readable(path: &str) -> bool {
    matches!(
        extension(path).as_str(),
        "" | "txt"
            | "text"
            | "md"
            | "markdown"
            | "rst"
            | "adoc"
            | "org"
            | "log"
            | "csv"
            | "tsv"
            | "json"
            | "jsonl"
            | "ndjson"
    )
}

/// Extension in lower case; empty where there is none.
pub(crate) fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// A row as a passage.
pub(crate) fn row(
    path: &str,
    lines: (usize, usize),
    heading: Option<String>,
    fields: Row,
) -> Passage {
    Passage {
        kind: Kind::Row,
        source: Source {
            path: path.to_owned(),
            line_start: lines.0,
            line_end: lines.1,
            heading,
        },
        text: String::new(),
        fields: Some(fields),
    }
}
