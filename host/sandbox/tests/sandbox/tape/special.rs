//! Single cases of suspension that a random order does not show.

use super::deck::Deck;
use super::{call, life, place, run, with};
use crate::support::*;
use sandgate_sandbox::{Outcome, Tape};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_session_that_stays_has_no_tape() {
    let deck = Deck::default();
    let dir = place();
    let wanted = with(&deck);
    let refused = |outcome: Outcome<()>| match outcome {
        Outcome::Host { message } => assert!(message.contains("fresh one"), "{message}"),
        other => panic!("{other:?}"),
    };
    let with_tape = call(&wanted, dir.path(), Some(Tape::recording()));
    let report = SANDBOX.open(&with_tape, &wanted.config).await;
    refused(report.outcome.map(drop));
    let without = call(&wanted, dir.path(), None);
    let report = SANDBOX.open(&without, &wanted.config).await;
    let mut session = report.outcome.split().unwrap();
    let task = wanted.task(json!("1 0 do:charge"));
    let report = session.run(&with_tape.turn, task.clone()).await;
    refused(report.outcome.map(drop));
    assert_eq!(deck.done(), Vec::<String>::new());
    assert!(session.is_alive());
    text(session.run(&without.turn, task).await.outcome);
}

/// Every port ends a call without a tape as well, also from a request in the background.
#[tokio::test]
async fn without_a_tape_a_call_is_suspended_all_the_same() {
    for verb in [
        "get", "post", "both", "command", "charge", "generate", "stream", "ask",
    ] {
        let deck = Deck::new([0], []);
        let dir = place();
        let since = Instant::now();
        let order = format!("1 0 do:{verb}");
        let report = life(&with(&deck), dir.path(), &order, None).await;
        assert!(matches!(report.outcome, Outcome::Suspended), "{verb}");
        assert!(since.elapsed() < Duration::from_secs(5));
        // An answer that could not be made durable is not heard.
        let deck = Deck::new([], [0]);
        let report = life(&with(&deck), dir.path(), &order, None).await;
        assert!(
            matches!(&report.outcome, Outcome::Host { message } if message == super::CRASH),
            "{verb}: {:?}",
            report.outcome
        );
    }
}

/// A file that is held open while the call waits, and is another one when it goes on: the guest gets neither.
#[tokio::test]
async fn what_is_no_longer_there_is_refused() {
    let order = "1 0 do:begin,more,command,more,look,close";
    let whole = run(&Deck::default(), order, true).await.0;
    for replaced in [false, true] {
        let deck = Deck::new([0], []);
        let dir = place();
        let wanted = with(&deck);
        let tape = Tape::recording();
        let report = life(&wanted, dir.path(), order, Some(tape.clone())).await;
        assert!(matches!(report.outcome, Outcome::Suspended));
        deck.keep(tape.take());
        let held = "held 1";
        let (path, _) = super::tree(dir.path())
            .into_iter()
            .find(|(_, bytes)| bytes.starts_with(held.as_bytes()))
            .unwrap();
        let path = dir.path().join(path);
        if replaced {
            std::fs::write(dir.path().join("new"), "another").unwrap();
            std::fs::rename(dir.path().join("new"), &path).unwrap();
        }
        let tape = Tape::resume(&deck.segments()).unwrap();
        let report = life(&wanted, dir.path(), order, Some(tape)).await;
        let told = text(report.outcome);
        assert_eq!(told == whole.output, !replaced);
        let bytes = std::fs::read_to_string(&path).unwrap();
        assert_eq!(bytes.contains("held 3"), !replaced, "{bytes}");
    }
}

/// What was said before the suspension is said once, and half a line is said when it is whole.
#[tokio::test]
async fn words_are_said_once() {
    let order = "1 0 do:print,log,error,progress,command,print,command,log,progress";
    let whole = run(&Deck::default(), order, true).await.0;
    assert!(whole.lines.iter().any(|(_, line)| line == "out 0out 5"));
    for waits in [vec![0], vec![1], vec![0, 1]] {
        let seen = run(&Deck::new(waits, []), order, true).await.0;
        assert_eq!(seen, whole);
    }
}

/// A body that is too large to be held is not sent, and the guest is told.
#[tokio::test]
async fn bodies_are_bounded() {
    let deck = Deck::default();
    let dir = place();
    let mut wanted = with(&deck);
    wanted.component = power_agent();
    let upload = |megabytes: usize| format!("upload http://host.test/echo {}", megabytes << 20);
    let order = format!("{};{}", upload(15), upload(17));
    let report = life(&wanted, dir.path(), &order, Some(Tape::recording())).await;
    let told = text(report.outcome);
    let (small, large) = told.split_once(';').unwrap();
    assert!(small.starts_with("ok 200 POST /echo 15728640"), "{small}");
    assert!(large.starts_with("err"), "{large}");
    assert_eq!(deck.done(), ["POST /echo 15728640"]);
}

/// A deadline and a cancel end a replayed call as any other.
#[tokio::test]
async fn deadlines_and_cancels_win() {
    let deck = Deck::new([1], []);
    let dir = place();
    let order = "1 0 do:command,command,nap";
    let wanted = with(&deck);
    let tape = Tape::recording();
    life(&wanted, dir.path(), order, Some(tape.clone())).await;
    deck.keep(tape.take());
    let again = || Some(Tape::resume(&deck.segments()).unwrap());
    let cancelled = wanted.clone();
    cancelled.cancel.cancel();
    let report = life(&cancelled, dir.path(), order, again()).await;
    assert!(matches!(report.outcome, Outcome::Cancelled));
    assert_eq!(deck.done(), ["command-0"]);
    let mut fresh = with(&deck);
    fresh.limits.deadline = Duration::from_millis(200);
    let report = life(&fresh, dir.path(), order, again()).await;
    assert!(matches!(report.outcome, Outcome::Timeout { .. }));
    assert_eq!(deck.done(), ["command-0", "command-1"]);
}
