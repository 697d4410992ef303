//! Where secrets come from, and the memory of those that went out. Values are wiped when they are dropped, except for
//! the copy inside a request that the HTTP library holds until it is written. Must not print a value.

use crate::{error::EgressError, redact::Redactor};
use sandgate_authority::Target;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// Shortest secret that is put into a request. A shorter one cannot be told from ordinary text in an answer.
pub(crate) const SECRET_MIN: usize = 6;

/// Longest secret that is put into a request: as long as common servers take a header.
pub(crate) const SECRET_MAX: usize = 8 * 1024;

/// Why a secret cannot be had. For people; never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

/// Reveals secrets, after the authority said that they may go there.
pub trait SecretSource: Send + Sync {
    /// The value of a secret that is about to be sent to `target`.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn reveal(&self, name: &str, target: &Target) -> Result<Zeroizing<Vec<u8>>, SecretError>;
}

/// No secrets at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn reveal(&self, name: &str, _: &Target) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        Err(SecretError(format!("there is no secret `{name}` here")))
    }
}

/// The secrets that went out so far. Every answer is searched for all of them: a server may keep one and give it back
/// to a later request.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<Mutex<Vec<Value>>>);

type Value = Arc<Zeroizing<Vec<u8>>>;

impl Known {
    /// Remembers one, before it is sent.
    pub(crate) fn add(&self, name: &str, value: Zeroizing<Vec<u8>>) -> Result<(), EgressError> {
        if value.len() < SECRET_MIN {
            return Err(EgressError::Host(format!(
                "the secret `{name}` is shorter than {SECRET_MIN} bytes and could not be kept out of answers"
            )));
        }
        if value.len() > SECRET_MAX {
            return Err(EgressError::Host(format!(
                "the secret `{name}` is longer than {SECRET_MAX} bytes and does not fit into a header"
            )));
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|k| **k == value) {
            known.push(Arc::new(value));
        }
        Ok(())
    }

    /// Searches for all that are known now.
    pub(crate) fn redactor(&self) -> Redactor {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Redactor::new(&known)
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known(…)")
    }
}
