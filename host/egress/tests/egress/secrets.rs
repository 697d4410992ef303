//! Secrets: put in by the host, only for their origin, and never seen by a guest again.

use crate::kit::{
    Client, Do, Server, Vault, World, allow_inside, bound, case, grants, reply, send,
};
use base64::{Engine, prelude::*};
use sandgate_egress::{EgressLimits, OutBody};
use sandgate_model::{Grants, SecretGrant, SecretTarget};
use std::{sync::Arc, time::Duration};

const CANARY: &str = "canary/7Zq+9 \"x\\y&<z>";

fn client(world: &World, server: &Server, secrets: Vec<SecretGrant>) -> (Client, String) {
    let base = format!("http://127.0.0.1:{}", server.port());
    let grants = Grants {
        http: vec![allow_inside(&format!("{base}/*"), &["GET", "POST"])],
        secrets,
        ..Grants::default()
    };
    let vault = Arc::new(Vault(vec![
        ("TOKEN", CANARY),
        ("SHORT", "abc"),
        ("LINES", "one\ntwo-lines"),
        ("LONG", Box::leak("x".repeat(9000).into_boxed_str())),
    ]));
    (
        world.client_with(grants, vault, EgressLimits::default()),
        base,
    )
}

fn here(server: &Server, name: &str) -> SecretGrant {
    bound(name, &format!("http://127.0.0.1:{}", server.port()))
}

fn encodings() -> Vec<String> {
    let bytes = CANARY.as_bytes();
    let each = |f: &dyn Fn(u8) -> String| bytes.iter().map(|b| f(*b)).collect::<String>();
    vec![
        CANARY.to_owned(),
        each(&|b| format!("{b:02x}")),
        each(&|b| format!("{b:02X}")),
        each(&|b| format!("%{b:02X}")),
        each(&|b| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02x}")
            }
        }),
        each(&|b| format!("\\u00{b:02x}")),
        serde_json_string(),
        CANARY
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;"),
        BASE64_STANDARD.encode(CANARY),
        BASE64_STANDARD.encode(format!("u:{CANARY}")),
        BASE64_STANDARD.encode(format!("user:{CANARY}")),
        BASE64_URL_SAFE_NO_PAD.encode(format!("us:{CANARY}!")),
    ]
}

fn serde_json_string() -> String {
    CANARY.replace('\\', "\\\\").replace('"', "\\\"")
}

/// What the guest saw, in every reading of it.
fn leaks(text: &str) -> bool {
    let lower = text.to_lowercase();
    encodings().iter().any(|e| {
        let inner = e.get(3..e.len() - 6).unwrap_or(e);
        text.contains(e.as_str()) || lower.contains(&e.to_lowercase()) || text.contains(inner)
    })
}

#[tokio::test]
async fn it_goes_out_and_never_comes_back() {
    let mut probes = 0;
    let mut escapes = 0;
    for encoding in encodings() {
        for pieces in [1, 2, 7, usize::MAX] {
            let text = format!("<body>{encoding}</body>");
            let answer = text.clone();
            let header = encoding.clone();
            let server = Server::start(move |_| {
                let mut script = vec![send(format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-echo: a {header} b\r\nset-cookie: t={header}\r\n\r\n",
                    answer.len()
                ))];
                let size = answer.len().div_ceil(pieces.min(answer.len()));
                for piece in answer.as_bytes().chunks(size) {
                    script.push(Do::Send(piece.to_vec()));
                    script.push(Do::Wait(Duration::from_millis(1)));
                }
                script
            })
            .await;
            let world = World::new();
            let (client, base) = client(&world, &server, vec![here(&server, "TOKEN")]);
            let headers = [("authorization", "Bearer {secret:TOKEN}")];
            let url = format!("{base}/x");
            let response = client
                .send("GET", &url, &headers, OutBody::Empty)
                .await
                .unwrap();
            let heads = format!("{:?}", response.headers());
            let body = response.into_body().collect(1 << 20).await.unwrap();
            let body = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(
                server.seen()[0].values("authorization"),
                [format!("Bearer {CANARY}")]
            );
            assert_eq!(body.len(), text.len(), "the length stays true");
            assert!(
                body.starts_with("<body>") && body.ends_with("</body>"),
                "{body}"
            );
            for seen in [heads, body] {
                probes += 1;
                escapes += usize::from(leaks(&seen));
            }
        }
    }
    println!("echoed secrets: {probes} probes, {escapes} escapes");
    assert_eq!(escapes, 0);
}

