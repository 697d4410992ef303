//! Sends over `wasi:http/outgoing-handler`. Must not check anything that the host checks: it would only hide the
//! host's reasons.

use super::url::Target;
use super::{HttpError, Request, Response, too_large};
use wasip2::http::outgoing_handler::{self, ErrorCode, FutureIncomingResponse};
use wasip2::http::types::{
    Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use wasip2::io::streams::StreamError;

/// Bytes of one write: what the contract of `blocking-write-and-flush` allows.
const WRITE: usize = 4096;
/// Bytes asked for in one read.
const READ: u64 = 64 << 10;

pub(super) fn send(request: &Request, target: &Target<'_>) -> Result<Response, HttpError> {
    let outgoing = outgoing(request, target)?;
    let body = match request.body.is_empty() {
        true => None,
        false => Some(
            outgoing
                .body()
                .map_err(|()| HttpError::Host("it gave no body to write to".to_owned()))?,
        ),
    };
    let options = options(request)?;
    let coming = outgoing_handler::handle(outgoing, options).map_err(|error| failure(&error))?;
    if let Some(body) = body {
        write(body, &request.body);
    }
    read(wait(&coming)?, request.most_bytes)
}

fn outgoing(request: &Request, target: &Target<'_>) -> Result<OutgoingRequest, HttpError> {
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields
            .append(name, value)
            .map_err(|error| HttpError::Invalid(format!("header `{name}`: {error}")))?;
    }
    let outgoing = OutgoingRequest::new(fields);
    let wrong = |what: &str| HttpError::Invalid(format!("{what} of {}", request.url));
    outgoing
        .set_method(&method(&request.method))
        .map_err(|()| HttpError::Invalid(format!("method `{}`", request.method)))?;
    let scheme = match target.tls {
        true => Scheme::Https,
        false => Scheme::Http,
    };
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(|()| wrong("the scheme"))?;
    outgoing
        .set_authority(Some(target.authority))
        .map_err(|()| wrong("host or port"))?;
    outgoing
        .set_path_with_query(Some(&target.path))
        .map_err(|()| wrong("the path"))?;
    Ok(outgoing)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(request: &Request) -> Result<Option<RequestOptions>, HttpError> {
    let Some(timeout) = request.timeout else {
        return Ok(None);
    };
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    options
        .set_connect_timeout(Some(nanos))
        .and_then(|()| options.set_first_byte_timeout(Some(nanos)))
        .and_then(|()| options.set_between_bytes_timeout(Some(nanos)))
        .map_err(|()| HttpError::Host("it takes no timeouts".to_owned()))?;
    Ok(Some(options))
}

/// Writes the body. A server may answer without reading all of it, so a broken pipe is no error here: the response,
/// or its absence, says what happened.
fn write(body: OutgoingBody, bytes: &[u8]) {
    if let Ok(stream) = body.write() {
        for chunk in bytes.chunks(WRITE) {
            if stream.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
        drop(stream);
    }
    let _ = OutgoingBody::finish(body, None);
}

fn wait(coming: &FutureIncomingResponse) -> Result<IncomingResponse, HttpError> {
    loop {
        if let Some(answer) = coming.get() {
            return answer
                .map_err(|()| HttpError::Host("it handed out the response twice".to_owned()))?
                .map_err(|error| failure(&error));
        }
        coming.subscribe().block();
    }
}

fn read(incoming: IncomingResponse, most: usize) -> Result<Response, HttpError> {
    let mut response = Response {
        status: incoming.status(),
        headers: incoming.headers().entries(),
        body: Vec::new(),
    };
    let body = incoming
        .consume()
        .map_err(|()| HttpError::Host("it gave no body to read".to_owned()))?;
    let stream = body
        .stream()
        .map_err(|()| HttpError::Host("it gave no body to read".to_owned()))?;
    loop {
        match stream.blocking_read(READ) {
            Ok(chunk) => {
                response.body.extend_from_slice(&chunk);
                if response.body.len() > most {
                    return Err(too_large(most));
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(match wasip2::http::types::http_error_code(&error) {
                    Some(code) => failure(&code),
                    None => HttpError::Protocol(error.to_debug_string()),
                });
            }
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    Ok(response)
}

fn failure(error: &ErrorCode) -> HttpError {
    let text = match error {
        ErrorCode::InternalError(Some(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    match error {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            HttpError::Denied(text)
        }
        ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTerminated
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => HttpError::Unreachable(text),
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => HttpError::Timeout(text),
        ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestLengthRequired => HttpError::Invalid(text),
        ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_)
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => HttpError::TooLarge(text),
        ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::LoopDetected => HttpError::Protocol(text),
        ErrorCode::ConfigurationError | ErrorCode::InternalError(_) => HttpError::Host(text),
    }
}
