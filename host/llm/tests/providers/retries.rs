//! What is tried again, how often, and what never is.

use crate::support::{BOTH, ask, config, holds, models, models_with, provider, run, server};
use sandgate_egress::{Connector, Egress, EgressConfig, NetFuture};
use sandgate_llm::{ModelError, Models};
use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_broken_provider_is_asked_again_and_one_at_work_is_not() {
    let server = server();
    let mut tried = 0;
    for kind in BOTH {
        let models = models(&server, kind);
        for (name, tries) in [
            ("error-500-then-ok", 3),
            ("error-500", 3),
            ("error-429-then-ok", 2),
            ("error-429-long", 1),
            ("error-400", 1),
            ("error-401", 1),
            ("silent", 1),
            ("garbage", 1),
            ("cut-off", 1),
            ("no-end", 1),
            ("overloaded", 1),
            ("html", 1),
        ] {
            let before = server.seen().len();
            let outcome = run(&models, &ask(&format!("{name}@retry-{kind:?}"), "hi")).await;
            holds(name, &outcome);
            assert_eq!(server.seen().len() - before, tries, "{name}: {outcome:?}");
            if name.ends_with("then-ok") {
                assert_eq!(outcome.text(), "hi");
            }
            if name == "error-429-then-ok" {
                assert!(
                    outcome.took >= Duration::from_secs(1),
                    "retry-after was 1 s"
                );
            }
            // A request that nobody can tell the end of costs what was reserved; one that was refused, nothing.
            let unknown = matches!(name, "silent" | "garbage" | "cut-off" | "no-end" | "html");
            if unknown {
                assert_eq!(outcome.cost, outcome.reserved, "{name}");
            } else if outcome.result.is_err() {
                assert!(outcome.cost.is_nothing(), "{name}");
            }
            tried += 1;
        }
    }
    println!("{tried} of {tried} ends tried as often as they should be");
}

#[tokio::test]
async fn nobody_there_costs_nothing() {
    // A port that was free a moment ago.
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let mut provider = provider(BOTH[0], &format!("http://127.0.0.1:{port}/v1"));
    provider.max_retries = 1;
    let outcome = run(&Models::new(config(provider)).unwrap(), &ask("echo", "hi")).await;
    holds("nobody", &outcome);
    let error = outcome.error().to_string();
    assert!(matches!(outcome.error(), ModelError::Unavailable(_)));
    assert!(error.contains("after 2 tries"), "{error}");
    assert!(outcome.cost.is_nothing());
    assert!(
        outcome.took >= Duration::from_millis(250),
        "{:?}",
        outcome.took
    );
}

/// Nobody answers the call, ever.
struct Silence;

impl Connector for Silence {
    fn connect(&self, _: SocketAddr) -> NetFuture<'_, TcpStream> {
        Box::pin(std::future::pending())
    }

    fn is_own(&self, _: IpAddr) -> bool {
        false
    }
}

#[tokio::test]
async fn no_connection_in_time_costs_nothing() {
    let mut provider = provider(BOTH[0], "http://127.0.0.1:9/v1");
    provider.times.first_token = Duration::from_millis(200);
    let mut config = config(provider);
    config.egress = Egress::new(EgressConfig {
        connector: Arc::new(Silence),
        ..EgressConfig::default()
    })
    .unwrap();
    let outcome = run(&Models::new(config).unwrap(), &ask("echo", "hi")).await;
    holds("silence", &outcome);
    assert!(matches!(outcome.error(), ModelError::Unavailable(_)));
    assert!(outcome.cost.is_nothing(), "no request left: {outcome:?}");
}

#[tokio::test]
async fn waits_end_with_the_time_there_is() {
    let server = server();
    let models = models_with(&server, BOTH[0], |p| {
        p.max_retries = 8;
        // Waits of 250, 500, 1,000 ms fit, the next one does not.
        p.times.total = Duration::from_secs(3);
    });
    let outcome = run(&models, &ask("error-500", "hi")).await;
    assert!(outcome.took < Duration::from_secs(3), "{:?}", outcome.took);
    let error = outcome.error().to_string();
    assert!(error.contains("no time is left"), "{error}");
}
