//! One exchange on one connection: connect to a checked address, TLS, one request, the head of one response. The
//! connection is the response's alone and ends with it. Must not follow redirects or choose addresses.

use crate::{
    body::Outgoing,
    error::EgressError,
    limits::EgressLimits,
    meter::{Metered, NetworkMeter},
    net::Connector,
    tls,
};
use http::{HeaderMap, Request, StatusCode, header, response};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use sandgate_authority::Target;
use sandgate_model::Scheme;
use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};

/// The library's smallest buffer for a head.
const BUFFER_MIN: usize = 8 * 1024;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Ends the connection when it is dropped.
pub(crate) struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What an exchange needs beside the request.
pub(crate) struct Way<'a> {
    pub(crate) connector: &'a dyn Connector,
    pub(crate) tls: &'a Arc<ClientConfig>,
    pub(crate) meter: &'a NetworkMeter,
    pub(crate) limits: &'a EgressLimits,
    pub(crate) deadline: Instant,
}

/// An open connection, nothing sent yet.
pub(crate) struct Open {
    stream: Box<dyn Io>,
    pub(crate) address: SocketAddr,
}

/// The head of a response, and the body to come.
pub(crate) struct Answer {
    pub(crate) head: response::Parts,
    pub(crate) body: Incoming,
    pub(crate) connection: Connection,
}

/// Connects to the first of the checked addresses that answers, and does TLS where the scheme says so.
pub(crate) async fn open(
    target: &Target,
    addresses: &[SocketAddr],
    way: &Way<'_>,
) -> Result<Open, EgressError> {
    if way.meter.is_spent() {
        return Err(spent(way.meter));
    }
    let (stream, address) = connect(target, addresses, way).await?;
    let stream = Metered::new(stream, way.meter.clone());
    let stream: Box<dyn Io> = match target.scheme() {
        Scheme::Http => Box::new(stream),
        Scheme::Https => Box::new(tls::handshake(way.tls, target, stream, way.limits).await?),
    };
    Ok(Open { stream, address })
}

async fn connect(
    target: &Target,
    addresses: &[SocketAddr],
    way: &Way<'_>,
) -> Result<(TcpStream, SocketAddr), EgressError> {
    let end = Instant::now() + way.limits.connect;
    let mut last = EgressError::Connect(format!("{} has no address", target.origin()));
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        // One address that swallows packets must not use up the time of the others.
        let share = end.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match timeout(share, way.connector.connect(*address)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(e)) => {
                last = EgressError::Connect(format!(
                    "{} at {address} cannot be reached: {e}",
                    target.origin()
                ));
            }
            Err(_) => {
                last = EgressError::Timeout(format!(
                    "connecting to {} at {address} took longer than {share:?}",
                    target.origin()
                ));
            }
        }
    }
    Err(last)
}

/// Sends the request and waits for the head of the response.
pub(crate) async fn exchange(
    open: Open,
    target: &Target,
    method: &str,
    headers: HeaderMap,
    body: Outgoing,
    way: &Way<'_>,
) -> Result<Answer, EgressError> {
    let mut request = Request::builder()
        .method(method)
        .uri(target.origin_form())
        .body(body)
        .map_err(|e| EgressError::Host(format!("the request cannot be built: {e}")))?;
    *request.headers_mut() = headers;

    let fault = |e: &hyper::Error| fault(e, target, way);
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(way.limits.header_count)
        .max_header_size(way.limits.headers)
        .max_buf_size(way.limits.headers.max(BUFFER_MIN))
        .handshake(TokioIo::new(open.stream))
        .await
        .map_err(|e| fault(&e))?;
    // The deadline holds here too: a guest that stops reading must not keep the connection.
    let task = tokio::spawn(timeout_at(way.deadline, connection));
    let connection = Connection(task.abort_handle());

    let answer = timeout(way.limits.first_byte, sender.send_request(request))
        .await
        .map_err(|_| slow("answered", target, way.limits.first_byte))?
        .map_err(|e| fault(&e))?;
    let (head, body) = answer.into_parts();
    acceptable(&head, method, target, way.limits)?;
    Ok(Answer {
        head,
        body,
        connection,
    })
}

fn acceptable(
    head: &response::Parts,
    method: &str,
    target: &Target,
    limits: &EgressLimits,
) -> Result<(), EgressError> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(EgressError::Protocol(format!(
            "{} switched to another protocol, unasked",
            target.origin()
        )));
    }
    let length = head.headers.get(header::CONTENT_LENGTH);
    if length.is_some() && head.headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(EgressError::Protocol(format!(
            "{} gave its body two lengths, `content-length` and `transfer-encoding`",
            target.origin()
        )));
    }
    let announced = length
        .and_then(|l| l.to_str().ok())
        .and_then(|l| l.trim().parse::<u64>().ok());
    if method != "HEAD" && announced.is_some_and(|l| l > limits.body_in) {
        return Err(too_large(limits));
    }
    Ok(())
}

/// The response body is over its cap.
pub(crate) fn too_large(limits: &EgressLimits) -> EgressError {
    EgressError::TooLarge(format!(
        "the response's body has more than {} bytes",
        limits.body_in
    ))
}

fn spent(meter: &NetworkMeter) -> EgressError {
    EgressError::TooLarge(format!(
        "the attempt has used up its {} network bytes",
        meter.limit()
    ))
}

fn slow(what: &str, target: &Target, limit: Duration) -> EgressError {
    EgressError::Timeout(format!(
        "{} has not {what} within {limit:?}",
        target.origin()
    ))
}

fn fault(error: &hyper::Error, target: &Target, way: &Way<'_>) -> EgressError {
    explain(error, &target.origin(), way.meter, way.limits)
}

/// What an error of the HTTP library means.
pub(crate) fn explain(
    error: &hyper::Error,
    origin: &str,
    meter: &NetworkMeter,
    limits: &EgressLimits,
) -> EgressError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(e) = cause {
        // Our own bodies and sockets say what happened.
        if let Some(own) = e.downcast_ref::<EgressError>() {
            return own.clone();
        }
        if e.downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::QuotaExceeded)
        {
            return spent(meter);
        }
        cause = e.source();
    }
    // The library names this case only with its server part compiled in; the tests hold its words.
    if error.is_parse() && error.to_string().contains("too large") {
        EgressError::TooLarge(format!(
            "the headers of {origin}'s response are over {} bytes or {} lines",
            limits.headers, limits.header_count
        ))
    } else if error.is_parse() {
        EgressError::Protocol(format!("what {origin} answered is not HTTP/1.1: {error}"))
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        EgressError::Protocol(format!("{origin} closed the connection too early"))
    } else {
        EgressError::Protocol(format!("the exchange with {origin} broke off: {error}"))
    }
}
