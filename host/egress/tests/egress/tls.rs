//! TLS: the name is checked against configured authorities, and a handshake has its own deadline.

use crate::kit::{Do, Server, World, allow_inside, case, grants, reply};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use sandgate_egress::{Egress, EgressConfig, EgressLimits, EgressSetupError, NoSecrets};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

struct Authority {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            der,
            issuer: Issuer::new(params, key),
        }
    }

    fn server(&self, names: &[&str], expired: bool) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if expired {
            params.not_after = date_time_ymd(2001, 1, 1);
            params.not_before = date_time_ymd(2000, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(cert.der().to_vec())],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn trusting(roots: Vec<Vec<u8>>) -> World {
    let world = World::with(EgressConfig {
        extra_roots: roots,
        ..EgressConfig::default()
    });
    world.names.set_any(Some([127, 0, 0, 1].into()));
    world
}

async fn ask(world: &World, host: &str, port: u16) -> Result<String, (&'static str, String)> {
    let url = format!("https://{host}:{port}/");
    let client = world.client_with(
        grants(vec![allow_inside(&format!("{url}*"), &["GET"])]),
        Arc::new(NoSecrets),
        EgressLimits {
            tls: Duration::from_millis(300),
            ..EgressLimits::default()
        },
    );
    client
        .text(&url)
        .await
        .map_err(|e| (case(&e), e.to_string()))
}

#[tokio::test]
async fn only_the_right_name_of_a_known_authority() {
    let ca = Authority::new();
    let stranger = Authority::new();
    let world = trusting(vec![ca.der.clone()]);
    let hello = |_: &_| reply(200, "", "hello");
    for (name, tls, host, want) in [
        (
            "fine",
            ca.server(&["good.example"], false),
            "good.example",
            true,
        ),
        (
            "wildcard",
            ca.server(&["*.good.example"], false),
            "api.good.example",
            true,
        ),
        (
            "another name",
            ca.server(&["other.example"], false),
            "good.example",
            false,
        ),
        (
            "the name only begins so",
            ca.server(&["good.example"], false),
            "good.example.evil.example",
            false,
        ),
        (
            "an unknown authority",
            stranger.server(&["good.example"], false),
            "good.example",
            false,
        ),
        (
            "expired",
            ca.server(&["good.example"], true),
            "good.example",
            false,
        ),
        (
            "an address in the certificate",
            ca.server(&["127.0.0.1"], false),
            "127.0.0.1",
            true,
        ),
        (
            "an address that is not",
            ca.server(&["good.example"], false),
            "127.0.0.1",
            false,
        ),
    ] {
        let server = Server::start_with("127.0.0.1", Some(tls), hello).await;
        let got = ask(&world, host, server.port()).await;
        if want {
            assert_eq!(got.as_deref(), Ok("hello"), "{name}");
        } else {
            let (case, text) = got.unwrap_err();
            assert_eq!(case, "connect", "{name}: {text}");
            assert_eq!(server.seen().len(), 0, "{name}: a request went out");
        }
    }
    let server = Server::start_with(
        "127.0.0.1",
        Some(ca.server(&["good.example"], false)),
        hello,
    )
    .await;
    let (case, text) = ask(&trusting(vec![]), "good.example", server.port())
        .await
        .unwrap_err();
    assert_eq!(case, "connect", "without the authority: {text}");
}

#[tokio::test]
async fn what_is_no_tls() {
    let world = trusting(vec![]);
    let plain = Server::start(|_| reply(200, "", "hello")).await;
    // The plain server waits for a head that never comes, and a client hello is none.
    let (kind, text) = ask(&world, "good.example", plain.port()).await.unwrap_err();
    assert_eq!(kind, "timeout", "{text}");
    assert!(text.contains("TLS handshake"), "{text}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let (kind, text) = ask(&world, "good.example", port).await.unwrap_err();
    assert_eq!(kind, "connect", "{text}");
}

/// Accepts, reads, and says one byte now and then: the handshake's deadline ends it and not the request's.
#[tokio::test]
async fn a_handshake_that_drips() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0_u8; 4096];
                let _ = stream.read(&mut bytes).await;
                // The beginning of a record of 16 KiB.
                let mut next = b"\x16\x03\x03\x40\x00".to_vec();
                loop {
                    if stream.write_all(&next).await.is_err() {
                        return;
                    }
                    next = vec![2];
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
    });
    let world = trusting(vec![]);
    let start = Instant::now();
    let (kind, text) = ask(&world, "good.example", port).await.unwrap_err();
    assert_eq!(kind, "timeout", "{text}");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_certificate_that_is_none() {
    let error = Egress::new(EgressConfig {
        extra_roots: vec![vec![1, 2, 3]],
        ..EgressConfig::default()
    })
    .unwrap_err();
    assert!(matches!(error, EgressSetupError::Root(0, _)));
    assert_eq!(
        error.to_string(),
        "certificate 0 of the configured authorities is not usable"
    );
}

/// Streaming and closing work the same over TLS.
#[tokio::test]
async fn dropping_ends_a_tls_connection() {
    let ca = Authority::new();
    let world = trusting(vec![ca.der.clone()]);
    let tls = ca.server(&["good.example"], false);
    let server = Server::start_with("127.0.0.1", Some(tls), |_| {
        vec![crate::kit::send("HTTP/1.1 200 OK\r\n\r\nfirst"), Do::Hang]
    })
    .await;
    let url = format!("https://good.example:{}/", server.port());
    let client = world.client(grants(vec![allow_inside(&format!("{url}*"), &["GET"])]));
    let mut body = client.get(&url).await.unwrap().into_body();
    assert_eq!(body.chunk().await.unwrap().unwrap(), "first");
    drop(body);
    assert!(server.all_closed(Duration::from_secs(2)).await);
}
