//! Reads `[[principal]]` of `sandgate.toml`. Must not repeat a token in a message: who wrote the token itself instead of
//! its hash should not find it in a log, too.

use crate::{Code, Diagnostic, Diagnostics, Principal, Source, Span, node::Node};
use sandgate_model::Digest;
use std::{collections::BTreeMap, sync::Arc};

/// What must not be shared, and where it was first.
#[derive(Default)]
struct Seen<'a> {
    names: BTreeMap<&'a str, Span>,
    users: BTreeMap<&'a str, Span>,
    tokens: BTreeMap<Digest, Span>,
}

pub(super) fn read(source: &Arc<Source>, root: Node<'_>, out: &mut Diagnostics) -> Vec<Principal> {
    let mut seen = Seen::default();
    root.tables("principal")
        .into_iter()
        .filter_map(|node| principal(source, node, &mut seen, out))
        .collect()
}

fn principal<'a>(
    source: &Arc<Source>,
    node: Node<'a>,
    seen: &mut Seen<'a>,
    out: &mut Diagnostics,
) -> Option<Principal> {
    let name = node.text("name")?;
    let mut twice = |what: &str, first: Option<Span>, at: Span, help: &str| {
        if let Some(first) = first {
            let message = format!("two principals have the same {what}");
            out.push(
                Diagnostic::new(Code::PRINCIPAL_TWICE, message, source, at)
                    .also(source, first, "the first one")
                    .help(help),
            );
        }
    };
    twice(
        "name",
        seen.names.insert(name.value, name.span),
        name.span,
        "give one of them another name",
    );
    let user = node.text("user");
    if let Some(user) = &user {
        twice(
            "user",
            seen.users.insert(user.value, user.span),
            user.span,
            "one user is one principal: give it the roles of both",
        );
    }
    let token = node.text("token").and_then(|t| token(t.value));
    if let Some(token) = token {
        twice(
            "token",
            seen.tokens.insert(token, name.span),
            name.span,
            "make a token for each",
        );
    }
    let mut wrong = |message: String, at: Span, help: &str| {
        out.push(Diagnostic::new(Code::PRINCIPAL, message, source, at).help(help));
    };
    if node.get("token").is_some() && token.is_none() {
        wrong(
            format!("the token of `{}` is not a SHA-256", name.value),
            name.span,
            "write \"sha256:\" and 64 lowercase hexadecimal digits, the hash of the token and never the token itself: printf %s \"$TOKEN\" | sha256sum",
        );
    }
    if let Some(user) = user.as_ref().filter(|u| !is_user(u.value)) {
        wrong(
            "this cannot be the name of a user".to_owned(),
            user.span,
            "write the user's name as `id -un` prints it",
        );
    }
    if node.get("user").is_none() && node.get("token").is_none() {
        wrong(
            format!(
                "nobody can be `{}`: it has neither a user nor a token",
                name.value
            ),
            name.span,
            "add user = \"NAME\" for a user of this machine, or token = \"sha256:HEX\"",
        );
    }
    let mut roles: Vec<String> = node
        .list("roles")
        .iter()
        .filter_map(|l| Some(l.text()?.value.to_owned()))
        .collect();
    roles.sort();
    roles.dedup();
    Some(Principal {
        name: name.value.to_owned(),
        roles,
        user: user.map(|u| u.value.to_owned()),
        token,
    })
}

/// What separates fields in the files of users, or could be taken for a path, is in no name.
fn is_user(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, ':' | '/'))
}

/// One spelling, so that equal tokens are equal texts.
fn token(text: &str) -> Option<Digest> {
    let hex = text.strip_prefix("sha256:")?;
    let lower = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    (hex.len() == 64 && hex.bytes().all(lower))
        .then(|| text.parse().ok())
        .flatten()
}
