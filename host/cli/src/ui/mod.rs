//! Standard output and standard error. The payload of a command goes to standard output and everything else to
//! standard error, always through here. Nothing in this module knows what a run is.

mod ask;
mod canonical;
mod escape;
mod prompt;
mod table;
mod units;

pub(crate) use canonical::canonical;
#[cfg(test)]
pub(crate) use escape::tests::hostile;
pub(crate) use escape::{Esc, ascii, line, lines, short, strict};
pub(crate) use prompt::{Reply, Terminal, Word};
pub(crate) use table::Table;
pub(crate) use units::{Zone, count, money, now, size, span};

use crate::{args, error::CliError};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};

/// Columns that a text takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Text or JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How text is made up for one of the two streams.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    colour: bool,
    columns: Option<usize>,
    /// Where moments are shown.
    pub(crate) zone: Zone,
}

macro_rules! styles {
    ($($(#[$doc:meta])* $name:ident = $style:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&self, text: impl std::fmt::Display) -> String {
            self.paint($style, text)
        }
    )*};
}

impl Default for Look {
    fn default() -> Self {
        Self::plain()
    }
}

impl Look {
    /// No colours, no wrapping, universal time.
    pub(crate) fn plain() -> Self {
        Self {
            colour: false,
            columns: None,
            zone: Zone::utc(),
        }
    }

    /// The same for a terminal of so many columns.
    #[cfg(test)]
    pub(crate) fn columns(self, columns: usize) -> Self {
        Self {
            columns: Some(columns),
            ..self
        }
    }

    fn paint(&self, style: Style, text: impl std::fmt::Display) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }

    styles! {
        /// It is as it should be.
        good = AnsiColor::Green.on_default();
        /// It is not.
        bad = AnsiColor::Red.on_default().bold();
        /// It needs somebody's attention.
        warn = AnsiColor::Yellow.on_default();
        /// It goes on.
        busy = AnsiColor::Cyan.on_default();
        /// It matters less.
        dim = Style::new().dimmed();
        /// It is a heading or a name.
        bold = Style::new().bold();
    }

    /// Whether colours are wanted.
    pub(crate) fn coloured(&self) -> bool {
        self.colour
    }

    /// Columns to wrap at; absent: do not wrap.
    pub(crate) fn wrap_at(&self) -> Option<usize> {
        self.columns
    }
}

/// The two streams and what the user wants on them.
#[derive(Debug)]
pub(crate) struct Ui {
    /// Text or JSON.
    pub(crate) format: Format,
    /// Nothing on standard error but errors.
    pub(crate) quiet: bool,
    /// Look of standard output.
    pub(crate) out: Look,
    /// Look of standard error.
    pub(crate) err: Look,
    /// Standard output is a terminal.
    pub(crate) out_terminal: bool,
    /// Standard error is a terminal.
    pub(crate) err_terminal: bool,
}

impl Ui {
    /// Looks at the streams and the environment (`NO_COLOR`, `CLICOLOR_FORCE`, `TERM`).
    pub(crate) fn new(format: Format, color: args::Color, quiet: bool) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let zone = Zone::system();
        let colour = |auto: anstream::ColorChoice| match color {
            args::Color::Always => true,
            args::Color::Never => false,
            args::Color::Auto => auto != anstream::ColorChoice::Never,
        };
        let out_colour = colour(anstream::AutoStream::choice(&stdout));
        let err_colour = colour(anstream::AutoStream::choice(&stderr));
        let columns = |fd: std::os::fd::BorrowedFd<'_>| {
            let size = rustix::termios::tcgetwinsize(fd).ok()?;
            // Narrower than this, wrapping makes one word a line; better let the terminal wrap.
            (size.ws_col >= 40).then_some(usize::from(size.ws_col))
        };
        use std::os::fd::AsFd as _;
        Self {
            format,
            quiet,
            out: Look {
                colour: out_colour,
                columns: columns(stdout.as_fd()),
                zone: zone.clone(),
            },
            err: Look {
                colour: err_colour,
                columns: columns(stderr.as_fd()),
                zone,
            },
            out_terminal: stdout.is_terminal(),
            err_terminal: stderr.is_terminal(),
        }
    }

    /// Whether JSON was asked for.
    pub(crate) fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes payload. The text ends with a line break of its own.
    ///
    /// # Errors
    /// When nobody reads any more, or the disk is full.
    pub(crate) fn print(&self, text: &str) -> Result<(), CliError> {
        self.write(text.as_bytes())
    }

    /// Writes payload bytes as they are.
    ///
    /// # Errors
    /// As [`Ui::print`].
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(CliError::output)
    }

    /// Writes one JSON document with its `$type`: laid out in a terminal, on one line for programs, so that a document
    /// can also be read as a stream of one.
    ///
    /// # Errors
    /// As [`Ui::print`].
    pub(crate) fn document(
        &self,
        kind: &'static str,
        body: impl Serialize,
    ) -> Result<(), CliError> {
        self.own_document(&Document { kind, body })
    }

    /// Writes one JSON document that brings its `$type`.
    ///
    /// # Errors
    /// As [`Ui::print`].
    pub(crate) fn own_document(&self, body: &impl Serialize) -> Result<(), CliError> {
        let text = match self.out_terminal {
            true => serde_json::to_string_pretty(body),
            false => serde_json::to_string(body),
        };
        let text = text.map_err(CliError::encode)?;
        self.print(&format!("{}\n", escape::json(&text, true)))
    }

    /// Tells the person something; silent with `-q`. In JSON it is a line of its own on standard error.
    pub(crate) fn note(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.json() {
            self.note_document("sandgate.note/1", serde_json::json!({ "message": text }));
        } else {
            stderr(&format!("{text}\n"));
        }
    }

    /// Tells a program something beside the payload.
    pub(crate) fn note_document(&self, kind: &'static str, body: impl Serialize) {
        if self.quiet {
            return;
        }
        // What cannot be encoded cannot be told either; no note is worth an error.
        if let Ok(line) = json_line(kind, body) {
            stderr(&line);
        }
    }
}

/// One line of a JSON stream.
///
/// # Errors
/// When the body cannot be encoded, which none is known to do.
pub(crate) fn json_line(kind: &'static str, body: impl Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string(&Document { kind, body }).map_err(CliError::encode)?;
    Ok(format!("{}\n", escape::json(&text, false)))
}

/// Writes to standard error. When even that fails there is nobody left to tell.
pub(crate) fn stderr(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// A document with its type. Flattened, since both parts are written by this program and never read by it.
#[derive(Serialize)]
struct Document<T> {
    #[serde(rename = "$type")]
    kind: &'static str,
    #[serde(flatten)]
    body: T,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_carry_their_type_and_no_raw_control() {
        let line = json_line(
            "sandgate.log/1",
            serde_json::json!({ "text": "\u{1b}\u{9b}2J\u{202e}\n" }),
        );
        assert_eq!(
            line.unwrap(),
            "{\"$type\":\"sandgate.log/1\",\"text\":\"\\u001b\\u009b2J\\u202e\\n\"}\n"
        );
    }
}
