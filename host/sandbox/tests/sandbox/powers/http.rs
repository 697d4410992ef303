//! Outgoing HTTP: what reaches the port and what comes back.

use super::ports::Ports;
use super::{powerful, steps};
use crate::support::*;
use sandgate_sandbox::{LimitKind, Outcome};

#[tokio::test]
async fn a_request_reaches_the_port_as_it_was_made() {
    let ports = Ports::default();
    let told = steps(
        &powerful(&ports),
        "http GET https://Host.test:8443/a/b?c=d%20e",
    )
    .await;
    assert_eq!(told, ["ok 200 4 /a/b"]);
    assert_eq!(
        ports.calls(),
        [
            "GET https://Host.test:8443/a/b?c=d%20e Some('Host.test:8443') Some(1.5s)"
                .replace('\'', "\"")
        ]
    );
    let told = steps(&powerful(&ports), "upload http://host.test/echo 1000000").await;
    assert_eq!(told, ["ok 200 1000000 bytes"]);
}

#[tokio::test]
async fn failures_are_told_in_the_words_of_wasi_http() {
    let ports = Ports::default();
    for (path, code) in [
        ("denied", "ErrorCode::HttpRequestDenied"),
        ("resolve", "ErrorCode::DnsError"),
        ("connect", "ErrorCode::ConnectionRefused"),
        ("timeout", "ErrorCode::HttpResponseTimeout"),
        ("large", "ErrorCode::HttpResponseHeaderSectionSize"),
        ("headers", "ErrorCode::HttpResponseHeaderSectionSize"),
        ("protocol", "ErrorCode::HttpProtocolError"),
        ("host", "ErrorCode::InternalError(Some('disk'))"),
        ("break", "after 4: "),
    ] {
        let told = steps(
            &powerful(&ports),
            &format!("http GET http://host.test/{path}"),
        )
        .await;
        assert!(
            told[0].starts_with(&format!("err {code}")),
            "{path}: {told:?}"
        );
    }
    // What is no request at all never reaches it.
    let before = ports.calls().len();
    for wrong in [
        "http GET ftp://host.test/",
        "http GET http:///x",
        "http GET http://[:/",
    ] {
        let told = steps(&powerful(&ports), wrong).await;
        assert!(told[0].starts_with("err"), "{wrong}: {told:?}");
    }
    assert_eq!(ports.calls().len(), before);
}

#[tokio::test]
async fn requests_at_once_are_bounded() {
    let ports = Ports::default();
    let send = "send http://host.test/stall";
    let nine = [send; 9].join(";");
    let told = steps(&powerful(&ports), &format!("{nine};receive")).await;
    assert!(told[..8].iter().all(|told| told == "ok "), "{told:?}");
    let eleven = [send; 11].join(";");
    let script = format!("{eleven};forget;{send};receive");
    let told = steps(&powerful(&ports), &script).await;
    assert_eq!(told[11..], ["ok ", "ok ", "ok 200"], "{told:?}");
    ports.until_dead().await;
    // The ninth fails when it is waited for.
    let script = format!("{};receive", [send; 9].join(";"));
    let told = steps(&powerful(&ports), &script).await;
    assert_eq!(told[9], "err ErrorCode::ConnectionLimitReached");
}

#[tokio::test]
async fn headers_are_bounded_in_kind_size_and_number() {
    let ports = Ports::default();
    let wanted = powerful(&ports);
    for name in [
        "host",
        "transfer-encoding",
        "connection",
        "te",
        "proxy-x",
        "upgrade",
    ] {
        let told = steps(&wanted, &format!("header {name} x")).await;
        assert_eq!(told, ["err HeaderError::Forbidden"], "{name}");
    }
    assert_eq!(steps(&wanted, "header authorization x").await, ["ok "]);
    // Past 64 KiB the call ends: there is no error to give.
    assert_eq!(steps(&wanted, "headers 10 1000").await, ["ok "]);
    let outcome = wanted.run("headers 100 1000").await;
    assert!(matches!(outcome, Outcome::Trap { .. }), "{outcome:?}");
    for verb in ["fields", "requests"] {
        assert_eq!(steps(&wanted, &format!("{verb} 250")).await, ["ok "]);
        let before = resident();
        let outcome = wanted.run(&format!("{verb} 1000")).await;
        let grown = resident().saturating_sub(before) >> 20;
        let full = matches!(
            outcome,
            Outcome::Limit {
                which: LimitKind::Resources,
                ..
            }
        );
        assert!(full, "{verb}: {outcome:?}");
        println!("headers: {verb} of 30 KB held until the limit: host grew by {grown} MiB");
        assert!(grown < 32, "{grown} MiB");
    }
}

#[tokio::test]
async fn an_endless_body_ends_with_its_guest() {
    let ports = Ports::default();
    let wanted = powerful(&ports);
    let before = resident();
    let outcome = wanted.run("http GET http://host.test/endless").await;
    assert!(
        matches!(
            outcome,
            Outcome::Limit {
                which: LimitKind::Memory,
                ..
            }
        ),
        "{outcome:?}"
    );
    println!(
        "endless body: guest ended at its {} MiB, host grew by {} MiB",
        wanted.limits.memory >> 20,
        resident().saturating_sub(before) >> 20
    );
    ports.until_dead().await;
}
