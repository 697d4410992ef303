//! The promises of the engine in simulated worlds, and proof that the observer can see them broken.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use proptest::prelude::*;
use sandgate_engine::{Run, RunState};
use sandgate_model::Plan;
use sandgate_testkit::{
    Crash, Lie, PlanBuilder, Rng, Script, Sequence, Tally, TaskBuilder, World, plan, plan_of,
};
use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

/// Seeds without `SANDGATE_SEEDS`: what fits into a few seconds on two cores.
const SEEDS: u64 = 2_000;

fn seeds() -> u64 {
    env::var("SANDGATE_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(SEEDS)
}

fn failing() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/failing")
}

/// Lives through a world; a broken promise leaves its events in a file.
fn live(mut world: World, name: &str) -> Tally {
    match world.live() {
        Ok(tally) => tally,
        Err(violation) => {
            let path = failing().join(format!("{name}.jsonl"));
            world.sequence(violation.to_string()).write(&path).unwrap();
            panic!(
                "{name}: {violation}\nstep through it: cargo run -p sandgate-testkit --bin sandgate-replay -- {}",
                path.display()
            );
        }
    }
}

/// One figure of a world.
type Count = fn(&Tally) -> usize;

fn in_two(seeds: u64, one: impl Fn(u64) -> Tally + Sync) -> Vec<Tally> {
    thread::scope(|scope| {
        let half = |odd: u64| {
            let one = &one;
            scope.spawn(move || {
                (0..seeds)
                    .filter(|s| s % 2 == odd)
                    .map(one)
                    .collect::<Vec<_>>()
            })
        };
        let (even, odd) = (half(0), half(1));
        let mut all = even.join().unwrap();
        all.extend(odd.join().unwrap());
        all
    })
}

#[test]
fn every_promise_holds_in_every_world() {
    let all = in_two(seeds(), |seed| {
        live(World::of(seed), &format!("seed-{seed}"))
    });
    let sum = |of: fn(&Tally) -> usize| all.iter().map(of).sum::<usize>();
    let states: BTreeSet<_> = all.iter().filter_map(|tally| tally.state).collect();
    println!(
        "{} worlds: {} events, {} refused, {} crashes, {} retries, {} calls, {} calls refused, {} over budget, {} events with a task short of money, {} times asked, ends {states:?}\n\
         {} requests to people, at most {} open at once, {} decisions, {} more that did not count; \
         {} suspensions, {} resumptions, {} approved calls, {} noes, {} answers, {} stale; \
         {} calls changed after approval, {} of them approved so by chance; \
         {} signals taken, {} refused; {} times a task was steered; {} plans edited or made anew",
        all.len(),
        sum(|t| t.events),
        sum(|t| t.refused),
        sum(|t| t.crashes),
        sum(|t| t.retries),
        sum(|t| t.calls),
        sum(|t| t.calls_refused),
        sum(|t| t.over_budget),
        sum(|t| t.short),
        sum(|t| t.asked),
        sum(|t| t.asks),
        all.iter().map(|t| t.asks_open_most).max().unwrap_or(0),
        sum(|t| t.decisions),
        sum(|t| t.decisions_refused),
        sum(|t| t.suspensions),
        sum(|t| t.resumptions),
        sum(|t| t.consents),
        sum(|t| t.noes),
        sum(|t| t.answers),
        sum(|t| t.stale),
        sum(|t| t.mutations),
        sum(|t| t.mutations_taken),
        sum(|t| t.signals),
        sum(|t| t.signals_refused),
        sum(|t| t.steered),
        sum(|t| t.replans),
    );
    let many: [(&str, Count); 9] = [
        ("requests", |t| t.asks),
        ("decisions", |t| t.decisions),
        ("decisions that do not count", |t| t.decisions_refused),
        ("suspensions", |t| t.suspensions),
        ("resumptions", |t| t.resumptions),
        ("approved calls", |t| t.consents),
        ("calls changed after approval", |t| t.mutations),
        ("signals", |t| t.signals),
        ("plans edited or made anew", |t| t.replans),
    ];
    for (what, of) in many {
        assert!(sum(of) > all.len() / 50, "{what}: {}", sum(of));
    }
    assert!(sum(|t| t.crashes) > all.len() / 4, "crashes happen");
    assert!(sum(|t| t.refused) > all.len(), "nonsense is refused");
    assert!(sum(|t| t.retries) > all.len() / 10, "people retry");
    assert!(sum(|t| t.calls) > all.len(), "plugins call");
    assert!(
        sum(|t| t.calls_refused) > all.len() / 4,
        "not every call is taken"
    );
    assert!(sum(|t| t.over_budget) > all.len() / 20, "money runs out");
    assert!(sum(|t| t.short) > all.len() / 4, "money is short");
    assert!(sum(|t| t.asked) > all.len() / 100, "people are asked");
    assert!(
        states.len() >= 5,
        "runs end, and wait, in many ways: {states:?}"
    );
}

