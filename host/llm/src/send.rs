//! One generation's request on its way: tries, waits, and what a failure may have cost. The only file that uses the
//! way out.

use crate::{
    Jitter, ModelError, keys::Key, meter::Bound, provider::Provider, retry, text::quoted_bytes,
    wire,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use sandgate_authority::HttpAuthority;
use sandgate_egress::{
    Egress, EgressBody, EgressError, EgressLimits, EgressSession, EgressTimes, NetworkMeter,
    OutBody, SessionParts,
};
use sandgate_model::Amount;
use sandgate_vault::Vault;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Generations of one provider at the same time; more wait for a place. A host runs tens of attempts.
const CONCURRENT: usize = 64;

/// How much of an error's body is read. Providers explain themselves in less than 1 KiB.
const ERROR_BODY: usize = 8 << 10;

/// How long an error's body is waited for.
const ERROR_WAIT: Duration = Duration::from_secs(5);

/// The way out has deadlines of its own. They end a little later than those here, which say what was waited for.
const LATER: Duration = Duration::from_secs(1);

/// Sends to one provider.
pub(crate) struct Sender {
    session: EgressSession,
    authority: Arc<HttpAuthority>,
    key: Arc<Key>,
}

/// An answer that begins.
pub(crate) struct Sent {
    pub(crate) response: Response<EgressBody>,
    /// When the try began that it answers.
    pub(crate) at: Instant,
}

/// What a request without an answer may have cost.
pub(crate) struct Unanswered {
    pub(crate) error: ModelError,
    pub(crate) cost: Amount,
}

/// What a try came to.
enum Try {
    Answer(Box<Response<EgressBody>>),
    /// Nothing was done for it, and the next one may go better.
    Again {
        error: ModelError,
        asked: Option<Duration>,
    },
    End(Unanswered),
}

impl Sender {
    pub(crate) fn new(
        provider: &Provider,
        answer_bytes: usize,
        egress: &Egress,
        vault: Arc<Vault>,
    ) -> Self {
        let times = provider.config.times;
        let authority = Arc::new(provider.authority());
        let key = Arc::new(Key::new(vault, &provider.config.name));
        let session = egress.session(SessionParts {
            authority: Arc::clone(&authority),
            secrets: Arc::<Key>::clone(&key),
            // What one generation may move is bounded by the bytes of its request and of its answer.
            meter: NetworkMeter::new(None),
            limits: EgressLimits {
                first_byte: times.first_token.saturating_add(LATER),
                between_bytes: times
                    .first_token
                    .max(times.between_tokens)
                    .saturating_add(LATER),
                total: times.total.saturating_add(LATER),
                body_in: u64::try_from(answer_bytes).unwrap_or(u64::MAX),
                concurrent: CONCURRENT,
                redirects: 0,
                ..EgressLimits::default()
            },
        });
        Self {
            session,
            authority,
            key,
        }
    }

    /// Sends until there is an answer, or until trying again is useless. `deadline` ends it all.
    pub(crate) async fn send(
        &self,
        provider: &Provider,
        body: &Bytes,
        bound: &Bound,
        jitter: &Jitter,
        deadline: Instant,
    ) -> Result<Sent, Unanswered> {
        if let Some(name) = &provider.config.key {
            self.key.read(name).await.map_err(free)?;
        }
        let mut tries = 0u32;
        loop {
            let at = Instant::now();
            let (error, asked) = match self.once(provider, body, bound, deadline).await {
                Try::Answer(response) => {
                    return Ok(Sent {
                        response: *response,
                        at,
                    });
                }
                Try::End(end) => return Err(end),
                Try::Again { error, asked } => (error, asked),
            };
            let after = |why: &str| {
                free(ModelError::Unavailable(format!(
                    "{error}; {why} after {} tries",
                    tries.saturating_add(1)
                )))
            };
            if tries >= u32::from(provider.config.max_retries) {
                return Err(after("given up"));
            }
            let Some(wait) = retry::delay(tries, asked, jitter.of(tries)) else {
                return Err(after(
                    "it wants to be left alone for longer than a minute, given up",
                ));
            };
            let until = Instant::now() + wait;
            if until >= deadline {
                return Err(after("no time is left for another, given up"));
            }
            sleep_until(until).await;
            tries = tries.saturating_add(1);
        }
    }

    async fn once(
        &self,
        provider: &Provider,
        body: &Bytes,
        bound: &Bound,
        deadline: Instant,
    ) -> Try {
        let config = &provider.config;
        let permit = match self.authority.permit_hop("POST", &provider.target) {
            Ok(permit) => permit,
            Err(refusal) => return Try::End(free(ModelError::Host(refusal.to_string()))),
        };
        let mut headers = match wire::headers(config.kind, config.key.as_deref()) {
            Ok(headers) => headers,
            Err(error) => return Try::End(free(error)),
        };
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let left = Arc::new(AtomicBool::new(false));
        let watched = OutBody::Stream(
            Watched {
                bytes: Some(body.clone()),
                left: Arc::clone(&left),
            }
            .map_err(|never| match never {})
            .boxed_unsync(),
        );
        let first = deadline.min(Instant::now() + config.times.first_token);
        let sending = self
            .session
            .send(permit, headers, watched, EgressTimes::default());
        let sent = timeout_at(first, Box::pin(sending)).await;
        let left = left.load(Ordering::Acquire);
        let name = &config.name;
        let cost = if left {
            bound.amount()
        } else {
            Amount::NOTHING
        };
        match sent {
            Ok(Ok(response)) => answered(name, response).await,
            Ok(Err(error)) => failed(name, &error, left, cost),
            Err(_) => Try::End(Unanswered {
                error: ModelError::Unavailable(format!(
                    "the provider `{name}` did not begin to answer within {:?}",
                    config.times.first_token.min(config.times.total)
                )),
                cost,
            }),
        }
    }
}

fn free(error: ModelError) -> Unanswered {
    Unanswered {
        error,
        cost: Amount::NOTHING,
    }
}

/// No response. Once the request left, nobody knows what the provider did: it is not sent twice.
fn failed(name: &str, error: &EgressError, left: bool, cost: Amount) -> Try {
    let text = format!("the provider `{name}` cannot be reached: {error}");
    let end = |error| Try::End(Unanswered { error, cost });
    match error {
        EgressError::Connect(_) | EgressError::Resolve(_) | EgressError::Timeout(_) if !left => {
            Try::Again {
                error: ModelError::Unavailable(text),
                asked: None,
            }
        }
        EgressError::Denied(_) | EgressError::Host(_) => end(ModelError::Host(text)),
        EgressError::TooLarge(_) | EgressError::Protocol(_) => end(ModelError::BadAnswer(format!(
            "the provider `{name}` gave no usable answer: {error}"
        ))),
        _ => end(ModelError::Unavailable(text)),
    }
}

async fn answered(name: &str, response: Response<EgressBody>) -> Try {
    let status = response.status();
    if status == StatusCode::OK {
        return Try::Answer(Box::new(response));
    }
    let asked = retry::asked(response.headers().get(header::RETRY_AFTER));
    let said = explained(response).await;
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    };
    let code = status.as_u16();
    if retry::worth_it(code) {
        return Try::Again {
            error: ModelError::Unavailable(format!("the provider `{name}` answered {code}{said}")),
            asked,
        };
    }
    Try::End(free(match code {
        400 | 404 | 405 | 413 | 415 | 422 => ModelError::Invalid(format!(
            "the provider `{name}` refuses the request with {code}{said}"
        )),
        401 | 403 => ModelError::Unavailable(format!(
            "the provider `{name}` refuses the key with {code}{said}"
        )),
        300..=399 => ModelError::Unavailable(format!(
            "the provider `{name}` answered {code}: it is somewhere else, and redirects are not followed; write its \
             url as it is now"
        )),
        _ => ModelError::Unavailable(format!("the provider `{name}` answered {code}{said}")),
    }))
}

