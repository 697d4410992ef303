//! Outgoing HTTP to origins that the project allows. The host checks every request and every redirect, and puts secrets in itself:
//! the plugin writes [`secret`] where one belongs and never sees it.
//!
//! ```
//! use sandgate_plugin::http;
//!
//! # fn work() -> sandgate_plugin::Result<()> {
//! let answer = http::Request::get("https://api.example.com/v1/laptops")
//!     .header("authorization", format!("Bearer {}", http::secret("API_TOKEN")))
//!     .send()?;
//! let rows: Vec<String> = answer.successful()?.json()?;
//! # Ok(())
//! # }
//! ```

use crate::PluginError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

#[cfg(target_arch = "wasm32")]
mod send;
mod url;

/// Most bytes of a response unless a request says otherwise; the host has a cap of its own.
const MOST_BYTES: usize = 10 << 20;

/// The text that the host replaces by the secret of this name, in a header's value and nowhere else, after it has
/// checked that the secret may go there.
#[must_use]
pub fn secret(name: &str) -> String {
    format!("{{secret:{name}}}")
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Method, upper case.
    pub method: String,
    /// Absolute URL, `http` or `https`.
    pub url: String,
    /// Headers in order; a name may come twice.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body; empty: none.
    pub body: Vec<u8>,
    /// Longest wait for the connection, for the first byte, and between two pieces; the host clamps it.
    pub timeout: Option<Duration>,
    /// Most bytes of the response that are read.
    pub most_bytes: usize,
}

impl Request {
    /// Any method.
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            most_bytes: MOST_BYTES,
        }
    }

    /// `GET`.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST` with a body.
    #[must_use]
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", url).body(body)
    }

    /// Adds a header. The host sets `host`, lengths and connection headers itself.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a JSON body and its media type.
    ///
    /// # Errors
    /// [`HttpError::Invalid`] when the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, HttpError> {
        let body = serde_json::to_vec(value)
            .map_err(|error| HttpError::Invalid(format!("the body has no JSON form: {error}")))?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Longest wait for the connection, for the first byte, and between two pieces.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Most bytes of the response that are read; more is [`HttpError::TooLarge`].
    #[must_use]
    pub fn most_bytes(mut self, bytes: usize) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// Sends it and reads the whole response.
    ///
    /// # Errors
    /// Why there is no response. A response with any status is none: see [`Response::successful`].
    pub fn send(&self) -> Result<Response, HttpError> {
        let target = url::split(&self.url)?;
        #[cfg(target_arch = "wasm32")]
        return send::send(self, &target);
        #[cfg(not(target_arch = "wasm32"))]
        {
            let _ = target;
            let response = crate::testing::send(self)?;
            if response.body.len() > self.most_bytes {
                return Err(too_large(self.most_bytes));
            }
            Ok(response)
        }
    }
}

/// Gets a URL.
///
/// # Errors
/// As for [`Request::send`].
pub fn get(url: &str) -> Result<Response, HttpError> {
    Request::get(url).send()
}

/// Posts a body to a URL.
///
/// # Errors
/// As for [`Request::send`].
pub fn post(url: &str, body: impl Into<Vec<u8>>) -> Result<Response, HttpError> {
    Request::post(url, body).send()
}

/// A response, whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value))
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as a JSON document.
    ///
    /// # Errors
    /// [`HttpError::Protocol`] with the place of the mistake.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            HttpError::Protocol(format!("the response is not the expected JSON: {error}"))
        })
    }

    /// The response, when its status is 200 to 299.
    ///
    /// # Errors
    /// [`HttpError::Status`] with the status.
    pub fn successful(self) -> Result<Self, HttpError> {
        match self.status {
            200..=299 => Ok(self),
            status => Err(HttpError::Status(status)),
        }
    }
}

