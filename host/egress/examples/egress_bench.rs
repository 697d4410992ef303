//! What one request through the way out costs on loopback, beside a bare connection of the same library:
//! `cargo run --release -p sandgate-egress --example egress_bench`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people that fails where it stands"
)]

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use sandgate_authority::{AddressClass, HttpAuthority, HttpPattern, HttpTerms, Target};
use sandgate_egress::{
    Egress, EgressConfig, EgressLimits, EgressTimes, NetworkMeter, OutBody, SecretError,
    SecretSource, SessionParts,
};
use sandgate_model::{Grants, SecretGrant, SecretTarget};
use std::{
    hint::black_box,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use zeroize::Zeroizing;

/// Requests for each figure: enough for a steady median, little enough for a second.
const ROUNDS: usize = 2_000;

struct Token;

impl SecretSource for Token {
    fn reveal(&self, _: &str, _: &Target) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        Ok(Zeroizing::new(b"0123456789abcdef0123456789abcdef".to_vec()))
    }
}

async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = "a".repeat(1024);
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{body}");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut bytes = [0_u8; 4096];
                let _ = stream.read(&mut bytes).await;
                let _ = stream.write_all(reply.as_bytes()).await;
            });
        }
    });
    address
}

async fn bare(address: SocketAddr) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("/x")
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    response.into_body().collect().await.unwrap();
}

fn median(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).unwrap();
    println!("{name:<44} median {:>9.2?}  p99 {:>9.2?}", at(50), at(99));
}

#[tokio::main]
async fn main() {
    let address = server().await;
    let url = format!("http://{address}/x");
    let rule = HttpPattern::parse(&format!("http://{address}/*"))
        .unwrap()
        .grant(&HttpTerms {
            methods: vec!["GET".to_owned()],
            private: true,
            ..HttpTerms::default()
        })
        .unwrap();
    let authority = Arc::new(HttpAuthority::new(&Grants {
        http: vec![rule],
        secrets: vec![SecretGrant {
            name: "TOKEN".to_owned(),
            to: SecretTarget::Origin(format!("http://{address}")),
        }],
        ..Grants::default()
    }));
    let egress = Egress::new(EgressConfig::default()).unwrap();
    let session = egress.session(SessionParts {
        authority: Arc::clone(&authority),
        secrets: Arc::new(Token),
        meter: NetworkMeter::new(None),
        limits: EgressLimits::default(),
    });

    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..100 {
            let target = Target::parse(black_box(&url)).unwrap();
            black_box(authority.permit_hop("GET", &target).unwrap());
        }
        times.push(start.elapsed() / 100);
    }
    median("parse of the URL and permit", times);

    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..100 {
            black_box(AddressClass::of(black_box(address.ip())));
        }
        times.push(start.elapsed() / 100);
    }
    median("class of an address", times);

    for _ in 0..200 {
        bare(address).await;
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        bare(address).await;
        times.push(start.elapsed());
    }
    median("bare connection, request, 1 KiB body", times);

    for secret in [false, true] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let mut headers = HeaderMap::new();
            if secret {
                let value = "Bearer {secret:TOKEN}".parse().unwrap();
                headers.insert("authorization", value);
            }
            let start = Instant::now();
            let target = Target::parse(&url).unwrap();
            let permit = authority.permit_hop("GET", &target).unwrap();
            let response = session
                .send(permit, headers, OutBody::Empty, EgressTimes::default())
                .await
                .unwrap();
            let body = response.into_body().collect(4096).await.unwrap();
            times.push(start.elapsed());
            assert_eq!(body.len(), 1024);
        }
        let what = if secret {
            "the same through the way out, with a secret"
        } else {
            "the same through the way out"
        };
        median(what, times);
    }
}
