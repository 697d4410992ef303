//! Recordings: the same answers without a network, and never a request in their place.

use crate::support::{BOTH, ask, base, config, holds, look, provider, run, server};
use sandgate_llm::{
    GenerateRequest, Mode, ModelError, Models, ProviderKind, Recorder, ReplaySource,
};
use serde_json::{Value, json};

/// A change to a recording.
type Change = Box<dyn Fn(&mut Value)>;

fn requests() -> Vec<GenerateRequest> {
    let mut tools = ask("tools", "what?");
    tools.tools = vec![look()];
    let mut document = ask("json", "how many?");
    document.json_schema = Some(json!({"type": "array", "items": {"type": "integer"}}));
    vec![
        ask("echo", "one"),
        ask("echo", "two"),
        ask("echo", "one"),
        ask("usage-missing", "x"),
        ask("injected", "x"),
        tools,
        document,
    ]
}

fn replaying(kind: ProviderKind, document: &str) -> Models {
    // Nobody listens there, and no key is to be had.
    let mut config = config(provider(kind, "http://127.0.0.1:1/v1"));
    config.vault =
        crate::support::vault_of(sandgate_vault::SecretFrom::Env("NO_SUCH_KEY".into()), "p");
    config.mode = Mode::Replay(ReplaySource::parse(document).unwrap());
    Models::new(config).unwrap()
}

#[tokio::test]
async fn recorded_answers_come_again() {
    let server = server();
    let mut replayed = 0;
    for kind in BOTH {
        let recorder = Recorder::default();
        let mut live = config(provider(kind, &base(&server, kind)));
        live.mode = Mode::Record(recorder.clone());
        let live = Models::new(live).unwrap();
        let mut first = Vec::new();
        for request in requests() {
            first.push(run(&live, &request).await);
        }
        // What failed is not in it.
        assert!(run(&live, &ask("cut-off", "x")).await.result.is_err());
        let document = recorder.document();
        assert_eq!(document.matches("\"digest\"").count(), 6);

        let before = server.seen().len();
        let models = replaying(kind, &document);
        for (request, live) in requests().iter().zip(&first) {
            let again = run(&models, request).await;
            holds("replay", &again);
            assert_eq!(again.result, live.result);
            assert_eq!((again.cost, again.reserved), (live.cost, live.reserved));
            replayed += 1;
        }
        for (request, why) in [
            (ask("echo", "three"), "was not recorded"),
            (ask("echo", "one"), "recorded 2 times and is made once more"),
            (ask("cut-off", "x"), "was not recorded"),
        ] {
            let outcome = run(&models, &request).await;
            let error = outcome.error().to_string();
            assert!(matches!(outcome.error(), ModelError::Unavailable(_)));
            assert!(
                error.contains(why) && error.contains("nothing is sent"),
                "{error}"
            );
            assert!(outcome.cost.is_nothing());
        }
        assert_eq!(server.seen().len(), before, "nothing was sent");
    }
    println!("{replayed} of {replayed} answers replayed alike, 0 requests sent");
}

#[tokio::test]
async fn a_request_is_told_from_every_other() {
    let server = server();
    let models = crate::support::models(&server, BOTH[0]);
    let grants = crate::support::grants();
    let digest = |change: &dyn Fn(&mut GenerateRequest)| {
        let mut request = ask("echo", "hi");
        change(&mut request);
        let permit = sandgate_authority::ModelAuthority::new(&grants)
            .permit(&request.model)
            .unwrap()
            .granted()
            .unwrap();
        let prepared = models
            .prepare(permit, &request, sandgate_llm::Money::Budgeted)
            .unwrap();
        prepared.digest()
    };
    let changes: Vec<&dyn Fn(&mut GenerateRequest)> = vec![
        &|_| {},
        &|r| r.model = "p/other".to_owned(),
        &|r| r.messages[0].text.push(' '),
        &|r| r.messages[1].text.push(' '),
        &|r| r.messages.swap(0, 1),
        &|r| r.max_tokens = Some(1),
        &|r| r.temperature_permille = Some(0),
        &|r| r.tools = vec![look()],
        &|r| r.json_schema = Some(json!({"type": "object"})),
    ];
    let mut all: Vec<String> = changes.iter().map(|c| digest(*c).to_string()).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), changes.len());
    assert_eq!(digest(&|r| r.max_tokens = Some(3_000)), digest(&|_| {}));
}

#[tokio::test]
async fn a_document_that_was_changed_is_refused() {
    let server = server();
    let recorder = Recorder::default();
    let mut live = config(provider(BOTH[0], &server.openai()));
    live.mode = Mode::Record(recorder.clone());
    run(&Models::new(live).unwrap(), &ask("echo", "hi"))
        .await
        .result
        .unwrap();
    let good: Value = serde_json::from_str(&recorder.document()).unwrap();
    ReplaySource::parse(&good.to_string()).unwrap();
    let bad: Vec<Change> = vec![
        Box::new(|d| d["version"] = json!(2)),
        Box::new(|d| d["$type"] = json!("other")),
        Box::new(|d| d["more"] = json!(1)),
        Box::new(|d| d["calls"][0]["request"]["messages"][1]["text"] = json!("bye")),
        Box::new(|d| d["calls"][0]["answers"][0]["finish"] = json!("bored")),
        Box::new(|d| d["calls"][0]["answers"][0]["input_tokens"] = json!(-1)),
        Box::new(|d| {
            let twice = d["calls"][0].clone();
            d["calls"].as_array_mut().unwrap().push(twice);
        }),
    ];
    for change in &bad {
        let mut document = good.clone();
        change(&mut document);
        assert!(
            ReplaySource::parse(&document.to_string()).is_err(),
            "{document}"
        );
    }
    // A cost that a hand wrote in is held under the bound.
    let mut document = good.clone();
    document["calls"][0]["answers"][0]["input_tokens"] = json!(u64::MAX);
    let outcome = run(
        &replaying(BOTH[0], &document.to_string()),
        &ask("echo", "hi"),
    )
    .await;
    assert_eq!(outcome.cost, outcome.reserved);
    for text in ["", "{}", "[]", "{\"$type\":"] {
        assert!(ReplaySource::parse(text).is_err());
    }
}
