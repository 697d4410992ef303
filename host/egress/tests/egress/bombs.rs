//! Responses that attack: endless, slow, huge, or not HTTP at all. Each ends with a typed error, in time.

use crate::kit::{Do, Server, World, allow_inside, case, grants, reply, send};
use sandgate_egress::{EgressError, EgressLimits, NoSecrets};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What a probe may take at most: its limits below, and this.
const SLACK: Duration = Duration::from_secs(1);

fn limits() -> EgressLimits {
    EgressLimits {
        connect: Duration::from_millis(500),
        tls: Duration::from_millis(500),
        first_byte: Duration::from_millis(300),
        between_bytes: Duration::from_millis(300),
        total: Duration::from_millis(900),
        body_in: 1 << 20,
        ..EgressLimits::default()
    }
}

/// Status and body, or the error, and how long it took.
async fn probe(script: Vec<Do>) -> (Result<(u16, Vec<u8>), EgressError>, Duration) {
    let server = Server::start(move |_| script.clone()).await;
    let world = World::new();
    let url = format!("http://127.0.0.1:{}/", server.port());
    let client = world.client_with(
        grants(vec![allow_inside(&format!("{url}*"), &["GET"])]),
        Arc::new(NoSecrets),
        limits(),
    );
    let start = Instant::now();
    let result = async {
        let response = client.get(&url).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect(16 << 20).await?;
        Ok((status, body.to_vec()))
    }
    .await;
    let took = start.elapsed();
    assert!(
        server.all_closed(Duration::from_secs(2)).await,
        "the connection was left open"
    );
    (result, took)
}