/// Why there is no response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HttpError {
    /// The URL, a header or the body is wrong; says what.
    Invalid(String),
    /// The host refused it; no packet left. The operator's log says which line would allow it.
    Denied(String),
    /// The name has no address that may be used, or nothing answers there.
    Unreachable(String),
    /// A deadline passed.
    Timeout(String),
    /// Over a cap, of the host or of the request.
    TooLarge(String),
    /// What came back is not HTTP, broke off, or is not what was asked for.
    Protocol(String),
    /// The server answered with a status that is no success.
    Status(u16),
    /// The host could not do its part.
    Host(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) => write!(f, "the request is wrong: {text}"),
            Self::Denied(text) => write!(f, "the request is not allowed: {text}"),
            Self::Unreachable(text) => write!(f, "the server cannot be reached: {text}"),
            Self::Timeout(text) => write!(f, "the server was too slow: {text}"),
            Self::TooLarge(text) => write!(f, "the exchange is too large: {text}"),
            Self::Protocol(text) => write!(f, "the response cannot be used: {text}"),
            Self::Status(status) => write!(f, "the server answered with status {status}"),
            Self::Host(text) => write!(f, "the host could not send the request: {text}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// What a server may answer better next time is tried again: silence, 408, 425, 429 and 500 to 599.
impl From<HttpError> for PluginError {
    fn from(error: HttpError) -> Self {
        let text = error.to_string();
        match error {
            HttpError::Denied(_) => Self::Unavailable(text),
            HttpError::Status(408 | 425 | 429 | 500..=599) => Self::Failed(text),
            HttpError::Invalid(_) | HttpError::TooLarge(_) | HttpError::Status(_) => {
                Self::Permanent(text)
            }
            HttpError::Unreachable(_)
            | HttpError::Timeout(_)
            | HttpError::Protocol(_)
            | HttpError::Host(_) => Self::Failed(text),
        }
    }
}

fn too_large(most: usize) -> HttpError {
    HttpError::TooLarge(format!(
        "the response has more than {most} bytes, the most that this request reads"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[test]
    fn a_secret_is_only_a_name() {
        assert_eq!(secret("API_TOKEN"), "{secret:API_TOKEN}");
    }

    #[test]
    fn what_is_sent_is_what_the_test_sees() {
        let bench = Bench::new().http(|request| {
            assert_eq!(request.method, "POST");
            Ok(Response {
                status: 201,
                headers: vec![("Content-Type".to_owned(), b"application/json".to_vec())],
                body: request.body.clone(),
            })
        });
        let (answer, bench) = bench.run(|| {
            Request::new("POST", "https://example.com/v1")
                .json(&[1, 2])
                .unwrap()
                .send()
                .unwrap()
        });
        assert_eq!(answer.header("content-type").unwrap(), "application/json");
        assert_eq!(
            answer.successful().unwrap().json::<Vec<u8>>().unwrap(),
            [1, 2]
        );
        assert_eq!(bench.requests().len(), 1);
    }

    #[test]
    fn nothing_is_granted_unless_a_test_says_so() {
        let (answer, _) = Bench::new().run(|| get("https://example.com/"));
        let error = answer.unwrap_err();
        assert!(matches!(error, HttpError::Denied(_)), "{error}");
        assert!(matches!(
            PluginError::from(error),
            PluginError::Unavailable(_)
        ));
    }

    #[test]
    fn too_much_is_refused() {
        let bench = Bench::new().http(|_| {
            Ok(Response {
                status: 200,
                body: vec![0; 11],
                ..Response::default()
            })
        });
        let (answer, _) = bench.run(|| Request::get("http://a/").most_bytes(10).send());
        assert!(matches!(answer, Err(HttpError::TooLarge(_))));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [408, 429, 500, 503] {
            assert!(matches!(
                PluginError::from(HttpError::Status(status)),
                PluginError::Failed(_)
            ));
        }
        for status in [301, 400, 401, 403, 404] {
            assert!(matches!(
                PluginError::from(HttpError::Status(status)),
                PluginError::Permanent(_)
            ));
        }
    }
}
