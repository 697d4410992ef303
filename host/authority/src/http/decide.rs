//! The decision about one request. Must not look at text: a [`Target`] has been parsed, and a permit cannot be made
//! anywhere else.

use super::{
    address::AddressClass,
    path::folded,
    refusal::{HttpRefusal, SecretRefusal},
    target::{Host, Target},
};
use crate::Permission;
use sandgate_model::{Grants, HttpGrant, SecretGrant, SecretTarget};
use std::{cmp::Reverse, net::IpAddr};

/// Longest method. `VERSION-CONTROL` is the longest registered with 15 and a few more.
const METHOD_MAX: usize = 24;

/// Whether a method can be allowed at all: capitals and `-`, and neither of the two that are for proxies.
pub(super) fn method_form(method: &str) -> bool {
    let first = method
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_uppercase());
    first
        && method.len() <= METHOD_MAX
        && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        && !matches!(method, "CONNECT" | "TRACE")
}

/// The leave to send one request, once. Made by [`HttpAuthority::permit`] alone, taken by value by the sender.
#[derive(PartialEq, Eq, Debug)]
pub struct HttpPermit {
    method: String,
    target: Target,
    private: bool,
    redirects: u8,
    grant: usize,
}

impl HttpPermit {
    /// Where to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Method, upper case.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether addresses that are not globally reachable may be connected to.
    #[must_use]
    pub fn private(&self) -> bool {
        self.private
    }

    /// Whether the request may connect to this address: one that its name has, or the one that it was written as.
    ///
    /// Global addresses always; with `private` also loopback and private networks. Link-local addresses, those of the
    /// machine's provider and everything without a server behind it only when the rule names that very address: the
    /// owner of a granted name must not be able to lead a request to where a cloud hands out credentials.
    ///
    /// # Errors
    /// What kind of address it is.
    pub fn allows_address(&self, address: IpAddr) -> Result<(), AddressClass> {
        let class = AddressClass::of(address);
        let named = *self.target.host() == Host::Ip(address);
        let fine = match class {
            AddressClass::Global => true,
            AddressClass::Loopback
            | AddressClass::Private
            | AddressClass::Shared
            | AddressClass::UniqueLocal => self.private,
            AddressClass::LinkLocal
            | AddressClass::Platform
            | AddressClass::Unspecified
            | AddressClass::Documentation
            | AddressClass::Benchmarking
            | AddressClass::Multicast
            | AddressClass::Broadcast
            | AddressClass::Tunnel
            | AddressClass::Reserved => self.private && named,
        };
        if fine { Ok(()) } else { Err(class) }
    }

    /// How many redirects may be followed; each needs a permit of its own.
    #[must_use]
    pub fn redirects(&self) -> u8 {
        self.redirects
    }

    /// Index of the rule among `Grants::http`.
    #[must_use]
    pub fn grant(&self) -> usize {
        self.grant
    }
}

/// What one attempt may send.
#[derive(Clone, Debug, Default)]
pub struct HttpAuthority {
    allowed: Vec<HttpGrant>,
    denied: Vec<HttpGrant>,
    secrets: Vec<SecretGrant>,
}

impl HttpAuthority {
    /// The HTTP part of an attempt's grants.
    #[must_use]
    pub fn new(grants: &Grants) -> Self {
        Self {
            allowed: grants.http.clone(),
            denied: grants.http_denied.clone(),
            secrets: grants.secrets.clone(),
        }
    }

