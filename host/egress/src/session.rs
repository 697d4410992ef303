//! The loop over a request and its redirects. Must not skip a step of the order that the crate's header gives.

use crate::{
    address::{Net, usable},
    body::{EgressBody, InParts, OutBody, Outgoing},
    error::{EgressError, EgressSetupError},
    headers::OutHeaders,
    limits::{EgressLimits, EgressTimes},
    meter::NetworkMeter,
    net::{Connector, Resolver, SystemConnector, SystemResolver},
    redact::Redactor,
    redirect::{self, Next},
    secrets::{Known, SecretSource},
    tls,
    wire::{self, Answer, Way},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use rustls::ClientConfig;
use sandgate_authority::{HttpAuthority, HttpPermit, Target};
use std::{fmt, net::SocketAddr, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// Headers of a response that are about the connection and not for the guest.
const OF_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "alt-svc",
];

/// What the way out is made of.
#[derive(Clone)]
pub struct EgressConfig {
    /// Where this process listens; never connected to. `0.0.0.0` and `::` mean every address of the machine.
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

impl fmt::Debug for EgressConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EgressConfig")
            .field("own_addresses", &self.own_addresses)
            .field("extra_roots", &self.extra_roots.len())
            .finish_non_exhaustive()
    }
}

/// The way out of one project. Clones share what they know about secrets that went out, so two projects must not share
/// one.
#[derive(Clone, Debug)]
pub struct Egress {
    config: Arc<EgressConfig>,
    tls: Arc<ClientConfig>,
    known: Known,
}

impl Egress {
    /// Sets it up. Opens nothing.
    ///
    /// # Errors
    /// A certificate of the configuration is none.
    pub fn new(config: EgressConfig) -> Result<Self, EgressSetupError> {
        Ok(Self {
            tls: tls::config(&config.extra_roots)?,
            config: Arc::new(config),
            known: Known::default(),
        })
    }

