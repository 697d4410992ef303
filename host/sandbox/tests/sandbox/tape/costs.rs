//! What recording costs: printed, not judged.

use super::deck::Deck;
use super::{life, place, with};
use sandgate_sandbox::Tape;
use std::time::{Duration, Instant};

const CALLS: u32 = 3_000;

async fn took(order: &str, tape: Option<Tape>) -> Duration {
    let dir = place();
    let wanted = with(&Deck::default());
    let since = Instant::now();
    life(&wanted, dir.path(), order, tape)
        .await
        .outcome
        .split()
        .unwrap();
    since.elapsed()
}

#[tokio::test]
async fn what_recording_and_replaying_cost() {
    took("1 1", None).await;
    for verb in ["mono", "wall", "stat", "read", "log", "random"] {
        let order = format!("1 {CALLS} only:{verb}");
        let without = took(&order, None).await / CALLS;
        let tape = Tape::recording();
        let with = took(&order, Some(tape.clone())).await / CALLS;
        let segment = tape.take();
        let bytes = segment.len() / CALLS as usize;
        let again = Tape::resume(&[segment]).unwrap();
        let replayed = took(&order, Some(again)).await / CALLS;
        println!(
            "{verb}: {without:?} without a tape, {with:?} recorded ({bytes} bytes), {replayed:?} replayed"
        );
    }
    let order = "1 10000 only:mono";
    let tape = Tape::recording();
    took(order, Some(tape.clone())).await;
    let segment = tape.take();
    let bytes = segment.len();
    let since = Instant::now();
    let tape = Tape::resume(&[segment]).unwrap();
    let read = since.elapsed();
    let replayed = took(order, Some(tape)).await;
    println!("10000 entries ({bytes} bytes): read in {read:?}, replayed in {replayed:?}");
}
