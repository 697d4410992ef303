//! What one attempt may use at most.

use crate::kit::{Client, Do, Server, World, allow_inside, case, grants, reply, send};
use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use sandgate_authority::Target;
use sandgate_egress::{EgressLimits, EgressTimes, NetworkMeter, NoSecrets, OutBody};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn client(
    world: &World,
    server: &Server,
    limits: EgressLimits,
    meter: NetworkMeter,
) -> (Client, String) {
    let url = format!("http://127.0.0.1:{}/", server.port());
    let grants = grants(vec![allow_inside(&format!("{url}*"), &["GET", "POST"])]);
    (
        world.client_metered(grants, Arc::new(NoSecrets), limits, meter),
        url,
    )
}

#[tokio::test]
async fn eight_at_the_same_time() {
    let server = Server::start(|_| {
        vec![
            Do::Wait(Duration::from_millis(50)),
            send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        ]
    })
    .await;
    let world = World::new();
    let (client, url) = client(
        &world,
        &server,
        EgressLimits::default(),
        NetworkMeter::new(None),
    );
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move { client.text(&url).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), "ok");
    }
    println!(
        "concurrency: 32 requests, {} connections at the same time",
        server.most()
    );
    assert!(server.most() <= 8 && server.most() > 1);
}

/// A body that is held keeps its slot; the next one waits no longer than the total.
#[tokio::test]
async fn held_bodies_do_not_block_for_ever() {
    let server = Server::start(|_| vec![send("HTTP/1.1 200 OK\r\n\r\nx"), Do::Hang]).await;
    let world = World::new();
    let limits = EgressLimits {
        concurrent: 1,
        total: Duration::from_millis(300),
        ..EgressLimits::default()
    };
    let (client, url) = client(&world, &server, limits, NetworkMeter::new(None));
    let held = client.get(&url).await.unwrap();
    let start = Instant::now();
    let error = client.get(&url).await.unwrap_err();
    assert_eq!(case(&error), "timeout");
    assert!(start.elapsed() < Duration::from_secs(1));
    // The connection of the one that nobody reads is gone by then, too.
    assert!(server.all_closed(Duration::from_secs(1)).await);
    drop(held);
}

#[tokio::test]
async fn bytes_are_counted_for_all_requests_together() {
    let server = Server::start(|_| reply(200, "", &"a".repeat(10_000))).await;
    let world = World::new();
    let meter = NetworkMeter::new(Some(50_000));
    let (client, url) = client(&world, &server, EgressLimits::default(), meter.clone());
    let mut answered = 0;
    let error = loop {
        match client.text(&url).await {
            Ok(text) => {
                assert_eq!(text.len(), 10_000);
                answered += 1;
            }
            Err(e) => break e,
        }
        assert!(answered < 10);
    };
    assert_eq!(case(&error), "too-large");
    assert_eq!(
        error.to_string(),
        "the attempt has used up its 50000 network bytes"
    );
    // What goes over is at most one read.
    assert!((4..=5).contains(&answered), "{answered}");
    let accepted = server.accepted();
    assert_eq!(case(&client.text(&url).await.unwrap_err()), "too-large");
    assert_eq!(server.accepted(), accepted, "nothing more is opened");
    println!("network bytes: limit 50000, counted {}", meter.used());
    assert!(meter.used() >= 50_000 && meter.used() < 50_000 + 128 * 1024);

    let endless = Server::start(|_| {
        vec![
            send("HTTP/1.1 200 OK\r\n\r\n"),
            Do::Endless(vec![b'a'; 65536], Duration::ZERO),
        ]
    })
    .await;
    let meter = NetworkMeter::new(Some(1 << 20));
    let (client, url) = self::client(&world, &endless, EgressLimits::default(), meter.clone());
    assert_eq!(case(&client.text(&url).await.unwrap_err()), "too-large");
    assert!(meter.used() < (1 << 20) + 512 * 1024, "{}", meter.used());
}