#[test]
fn a_crash_at_every_journal_write_changes_no_promise() {
    in_two(16, |seed| {
        let script = Script {
            crash: Crash::Never,
            nonsense: 0,
            ..Script::of(&mut Rng::new(!seed))
        };
        let world = |crash| World::new(plan_of(seed), Script { crash, ..script }, seed);
        let whole = live(world(Crash::Never), &format!("crash-{seed}-never"));
        for at in 0..whole.events {
            live(
                world(Crash::Before(at)),
                &format!("crash-{seed}-before-{at}"),
            );
            live(world(Crash::After(at)), &format!("crash-{seed}-after-{at}"));
        }
        whole
    });
}

/// Everything that people decide, in one run.
fn decided() -> Arc<Plan> {
    PlanBuilder::new()
        .task(TaskBuilder::new("draft").questions())
        .task(TaskBuilder::new("ci").wait("ci", None).matching(&["sha"]))
        .task(
            TaskBuilder::new("tag")
                .needs(&[0, 1])
                .approval_before()
                .asks_exec()
                .questions(),
        )
        .task(
            TaskBuilder::new("notes")
                .needs(&[0])
                .approval_after()
                .asks_exec(),
        )
        .task(TaskBuilder::new("publish").needs(&[2, 3]).asks_charges())
        .gate("checks", 0)
        .review()
        .build()
}

#[test]
fn a_crash_at_every_write_of_a_run_in_which_people_decide() {
    let script = Script {
        guests: 500,
        ..Script::calm()
    };
    let (mut crashes, mut ends) = (0, BTreeSet::new());
    let whole = in_two(30, |seed| {
        let world = World::new(decided(), script, seed);
        live(world, &format!("decided-{seed}"))
    });
    let all = in_two(30, |seed| {
        let world = |crash| World::new(decided(), Script { crash, ..script }, seed);
        let writes = live(world(Crash::Never), &format!("decided-{seed}")).events;
        let mut sum = Tally::default();
        for at in 0..writes {
            for crash in [Crash::Before(at), Crash::After(at)] {
                let tally = live(world(crash), &format!("decided-{seed}-{crash:?}"));
                sum.crashes += tally.crashes;
                sum.asks += tally.asks;
                sum.consents += tally.consents;
                sum.resumptions += tally.resumptions;
                sum.state = tally.state;
            }
        }
        sum
    });
    crashes += all.iter().map(|t| t.crashes).sum::<usize>();
    ends.extend(whole.iter().filter_map(|t| t.state));
    println!(
        "{crashes} kills, one at each write of 30 runs with a review, approvals, questions and a signal: \
         {} requests, {} approved calls, {} resumptions; nothing asked or done twice",
        all.iter().map(|t| t.asks).sum::<usize>(),
        all.iter().map(|t| t.consents).sum::<usize>(),
        all.iter().map(|t| t.resumptions).sum::<usize>(),
    );
    assert!(crashes > 1_000, "{crashes}");
    assert!(
        ends.contains(&RunState::Verified),
        "some go all the way: {ends:?}"
    );
}

