//! Tapes that are not what they should be: no panic, and nothing done that the right tape would not lead to.

use super::deck::Deck;
use super::{life, place, run, tree, with};
use crate::support::*;
use sandgate_sandbox::{Outcome, TAPE_MAX, Tape, TapeError};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// A generator of numbers: the same ones each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// A tape with some effects on it.
async fn recorded(order: &str) -> Vec<Vec<u8>> {
    let deck = Deck::default();
    run(&deck, order, true).await;
    assert!(deck.segments().len() > 3);
    deck.segments()
}

/// Ends a segment again after it was changed, so that it is read.
fn seal(segment: &mut Vec<u8>) {
    segment.truncate(segment.len().saturating_sub(16));
    let seal = Sha256::digest(&segment);
    segment.extend(seal.iter().take(16));
}

/// Where the entries of a segment begin.
fn entries(segment: &[u8]) -> Vec<usize> {
    let mut at = 9;
    let mut found = Vec::new();
    while at + 16 < segment.len() {
        found.push(at);
        let length: [u8; 4] = segment.get(at..at + 4).unwrap().try_into().unwrap();
        at += 4 + u32::from_le_bytes(length) as usize;
    }
    found
}

#[tokio::test]
async fn bytes_that_are_no_tape_are_refused() {
    let segments = recorded("7 100").await;
    let mut numbers = Numbers(1);
    let (mut refused, mut taken) = (0, 0);
    for n in 0..20_000 {
        let mut bent = segments.clone();
        let which = numbers.below(bent.len());
        let segment = &mut bent[which];
        match numbers.below(4) {
            0 => segment.truncate(numbers.below(segment.len())),
            1 => {
                let at = numbers.below(segment.len());
                segment[at] ^= 1 << numbers.below(8);
            }
            2 => {
                *segment = (0..numbers.below(200))
                    .map(|_| numbers.below(256) as u8)
                    .collect()
            }
            _ => {
                let more = numbers.below(40);
                segment.extend((0..more).map(|_| numbers.below(256) as u8));
            }
        }
        // Every other one with a seal that fits: the entries have to be looked at as well.
        let is_sealed = n % 2 == 0;
        if is_sealed && !segment.is_empty() {
            seal(segment);
        }
        let is_empty = segment.is_empty();
        match Tape::resume(&bent) {
            Ok(_) if is_sealed => taken += 1,
            // A last segment that is not there cannot be missed.
            Ok(_) => assert!(is_empty || bent == segments),
            Err(_) => refused += 1,
        }
    }
    println!(
        "20000 bent tapes: {refused} refused, {taken} read (changed inside an entry), 0 panics"
    );
    assert!(refused > 5_000);

    let error = |segments: &[Vec<u8>]| Tape::resume(segments).unwrap_err();
    let mut other = segments.clone();
    other[0][0] = 2;
    let version = TapeError::Version {
        segment: 0,
        found: 2,
    };
    assert_eq!(error(&other), version);
    let mut other = segments.clone();
    other.swap(0, 1);
    assert!(matches!(error(&other), TapeError::Order { segment: 0, .. }));
    assert!(matches!(error(&segments[1..]), TapeError::Order { .. }));
    let mut twice = segments.clone();
    twice.push(segments[1].clone());
    assert!(matches!(error(&twice), TapeError::Order { .. }));
    assert!(matches!(
        error(&[vec![1; 9], vec![1; TAPE_MAX]]),
        TapeError::TooLarge { .. }
    ));
    assert!(!Tape::resume(&[Vec::new()]).unwrap().replaying());
}

