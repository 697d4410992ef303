//! A record and its place in the chain.
//!
//! The hash of a record is the SHA-256 of this byte string, so that an auditor can recompute it with any tool.
//! All integers are big endian.
//!
//! | bytes | what |
//! |---|---|
//! | 23 | the ASCII text `sandgate journal record` |
//! | 4 | format version, [`RECORD_FORMAT`] |
//! | 32 | hash of the record before; for record 1 the [`genesis`] hash |
//! | 8 | sequence number |
//! | 16 | run id, the bytes of the UUID |
//! | 8 | moment, milliseconds since 1970 |
//! | 4 | length of the kind |
//! | n | the kind, ASCII |
//! | 8 | length of the body |
//! | n | the body |
//!
//! The genesis hash is the SHA-256 of the ASCII text `sandgate journal genesis 1`.
//!
//! This module must not do I/O.

use sandgate_model::{Digest, Moment, RunId};
use sha2::{Digest as _, Sha256};

/// Version of the record format: of the hashed byte string and of the columns that hold it.
pub const RECORD_FORMAT: u32 = 1;

/// Longest kind in bytes. A kind is one word of a closed list; 64 is the length of every other name.
pub const KIND_MAX: usize = 64;

/// Largest body in bytes. Large values travel by digest, so a body is a few KiB; the frozen plan of 100,000 tasks
/// is the largest thing anybody records and stays under this.
pub const BODY_MAX: usize = 64 << 20;

/// Largest value of a meta key in bytes: meta holds small facts, not data.
pub const META_MAX: usize = 1 << 20;

const DOMAIN: &[u8; 23] = b"sandgate journal record";

/// A record that has not been stored yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRecord {
    /// The run it belongs to.
    pub run: RunId,
    /// When the host recorded it. Order comes from the sequence number, never from this.
    pub at: Moment,
    /// Event type word, such as `attempt-ended`: 1 to [`KIND_MAX`] of `a-z`, `0-9`, `.`, `_`, `-`.
    pub kind: String,
    /// The encoded event (JSON), at most [`BODY_MAX`] bytes. Opaque here.
    pub body: Vec<u8>,
}

/// A stored record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Sequence number in the whole project, from 1, without gaps.
    pub seq: u64,
    /// The run it belongs to.
    pub run: RunId,
    /// When the host recorded it.
    pub at: Moment,
    /// Event type word.
    pub kind: String,
    /// The encoded event.
    pub body: Vec<u8>,
    /// Hash of this record, which covers all records before it.
    pub hash: Digest,
}

/// The end of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Sequence number of the last record; 0 when there is none.
    pub seq: u64,
    /// Hash of the last record; the genesis hash when there is none.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty journal.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            seq: 0,
            hash: genesis(),
        }
    }
}

/// The hash before record 1.
#[must_use]
pub fn genesis() -> Digest {
    Digest::of(b"sandgate journal genesis 1")
}

/// The hash of a record that follows `before` and has sequence number `seq`.
#[must_use]
pub fn record_hash(
    before: &Digest,
    seq: u64,
    run: RunId,
    at: Moment,
    kind: &str,
    body: &[u8],
) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(RECORD_FORMAT.to_be_bytes());
    hasher.update(before.as_bytes());
    hasher.update(seq.to_be_bytes());
    hasher.update(run.as_bytes());
    hasher.update(at.0.to_be_bytes());
    // A kind has at most 64 bytes, so four bytes of length lose nothing.
    hasher.update(u32::try_from(kind.len()).unwrap_or(u32::MAX).to_be_bytes());
    hasher.update(kind.as_bytes());
    hasher.update((body.len() as u64).to_be_bytes());
    hasher.update(body);
    Digest::from_bytes(hasher.finalize().into())
}

impl NewRecord {
    /// The hash this record gets when it is stored as `seq` after `before`.
    #[must_use]
    pub fn hash(&self, before: &Digest, seq: u64) -> Digest {
        record_hash(before, seq, self.run, self.at, &self.kind, &self.body)
    }

    /// Why this record cannot be stored, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        let word =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        if self.kind.is_empty() || self.kind.len() > KIND_MAX || !self.kind.bytes().all(word) {
            return Some(format!(
                "its kind {:?} is not 1 to {KIND_MAX} characters of a-z, 0-9, `.`, `_` and `-`",
                self.kind.chars().take(KIND_MAX).collect::<String>()
            ));
        }
        (self.body.len() > BODY_MAX).then(|| {
            format!(
                "its body has {} bytes and the limit is {BODY_MAX}",
                self.body.len()
            )
        })
    }
}

impl Record {
    /// The hash this record must have when it follows `before`.
    #[must_use]
    pub fn expected_hash(&self, before: &Digest) -> Digest {
        record_hash(before, self.seq, self.run, self.at, &self.kind, &self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    /// The byte string of the module header, written out once more by hand.
    #[test]
    fn hash_is_the_documented_byte_string() {
        let record = NewRecord {
            run: RunId::new(Uuid::from_u128(0x0102)),
            at: Moment(0x0304),
            kind: "a".into(),
            body: b"{}".to_vec(),
        };
        let mut bytes = b"sandgate journal record".to_vec();
        bytes.extend([0, 0, 0, 1]);
        bytes.extend(genesis().as_bytes());
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        bytes.extend([0, 0, 0, 0, 0, 0, 3, 4]);
        bytes.extend([0, 0, 0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 2, b'{', b'}']);
        assert_eq!(record.hash(&genesis(), 1), Digest::of(&bytes));
        // Fixed for ever: a journal written today must verify in ten years.
        assert_eq!(
            record.hash(&genesis(), 1).to_string(),
            "sha256:c9bfc0f11aed8bd6e4614781b79ced3c1d936cc5e7bc1acc18a31724ac9e9eb4"
        );
    }

    #[test]
    fn no_two_neighbouring_fields_can_be_confused() {
        let run = RunId::new(Uuid::nil());
        let hash = |kind: &str, body: &[u8]| record_hash(&genesis(), 1, run, Moment(0), kind, body);
        assert_ne!(hash("ab", b"c"), hash("a", b"bc"));
    }
}
