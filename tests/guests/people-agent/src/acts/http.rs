//! Requests over `wasi:http`. Each carries the number of its step, so that a server sees whatever is sent twice.

use kit::{Value, debug, told};
use wasip2::http::outgoing_handler::{self, FutureIncomingResponse};
use wasip2::http::types::{
    Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

/// Most bytes of a body that are read.
const BODY: u64 = 64 << 10;

fn send(
    method: &Method,
    url: &str,
    step: usize,
    body: &[u8],
) -> Result<FutureIncomingResponse, String> {
    let (scheme, rest) = url.split_once("://").ok_or("`url` is no URL")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let fields = Fields::new();
    debug(fields.append("x-step", step.to_string().as_bytes()))?;
    let request = OutgoingRequest::new(fields);
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    debug(request.set_method(method))?;
    debug(request.set_scheme(Some(&scheme)))?;
    debug(request.set_authority(Some(authority)))?;
    debug(request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })))?;
    let out = match body.is_empty() {
        true => None,
        false => Some(debug(request.body())?),
    };
    let coming = debug(outgoing_handler::handle(request, None))?;
    if let Some(out) = out {
        let stream = debug(out.write())?;
        for chunk in body.chunks(4096) {
            debug(stream.blocking_write_and_flush(chunk))?;
        }
        drop(stream);
        debug(OutgoingBody::finish(out, None))?;
    }
    Ok(coming)
}

/// A response whose body is being read.
pub struct Open {
    // In the order in which they have to go.
    stream: InputStream,
    _body: IncomingBody,
    response: IncomingResponse,
}

impl Open {
    fn wait(coming: &FutureIncomingResponse) -> Result<Self, String> {
        loop {
            if let Some(answer) = coming.get() {
                let response = debug(debug(answer)?)?;
                let body = debug(response.consume())?;
                return Ok(Self {
                    stream: debug(body.stream())?,
                    _body: body,
                    response,
                });
            }
            coming.subscribe().block();
        }
    }

    /// Asks, and waits for the response's head.
    pub fn get(url: &str, step: usize) -> Result<Self, String> {
        Self::wait(&send(&Method::Get, url, step, b"")?)
    }

    /// Reads at most so many bytes more.
    pub fn read(&mut self, most: u64) -> Result<String, String> {
        let most = most.min(BODY);
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < most {
            match self.stream.blocking_read(most - bytes.len() as u64) {
                Ok(chunk) => bytes.extend(chunk),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(error.to_debug_string());
                }
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn told(mut self) -> Result<String, String> {
        let status = self.response.status();
        Ok(format!("{status} {}", self.read(BODY)?))
    }
}

/// Status and body.
pub fn get(url: &str, step: usize) -> Result<String, String> {
    Open::get(url, step)?.told()
}

/// The same, after sending a body.
pub fn post(url: &str, step: usize, body: &[u8]) -> Result<String, String> {
    Open::wait(&send(&Method::Post, url, step, body)?)?.told()
}

/// Several at once: all are sent before the first response is waited for.
pub fn at_once(urls: &[String], reverse: bool) -> Value {
    let mut sent: Vec<(usize, Result<FutureIncomingResponse, String>)> = urls
        .iter()
        .enumerate()
        .map(|(n, url)| (n + 1, send(&Method::Get, url, n + 1, b"")))
        .collect();
    if reverse {
        sent.reverse();
    }
    told(sent.into_iter().map(|(n, coming)| {
        let came = coming.and_then(|coming| Open::wait(&coming)?.told());
        (format!("request {n}"), came)
    }))
}
