//! Sessions.

use crate::{
    body::{EgressBody, OutBody},
    error::{EgressError, EgressSetupError},
    limits::{EgressLimits, EgressTimes},
    meter::NetworkMeter,
    net::{Connector, Resolver, SystemConnector, SystemResolver},
    secrets::SecretSource,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use sandgate_authority::{HttpAuthority, HttpPermit, Target};
use std::{net::SocketAddr, sync::Arc};

/// What the way out is made of.
#[derive(Clone)]
pub struct EgressConfig {
    /// Where this process listens. `0.0.0.0` and `::` mean every address of the machine.
    pub own_addresses: Vec<SocketAddr>,
    /// Further certificate authorities, DER; the public ones are always there.
    pub extra_roots: Vec<Vec<u8>>,
    /// Looks names up.
    pub resolver: Arc<dyn Resolver>,
    /// Connects.
    pub connector: Arc<dyn Connector>,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            own_addresses: Vec::new(),
            extra_roots: Vec::new(),
            resolver: Arc::new(SystemResolver),
            connector: Arc::new(SystemConnector),
        }
    }
}

/// The way out of one project.
#[derive(Clone)]
pub struct Egress {}

impl Egress {
    /// Sets it up.
    ///
    /// # Errors
    /// A certificate is none.
    pub fn new(_config: EgressConfig) -> Result<Self, EgressSetupError> {
        Ok(Self {})
    }

    /// The way out of one attempt.
    #[must_use]
    pub fn session(&self, parts: SessionParts) -> EgressSession {
        EgressSession {
            parts: Arc::new(parts),
        }
    }
}

/// What one attempt's requests have in common.
pub struct SessionParts {
    /// What may be sent; asked again for each redirect, and for each secret.
    pub authority: Arc<HttpAuthority>,
    /// Where secrets come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Bytes on the wire.
    pub meter: NetworkMeter,
    /// Caps.
    pub limits: EgressLimits,
}

/// Sends the requests of one attempt.
#[derive(Clone)]
pub struct EgressSession {
    parts: Arc<SessionParts>,
}

/// One request that was answered, in `Response::extensions` as part of [`Trace`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where to.
    pub target: Target,
    /// Method.
    pub method: String,
    /// The address that was connected to.
    pub address: SocketAddr,
    /// Status.
    pub status: u16,
}

/// What was sent for one response: the request and each redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Trace(pub Vec<Hop>);

impl EgressSession {
    /// Sends one request.
    ///
    /// # Errors
    /// [`EgressError`] by kind. A status of 400 or more is a response and no error.
    pub async fn send(
        &self,
        permit: HttpPermit,
        headers: HeaderMap,
        body: OutBody,
        times: EgressTimes,
    ) -> Result<Response<EgressBody>, EgressError> {
        let _ = (permit, headers, body, times, &self.parts.limits);
        Err(EgressError::Host("not yet".into()))
    }

    /// Sends JSON; the response streams.
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub async fn post_json(
        &self,
        permit: HttpPermit,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<EgressBody>, EgressError> {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        self.send(
            permit,
            headers,
            OutBody::Whole(body),
            EgressTimes::default(),
        )
        .await
    }
}
