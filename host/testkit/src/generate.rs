//! Generated plans: graphs of up to 40 tasks in which plan order and order of dependencies have nothing to do with
//! each other, with everything in them that the engine knows. They shrink towards few tasks without frills.

use crate::build::{TaskBuilder, gate, model};
use proptest::{
    prelude::*,
    sample::Index,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sandgate_model::{Millis, OnFailure, OverBudget, Plan, RunBudget};
use std::sync::Arc;

#[derive(Clone, Debug)]
struct RawTask {
    /// Dependencies go from a higher rank to a lower one; ties go by position.
    rank: u16,
    needs: Vec<Index>,
    consumes: Vec<(Index, bool)>,
    produces: bool,
    kind: Kind,
    when: bool,
    for_each: bool,
    attempts: u32,
    backoff: u64,
    priority: i32,
    session: Option<bool>,
    writes: bool,
    repeatable: bool,
    money: Money,
    people: People,
}

/// What of a task's work may have to wait for people.
#[derive(Clone, Copy, PartialEq, Debug)]
struct People {
    exec: bool,
    model: bool,
    charges: bool,
    questions: bool,
}

/// What a task may spend.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Money {
    model: bool,
    charges: bool,
    budget: Option<u64>,
    tokens: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Agent,
    ApprovalBefore,
    ApprovalAfter,
    ApprovalBoth,
    Wait(Option<u64>),
}

fn sometimes(weight: f64) -> impl Strategy<Value = bool> {
    prop::bool::weighted(weight)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        180 => Just(Kind::Agent),
        8 => Just(Kind::ApprovalBefore),
        6 => Just(Kind::ApprovalAfter),
        1 => Just(Kind::ApprovalBoth),
        6 => (0u64..20_000).prop_map(|timeout| Kind::Wait(Some(timeout))),
        1 => Just(Kind::Wait(None)),
    ]
}

fn money() -> impl Strategy<Value = Money> {
    let nothing = Money {
        model: false,
        charges: false,
        budget: None,
        tokens: None,
    };
    let some = (
        any::<bool>(),
        sometimes(0.3),
        prop::option::weighted(0.4, 0u64..1500),
        prop::option::weighted(0.2, 0u64..400),
    );
    let some = some.prop_map(|(model, charges, budget, tokens)| Money {
        model,
        charges,
        budget,
        tokens,
    });
    prop_oneof![1 => Just(nothing), 1 => some]
}

/// What a run may cost: often nothing is said, and then again far too little.
fn run_budget() -> impl Strategy<Value = Option<RunBudget>> {
    let budget = (
        prop_oneof![1 => 0u64..100, 3 => 0u64..6000],
        prop::option::weighted(0.4, 0u64..8000),
        sometimes(0.25),
    );
    let budget = budget.prop_map(|(limit, tokens, ask)| RunBudget {
        limit,
        tokens,
        over: if ask {
            OverBudget::Ask
        } else {
            OverBudget::Refuse
        },
    });
    prop::option::weighted(0.5, budget)
}

fn people() -> impl Strategy<Value = People> {
    let nothing = People {
        exec: false,
        model: false,
        charges: false,
        questions: false,
    };
    let some = (any::<bool>(), sometimes(0.3), sometimes(0.2), any::<bool>());
    let some = some.prop_map(|(exec, model, charges, questions)| People {
        exec,
        model,
        charges,
        questions,
    });
    prop_oneof![7 => Just(nothing), 1 => some]
}

fn raw_task() -> impl Strategy<Value = RawTask> {
    let graph = (
        any::<u16>(),
        prop::collection::vec(any::<Index>(), 0..4),
        prop::collection::vec((any::<Index>(), sometimes(0.02)), 0..2),
        sometimes(0.5),
    );
    let run = (
        kind(),
        sometimes(0.15),
        sometimes(0.12),
        1u32..4,
        prop_oneof![Just(0u64), 1u64..3000],
    );
    let order = (
        -2i32..3,
        prop::option::weighted(0.25, any::<bool>()),
        sometimes(0.25),
        any::<bool>(),
    );
    (graph, run, order, (money(), people())).prop_map(
        |(
            (rank, needs, consumes, produces),
            (kind, when, for_each, attempts, backoff),
            order,
            (money, people),
        )| {
            let (priority, session, writes, repeatable) = order;
            RawTask {
                rank,
                needs,
                consumes,
                produces,
                kind,
                when,
                for_each,
                attempts,
                backoff,
                priority,
                session,
                writes,
                repeatable,
                money,
                people,
            }
        },
    )
}