#[tokio::test]
async fn every_bomb_is_defused() {
    let long = |n: usize| "a".repeat(n);
    let ok = "HTTP/1.1 200 OK\r\n";
    let many: String = (0..100_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let ms = Duration::from_millis;
    let bombs: Vec<(&str, Vec<Do>, &str)> = vec![
        (
            "endless body",
            vec![
                send(format!("{ok}\r\n")),
                Do::Endless(vec![b'a'; 65536], ms(0)),
            ],
            "too-large",
        ),
        (
            "endless chunks",
            vec![
                send(format!("{ok}transfer-encoding: chunked\r\n\r\n")),
                Do::Endless(format!("10000\r\n{}\r\n", long(65536)).into_bytes(), ms(0)),
            ],
            "too-large",
        ),
        (
            "a length over the cap",
            vec![
                send(format!("{ok}content-length: 99999999999\r\n\r\n")),
                Do::Hang,
            ],
            "too-large",
        ),
        (
            "drip",
            vec![
                send(format!("{ok}\r\n")),
                Do::Endless(b"a".to_vec(), ms(100)),
            ],
            "timeout",
        ),
        (
            "drip of the head",
            vec![Do::Endless(b"H".to_vec(), ms(100))],
            "timeout",
        ),
        (
            "drip of headers",
            vec![send(ok), Do::Endless(b"a: b\r\n".to_vec(), ms(50))],
            "timeout",
        ),
        ("silence", vec![Do::Hang], "timeout"),
        (
            "silence after the head",
            vec![send(format!("{ok}content-length: 5\r\n\r\n")), Do::Hang],
            "timeout",
        ),
        (
            "silence in the body",
            vec![send(format!("{ok}content-length: 5\r\n\r\nab")), Do::Hang],
            "timeout",
        ),
        (
            "100,000 headers",
            vec![send(format!("{ok}{many}\r\n"))],
            "too-large",
        ),
        (
            "101 headers",
            vec![
                send(ok),
                send(
                    (0..101)
                        .map(|n| format!("x-{n}: y\r\n"))
                        .collect::<String>(),
                ),
                send("\r\n"),
            ],
            "too-large",
        ),
        (
            "a header of 1 MiB",
            vec![send(format!("{ok}x: {}\r\n\r\n", long(1 << 20)))],
            "too-large",
        ),
        (
            "an endless header",
            vec![send(ok), send("x: "), Do::Endless(vec![b'a'; 4096], ms(0))],
            "too-large",
        ),
        (
            "an endless status line",
            vec![send("HTTP/1.1 200 "), Do::Endless(vec![b'a'; 4096], ms(0))],
            "too-large",
        ),
        (
            "endless 100",
            vec![Do::Endless(
                b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
                ms(1),
            )],
            "timeout",
        ),
        (
            "endless 103 at full speed",
            vec![Do::Endless(
                b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(500),
                ms(0),
            )],
            "timeout",
        ),
        (
            "two lengths",
            vec![send(format!(
                "{ok}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
            ))],
            "protocol",
        ),
        (
            "two lengths, the other way",
            vec![send(format!(
                "{ok}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            ))],
            "protocol",
        ),
        (
            "differing lengths",
            vec![send(format!(
                "{ok}content-length: 5\r\ncontent-length: 6\r\n\r\nhello"
            ))],
            "protocol",
        ),
        (
            "a negative length",
            vec![send(format!("{ok}content-length: -1\r\n\r\nhello"))],
            "protocol",
        ),
        (
            "a length that overflows",
            vec![send(format!(
                "{ok}content-length: 99999999999999999999999\r\n\r\nhello"
            ))],
            "protocol",
        ),
        (
            "a chunk that overflows",
            vec![send(format!(
                "{ok}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\na"
            ))],
            "protocol",
        ),
        (
            "no chunk size",
            vec![send(format!(
                "{ok}transfer-encoding: chunked\r\n\r\nzz\r\na"
            ))],
            "protocol",
        ),
        (
            "endless chunk extension",
            vec![
                send(format!("{ok}transfer-encoding: chunked\r\n\r\n1;")),
                Do::Endless(vec![b'a'; 4096], ms(0)),
            ],
            "protocol",
        ),
        (
            "endless trailers",
            vec![
                send(format!(
                    "{ok}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
                )),
                Do::Endless(b"x: y\r\n".repeat(100), ms(0)),
            ],
            "protocol",
        ),
        (
            "another protocol",
            vec![
                send(
                    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
                ),
                Do::Hang,
            ],
            "protocol",
        ),
        (
            "HTTP/2",
            vec![send(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00".repeat(3))],
            "protocol",
        ),
        ("HTTP/0.9", vec![send("<html>hello</html>")], "protocol"),
        ("SSH", vec![send("SSH-2.0-OpenSSH_9.6\r\n")], "protocol"),
        ("nothing", vec![], "protocol"),
        (
            "half a head",
            vec![send("HTTP/1.1 200 OK\r\ncontent-")],
            "protocol",
        ),
        (
            "half a body",
            vec![send(format!("{ok}content-length: 50\r\n\r\nhello"))],
            "protocol",
        ),
        (
            "a header with a NUL",
            vec![send(format!("{ok}x: a\0b\r\n\r\n"))],
            "protocol",
        ),
        (
            "a folded header",
            vec![send(format!("{ok}x: a\r\n b\r\n\r\n"))],
            "protocol",
        ),
        (
            "a header without a name",
            vec![send(format!("{ok}: a\r\n\r\n"))],
            "protocol",
        ),
        (
            "a space before the colon",
            vec![send(format!("{ok}content-length : 5\r\n\r\nhello"))],
            "protocol",
        ),
        (
            "a status of four digits",
            vec![send("HTTP/1.1 2000 OK\r\n\r\n")],
            "protocol",
        ),
        (
            "a bare CR",
            vec![send("HTTP/1.1 200 OK\rcontent-length: 0\r\r")],
            "protocol",
        ),
    ];
    let mut worst = Duration::ZERO;
    let count = bombs.len();
    for (name, script, want) in bombs {
        let (result, took) = probe(script).await;
        let error = match result {
            Err(e) => e,
            Ok((status, body)) => panic!("{name}: {status} with {} bytes", body.len()),
        };
        assert_eq!(case(&error), want, "{name}: {error}");
        assert!(took < limits().total + SLACK, "{name} took {took:?}");
        worst = worst.max(took);
    }
    println!(
        "response bombs: {count} probes, all ended with a typed error, the last after {worst:?} of {:?}",
        limits().total
    );
}

/// Compressed bytes stay compressed: what the guest gets is what was counted.
#[tokio::test]
async fn a_gzip_bomb_is_only_its_own_bytes() {
    // The head of a gzip stream, then what would inflate to a thousand times its size.
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bomb.extend_from_slice(&[0; 9000]);
    let mut script = vec![send(format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    ))];
    script.push(Do::Send(bomb.clone()));
    let (result, _) = probe(script).await;
    assert_eq!(result.unwrap(), (200, bomb));
}

#[tokio::test]
async fn honest_answers_of_every_shape() {
    for (name, script, want) in [
        ("a length", reply(200, "", "hello"), "hello"),
        (
            "chunks",
            vec![send(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nx: y\r\n\r\n",
            )],
            "hello",
        ),
        (
            "until the end",
            vec![send("HTTP/1.1 200 OK\r\n\r\nhello")],
            "hello",
        ),
        (
            "HTTP/1.0",
            vec![send("HTTP/1.0 200 OK\r\n\r\nhello")],
            "hello",
        ),
        (
            "after hints",
            vec![
                send("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
                send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
            ],
            "hello",
        ),
        (
            "slowly",
            vec![
                send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"),
                Do::Wait(Duration::from_millis(50)),
                send("llo"),
            ],
            "hello",
        ),
        ("empty", reply(204, "", ""), ""),
        ("an error", reply(500, "", "oops"), "oops"),
        (
            "more than announced",
            vec![send(
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
            )],
            "hello",
        ),
        (
            "100 headers",
            vec![
                send("HTTP/1.1 200 OK\r\n"),
                send(
                    (0..100)
                        .map(|n| format!("x-{n}: y\r\n"))
                        .collect::<String>(),
                ),
                send("\r\nhello"),
            ],
            "hello",
        ),
    ] {
        let (result, _) = probe(script).await;
        let (_, body) = result.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(String::from_utf8_lossy(&body), want, "{name}");
    }
}
