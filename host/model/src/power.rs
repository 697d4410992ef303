//! Grants for what leaves the process: requests, commands, text generation, secrets. Data only; `authority` holds
//! the rules for what fits.

use crate::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a request travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when none is written.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Requests to one origin, below one path. Made from one parse of the rule's URL; never edited as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct HttpGrant {
    /// Scheme.
    pub scheme: Scheme,
    /// Lower-case ASCII host name, or an IP address as `std::net` writes it (IPv6 without brackets).
    pub host: String,
    /// Port, always explicit.
    pub port: u16,
    /// Path as a request line has it. Ends in `*`: everything that begins so; otherwise: exactly.
    pub path: String,
    /// Methods, upper case, sorted.
    pub methods: Vec<String>,
    /// Addresses that are not globally reachable are allowed too (loopback, private networks).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// Redirects that are followed, each hop checked from the top; 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redirects: u8,
    /// Each use has to be approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_zero(n: &u8) -> bool {
    *n == 0
}

impl HttpGrant {
    /// Whether it allows requests that change something, going by the method.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.methods
            .iter()
            .any(|m| !matches!(m.as_str(), "GET" | "HEAD" | "OPTIONS"))
    }

    /// `scheme://host:port`, the port only where it is not the scheme's own.
    #[must_use]
    pub fn origin(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.scheme.default_port() {
            format!("{}://{host}", self.scheme.as_str())
        } else {
            format!("{}://{host}:{}", self.scheme.as_str(), self.port)
        }
    }
}

/// One command: a program and the exact arguments, with typed holes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ExecGrant {
    /// Name by which tasks pick it; the program's when none was written.
    pub name: String,
    /// Program: a name that the host looks up in its fixed path, or an absolute path.
    pub program: String,
    /// Arguments. `{name:type}` inside one is a hole; everything else is literal, `{{` and `}}` are braces.
    pub args: Vec<String>,
    /// Directory it starts in, as the guest sees it; absent: the only granted directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment besides the fixed one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Secrets that it gets as environment variables of the same name; each also has to be granted to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// May use the network; otherwise it has none, not even loopback.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub network: bool,
    /// Further directories of the host that it may read, absolute: a toolchain, say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// Longest it may take; absent: as long as the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// Each use has to be approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

/// Text generation at one provider.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ModelGrant {
    /// The provider, as the project names it.
    pub provider: String,
    /// Names of models, or `*`; sorted.
    pub models: Vec<String>,
    /// Each use has to be approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

/// A secret, bound to where it may go. Only its name: the value stays with the host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SecretGrant {
    /// Its name.
    pub name: String,
    /// Where it may go.
    pub to: SecretTarget,
}

/// Where a secret may go.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretTarget {
    /// To this origin (`scheme://host` or `scheme://host:port`), in request headers.
    Origin(String),
    /// Into the environment of the command rule with this name.
    Exec(String),
    /// To this provider, as its key.
    Provider(String),
}
