//! The comparison as JSON, Markdown and CSV.

use crate::compare::{Better, Comparison};
use sandgate_plugin::{PluginError, Result};
use sandgate_plugin_shared::{Row, shorten, show};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Columns of the Markdown table besides rank, name and sources: what fits a page.
const WIDE: usize = 5;
/// Rows of the Markdown table.
const LONG: usize = 25;
/// Characters of a cell.
const CELL: usize = 60;

impl Comparison {
    /// The output document, with at most `limit` rows.
    pub(crate) fn json(&self, limit: usize) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .take(limit)
            .enumerate()
            .map(|(n, ranked)| {
                json!({
                    "rank": n + 1,
                    "name": ranked.item.name,
                    "score": ranked.score,
                    "values": ranked.item.row,
                    "citations": ranked.item.citations,
                })
            })
            .collect();
        let best = self.rows.first().map(|ranked| {
            json!({
                "name": ranked.item.name,
                "score": ranked.score,
                "reason": self.reason(),
                "values": ranked.item.row,
                "citations": ranked.item.citations,
            })
        });
        let mut output = json!({
            "columns": self.columns,
            "criteria": self.criteria.iter().map(|rule| json!({
                "field": rule.column,
                "weight": rule.weight,
                "better": if rule.better == Better::Lower { "lower" } else { "higher" },
            })).collect::<Vec<_>>(),
            "compared": self.rows.len(),
            "rows": rows,
            "best": best,
            "dropped": self.dropped.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect::<Vec<_>>(),
            "table_markdown": self.table(),
        });
        if self.rows.is_empty()
            && let Some(output) = output.as_object_mut()
        {
            output.insert("note".to_owned(), json!(self.note()));
        }
        output
    }

    fn note(&self) -> String {
        if self.dropped.is_empty() {
            "there were no rows to compare".to_owned()
        } else {
            format!("none of {} rows could be compared", self.dropped.len())
        }
    }

    /// The columns that are shown: the criteria, then others as they come.
    fn shown(&self) -> Vec<&str> {
        let mut shown: Vec<&str> = self
            .criteria
            .iter()
            .map(|rule| rule.column.as_str())
            .collect();
        for column in &self.columns {
            let names = self.rows.first().is_some_and(|ranked| {
                ranked
                    .item
                    .row
                    .get(column)
                    .is_some_and(|cell| show(cell) == ranked.item.name)
            });
            if shown.len() < WIDE.max(self.criteria.len())
                && !names
                && !shown.contains(&column.as_str())
            {
                shown.push(column);
            }
        }
        shown
    }

    fn table(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let shown = self.shown();
        let sources = self
            .rows
            .iter()
            .any(|ranked| !ranked.item.citations.is_empty());
        let mut text = format!("| # | name | {} | score |", shown.join(" | "));
        text.push_str(if sources { " sources |\n" } else { "\n" });
        text.push_str(&"|---".repeat(shown.len() + 3 + usize::from(sources)));
        text.push_str("|\n");
        for (n, ranked) in self.rows.iter().take(LONG).enumerate() {
            let _ = write!(text, "| {} | {} |", n + 1, cell(&ranked.item.name));
            for column in &shown {
                let value = ranked.item.row.get(column).map(show).unwrap_or_default();
                let _ = write!(text, " {} |", cell(&value));
            }
            let _ = write!(text, " {:.3} |", ranked.score);
            if sources {
                let numbers: Vec<&str> = ranked
                    .item
                    .citations
                    .iter()
                    .filter_map(|citation| citation.split(' ').next())
                    .collect();
                let _ = write!(text, " {} |", numbers.join(""));
            }
            text.push('\n');
        }
        text
    }

    /// The comparison for people.
    pub(crate) fn markdown(&self) -> String {
        let mut text = match &self.topic {
            Some(topic) => format!("# Comparison: {topic}\n\n"),
            None => "# Comparison\n\n".to_owned(),
        };
        match (self.rows.first(), self.reason()) {
            (Some(best), Some(reason)) => {
                let _ = write!(text, "Best: **{}** ({reason}).\n\n", best.item.name);
            }
            _ => {
                let _ = write!(text, "*{}.*\n\n", self.note());
            }
        }
        text.push_str(&self.table());
        let mut citations: Vec<&String> = self
            .rows
            .iter()
            .take(LONG)
            .flat_map(|ranked| &ranked.item.citations)
            .collect();
        citations.sort_by_key(|citation| {
            let number = citation
                .split(']')
                .next()
                .unwrap_or_default()
                .trim_start_matches('[');
            number.parse::<usize>().unwrap_or(usize::MAX)
        });
        if !citations.is_empty() {
            text.push_str("\nSources:\n\n");
            for citation in citations {
                let _ = writeln!(text, "- {citation}");
            }
        }
        if !self.dropped.is_empty() {
            text.push_str("\nNot compared:\n\n");
            for (name, reason) in &self.dropped {
                let _ = writeln!(text, "- {name}: {reason}");
            }
        }
        text
    }

    /// All rows with all columns.
    pub(crate) fn csv(&self) -> Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let wrong = |error: csv::Error| PluginError::permanent(error.to_string());
        let header = ["rank", "score"]
            .into_iter()
            .chain(self.columns.iter().map(String::as_str));
        writer.write_record(header).map_err(wrong)?;
        for (n, ranked) in self.rows.iter().enumerate() {
            let first = [(n + 1).to_string(), ranked.score.to_string()];
            let cells = self
                .columns
                .iter()
                .map(|column| value(&ranked.item.row, column));
            writer
                .write_record(first.into_iter().chain(cells))
                .map_err(wrong)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| PluginError::permanent(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| PluginError::permanent(error.to_string()))
    }
}

fn value(row: &Row, column: &str) -> String {
    row.get(column).map(show).unwrap_or_default()
}

/// A cell of a Markdown table: one line, no column separator.
fn cell(text: &str) -> String {
    shorten(
        &text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('|', "\\|"),
        CELL,
    )
}
