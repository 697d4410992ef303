//! Reads what a task, a gate or a planner picks of what the project offers. Whether the project offers it is for
//! `authority`.

use super::{
    policy::pattern,
    project::{bad_path, mode},
};
use crate::{
    Code, Diagnostic, Diagnostics, Source, Span,
    node::{Leaf, Node},
    structure::{is_model, is_variable},
};
use sandgate_authority::{FilePick, GuestPath, HttpPick, ModelPick, Narrowing};
use sandgate_model::{NeedKind, Workspace};
use std::sync::Arc;

/// Where the picks are written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PickSpans {
    workspace: Option<Span>,
    files: Option<Span>,
    http: Option<Span>,
    exec: Option<Span>,
    model: Option<Span>,
    secrets: Option<Span>,
    charge: Option<Span>,
    question: Option<Span>,
}

impl PickSpans {
    /// Where this kind is picked; `None` for what concerns a directory that nobody granted.
    pub(crate) fn of(&self, kind: Option<NeedKind>) -> Option<Span> {
        match kind {
            None | Some(NeedKind::FilesRead | NeedKind::FilesWrite) => {
                self.files.or(self.workspace)
            }
            Some(NeedKind::Http) => self.http,
            Some(NeedKind::Exec) => self.exec,
            Some(NeedKind::Model) => self.model,
            Some(NeedKind::Secrets) => self.secrets,
            Some(NeedKind::Budget) => self.charge,
            Some(NeedKind::Question) => self.question,
        }
    }
}

/// Reads the picks. What is wrong has been reported, and picks nothing away.
pub(super) fn narrowing(
    source: &Arc<Source>,
    node: Node<'_>,
    out: &mut Diagnostics,
) -> (Narrowing, PickSpans) {
    let span = |key: &str| {
        node.has(key)
            .then(|| node.get(key))
            .flatten()
            .map(|l| l.span)
    };
    let spans = PickSpans {
        workspace: span("workspace"),
        files: span("files"),
        http: span("http"),
        exec: span("exec"),
        model: span("model"),
        secrets: span("secrets"),
        charge: span("charge"),
        question: span("question"),
    };
    let workspace = match spans.workspace {
        Some(_) => node
            .text("workspace")
            .and_then(|t| Workspace::from_word(t.value)),
        None => None,
    }
    .unwrap_or_default();
    let mut merge = node.has("merge") && node.bool("merge") == Some(true);
    if merge && workspace != Workspace::Worktree {
        let at = node.key_span("merge").unwrap_or(node.span);
        out.push(
            Diagnostic::new(
                Code::WORKSPACE,
                format!(
                    "only a worktree has changes to merge, and this workspace is `{}`",
                    workspace.as_str()
                ),
                source,
                at,
            )
            .help("write workspace = \"worktree\", or remove `merge`"),
        );
        merge = false;
    }
    let mut wrong = |message: &str, span: Span, help: &str| {
        out.push(Diagnostic::new(Code::BAD_PATTERN, message, source, span).help(help));
    };
    let secrets = list(node, spans.secrets, "secrets", |text, span| {
        if is_variable(text) {
            return Some(text.to_owned());
        }
        wrong(
            "this cannot name a secret",
            span,
            "use letters, digits and `_`, such as \"API_TOKEN\"",
        );
        None
    });
    let model = list(node, spans.model, "model", |text, span| {
        if let Some((provider, model)) = text.split_once('/')
            && sandgate_model::ArtifactName::new(provider).is_ok()
            && is_model(model)
        {
            return Some(ModelPick {
                provider: provider.to_owned(),
                model: model.to_owned(),
            });
        }
        wrong(
            "this names no model",
            span,
            "write PROVIDER/MODEL such as \"local/small\", or \"local/*\" for all of a provider",
        );
        None
    });
    let http = list(node, spans.http, "http", |text, span| {
        let grant = pattern(source, &crate::Located::new(text, span), out)?;
        Some(HttpPick {
            scheme: grant.scheme,
            host: grant.host,
            port: grant.port,
            path: grant.path,
        })
    });
    let exec = list(node, spans.exec, "exec", |text, _| Some(text.to_owned()));
    let narrowing = Narrowing {
        workspace,
        merge,
        files: files(source, node, out),
        http,
        exec,
        model,
        secrets,
        charge: node.has("charge").then(|| node.bool("charge")).flatten(),
        question: node
            .has("question")
            .then(|| node.bool("question"))
            .flatten(),
    };
    (narrowing, spans)
}

/// A list of picks; absent also when one of them is wrong, so that nothing is said about the others.
fn list<T>(
    node: Node<'_>,
    written: Option<Span>,
    key: &str,
    mut read: impl FnMut(&str, Span) -> Option<T>,
) -> Option<Vec<T>> {
    written?;
    let items = node.list(key);
    let picks: Vec<T> = items
        .iter()
        .filter_map(Leaf::text)
        .filter_map(|t| read(t.value, t.span))
        .collect();
    let whole = picks.len() == items.len() && node.get(key).is_some_and(|l| l.is_list());
    Some(picks).filter(|_| whole)
}

fn files(source: &Arc<Source>, node: Node<'_>, out: &mut Diagnostics) -> Option<Vec<FilePick>> {
    let list = node.get("files")?;
    let mut picks = Vec::new();
    let mut wrong = false;
    for item in list.items() {
        let table = item.table();
        let guest = item.text().or_else(|| table.and_then(|t| t.text("guest")));
        let mode = table
            .and_then(|t| t.text("mode"))
            .and_then(|m| mode(m.value));
        let Some(guest) = guest else { continue };
        match GuestPath::new(guest.value) {
            Ok(path) => picks.push(FilePick { guest: path, mode }),
            Err(error) => {
                wrong = true;
                out.push(bad_path(source, guest.span, guest.value, &error));
            }
        }
    }
    Some(picks).filter(|_| !wrong)
}