/// A server that remembers a secret gives it back to a request that carries none.
#[tokio::test]
async fn not_in_a_later_answer_either() {
    let server = Server::start(|seen| {
        if seen.path() == "/later" {
            reply(200, "", &format!("I remember {CANARY}"))
        } else {
            reply(200, "", "ok")
        }
    })
    .await;
    let world = World::new();
    let (client, base) = client(&world, &server, vec![here(&server, "TOKEN")]);
    // Before it went out nobody is searched for it: this shows that the search is what hides it.
    assert!(
        client
            .text(&format!("{base}/later"))
            .await
            .unwrap()
            .contains(CANARY)
    );
    let headers = [("x-api-key", "{secret:TOKEN}")];
    client
        .send("GET", &format!("{base}/x"), &headers, OutBody::Empty)
        .await
        .unwrap();
    let text = client.text(&format!("{base}/later")).await.unwrap();
    assert_eq!(text, format!("I remember {}", "*".repeat(CANARY.len())));
}

/// Every way to want a secret that is not one's own ends before a packet leaves.
#[tokio::test]
async fn only_where_it_is_bound() {
    let server = Server::start(|_| reply(200, "", "ok")).await;
    let port = server.port();
    let world = World::new();
    let elsewhere = |to: &str| vec![bound("TOKEN", to)];
    let mut probes = 0;
    for secrets in [
        vec![],
        elsewhere("https://api.example.com"),
        elsewhere("http://127.0.0.1"),
        elsewhere(&format!("https://127.0.0.1:{port}")),
        elsewhere(&format!("http://127.0.0.1:{port}/")),
        elsewhere(&format!("http://localhost:{port}")),
        elsewhere(&format!("http://127.0.0.1:{port}@evil.example")),
        vec![SecretGrant {
            name: "TOKEN".into(),
            to: SecretTarget::Exec("x".into()),
        }],
        vec![SecretGrant {
            name: "TOKEN".into(),
            to: SecretTarget::Provider("x".into()),
        }],
        vec![here(&server, "OTHER")],
        vec![here(&server, "token")],
    ] {
        let (client, base) = client(&world, &server, secrets);
        for value in [
            "{secret:TOKEN}",
            "Bearer {secret:TOKEN}",
            "{secret:TOKEN}{secret:TOKEN}",
        ] {
            let headers = [("x-api-key", value)];
            let url = format!("{base}/x");
            let error = client
                .send("GET", &url, &headers, OutBody::Empty)
                .await
                .unwrap_err();
            assert_eq!(case(&error), "denied", "{error}");
            probes += 1;
        }
    }
    println!(
        "secrets bound elsewhere: {probes} probes, {} connections",
        server.accepted()
    );
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn placeholders_and_values_that_are_wrong() {
    let server = Server::start(|_| reply(200, "", "ok")).await;
    let world = World::new();
    let names = ["TOKEN", "SHORT", "LINES", "LONG", "MISSING"];
    let secrets = names.iter().map(|n| here(&server, n)).collect();
    let (client, base) = client(&world, &server, secrets);
    let url = format!("{base}/x");
    for (value, want) in [
        ("{secret:TOKEN", "denied"),
        ("{secret}", "denied"),
        ("{Secret:TOKEN}", "denied"),
        ("{secret:a-b}", "denied"),
        ("{secret:SHORT}", "host"),
        ("{secret:LINES}", "host"),
        ("{secret:LONG}", "host"),
        ("{secret:MISSING}", "host"),
    ] {
        let headers = [("x-api-key", value)];
        let error = client
            .send("GET", &url, &headers, OutBody::Empty)
            .await
            .unwrap_err();
        assert_eq!(case(&error), want, "{value}: {error}");
        let text = error.to_string();
        assert!(
            !text.contains("abc") && !text.contains("two-lines") && !text.contains("xxxx"),
            "{text}"
        );
    }
    assert_eq!(server.seen().len(), 0, "nothing was sent");
    // Elsewhere than in a header it is text.
    let url = format!("{base}/x?q={{secret:TOKEN}}");
    let body = OutBody::Whole("{secret:TOKEN}".into());
    client.send("POST", &url, &[], body).await.unwrap();
    let seen = server.seen().pop().unwrap();
    assert!(!seen.head.contains("canary"));
    assert_eq!(seen.body, b"{secret:TOKEN}");
}

/// Errors, permits and sessions as people and logs see them.
#[tokio::test]
async fn nothing_prints_it() {
    let server = Server::start(|_| {
        vec![send(format!(
            "HTTP/1.1 200 {CANARY}\r\ncontent-length: 9\r\n\r\n{CANARY}"
        ))]
    })
    .await;
    let broken = Server::start(|seen| vec![send(format!("{CANARY}{}", seen.head))]).await;
    let world = World::new();
    for server in [&server, &broken] {
        let (client, base) = client(&world, server, vec![here(server, "TOKEN")]);
        let headers = [("authorization", "{secret:TOKEN}")];
        let url = format!("{base}/x");
        let result = client.send("GET", &url, &headers, OutBody::Empty).await;
        let shown = format!("{result:?} {:?} {:?}", client.session, world.egress);
        assert!(!leaks(&shown) && !shown.contains("canary"), "{shown}");
    }
    let none = world.client(grants(vec![]));
    let error = none
        .get("https://api.example.com/?token=canary")
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");
}
