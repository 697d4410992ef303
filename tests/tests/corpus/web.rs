//! Servers: one that may be asked, and ones that may not, which count who comes.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A port that nobody may reach: counts connections.
pub(super) struct Forbidden {
    pub(super) port: u16,
    count: Arc<AtomicUsize>,
}

impl Forbidden {
    fn start() -> Self {
        // All addresses of both families, or an attack on `[::1]` or `127.0.0.2` would not be seen.
        let listener = TcpListener::bind("[::]:0")
            .or_else(|_| TcpListener::bind("0.0.0.0:0"))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                if let Ok(mut stream) = stream {
                    // Unread bytes would reset the connection under the answer.
                    let _read = more(&mut stream, &mut Vec::new(), Duration::from_millis(200));
                    let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nforbidden");
                }
            }
        });
        Self { port, count }
    }

    /// Connections so far.
    pub(super) fn accepted(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// The counter itself.
    pub(super) fn counter(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.count)
    }
}

/// What the server that may be asked has seen.
#[derive(Default)]
pub(super) struct Log {
    /// Everything that came over a connection, to 256 KiB.
    pub(super) raw: Mutex<Vec<Vec<u8>>>,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Log {
    /// What came since the last call, and the most connections at once.
    pub(super) fn take(&self) -> (Vec<String>, usize) {
        let raw = std::mem::take(&mut *self.raw.lock().unwrap());
        let texts = raw
            .iter()
            .map(|r| String::from_utf8_lossy(r).into_owned())
            .collect();
        (texts, self.most.swap(0, Ordering::SeqCst))
    }
}

/// All servers of the corpus.
pub(super) struct Servers {
    pub(super) port: u16,
    pub(super) log: Arc<Log>,
    pub(super) forbidden: Forbidden,
    /// The same as `forbidden`, for the twins that show that it counts.
    pub(super) twin: Forbidden,
}

impl Servers {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Log::default());
        let shared = Arc::clone(&log);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&shared);
                thread::spawn(move || {
                    let open = log.open.fetch_add(1, Ordering::SeqCst) + 1;
                    log.most.fetch_max(open, Ordering::SeqCst);
                    let _broken = serve(stream, &log);
                    log.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            port,
            log,
            forbidden: Forbidden::start(),
            twin: Forbidden::start(),
        }
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>, wait: Duration) -> std::io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    stream.set_read_timeout(Some(wait))?;
    match stream.read(&mut buffer) {
        Ok(0) | Err(_) => Ok(false),
        Ok(n) => {
            bytes.extend_from_slice(&buffer[..n]);
            Ok(bytes.len() < 256 << 10)
        }
    }
}

fn serve(mut stream: TcpStream, log: &Log) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if !more(&mut stream, &mut bytes, Duration::from_secs(5))? {
            log.raw.lock().unwrap().push(bytes);
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let lower = text.to_lowercase();
    let length: usize = lower
        .lines()
        .find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    let chunked = lower.contains("transfer-encoding:");
    while if chunked {
        !bytes.ends_with(b"0\r\n\r\n")
    } else {
        bytes.len() - head < length
    } {
        if !more(&mut stream, &mut bytes, Duration::from_millis(500))? {
            break;
        }
    }
    let path = text.split(' ').nth(1).unwrap_or("").to_owned();
    let answered = answer(&mut stream, &path, &bytes);
    // A second request on the same connection would come now.
    while answered.is_ok() && more(&mut stream, &mut bytes, Duration::from_millis(20))? {}
    log.raw.lock().unwrap().push(bytes);
    answered
}

fn answer(stream: &mut TcpStream, path: &str, request: &[u8]) -> std::io::Result<()> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match path {
        "/v1/redirect" => write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: {query}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ),
        "/v1/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            forever(stream, &[b'e'; 64 << 10], Duration::ZERO)
        }
        "/v1/drip" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            forever(stream, b"d", Duration::from_millis(20))
        }
        "/v1/head" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            forever(
                stream,
                format!("x-{}: v\r\n", "h".repeat(1000)).as_bytes(),
                Duration::ZERO,
            )
        }
        "/v1/silent" => {
            thread::sleep(Duration::from_secs(4));
            Ok(())
        }
        "/v1/bomb" => {
            let body = bomb(40_000);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            )?;
            stream.write_all(&body)
        }
        _ => {
            if path == "/v1/slow" {
                thread::sleep(Duration::from_millis(30));
            }
            let body = if path == "/v1/quiet" { b"ok" } else { request };
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            )?;
            stream.write_all(body)
        }
    }
}

/// Until the other side has enough, or a time that no attack here may last.
fn forever(stream: &mut TcpStream, piece: &[u8], pause: Duration) -> std::io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        stream.write_all(piece)?;
        thread::sleep(pause);
    }
    Ok(())
}

/// A gzip document of `times` x 258 equal letters: one block of fixed codes, 13 bits for 258 bytes.
fn bomb(times: usize) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut held) = (0u32, 0u32);
    let mut put = |code: u32, n: u32, turned: bool| {
        for i in 0..n {
            let bit = if turned {
                code >> (n - 1 - i)
            } else {
                code >> i
            } & 1;
            bits |= bit << held;
            held += 1;
            if held == 8 {
                out.push(bits as u8);
                (bits, held) = (0, 0);
            }
        }
    };
    put(1, 1, false);
    put(1, 2, false);
    put(0x30 + u32::from(b'A'), 8, true);
    for _ in 0..times {
        put(0b1100_0101, 8, true);
        put(0, 5, true);
    }
    put(0, 7, true);
    put(0, 7, false);
    // Checksum and size are not looked at by whoever has blown up before.
    out.extend([0; 8]);
    out
}
