//! Reads `[policy]` of `sandgate.toml`: the rules, each with the line it stands on. What one rule says is checked
//! here; what rules say together is checked by [`Policy::new`], and its answers get their places here.

mod exec;
mod http;
mod secrets;

pub(super) use http::{Reach, pattern, private_host};

use super::project::{bad_path, mode};
use crate::{Code, Diagnostic, Diagnostics, SecretSource, Source, Span, node::Node};
use sandgate_authority::{
    ChargeRule, FileScope, GuestPath, HostPath, Origin, Policy, PolicyProblem, PolicyRules, Rule,
    RuleField, RuleKind,
};
use sandgate_model::ModelGrant;
use std::{collections::BTreeMap, sync::Arc};

/// Where the parts of rules stand, by the index of the rule.
#[derive(Default)]
struct Places {
    hosts: Vec<Span>,
    guests: Vec<Span>,
    commands: Vec<exec::Places>,
    secrets: Vec<secrets::Places>,
    models: Vec<Span>,
}

/// What `[policy]` says.
#[derive(Default)]
pub(super) struct Read {
    pub(super) policy: Policy,
    pub(super) secrets: BTreeMap<String, SecretSource>,
    /// Providers that rules name, and where: they have to be in `[providers]`.
    pub(super) providers: Vec<(String, Span)>,
    /// Secrets bound to a provider, and where.
    pub(super) keys: Vec<(String, String, Span)>,
}

/// Reads one file.
pub(super) struct Reader<'a, 'o> {
    pub(super) source: &'a Arc<Source>,
    pub(super) out: &'o mut Diagnostics,
    rules: PolicyRules,
    places: Places,
    sources: BTreeMap<String, SecretSource>,
}

/// Where something is written.
pub(super) fn origin(source: &Source, span: Span) -> Origin {
    Origin {
        file: source.name().to_owned(),
        line: source.position(span.start).line,
    }
}

pub(super) fn read(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> Read {
    let mut reader = Reader {
        source,
        out,
        rules: PolicyRules::default(),
        places: Places::default(),
        sources: BTreeMap::new(),
    };
    for rule in node.tables("files") {
        reader.file(rule);
    }
    for rule in node.tables("http") {
        reader.http(rule);
    }
    for rule in node.tables("exec") {
        reader.exec(rule);
    }
    for rule in node.tables("model") {
        reader.model(rule);
    }
    for rule in node.tables("secrets") {
        reader.secret(rule);
    }
    let written = |key: &str| node.key_span(key).map(|s| origin(source, s));
    let charge = node.get("charge").and_then(|leaf| match leaf.table() {
        Some(rule) => Some(Reader::approval(rule, true)),
        None => node.bool("charge").filter(|yes| *yes).map(|_| false),
    });
    reader.rules.charge = charge.and_then(|approval| {
        Some(Rule {
            grant: ChargeRule { approval },
            origin: written("charge")?,
        })
    });
    if node.bool("question") == Some(true) {
        reader.rules.question = written("question");
    }
    reader.finish()
}

impl Reader<'_, '_> {
    fn report(&mut self, code: Code, message: impl Into<String>, span: Span, help: &str) {
        self.out
            .push(Diagnostic::new(code, message, self.source, span).help(help));
    }

    fn rule<T>(&self, grant: T, node: Node<'_>) -> Rule<T> {
        Rule {
            grant,
            origin: origin(self.source, node.span),
        }
    }

    fn approval(node: Node<'_>, when_absent: bool) -> bool {
        node.text("approval")
            .map_or(when_absent, |a| a.value == "required")
    }

    fn file(&mut self, node: Node<'_>) {
        let host = node
            .text("host")
            .and_then(|h| match HostPath::new(h.value) {
                Ok(path) => Some((path, h.span)),
                Err(error) => {
                    self.out
                        .push(bad_path(self.source, h.span, h.value, &error));
                    None
                }
            });
        let guest = node
            .text("guest")
            .and_then(|g| match GuestPath::new(g.value) {
                Ok(path) => Some((path, g.span)),
                Err(error) => {
                    self.out
                        .push(bad_path(self.source, g.span, g.value, &error));
                    None
                }
            });
        let mode = node.text("mode").and_then(|m| mode(m.value));
        if let (Some((host, host_span)), Some((guest, guest_span)), Some(mode)) =
            (host, guest, mode)
        {
            let rule = self.rule(FileScope { host, guest, mode }, node);
            self.rules.files.push(rule);
            self.places.hosts.push(host_span);
            self.places.guests.push(guest_span);
        }
    }

    fn model(&mut self, node: Node<'_>) {
        let Some(provider) = node.text("provider") else {
            return;
        };
        let list = node.list("models");
        let mut models = Vec::new();
        for text in list.iter().filter_map(|l| l.text()) {
            if crate::structure::is_model(text.value) {
                models.push(text.value.to_owned());
            } else {
                self.report(
                    Code::BAD_PATTERN,
                    "this names no model",
                    text.span,
                    "write a model as its provider names it, or \"*\" for all of them",
                );
            }
        }
        if let Some(leaf) = node.get("models").filter(|_| list.is_empty()) {
            self.report(
                Code::BAD_PATTERN,
                "a rule without a model allows nothing",
                leaf.span,
                "write models = [\"*\"], or the models by name",
            );
        }
        models.sort();
        models.dedup();
        let grant = ModelGrant {
            provider: provider.value.to_owned(),
            models,
            approval: Self::approval(node, false),
        };
        let rule = self.rule(grant, node);
        self.rules.model.push(rule);
        self.places.models.push(provider.span);
    }

    fn finish(self) -> Read {
        let providers = self
            .rules
            .model
            .iter()
            .zip(&self.places.models)
            .map(|(r, span)| (r.grant.provider.clone(), *span))
            .collect();
        let keys = self
            .rules
            .secrets
            .iter()
            .zip(&self.places.secrets)
            .filter_map(|(r, at)| match &r.grant.to {
                sandgate_model::SecretTarget::Provider(p) => {
                    Some((r.grant.name.clone(), p.clone(), at.to))
                }
                _ => None,
            })
            .collect();
        let policy = Policy::new(self.rules).unwrap_or_else(|problems| {
            for problem in problems {
                self.out.push(self.places.diagnostic(self.source, problem));
            }
            Policy::default()
        });
        Read {
            policy,
            secrets: self.sources,
            providers,
            keys,
        }
    }
}

impl Places {
    fn diagnostic(&self, source: &Arc<Source>, problem: PolicyProblem) -> Diagnostic {
        let at = |i: usize| {
            match (problem.kind, problem.field) {
                (RuleKind::Files, RuleField::Host) => self.hosts.get(i).copied(),
                (RuleKind::Files, _) => self.guests.get(i).copied(),
                (RuleKind::Exec, field) => self.commands.get(i).map(|c| c.of(field)),
                (RuleKind::Secrets, RuleField::To) => self.secrets.get(i).map(|s| s.to),
                (RuleKind::Secrets, _) => self.secrets.get(i).map(|s| s.name),
            }
            .unwrap_or_default()
        };
        let code = match (problem.kind, problem.field) {
            (RuleKind::Files, _) => Code::POLICY_CONFLICT,
            (_, RuleField::Name) => Code::POLICY_TWICE,
            _ => Code::POLICY_UNKNOWN,
        };
        let mut found = Diagnostic::new(code, problem.message, source, at(problem.rule));
        if let Some(other) = problem.other {
            found = found.also(source, at(other), "the other rule");
        }
        found.help(problem.help)
    }
}
