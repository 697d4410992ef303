//! Servers that do what a test says, a resolver that answers what a test says, and a connector that remembers.

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use sandgate_authority::{HttpAuthority, HttpPattern, HttpTerms, Target};
use sandgate_egress::{
    Connector, Egress, EgressBody, EgressConfig, EgressError, EgressLimits, EgressSession,
    EgressTimes, NetFuture, NetworkMeter, NoSecrets, OutBody, Resolver, SecretError, SecretSource,
    SessionParts, SystemConnector,
};
use sandgate_model::{Grants, HttpGrant, SecretGrant, SecretTarget};
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use zeroize::Zeroizing;

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|l| l.split_once(": "))
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
            .collect()
    }

    pub(crate) fn path(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }
}

/// What a server does next.
#[derive(Clone)]
pub(crate) enum Do {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends this for ever.
    Endless(Vec<u8>, Duration),
    /// Says nothing more and keeps the connection.
    Hang,
}

pub(crate) fn send(text: impl AsRef<[u8]>) -> Do {
    Do::Send(text.as_ref().to_vec())
}

/// A whole response.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Vec<Do> {
    vec![send(format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    ))]
}

type Script = Arc<dyn Fn(&Seen) -> Vec<Do> + Send + Sync>;

/// A server on loopback.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Vec<Do> + Send + Sync + 'static) -> Self {
        Self::start_with("127.0.0.1", None, script).await
    }

    pub(crate) async fn start_with(
        ip: &str,
        tls: Option<tokio_rustls::TlsAcceptor>,
        script: impl Fn(&Seen) -> Vec<Do> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
            open: Arc::default(),
            most: Arc::default(),
            seen: Arc::default(),
        };
        let script: Script = Arc::new(script);
        let (accepted, open, most, seen) = (
            Arc::clone(&server.accepted),
            Arc::clone(&server.open),
            Arc::clone(&server.most),
            Arc::clone(&server.seen),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                let (open, seen, script, tls) = (
                    Arc::clone(&open),
                    Arc::clone(&seen),
                    Arc::clone(&script),
                    tls.clone(),
                );
                tokio::spawn(async move {
                    let _ = match tls {
                        None => talk(stream, &seen, &script).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => talk(stream, &seen, &script).await,
                            Err(e) => Err(e),
                        },
                    };
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Most connections at the same time.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_closed(&self, within: Duration) -> bool {
        let end = tokio::time::Instant::now() + within;
        while self.open.load(Ordering::SeqCst) > 0 {
            if tokio::time::Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    seen: &Mutex<Vec<Seen>>,
    script: &Script,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let mut request = Seen {
        head: String::from_utf8_lossy(&bytes[..head]).into_owned(),
        body: bytes[head..].to_vec(),
    };
    let length = request
        .values("content-length")
        .first()
        .and_then(|l| l.parse().ok());
    let chunked = !request.values("transfer-encoding").is_empty();
    while length.is_some_and(|l: usize| request.body.len() < l)
        || (chunked && !request.body.ends_with(b"0\r\n\r\n"))
    {
        if stream.read_buf(&mut request.body).await? == 0 {
            break;
        }
    }
    let todo = script(&request);
    seen.lock().unwrap().push(request);
    for step in todo {
        match step {
            Do::Send(bytes) => stream.write_all(&bytes).await?,
            Do::Wait(time) => {
                stream.flush().await?;
                tokio::time::sleep(time).await;
            }
            Do::Endless(bytes, pause) => loop {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                tokio::time::sleep(pause).await;
            },
            Do::Hang => {
                stream.flush().await?;
                // Ends when the other side closes.
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
                return Ok(());
            }
        }
    }
    stream.shutdown().await
}

/// Answers what it was told, in turn; the last answer stays.
#[derive(Default)]
pub(crate) struct Names {
    answers: Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>,
    /// For names that it was not told.
    any: Mutex<Option<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
    slow: Mutex<Option<Duration>>,
}

impl Names {
    pub(crate) fn set(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers
            .iter()
            .map(|a| a.iter().map(|ip| ip.parse().unwrap()).collect())
            .collect();
        self.answers
            .lock()
            .unwrap()
            .insert(name.to_owned(), answers);
    }

    pub(crate) fn set_any(&self, answer: Option<IpAddr>) {
        *self.any.lock().unwrap() = answer.map(|a| vec![a]);
    }

    pub(crate) fn set_slow(&self, time: Duration) {
        *self.slow.lock().unwrap() = Some(time);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, name: &'a str) -> NetFuture<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let slow = *self.slow.lock().unwrap();
            if let Some(time) = slow {
                tokio::time::sleep(time).await;
            }
            self.asked.lock().unwrap().push(name.to_owned());
            let mut answers = self.answers.lock().unwrap();
            match answers.get_mut(name) {
                Some(list) if list.len() > 1 => Ok(list.remove(0)),
                Some(list) => Ok(list[0].clone()),
                None => self
                    .any
                    .lock()
                    .unwrap()
                    .clone()
                    .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name")),
            }
        })
    }
}

/// Connects for real, remembers every attempt, and leads addresses of the world to servers on loopback.
#[derive(Default)]
pub(crate) struct Recorder {
    attempts: Mutex<Vec<SocketAddr>>,
    world: Mutex<BTreeMap<SocketAddr, SocketAddr>>,
    everywhere: Mutex<Option<SocketAddr>>,
    own: Mutex<Vec<IpAddr>>,
}

impl Recorder {
    pub(crate) fn attempts(&self) -> Vec<SocketAddr> {
        self.attempts.lock().unwrap().clone()
    }

    pub(crate) fn lead(&self, from: &str, to: SocketAddr) {
        self.world.lock().unwrap().insert(from.parse().unwrap(), to);
    }

    /// Whatever is connected to is this server: a connection that should not be is answered at once.
    pub(crate) fn lead_all(&self, to: SocketAddr) {
        *self.everywhere.lock().unwrap() = Some(to);
    }

    pub(crate) fn own(&self, ip: &str) {
        self.own.lock().unwrap().push(ip.parse().unwrap());
    }
}

impl Connector for Recorder {
    fn connect(&self, address: SocketAddr) -> NetFuture<'_, TcpStream> {
        self.attempts.lock().unwrap().push(address);
        let to = self.world.lock().unwrap().get(&address).copied();
        let to = to.or(*self.everywhere.lock().unwrap());
        Box::pin(async move { SystemConnector.connect(to.unwrap_or(address)).await })
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.own.lock().unwrap().contains(&address) || SystemConnector.is_own(address)
    }
}

