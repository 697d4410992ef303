//! `wasi:http`: one request of a guest. Permit, intent, the request itself through the egress, outcome. The outcome is
//! recorded when the body has come to its end, before the guest hears of that end. For work that may be suspended, bodies
//! are read whole before they are handed on, so that one record holds the answer.

use super::{
    consent::{Agreed, approved},
    desk::{CallDesk, NotBegun, OpenCall},
    plain,
    secrets::Revealed,
};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use sandgate_authority::{HeaderTemplate, HttpAuthority, HttpPermit, Opened, Permission, Target};
use sandgate_egress::{EgressBody, EgressError, EgressSession, EgressTimes, OutBody};
use sandgate_model::{Amount, CallEnd, CallRequest, Digest, NeedKind, SecretTarget};
use sandgate_sandbox::{Answered, HttpBody, HttpFailure, HttpPort, HttpTimes, PortFuture};
use serde_json::{Value, json};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// Pieces of a body on the way to a guest. Small: the connection waits when the guest does not read.
const PIECES: usize = 4;

/// Longest URL in the record, in characters; the digest covers all of it.
const WHAT_MAX: usize = 300;

/// Largest body of a request that a person has to agree to: more than anybody reads.
const ASKED_BODY_MAX: usize = 256 << 10;

/// Largest answer to work that may be suspended: what the egress lets through at all.
const WHOLE_MAX: usize = 10 << 20;

/// Requests of one caller.
#[derive(Clone)]
pub(crate) struct HttpPower {
    pub(crate) authority: Arc<HttpAuthority>,
    pub(crate) session: EgressSession,
    pub(crate) desk: Arc<CallDesk>,
    pub(crate) secrets: Arc<Revealed>,
    /// Where each grant's rule is written.
    pub(crate) rules: Vec<String>,
    /// The work may be suspended: answers are read whole.
    pub(crate) whole: bool,
}

impl HttpPort for HttpPower {
    fn send(
        &self,
        request: http::Request<HttpBody>,
        times: HttpTimes,
    ) -> PortFuture<Answered<Result<http::Response<HttpBody>, HttpFailure>>> {
        let power = self.clone();
        Box::pin(async move {
            match power.sent(request, times).await {
                Ok(answered) => answered,
                Err(failure) => plain(Err(failure)),
            }
        })
    }
}

type Sent = Answered<Result<http::Response<HttpBody>, HttpFailure>>;

