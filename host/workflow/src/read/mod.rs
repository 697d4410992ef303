//! From text to values: parse, check the structure, then read. Must not open files.

mod limits;
mod lock;
mod narrowing;
mod operator;
mod policy;
mod principals;
mod project;
mod providers;
mod task;
mod workflow;

pub use lock::read_lock;
pub(crate) use narrowing::PickSpans;
pub use operator::read_operator;
pub use project::read_project;
pub(crate) use task::{DEFAULT_BACKOFF, DEFAULT_MAX_BACKOFF, artifact_ref};
pub(crate) use workflow::{Read, read_workflow};

use crate::{
    Code, Diagnostic, Diagnostics, Located, MAX_DIAGNOSTICS, MAX_SOURCE, Source, Span, node::Node,
    shape::Shape, structure::Structure,
};
use serde_json::Value;
use std::{ops::Range, sync::Arc};
use toml::de::DeTable;

/// A parsed file.
pub(crate) struct Document<'a> {
    table: DeTable<'a>,
    /// It has syntax errors: what could be read may not be what was meant.
    pub(crate) broken: bool,
}

/// Parses a file and checks its structure. `None` when it is too large to be looked at.
pub(crate) fn open<'a>(
    source: &'a Arc<Source>,
    shape: &'static Shape,
    out: &mut Diagnostics,
) -> Option<Document<'a>> {
    if source.text().len() > MAX_SOURCE {
        let message = format!(
            "the file has {} bytes; at most {MAX_SOURCE} are read",
            source.text().len()
        );
        out.push(
            Diagnostic::new(Code::FILE_TOO_LARGE, message, source, Span::default())
                .help("split it"),
        );
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(source.text());
    let broken = !errors.is_empty();
    let mut lines: Vec<Range<usize>> = Vec::new();
    for error in &errors {
        let span = widen(source, error.span().unwrap_or_default());
        let line = line_of(source, span.start);
        // One report a line: the parser trips over the same mistake several times.
        if lines.contains(&line) || lines.len() > MAX_DIAGNOSTICS {
            continue;
        }
        lines.push(line);
        let (message, help) = syntax(error.message());
        out.push(Diagnostic::new(Code::TOML_SYNTAX, message, source, span).maybe_help(help));
    }
    let table = table.into_inner();
    let mut found = Diagnostics::default();
    let start = Span::new(0, first_line(source));
    Structure {
        source,
        out: &mut found,
        broken,
    }
    .table(&table, start, shape);
    // What is reported on a line that could not be parsed is a consequence, not a mistake.
    for d in found.iter() {
        let at = d.primary.as_ref().map_or(0, |p| p.span.start);
        if !lines.iter().any(|line| line.contains(&at)) {
            out.push(d.clone());
        }
    }
    Some(Document { table, broken })
}

impl<'a> Document<'a> {
    pub(crate) fn root(&'a self, shape: &'static Shape) -> Node<'a> {
        Node::new(&self.table, Span::default(), shape)
    }
}

/// A value that is there; `null` when it has no JSON form, which has been reported.
fn present(node: Node<'_>, key: &str) -> Option<Located<Value>> {
    let leaf = node.get(key)?;
    Some(Located::new(leaf.json().unwrap_or(Value::Null), leaf.span))
}

fn line_of(source: &Source, at: usize) -> Range<usize> {
    let text = source.text();
    let at = source.floor(at);
    let start = text
        .get(..at)
        .and_then(|t| t.rfind('\n'))
        .map_or(0, |n| n + 1);
    let end = text
        .get(at..)
        .and_then(|t| t.find('\n'))
        .map_or(text.len() + 1, |n| at + n + 1);
    start..end
}

fn first_line(source: &Source) -> usize {
    source.text().find('\n').unwrap_or(source.text().len())
}

/// An empty span is made one character long, so that there is something to underline.
fn widen(source: &Source, range: Range<usize>) -> Span {
    if range.start < range.end {
        return range.into();
    }
    let next = source
        .text()
        .get(range.start..)
        .and_then(|t| t.chars().next());
    match next {
        Some(c) if c != '\n' => Span::new(range.start, range.start + c.len_utf8()),
        _ => Span::new(range.start, range.start),
    }
}

/// The parser's words, as a lowercase fragment, and what to do where that is known.
fn syntax(message: &str) -> (String, Option<String>) {
    let message = message.replace('\n', ", ");
    // What the parser expects is worth saying only when there is one thing.
    let message = match message.split_once(", expected ") {
        Some((what, "nothing" | "literal string" | "`true`" | "`false`")) => what,
        _ => message.as_str(),
    };
    let mut chars = message.chars();
    let lower: String = match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => "not TOML".to_owned(),
    };
    let help = if lower.starts_with("duplicate key") {
        Some("keep one of them")
    } else if lower.contains("basic string")
        || lower.contains("quote")
        || lower.contains("string values must be quoted")
    {
        Some("put text into \"double quotes\"; for backslashes use 'single quotes'")
    } else if lower.contains("newline") {
        Some("one key = value on each line; inline tables end on the line they start on")
    } else {
        None
    };
    (lower, help.map(str::to_owned))
}