/// Another function or other arguments than the guest comes to: it ends there, and nothing is done.
#[tokio::test]
async fn a_tape_of_something_else_ends_the_call_with_nothing_done() {
    let order = "7 60";
    let segments = recorded(order).await;
    let mut ends = 0;
    for (n, segment) in segments.iter().enumerate() {
        for at in entries(segment).into_iter().step_by(7) {
            // The tag, and a byte of the digest.
            for (place, bit) in [(at + 4, 1), (at + 4 + 1 + 8 + 3, 0x80)] {
                let mut bent = segments.clone();
                bent[n][place] ^= bit;
                seal(&mut bent[n]);
                let deck = Deck::default();
                let dir = super::place();
                let before = tree(dir.path());
                let Ok(tape) = Tape::resume(&bent) else {
                    continue;
                };
                let wanted = with(&deck);
                let report = life(&wanted, dir.path(), order, Some(tape)).await;
                assert!(
                    matches!(report.outcome, Outcome::Diverged { .. }),
                    "{:?}",
                    report.outcome
                );
                assert_eq!(deck.done(), Vec::<String>::new());
                assert_eq!(tree(dir.path()), before);
                assert_eq!(wanted.kept.texts(), Vec::<String>::new());
                ends += 1;
            }
        }
    }
    assert!(ends > 20);
    // Another task, another component, another directory, another port.
    let deck = Deck::default();
    let dir = place();
    let wanted = with(&deck);
    let tape = || Some(Tape::resume(&segments).unwrap());
    let other = life(&wanted, dir.path(), "8 60", tape()).await.outcome;
    let mut component = wanted.clone();
    component.component = noop_agent();
    let component = life(&component, dir.path(), order, tape()).await.outcome;
    let mut call = wanted.call();
    call.turn.tape = tape();
    let files = SANDBOX.run(&call, &wanted.config, wanted.task(json!(order)));
    let files = files.await.outcome;
    for outcome in [&other, &component] {
        let Outcome::Diverged { message } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(message.contains("its start"), "{message}");
    }
    assert!(
        matches!(files, Outcome::Refused { .. }),
        "it imports files: {files:?}"
    );
    assert_eq!(deck.done(), Vec::<String>::new());
    println!(
        "{} tapes of something else: all diverged or refused, 0 effects",
        ends + 3
    );
}

/// Answers that were changed inside: the guest goes another way, and is ended as soon as it asks for something else.
#[tokio::test]
async fn changed_answers_never_panic() {
    let order = "9 80";
    let segments = recorded(order).await;
    let mut numbers = Numbers(3);
    let (mut diverged, mut through, mut other) = (0, 0, 0);
    for _ in 0..150 {
        let mut bent = segments.clone();
        for _ in 0..1 + numbers.below(3) {
            let n = numbers.below(bent.len());
            let places = entries(&segments[n]);
            let at = places[numbers.below(places.len())];
            let length: [u8; 4] = segments[n][at..at + 4].try_into().unwrap();
            let payload = u32::from_le_bytes(length) as usize - 25;
            if payload > 0 {
                let place = at + 29 + numbers.below(payload);
                bent[n][place] ^= 1 << numbers.below(8);
                seal(&mut bent[n]);
            }
        }
        let dir = place();
        let tape = Tape::resume(&bent).unwrap();
        let report = life(&with(&Deck::default()), dir.path(), order, Some(tape)).await;
        match report.outcome {
            Outcome::Diverged { .. } => diverged += 1,
            Outcome::Output(_) => through += 1,
            Outcome::Host { message } => panic!("{message}"),
            _ => other += 1,
        }
    }
    println!(
        "150 tapes with changed answers: {diverged} diverged, {through} through, {other} otherwise, 0 panics"
    );
}

/// A guest that ends before its tape does has gone another way, whatever it answers.
#[tokio::test]
async fn a_call_that_ends_too_early_has_diverged() {
    let order = "7 60";
    let mut segments = recorded(order).await;
    let dir = place();
    let deck = Deck::default();
    let tape = Tape::resume(&segments).unwrap();
    let whole = life(&with(&deck), dir.path(), order, Some(tape.clone())).await;
    text(whole.outcome);
    segments.push(tape.take());
    // One more entry than the guest asks for: the last one again, under the next number.
    let position: usize = segments.iter().map(|segment| entries(segment).len()).sum();
    let from = segments
        .iter()
        .rev()
        .find(|segment| !segment.is_empty())
        .unwrap();
    let last = *entries(from).last().unwrap();
    let mut more = vec![1];
    more.extend((position as u64).to_le_bytes());
    more.extend(&from[last..]);
    seal(&mut more);
    segments.push(more);
    let tape = Tape::resume(&segments).unwrap();
    let report = life(&with(&deck), dir.path(), order, Some(tape)).await;
    let Outcome::Diverged { message } = report.outcome else {
        panic!("{:?}", report.outcome)
    };
    assert!(message.contains("it ended where"), "{message}");
    assert_eq!(deck.done(), Vec::<String>::new());
}

#[tokio::test]
async fn a_full_tape_is_a_limit() {
    let deck = Deck::default();
    let dir = place();
    let tape = Tape::recording();
    let report = life(
        &with(&deck),
        dir.path(),
        "1 1100 only:gulp",
        Some(tape.clone()),
    )
    .await;
    let Outcome::Limit { which, cap } = report.outcome else {
        panic!("{:?}", report.outcome)
    };
    assert_eq!(cap, TAPE_MAX as u64);
    assert!(which.what().contains("recorded"), "{}", which.what());
    assert!(tape.take().len() <= TAPE_MAX);
}
