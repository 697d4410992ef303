//! Secrets: where each comes from, and where it may go. Must not read a value.

use super::Reader;
use crate::{
    Code, Diagnostic, Located, SecretSource, Span,
    node::{Leaf, Node},
    structure::is_variable,
};
use sandgate_authority::Target;
use sandgate_model::{Scheme, SecretGrant, SecretTarget};

/// Where the parts of a secret stand.
pub(super) struct Places {
    pub(super) name: Span,
    pub(super) to: Span,
}

impl Reader<'_, '_> {
    pub(super) fn secret(&mut self, node: Node<'_>) {
        let name = node.text("name");
        if let Some(name) = name.as_ref().filter(|n| !is_variable(n.value)) {
            self.bad_secret_name(name.span);
        }
        let from = name.as_ref().and_then(|n| self.from(node, n.value));
        let to = node.text("to");
        let target = to.as_ref().and_then(|t| self.target(t));
        let (Some(name), Some(from), Some(to), Some(target)) = (name, from, to, target) else {
            return;
        };
        match self.sources.get(name.value) {
            Some(other) if *other != from => {
                let first = self
                    .rules
                    .secrets
                    .iter()
                    .position(|r| r.grant.name == name.value)
                    .and_then(|i| self.places.secrets.get(i))
                    .map(|p| p.name);
                let mut found = Diagnostic::new(
                    Code::POLICY_TWICE,
                    format!("the secret `{}` comes from two places", name.value),
                    self.source,
                    name.span,
                )
                .help("write the same `from`, or give one of them another name");
                if let Some(first) = first {
                    found = found.also(self.source, first, "the other one");
                }
                self.out.push(found);
            }
            _ => {
                self.sources.insert(name.value.to_owned(), from);
            }
        }
        let grant = SecretGrant {
            name: name.value.to_owned(),
            to: target,
        };
        let rule = self.rule(grant, node);
        self.rules.secrets.push(rule);
        self.places.secrets.push(Places {
            name: name.span,
            to: to.span,
        });
    }

    fn from(&mut self, node: Node<'_>, name: &str) -> Option<SecretSource> {
        let leaf = node.get("from")?;
        if leaf.text().is_some() {
            // Another word has been reported.
            return Some(SecretSource::Env(name.to_owned()));
        }
        let table = leaf.table()?;
        let one = |t: Located<&str>| t.value.to_owned();
        let env = table.text("env").map(one).map(SecretSource::Env);
        let file = table.text("file").map(one).map(SecretSource::File);
        let command = table.get("command").map(|l| {
            let words = l.items();
            SecretSource::Command(words.iter().filter_map(Leaf::text).map(one).collect())
        });
        let mut all: Vec<SecretSource> = [env, file, command].into_iter().flatten().collect();
        let (message, help) = match all.as_slice() {
            [SecretSource::Command(words)] if words.is_empty() => (
                "a command needs a program",
                "write command = [\"pass\", \"show\", \"x\"]",
            ),
            [SecretSource::Env(variable)] if !is_variable(variable) => (
                "this cannot name an environment variable",
                "use letters, digits and `_`, such as \"API_TOKEN\"",
            ),
            [_] => return all.pop(),
            _ => (
                "a secret comes from one place",
                "write \"env\", { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\"] }",
            ),
        };
        self.report(Code::POLICY_RULE, message, leaf.span, help);
        None
    }

    fn target(&mut self, to: &Located<&str>) -> Option<SecretTarget> {
        if let Some(rule) = to.value.strip_prefix("exec:") {
            return Some(SecretTarget::Exec(rule.to_owned()));
        }
        if let Some(provider) = to.value.strip_prefix("provider:") {
            return Some(SecretTarget::Provider(provider.to_owned()));
        }
        let found = Target::parse(to.value);
        let (message, help) = match found {
            Ok(target) if target.origin() != to.value => (
                "a secret is bound to an origin, without a path".to_owned(),
                format!("write \"{}\"", target.origin()),
            ),
            Ok(target) => {
                let origin = target.origin();
                // The rule of requests has been looked at: who may send requests there may send them in the clear.
                let clear = self.rules.http.iter().any(|r| r.grant.origin() == origin);
                if target.scheme() == Scheme::Https || clear {
                    return Some(SecretTarget::Origin(origin));
                }
                (
                    "a secret cannot go anywhere in the clear".to_owned(),
                    "write an https:// origin, or first allow requests to this one in `http`".to_owned(),
                )
            }
            Err(error) => (
                error.to_string(),
                "write an origin such as \"https://api.example.com\", \"exec:COMMAND\" or \"provider:NAME\""
                    .to_owned(),
            ),
        };
        self.report(Code::BAD_PATTERN, message, to.span, &help);
        None
    }
}
