//! Why a request may not leave, for people, with the line that would allow it. Must not quote a query or a header.

use super::{address::AddressClass, target::TargetError};

/// Why a request is refused. No packet left.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HttpRefusal {
    /// What was asked for is not the URL of a request.
    #[error("the request's URL is refused: {0}")]
    Url(#[from] TargetError),
    /// The method can never be allowed.
    #[error(
        "the method `{0}` is refused: methods are written in capitals, and CONNECT and TRACE never leave"
    )]
    Method(String),
    /// No rule fits.
    #[error("{what} is not granted; this line under [policy] would allow it: {allow}")]
    NotGranted {
        /// Method and URL.
        what: String,
        /// The line of TOML.
        allow: String,
    },
    /// A rule denies it.
    #[error("{what} is denied, whatever else allows it, by the rule for {rule}")]
    Denied {
        /// Method and URL.
        what: String,
        /// The rule's URL.
        rule: String,
    },
    /// A redirect leads to where a rule wants an approval.
    #[error(
        "{what} is where a redirect leads, and needs an approval of its own; a request that goes there directly can ask for it"
    )]
    Hop {
        /// Method and URL.
        what: String,
    },
    /// The address is granted by name, but it is not out in the world and the rule is not `private`.
    #[error("{what} goes to {class}; this line under [policy] would allow it: {allow}")]
    Address {
        /// Method and URL.
        what: String,
        /// What kind of address.
        class: AddressClass,
        /// The line of TOML.
        allow: String,
    },
}

/// Why a secret does not go with a request.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretRefusal {
    /// The task was not granted it at all.
    #[error(
        "the secret `{name}` is not granted; this line under [policy] would allow it, with where it comes from: {allow}"
    )]
    NotGranted {
        /// Its name.
        name: String,
        /// The line of TOML.
        allow: String,
    },
    /// It is bound elsewhere.
    #[error("the secret `{name}` goes to {bound} and not to {origin}")]
    Elsewhere {
        /// Its name.
        name: String,
        /// Where it may go.
        bound: String,
        /// Where the request goes.
        origin: String,
    },
}
