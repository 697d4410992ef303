//! One mistake, and a collection of them. A message says what and why, the label says where, the help says what
//! to do next. Must not render: `render` does.

use crate::{Code, Source, Span};
use std::sync::Arc;

/// Most diagnostics that are kept. More than that is one mistake repeated; the rest is counted.
pub const MAX_DIAGNOSTICS: usize = 200;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot be used.
    Error,
    /// It can be used, but probably does not do what was meant.
    Warning,
}

impl Severity {
    /// The word in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A marked place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The file.
    pub source: Arc<Source>,
    /// The place.
    pub span: Span,
    /// What is there; may be empty.
    pub text: String,
}

/// What a mistake is about when it is not in a file: a task that a planner proposed, an input from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `task`, `input`, `plan`, `gate`.
    pub kind: &'static str,
    /// Its id or name, as it was given: hostile text, escaped where it is shown. May be empty.
    pub name: String,
    /// The field, such as `needs`. May be empty.
    pub field: &'static str,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code; each has a page.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// Where; absent when it is not in a file.
    pub primary: Option<Label>,
    /// What it is about when it is not in a file.
    pub subject: Option<Subject>,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at a place.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, source: &Arc<Source>, span: Span) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: Some(Label {
                source: Arc::clone(source),
                span,
                text: String::new(),
            }),
            subject: None,
            secondary: Vec::new(),
            help: None,
        }
    }

    /// A mistake that is not in a file.
    #[must_use]
    pub fn about(code: Code, message: impl Into<String>, subject: Subject) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: None,
            subject: Some(subject),
            secondary: Vec::new(),
            help: None,
        }
    }

    /// Adds what is at the marked place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, source: &Arc<Source>, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            source: Arc::clone(source),
            span,
            text: text.into(),
        });
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds what to do next, where something can be said.
    #[must_use]
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }
}

/// Mistakes, in the order of their places, at most [`MAX_DIAGNOSTICS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    dropped: usize,
    dropped_errors: usize,
}

impl Diagnostics {
    /// Adds one. Over the cap, the one that comes last in the file is dropped and counted; errors are dropped
    /// after warnings.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
        // Sorting at twice the cap keeps the cost of each push constant on average.
        if self.items.len() >= 2 * MAX_DIAGNOSTICS {
            self.trim();
        }
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.dropped_errors += other.dropped_errors;
        for item in other.items {
            self.push(item);
        }
    }

    fn trim(&mut self) {
        self.items.sort_by(|a, b| {
            a.severity
                .cmp(&b.severity)
                .then_with(|| place(a).cmp(&place(b)))
        });
        if self.items.len() > MAX_DIAGNOSTICS {
            let over = self.items.split_off(MAX_DIAGNOSTICS);
            self.dropped += over.len();
            self.dropped_errors += over
                .iter()
                .filter(|d| d.severity == Severity::Error)
                .count();
        }
    }

    /// Puts everything in the order of places and applies the cap. Called once, when a file is done.
    #[must_use]
    pub(crate) fn finish(mut self) -> Self {
        self.trim();
        self.items.sort_by(|a, b| place(a).cmp(&place(b)));
        self
    }

    /// All that were kept.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// How many there are, the dropped ones included.
    #[must_use]
    pub fn total(&self) -> usize {
        self.items.len() + self.dropped
    }

    /// How many were dropped because of the cap.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// How many are errors, the dropped ones included.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.dropped_errors
            + self
                .items
                .iter()
                .filter(|d| d.severity == Severity::Error)
                .count()
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// The key to sort by: file, then place, then code, so that equal inputs give equal output.
fn place(d: &Diagnostic) -> (&str, usize, usize, &'static str) {
    match &d.primary {
        Some(p) => (p.source.name(), p.span.start, p.span.end, d.code.as_str()),
        // Without a place, the order in which they were found is the best order: the sort is stable.
        None => ("", 0, 0, ""),
    }
}
