//! Rules about requests.

use super::Reader;
use crate::{Code, Diagnostic, Diagnostics, Located, Source, node::Node, shape::METHODS};
use sandgate_authority::{
    AddressClass, Host, HttpPattern, HttpPatternError, HttpTerms, TargetError,
};
use sandgate_model::{HttpGrant, Scheme};
use std::sync::Arc;

/// What to write instead of a URL that is wrong.
pub(in crate::read) fn url_problem(error: &HttpPatternError, text: &str) -> (String, String) {
    const EXAMPLE: &str = "write a URL such as \"https://api.example.com/v1/*\"";
    let text = crate::structure::shorten(text);
    let help = match error {
        HttpPatternError::NoScheme(_) => {
            return (
                "this is not a URL".to_owned(),
                format!("write \"https://{text}\""),
            );
        }
        HttpPatternError::NoPath(origin) => {
            let help = format!(
                "write \"{origin}/*\" for everything there, or \"{origin}/\" for exactly that page"
            );
            return ("the path is missing".to_owned(), help);
        }
        HttpPatternError::Url(TargetError::Scheme) => match text.split_once("://") {
            Some((_, rest)) => format!("write \"https://{rest}\""),
            None => EXAMPLE.to_owned(),
        },
        HttpPatternError::Url(TargetError::UserInfo) => {
            "write the host alone; a password is a secret, bound to the origin in `secrets`"
                .to_owned()
        }
        HttpPatternError::WildHost => "write one rule for each host".to_owned(),
        HttpPatternError::WildPath => "write one rule for each path".to_owned(),
        HttpPatternError::Query => "leave out `?` and what follows".to_owned(),
        HttpPatternError::Plain(plain) => format!("write {plain:?}"),
        HttpPatternError::NoMethod | HttpPatternError::Method(_) => {
            "write methods such as [\"GET\"]".to_owned()
        }
        HttpPatternError::Redirects(_) => "write a smaller number".to_owned(),
        HttpPatternError::Url(_) => EXAMPLE.to_owned(),
    };
    (error.to_string(), help)
}

/// A URL with `*` at the end of its path, for picks and ceilings: where, and nothing else.
pub(in crate::read) fn pattern(
    source: &Arc<Source>,
    text: &Located<&str>,
    out: &mut Diagnostics,
) -> Option<HttpGrant> {
    match HttpPattern::parse(text.value).and_then(|p| p.denial(&[])) {
        Ok(grant) => Some(grant),
        Err(error) => {
            let (message, help) = url_problem(&error, text.value);
            out.push(Diagnostic::new(Code::BAD_PATTERN, message, source, text.span).help(help));
            None
        }
    }
}

/// What a host says about its address before it is resolved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Reach {
    /// A name, or an address in the world.
    Public,
    /// The machine itself. Whoever writes it out means it.
    Loopback,
    /// A literal address of any other class.
    Private(AddressClass),
}

/// How far a host's address reaches, as far as its text says so.
pub(in crate::read) fn private_host(host: &Host) -> Reach {
    match host {
        Host::Name(name) if name == "localhost" => Reach::Loopback,
        Host::Name(_) => Reach::Public,
        Host::Ip(ip) => match AddressClass::of(*ip) {
            AddressClass::Global => Reach::Public,
            AddressClass::Loopback => Reach::Loopback,
            class => Reach::Private(class),
        },
    }
}

impl Reader<'_, '_> {
    pub(super) fn http(&mut self, node: Node<'_>) {
        match (node.text("allow"), node.text("deny")) {
            (Some(allow), None) => self.allowed(node, &allow),
            (None, Some(deny)) => self.denied(node, &deny),
            (Some(allow), Some(deny)) => self.out.push(
                Diagnostic::new(
                    Code::POLICY_RULE,
                    "a rule allows or denies, not both",
                    self.source,
                    deny.span,
                )
                .also(self.source, allow.span, "allowed here")
                .help("write two rules; the denial wins where they overlap"),
            ),
            (None, None) => {
                // One of the wrong type has been reported.
                if node.get("allow").is_none() && node.get("deny").is_none() {
                    self.report(
                        Code::POLICY_RULE,
                        "this rule neither allows nor denies anything",
                        node.span,
                        "add allow = \"https://api.example.com/v1/*\" and methods = [\"GET\"]",
                    );
                }
            }
        }
    }

