//! Listens, and gives each connection a thread.

use crate::{
    Seen,
    http::{fault, read},
    scenario::{self, Asked, Turn},
    stream::whole,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    key: Option<String>,
    seen: Mutex<Vec<Seen>>,
    scripts: Mutex<BTreeMap<String, Vec<Turn>>>,
    counts: Mutex<BTreeMap<String, u32>>,
    open: AtomicUsize,
    stop: AtomicBool,
}

impl Shared {
    pub(crate) fn script(&self, model: &str) -> Option<Vec<Turn>> {
        locked(&self.scripts).get(model).cloned()
    }

    /// How often this was asked before.
    pub(crate) fn count(&self, model: &str) -> u32 {
        let mut counts = locked(&self.counts);
        let count = counts.entry(model.to_owned()).or_default();
        let before = *count;
        *count += 1;
        before
    }

    /// Waits, or not when the server ends.
    pub(crate) fn sleep(&self, time: Duration) {
        let mut left = time;
        let step = Duration::from_millis(10);
        while !left.is_zero() && !self.stop.load(Ordering::Relaxed) {
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
    }
}

/// A server on a free port of loopback. Ends when it is dropped.
#[derive(Debug)]
pub struct LlmServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl LlmServer {
    /// Starts it. With a key, requests without it get 401.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start(key: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            key: key.map(str::to_owned),
            seen: Mutex::default(),
            scripts: Mutex::default(),
            counts: Mutex::default(),
            open: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &for_thread));
        Ok(Self { address, shared })
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Base of the first protocol.
    #[must_use]
    pub fn openai(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Base of the second protocol.
    #[must_use]
    pub fn anthropic(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a model of this name says, turn by turn. Wins over the scenarios.
    pub fn script(&self, model: &str, turns: Vec<Turn>) {
        locked(&self.shared.scripts).insert(model.to_owned(), turns);
    }

    /// Everything that arrived so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.shared.seen).clone()
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Acquire)
    }
}

impl Drop for LlmServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        shared.open.fetch_add(1, Ordering::AcqRel);
        thread::spawn(move || {
            // A peer that leaves is what many tests are about.
            let _ = serve(&stream, &shared);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            shared.open.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let Some(seen) = read(stream)? else {
        return Ok(());
    };
    locked(&shared.seen).push(seen.clone());
    let refuse = |status: &str, why: &str| {
        let body =
            json!({"type": "error", "error": {"type": "invalid_request_error", "message": why}});
        whole(stream, status, "", "application/json", &body.to_string())
    };
    let Some(protocol) = seen.protocol else {
        return refuse("404 Not Found", "there is nothing here");
    };
    if shared.key.is_some() && shared.key != seen.key {
        return refuse("401 Unauthorized", "no such key");
    }
    if let Some(why) = fault(&seen, protocol) {
        return refuse("400 Bad Request", &why);
    }
    scenario::play(Asked {
        to: stream,
        protocol,
        seen: &seen,
        shared,
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
