//! Twins: what works with leave does not work without, and then nothing arrives.

use crate::support::{BOTH, KEY, ask, base, config, grants, models, provider, run, server};
use sandgate_authority::ModelAuthority;
use sandgate_egress::{Egress, EgressConfig, NetFuture, Resolver};
use sandgate_llm::{ModelError, Models, Money, ProviderKind};
use sandgate_model::Grants;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

#[tokio::test]
async fn a_model_that_is_not_granted() {
    let server = server();
    let models = models(&server, ProviderKind::OpenAi);
    assert_eq!(run(&models, &ask("echo", "hi")).await.text(), "hi");
    let before = server.seen().len();

    let none = Grants::default();
    let refusal = ModelAuthority::new(&none).permit("p/echo").unwrap_err();
    let error = ModelError::from(refusal);
    let text = error.to_string();
    assert!(matches!(error, ModelError::NotGranted(_)), "{text}");
    let line = r#"model = [{ provider = "p", models = ["echo"] }]"#;
    assert!(text.contains(line), "{text}");

    let mut asks = grants();
    asks.model[0].approval = true;
    let permission = ModelAuthority::new(&asks).permit("p/echo").unwrap();
    assert!(
        permission.granted().is_none(),
        "a person has to agree first"
    );
    assert_eq!(server.seen().len(), before);
}

#[tokio::test]
async fn a_permit_is_for_one_model() {
    let server = server();
    let models = models(&server, ProviderKind::OpenAi);
    let granted = grants();
    let permit = ModelAuthority::new(&granted)
        .permit("p/echo")
        .unwrap()
        .granted()
        .unwrap();
    let got = models.prepare(permit, &ask("long", "hi"), Money::Budgeted);
    assert!(matches!(got, Err(ModelError::Host(_))), "{got:?}");
    let got = models.estimate(&ask("echo", "hi"), Money::Budgeted);
    assert!(got.is_ok());
    assert_eq!(server.seen().len(), 0);
}

/// Says that every name is on this machine.
struct Here;

impl Resolver for Here {
    fn resolve<'a>(&'a self, _: &'a str) -> NetFuture<'a, Vec<IpAddr>> {
        Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) })
    }
}

#[tokio::test]
async fn a_providers_name_that_leads_inside() {
    let server = server();
    for kind in BOTH {
        let url = base(&server, kind).replace("127.0.0.1", "llm.example");
        for private in [true, false] {
            let mut provider = provider(kind, &url);
            provider.private = private;
            let mut config = config(provider);
            let resolver = Arc::new(Here);
            config.egress = Egress::new(EgressConfig {
                resolver,
                ..EgressConfig::default()
            })
            .unwrap();
            let before = server.seen().len();
            let outcome = run(&Models::new(config).unwrap(), &ask("echo", "hi")).await;
            if private {
                assert_eq!(outcome.text(), "hi");
            } else {
                assert!(outcome.result.is_err(), "{outcome:?}");
                assert_eq!(server.seen().len(), before);
                assert!(outcome.cost.is_nothing());
            }
        }
    }
}

#[tokio::test]
async fn the_hosts_own_address_is_no_provider() {
    let server = server();
    let mut config = config(provider(ProviderKind::OpenAi, &server.openai()));
    config.egress = Egress::new(EgressConfig {
        own_addresses: vec![SocketAddr::from(([127, 0, 0, 1], server.port()))],
        ..EgressConfig::default()
    })
    .unwrap();
    let outcome = run(&Models::new(config).unwrap(), &ask("echo", "hi")).await;
    assert!(outcome.result.is_err(), "{outcome:?}");
    assert!(server.seen().is_empty());
    assert!(!format!("{outcome:?}").contains(KEY));
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let server = server();
    for kind in BOTH {
        let before = server.seen().len();
        let outcome = run(&models(&server, kind), &ask("redirect", "hi")).await;
        assert!(outcome.result.is_err());
        assert_eq!(server.seen().len(), before + 1);
        assert!(outcome.cost.is_nothing());
    }
}

#[test]
fn a_provider_that_is_not_described() {
    let server = server();
    let models = models(&server, ProviderKind::OpenAi);
    let mut request = ask("echo", "hi");
    request.model = "q/echo".to_owned();
    let error = models.estimate(&request, Money::Unlimited).unwrap_err();
    assert!(error.to_string().contains("[providers.q]"), "{error}");
}
