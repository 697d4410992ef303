//! Providers of text generation: where they are, what they speak, what they cost. Must not send.

use crate::{Price, Prices};
use sandgate_authority::{AddressClass, Host, HttpAuthority, HttpPattern, HttpTerms, Target};
use sandgate_model::{Grants, SecretGrant, SecretTarget};
use std::{net::IpAddr, time::Duration};

/// Longest pause between two pieces of an answer, unless the whole has to be shorter. Providers send a sign of life
/// every 15 s; what counts here is text.
const PAUSE: Duration = Duration::from_secs(30);

/// Most tries after the first. With waits that double, the eighth comes after more than a minute.
const RETRIES_MAX: u8 = 8;

/// The protocol that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// `POST /chat/completions`.
    OpenAi,
    /// `POST /v1/messages`.
    Anthropic,
}

/// How long one generation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the request to the first piece of the answer.
    pub first_token: Duration,
    /// Between two pieces of the answer. Signs of life without a piece do not count.
    pub between_tokens: Duration,
    /// All of it, tries and waits included.
    pub total: Duration,
}

impl Times {
    /// Times for generations that take so long as a whole.
    #[must_use]
    pub fn within(total: Duration) -> Self {
        Self {
            first_token: total,
            between_tokens: PAUSE.min(total),
            total,
        }
    }
}

/// One provider, as a project describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfig {
    /// Name in grants and requests.
    pub name: String,
    /// Protocol.
    pub kind: ProviderKind,
    /// Base of its API: `https://api.openai.com/v1`, `https://api.anthropic.com`, `http://127.0.0.1:8080/v1`.
    pub url: String,
    /// Name of the secret that is its key; none when absent.
    pub key: Option<String>,
    /// Prices of its models.
    pub prices: Prices,
    /// Times.
    pub times: Times,
    /// Tries after the first; at most 8.
    pub max_retries: u8,
    /// The name may lead to an address that is not globally reachable. A literal loopback address, or `localhost`, in
    /// the URL says so by itself.
    pub private: bool,
}

/// A provider that cannot be used as it is described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("provider `{provider}`: {message}")]
pub struct ProviderError {
    /// Its name.
    pub provider: String,
    /// What is wrong: a lowercase fragment.
    pub message: String,
}

/// A checked provider. Its authority is one request: `POST` to one path, with one secret bound to that origin.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) config: ProviderConfig,
    pub(crate) target: Target,
    grants: Grants,
}

impl Provider {
    pub(crate) fn new(config: ProviderConfig) -> Result<Self, ProviderError> {
        let wrong = |message: String| ProviderError {
            provider: crate::text::quoted(&config.name),
            message,
        };
        if config.max_retries > RETRIES_MAX {
            return Err(wrong(format!("at most {RETRIES_MAX} retries")));
        }
        let url = endpoint(config.kind, &config.url);
        let pattern = HttpPattern::parse(&url)
            .map_err(|error| wrong(format!("its url is refused: {error}")))?;
        if pattern.is_prefix() {
            return Err(wrong(
                "its url ends in `*`; write the base itself".to_owned(),
            ));
        }
        let target = pattern.target().clone();
        let private = config.private || says_loopback(&target);
        let grant = pattern
            .grant(&HttpTerms {
                methods: vec!["POST".to_owned()],
                private,
                ..HttpTerms::default()
            })
            .map_err(|error| wrong(error.to_string()))?;
        let secrets = config
            .key
            .iter()
            .map(|name| SecretGrant {
                name: name.clone(),
                to: SecretTarget::Origin(target.origin()),
            })
            .collect();
        let grants = Grants {
            http: vec![grant],
            secrets,
            ..Grants::default()
        };
        // A request that could never be permitted is found now and not at the first generation.
        HttpAuthority::new(&grants)
            .permit_hop("POST", &target)
            .map_err(|_| {
                wrong(format!(
                    "its url names the address {}, which is not globally reachable; only a loopback address can be \
                     written as it is",
                    target.host()
                ))
            })?;
        Ok(Self {
            config,
            target,
            grants,
        })
    }

    pub(crate) fn authority(&self) -> HttpAuthority {
        HttpAuthority::new(&self.grants)
    }

