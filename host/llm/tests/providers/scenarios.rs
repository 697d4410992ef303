//! Every scenario of the server with both protocols: what comes of it, and what holds whatever comes of it.

use crate::support::{
    BOTH, Outcome, ask, holds, impatient, look, models_with, patient, run, server,
};
use sandgate_authority::ModelAuthority;
use sandgate_llm::{Finish, GenerateRequest, Message, ModelError, Money, ProviderKind, Speaker};
use sandgate_test_llm::SCENARIOS;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc, task::Poll, time::Duration};

/// What has to come of a scenario.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// This text, with usage that is believed.
    Text(&'static str),
    /// Some text that begins so, usage believed.
    Begins(&'static str),
    /// An answer with this end, usage believed.
    Ends(Finish),
    /// An answer, and usage that is not believed.
    NotBelieved,
    /// No answer: not one.
    Bad(&'static str),
    /// No answer: not reached, or refused.
    Unavailable(&'static str),
    /// No answer: the request is wrong.
    Invalid(&'static str),
}

use Want::{Bad, Begins, Ends, Invalid, NotBelieved, Text, Unavailable};

/// Scenarios that wait for somebody to lose patience.
const SLOW: &[(&str, Want)] = &[
    ("drip", Unavailable("as a whole")),
    ("slow-first", Unavailable("no text came within 3s")),
    (
        "slow-head",
        Unavailable("did not begin to answer within 3s"),
    ),
    ("stall", Unavailable("no further text came within 2s")),
    ("endless-comments", Unavailable("no text came within 3s")),
];

const FAST: &[(&str, Want)] = &[
    ("echo", Text("hällo\nworld")),
    ("long", Begins("word word ")),
    ("think", Text("it is 42")),
    ("json", Text("{}")),
    ("json-wrong", Text("{\"no\": [\"such\", \"thing\"]}")),
    ("json-fenced", Begins("```json")),
    ("tools", Ends(Finish::Tools)),
    ("tools-many", Bad("more than 128 tools")),
    ("tools-bad", Bad("`look`, whose arguments are not JSON")),
    ("tools-list", Bad("are not a JSON object")),
    ("tools-twin", Bad("the same id")),
    ("length", Ends(Finish::Length)),
    ("refusal", Ends(Finish::Refused)),
    ("usage-missing", NotBelieved),
    ("usage-negative", NotBelieved),
    ("usage-huge", NotBelieved),
    ("usage-overflow", NotBelieved),
    ("usage-float", NotBelieved),
    ("usage-text", NotBelieved),
    ("usage-zero", NotBelieved),
    ("usage-nan", Bad("not JSON")),
    ("usage-twice", Bad("stands twice")),
    ("usage-shrinks", NotBelieved),
    ("usage-low", NotBelieved),
    ("endless", Bad("does not end")),
    ("endless-thoughts", Bad("does not end")),
    ("endless-line", Bad("longer than 262144 bytes")),
    (
        "error-400",
        Invalid("400: api_error: max_tokens is too large"),
    ),
    (
        "error-401",
        Unavailable("refuses the key with 401: api_error: Incorrect API key provided: *"),
    ),
    ("error-404", Invalid("404: api_error: no such model")),
    (
        "error-429",
        Unavailable("429: api_error: slow down; given up after 3 tries"),
    ),
    ("error-429-long", Unavailable("given up after 1 tries")),
    ("error-429-then-ok", Text("hällo\nworld")),
    (
        "error-500",
        Unavailable("500: api_error: it is us; given up after 3 tries"),
    ),
    ("error-500-then-ok", Text("hällo\nworld")),
    (
        "error-ansi",
        Unavailable("418: \\u{1b}[2J\\u{202e}gone\\r\\nsecond line\\u{0}"),
    ),
    ("error-endless", Invalid("400: xxx")),
    ("redirect", Unavailable("redirects are not followed")),
    ("silent", Bad("no usable answer")),
    ("garbage", Bad("no usable answer")),
    ("html", Bad("its content type is `text/html`")),
    ("not-json", Bad("not JSON")),
    ("not-object", Bad("not an object")),
    ("wrong-types", Bad("that is not text")),
    ("deep", Bad("nested too deeply")),
    ("twice", Bad("stands twice")),
    ("big-event", Bad("longer than 262144 bytes")),
    ("bad-utf8", Bad("not UTF-8")),
    ("cut-off", Bad("broke off")),
    ("no-end", Bad("breaks off before its end")),
    ("odd-end", Bad("unknown reason, `\\u{1b}[1mbored`")),
    ("two-ends", Bad("two reasons")),
    (
        "overloaded",
        Unavailable("broke off: overloaded_error: too much to do"),
    ),
    (
        "overloaded-later",
        Unavailable("broke off: overloaded_error: too much to do"),
    ),
    (
        "injected",
        Begins("\u{1b}[2J\u{1b}]52;c;AAAA\u{7}\u{202e}evil\u{2066}\u{0}\r\n\ndata: [DONE]\n\n"),
    ),
    ("reflect-key", Begins("your key is ***")),
    ("reflect-key-split", Text("[secret]")),
];

fn check(what: &str, want: Want, outcome: &Outcome) {
    holds(what, outcome);
    let failed = |text: &str, error: &ModelError| {
        assert!(error.to_string().contains(text), "{what}: {error}");
    };
    match (want, &outcome.result) {
        (Text(text), Ok(got)) => {
            assert_eq!(got.text, text, "{what}");
            assert_eq!(got.finish, Finish::Stop, "{what}");
            assert!(!got.usage.estimated, "{what}: {got:?}");
        }
        (Begins(text), Ok(got)) => {
            assert!(got.text.starts_with(text), "{what}: {got:?}");
            // Usage that stands in the text is text.
            assert!(got.usage.input_tokens > 10, "{what}: {got:?}");
            assert!(!got.usage.estimated, "{what}: {got:?}");
        }
        (Ends(finish), Ok(got)) => {
            assert_eq!(got.finish, finish, "{what}");
            assert!(!got.usage.estimated, "{what}: {got:?}");
        }
        (NotBelieved, Ok(got)) => assert!(got.usage.estimated, "{what}: {got:?}"),
        (Bad(text), Err(error @ ModelError::BadAnswer(_)))
        | (Unavailable(text), Err(error @ ModelError::Unavailable(_)))
        | (Invalid(text), Err(error @ ModelError::Invalid(_))) => failed(text, error),
        _ => panic!("{what}: wanted {want:?}, got {outcome:?}"),
    }
}

fn asked(name: &str, kind: ProviderKind) -> GenerateRequest {
    let mut request = ask(&format!("{name}@{kind:?}"), "hällo\nworld");
    // The flood of `endless` is cut at what so many tokens can be, before the cap of all bytes.
    request.max_tokens = Some(1_000);
    if name.starts_with("tools") {
        request.tools = vec![look()];
    }
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_in_both_protocols() {
    let listed: BTreeSet<&str> = FAST.iter().chain(SLOW).map(|(name, _)| *name).collect();
    let known: BTreeSet<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        listed, known,
        "every scenario of the server has its line here"
    );

    let server = server();
    let mut passed = 0;
    let mut worst = Duration::ZERO;
    let mut waiting = Vec::new();
    for kind in BOTH {
        let hasty = Arc::new(models_with(&server, kind, |p| p.times = impatient()));
        for (name, want) in SLOW {
            let hasty = Arc::clone(&hasty);
            let task = tokio::spawn(async move { run(&hasty, &asked(name, kind)).await });
            waiting.push((name, kind, *want, task));
        }
    }
    for kind in BOTH {
        let quick = models_with(&server, kind, |p| p.times = patient());
        for (name, want) in FAST {
            let outcome = run(&quick, &asked(name, kind)).await;
            check(&format!("{name}, {kind:?}"), *want, &outcome);
            passed += 1;
        }
    }
    for (name, kind, want, task) in waiting {
        let outcome = task.await.unwrap();
        check(&format!("{name}, {kind:?}"), want, &outcome);
        assert_eq!(
            outcome.cost, outcome.reserved,
            "{name}: nobody knows what it cost"
        );
        worst = worst.max(outcome.took.saturating_sub(impatient().total));
        passed += 1;
    }
    assert!(worst < Duration::from_millis(1_500), "{worst:?}");
    println!(
        "{passed} of {passed} scenarios as expected ({} x {} protocols), worst overrun of a time limit {} ms",
        known.len(),
        BOTH.len(),
        worst.as_millis()
    );
}

#[tokio::test]
async fn a_tool_is_used_and_its_answer_comes_back() {
    let server = server();
    for kind in BOTH {
        let models = models_with(&server, kind, |_| {});
        let mut request = ask("tools", "what is it?");
        request.tools = vec![look()];
        let outcome = run(&models, &request).await;
        let wants = outcome.result.unwrap();
        assert_eq!(wants.text, "I look it up.");
        assert_eq!(wants.tool_calls.len(), 1);
        assert_eq!(wants.tool_calls[0].name, "look");
        assert_eq!(wants.tool_calls[0].arguments, "{\"what\":\"text\"}");

        request.messages.push(Message {
            tool_calls: wants.tool_calls.clone(),
            ..Message::text(Speaker::Assistant, wants.text)
        });
        request.messages.push(Message {
            answers: Some(wants.tool_calls[0].id.clone()),
            ..Message::text(Speaker::Tool, "42 \"degrees\"")
        });
        let outcome = run(&models, &request).await;
        assert_eq!(outcome.text(), "the tool said: 42 \"degrees\"");
    }
}

#[tokio::test]
async fn documents_are_checked_by_the_host() {
    let server = server();
    let object =
        json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
    let list = json!({"type": "array", "items": {"$ref": "#/$defs/n"}, "minItems": 1, "$defs": {"n": {"type": "integer"}}});
    for kind in BOTH {
        let models = models_with(&server, kind, |_| {});
        for (schema, want) in [(&object, "{\"n\":1}"), (&list, "[1]")] {
            let mut request = ask("json", "how many?");
            request.json_schema = Some(schema.clone());
            let outcome = run(&models, &request).await;
            holds("json", &outcome);
            assert_eq!(outcome.text(), want, "{kind:?}");
            assert_eq!(outcome.pieces.len(), 1, "one piece, after the check");
        }
        for (model, why) in [
            ("json-wrong", "does not fit its schema"),
            ("json-fenced", "is not JSON"),
            ("echo", "is not JSON"),
            ("length", "before the document was whole"),
        ] {
            let mut request = ask(model, "how many?");
            request.json_schema = Some(object.clone());
            let outcome = run(&models, &request).await;
            holds(model, &outcome);
            assert!(outcome.pieces.is_empty(), "nothing unchecked came out");
            let error = outcome.error().to_string();
            assert!(error.contains(why), "{model}, {kind:?}: {error}");
            assert!(matches!(outcome.error(), ModelError::BadAnswer(_)));
        }
        // With tools on offer the model may want them first.
        let mut request = ask("tools", "how many?");
        request.tools = vec![look()];
        request.json_schema = Some(object.clone());
        let outcome = run(&models, &request).await;
        assert_eq!(outcome.result.unwrap().finish, Finish::Tools, "{kind:?}");
    }
}

/// Whoever gives up waiting at any moment, and comes back, gets the same document.
#[tokio::test]
async fn waiting_can_be_given_up_at_any_moment() {
    let server = server();
    let models = models_with(&server, ProviderKind::Anthropic, |_| {});
    let grants = crate::support::grants();
    let mut given_up = 0;
    for round in 0..30u64 {
        let mut request = ask("json", "how many?");
        request.json_schema = Some(json!({"type": "array", "items": {"type": "integer"}}));
        let permit = ModelAuthority::new(&grants)
            .permit("p/json")
            .unwrap()
            .granted()
            .unwrap();
        let prepared = models.prepare(permit, &request, Money::Budgeted).unwrap();
        let reserved = prepared.estimate();
        let mut generation = models.generate(prepared, reserved).await.unwrap();
        let whole = loop {
            // Polled a few times and dropped, without a timer's patience.
            let mut polls = round % 5;
            let attempt = std::future::poll_fn(|cx| {
                let mut next = Box::pin(generation.next());
                match next.as_mut().poll(cx) {
                    Poll::Ready(got) => Poll::Ready(Some(got)),
                    Poll::Pending if polls == 0 => Poll::Ready(None),
                    Poll::Pending => {
                        polls -= 1;
                        given_up += 1;
                        drop(next);
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                }
            });
            match attempt.await {
                Some(got) => {
                    got.unwrap();
                    break generation.finish().await.unwrap();
                }
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(whole.text, "[1]");
        assert!(!whole.usage.estimated);
    }
    assert!(given_up > 0);
}

#[tokio::test]
async fn text_comes_as_it_is_made_and_a_dropped_generation_ends() {
    let server = server();
    let models = models_with(&server, ProviderKind::OpenAi, |_| {});
    let grants = crate::support::grants();
    let permit = ModelAuthority::new(&grants)
        .permit("p/drip")
        .unwrap()
        .granted()
        .unwrap();
    let request = ask("drip", "go");
    let prepared = models.prepare(permit, &request, Money::Budgeted).unwrap();
    let reserved = prepared.estimate();
    let mut generation = models.generate(prepared, reserved).await.unwrap();
    for _ in 0..3 {
        assert_eq!(generation.next().await.unwrap().unwrap(), "x");
    }
    // Given up in the middle of a wait, and taken up again: nothing is lost.
    let pause = Duration::from_millis(1);
    let _ = tokio::time::timeout(pause, generation.next()).await;
    assert!(generation.next().await.unwrap().is_some());
    assert_eq!(generation.cost(), reserved, "nobody knows better");
    assert_eq!(server.open(), 1);
    drop(generation);
    for _ in 0..200 {
        if server.open() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the connection is still open");
}
