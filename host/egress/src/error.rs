//! Why there is no answer. Texts are for people and never hold a secret, a header or a query.

use sandgate_authority::{HttpRefusal, SecretRefusal, TargetError};

/// Why a request got no response, or a body broke off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Not allowed. No packet left for what is refused.
    #[error("{0}")]
    Denied(String),
    /// The name has no address, or none that may be used.
    #[error("{0}")]
    Resolve(String),
    /// No connection, or TLS failed.
    #[error("{0}")]
    Connect(String),
    /// A deadline passed; says which.
    #[error("{0}")]
    Timeout(String),
    /// Over a cap; says which.
    #[error("{0}")]
    TooLarge(String),
    /// What came back is not the HTTP/1.1 that this host speaks, or broke off.
    #[error("{0}")]
    Protocol(String),
    /// The host could not do its part.
    #[error("{0}")]
    Host(String),
}

impl From<HttpRefusal> for EgressError {
    fn from(refusal: HttpRefusal) -> Self {
        Self::Denied(refusal.to_string())
    }
}

impl From<SecretRefusal> for EgressError {
    fn from(refusal: SecretRefusal) -> Self {
        Self::Denied(refusal.to_string())
    }
}

impl From<TargetError> for EgressError {
    fn from(error: TargetError) -> Self {
        Self::Denied(HttpRefusal::Url(error).to_string())
    }
}

/// Why the way out cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressSetupError {
    /// A certificate of the configuration is none.
    #[error("certificate {0} of the configured authorities is not usable")]
    Root(usize, #[source] rustls::Error),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}