    pub(crate) fn price(&self, model: &str) -> Option<Price> {
        self.config.prices.of(model)
    }

    /// The first maker of the protocol has renamed the field for the most tokens and refuses the old name; everybody
    /// else knows the old one.
    pub(crate) fn new_token_field(&self) -> bool {
        *self.target.host() == Host::Name("api.openai.com".to_owned())
    }

    /// The lines of TOML that would set a model's price.
    pub(crate) fn price_line(&self, model: &str) -> String {
        format!(
            "[providers.{}] prices = {{ \"{model}\" = {{ input = 0.00, output = 0.00 }} }}",
            self.config.name
        )
    }
}

fn endpoint(kind: ProviderKind, base: &str) -> String {
    let base = base.trim_end_matches('/');
    match kind {
        ProviderKind::OpenAi => format!("{base}/chat/completions"),
        // People write this one with and without the version.
        ProviderKind::Anthropic => {
            format!("{}/v1/messages", base.strip_suffix("/v1").unwrap_or(base))
        }
    }
}

fn says_loopback(target: &Target) -> bool {
    match target.host() {
        Host::Name(name) => name == "localhost",
        Host::Ip(ip) => AddressClass::of(*ip) == AddressClass::Loopback && is_plain(*ip),
    }
}

/// An address that carries another one inside is not plainly what it says.
fn is_plain(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(kind: ProviderKind, url: &str) -> Result<Provider, ProviderError> {
        Provider::new(ProviderConfig {
            name: "p".to_owned(),
            kind,
            url: url.to_owned(),
            key: Some("KEY".to_owned()),
            prices: Prices::default(),
            times: Times::within(Duration::from_secs(60)),
            max_retries: 2,
            private: false,
        })
    }

    #[test]
    fn one_path_of_one_origin() {
        for (kind, url, is) in [
            (
                ProviderKind::OpenAi,
                "https://api.openai.com/v1",
                "https://api.openai.com/v1/chat/completions",
            ),
            (
                ProviderKind::OpenAi,
                "http://127.0.0.1:8080/v1/",
                "http://127.0.0.1:8080/v1/chat/completions",
            ),
            (
                ProviderKind::OpenAi,
                "http://localhost:8080",
                "http://localhost:8080/chat/completions",
            ),
            (
                ProviderKind::Anthropic,
                "https://api.anthropic.com",
                "https://api.anthropic.com/v1/messages",
            ),
            (
                ProviderKind::Anthropic,
                "https://api.anthropic.com/v1/",
                "https://api.anthropic.com/v1/messages",
            ),
        ] {
            let provider = provider(kind, url).unwrap();
            assert_eq!(provider.target.url(), is);
            let authority = provider.authority();
            assert!(authority.permit_hop("POST", &provider.target).is_ok());
            assert!(authority.permit_hop("GET", &provider.target).is_err());
            let beside = provider.target.join("/v1/files").unwrap();
            assert!(authority.permit_hop("POST", &beside).is_err());
            let elsewhere = Target::parse("https://example.com/v1/chat/completions").unwrap();
            assert!(authority.permit_hop("POST", &elsewhere).is_err());
            assert!(authority.secret("KEY", &elsewhere).is_err());
            assert!(authority.secret("KEY", &provider.target).is_ok());
        }
    }

    #[test]
    fn loopback_is_allowed_where_it_is_written_and_nothing_else_is() {
        assert!(provider(ProviderKind::OpenAi, "http://[::1]:1/v1").is_ok());
        for bad in [
            "http://169.254.169.254/v1",
            "http://10.0.0.1/v1",
            "http://[::ffff:127.0.0.1]:1/v1",
            "http://0.0.0.0/v1",
            "https://user:pass@api.openai.com/v1",
            "https://api.openai.com/v1?key=x",
            "https://api.openai.com/v1#x",
            "https://*/v1",
            "ftp://api.openai.com/v1",
            "api.openai.com/v1",
            "",
        ] {
            let got = provider(ProviderKind::OpenAi, bad);
            assert!(got.is_err(), "{bad}: {got:?}");
        }
    }
}
