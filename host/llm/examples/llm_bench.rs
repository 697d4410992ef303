//! What a generation costs beside what the provider does: cargo run --release -p sandgate-llm --example llm_bench

use sandgate_authority::ModelAuthority;
use sandgate_egress::{Egress, EgressConfig};
use sandgate_llm::{
    GenerateRequest, Jitter, Limits, Message, Mode, Models, ModelsConfig, Money, Price,
    ProviderConfig, ProviderKind, Recorder, ReplaySource, Speaker, Times,
};
use sandgate_model::{Grants, ModelGrant, SecretTarget};
use sandgate_test_llm::LlmServer;
use sandgate_vault::{SecretFrom, SecretSpec, Vault};
use std::{
    error::Error,
    io::{Write, stdout},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

const KEY: &str = "sk-canary-4f9a1c77d2e84b06";
const CALLS: usize = 500;

fn models(kind: ProviderKind, url: String, mode: Mode) -> Result<Models, Box<dyn Error>> {
    let spec = SecretSpec {
        name: "KEY".to_owned(),
        from: SecretFrom::Env("KEY".to_owned()),
        to: SecretTarget::Provider("p".to_owned()),
    };
    let price = Price {
        input: 1,
        output: 1,
    };
    Ok(Models::new(ModelsConfig {
        providers: vec![ProviderConfig {
            name: "p".to_owned(),
            kind,
            url,
            key: Some("KEY".to_owned()),
            prices: [("*".to_owned(), price)].into_iter().collect(),
            times: Times::within(Duration::from_secs(30)),
            max_retries: 0,
            private: false,
        }],
        limits: Limits::default(),
        egress: Egress::new(EgressConfig::default())?,
        vault: Arc::new(Vault::new(
            vec![spec],
            Path::new("/"),
            [("KEY".into(), KEY.into())],
        )?),
        jitter: Jitter::none(),
        mode,
    })?)
}

async fn once(models: &Models, grants: &Grants, model: &str) -> Result<Duration, Box<dyn Error>> {
    let request = GenerateRequest::new(model, vec![Message::text(Speaker::User, "hello")]);
    let begin = Instant::now();
    let permit = ModelAuthority::new(grants)
        .permit(model)?
        .granted()
        .ok_or("the model needs an approval")?;
    let prepared = models.prepare(permit, &request, Money::Budgeted)?;
    let reserve = prepared.estimate();
    models.generate(prepared, reserve).await?.finish().await?;
    Ok(begin.elapsed())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = LlmServer::start(Some(KEY))?;
    let grants = Grants {
        model: vec![ModelGrant {
            provider: "p".to_owned(),
            models: vec!["*".to_owned()],
            approval: false,
        }],
        ..Grants::default()
    };
    let mut out = stdout();
    for (kind, url) in [
        (ProviderKind::OpenAi, server.openai()),
        (ProviderKind::Anthropic, server.anthropic()),
    ] {
        for model in ["p/echo", "p/long"] {
            let recorder = Recorder::default();
            let live = models(kind, url.clone(), Mode::Record(recorder.clone()))?;
            let mut times = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                times.push(once(&live, &grants, model).await?);
            }
            let replay = Mode::Replay(ReplaySource::parse(&recorder.document())?);
            let replay = models(kind, url.clone(), replay)?;
            let mut again = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                again.push(once(&replay, &grants, model).await?);
            }
            for (what, times) in [("live", &mut times), ("replay", &mut again)] {
                times.sort_unstable();
                let at = |part: usize| times.get(part).copied().unwrap_or_default();
                writeln!(
                    out,
                    "{kind:?} {model} {what}: median {:?}, p99 {:?} ({CALLS} calls)",
                    at(CALLS / 2),
                    at(CALLS * 99 / 100)
                )?;
            }
        }
    }
    Ok(())
}
