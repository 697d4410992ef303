//! The addresses that a request may connect to: one resolution, every answer checked. Must not connect.

use crate::{
    error::EgressError,
    limits::EgressLimits,
    net::{Connector, Resolver},
};
use sandgate_authority::{Host, HttpPermit};
use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
};
use tokio::time::timeout;

/// What is asked.
pub(crate) struct Net<'a> {
    pub(crate) resolver: &'a dyn Resolver,
    pub(crate) connector: &'a dyn Connector,
    pub(crate) own: &'a [SocketAddr],
}

/// Resolves the permit's host and keeps the addresses that may be used, in order.
pub(crate) async fn usable(
    permit: &HttpPermit,
    net: &Net<'_>,
    limits: &EgressLimits,
) -> Result<Vec<SocketAddr>, EgressError> {
    let target = permit.target();
    let answers = match target.host() {
        Host::Ip(ip) => vec![*ip],
        Host::Name(name) => {
            let asked = timeout(limits.connect, net.resolver.resolve(name)).await;
            let mut found = asked
                .map_err(|_| {
                    EgressError::Timeout(format!(
                        "looking up {name} took longer than {:?}",
                        limits.connect
                    ))
                })?
                .map_err(|e| EgressError::Resolve(format!("{name} cannot be looked up: {e}")))?;
            found.truncate(limits.answers);
            found
        }
    };
    let mut kept = Vec::new();
    let mut dropped = String::new();
    for answer in answers {
        let address = SocketAddr::new(answer.to_canonical(), target.port());
        match objection(permit, net, answer, address) {
            None if kept.contains(&address) => {}
            None => kept.push(address),
            Some(why) => {
                let comma = if dropped.is_empty() { "" } else { ", " };
                let _ = write!(dropped, "{comma}{answer} is {why}");
            }
        }
    }
    if kept.is_empty() {
        let host = target.host();
        return Err(EgressError::Resolve(if dropped.is_empty() {
            format!("{host} has no address")
        } else {
            format!(
                "{host} has no address that may be used: {dropped}; a rule with `private = true` allows loopback and \
                 private networks"
            )
        }));
    }
    Ok(kept)
}

fn objection(
    permit: &HttpPermit,
    net: &Net<'_>,
    answer: IpAddr,
    address: SocketAddr,
) -> Option<String> {
    if let Err(class) = permit.allows_address(answer) {
        return Some(class.to_string());
    }
    // The host's own listeners stay closed whatever was granted: a plugin must not speak to the API that approves it.
    if net.own.iter().any(|own| listens(net, *own, address)) {
        return Some("where this host listens".into());
    }
    // A global address of this machine leads to services that listen for this machine.
    if !permit.private() && net.connector.is_own(address.ip()) {
        return Some("an address of this machine".into());
    }
    None
}

fn listens(net: &Net<'_>, own: SocketAddr, address: SocketAddr) -> bool {
    own.port() == address.port()
        && (own.ip().to_canonical() == address.ip()
            || address.ip().is_unspecified()
            || (own.ip().is_unspecified()
                && (address.ip().is_loopback() || net.connector.is_own(address.ip()))))
}
