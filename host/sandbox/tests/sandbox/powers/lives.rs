//! Nothing outlives its call: deadline, cancel, end of a turn; and nothing that waits holds a thread.

use super::ports::Ports;
use super::{powerful, steps};
use crate::support::*;
use sandgate_sandbox::{LiveSession, Outcome, Powers};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How late a guest may be gone.
const LATE: Duration = Duration::from_millis(250);

/// Everything that waits for ever.
const WAITS: [&str; 10] = [
    "http GET http://host.test/slow",
    "http GET http://host.test/stall",
    "http GET http://host.test/endless-wait;send http://host.test/slow;receive",
    "command sleep",
    "generate local/never hi",
    "generate local/stall hi",
    "stream local/stall hi-ho",
    "begin local/stall hi;next;next",
    "begin local/stall hi;next;finish",
    "charge stall 1",
];

#[tokio::test]
async fn a_deadline_or_a_cancel_ends_everything_outside() {
    let mut worst = Duration::ZERO;
    for wait in WAITS {
        let ports = Ports::default();
        let deadline = Duration::from_millis(300);
        let wanted = powerful(&ports).deadline(300);
        let since = Instant::now();
        let outcome = wanted.run(wait).await;
        assert!(
            matches!(outcome, Outcome::Timeout { .. }),
            "{wait}: {outcome:?}"
        );
        ports.until_dead().await;
        worst = worst.max(since.elapsed().saturating_sub(deadline));

        let wanted = powerful(&ports);
        let cancel = wanted.cancel.clone();
        let cancelled = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            cancel.cancel();
            Instant::now()
        });
        let outcome = wanted.run(wait).await;
        assert!(matches!(outcome, Outcome::Cancelled), "{wait}: {outcome:?}");
        ports.until_dead().await;
        worst = worst.max(cancelled.await.unwrap().elapsed());
    }
    println!(
        "outside work: {} ways to wait, gone at most {worst:?} late",
        2 * WAITS.len()
    );
    assert!(worst < LATE, "{worst:?}");
}

#[tokio::test]
async fn what_a_call_left_going_ends_with_it() {
    let ports = Ports::default();
    let script = "send http://host.test/slow;send http://host.test/stall;receive;send http://host.test/slow;\
        begin local/stall a-b;begin local/x a-b;next";
    let told = steps(&powerful(&ports), script).await;
    assert!(told.iter().all(|told| told.starts_with("ok")), "{told:?}");
    let late = ports.until_dead().await;
    assert!(late < LATE, "{late:?}");
}

#[tokio::test]
async fn waiting_holds_no_thread() {
    // More than tokio has blocking threads by default.
    const WAITING: usize = 600;
    let ports = Ports::default();
    let mut all = Vec::new();
    for n in 0..WAITING {
        let wanted = powerful(&ports);
        all.push(tokio::spawn(async move {
            wanted.run(WAITS[[0, 3, 4, 6, 9][n % 5]]).await
        }));
    }
    while ports.alive() < WAITING {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let since = Instant::now();
    let told = steps(&powerful(&ports), "command exit;generate local/x hi").await;
    let took = since.elapsed();
    assert!(told[1].starts_with("ok hi"), "{told:?}");
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    println!(
        "waiting outside: {WAITING} guests, the next took {took:?}, {threads} threads in the process"
    );
    assert!(took < Duration::from_secs(2), "{took:?}");
    for one in all {
        one.abort();
    }
    ports.until_dead().await;
}

async fn open(wanted: &Try) -> LiveSession {
    let report = SANDBOX.open(&wanted.call(), &Value::Null).await;
    report.outcome.split().unwrap()
}

async fn tell(session: &mut LiveSession, wanted: &Try, script: &str) -> Outcome<Vec<String>> {
    let report = session
        .run(&wanted.turn(), wanted.task(json!(script)))
        .await;
    report.outcome.map(|answer| {
        let told = answer.output.as_str().unwrap().to_owned();
        told.split(';').map(str::to_owned).collect()
    })
}

#[tokio::test]
async fn each_turn_of_a_session_has_its_own_ports() {
    let (first, second) = (Ports::default(), Ports::default());
    let mut session = open(&powerful(&first)).await;
    let script = "charge a 100;remaining;send http://host.test/stall;receive;begin local/x a-b;next;send http://host.test/slow";
    let told = tell(&mut session, &powerful(&first), script)
        .await
        .split()
        .unwrap();
    assert_eq!(told[1], "ok Some(900)");
    // Between turns nothing of the first goes on, although the guest holds handles.
    assert!(first.until_dead().await < LATE);
    let calls = first.calls();
    let script = "remaining;body;receive;next;http GET http://host.test/ok;command exit;generate local/x hi;charge b 1";
    let told = tell(&mut session, &powerful(&second), script)
        .await
        .split()
        .unwrap();
    assert_eq!(told[0], "ok Some(1000)");
    assert!(told[1].starts_with("err after 0"), "{told:?}");
    assert_eq!(told[2], "err over");
    assert!(told[3].contains("is over"), "{told:?}");
    assert!(
        told[4..].iter().all(|told| told.starts_with("ok")),
        "{told:?}"
    );
    assert_eq!(
        first.calls(),
        calls,
        "the first turn's ports are not used in the second"
    );
    assert_eq!(second.calls().len(), 4);
}

#[tokio::test]
async fn a_turn_with_other_powers_is_refused_and_the_session_lives() {
    let ports = Ports::default();
    let wanted = powerful(&ports);
    let mut session = open(&wanted).await;
    let all = ports.powers();
    for powers in [
        Powers::default(),
        Powers {
            http: None,
            ..all.clone()
        },
        Powers {
            command: None,
            ..all.clone()
        },
        Powers {
            model: None,
            ..all.clone()
        },
        Powers {
            budget: None,
            ..all
        },
    ] {
        let mut other = wanted.clone();
        other.powers = powers;
        let outcome = tell(&mut session, &other, "remaining").await;
        assert!(matches!(outcome, Outcome::Host { .. }), "{outcome:?}");
        assert!(outcome.reason().contains("other capabilities"));
        assert!(session.is_alive());
    }
    assert_eq!(ports.calls(), Vec::<String>::new());
    let told = tell(&mut session, &wanted, "remaining")
        .await
        .split()
        .unwrap();
    assert_eq!(told, ["ok Some(1000)"]);
    // More than it was opened with is not less strict.
    let plain = hostile();
    let mut session = open(&plain).await;
    let mut more = plain.clone();
    more.powers = ports.powers();
    let outcome = tell(&mut session, &more, "recall").await;
    assert!(
        outcome.reason().contains("other capabilities"),
        "{outcome:?}"
    );
}
