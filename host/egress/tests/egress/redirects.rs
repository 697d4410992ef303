//! Redirects: every hop from the top, credentials stay at their origin.

use crate::kit::{Server, Vault, World, allow_inside, bound, case, grants, reply};
use bytes::Bytes;
use http::header;
use sandgate_egress::{EgressLimits, OutBody, Trace};
use sandgate_model::Grants;
use std::sync::Arc;

/// Redirects `/S/N/REST` to `/S/N-1/REST` with status S, and `/S/0/REST` to the location that REST names by index.
async fn redirector(locations: Vec<String>) -> Server {
    Server::start(move |seen| {
        let parts: Vec<&str> = seen.path().split('/').collect();
        let (status, hops, index): (u16, usize, usize) = match parts[..] {
            [_, s, n, i] => (s.parse().unwrap(), n.parse().unwrap(), i.parse().unwrap()),
            _ => return reply(200, "", "fine"),
        };
        let location = match hops {
            0 => locations[index].clone(),
            n => format!("/{status}/{}/{index}", n - 1),
        };
        reply(status, &format!("location: {location}\r\n"), "moved")
    })
    .await
}

fn forbidden(allowed: u16, inner: u16) -> Vec<String> {
    let mut all: Vec<String> = [
        "http://127.0.0.1:INNER/",
        "http://localhost:INNER/",
        "http://LOCALHOST:INNER/x",
        "//127.0.0.1:INNER/",
        "///127.0.0.1:INNER/",
        "http://allowed.example:INNER/go/x",
        "http://allowed.example.:INNER/go/x",
        "//allowed.example:INNER/go/x",
        "https://allowed.example:ALLOWED/go/x",
        "https://allowed.example:INNER/go/x",
        "http://allowed.example/go/x",
        "http://user@allowed.example:ALLOWED/go/x",
        "http://allowed.example:ALLOWED@127.0.0.1:INNER/",
        "http://127.0.0.1:INNER#@allowed.example:ALLOWED/",
        "http://127.0.0.1:INNER\\@allowed.example:ALLOWED/",
        "\\\\127.0.0.1:INNER\\",
        "/\\127.0.0.1:INNER/",
        "http:\\\\127.0.0.1:INNER",
        "http://0x7f.1:INNER/",
        "http://2130706433:INNER/",
        "http://0177.0.0.1:INNER/",
        "http://[::1]:INNER/",
        "http://[::ffff:127.0.0.1]:INNER/",
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/",
        "http://0.0.0.0:INNER/",
        "http://other.example:INNER/go/x",
        "http://xallowed.example:ALLOWED/go/x",
        "/secret/admin",
        "/go/../secret/admin",
        "/go/..%2fsecret/admin",
        "/go/%2e%2e/secret/admin",
        "/go/..;/secret/admin",
        "ftp://allowed.example:ALLOWED/go/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "unix:/run/docker.sock",
        "data:text/plain,x",
        "http://",
        "http:127.0.0.1:INNER",
        "http:/127.0.0.1:INNER/",
    ]
    .iter()
    .map(|s| (*s).to_owned())
    .collect();
    for text in &mut all {
        *text = text
            .replace("INNER", &inner.to_string())
            .replace("ALLOWED", &allowed.to_string());
    }
    all
}

