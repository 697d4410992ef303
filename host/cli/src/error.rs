//! What goes wrong, as a person sees it: one error type, made at the edge, where the hints can be given. The libraries
//! below say what happened; this module must not decide anything else than the exit code.

use crate::{
    exit::Exit,
    ui::{Esc, Look, json_line, lines},
};
use serde_json::{Value, json};
use std::{error::Error, io};

/// What sort of error it is. Decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The command line asks for something that does not exist or does not fit.
    Usage,
    /// A file of the user is invalid.
    Invalid,
    /// The host could not do its part.
    Host,
    /// Another process drives the project.
    Held,
    /// Policy does not allow it.
    Refused,
    /// It was decided, expired or withdrawn already: something else stands.
    Conflict,
    /// Something else was seen than what is asked now.
    Stale,
    /// Nobody reads standard output any more. Nothing is printed.
    BrokenPipe,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Invalid => "invalid",
            Self::Host => "host",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::Stale => "stale",
            Self::BrokenPipe => "broken-pipe",
        }
    }

    fn exit(self) -> Exit {
        match self {
            Self::Usage | Self::Invalid | Self::Conflict | Self::Stale => Exit::Usage,
            Self::Host | Self::Held => Exit::Failed,
            Self::Refused => Exit::Refused,
            Self::BrokenPipe => Exit::BrokenPipe,
        }
    }
}

/// An error that ends the command.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    /// Diagnostics that were rendered by the layer that knows the file, and the same for programs.
    details: Option<Box<(String, Value)>>,
}

impl CliError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            details: None,
        }
    }

    /// The command line asks for something that does not exist or does not fit.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A file of the user is invalid.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// The host could not do its part.
    pub(crate) fn host(message: impl Into<String>) -> Self {
        Self::new(Kind::Host, message)
    }

    /// Another process drives the project.
    pub(crate) fn held(message: impl Into<String>) -> Self {
        Self::new(Kind::Held, message)
    }

    /// Policy does not allow it.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// It was decided, expired or withdrawn already.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// Something else was seen than what is asked now.
    pub(crate) fn stale(message: impl Into<String>) -> Self {
        Self::new(Kind::Stale, message)
    }

    /// Whether another process drives the project.
    pub(crate) fn is_held(&self) -> bool {
        self.kind == Kind::Held
    }

    /// Standard output could not be written.
    pub(crate) fn output(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => Kind::BrokenPipe,
            _ => Kind::Host,
        };
        Self::new(kind, "cannot write to standard output").caused_by(&error)
    }

    /// A document could not be encoded.
    pub(crate) fn encode(error: serde_json::Error) -> Self {
        Self::host("cannot write the answer as JSON").caused_by(&error)
    }

    /// Adds an error and everything below it.
    pub(crate) fn caused_by(mut self, error: &dyn Error) -> Self {
        self.causes.push(error.to_string());
        self.below(error)
    }

    /// Adds everything below an error whose own text is the message.
    pub(crate) fn below(mut self, error: &dyn Error) -> Self {
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds what the person can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a hint when there is one.
    pub(crate) fn hint_maybe(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds rendered diagnostics, and the same for programs.
    pub(crate) fn details(mut self, text: String, value: Value) -> Self {
        self.details = Some(Box::new((text, value)));
        self
    }

    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        self.kind.exit()
    }

    /// The text for standard error; empty when nobody is there to read.
    pub(crate) fn text(&self, look: &Look) -> String {
        if self.kind == Kind::BrokenPipe {
            return String::new();
        }
        let mut out = String::new();
        if let Some((text, _)) = self.details.as_deref() {
            out.push_str(text);
            if !text.ends_with('\n') {
                out.push('\n');
            }
        }
        let mut part = |head: String, indent: usize, text: &str| {
            for (n, line) in lines(text).iter().enumerate() {
                match n {
                    0 => out.push_str(&format!("{head} {line}\n")),
                    _ => out.push_str(&format!("{:indent$}{line}\n", "")),
                }
            }
        };
        part(look.bad("error:"), 7, &self.message);
        for cause in &self.causes {
            part(look.dim("  caused by:"), 13, cause);
        }
        for hint in &self.hints {
            part(look.busy("hint:"), 6, hint);
        }
        out
    }

    /// The document for standard error; empty when nobody is there to read.
    pub(crate) fn json(&self) -> String {
        if self.kind == Kind::BrokenPipe {
            return String::new();
        }
        let mut body = json!({
            "kind": self.kind.word(),
            "message": self.message,
            "causes": self.causes,
            "hints": self.hints,
            "exit": self.exit().code(),
        });
        if let (Some((_, value)), Some(body)) = (self.details.as_deref(), body.as_object_mut()) {
            body.insert("diagnostics".to_owned(), value.clone());
        }
        // An error about an error helps nobody.
        json_line("sandgate.error/1", body).unwrap_or_default()
    }
}

/// `file` cannot be read, written, ...
pub(crate) fn io_error(what: &str, path: &std::path::Path, error: &io::Error) -> CliError {
    CliError::host(format!(
        "cannot {what} {}",
        Esc(&path.display().to_string())
    ))
    .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer\n\u{1b}[2J")]
    struct Outer(#[source] io::Error);

    #[test]
    fn prints_what_why_and_what_next() {
        let error = CliError::host("cannot open the journal")
            .caused_by(&Outer(io::Error::other("disk is on fire")))
            .hint("run `sandgate doctor`");
        assert_eq!(
            error.text(&Look::plain()),
            "error: cannot open the journal\n  caused by: outer\n             \\u{1b}[2J\n  caused by: disk is on fire\nhint: run `sandgate doctor`\n"
        );
        let value: Value = serde_json::from_str(&error.json()).unwrap();
        assert_eq!(value["$type"], "sandgate.error/1");
        assert_eq!(value["exit"], 1);
        assert_eq!(value["causes"][1], "disk is on fire");
    }

    #[test]
    fn a_broken_pipe_is_quiet() {
        let error = CliError::output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(
            (error.text(&Look::plain()), error.json()),
            (String::new(), String::new())
        );
        assert_eq!(error.exit().code(), 141);
    }
}