#[test]
fn a_calm_world_verifies_every_plan_that_needs_nobody() {
    let mut verified = 0;
    for seed in 0..2_000 {
        let plan = plan_of(seed);
        let waits = |grants: &sandgate_model::Grants| grants.may_wait();
        let needs_somebody = plan.review
            || plan.gates.iter().any(|gate| waits(&gate.grants))
            || plan.tasks.iter().any(|task| waits(&task.grants))
            || plan.timeout.is_some()
            || plan.budget.is_some()
            || plan.tasks.iter().any(|task| task.budget.is_some())
            || plan.tasks.iter().any(|task| {
                task.approval_before
                    || task.approval_after
                    || task.when.is_some()
                    || task.for_each.is_some()
                    || task.consumes.iter().any(|a| a.name.as_str() == "missing")
                    || matches!(task.work, sandgate_model::TaskWork::Wait(_))
            });
        if !needs_somebody {
            let tally = live(
                World::new(plan, Script::calm(), seed),
                &format!("calm-{seed}"),
            );
            assert_eq!(tally.state, Some(RunState::Verified), "seed {seed}");
            verified += 1;
        }
    }
    println!("{verified} plans that need nobody, all verified");
    assert!(verified > 30, "{verified} plans were simple enough");
}

/// The first world with this lie in which the promise breaks.
fn found_out(lie: Lie, promise: &'static str) -> Option<u64> {
    (0..400).find(|seed| World::of(*seed).with_lie(lie, promise).live().is_err())
}

#[test]
fn every_lie_is_found_out() {
    let cases: &[(Lie, &'static str)] = &[
        (Lie::Needs, "dependency-order"),
        (Lie::Artifacts, "dependency-order"),
        (Lie::Slots, "concurrency"),
        (Lie::Sessions, "sessions"),
        (Lie::Attempts, "retry-limit"),
        (Lie::Priorities, "order-of-starts"),
        (Lie::Tiers, "tiers"),
        (Lie::Repeatable, "unknown-ends"),
        (Lie::Cancel, "cancel-wins"),
        (Lie::Pause, "pause"),
        (Lie::Pause, "reasons"),
        (Lie::Cancel, "stop"),
        (Lie::Silence, "commands"),
        (Lie::Orphan, "no-owner-is-left"),
        (Lie::Gates, "gates-fail-closed"),
        (Lie::Success, "attempts-are-final"),
        (Lie::Failure, "attempts-are-final"),
        (Lie::Memory, "finished-stays"),
        (Lie::Idleness, "ends-or-waits"),
        (Lie::Clock, "replay"),
        (Lie::Snapshot, "snapshot"),
        (Lie::Refusal, "illegal-changes-nothing"),
        (Lie::Limit, "ledger"),
        (Lie::Budgets, "reservations"),
        (Lie::Reserve, "ledger"),
        (Lie::Calls, "calls-pair"),
        (Lie::Approvals, "approved-first"),
        (Lie::Consent, "approved-first"),
        (Lie::ForRun, "used-once"),
        (Lie::Votes, "one-decision"),
        (Lie::Asks, "asked-once"),
        (Lie::Results, "results"),
        (Lie::TaskPause, "steered"),
        (Lie::Tape, "tape"),
    ];
    for (lie, promise) in cases {
        let found = found_out(*lie, promise);
        assert!(found.is_some(), "{lie:?} should break `{promise}`");
    }
}

#[test]
fn a_failing_sequence_can_be_read_back_and_replayed() {
    let mut world = World::of(1).with_lie(Lie::Clock, "replay");
    let why = world.live().unwrap_err().to_string();
    let sequence = world.sequence(why);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sequence.jsonl");
    sequence.write(&path).unwrap();
    assert_eq!(Sequence::read(&path).unwrap(), sequence);

    let (at, first) = &sequence.events[0];
    let (mut run, _) = Run::create(sequence.run, *at, first).unwrap();
    for (at, event) in &sequence.events[1..] {
        run.step(*at, event).unwrap();
    }
    assert_eq!(&run, world.run());

    std::fs::write(&path, "{}\n").unwrap();
    assert!(
        Sequence::read(&path)
            .unwrap_err()
            .to_string()
            .contains("line 1")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Once more with plans that shrink: of a failure, the smallest plan is reported.
    #[test]
    fn every_promise_holds_for_any_plan(plan in plan(), seed in 0u64..1_000_000) {
        let script = Script::of(&mut Rng::new(!seed));
        let mut world = World::new(plan, script, seed);
        if let Err(violation) = world.live() {
            let path = failing().join("smallest.jsonl");
            world.sequence(violation.to_string()).write(&path).unwrap();
            prop_assert!(false, "{violation}\n{}", path.display());
        }
    }
}
