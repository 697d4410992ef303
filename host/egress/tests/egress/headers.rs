//! What stands on the wire.

use crate::kit::{Server, World, allow_inside, case, grants, reply};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use sandgate_egress::{EgressLimits, NoSecrets, OutBody};
use std::{
    collections::VecDeque,
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

async fn server() -> (Server, World, String) {
    let server = Server::start(|_| {
        reply(
            200,
            "connection: close\r\nkeep-alive: x\r\nupgrade: h2c\r\nalt-svc: h3\r\nproxy-authenticate: x\r\nx-kept: 1\r\n",
            "ok",
        )
    })
    .await;
    let base = format!("http://127.0.0.1:{}", server.port());
    (server, World::new(), base)
}

#[tokio::test]
async fn one_host_one_length_origin_form() {
    let (server, world, base) = server().await;
    let client = world.client(grants(vec![allow_inside(
        &format!("{base}/*"),
        &["GET", "POST", "HEAD", "DELETE"],
    )]));
    let port = server.port();
    let host = format!("127.0.0.1:{port}");
    let headers = [
        ("host", host.as_str()),
        ("connection", "keep-alive, x-mine"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "gzip"),
        ("expect", "100-continue"),
        ("accept-encoding", "gzip, br"),
        ("proxy-connection", "close"),
        ("x-mine", "a"),
        ("x-mine", "b"),
    ];
    for (method, path, line, body) in [
        ("GET", "/a/../b?q=1", "GET /b?q=1 HTTP/1.1", OutBody::Empty),
        ("HEAD", "/", "HEAD / HTTP/1.1", OutBody::Empty),
        (
            "POST",
            "/p",
            "POST /p HTTP/1.1",
            OutBody::Whole(Bytes::from_static(b"hello")),
        ),
        ("DELETE", "/d", "DELETE /d HTTP/1.1", OutBody::Empty),
    ] {
        let response = client
            .send(method, &format!("{base}{path}"), &headers, body)
            .await
            .unwrap();
        for gone in [
            "connection",
            "keep-alive",
            "upgrade",
            "alt-svc",
            "proxy-authenticate",
            "transfer-encoding",
        ] {
            assert!(!response.headers().contains_key(gone), "{gone}");
        }
        assert_eq!(response.headers()["x-kept"], "1");
        let seen = server.seen().pop().unwrap();
        assert_eq!(seen.line(), line);
        assert_eq!(seen.values("host"), [host.as_str()]);
        assert_eq!(seen.values("accept-encoding"), ["identity"]);
        assert_eq!(seen.values("x-mine"), ["a", "b"]);
        for gone in [
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "expect",
            "proxy-connection",
            "upgrade",
        ] {
            assert_eq!(seen.values(gone), [""; 0], "{gone}: {}", seen.head);
        }
        let length = if method == "POST" { vec!["5"] } else { vec![] };
        assert!(
            seen.values("content-length") == length || seen.values("content-length") == ["0"],
            "{}",
            seen.head
        );
    }
}

#[tokio::test]
async fn what_a_guest_may_not_say() {
    let (server, world, base) = server().await;
    let client = world.client(grants(vec![allow_inside(&format!("{base}/*"), &["POST"])]));
    let mut probes = 0;
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "127.0.0.1"),
        ("authorization", "Bearer mine"),
        ("Authorization", "Basic bWluZTptaW5l"),
        ("cookie", "session=mine"),
        ("cookie2", "session=mine"),
        ("proxy-authorization", "Basic x"),
        ("proxy-authenticate", "x"),
        ("upgrade", "websocket"),
        ("http2-settings", "x"),
        ("content-length", "3, 5"),
        ("content-length", "+5"),
        ("content-length", "-1"),
        ("content-length", ""),
    ] {
        let url = format!("{base}/x");
        let body = OutBody::Whole(Bytes::from_static(b"hello"));
        let error = client
            .send("POST", &url, &[(name, value)], body)
            .await
            .unwrap_err();
        assert_eq!(case(&error), "denied", "{name}: {error}");
        assert!(!error.to_string().contains("mine"), "{error}");
        probes += 1;
    }
    println!(
        "refused headers: {probes} probes, {} connections",
        server.accepted()
    );
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn headers_of_requests_have_caps() {
    let (server, world, base) = server().await;
    let client = world.client(grants(vec![allow_inside(&format!("{base}/*"), &["GET"])]));
    let url = format!("{base}/x");
    let many: Vec<(&str, &str)> = vec![("x", "y"); 101];
    let big = "a".repeat(64 * 1024);
    for headers in [many, vec![("x", big.as_str())]] {
        let error = client
            .send("GET", &url, &headers, OutBody::Empty)
            .await
            .unwrap_err();
        assert_eq!(case(&error), "too-large", "{error}");
    }
    assert_eq!(server.accepted(), 0);
}

/// A body that has its pieces ready and does not say how long it is.
struct Pieces(VecDeque<&'static str>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = self.0.pop_front();
        Poll::Ready(next.map(|p| Ok(Frame::data(Bytes::from_static(p.as_bytes())))))
    }
}

fn stream(pieces: &[&'static str]) -> OutBody {
    OutBody::Stream(UnsyncBoxBody::new(Pieces(pieces.iter().copied().collect())))
}

#[tokio::test]
async fn bodies_that_stream() {
    let (server, world, base) = server().await;
    let limits = EgressLimits {
        body_out: 10,
        ..EgressLimits::default()
    };
    let client = world.client_with(
        grants(vec![allow_inside(&format!("{base}/*"), &["POST"])]),
        Arc::new(NoSecrets),
        limits,
    );
    let url = format!("{base}/x");
    // Without a length: chunked. With one: as announced.
    client
        .send("POST", &url, &[], stream(&["he", "llo"]))
        .await
        .unwrap();
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.values("transfer-encoding"), ["chunked"]);
    assert_eq!(seen.values("content-length"), [""; 0]);
    assert_eq!(seen.body, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    client
        .send(
            "POST",
            &url,
            &[("content-length", "5")],
            stream(&["he", "llo"]),
        )
        .await
        .unwrap();
    let seen = server.seen().pop().unwrap();
    assert_eq!(seen.values("content-length"), ["5"]);
    assert_eq!(seen.body, b"hello");

    for (headers, body, want) in [
        (&[][..], stream(&["hello", "world", "!"]), "too-large"),
        (&[("content-length", "11")], stream(&["x"]), "too-large"),
        (&[("content-length", "5")], stream(&["he"]), "protocol"),
        (&[("content-length", "5")], stream(&["hello!"]), "protocol"),
        (
            &[],
            OutBody::Whole(Bytes::from_static(b"hello world")),
            "too-large",
        ),
        (
            &[("content-length", "4")],
            OutBody::Whole(Bytes::from_static(b"hello")),
            "protocol",
        ),
    ] {
        let error = client.send("POST", &url, headers, body).await.unwrap_err();
        assert_eq!(case(&error), want, "{error}");
    }
    let whole: Vec<_> = server.seen().iter().map(|s| s.body.clone()).collect();
    assert!(
        !whole
            .iter()
            .any(|b| b.windows(6).any(|w| w == b"world!" || w == b"hello!"))
    );
}
