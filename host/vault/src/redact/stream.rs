//! Redaction of bytes that come in pieces.
//!
//! Held back is only what may still become a value: while the bytes are not those of a value, everything goes on at
//! once. The result does not depend on where the pieces are cut.

use super::{
    MARK,
    matcher::{Finder, Found},
};
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// Replaces values in a stream. Holds back at most the longest form of a value: six bytes for each of its own.
pub struct RedactStream {
    finder: Arc<Finder>,
    held: Zeroizing<Vec<u8>>,
    /// So many of the held bytes are part of a value whose mark is out already.
    inside: usize,
}

impl RedactStream {
    pub(super) fn new(finder: Arc<Finder>) -> Self {
        Self {
            finder,
            held: Zeroizing::default(),
            inside: 0,
        }
    }

    /// Takes the next piece and gives what is certain by now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        self.go_on(false)
    }

    /// The rest.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.go_on(true)
    }

    fn go_on(&mut self, whole: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while let Some(rest) = self.held.get(at..)
            && let Some(byte) = rest.first()
        {
            if self.finder.may_begin(*byte) {
                match self.finder.at(rest, whole) {
                    Found::Perhaps => break,
                    // Values may overlap; everything that belongs to one of them goes.
                    Found::Yes(n) => {
                        if self.inside == 0 {
                            out.extend_from_slice(MARK.as_bytes());
                        }
                        self.inside = self.inside.max(n);
                    }
                    Found::No => {}
                }
            }
            if self.inside == 0 {
                out.push(*byte);
            } else {
                self.inside -= 1;
            }
            at += 1;
        }
        self.held.drain(..at);
        out
    }
}

impl fmt::Debug for RedactStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactStream").finish_non_exhaustive()
    }
}