impl HttpPower {
    async fn sent(
        &self,
        request: http::Request<HttpBody>,
        times: HttpTimes,
    ) -> Result<Sent, HttpFailure> {
        let (parts, body) = request.into_parts();
        let method = parts.method.as_str().to_owned();
        let url = parts.uri.to_string();
        let mut record = CallRequest {
            kind: NeedKind::Http,
            what: cut(format!("{method} {url}")),
            digest: digest(&method, &url, &parts.headers),
            rule: String::new(),
            secrets: named(&parts.headers),
            reserve: Amount::NOTHING,
            approval: false,
            consent: None,
        };
        let refuse = |record: CallRequest, why: String| {
            self.desk.refused(record, why.clone());
            HttpFailure::Denied(why)
        };
        let target = match Target::parse(&url) {
            Ok(target) => target,
            Err(error) => return Err(refuse(record, error.to_string())),
        };
        // What is shown is what was understood, not what was written; a query may hold what is nobody's business.
        record.what = cut(format!("{method} {target}"));
        let permission = match self.authority.permit(&method, &target) {
            Ok(permission) => permission,
            Err(refusal) => return Err(refuse(record, refusal.to_string())),
        };
        for name in &record.secrets {
            if let Err(refusal) = self.authority.secret(name, &target) {
                return Err(refuse(record, refusal.to_string()));
            }
        }
        record.rule = self
            .rules
            .get(permission.look().grant())
            .cloned()
            .unwrap_or_default();
        let (permit, record, headers, body) = match permission {
            Permission::Granted(permit) => {
                let body = OutBody::Stream(body.map_err(Into::into).boxed_unsync());
                (permit, record, parts.headers, body)
            }
            Permission::Ask(_) => {
                self.asked(record, &method, &url, &parts.headers, body)
                    .await?
            }
        };
        let origin = target.origin();
        let purpose = SecretTarget::Origin(origin.clone());
        if let Err(why) = self.secrets.fetch(&record.secrets, &origin, &purpose).await {
            return Err(refuse(record, why));
        }
        let call = self.desk.begin(record).await.map_err(|why| match why {
            NotBegun::Refused(why) => HttpFailure::Denied(why),
            NotBegun::Limit(why) => HttpFailure::TooLarge(why),
            NotBegun::Host(why) => HttpFailure::Host(why),
        })?;
        let times = EgressTimes {
            connect: times.connect,
            first_byte: times.first_byte,
            between_bytes: times.between_bytes,
        };
        Ok(
            match self.session.send(permit, headers, body, times).await {
                Ok(response) if self.whole => whole(response, call).await,
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    let body = relay(body, call, parts.status.as_u16());
                    plain(Ok(http::Response::from_parts(parts, body)))
                }
                Err(error) => {
                    let end = CallEnd::Failed {
                        message: error.to_string(),
                        cost: Amount::NOTHING,
                    };
                    Answered {
                        result: Err(failure(error)),
                        then: call.settle(end),
                    }
                }
            },
        )
    }

    /// A request that a person has to agree to. What is sent is what stands in the record that was approved.
    async fn asked(
        &self,
        record: CallRequest,
        method: &str,
        url: &str,
        headers: &http::HeaderMap,
        body: HttpBody,
    ) -> Result<(HttpPermit, CallRequest, http::HeaderMap, OutBody), HttpFailure> {
        let body = http_body_util::Limited::new(body, ASKED_BODY_MAX)
            .collect()
            .await;
        let body = body.map_err(|error| {
            HttpFailure::TooLarge(format!(
                "the body of a request that has to be approved has at most {} KiB: {error}",
                ASKED_BODY_MAX >> 10
            ))
        })?;
        let action = action(method, url, headers, &body.to_bytes()).map_err(HttpFailure::Denied)?;
        let what = format!("send {}", record.what);
        let (consent, digest, action) = match self.desk.agree(NeedKind::Http, &what, action).await {
            Agreed::Yes {
                consent,
                digest,
                action,
            } => (consent, digest, action),
            Agreed::No(why) => return Err(HttpFailure::Denied(format!("not approved: {why}"))),
            Agreed::Parts => return Err(HttpFailure::Suspended),
        };
        let stale = |why: String| {
            self.desk.stale(why);
            HttpFailure::Suspended
        };
        let Some((method, url, headers, body)) = read(&action) else {
            return Err(stale(
                "the record of the approval is not one of a request".to_owned(),
            ));
        };
        let target = Target::parse(&url).map_err(|error| stale(error.to_string()))?;
        let sealed = match self.authority.permit(&method, &target) {
            Ok(Permission::Ask(sealed)) => sealed,
            Ok(Permission::Granted(_)) => {
                return Err(stale(
                    "the rule that it was approved under is another now".to_owned(),
                ));
            }
            Err(refusal) => return Err(stale(refusal.to_string())),
        };
        // Made anew from what is about to be sent.
        let now = self::action(&method, &url, &headers, &body)
            .and_then(|action| self.desk.facts.bytes(NeedKind::Http, action))
            .map_err(stale)?;
        let permit = sealed
            .open(Opened::new(digest), Digest::of(&now))
            .map_err(|error| stale(error.to_string()))?;
        let record = CallRequest {
            secrets: named(&headers),
            ..approved(record, consent, digest)
        };
        Ok((permit, record, headers, OutBody::Whole(body)))
    }
}

/// The record of a request: all of it, bodies that are not text as numbers. Secrets are names in it.
fn action(
    method: &str,
    url: &str,
    headers: &http::HeaderMap,
    body: &Bytes,
) -> Result<Value, String> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        let value = value
            .to_str()
            .map_err(|_| format!("the header `{name}` is not text, so nobody could agree to it"))?;
        lines.push(json!([name.as_str(), value]));
    }
    let body = match std::str::from_utf8(body) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "bytes": body.as_ref() }),
    };
    Ok(json!({ "method": method, "url": url, "headers": lines, "body": body }))
}

/// A request, as a record says it.
fn read(action: &Value) -> Option<(String, String, http::HeaderMap, Bytes)> {
    let text = |name: &str| Some(action.get(name)?.as_str()?.to_owned());
    let mut headers = http::HeaderMap::new();
    for line in action.get("headers")?.as_array()? {
        let [name, value] = line.as_array()?.as_slice() else {
            return None;
        };
        let name = http::HeaderName::from_bytes(name.as_str()?.as_bytes()).ok()?;
        headers.append(name, http::HeaderValue::from_str(value.as_str()?).ok()?);
    }
    let body = action.get("body")?;
    let body = match (body.get("text"), body.get("bytes")) {
        (Some(text), None) => Bytes::from(text.as_str()?.to_owned()),
        (None, Some(bytes)) => {
            let bytes = bytes.as_array()?.iter();
            let bytes: Option<Vec<u8>> = bytes.map(|b| u8::try_from(b.as_u64()?).ok()).collect();
            Bytes::from(bytes?)
        }
        _ => return None,
    };
    Some((text("method")?, text("url")?, headers, body))
}

