//! Finding secrets in what others say, and putting a mark in their place.
//!
//! Found are: the value itself, also when any of its bytes is percent-encoded or escaped as in JSON; its hex digits,
//! in any case; its base64 and URL-safe base64, wherever it stands in what was encoded. Not found, because nobody can:
//! a value that was encrypted, reversed, cut in pieces or encoded twice, and
//! letters beyond ASCII that JSON escapes by their number. Redaction is the second line; the first is
//! that a guest never gets a value.
//!
//! A character at either end of a base64 find may stay. It holds at most four bits of the value.

mod matcher;
mod stream;

pub use stream::RedactStream;

use crate::value::MIN_SECRET;
use matcher::Finder;
use std::{borrow::Cow, fmt, sync::Arc};

/// What stands in place of a value.
pub const MARK: &str = "[secret]";

/// A value is too short to be found safely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret has fewer than {MIN_SECRET} bytes and could not be cut out of other text safely")]
pub struct TooShort;

/// Replaces values by [`MARK`]. Cheap to clone. The default one knows no value and changes nothing.
#[derive(Clone, Default)]
pub struct Redactor {
    finder: Arc<Finder>,
}

impl Redactor {
    /// A redactor of these values.
    ///
    /// # Errors
    /// One of them has fewer than [`MIN_SECRET`] bytes.
    pub fn new<V: AsRef<[u8]>>(values: &[V]) -> Result<Self, TooShort> {
        let values: Vec<&[u8]> = values.iter().map(AsRef::as_ref).collect();
        if values.iter().any(|v| v.len() < MIN_SECRET) {
            return Err(TooShort);
        }
        Ok(Self::of_checked(&values))
    }

    /// For values that are known to be long enough.
    pub(crate) fn of_checked(values: &[&[u8]]) -> Self {
        Self {
            finder: Arc::new(Finder::new(values)),
        }
    }

    /// The bytes with every value replaced.
    #[must_use]
    pub fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.holds(bytes) {
            return Cow::Borrowed(bytes);
        }
        let mut stream = self.stream();
        let mut out = stream.push(bytes);
        out.extend(stream.finish());
        Cow::Owned(out)
    }

    /// The text with every value replaced. Where a value is not text, what remains around it is made text.
    #[must_use]
    pub fn redact_str<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
            }),
        }
    }

    /// Whether a value occurs.
    #[must_use]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.finder.occurs(bytes)
    }

    /// Whether it knows no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.finder.is_empty()
    }

    /// For bytes that come in pieces: a value that is cut in two is found all the same.
    #[must_use]
    pub fn stream(&self) -> RedactStream {
        RedactStream::new(self.finder.clone())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}
