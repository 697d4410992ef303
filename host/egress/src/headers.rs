//! The guest's headers: what goes on, what is taken away, what is refused, and where secrets are put in. Must not
//! look at URLs or bodies.
//!
//! Taken away, because only the host speaks for the connection: `connection`, `keep-alive`, `proxy-connection`, `te`,
//! `trailer`, `transfer-encoding`, `expect`, `accept-encoding` (nothing is decompressed here, so none is asked for),
//! `content-length` (written anew) and a `host` that says the same as the URL. Refused, because they would change whom the
//! request speaks to or for: another `host`, `upgrade`, `http2-settings`, `proxy-*`, and `authorization`, `cookie` and
//! `cookie2` that do not hold a granted secret's placeholder.

use crate::{
    error::EgressError,
    limits::EgressLimits,
    secrets::{Known, SecretSource},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sandgate_authority::{HeaderTemplate, HttpAuthority, Target};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Headers that carry credentials by their meaning.
const CREDENTIALS: &[&str] = &["authorization", "cookie", "cookie2"];

const TAKEN_AWAY: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "expect",
    "accept-encoding",
    "content-length",
    "host",
];

/// What describes a body, and goes with it when a redirect drops it.
const OF_BODY: &[&str] = &[
    "content-type",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "digest",
    "content-digest",
    "last-modified",
];

/// What says where a request comes from; it stays at the origin that it was written for.
const OF_ORIGIN: &[&str] = &["referer", "origin"];

/// A guest's headers, looked through.
#[derive(Clone)]
pub(crate) struct OutHeaders {
    lines: Vec<(HeaderName, HeaderTemplate)>,
    length: Option<u64>,
}

impl OutHeaders {
    /// Looks the headers of a request through.
    pub(crate) fn new(
        headers: &HeaderMap,
        target: &Target,
        limits: &EgressLimits,
    ) -> Result<Self, EgressError> {
        if headers.len() > limits.header_count {
            return Err(EgressError::TooLarge(format!(
                "a request has at most {} headers, this one has {}",
                limits.header_count,
                headers.len()
            )));
        }
        within(headers, limits)?;
        let mut lines = Vec::with_capacity(headers.len());
        let mut length = None;
        for (name, value) in headers {
            let template = HeaderTemplate::parse(value.as_bytes())
                .map_err(|e| EgressError::Denied(format!("header `{name}`: {e}")))?;
            match name.as_str() {
                "host" if !same_host(value, target) => {
                    return Err(EgressError::Denied(
                        "the `host` header names another host than the URL; leave it out".into(),
                    ));
                }
                "content-length" => length = Some(announced(value, length)?),
                "upgrade" | "http2-settings" => return Err(refused(name)),
                text if text.starts_with("proxy-") && text != "proxy-connection" => {
                    return Err(refused(name));
                }
                text if CREDENTIALS.contains(&text) && !template.has_secret() => {
                    return Err(EgressError::Denied(format!(
                        "the header `{name}` carries credentials: write a granted secret's placeholder into it, \
                         such as `Bearer {{secret:API_TOKEN}}`"
                    )));
                }
                _ => {}
            }
            if !TAKEN_AWAY.contains(&name.as_str()) {
                lines.push((name.clone(), template));
            }
        }
        Ok(Self { lines, length })
    }

    /// The length that the guest announced for the body.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.length
    }

    /// Whether every secret that is named may go to this target. Nothing is revealed.
    pub(crate) fn check(
        &self,
        authority: &HttpAuthority,
        target: &Target,
    ) -> Result<(), EgressError> {
        for name in self.lines.iter().flat_map(|(_, t)| t.names()) {
            authority.secret(name, target)?;
        }
        Ok(())
    }

    /// Without what describes a body.
    pub(crate) fn without_body(mut self) -> Self {
        self.lines
            .retain(|(name, _)| !OF_BODY.contains(&name.as_str()));
        self.length = None;
        self
    }

    /// Without credentials and what tells of the origin before.
    pub(crate) fn for_other_origin(mut self) -> Self {
        self.lines.retain(|(name, template)| {
            !template.has_secret()
                && !CREDENTIALS.contains(&name.as_str())
                && !OF_ORIGIN.contains(&name.as_str())
        });
        self
    }

    /// The headers as they are sent. Asks the authority about each secret again, then reveals it.
    pub(crate) fn fill(
        &self,
        authority: &HttpAuthority,
        source: &dyn SecretSource,
        known: &Known,
        target: &Target,
        limits: &EgressLimits,
    ) -> Result<HeaderMap, EgressError> {
        let host = HeaderValue::try_from(target.authority())
            .map_err(|_| EgressError::Host("the host name is no header value".into()))?;
        let mut out = HeaderMap::with_capacity(self.lines.len().saturating_add(2));
        out.insert(header::HOST, host);
        out.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        let mut revealed: BTreeMap<String, Zeroizing<Vec<u8>>> = BTreeMap::new();
        for (name, template) in &self.lines {
            let bytes = Zeroizing::new(template.fill(|secret, into| {
                if !revealed.contains_key(secret) {
                    authority.secret(secret, target)?;
                    let value = source
                        .reveal(secret, target)
                        .map_err(|e| EgressError::Host(e.to_string()))?;
                    known.add(secret, value.clone())?;
                    revealed.insert(secret.to_owned(), value);
                }
                if let Some(value) = revealed.get(secret) {
                    into.extend_from_slice(value);
                }
                Ok::<(), EgressError>(())
            })?);
            let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| {
                EgressError::Host(format!(
                    "a secret in the header `{name}` has a character that headers cannot carry, such as a line end"
                ))
            })?;
            value.set_sensitive(template.has_secret());
            out.append(name.clone(), value);
        }
        within(&out, limits)?;
        Ok(out)
    }
}

fn refused(name: &HeaderName) -> EgressError {
    EgressError::Denied(format!(
        "the header `{name}` is refused: it speaks to proxies or changes the protocol"
    ))
}

fn within(headers: &HeaderMap, limits: &EgressLimits) -> Result<(), EgressError> {
    // Four for `: ` and the line end.
    let bytes: usize = headers
        .iter()
        .map(|(n, v)| n.as_str().len() + v.len() + 4)
        .sum();
    if bytes > limits.headers {
        return Err(EgressError::TooLarge(format!(
            "the headers of a request have at most {} bytes, these have {bytes}",
            limits.headers
        )));
    }
    Ok(())
}

fn same_host(value: &HeaderValue, target: &Target) -> bool {
    let text = value.to_str().unwrap_or_default();
    text == target.authority() || text == format!("{}:{}", target.host(), target.port())
}

fn announced(value: &HeaderValue, before: Option<u64>) -> Result<u64, EgressError> {
    let text = value.to_str().unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(length) if digits && before.is_none_or(|b| b == length) => Ok(length),
        _ => Err(EgressError::Denied(
            "the `content-length` header is not one number".into(),
        )),
    }
}
