//! Reads `[providers]` of `sandgate.toml`, and checks what it and `[policy]` say of each other. Must not connect.

use super::policy::{self, Reach, private_host};
use crate::{
    Code, Diagnostic, Diagnostics, Located, Price, Provider, ProviderKind, Source, Span,
    node::Node, structure::is_variable, suggest::nearest,
};
use sandgate_authority::Target;
use sandgate_model::{Millis, Scheme};
use std::{collections::BTreeMap, sync::Arc};

/// Longest generation when the file does not say: the slowest models take most of a minute for a long answer.
const DEFAULT_TIMEOUT: Millis = Millis(60_000);

type Providers = BTreeMap<String, Located<Provider>>;

/// Reads the providers.
pub(super) fn read(source: &Arc<Source>, root: Node<'_>, out: &mut Diagnostics) -> Providers {
    let mut all = BTreeMap::new();
    for (name, leaf) in root.entries("providers") {
        if let Some(provider) = leaf.table().and_then(|node| one(source, node, out)) {
            all.insert(name.value.to_owned(), Located::new(provider, name.span));
        }
    }
    all
}

fn one(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> Option<Provider> {
    let url = node.text("url");
    let private = node.bool("private").unwrap_or(false);
    let checked = url.as_ref().and_then(|u| base(source, u, private, out));
    let mut prices = BTreeMap::new();
    for (model, leaf) in node.entries("prices") {
        let Some(price) = leaf.table() else { continue };
        if let (Some(input), Some(output)) = (price.amount("input"), price.amount("output")) {
            let price = Price {
                input_micros: input,
                output_micros: output,
            };
            prices.insert(model.value.to_owned(), price);
        }
    }
    if let Some(key) = node.text("key").filter(|k| !is_variable(k.value)) {
        out.push(
            Diagnostic::new(
                Code::BAD_NAME,
                "this cannot name a secret",
                source,
                key.span,
            )
            .help("use letters, digits and `_`, such as \"API_TOKEN\""),
        );
    }
    let (url, private) = checked?;
    Some(Provider {
        kind: node
            .text("kind")
            .and_then(|k| ProviderKind::find(k.value))?,
        url,
        private,
        key: node.text("key").map(|k| k.value.to_owned()),
        timeout: node.duration("timeout").unwrap_or(DEFAULT_TIMEOUT),
        prices,
        key_span: node.get("key").map(|l| l.span),
    })
}

/// The base of an API, without a slash at its end; and whether its address need not be public. The line in the project
/// file is the grant: an address that is written out needs no other.
fn base(
    source: &Arc<Source>,
    text: &Located<&str>,
    written: bool,
    out: &mut Diagnostics,
) -> Option<(String, bool)> {
    let mut report = |message: String, help: &str| {
        out.push(Diagnostic::new(Code::BAD_PATTERN, message, source, text.span).help(help));
        None
    };
    let target = match Target::parse(text.value) {
        Ok(target) => target,
        Err(error) => {
            return report(
                error.to_string(),
                "write the base of the API, such as \"https://api.example.com/v1\"",
            );
        }
    };
    if text.value.contains(['?', '*']) {
        return report(
            "the base of an API has no query and no `*`".to_owned(),
            "leave it out",
        );
    }
    let private = written || private_host(target.host()) != Reach::Public;
    if target.scheme() == Scheme::Http && !private {
        return report(
            "a provider out in the world cannot be asked over `http://`: whoever is on the way would read the key"
                .to_owned(),
            "write https://, or add private = true for a host of your own network",
        );
    }
    let path = target.path().trim_end_matches('/');
    Some((format!("{}{path}", target.origin()), private))
}

/// What rules, secrets and providers say of each other.
pub(super) fn check(
    source: &Arc<Source>,
    providers: &Providers,
    lost: &[String],
    read: &policy::Read,
    out: &mut Diagnostics,
) {
    let unknown = |name: &str, span: Span| {
        let help = match nearest(name, providers.keys().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!(
                "add [providers.{}] with kind and url",
                crate::structure::shorten(name)
            ),
        };
        Diagnostic::new(
            Code::POLICY_UNKNOWN,
            format!("there is no provider `{}`", crate::structure::shorten(name)),
            source,
            span,
        )
        .help(help)
    };
    let known = |name: &String| providers.contains_key(name) || lost.contains(name);
    for (name, span) in read.providers.iter().filter(|(name, _)| !known(name)) {
        out.push(unknown(name, *span));
    }
    for (secret, name, span) in &read.keys {
        match providers.get(name) {
            None if !lost.contains(name) => out.push(unknown(name, *span)),
            Some(provider) if provider.value.key.as_deref() != Some(secret) => out.push(
                Diagnostic::new(
                    Code::POLICY_UNKNOWN,
                    format!("the provider `{name}` does not use `{secret}` as its key"),
                    source,
                    *span,
                )
                .also(source, provider.span, "the provider")
                .help(format!(
                    "write key = \"{secret}\" in [providers.{name}], or remove this secret"
                )),
            ),
            _ => {}
        }
    }
    for (name, provider) in providers {
        let Some(key) = &provider.value.key else {
            continue;
        };
        if !is_variable(key) || read.keys.iter().any(|(s, p, _)| s == key && p == name) {
            continue;
        }
        out.push(
            Diagnostic::new(
                Code::POLICY_UNKNOWN,
                format!("no secret `{key}` is bound to the provider `{name}`"),
                source,
                provider.value.key_span.unwrap_or(provider.span),
            )
            .help(format!(
                "add secrets = [{{ name = \"{key}\", from = \"env\", to = \"provider:{name}\" }}] to [policy]"
            )),
        );
    }
}
