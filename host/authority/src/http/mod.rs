//! Which requests may leave: one parse of a URL, rules, classes of addresses, placeholders of secrets.
//!
//! The order of a decision, and why:
//!
//! 1. The text becomes a [`Target`], once. Nothing after it looks at text again, so no two parsers can disagree.
//! 2. The method has a known form; `CONNECT` and `TRACE` never leave.
//! 3. `http_denied` is asked first: deny wins. It is compared with every reading of the path that a server could
//!    have, so that another spelling does not get around it.
//! 4. `http` is asked: scheme, host, port, path and method of one and the same rule.
//! 5. When any rule that fits wants an approval, one is needed, and that rule counts. Where a redirect leads cannot ask.
//! 6. An address written as a host has to be named by the rule, and has to be a global one unless it is `private`.
//!
//! What comes out is an [`HttpPermit`], sealed where an approval is needed: private fields, made only here, taken by
//! value by whoever sends. The address
//! that a name has is not known here; the sender asks [`AddressClass`] about each one. This module must not resolve
//! names, connect, or see the value of a secret.

mod address;
mod decide;
mod path;
mod pattern;
mod placeholder;
mod refusal;
mod target;

pub use address::AddressClass;
pub use decide::{HttpAuthority, HttpPermit};
pub use pattern::{HttpPattern, HttpPatternError, HttpTerms};
pub use placeholder::{HeaderTemplate, PlaceholderError, SECRET_NAME_MAX};
pub use refusal::{HttpRefusal, SecretRefusal};
pub use target::{Host, Target, TargetError, URL_MAX};
