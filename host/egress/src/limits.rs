//! Caps of one request, and what a guest may shorten. Every number is a default that the caller can change for all
//! requests of a session; a guest can only ask for less time.

use std::time::Duration;

/// Caps of each request of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressLimits {
    /// To resolve the name and to connect, each. 5 s: a server that is there answers in one.
    pub connect: Duration,
    /// For the TLS handshake. 5 s: it has a deadline of its own because a peer can accept and then say nothing.
    pub tls: Duration,
    /// From the request to the head of the response. 30 s: slow services think, but not longer.
    pub first_byte: Duration,
    /// Between two pieces of the body. 30 s, as for the head.
    pub between_bytes: Duration,
    /// From the beginning to the last byte, redirects included. 120 s: ends drip feeds.
    pub total: Duration,
    /// Bytes of all headers, each way. 64 KiB: eight times what common servers take.
    pub headers: usize,
    /// Number of headers, each way. 100.
    pub header_count: usize,
    /// Bytes of a response body, as sent. 10 MiB: what a guest of 64 MiB can hold a few times.
    pub body_in: u64,
    /// Bytes of a request body. 10 MiB.
    pub body_out: u64,
    /// Requests at the same time in a session; more wait. 8: browsers use six for one host.
    pub concurrent: usize,
    /// Redirects that are followed at most, whatever the permit says. 5.
    pub redirects: u8,
    /// Addresses of a name that are looked at. 8: more is no server but a list.
    pub answers: usize,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            tls: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            between_bytes: Duration::from_secs(30),
            total: Duration::from_secs(120),
            headers: 64 * 1024,
            header_count: 100,
            body_in: 10 * 1024 * 1024,
            body_out: 10 * 1024 * 1024,
            concurrent: 8,
            redirects: 5,
            answers: 8,
        }
    }
}

impl EgressLimits {
    /// With what the guest asks for, where that is less.
    pub(crate) fn shortened(&self, times: EgressTimes) -> Self {
        let less = |limit: Duration, asked: Option<Duration>| asked.map_or(limit, |a| a.min(limit));
        Self {
            connect: less(self.connect, times.connect),
            tls: less(self.tls, times.connect),
            first_byte: less(self.first_byte, times.first_byte),
            between_bytes: less(self.between_bytes, times.between_bytes),
            ..self.clone()
        }
    }
}

/// What the sender of one request asks for in times; the session's limits stay the upper bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressTimes {
    /// To connect; for TLS again.
    pub connect: Option<Duration>,
    /// To the head of the response.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the body.
    pub between_bytes: Option<Duration>,
}