/// A response with its body read to the end, so that the outcome is known before the guest hears of anything.
async fn whole(response: http::Response<EgressBody>, call: OpenCall) -> Sent {
    let (parts, mut body) = response.into_parts();
    let status = parts.status.as_u16();
    let mut all = Vec::new();
    let failed = loop {
        match body.chunk().await {
            Ok(Some(piece)) if all.len() + piece.len() > WHOLE_MAX => {
                break Some(EgressError::TooLarge(format!(
                    "the answer has more than {} MiB",
                    WHOLE_MAX >> 20
                )));
            }
            Ok(Some(piece)) => all.extend_from_slice(&piece),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    match failed {
        Some(error) => {
            let end = CallEnd::Failed {
                message: format!("{status}, then {error}"),
                cost: Amount::NOTHING,
            };
            Answered {
                result: Err(failure(error)),
                then: call.settle(end),
            }
        }
        None => {
            let end = done(format!("{status}, {} bytes", all.len()));
            let body = http_body_util::Full::new(Bytes::from(all));
            let body = body.map_err(|never| match never {}).boxed_unsync();
            Answered {
                result: Ok(http::Response::from_parts(parts, body)),
                then: call.settle(end),
            }
        }
    }
}

/// Hands a body on, and records the outcome before its end is handed on. A reader that goes away ends the connection.
fn relay(mut body: EgressBody, call: OpenCall, status: u16) -> HttpBody {
    let (sender, pieces) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let mut bytes = 0_u64;
        let last = loop {
            let piece = tokio::select! {
                piece = body.chunk() => piece,
                () = sender.closed() => break None,
            };
            match piece {
                Ok(Some(piece)) => {
                    bytes = bytes.saturating_add(piece.len() as u64);
                    if sender.send(Ok(piece)).await.is_err() {
                        break None;
                    }
                }
                Ok(None) => {
                    let note = format!("{status}, {bytes} bytes");
                    call.end(done(note)).await;
                    return;
                }
                Err(error) => break Some(error),
            }
        };
        drop(body);
        match last {
            Some(error) => {
                call.end(CallEnd::Failed {
                    message: format!("{status}, then {error}"),
                    cost: Amount::NOTHING,
                })
                .await;
                drop(sender.send(Err(failure(error))).await);
            }
            None => {
                let note = format!("{status}, {bytes} bytes, the rest was not read");
                call.end(done(note)).await;
            }
        }
    });
    Relayed(pieces).boxed_unsync()
}

fn done(note: String) -> CallEnd {
    CallEnd::Done {
        note,
        cost: Amount::NOTHING,
    }
}

struct Relayed(mpsc::Receiver<Result<Bytes, HttpFailure>>);

impl Body for Relayed {
    type Data = Bytes;
    type Error = HttpFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpFailure>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

fn failure(error: EgressError) -> HttpFailure {
    match error {
        EgressError::Denied(why) => HttpFailure::Denied(why),
        EgressError::Resolve(why) => HttpFailure::Resolve(why),
        EgressError::Connect(why) => HttpFailure::Connect(why),
        EgressError::Timeout(why) => HttpFailure::Timeout(why),
        EgressError::TooLarge(why) => HttpFailure::TooLarge(why),
        EgressError::Protocol(why) => HttpFailure::Protocol(why),
        EgressError::Host(why) => HttpFailure::Host(why),
    }
}

/// Digest of the head of a request, placeholders in place of secrets. The body is streamed and not part of it.
fn digest(method: &str, url: &str, headers: &http::HeaderMap) -> Digest {
    let mut text = format!("{method}\n{url}\n").into_bytes();
    let mut lines: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    lines.sort_unstable();
    for (name, value) in lines {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    Digest::of(&text)
}

/// Names of the secrets that the headers hold placeholders for. Only for the record: what is filled in is decided where
/// it is filled in.
fn named(headers: &http::HeaderMap) -> Vec<String> {
    let mut names: Vec<String> = headers
        .values()
        .filter_map(|value| HeaderTemplate::parse(value.as_bytes()).ok())
        .flat_map(|template| template.names().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn cut(text: String) -> String {
    match text.char_indices().nth(WHAT_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
