//! Placeholders of secrets in header values: `Bearer {secret:API_TOKEN}`. Must not see a secret's value for longer
//! than it takes to put it in.

/// Longest name of a secret in bytes; the same as in project files.
pub const SECRET_NAME_MAX: usize = 64;

const OPEN: &[u8] = b"{secret:";

/// Why a header value's placeholder is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlaceholderError {
    /// `{secret` that is not `{secret:NAME}`.
    #[error("a placeholder is written `{{secret:NAME}}`; this one is not closed or has no name")]
    Malformed,
    /// The name is none.
    #[error("`{0}` cannot name a secret: use letters, digits and `_`")]
    Name(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Text(Vec<u8>),
    Secret(String),
}

/// A header value, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderTemplate {
    pieces: Vec<Piece>,
}

impl HeaderTemplate {
    /// Finds the placeholders of a value. Braces that are no placeholder stay as they are.
    ///
    /// # Errors
    /// Something begins like a placeholder and is none: it is refused rather than sent as text.
    pub fn parse(value: &[u8]) -> Result<Self, PlaceholderError> {
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let mut rest = value;
        while let Some((first, tail)) = rest.split_first() {
            if starts_like_one(rest) {
                let inner = rest.strip_prefix(OPEN).ok_or(PlaceholderError::Malformed)?;
                let end = inner
                    .iter()
                    .position(|b| *b == b'}')
                    .ok_or(PlaceholderError::Malformed)?;
                let (name, after) = inner.split_at(end);
                let name = name_of(name)?;
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Secret(name));
                rest = after.get(1..).unwrap_or_default();
            } else {
                text.push(*first);
                rest = tail;
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { pieces })
    }

    /// Names of the secrets in it, in order, each as often as it stands there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|p| match p {
            Piece::Secret(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether there is any.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.names().next().is_some()
    }

    /// The value with the secrets in place. `reveal` is called once for each place.
    ///
    /// # Errors
    /// What `reveal` gives.
    pub fn fill<E>(
        &self,
        mut reveal: impl FnMut(&str, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Vec<u8>, E> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Secret(name) => reveal(name, &mut out)?,
            }
        }
        Ok(out)
    }
}

/// `{secret` in any case: a near miss is a mistake and not text.
fn starts_like_one(rest: &[u8]) -> bool {
    rest.get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"{secret"))
}

fn name_of(name: &[u8]) -> Result<String, PlaceholderError> {
    let text = String::from_utf8_lossy(name);
    let fine = !name.is_empty()
        && name.len() <= SECRET_NAME_MAX
        && !name.first().is_some_and(u8::is_ascii_digit)
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    if name.is_empty() {
        Err(PlaceholderError::Malformed)
    } else if fine {
        Ok(text.into_owned())
    } else {
        let shown = text
            .chars()
            .take(SECRET_NAME_MAX)
            .flat_map(char::escape_debug);
        Err(PlaceholderError::Name(shown.collect()))
    }
}
