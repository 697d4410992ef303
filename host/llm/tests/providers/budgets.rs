//! Money: what may be spent is reserved before, and nothing a provider does costs more.

use crate::support::{BOTH, ask, config, holds, look, models, models_with, provider, run, server};
use sandgate_authority::ModelAuthority;
use sandgate_llm::{GenerateRequest, ModelError, Models, Money, Price, Prices};
use sandgate_model::Amount;

/// Scenarios that end at once, whatever they do.
const MIX: &[&str] = &[
    "echo",
    "usage-missing",
    "usage-huge",
    "usage-negative",
    "usage-low",
    "endless",
    "cut-off",
    "no-end",
    "overloaded",
    "html",
    "error-400",
    "think",
    "long",
    "twice",
    "usage-shrinks",
    "usage-zero",
];

/// A budget as the engine keeps it: reserve, run, settle. Hostile providers all the way.
#[tokio::test]
async fn a_budget_is_never_overrun() {
    let server = server();
    let mut worst = 0u64;
    let mut calls = 0u32;
    let mut refused = 0u32;
    for kind in BOTH {
        let models = models(&server, kind);
        for budget in [0u64, 1_200, 3_600, 12_000, 40_000, 1_000_000] {
            let mut left = Amount {
                micros: budget,
                tokens: u64::MAX,
            };
            let mut spent = 0u64;
            let mut largest = 0u64;
            for name in MIX {
                let mut request = ask(name, "go");
                request.max_tokens = Some(1_000);
                let permit = ModelAuthority::new(&crate::support::grants())
                    .permit(&request.model)
                    .unwrap()
                    .granted()
                    .unwrap();
                let prepared = models.prepare(permit, &request, Money::Budgeted).unwrap();
                let reserve = prepared.estimate();
                largest = largest.max(reserve.micros);
                let cost = match models.generate(prepared, left).await {
                    Ok(mut generation) => {
                        let _ = generation.finish().await;
                        generation.cost()
                    }
                    Err(end) => {
                        if matches!(end.error, ModelError::Budget(_)) {
                            assert!(!left.covers(reserve));
                            refused += 1;
                        }
                        end.cost
                    }
                };
                calls += 1;
                spent += cost.micros;
                left = left.minus(cost);
            }
            let over = spent.saturating_sub(budget);
            assert!(over <= largest, "{over} of {largest}");
            worst = worst.max(over);
        }
    }
    assert_eq!(worst, 0);
    assert!(refused > 0);
    println!(
        "{calls} calls of hostile providers, {refused} refused by the budget, worst overrun {worst} millionths"
    );
}

#[tokio::test]
async fn what_does_not_fit_is_not_sent() {
    let server = server();
    for kind in BOTH {
        let models = models(&server, kind);
        let request = ask("echo", "hi");
        let grants = crate::support::grants();
        let permit = ModelAuthority::new(&grants)
            .permit(&request.model)
            .unwrap()
            .granted()
            .unwrap();
        let prepared = models.prepare(permit, &request, Money::Budgeted).unwrap();
        let mut little = prepared.estimate();
        little.micros -= 1;
        let end = models.generate(prepared, little).await.unwrap_err();
        assert!(matches!(end.error, ModelError::Budget(_)), "{end:?}");
        assert!(end.cost.is_nothing());
    }
    assert!(server.seen().is_empty());
}

#[test]
fn an_unknown_price_is_refused_where_a_budget_is_set() {
    let server = server();
    let models = models_with(&server, BOTH[0], |p| {
        p.prices = [(
            "large".to_owned(),
            Price {
                input: 1,
                output: 1,
            },
        )]
        .into_iter()
        .collect();
    });
    assert!(
        models
            .estimate(&ask("large", "hi"), Money::Budgeted)
            .is_ok()
    );
    let error = models
        .estimate(&ask("small", "hi"), Money::Budgeted)
        .unwrap_err();
    let line = r#"[providers.p] prices = { "small" = { input = 0.00, output = 0.00 } }"#;
    assert!(
        matches!(error, ModelError::Budget(_)) && error.to_string().contains(line),
        "{error}"
    );
    let free = models
        .estimate(&ask("small", "hi"), Money::Unlimited)
        .unwrap();
    assert_eq!(free.micros, 0);
    assert!(free.tokens > 0);
}

/// The bound grows with what is sent, and holds for what is really sent.
#[tokio::test]
async fn the_estimate_is_an_upper_bound() {
    let server = server();
    for kind in BOTH {
        let models = models(&server, kind);
        let mut before = 0;
        for length in [1usize, 100, 10_000] {
            let text = "ß\"\n".repeat(length);
            let mut request = ask("echo", &text);
            request.max_tokens = Some(16_000);
            let estimate = models.estimate(&request, Money::Budgeted).unwrap();
            let outcome = run(&models, &request).await;
            holds("estimate", &outcome);
            let sent = u64::try_from(server.seen().last().unwrap().raw.len()).unwrap();
            assert!(estimate.tokens >= sent + 16_000);
            assert!(estimate.tokens > before);
            before = estimate.tokens;
        }
        // The host's cap holds where more is asked for.
        let mut greedy = ask("echo", "hi");
        greedy.max_tokens = Some(u32::MAX);
        let estimate = models.estimate(&greedy, Money::Budgeted).unwrap();
        assert!(estimate.tokens < 20_000, "{estimate:?}");
        run(&models, &greedy).await.result.unwrap();
        let seen = server.seen();
        assert_eq!(seen.last().unwrap().body["max_tokens"], 16_384);
    }
}

#[test]
fn extreme_prices_do_not_wrap() {
    let price = Price {
        input: u64::MAX,
        output: u64::MAX,
    };
    let mut provider = provider(BOTH[0], "http://127.0.0.1:1/v1");
    provider.prices = [("*".to_owned(), price)].into_iter().collect::<Prices>();
    let models = Models::new(config(provider)).unwrap();
    let estimate = models.estimate(&ask("x", "hi"), Money::Budgeted).unwrap();
    assert!(estimate.micros > u64::MAX / 1_000);
}

#[test]
fn requests_over_a_limit_are_refused() {
    let server = server();
    let models = models(&server, BOTH[0]);
    let check = |change: &dyn Fn(&mut GenerateRequest)| {
        let mut request = ask("echo", "hi");
        change(&mut request);
        models.estimate(&request, Money::Budgeted).unwrap_err()
    };
    let error = check(&|r| r.messages[0].text = "x".repeat(2 << 20));
    assert!(matches!(error, ModelError::Limit(_)), "{error}");
    let error = check(&|r| r.tools = vec![look(), look()]);
    assert!(matches!(error, ModelError::Invalid(_)), "{error}");
}