    /// The way out of one attempt.
    #[must_use]
    pub fn session(&self, parts: SessionParts) -> EgressSession {
        EgressSession {
            slots: Arc::new(Semaphore::new(parts.limits.concurrent)),
            egress: self.clone(),
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

impl fmt::Debug for SessionParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionParts")
            .field("authority", &self.authority)
            .field("meter", &self.meter)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Sends the requests of one attempt. Clones share its slots and its meter.
#[derive(Clone, Debug)]
pub struct EgressSession {
    egress: Egress,
    parts: Arc<SessionParts>,
    slots: Arc<Semaphore>,
}

/// One request that was answered.
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

/// What was sent for one response: the request and each redirect that was followed. In the response's extensions.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Trace(pub Vec<Hop>);

/// One request of the loop.
struct Step {
    permit: HttpPermit,
    headers: OutHeaders,
    body: OutBody,
}

impl EgressSession {
    /// Sends one request, and the redirects that the permit allows. Any status is a response and no error; a redirect
    /// that is not followed, because none is left or its body is gone, comes back as it is. Dropping the future, and
    /// later the body, ends the connection.
    ///
    /// # Errors
    /// [`EgressError`], by kind.
    pub async fn send(
        &self,
        permit: HttpPermit,
        headers: HeaderMap,
        body: OutBody,
        times: EgressTimes,
    ) -> Result<Response<EgressBody>, EgressError> {
        let limits = self.parts.limits.shortened(times);
        let deadline = Instant::now() + limits.total;
        let origin = permit.target().origin();
        let work = Box::pin(self.run(permit, headers, body, &limits, deadline));
        timeout_at(deadline, work).await.unwrap_or_else(|_| {
            Err(EgressError::Timeout(format!(
                "the request to {origin} took longer than {:?} as a whole",
                limits.total
            )))
        })
    }

    /// Sends JSON; the response streams. For callers of the host's own.
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

    async fn run(
        &self,
        permit: HttpPermit,
        headers: HeaderMap,
        body: OutBody,
        limits: &EgressLimits,
        deadline: Instant,
    ) -> Result<Response<EgressBody>, EgressError> {
        let headers = OutHeaders::new(&headers, permit.target(), limits)?;
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| EgressError::Host("the way out is closed".into()))?;
        let way = Way {
            connector: self.egress.config.connector.as_ref(),
            tls: &self.egress.tls,
            meter: &self.parts.meter,
            limits,
            deadline,
        };
        let mut left = permit.redirects().min(limits.redirects);
        let mut trace = Trace::default();
        let mut step = Step {
            permit,
            headers,
            body,
        };
        loop {
            let again = match &step.body {
                OutBody::Empty => Some(OutBody::Empty),
                OutBody::Whole(bytes) => Some(OutBody::Whole(bytes.clone())),
                OutBody::Stream(_) => None,
            };
            let (answer, address) = self
                .once(&step.permit, &step.headers, step.body, &way)
                .await?;
            trace.0.push(Hop {
                target: step.permit.target().clone(),
                method: step.permit.method().to_owned(),
                address,
                status: answer.head.status.as_u16(),
            });
            let redactor = self.egress.known.redactor();
            let followed = if left == 0 {
                None
            } else {
                self.follow(&step.permit, step.headers, again, &answer, &redactor)?
            };
            match followed {
                Some(next) => {
                    left = left.saturating_sub(1).min(next.permit.redirects());
                    step = next;
                }
                None => {
                    let target = step.permit.target();
                    return Ok(give_back(answer, trace, redactor, target, slot, &way));
                }
            }
        }
    }

    /// One request on one connection.
    async fn once(
        &self,
        permit: &HttpPermit,
        headers: &OutHeaders,
        body: OutBody,
        way: &Way<'_>,
    ) -> Result<(Answer, SocketAddr), EgressError> {
        let target = permit.target();
        let parts = &self.parts;
        headers.check(&parts.authority, target)?;
        let body = Outgoing::new(body, headers.announced(), way.limits)?;
        let config = &self.egress.config;
        let net = Net {
            resolver: config.resolver.as_ref(),
            connector: config.connector.as_ref(),
            own: &config.own_addresses,
        };
        let addresses = usable(permit, &net, way.limits).await?;
        let open = wire::open(target, &addresses, way).await?;
        let address = open.address;
        let filled = headers.fill(
            &parts.authority,
            parts.secrets.as_ref(),
            &self.egress.known,
            target,
            way.limits,
        )?;
        let answer = wire::exchange(open, target, permit.method(), filled, body, way).await?;
        Ok((answer, address))
    }

    /// The next request, when the answer is a redirect that can be followed; asks the authority from the top.
    fn follow(
        &self,
        permit: &HttpPermit,
        headers: OutHeaders,
        again: Option<OutBody>,
        answer: &Answer,
        redactor: &Redactor,
    ) -> Result<Option<Step>, EgressError> {
        let from = permit.target();
        let mut locations = answer.head.headers.get_all(header::LOCATION).iter();
        if locations.any(|l| redactor.scrub(l.as_bytes()).is_some()) {
            return Err(EgressError::Denied(format!(
                "the redirect from {} is refused: its location holds a secret",
                from.origin()
            )));
        }
        let head = &answer.head;
        let Some(next) = redirect::next(head.status, &head.headers, permit.method(), from)? else {
            return Ok(None);
        };
        let Next {
            target,
            method,
            same_body,
        } = next;
        let (headers, body) = match (same_body, again) {
            (true, Some(body)) => (headers, body),
            (true, None) => return Ok(None),
            (false, _) => (headers.without_body(), OutBody::Empty),
        };
        let headers = if target.same_origin(from) {
            headers
        } else {
            headers.for_other_origin()
        };
        let permit = self
            .parts
            .authority
            .permit_hop(&method, &target)
            .map_err(|e| {
                EgressError::Denied(format!(
                    "the redirect from {} is refused: {e}",
                    from.origin()
                ))
            })?;
        Ok(Some(Step {
            permit,
            headers,
            body,
        }))
    }
}

fn give_back(
    answer: Answer,
    trace: Trace,
    redactor: Redactor,
    target: &Target,
    slot: OwnedSemaphorePermit,
    way: &Way<'_>,
) -> Response<EgressBody> {
    let mut headers = HeaderMap::with_capacity(answer.head.headers.len());
    for (name, value) in &answer.head.headers {
        if OF_CONNECTION.contains(&name.as_str()) || redactor.in_name(name.as_str()) {
            continue;
        }
        let value = match redactor.scrub(value.as_bytes()) {
            None => value.clone(),
            Some(clean) => match HeaderValue::from_maybe_shared(clean) {
                Ok(clean) => clean,
                Err(_) => continue,
            },
        };
        headers.append(name.clone(), value);
    }
    let body = EgressBody::new(
        answer.body,
        InParts {
            connection: answer.connection,
            slot,
            redactor,
            limits: way.limits.clone(),
            meter: way.meter.clone(),
            origin: target.origin(),
            deadline: way.deadline,
        },
    );
    // Built anew: what the library keeps beside it (the reason phrase, for one) is the server's text, unsearched.
    let mut response = Response::new(body);
    *response.status_mut() = answer.head.status;
    *response.headers_mut() = headers;
    response.extensions_mut().insert(trace);
    response
}
