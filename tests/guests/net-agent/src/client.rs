//! Requests over `wasi:http`, with nothing checked before the host sees it.

use kit::debug;
use wasip2::http::outgoing_handler::{self, FutureIncomingResponse, RequestOptions};
use wasip2::http::types::{
    Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

/// Most bytes of a body that an ordinary request reads.
const BODY: usize = 64 << 10;

/// Scheme, authority and path of a URL.
pub fn parts(url: &str) -> Result<(&str, &str, &str), String> {
    let (scheme, rest) = url.split_once("://").ok_or("`url` is no URL")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    Ok((scheme, authority, if path.is_empty() { "/" } else { path }))
}

/// A request in the making. `None` leaves a part unset.
pub struct Sending {
    pub method: Method,
    pub scheme: Option<Scheme>,
    pub authority: Option<String>,
    pub path: Option<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    pub finish: bool,
}

impl Sending {
    pub fn to(scheme: &str, authority: &str, path: &str) -> Self {
        Self {
            method: Method::Get,
            scheme: match scheme {
                "http" => Some(Scheme::Http),
                "https" => Some(Scheme::Https),
                "" => None,
                other => Some(Scheme::Other(other.to_owned())),
            },
            authority: Some(authority.to_owned()),
            path: Some(path.to_owned()),
            headers: Vec::new(),
            body: None,
            finish: true,
        }
    }

    pub fn url(url: &str) -> Result<Self, String> {
        let (scheme, authority, path) = parts(url)?;
        Ok(Self::to(scheme, authority, path))
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Makes the request; an error says which part the host did not take.
    pub fn make(&self) -> Result<OutgoingRequest, String> {
        let fields = Fields::new();
        for (name, value) in &self.headers {
            fields
                .append(name, value)
                .map_err(|error| format!("header refused: {error:?}"))?;
        }
        let request = OutgoingRequest::new(fields);
        let refused = |what: &'static str| move |()| format!("{what} refused");
        request
            .set_method(&self.method)
            .map_err(refused("method"))?;
        request
            .set_scheme(self.scheme.as_ref())
            .map_err(refused("scheme"))?;
        request
            .set_authority(self.authority.as_deref())
            .map_err(refused("authority"))?;
        request
            .set_path_with_query(self.path.as_deref())
            .map_err(refused("path"))?;
        Ok(request)
    }

    /// Sends it, without waiting for the response.
    pub fn send(&self, options: Option<RequestOptions>) -> Result<FutureIncomingResponse, String> {
        let request = self.make()?;
        let body = match &self.body {
            Some(_) => Some(debug(request.body())?),
            None => None,
        };
        let coming = debug(outgoing_handler::handle(request, options))?;
        if let (Some(body), Some(bytes)) = (body, &self.body) {
            if let Ok(stream) = body.write() {
                for chunk in bytes.chunks(4096) {
                    if stream.blocking_write_and_flush(chunk).is_err() {
                        break;
                    }
                }
            }
            if self.finish {
                let _ = OutgoingBody::finish(body, None);
            }
        }
        Ok(coming)
    }

    /// Sends it and tells status and body.
    pub fn come(&self) -> Result<String, String> {
        told(wait(&self.send(None)?)?)
    }
}

pub fn wait(coming: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    loop {
        if let Some(answer) = coming.get() {
            return debug(debug(answer)?);
        }
        coming.subscribe().block();
    }
}

/// Status and the beginning of the body.
pub fn told(response: IncomingResponse) -> Result<String, String> {
    let status = response.status();
    let (bytes, error) = read(&response, BODY)?;
    let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
    Ok(format!(
        "{status} {}{error}",
        String::from_utf8_lossy(&bytes)
    ))
}

/// Reads at most so many bytes, and says why it ended when that was no end.
pub fn read(response: &IncomingResponse, most: usize) -> Result<(Vec<u8>, Option<String>), String> {
    let body = debug(response.consume())?;
    let stream = debug(body.stream())?;
    let mut bytes = Vec::new();
    let mut error = None;
    while bytes.len() < most {
        match stream.blocking_read(64 << 10) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(why)) => {
                error = Some(match wasip2::http::types::http_error_code(&why) {
                    Some(code) => format!("{code:?}"),
                    None => why.to_debug_string(),
                });
                break;
            }
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    Ok((bytes, error))
}

pub fn get(url: &str) -> Result<String, String> {
    Sending::url(url)?.come()
}
