//! Requests of a call with a tape. Handing one over sends nothing: it is sent when the guest waits for something or asks for a
//! response, and before another port is asked, by the guest's own thread of control, one after another, and is on the tape
//! before the guest goes on. So there is never a request under way while something else may end the call, and what the guest
//! sees does not depend on the network's timing. The price: a guest's requests do not run beside each other, and a wait with a
//! timeout lasts until the response is there; the port's own timeouts bound that.

use super::gather::{Whole, look};
use super::hooks::{HEADERS_MAX, Stage, error, size};
use crate::TAPE_MAX;
use crate::effect::effect;
use crate::power::{Answered, HttpFailure, HttpTimes};
use crate::state::{State, Stop};
use crate::tape::{Args, Blob, Tag};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use std::task::Poll;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::Resource;
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::p2::body::HyperIncomingBody;
use wasmtime_wasi_http::p2::types::HostFutureIncomingResponse;
use wasmtime_wasi_http::{Error, WasiBody};

/// A request that was handed over.
pub(super) struct Waiting {
    /// Where its future is in the table; known once it is there.
    pub(super) future: Option<u32>,
    pub(super) parts: Parts,
    pub(super) body: WasiBody,
    pub(super) times: HttpTimes,
    pub(super) got: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
}

impl Waiting {
    /// Whether the guest has given all of the body, or has given it up.
    pub(super) fn is_whole(&mut self) -> Option<Result<(), Error>> {
        loop {
            match look(&mut self.body) {
                Poll::Pending => return None,
                Poll::Ready(None) => return Some(Ok(())),
                Poll::Ready(Some(Err(error))) => return Some(Err(error)),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => self.got.extend_from_slice(&bytes),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }
}

/// Headers as they are recorded.
type Headers = Vec<(String, Blob)>;

/// A response as it is recorded: status, headers, body, trailers, and how the body broke off if it did.
type Recorded = (u16, Headers, Blob, Option<Headers>, Option<HttpFailure>);

fn headers(map: &HeaderMap) -> Headers {
    map.iter()
        .map(|(name, value)| (name.as_str().to_owned(), Blob(value.as_bytes().to_vec())))
        .collect()
}

/// Headers from a tape; what is none is left out, as it never came from a response.
fn header_map(headers: Headers) -> HeaderMap {
    headers
        .into_iter()
        .filter_map(|(name, Blob(value))| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(&value).ok()?))
        })
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

/// Reads a response to its end.
async fn collect(response: Response<crate::HttpBody>) -> Result<Recorded, HttpFailure> {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let (mut trailers, mut broke) = (None, None);
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(frame)) => trailers = frame.into_trailers().ok().as_ref().map(headers),
            Err(HttpFailure::Suspended) => return Err(HttpFailure::Suspended),
            Err(failure) => {
                broke = Some(failure);
                break;
            }
        }
        if bytes.len() > TAPE_MAX {
            // Would not fit on any tape; the call ends when it is recorded.
            break;
        }
    }
    let status = parts.status.as_u16();
    Ok((
        status,
        headers(&parts.headers),
        Blob(bytes),
        trailers,
        broke,
    ))
}

type Frame = http_body::Frame<Bytes>;

/// A recorded response as a guest gets it.
fn response(
    (status, headers, Blob(body), trailers, broke): Recorded,
    place: OwnedSemaphorePermit,
) -> Result<Response<HyperIncomingBody>, Error> {
    let headers = header_map(headers);
    if size(&headers) > HEADERS_MAX {
        let most = Some(HEADERS_MAX as u32);
        return Err(Error::HttpResponseHeaderSectionSize(most));
    }
    let broke = broke.map(|failure| error(failure, Stage::Body));
    let body = Whole::new(body.into(), trailers.map(header_map), broke, place);
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Error::HttpProtocolError)?;
    *response.headers_mut() = headers;
    Ok(response)
}

impl State {
    /// Has every request answered that was handed over whole. Comes before every wait and every use of another port.
    pub(crate) async fn settle_http(&mut self) -> Result<(), Stop> {
        while let Some((request, whole)) = self.http.next_whole() {
            let Some(future) = request.future else {
                continue;
            };
            let answer = match whole {
                Ok(()) => self.send(request).await?,
                Err(error) => Err(error),
            };
            let future = Resource::<HostFutureIncomingResponse>::new_borrow(future);
            if let Ok(place) = self.table().get_mut(&future) {
                // Nothing works on it: it is whole.
                let answer = answer.map(|response| (response, spawn(async {})));
                *place = HostFutureIncomingResponse::Ready(answer);
            }
        }
        Ok(())
    }

    async fn send(
        &mut self,
        request: Waiting,
    ) -> Result<Result<Response<HyperIncomingBody>, Error>, Stop> {
        let (port, place) = match self.http.port_and_place() {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let Waiting {
            parts,
            times,
            got,
            trailers,
            ..
        } = request;
        let digest = || {
            let head = (parts.method.as_str(), parts.uri.to_string());
            let after = trailers.as_ref().map(headers);
            Args::of(&(head, headers(&parts.headers), got.as_slice(), after, times))
        };
        let send = async {
            let body = Whole::new(Bytes::from(got.clone()), trailers.clone(), None, ());
            let request = http::Request::from_parts(parts.clone(), body.boxed_unsync());
            let Answered { result, then } = port.send(request, times).await;
            let result = match result {
                Ok(response) => collect(response).await,
                Err(failure) => Err(failure),
            };
            Answered { result, then }
        };
        let answer = effect(self.tape.as_ref(), Tag::Http, digest, send).await?;
        Ok(match answer {
            Ok(recorded) => response(recorded, place),
            Err(failure) => Err(error(failure, Stage::Response)),
        })
    }
}