    fn url(&mut self, text: &Located<&str>) -> Option<HttpPattern> {
        match HttpPattern::parse(text.value) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let (message, help) = url_problem(&error, text.value);
                self.report(Code::BAD_PATTERN, message, text.span, &help);
                None
            }
        }
    }

    fn methods(node: Node<'_>) -> Vec<String> {
        node.list("methods")
            .iter()
            .filter_map(|l| l.text())
            // Another word has been reported.
            .filter(|t| METHODS.contains(&t.value))
            .map(|t| t.value.to_owned())
            .collect()
    }

    fn allowed(&mut self, node: Node<'_>, text: &Located<&str>) {
        let pattern = self.url(text);
        let methods = Self::methods(node);
        match node.get("methods") {
            None => self.report(
                Code::MISSING_KEY,
                "an HTTP rule with `allow` needs the key `methods`",
                node.span,
                "add methods = [\"GET\"]",
            ),
            Some(leaf) if leaf.items().is_empty() => self.report(
                Code::BAD_PATTERN,
                "a rule without a method allows nothing",
                leaf.span,
                "write methods = [\"GET\"]",
            ),
            Some(_) => {}
        }
        let Some(pattern) = pattern else { return };
        let written = node.bool("private").unwrap_or(false);
        let private = match private_host(pattern.target().host()) {
            Reach::Loopback => true,
            Reach::Public => written,
            Reach::Private(class) => {
                if !written {
                    self.report(
                        Code::PRIVATE_ADDRESS,
                        format!("this is {}, not one in the world", class.as_str()),
                        text.span,
                        "add private = true to this rule, if requests to it are meant",
                    );
                }
                written
            }
        };
        if pattern.target().scheme() == Scheme::Http && !private {
            let rest = text.value.split_once("://").map_or("", |(_, rest)| rest);
            self.report(
                Code::BAD_PATTERN,
                "`http://` cannot be allowed out in the world: whoever is on the way reads and changes it",
                text.span,
                &format!("write \"https://{rest}\", or add private = true for a host of your own network"),
            );
        }
        let terms = HttpTerms {
            methods,
            private,
            redirects: node.int("redirects").unwrap_or(0),
            approval: Self::approval(node, false),
        };
        // What makes this fail has been reported.
        if let Ok(grant) = pattern.grant(&terms) {
            let rule = self.rule(grant, node);
            self.rules.http.push(rule);
        }
    }

    fn denied(&mut self, node: Node<'_>, text: &Located<&str>) {
        for key in ["private", "redirects", "approval"] {
            if let Some(span) = node.key_span(key) {
                self.report(
                    Code::POLICY_RULE,
                    format!("a denial has no `{key}`"),
                    span,
                    "remove it: what is denied is denied in any case",
                );
            }
        }
        if let Some(leaf) = node.get("methods").filter(|l| l.items().is_empty()) {
            self.report(
                Code::BAD_PATTERN,
                "a denial of no method denies nothing",
                leaf.span,
                "leave `methods` out to deny all of them",
            );
        }
        let Some(pattern) = self.url(text) else {
            return;
        };
        let mut methods = Self::methods(node);
        if methods.is_empty() {
            // Written out, so that whoever reads the grants need not know what an empty list means.
            methods = METHODS.iter().map(|m| (*m).to_owned()).collect();
        }
        if let Ok(grant) = pattern.denial(&methods) {
            let rule = self.rule(grant, node);
            self.rules.http_denied.push(rule);
        }
    }
}
