//! The guest does everything in an order that a seed decides; its call is ended at every effect and made again.

use super::deck::Deck;
use super::run;

/// How many orders; raised by `SANDGATE_TAPE_ORDERS`.
fn orders() -> u64 {
    std::env::var("SANDGATE_TAPE_ORDERS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(2)
}

const STEPS: usize = 100;

#[tokio::test]
async fn a_call_that_was_suspended_is_like_one_that_was_not() {
    let (mut suspensions, mut crashes, mut effects, mut runs) = (0, 0, 0, 0);
    for seed in 1..=orders() {
        let order = format!("{seed} {STEPS}");
        // Without a tape at all: what a plugin's author sees.
        let (plain, _, _) = run(&Deck::default(), &order, false).await;
        let (whole, stats, lives) = run(&Deck::default(), &order, true).await;
        assert_eq!(lives, 1);
        assert_eq!(plain, whole, "{order}: recorded");
        let count = whole.done.len();
        effects += count;
        for k in 0..count {
            let (seen, again, lives) = run(&Deck::new([k], []), &order, true).await;
            assert_eq!(lives, 2);
            assert_eq!(seen, whole, "{order}: suspended at {k}");
            assert_eq!(again.host_calls, stats.host_calls, "{order}: {k}");
            assert_eq!(again.open_files_peak, stats.open_files_peak);
            let (seen, _, lives) = run(&Deck::new([], [k]), &order, true).await;
            assert_eq!(lives, 2);
            assert_eq!(seen, whole, "{order}: ended after {k}");
            suspensions += 1;
            crashes += 1;
            runs += 2;
        }
        // At every one of them, in turn.
        let (seen, _, lives) = run(&Deck::new(0..count, (0..count).step_by(2)), &order, true).await;
        assert_eq!(lives, 1 + count + count.div_ceil(2));
        assert_eq!(seen, whole, "{order}: suspended everywhere");
        suspensions += count;
        crashes += count.div_ceil(2);
        runs += 1;
    }
    println!(
        "{} orders of {STEPS} steps, {effects} effects: {runs} calls with {suspensions} suspensions and {crashes} ends of the \
         process, 0 differences, 0 effects repeated",
        orders()
    );
}

/// A guest whose requests depend on clocks and random numbers: a replay that gave it others would ask for something else.
#[tokio::test]
async fn what_differs_each_time_is_the_same_when_replayed() {
    let mut requests = 0;
    for seed in 100..100 + orders() {
        let order = format!("{seed} {STEPS} values");
        let (whole, _, _) = run(&Deck::default(), &order, true).await;
        let (other, _, _) = run(&Deck::default(), &order, true).await;
        assert_ne!(whole.output, other.output, "a test of nothing");
        let count = whole.done.len();
        for deck in [
            Deck::new(0..count, []),
            Deck::new([], 0..count),
            Deck::new((0..count).step_by(3), (0..count).step_by(2)),
        ] {
            let (seen, _, lives) = run(&deck, &order, true).await;
            assert!(lives > 1);
            // The guest says in the end what it asked for; the ports say what they were asked.
            let (_, asked) = seen.output.split_once(' ').unwrap();
            let asked: Vec<&str> = asked.split(',').collect();
            assert_eq!(asked.len(), seen.done.len());
            for (asked, done) in asked.iter().zip(&seen.done) {
                assert!(done.contains(asked), "{done} is not {asked}");
            }
            requests += asked.len();
        }
    }
    println!(
        "{requests} requests that depend on clocks and random numbers, each done once as the guest says"
    );
}