#[tokio::test]
async fn dropping_ends_the_connection() {
    let server = Server::start(|seen| match seen.path() {
        "/head" => vec![Do::Hang],
        _ => vec![send("HTTP/1.1 200 OK\r\n\r\nfirst"), Do::Hang],
    })
    .await;
    let world = World::new();
    let (client, url) = client(
        &world,
        &server,
        EgressLimits::default(),
        NetworkMeter::new(None),
    );
    for path in ["head", "body"] {
        let url = format!("{url}{path}");
        let waiting = client.text(&url);
        drop(tokio::time::timeout(Duration::from_millis(100), Box::pin(waiting)).await);
        assert!(server.all_closed(Duration::from_secs(1)).await, "{path}");
    }
    assert_eq!(server.accepted(), 2);
}

/// A guest can shorten the times and not lengthen them.
#[tokio::test]
async fn times_of_guests_are_clamped() {
    let server = Server::start(|_| vec![Do::Hang]).await;
    let world = World::new();
    for (limit, asked) in [(200, 60_000), (60_000, 200)] {
        let limits = EgressLimits {
            first_byte: Duration::from_millis(limit),
            ..EgressLimits::default()
        };
        let (client, url) = client(&world, &server, limits, NetworkMeter::new(None));
        let permit = client
            .authority
            .permit_hop("GET", &Target::parse(&url).unwrap())
            .unwrap();
        let times = EgressTimes {
            first_byte: Some(Duration::from_millis(asked)),
            ..EgressTimes::default()
        };
        let start = Instant::now();
        let sent = client
            .session
            .send(permit, HeaderMap::new(), OutBody::Empty, times);
        let error = sent.await.unwrap_err();
        assert_eq!(case(&error), "timeout");
        assert!(error.to_string().ends_with("within 200ms"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}

#[tokio::test]
async fn json_for_the_host_itself() {
    let server = Server::start(|seen| {
        assert_eq!(seen.values("content-type"), ["application/json"]);
        vec![
            send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\ndata:1\r\n"),
            Do::Wait(Duration::from_millis(500)),
            send("6\r\ndata:2\r\n0\r\n\r\n"),
        ]
    })
    .await;
    let world = World::new();
    let (client, url) = client(
        &world,
        &server,
        EgressLimits::default(),
        NetworkMeter::new(None),
    );
    let permit = client
        .authority
        .permit_hop("POST", &Target::parse(&url).unwrap())
        .unwrap();
    let body = Bytes::from_static(b"{\"a\":1}");
    let response = client
        .session
        .post_json(permit, HeaderMap::new(), body)
        .await
        .unwrap();
    let mut body = response.into_body();
    let start = Instant::now();
    // Pieces come when they come, not at the end.
    assert_eq!(body.chunk().await.unwrap().unwrap(), "data:1");
    assert!(start.elapsed() < Duration::from_millis(400));
    assert_eq!(body.chunk().await.unwrap().unwrap(), "data:2");
    assert_eq!(body.chunk().await.unwrap(), None);
    assert!(body.is_end_stream());
    assert_eq!(server.seen()[0].body, b"{\"a\":1}");
    let too_much = {
        let permit = client
            .authority
            .permit_hop("POST", &Target::parse(&url).unwrap())
            .unwrap();
        let response = client
            .session
            .post_json(permit, HeaderMap::new(), Bytes::new())
            .await
            .unwrap();
        response.into_body().collect(7).await.unwrap_err()
    };
    assert_eq!(case(&too_much), "too-large");
}

/// One address that swallows packets does not use up the time of the next.
#[tokio::test]
async fn the_next_address_gets_its_share() {
    let server = Server::start(|_| reply(200, "", "ok")).await;
    let world = World::new();
    let port = server.port();
    // A closed port, then the one that answers.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    world.recorder.lead(&format!("10.9.9.9:{port}"), closed);
    world
        .names
        .set("two.example", &[&["10.9.9.9", "127.0.0.1"], &["10.9.9.9"]]);
    let url = format!("http://two.example:{port}/");
    let client = world.client(grants(vec![allow_inside(&format!("{url}*"), &["GET"])]));
    assert_eq!(client.text(&url).await.unwrap(), "ok");
    assert_eq!(world.recorder.attempts().len(), 2);
    let error = client.get(&url).await.unwrap_err();
    assert_eq!(case(&error), "connect", "{error}");
}