#[tokio::test]
async fn no_chain_leads_out_of_the_rules() {
    let inner = Server::start(|_| reply(200, "", "reached")).await;
    // The locations name the redirector's own port, so it is started for its port first.
    let slot = Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let shared = Arc::clone(&slot);
    let allowed = Server::start(move |seen| {
        let parts: Vec<&str> = seen.path().split('/').collect();
        let [_, "go", s, n, i] = parts[..] else {
            return reply(200, "", "outside");
        };
        let (hops, index): (usize, usize) = (n.parse().unwrap(), i.parse().unwrap());
        let location = match hops {
            0 => shared.lock().unwrap()[index].clone(),
            n => format!("/go/{s}/{}/{index}", n - 1),
        };
        reply(
            s.parse().unwrap(),
            &format!("location: {location}\r\n"),
            "moved",
        )
    })
    .await;
    let list = forbidden(allowed.port(), inner.port());
    *slot.lock().unwrap() = list.clone();

    let world = World::new();
    world.names.set_any(Some([127, 0, 0, 1].into()));
    let base = format!("http://allowed.example:{}", allowed.port());
    let client = world.client(grants(vec![allow_inside(
        &format!("{base}/go/*"),
        &["GET", "POST"],
    )]));
    let mut chains = 0;
    let mut outside = 0;
    for (index, location) in list.iter().enumerate() {
        for status in [301, 302, 303, 307, 308] {
            for hops in [0, 2] {
                let url = format!("{base}/go/{status}/{hops}/{index}");
                let before = allowed.accepted();
                let result = client.get(&url).await;
                chains += 1;
                let error = result
                    .err()
                    .unwrap_or_else(|| panic!("{location} was followed"));
                assert_eq!(case(&error), "denied", "{location}: {error}");
                assert_eq!(allowed.accepted() - before, hops + 1, "{location}");
            }
        }
    }
    for seen in allowed.seen() {
        outside += usize::from(!seen.path().starts_with("/go/"));
    }
    let strays = world
        .recorder
        .attempts()
        .iter()
        .filter(|a| **a != allowed.address)
        .count();
    println!(
        "redirect chains: {chains} probes, {strays} connections to forbidden addresses, {} accepted there, {outside} \
         requests outside the allowed paths",
        inner.accepted()
    );
    assert!(chains >= 40);
    assert_eq!((strays, inner.accepted(), outside), (0, 0, 0));

    // The count can fail: with a rule for the inner server the first chain reaches it.
    let wide = world.client(grants(vec![
        allow_inside(&format!("{base}/go/*"), &["GET"]),
        allow_inside(&format!("http://127.0.0.1:{}/*", inner.port()), &["GET"]),
    ]));
    assert_eq!(
        wide.text(&format!("{base}/go/302/0/0")).await.unwrap(),
        "reached"
    );
    assert_eq!(inner.accepted(), 1);
}

#[tokio::test]
async fn as_many_as_the_rule_says() {
    let server = redirector(vec!["/end".to_owned()]).await;
    let world = World::new();
    let base = format!("http://127.0.0.1:{}", server.port());
    for (allowed, hops, want) in [
        (0, 0, 302),
        (1, 0, 200),
        (1, 1, 302),
        (5, 4, 200),
        (5, 5, 302),
    ] {
        let mut rule = allow_inside(&format!("{base}/*"), &["GET"]);
        rule.redirects = allowed;
        let client = world.client(grants(vec![rule]));
        let before = server.accepted();
        let response = client.get(&format!("{base}/302/{hops}/0")).await.unwrap();
        assert_eq!(
            response.status(),
            want,
            "{allowed} allowed, {hops} before the last"
        );
        let sent = server.accepted() - before;
        assert!(sent <= usize::from(allowed) + 1);
        let trace = response.extensions().get::<Trace>().unwrap();
        assert_eq!(trace.0.len(), sent);
        assert_eq!(trace.0.last().unwrap().status, want);
        assert_eq!(trace.0[0].address, server.address);
    }
    // A permit that says more than the session's limit.
    let limits = EgressLimits {
        redirects: 1,
        ..EgressLimits::default()
    };
    let rule = allow_inside(&format!("{base}/*"), &["GET"]);
    let client = world.client_with(
        grants(vec![rule]),
        Arc::new(sandgate_egress::NoSecrets),
        limits,
    );
    assert_eq!(
        client
            .get(&format!("{base}/302/1/0"))
            .await
            .unwrap()
            .status(),
        302
    );
}

#[tokio::test]
async fn methods_and_bodies_by_the_rfc() {
    let server = redirector(vec!["/end".to_owned()]).await;
    let world = World::new();
    let base = format!("http://127.0.0.1:{}", server.port());
    let client = world.client(grants(vec![allow_inside(
        &format!("{base}/*"),
        &["GET", "HEAD", "POST", "PUT"],
    )]));
    for (method, status, then) in [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("PUT", 303, "GET"),
        ("PUT", 301, "PUT"),
        ("HEAD", 303, "HEAD"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 307, "PUT"),
    ] {
        let body = if method == "HEAD" {
            OutBody::Empty
        } else {
            OutBody::Whole(Bytes::from_static(b"payload"))
        };
        let headers = [("content-type", "text/plain"), ("x-mine", "1")];
        let url = format!("{base}/{status}/0/0");
        let response = client.send(method, &url, &headers, body).await.unwrap();
        assert_eq!(response.status(), 200);
        let seen = server.seen();
        let last = seen.last().unwrap();
        assert_eq!(
            last.line(),
            format!("{then} /end HTTP/1.1"),
            "{method} {status}"
        );
        let kept = then == method && method != "HEAD";
        assert_eq!(
            last.body,
            if kept { &b"payload"[..] } else { b"" },
            "{method} {status}"
        );
        assert_eq!(last.values("content-type").len(), usize::from(kept));
        assert_eq!(last.values("x-mine"), ["1"]);
    }
    // The changed method needs a rule of its own.
    let post_only = world.client(grants(vec![allow_inside(&format!("{base}/*"), &["POST"])]));
    let url = format!("{base}/303/0/0");
    let error = post_only
        .send("POST", &url, &[], OutBody::Empty)
        .await
        .unwrap_err();
    assert_eq!(case(&error), "denied");
    // A body that is gone cannot be sent again: the redirect comes back.
    let stream = http_body_util::combinators::UnsyncBoxBody::new(http_body_util::BodyExt::map_err(
        http_body_util::Full::new(Bytes::from_static(b"payload")),
        |e| match e {},
    ));
    let url = format!("{base}/307/0/0");
    let response = client
        .send("POST", &url, &[], OutBody::Stream(stream))
        .await
        .unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()[header::LOCATION], "/end");
}

