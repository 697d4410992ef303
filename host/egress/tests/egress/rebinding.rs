//! The address that was checked is the one that is connected to.

use crate::kit::{Server, World, allow, allow_inside, case, grants, reply};
use sandgate_egress::EgressConfig;
use sandgate_model::HttpGrant;
use std::time::Duration;

const PUBLIC: &str = "93.184.216.34";

#[tokio::test]
async fn one_resolution_for_each_request() {
    let world_server = Server::start(|_| reply(200, "", "the world")).await;
    let inner = Server::start(|_| reply(200, "", "inside")).await;
    let port = inner.port();
    let world = World::new();
    world
        .recorder
        .lead(&format!("{PUBLIC}:{port}"), world_server.address);
    // The first answer is fine, all others lead inside.
    world
        .names
        .set("rebind.example", &[&[PUBLIC], &["127.0.0.1"]]);
    let url = format!("http://rebind.example:{port}/");
    let client = world.client(grants(vec![allow(&format!("{url}*"), &["GET"])]));
    assert_eq!(client.text(&url).await.unwrap(), "the world");
    assert_eq!(world.names.asked(), ["rebind.example"]);
    let mut probes = 1;
    for _ in 0..20 {
        let error = client.get(&url).await.unwrap_err();
        assert_eq!(case(&error), "resolve", "{error}");
        probes += 1;
    }
    assert_eq!(world.names.asked().len(), probes);
    assert_eq!(
        world.recorder.attempts(),
        [format!("{PUBLIC}:{port}").parse().unwrap()]
    );
    println!(
        "rebinding: {probes} requests, {} inner connections",
        inner.accepted()
    );
    assert_eq!(inner.accepted(), 0);
    // The count can fail: a private rule does reach it.
    let private = world.client(grants(vec![allow_inside(&format!("{url}*"), &["GET"])]));
    assert_eq!(private.text(&url).await.unwrap(), "inside");
    assert_eq!(inner.accepted(), 1);
}

#[tokio::test]
async fn rebinding_between_hops() {
    let world_server = Server::start(|_| reply(302, "location: /again\r\n", "")).await;
    let inner = Server::start(|_| reply(200, "", "inside")).await;
    let port = inner.port();
    let world = World::new();
    world
        .recorder
        .lead(&format!("{PUBLIC}:{port}"), world_server.address);
    world
        .names
        .set("rebind.example", &[&[PUBLIC], &[PUBLIC], &["127.0.0.1"]]);
    let rule = HttpGrant {
        redirects: 5,
        ..allow(&format!("http://rebind.example:{port}/*"), &["GET"])
    };
    let error = world
        .client(grants(vec![rule]))
        .get(&format!("http://rebind.example:{port}/"))
        .await
        .unwrap_err();
    assert_eq!(case(&error), "resolve");
    assert_eq!(world_server.accepted(), 2);
    assert_eq!(inner.accepted(), 0);
}

#[tokio::test]
async fn of_many_answers_only_the_good_ones() {
    let world_server = Server::start(|_| reply(200, "", "the world")).await;
    let port = world_server.port();
    let world = World::new();
    world
        .recorder
        .lead(&format!("{PUBLIC}:{port}"), world_server.address);
    world.names.set(
        "mixed.example",
        &[&[
            "127.0.0.1",
            "10.0.0.1",
            "::1",
            "::ffff:10.0.0.1",
            "169.254.169.254",
            PUBLIC,
        ]],
    );
    let rule = |host: &str| allow(&format!("http://{host}:{port}/*"), &["GET"]);
    let client = world.client(grants(vec![
        rule("mixed.example"),
        rule("long.example"),
        rule("own.example"),
    ]));
    assert_eq!(
        client
            .text(&format!("http://mixed.example:{port}/"))
            .await
            .unwrap(),
        "the world"
    );
    assert_eq!(
        world.recorder.attempts(),
        [format!("{PUBLIC}:{port}").parse().unwrap()]
    );
    // Only the first eight are looked at.
    world.names.set(
        "long.example",
        &[&[
            "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7",
            "10.0.0.8", PUBLIC,
        ]],
    );
    let error = client
        .get(&format!("http://long.example:{port}/"))
        .await
        .unwrap_err();
    assert_eq!(case(&error), "resolve");
    // A global address of this very machine.
    world.names.set("own.example", &[&["93.184.216.99"]]);
    world.recorder.own("93.184.216.99");
    let error = client
        .get(&format!("http://own.example:{port}/"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "own.example has no address that may be used: 93.184.216.99 is an address of this machine; a rule with \
         `private = true` allows loopback and private networks"
    );
    assert_eq!(world.recorder.attempts().len(), 1);
}

/// The host's own listeners stay closed, whatever the policy grants.
#[tokio::test]
async fn never_to_the_host_itself() {
    let api = Server::start(|_| reply(200, "", "the host")).await;
    let port = api.port();
    for own in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
        let world = World::with(EgressConfig {
            own_addresses: vec![own.parse().unwrap()],
            ..EgressConfig::default()
        });
        world.names.set("name.example", &[&["127.0.0.1"]]);
        for host in [
            "127.0.0.1",
            "localhost",
            "name.example",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "127.1",
        ] {
            if host == "localhost" {
                world.names.set("localhost", &[&["127.0.0.1", "::1"]]);
            }
            let url = format!("http://{host}:{port}/");
            let client = world.client(grants(vec![allow_inside(&format!("{url}*"), &["GET"])]));
            let result = client.get(&url).await;
            // `::1` has no listener here when only IPv4 is listened on.
            assert!(result.is_err(), "{host} with {own}");
        }
    }
    assert_eq!(api.accepted(), 0);
    let world = World::new();
    let url = format!("http://127.0.0.1:{port}/");
    let client = world.client(grants(vec![allow_inside(&format!("{url}*"), &["GET"])]));
    assert_eq!(client.text(&url).await.unwrap(), "the host");
}

#[tokio::test]
async fn what_people_read() {
    let world = World::new();
    world
        .names
        .set("inner.example", &[&["10.1.2.3", "fe80::1"]]);
    world.names.set("none.example", &[&[]]);
    let rule = |host: &str| allow(&format!("http://{host}/*"), &["GET"]);
    let client = world.client(grants(vec![
        rule("inner.example"),
        rule("none.example"),
        rule("unknown.example"),
    ]));
    for (host, want) in [
        (
            "inner.example",
            "inner.example has no address that may be used: 10.1.2.3 is an address of a private network, fe80::1 is a \
             link-local address; a rule with `private = true` allows loopback and private networks",
        ),
        ("none.example", "none.example has no address"),
        (
            "unknown.example",
            "unknown.example cannot be looked up: no such name",
        ),
    ] {
        let error = client.get(&format!("http://{host}/")).await.unwrap_err();
        assert_eq!(
            (case(&error), error.to_string().as_str()),
            ("resolve", want)
        );
    }
    let limits = sandgate_egress::EgressLimits {
        connect: Duration::from_millis(50),
        ..Default::default()
    };
    world.names.set_slow(Duration::from_secs(30));
    let client = world.client_with(
        grants(vec![rule("inner.example")]),
        std::sync::Arc::new(sandgate_egress::NoSecrets),
        limits,
    );
    let error = client.get("http://inner.example/").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "looking up inner.example took longer than 50ms"
    );
}