/// Any plan.
pub fn plan() -> impl Strategy<Value = Arc<Plan>> {
    let size = prop_oneof![2 => 0usize..8, 4 => 6usize..20, 3 => 20usize..41];
    let tasks = size.prop_flat_map(|n| prop::collection::vec(raw_task(), n));
    let gates = prop::collection::vec((0u32..3, sometimes(0.4), sometimes(0.1)), 0..4);
    let rest = (
        1u32..7,
        sometimes(0.3),
        prop::option::weighted(0.1, 1000u64..60_000),
        sometimes(0.12),
        run_budget(),
    );
    (tasks, gates, rest).prop_map(
        |(raw, tiers, (concurrency, stop, timeout, review, budget))| {
            let mut plan = Plan::clone(&crate::PlanBuilder::new().concurrency(concurrency).build());
            plan.tasks = (0..raw.len()).map(|at| task(&raw, at).build()).collect();
            plan.gates = tiers
                .iter()
                .enumerate()
                .map(|(i, (tier, spends, questions))| {
                    let mut gate = gate(&format!("g{i}"), *tier);
                    if *spends {
                        gate.grants.model = model();
                    }
                    gate.grants.question = *questions;
                    gate
                })
                .collect();
            plan.on_failure = if stop {
                OnFailure::Stop
            } else {
                OnFailure::Continue
            };
            plan.timeout = timeout.map(Millis);
            plan.review = review;
            plan.budget = budget;
            Arc::new(plan)
        },
    )
}

/// The plan that this seed names.
///
/// # Panics
/// Never: no generator of plans rejects a value.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "no filter is used, so nothing can be rejected"
)]
pub fn plan_of(seed: u64) -> Arc<Plan> {
    let mut bytes = [0; 32];
    for (byte, from) in bytes.iter_mut().zip(seed.to_le_bytes()) {
        *byte = from;
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    plan().new_tree(&mut runner).expect("a plan").current()
}

fn task(raw: &[RawTask], at: usize) -> TaskBuilder {
    let mut task = TaskBuilder::new(&format!("t{at}"));
    let Some(own) = raw.get(at) else {
        return task;
    };
    // Only tasks of a lower rank: no cycle.
    let below: Vec<(u32, &RawTask)> = (0u32..)
        .zip(raw)
        .filter(|(i, other)| (other.rank, *i as usize) < (own.rank, at))
        .collect();
    let choose = |index: &Index| (!below.is_empty()).then(|| index.get(&below));
    for (need, _) in own.needs.iter().filter_map(choose) {
        task = task.needs(&[*need]);
    }
    for (index, wrong) in &own.consumes {
        if let Some((need, other)) = choose(index)
            && (other.produces || *wrong)
        {
            task = task.consumes(*need, if *wrong { "missing" } else { "made" });
        }
    }
    task = task.retry(own.attempts, own.backoff).priority(own.priority);
    if own.produces {
        task = task.produces("made");
    }
    if own.when {
        task = task.when();
    }
    if own.for_each {
        task = task.for_each();
    }
    if let Some(session) = own.session {
        task = task.session(if session { "one" } else { "two" });
    }
    if own.writes {
        task = task.writes();
    }
    if own.repeatable {
        task = task.repeatable();
    }
    if own.money.model {
        task = task.model();
    }
    if own.money.charges {
        task = task.charges();
    }
    if let Some(budget) = own.money.budget {
        task = task.budget(budget);
    }
    if let Some(tokens) = own.money.tokens {
        task = task.tokens(tokens);
    }
    if own.people.exec {
        task = task.asks_exec();
    }
    if own.people.model {
        task = task.asks_model();
    }
    if own.people.charges {
        task = task.asks_charges();
    }
    if own.people.questions {
        task = task.questions();
    }
    match own.kind {
        Kind::Agent => task,
        Kind::ApprovalBefore => task.approval_before(),
        Kind::ApprovalAfter => task.approval_after(),
        Kind::ApprovalBoth => task.approval_before().approval_after(),
        // A wait makes nothing: what consumes from it would be skipped, which has its own case.
        Kind::Wait(timeout) => {
            let names: &[&str] = if own.writes {
                &["repo", "sha"]
            } else {
                &["sha"]
            };
            let task = task.wait("ci", timeout).matching(names);
            if own.repeatable {
                task.approval_after()
            } else {
                task
            }
        }
    }
}