#[tokio::test]
async fn credentials_stay_at_their_origin() {
    let other = Server::start(|_| reply(200, "", "other")).await;
    let there = format!("http://127.0.0.1:{}/there", other.port());
    let server = redirector(vec![there, "/end".to_owned()]).await;
    let world = World::new();
    let base = format!("http://127.0.0.1:{}", server.port());
    let client = world.client_with(
        Grants {
            http: vec![
                allow_inside(&format!("{base}/*"), &["GET", "POST"]),
                allow_inside(
                    &format!("http://127.0.0.1:{}/*", other.port()),
                    &["GET", "POST"],
                ),
            ],
            secrets: vec![bound("TOKEN", &base)],
            ..Grants::default()
        },
        Arc::new(Vault(vec![("TOKEN", "canary-5f2e91")])),
        EgressLimits::default(),
    );
    let headers = [
        ("authorization", "Bearer {secret:TOKEN}"),
        ("x-api-key", "{secret:TOKEN}"),
        ("cookie", "a={secret:TOKEN}"),
        ("referer", "http://before.example/?canary"),
        ("x-plain", "1"),
    ];
    for status in [302, 307, 308] {
        for method in ["GET", "POST"] {
            let url = format!("{base}/{status}/1/0");
            let body = OutBody::Whole(Bytes::from_static(b"b"));
            client.send(method, &url, &headers, body).await.unwrap();
        }
    }
    for seen in other.seen() {
        assert!(!seen.head.contains("canary"), "{}", seen.head);
        for name in ["authorization", "x-api-key", "cookie", "referer"] {
            assert_eq!(seen.values(name).len(), 0, "{name}");
        }
        assert_eq!(seen.values("x-plain"), ["1"]);
    }
    assert_eq!(other.seen().len(), 6);
    // At the same origin they go along.
    client
        .send("GET", &format!("{base}/302/2/1"), &headers, OutBody::Empty)
        .await
        .unwrap();
    let last = server.seen().pop().unwrap();
    assert_eq!(last.line(), "GET /end HTTP/1.1");
    assert_eq!(last.values("authorization"), ["Bearer canary-5f2e91"]);
}

#[tokio::test]
async fn a_location_that_carries_the_secret_is_not_followed() {
    let other = Server::start(|_| reply(200, "", "other")).await;
    let port = other.port();
    let server = Server::start(move |seen| {
        let token = seen
            .values("x-api-key")
            .first()
            .map_or("", |v| *v)
            .to_owned();
        reply(
            302,
            &format!("location: http://127.0.0.1:{port}/?leak={token}\r\n"),
            "",
        )
    })
    .await;
    let world = World::new();
    let base = format!("http://127.0.0.1:{}", server.port());
    let client = world.client_with(
        Grants {
            http: vec![
                allow_inside(&format!("{base}/*"), &["GET"]),
                allow_inside(&format!("http://127.0.0.1:{port}/*"), &["GET"]),
            ],
            secrets: vec![bound("TOKEN", &base)],
            ..Grants::default()
        },
        Arc::new(Vault(vec![("TOKEN", "canary-5f2e91")])),
        EgressLimits::default(),
    );
    let headers = [("x-api-key", "{secret:TOKEN}")];
    let url = format!("{base}/");
    let error = client
        .send("GET", &url, &headers, OutBody::Empty)
        .await
        .unwrap_err();
    assert_eq!(case(&error), "denied");
    assert!(!error.to_string().contains("canary"), "{error}");
    assert_eq!(other.accepted(), 0);
}
