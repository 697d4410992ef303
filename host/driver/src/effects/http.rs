//! `wasi:http`: one request of a guest. Permit, intent, the request itself through the egress, outcome. The outcome is
//! recorded when the body has come to its end, before the guest hears of that end.

use super::{
    desk::{CallDesk, NotBegun, OpenCall},
    secrets::Revealed,
};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use sandgate_authority::{HeaderTemplate, HttpAuthority, Target};
use sandgate_egress::{EgressBody, EgressError, EgressSession, EgressTimes, OutBody};
use sandgate_model::{Amount, CallEnd, CallRequest, Digest, NeedKind, SecretTarget};
use sandgate_sandbox::{HttpBody, HttpFailure, HttpPort, HttpTimes, PortFuture};
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

/// Requests of one caller.
pub(crate) struct HttpPower {
    pub(crate) authority: Arc<HttpAuthority>,
    pub(crate) session: EgressSession,
    pub(crate) desk: Arc<CallDesk>,
    pub(crate) secrets: Arc<Revealed>,
    /// Where each grant's rule is written.
    pub(crate) rules: Vec<String>,
}

impl HttpPort for HttpPower {
    fn send(
        &self,
        request: http::Request<HttpBody>,
        times: HttpTimes,
    ) -> PortFuture<Result<http::Response<HttpBody>, HttpFailure>> {
        let authority = Arc::clone(&self.authority);
        let session = self.session.clone();
        let desk = Arc::clone(&self.desk);
        let rules = self.rules.clone();
        let secrets = Arc::clone(&self.secrets);
        Box::pin(async move {
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
            };
            let refuse = |record: CallRequest, why: String| {
                desk.refused(record, why.clone());
                HttpFailure::Denied(why)
            };
            let target = match Target::parse(&url) {
                Ok(target) => target,
                Err(error) => return Err(refuse(record, error.to_string())),
            };
            // What is shown is what was understood, not what was written; a query may hold what is nobody's business.
            record.what = cut(format!("{method} {target}"));
            let permit = match authority.permit(&method, &target) {
                Ok(permit) => permit,
                Err(refusal) => return Err(refuse(record, refusal.to_string())),
            };
            for name in &record.secrets {
                if let Err(refusal) = authority.secret(name, &target) {
                    return Err(refuse(record, refusal.to_string()));
                }
            }
            let origin = target.origin();
            let purpose = SecretTarget::Origin(origin.clone());
            if let Err(why) = secrets.fetch(&record.secrets, &origin, &purpose).await {
                return Err(refuse(record, why));
            }
            record.rule = rules.get(permit.grant()).cloned().unwrap_or_default();
            let call = desk.begin(record).await.map_err(|why| match why {
                NotBegun::Refused(why) => HttpFailure::Denied(why),
                NotBegun::Limit(why) => HttpFailure::TooLarge(why),
                NotBegun::Host(why) => HttpFailure::Host(why),
            })?;
            let times = EgressTimes {
                connect: times.connect,
                first_byte: times.first_byte,
                between_bytes: times.between_bytes,
            };
            let body = OutBody::Stream(body.map_err(Into::into).boxed_unsync());
            match session.send(permit, parts.headers, body, times).await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    let body = relay(body, call, parts.status.as_u16());
                    Ok(http::Response::from_parts(parts, body))
                }
                Err(error) => {
                    call.end(CallEnd::Failed {
                        message: error.to_string(),
                        cost: Amount::NOTHING,
                    })
                    .await;
                    Err(failure(error))
                }
            }
        })
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