/// Secrets by name.
pub(crate) struct Vault(pub(crate) Vec<(&'static str, &'static str)>);

impl SecretSource for Vault {
    fn reveal(&self, name: &str, _: &Target) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| Zeroizing::new(v.as_bytes().to_vec()))
            .ok_or_else(|| SecretError(format!("no secret `{name}`")))
    }
}

/// A host with its network.
pub(crate) struct World {
    pub(crate) names: Arc<Names>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) egress: Egress,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(EgressConfig::default())
    }

    pub(crate) fn with(config: EgressConfig) -> Self {
        let names = Arc::<Names>::default();
        let recorder = Arc::<Recorder>::default();
        let egress = Egress::new(EgressConfig {
            resolver: Arc::<Names>::clone(&names),
            connector: Arc::<Recorder>::clone(&recorder),
            ..config
        })
        .unwrap();
        Self {
            names,
            recorder,
            egress,
        }
    }

    pub(crate) fn client(&self, grants: Grants) -> Client {
        self.client_with(grants, Arc::new(NoSecrets), EgressLimits::default())
    }

    pub(crate) fn client_with(
        &self,
        grants: Grants,
        secrets: Arc<dyn SecretSource>,
        limits: EgressLimits,
    ) -> Client {
        self.client_metered(grants, secrets, limits, NetworkMeter::new(None))
    }

    pub(crate) fn client_metered(
        &self,
        grants: Grants,
        secrets: Arc<dyn SecretSource>,
        limits: EgressLimits,
        meter: NetworkMeter,
    ) -> Client {
        let authority = Arc::new(HttpAuthority::new(&grants));
        Client {
            session: self.egress.session(SessionParts {
                authority: Arc::clone(&authority),
                secrets,
                meter,
                limits,
            }),
            authority,
        }
    }
}

/// One attempt: asks for a permit, then sends.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) session: EgressSession,
    pub(crate) authority: Arc<HttpAuthority>,
}

impl Client {
    pub(crate) async fn get(&self, url: &str) -> Result<Response<EgressBody>, EgressError> {
        self.send("GET", url, &[], OutBody::Empty).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: OutBody,
    ) -> Result<Response<EgressBody>, EgressError> {
        let target = Target::parse(url)?;
        let permit = self.authority.permit_hop(method, &target)?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        self.session
            .send(permit, map, body, EgressTimes::default())
            .await
    }

    /// The whole body as text.
    pub(crate) async fn text(&self, url: &str) -> Result<String, EgressError> {
        let bytes = self.get(url).await?.into_body().collect(64 << 20).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

pub(crate) fn allow(url: &str, methods: &[&str]) -> HttpGrant {
    HttpPattern::parse(url)
        .unwrap()
        .grant(&HttpTerms {
            methods: methods.iter().map(|m| (*m).to_owned()).collect(),
            private: false,
            redirects: 0,
            approval: false,
        })
        .unwrap()
}

/// Private addresses allowed, five redirects.
pub(crate) fn allow_inside(url: &str, methods: &[&str]) -> HttpGrant {
    HttpGrant {
        private: true,
        redirects: 5,
        ..allow(url, methods)
    }
}

pub(crate) fn grants(http: Vec<HttpGrant>) -> Grants {
    Grants {
        http,
        ..Grants::default()
    }
}

pub(crate) fn bound(name: &str, origin: &str) -> SecretGrant {
    SecretGrant {
        name: name.to_owned(),
        to: SecretTarget::Origin(origin.to_owned()),
    }
}

/// The case of an error, for comparing.
pub(crate) fn case(error: &EgressError) -> &'static str {
    match error {
        EgressError::Denied(_) => "denied",
        EgressError::Resolve(_) => "resolve",
        EgressError::Connect(_) => "connect",
        EgressError::Timeout(_) => "timeout",
        EgressError::TooLarge(_) => "too-large",
        EgressError::Protocol(_) => "protocol",
        EgressError::Host(_) => "host",
    }
}
