//! Diagnostics as text for people, and as JSON for programs. Nothing that a file, a plugin or a planner wrote can
//! move the cursor or change the direction of text: such characters are shown as `\u{..}`.

use crate::{Diagnostic, Diagnostics, Label, Severity, Source, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use serde::Serialize;
use std::{fmt::Write as _, sync::Arc};

/// Lines between two marks that are still shown as one piece.
const NEAR: u32 = 20;

/// Longest line of a file that is shown, in characters.
const LINE_MAX: usize = 400;

/// How diagnostics look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without colour.
    Plain,
    /// With ANSI colours.
    Coloured,
}

impl Diagnostics {
    /// All diagnostics as text, each followed by an empty line, and how many more there are.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut out = String::new();
        for diagnostic in self.iter() {
            out.push_str(&diagnostic.render(style));
            out.push_str("\n\n");
        }
        if self.dropped() > 0 {
            let _ = writeln!(out, "and {} more", self.dropped());
        }
        out
    }

    /// All diagnostics for programs.
    #[must_use]
    pub fn to_json(&self) -> Vec<JsonDiagnostic> {
        self.iter().map(Diagnostic::to_json).collect()
    }
}

/// A diagnostic for programs. Lines and columns are counted from 1; columns are characters; the end is exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonDiagnostic {
    /// Stable code.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// File; absent when it is not in a file.
    #[serde(flatten)]
    pub place: Option<JsonPlace>,
    /// What it is about when it is not in a file, such as `task research, needs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Other places that matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<JsonPlace>,
}

/// A place for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonPlace {
    /// File.
    pub file: String,
    /// First line.
    pub line: u32,
    /// First column.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last.
    pub end_column: u32,
    /// What is there; may be empty.
    pub label: String,
}

impl From<&Label> for JsonPlace {
    fn from(label: &Label) -> Self {
        let (start, end) = (
            label.source.position(label.span.start),
            label.source.position(label.span.end),
        );
        Self {
            file: label.source.name().to_owned(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            label: label.text.clone(),
        }
    }
}

impl Diagnostic {
    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> JsonDiagnostic {
        JsonDiagnostic {
            code: self.code.as_str(),
            severity: self.severity.as_str(),
            message: self.message.clone(),
            place: self.primary.as_ref().map(JsonPlace::from),
            subject: self.subject.as_ref().map(ToString::to_string),
            help: self.help.clone(),
            related: self.secondary.iter().map(JsonPlace::from).collect(),
        }
    }

    /// As text, without a line break at the end.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let message = match &self.subject {
            Some(subject) if !subject.name.is_empty() => format!(
                "{}: {}",
                escape(&subject.to_string()),
                escape(&self.message)
            ),
            _ => escape(&self.message),
        };
        let title = level.primary_title(message).id(self.code.as_str());
        let mut group = Group::with_title(title);
        for excerpt in self.excerpts() {
            group = group.element(excerpt.snippet());
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(escape(help)));
        }
        renderer.render(&[group])
    }

    /// The pieces of files to show: marks of one file that are near each other share a piece.
    fn excerpts(&self) -> Vec<Excerpt> {
        let mut out: Vec<Excerpt> = Vec::new();
        let marks = self
            .primary
            .iter()
            .map(|l| (l, true))
            .chain(self.secondary.iter().map(|l| (l, false)));
        for (label, primary) in marks {
            let line = label.source.position(label.span.start).line;
            let near = |e: &Excerpt| {
                Arc::ptr_eq(&e.source, &label.source)
                    && e.first <= line + NEAR
                    && line <= e.last + NEAR
            };
            match out.iter_mut().find(|e| near(e)) {
                Some(excerpt) => {
                    excerpt.first = excerpt.first.min(line);
                    excerpt.last = excerpt.last.max(line);
                    excerpt
                        .marks
                        .push((label.span, label.text.clone(), primary));
                }
                None => out.push(Excerpt {
                    source: Arc::clone(&label.source),
                    first: line,
                    last: line,
                    marks: vec![(label.span, label.text.clone(), primary)],
                }),
            }
        }
        out
    }
}

impl std::fmt::Display for crate::Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)?;
        if !self.field.is_empty() {
            write!(f, ", `{}`", self.field)?;
        }
        Ok(())
    }
}

/// Some lines of a file, with marks. Only these lines are given to the renderer, so a long file costs nothing.
struct Excerpt {
    source: Arc<Source>,
    first: u32,
    last: u32,
    marks: Vec<(Span, String, bool)>,
}

impl Excerpt {
    fn snippet(&self) -> Snippet<'static, annotate_snippets::Annotation<'static>> {
        let text = self.source.text();
        let mut start = 0;
        for _ in 1..self.first {
            start += text
                .get(start..)
                .and_then(|t| t.find('\n'))
                .map_or(0, |n| n + 1);
        }
        let mut shown = String::new();
        // For each byte of the lines, where it ended up.
        let mut map: Vec<(usize, usize)> = Vec::new();
        let mut at = start;
        for _ in self.first..=self.last {
            let rest = text.get(at..).unwrap_or_default();
            let line = rest.split('\n').next().unwrap_or_default();
            for (i, c) in line.trim_end_matches('\r').char_indices().take(LINE_MAX) {
                map.push((at + i, shown.len()));
                push_escaped(&mut shown, c);
            }
            map.push((at + line.len(), shown.len()));
            at += line.len() + 1;
            shown.push('\n');
        }
        let line_end = |from: usize| {
            text.get(from..)
                .and_then(|t| t.find('\n'))
                .map_or(text.len(), |n| from + n)
        };
        let moved = |offset: usize| {
            let i = map.partition_point(|(from, _)| *from < offset);
            map.get(i).or(map.last()).map_or(0, |(_, to)| *to)
        };
        let mut snippet = Snippet::source(shown.clone())
            .line_start(self.first as usize)
            .path(escape(self.source.name()));
        for (span, label, primary) in &self.marks {
            // A mark of several lines would show them all; its first line says enough.
            let end = span.end.min(line_end(span.start));
            let kind = if *primary {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let (from, to) = (moved(span.start), moved(end));
            let annotation = kind.span(from..to.max(from));
            snippet = snippet.annotation(if label.is_empty() {
                annotation
            } else {
                annotation.label(escape(label))
            });
        }
        snippet
    }
}

/// Text that cannot move the cursor, start another line or change the direction of what follows.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            c => push_escaped(&mut out, c),
        }
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        // In the lines of a file the renderer makes it four blanks, above the underline and in it.
        '\t' => out.push('\t'),
        '\n' => out.push_str("\\n"),
        c if c.is_control() || invisible(c) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

/// Marks of direction and characters without a width.
pub(crate) fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
