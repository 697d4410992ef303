//! A small client on `wasi:http`.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

type Told<T> = Result<T, String>;

fn debug(error: impl core::fmt::Debug) -> String {
    format!("{error:?}")
}

/// Sends a request without a body, or with one of `length` bytes.
pub fn send(method: &str, url: &str, length: Option<usize>) -> Told<FutureIncomingResponse> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let headers = Fields::new();
    headers.append("accept", b"text/plain").map_err(debug)?;
    let request = OutgoingRequest::new(headers);
    let method = match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(debug)?;
    request.set_scheme(Some(&scheme)).map_err(debug)?;
    request.set_authority(Some(authority)).map_err(debug)?;
    request.set_path_with_query(Some(path)).map_err(debug)?;
    let body = match length {
        Some(_) => Some(request.body().map_err(debug)?),
        None => None,
    };
    let options = RequestOptions::new();
    options
        .set_connect_timeout(Some(1_500_000_000))
        .map_err(debug)?;
    let response = handle(request, Some(options)).map_err(debug)?;
    if let (Some(body), Some(mut left)) = (body, length) {
        let to = body.write().map_err(debug)?;
        while left > 0 {
            let piece = left.min(4096);
            if to.blocking_write_and_flush(&vec![b'u'; piece]).is_err() {
                break;
            }
            left -= piece;
        }
        drop(to);
        OutgoingBody::finish(body, None).map_err(debug)?;
    }
    Ok(response)
}

/// Waits for the response: its status and body.
pub fn receive(response: &FutureIncomingResponse) -> Told<(u16, IncomingBody)> {
    response.subscribe().block();
    let response = response
        .get()
        .ok_or("not ready")?
        .map_err(|()| "over".to_owned())?
        .map_err(debug)?;
    let body = response.consume().map_err(debug)?;
    Ok((response.status(), body))
}

/// Reads a body to its end.
pub fn read(body: &IncomingBody) -> Told<Vec<u8>> {
    let from = body.stream().map_err(debug)?;
    let mut all = Vec::new();
    loop {
        match from.blocking_read(65_536) {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return Ok(all),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(format!("after {}: {}", all.len(), error.to_debug_string()));
            }
        }
    }
}