/// What a provider says about its error: its own text, cut and escaped.
async fn explained(response: Response<EgressBody>) -> String {
    let mut body = response.into_body();
    let mut text = Vec::new();
    let until = Instant::now() + ERROR_WAIT;
    while text.len() < ERROR_BODY {
        match timeout_at(until, body.chunk()).await {
            Ok(Ok(Some(piece))) => text.extend_from_slice(&piece),
            _ => break,
        }
    }
    text.truncate(ERROR_BODY);
    let described = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| crate::json::parse(text).ok())
        .and_then(|value| wire::provider_error(&value));
    described.unwrap_or_else(|| quoted_bytes(&text))
}

/// Whether a response is a stream of events.
pub(crate) fn streams(headers: &HeaderMap) -> Result<(), ModelError> {
    let kind = headers.get(header::CONTENT_TYPE);
    let text = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        return Ok(());
    }
    let shown = kind.map_or_else(|| "none".to_owned(), |v| quoted_bytes(v.as_bytes()));
    Err(ModelError::BadAnswer(format!(
        "the provider's answer is no stream of events; its content type is `{shown}`"
    )))
}

/// A request's body that tells when it leaves.
struct Watched {
    bytes: Option<Bytes>,
    left: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.left.store(true, Ordering::Release);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(left).unwrap_or(u64::MAX))
    }
}
