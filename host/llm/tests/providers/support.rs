//! A project with one provider, and what one generation came to.

use sandgate_authority::ModelAuthority;
use sandgate_egress::{Egress, EgressConfig};
use sandgate_llm::{
    GenerateRequest, Generated, Jitter, Limits, Message, Mode, ModelError, Models, ModelsConfig,
    Money, Price, ProviderConfig, ProviderKind, Speaker, Times, Tool,
};
use sandgate_model::{Amount, Grants, ModelGrant, SecretTarget};
use sandgate_test_llm::LlmServer;
use sandgate_vault::{SecretFrom, SecretSpec, Vault};
use serde_json::json;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// The key of the provider. No part of it may come out anywhere.
pub(crate) const KEY: &str = "sk-canary-4f9a1c77d2e84b06";

pub(crate) const BOTH: [ProviderKind; 2] = [ProviderKind::OpenAi, ProviderKind::Anthropic];

/// Patience that no machine under load runs out of.
pub(crate) fn patient() -> Times {
    Times::within(Duration::from_secs(25))
}

/// Patience that the slow scenarios outlast.
pub(crate) fn impatient() -> Times {
    Times {
        first_token: Duration::from_secs(3),
        between_tokens: Duration::from_secs(2),
        total: Duration::from_secs(5),
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        answer_bytes: 8 << 20,
        output_tokens_default: 3_000,
        ..Limits::default()
    }
}

pub(crate) fn vault_of(key: SecretFrom, provider: &str) -> Arc<Vault> {
    let spec = SecretSpec {
        name: "KEY".to_owned(),
        from: key,
        to: SecretTarget::Provider(provider.to_owned()),
    };
    let env = [("KEY".into(), KEY.into())];
    Arc::new(Vault::new(vec![spec], Path::new("/"), env).unwrap())
}

pub(crate) fn vault() -> Arc<Vault> {
    vault_of(SecretFrom::Env("KEY".to_owned()), "p")
}

pub(crate) fn provider(kind: ProviderKind, url: &str) -> ProviderConfig {
    let price = Price {
        input: 1_000_000,
        output: 3_000_000,
    };
    ProviderConfig {
        name: "p".to_owned(),
        kind,
        url: url.to_owned(),
        key: Some("KEY".to_owned()),
        prices: [("*".to_owned(), price)].into_iter().collect(),
        times: patient(),
        max_retries: 2,
        private: false,
    }
}

pub(crate) fn config(provider: ProviderConfig) -> ModelsConfig {
    ModelsConfig {
        providers: vec![provider],
        limits: limits(),
        egress: Egress::new(EgressConfig::default()).unwrap(),
        vault: vault(),
        jitter: Jitter::new(|_| 0),
        mode: Mode::Live,
    }
}

pub(crate) fn base(server: &LlmServer, kind: ProviderKind) -> String {
    match kind {
        ProviderKind::OpenAi => server.openai(),
        ProviderKind::Anthropic => server.anthropic(),
    }
}

pub(crate) fn server() -> LlmServer {
    LlmServer::start(Some(KEY)).unwrap()
}

pub(crate) fn models(server: &LlmServer, kind: ProviderKind) -> Models {
    Models::new(config(provider(kind, &base(server, kind)))).unwrap()
}

pub(crate) fn models_with(
    server: &LlmServer,
    kind: ProviderKind,
    change: impl FnOnce(&mut ProviderConfig),
) -> Models {
    let mut provider = provider(kind, &base(server, kind));
    change(&mut provider);
    Models::new(config(provider)).unwrap()
}

pub(crate) fn grants() -> Grants {
    Grants {
        model: vec![ModelGrant {
            provider: "p".to_owned(),
            models: vec!["*".to_owned()],
            approval: false,
        }],
        ..Grants::default()
    }
}

pub(crate) fn ask(model: &str, text: &str) -> GenerateRequest {
    GenerateRequest::new(
        format!("p/{model}"),
        vec![
            Message::text(Speaker::System, "be brief"),
            Message::text(Speaker::User, text),
        ],
    )
}

pub(crate) fn look() -> Tool {
    Tool {
        name: "look".to_owned(),
        description: "looks something up".to_owned(),
        parameters: json!({"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}),
    }
}

/// What one generation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Generated, ModelError>,
    /// Pieces of text as they came.
    pub(crate) pieces: Vec<String>,
    pub(crate) reserved: Amount,
    pub(crate) cost: Amount,
    pub(crate) took: Duration,
}

impl Outcome {
    pub(crate) fn text(&self) -> &str {
        &self.result.as_ref().unwrap().text
    }

    pub(crate) fn error(&self) -> &ModelError {
        self.result.as_ref().unwrap_err()
    }
}

/// One generation from permit to charge, as the driver does it.
pub(crate) async fn run(models: &Models, request: &GenerateRequest) -> Outcome {
    let permit = ModelAuthority::new(&grants())
        .permit(&request.model)
        .unwrap()
        .granted()
        .unwrap();
    let begin = Instant::now();
    let failed = |error, reserved, cost| Outcome {
        result: Err(error),
        pieces: Vec::new(),
        reserved,
        cost,
        took: begin.elapsed(),
    };
    let prepared = match models.prepare(permit, request, Money::Budgeted) {
        Ok(prepared) => prepared,
        Err(error) => return failed(error, Amount::NOTHING, Amount::NOTHING),
    };
    let reserved = prepared.estimate();
    let mut generation = match models.generate(prepared, reserved).await {
        Ok(generation) => generation,
        Err(end) => return failed(end.error, reserved, end.cost),
    };
    let mut pieces = Vec::new();
    let mut result = Ok(());
    loop {
        match generation.next().await {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => break,
            Err(error) => {
                result = Err(error);
                break;
            }
        }
    }
    let whole = generation.finish().await;
    // The same error again, or the whole that the pieces make up.
    assert_eq!(result.as_ref().err(), whole.as_ref().err());
    Outcome {
        result: whole,
        pieces,
        reserved,
        cost: generation.cost(),
        took: begin.elapsed(),
    }
}

/// What has to hold for every generation, however it went.
pub(crate) fn holds(what: &str, outcome: &Outcome) {
    assert!(
        outcome.reserved.covers(outcome.cost),
        "{what}: {:?} of {:?}",
        outcome.cost,
        outcome.reserved
    );
    let shown = format!("{outcome:?}");
    assert!(!shown.contains(KEY), "{what}: {shown}");
    match &outcome.result {
        Ok(whole) => {
            assert_eq!(outcome.pieces.concat(), whole.text, "{what}");
            let usage = whole.usage;
            assert_eq!(outcome.cost.micros, usage.micros, "{what}");
            assert_eq!(
                outcome.cost.tokens,
                usage.input_tokens + usage.output_tokens,
                "{what}"
            );
            if usage.estimated {
                assert_eq!(outcome.cost, outcome.reserved, "{what}");
            }
        }
        Err(error) => {
            let text = error.to_string();
            let plain = text.bytes().all(|b| (b' '..=b'~').contains(&b));
            assert!(plain && text.len() < 1_200, "{what}: {text:?}");
        }
    }
}
