//! The key: it arrives in one header of one request, and comes out nowhere.

use crate::support::{
    BOTH, KEY, ask, base, config, holds, models, provider, run, server, vault_of,
};
use sandgate_llm::{Mode, ModelError, Models, ProviderKind, Recorder};
use sandgate_vault::SecretFrom;
use std::fmt::Write;

#[tokio::test]
async fn the_key_arrives_in_its_header_and_there_only() {
    let server = server();
    for kind in BOTH {
        run(&models(&server, kind), &ask("echo", "hi"))
            .await
            .result
            .unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for request in &seen {
        assert_eq!(request.key.as_deref(), Some(KEY));
        let headers: Vec<&String> = request
            .headers
            .iter()
            .filter(|(_, value)| value.contains(KEY))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(headers.len(), 1, "{headers:?}");
        assert!(!request.raw.contains(KEY) && !request.line.contains(KEY));
        assert!(!request.raw.contains("{secret:"), "{}", request.raw);
    }
    println!("{} requests, the key in {} headers", seen.len(), seen.len());
}

#[tokio::test]
async fn a_key_from_a_command_and_one_that_is_missing() {
    let server = server();
    let url = server.openai();
    let command = ["printf", "%s", KEY].map(str::to_owned).to_vec();
    let mut with = config(provider(ProviderKind::OpenAi, &url));
    with.vault = vault_of(SecretFrom::Command(command), "p");
    let outcome = run(&Models::new(with).unwrap(), &ask("echo", "hi")).await;
    assert_eq!(outcome.text(), "hi");
    let before = server.seen().len();

    // Not set, and bound to another provider.
    for (from, to) in [
        (SecretFrom::Env("NO_SUCH_KEY".to_owned()), "p"),
        (SecretFrom::Env("KEY".to_owned()), "other"),
    ] {
        let mut without = config(provider(ProviderKind::OpenAi, &url));
        without.vault = vault_of(from, to);
        let outcome = run(&Models::new(without).unwrap(), &ask("echo", "hi")).await;
        holds("no key", &outcome);
        assert!(
            matches!(outcome.error(), ModelError::Host(_)),
            "{outcome:?}"
        );
        assert!(outcome.error().to_string().contains("`KEY`"));
        assert!(outcome.cost.is_nothing());
    }
    assert_eq!(server.seen().len(), before, "nothing was sent");
}

#[tokio::test]
async fn a_provider_without_a_key_gets_none() {
    let server = sandgate_test_llm::LlmServer::start(None).unwrap();
    for kind in BOTH {
        let mut open = provider(kind, &base(&server, kind));
        open.key = None;
        let outcome = run(&Models::new(config(open)).unwrap(), &ask("echo", "hi")).await;
        assert_eq!(outcome.text(), "hi");
    }
    assert!(server.seen().iter().all(|request| request.key.is_none()));
}

/// Everything that a person or a plugin can get to see, searched for the key in every spelling.
#[tokio::test]
async fn a_key_that_comes_back_goes_no_further() {
    let server = server();
    let mut everything = String::new();
    for kind in BOTH {
        let recorder = Recorder::default();
        let mut config = config(provider(kind, &base(&server, kind)));
        config.mode = Mode::Record(recorder.clone());
        let models = Models::new(config).unwrap();
        for name in [
            "reflect-key",
            "reflect-key-split",
            "error-401",
            "error-500",
            "echo",
        ] {
            let outcome = run(&models, &ask(name, "hi")).await;
            writeln!(everything, "{outcome:?} {models:?}").unwrap();
            if let Err(error) = &outcome.result {
                writeln!(everything, "{error}").unwrap();
            }
        }
        everything.push_str(&recorder.document());
    }
    let hex: String = KEY.bytes().map(|b| format!("{b:02x}")).collect();
    for spelling in [KEY, &hex, &hex.to_uppercase(), &KEY[3..], "4f9a1c77"] {
        assert!(!everything.contains(spelling), "{spelling} in {everything}");
    }
    println!("{} bytes searched, 0 keys", everything.len());
}
