//! Names of attempts on disk.

use sandgate_model::Digest;
use std::fmt;

/// What an attempt's directory is called: a digest of the ids that make it the one attempt it is. An id itself never
/// becomes a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttemptKey(String);

impl AttemptKey {
    /// The key of these ids, in this order: run, kind of work, number, attempt. `["a", "b"]` and `["ab"]` differ.
    #[must_use]
    pub fn new(ids: &[&str]) -> Self {
        let mut bytes = Vec::new();
        for id in ids {
            bytes.extend((id.len() as u64).to_le_bytes());
            bytes.extend(id.as_bytes());
        }
        Self(Digest::of(&bytes).hex())
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_only_for_equal_ids() {
        let keys = [
            AttemptKey::new(&["run", "task", "1", "1"]),
            AttemptKey::new(&["run", "task", "11"]),
            AttemptKey::new(&["run", "task", "1", "1", ""]),
            AttemptKey::new(&["runtask", "1", "1"]),
            AttemptKey::new(&["../..", "/etc", "1", "1"]),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert_eq!(a.as_str().len(), 64);
            assert!(a.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
            for (j, b) in keys.iter().enumerate() {
                assert_eq!(i == j, a == b);
            }
        }
    }
}