    /// Decides about one request. The order is in the header of this module.
    ///
    /// A permit comes sealed when any rule that fits wants an approval.
    ///
    /// # Errors
    /// Why not, with the line that would allow it.
    pub fn permit(
        &self,
        method: &str,
        target: &Target,
    ) -> Result<Permission<HttpPermit>, HttpRefusal> {
        if !method_form(method) {
            let shown = method.chars().take(METHOD_MAX).collect();
            return Err(HttpRefusal::Method(shown));
        }
        let what = format!("{method} {target}");
        let deny = |rule: &&HttpGrant| {
            (rule.methods.is_empty() || rule.methods.iter().any(|m| m == method))
                && same_origin(rule, target)
                && (path_fits(&rule.path, target.path()) || folded_fits(&rule.path, target.path()))
        };
        if let Some(rule) = self.denied.iter().find(deny) {
            let rule = format!("{}{}", rule.origin(), rule.path);
            return Err(HttpRefusal::Denied { what, rule });
        }
        let fits = |rule: &HttpGrant| {
            rule.methods.iter().any(|m| m == method)
                && same_origin(rule, target)
                && path_fits(&rule.path, target.path())
        };
        // Of several rules that fit, one that wants an approval counts first, as for commands and models: writing it
        // down must never be without effect. Then the one that gives most.
        let best = self
            .allowed
            .iter()
            .enumerate()
            .filter(|(_, rule)| fits(rule))
            .min_by_key(|(ix, r)| {
                (
                    Reverse(r.approval),
                    Reverse(r.private),
                    Reverse(r.redirects),
                    *ix,
                )
            });
        let Some((grant, rule)) = best else {
            let allow = line(method, target, false);
            return Err(HttpRefusal::NotGranted { what, allow });
        };
        if let Host::Ip(ip) = target.host() {
            let class = AddressClass::of(*ip);
            if !class.is_global() && !rule.private {
                let allow = line(method, target, true);
                return Err(HttpRefusal::Address { what, class, allow });
            }
        }
        let permit = HttpPermit {
            method: method.to_owned(),
            target: target.clone(),
            private: rule.private,
            redirects: rule.redirects,
            grant,
        };
        Ok(Permission::new(permit, rule.approval))
    }

    /// Decides about where a redirect leads. What was approved is the request as it was put to people, so a hop to where
    /// a rule wants an approval of its own is refused: nobody agreed to it.
    ///
    /// # Errors
    /// As [`Self::permit`], and that it would need an approval.
    pub fn permit_hop(&self, method: &str, target: &Target) -> Result<HttpPermit, HttpRefusal> {
        let permission = self.permit(method, target)?;
        permission.granted().ok_or_else(|| HttpRefusal::Hop {
            what: format!("{method} {target}"),
        })
    }

    /// Whether a secret may go with a request to this target: bound to exactly its origin.
    ///
    /// # Errors
    /// Not granted, or bound elsewhere.
    pub fn secret(&self, name: &str, target: &Target) -> Result<(), SecretRefusal> {
        let mut bound = None;
        for grant in self.secrets.iter().filter(|s| s.name == name) {
            match &grant.to {
                SecretTarget::Origin(origin) if target.is_at(origin) => return Ok(()),
                SecretTarget::Origin(origin) => bound = Some(origin.clone()),
                SecretTarget::Exec(rule) => bound = Some(format!("the command `{rule}`")),
                SecretTarget::Provider(name) => bound = Some(format!("the provider `{name}`")),
            }
        }
        let name = name.to_owned();
        let origin = target.origin();
        Err(match bound {
            Some(bound) => SecretRefusal::Elsewhere {
                name,
                bound,
                origin,
            },
            None => SecretRefusal::NotGranted {
                allow: format!(
                    "secrets = [{{ name = \"{name}\", from = \"env\", to = \"{origin}\" }}]"
                ),
                name,
            },
        })
    }
}

fn same_origin(rule: &HttpGrant, target: &Target) -> bool {
    let host = match target.host() {
        Host::Name(name) => rule.host == *name,
        // The very literal: an IPv6 address that carries an IPv4 one is another literal.
        Host::Ip(ip) => rule.host.parse::<IpAddr>() == Ok(*ip),
    };
    host && rule.scheme == target.scheme() && rule.port == target.port()
}

fn path_fits(rule: &str, path: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == rule,
    }
}

fn folded_fits(rule: &str, path: &str) -> bool {
    let path = folded(path);
    match rule.strip_suffix('*') {
        Some(prefix) => path.starts_with(&folded(prefix)),
        None => path == folded(rule),
    }
}

/// The line of TOML for a request. A path has no quote or backslash in it: canonical paths encode them.
fn line(method: &str, target: &Target, private: bool) -> String {
    let private = if private { ", private = true" } else { "" };
    format!(
        "http = [{{ allow = \"{}{}\", methods = [\"{method}\"]{private} }}]",
        target.origin(),
        target.path(),
    )
}
