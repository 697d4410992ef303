//! Many people say something at once: exactly one decision is recorded, and everybody else hears whose.

use crate::people::{governed, rule, who};
use sandgate_engine::{AskState, DecideRefusal, Event, Judged, RunState};
use sandgate_model::{Actor, AskNo, Decision, Moment, RuleOn};
use sandgate_testkit::{PlanBuilder, Rng, TaskBuilder};

/// Raised by an environment variable for longer hunts.
#[expect(
    clippy::disallowed_methods,
    reason = "how long to hunt is no setting of the product"
)]
fn races() -> u64 {
    let asked = std::env::var("SANDGATE_RACES").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

#[test]
fn of_sixteen_that_decide_at_once_one_is_recorded() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a"))
        .review()
        .build();
    let rules = vec![rule("dev", RuleOn::Plan, &["dev"])];
    let (fresh, _) = governed(rules, &[], plan);
    let digest = fresh.run.ask(AskNo(1)).unwrap().ask.digest;
    let people: Vec<Actor> = (0..10)
        .map(|n| who(&format!("p{n}"), if n < 7 { &["dev"] } else { &["guest"] }))
        .collect();
    let mut rng = Rng::new(7);
    let (mut yes, mut no, mut repeats, mut conflicts, mut strangers) = (0, 0, 0, 0, 0);
    let races = races();
    for race in 0..races {
        let mut run = fresh.run.clone();
        let mut recorded = Vec::new();
        // Each of the sixteen has judged an open request before any of them was recorded: what counts is the order in
        // which they come to the journal, and that is this one.
        let calls: Vec<(Actor, Decision)> = (0..16)
            .map(|_| {
                let by = rng.pick(&people).unwrap().clone();
                let decision = if rng.below(2) == 0 {
                    Decision::YES
                } else {
                    Decision::NO
                };
                (by, decision)
            })
            .collect();
        for (by, decision) in calls {
            let judged = run.judge(AskNo(1), digest, decision, &by);
            let event = Event::Decided {
                ask: AskNo(1),
                digest,
                decision,
                by: by.clone(),
                reason: String::new(),
            };
            let before = run.clone();
            let stepped = run.step(Moment(race), &event);
            assert_eq!(
                stepped.is_ok(),
                matches!(judged, Ok(Judged::New { .. })),
                "{judged:?}"
            );
            if stepped.is_err() {
                assert!(run == before, "a refused decision left a trace");
            }
            match judged {
                Ok(Judged::New { ends }) => {
                    assert!(ends.is_some() && by.has("dev"));
                    recorded.push((by, decision));
                }
                Ok(Judged::Repeat { winner }) => {
                    repeats += 1;
                    assert_eq!((&winner.by, winner.decision), (&recorded[0].0, decision));
                }
                Err(DecideRefusal::Conflict { winner }) => {
                    conflicts += 1;
                    assert_eq!(winner.by, recorded[0].0);
                    assert_ne!(winner.decision, decision);
                }
                Err(DecideRefusal::NotAllowed { .. }) => {
                    strangers += 1;
                    assert!(recorded.is_empty() && !by.has("dev"));
                }
                Err(refused) => panic!("{refused}"),
            }
        }
        assert!(recorded.len() <= 1, "race {race}: {recorded:?}");
        let view = run.ask(AskNo(1)).unwrap();
        match recorded.first() {
            Some((_, Decision::YES)) => {
                yes += 1;
                assert_eq!(
                    (view.state, run.state()),
                    (AskState::Approved, RunState::Running)
                );
            }
            Some(_) => {
                no += 1;
                assert_eq!(
                    (view.state, run.state()),
                    (AskState::Rejected, RunState::Cancelled)
                );
            }
            None => assert_eq!(view.state, AskState::Open),
        }
        assert_eq!(view.votes.len(), recorded.len());
    }
    assert!(yes > 0 && no > 0 && repeats > 0 && conflicts > 0 && strangers > 0);
    println!(
        "{races} races of 16 decisions: {} recorded ({yes} yes, {no} no), never two; {repeats} repeats, {conflicts} \
         conflicts, all naming the winner; {strangers} refused",
        yes + no
    );
}

/// Two of three rules-bound votes: never more than are needed, never one person twice, and a no ends it.
#[test]
fn of_sixteen_votes_exactly_as_many_count_as_the_rule_wants() {
    let plan = PlanBuilder::new()
        .task(TaskBuilder::new("a"))
        .review()
        .build();
    let mut three = rule("three", RuleOn::Plan, &["dev"]);
    three.count = 3;
    let (fresh, _) = governed(vec![three], &[], plan);
    let digest = fresh.run.ask(AskNo(1)).unwrap().ask.digest;
    let people: Vec<Actor> = (0..8).map(|n| who(&format!("p{n}"), &["dev"])).collect();
    let mut rng = Rng::new(11);
    let (mut approved, mut rejected) = (0, 0);
    for race in 0..races() / 10 {
        let mut run = fresh.run.clone();
        for _ in 0..16 {
            let decision = if rng.below(12) == 0 {
                Decision::NO
            } else {
                Decision::YES
            };
            let event = Event::Decided {
                ask: AskNo(1),
                digest,
                decision,
                by: rng.pick(&people).unwrap().clone(),
                reason: String::new(),
            };
            let _taken = run.step(Moment(race), &event);
        }
        let view = run.ask(AskNo(1)).unwrap();
        let names: std::collections::BTreeSet<&str> = view
            .votes
            .iter()
            .map(|vote| vote.by.name.as_str())
            .collect();
        assert_eq!(names.len(), view.votes.len(), "one principal is one vote");
        match view.state {
            AskState::Approved => {
                approved += 1;
                assert_eq!(view.votes.len(), 3);
                assert!(view.votes.iter().all(|vote| vote.decision.approves()));
            }
            AskState::Rejected => {
                rejected += 1;
                let (last, others) = view.votes.split_last().unwrap();
                assert!(!last.decision.approves() && others.len() < 3);
                assert!(others.iter().all(|vote| vote.decision.approves()));
            }
            state => panic!("{state:?} after 16 votes"),
        }
    }
    assert!(approved > 0 && rejected > 0);
    println!(
        "three of eight: {approved} approved by exactly 3, {rejected} rejected by the first no"
    );
}
