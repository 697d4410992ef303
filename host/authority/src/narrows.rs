//! Whether grants stay within earlier ones: a plan that is made again, or made by a part of a run, never gives a plugin
//! more than the run's first plan did. Must not look at the policy: it may have been widened since.
//!
//! Grants are taken apart into single things that may be done. Each has to be allowed, whole, by one of the earlier
//! grants, with at least the approvals and the denials that held there.

use crate::{
    GuestPath, HostPath, Layer, Refusal,
    exec::overlap,
    line::{file_kind, secret_target},
    need_word,
    scope::{covers, meet, names, url},
};
use sandgate_model::{ExecGrant, FileGrant, FileMode, Grants, HttpGrant, NeedKind, Workspace};

/// Checks that `new` gives nothing that `old` did not. `old` are the grants of the same plugin in the first plan, one
/// for each of its tasks; what any of them gave may be given again. `who` is for messages: "task `research`".
///
/// # Errors
/// Everything in `new` that goes further.
pub fn narrows(who: &str, new: &Grants, old: &[&Grants]) -> Result<(), Vec<Refusal>> {
    let mut wider: Vec<(NeedKind, String)> = Vec::new();
    let mut need = |fine: bool, kind: NeedKind, what: &dyn Fn() -> String| {
        if !fine {
            wider.push((kind, what()));
        }
    };
    for file in &new.files {
        need(
            old.iter().any(|o| file_within(file, new.workspace, o)),
            file_kind(file.mode),
            &|| {
                format!(
                    "`{}` in the workspace `{}`",
                    file.guest,
                    new.workspace.as_str()
                )
            },
        );
    }
    for http in &new.http {
        for method in &http.methods {
            need(
                old.iter().any(|o| http_within(method, http, new, o)),
                NeedKind::Http,
                &|| format!("{method} `{}`", url(http)),
            );
        }
    }
    for exec in &new.exec {
        need(
            old.iter().any(|o| exec_within(exec, new, o)),
            NeedKind::Exec,
            &|| format!("`{}`", exec.name),
        );
    }
    for rule in &new.model {
        for model in &rule.models {
            need(
                old.iter()
                    .any(|o| model_within(&rule.provider, model, new, o)),
                NeedKind::Model,
                &|| format!("`{}/{model}`", rule.provider),
            );
        }
    }
    for secret in &new.secrets {
        need(
            old.iter().any(|o| o.secrets.contains(secret)),
            NeedKind::Secrets,
            &|| format!("`{}` for `{}`", secret.name, secret_target(&secret.to)),
        );
    }
    need(
        !new.merge || old.iter().any(|o| o.merge),
        NeedKind::FilesWrite,
        &|| "the merge into the run's branch".to_owned(),
    );
    need(
        !new.budget
            || old
                .iter()
                .any(|o| o.budget && (new.budget_approval || !o.budget_approval)),
        NeedKind::Budget,
        &|| "charges".to_owned(),
    );
    need(
        !new.question || old.iter().any(|o| o.question),
        NeedKind::Question,
        &|| "to a person".to_owned(),
    );
    if wider.is_empty() {
        return Ok(());
    }
    Err(wider
        .into_iter()
        .map(|(kind, what)| Refusal {
            layer: Layer::Task,
            kind: Some(kind),
            message: format!(
                "{who} would get {} {what}, which the first plan of this run did not give to its plugin",
                need_word(kind)
            ),
            allow: None,
            origin: None,
        })
        .collect())
}

fn file_within(file: &FileGrant, workspace: Workspace, old: &Grants) -> bool {
    let (Ok(host), Ok(guest)) = (HostPath::new(&file.host), GuestPath::new(&file.guest)) else {
        return false;
    };
    // What is written to a copy changes nothing outside; what is written to the shared directory does. Reading is the
    // same in both.
    let place =
        workspace.is_own() || old.workspace == Workspace::Shared || file.mode == FileMode::Read;
    place
        && old.files.iter().any(|o| {
            o.mode >= file.mode
                && HostPath::new(&o.host).is_ok_and(|h| h.contains(&host))
                && GuestPath::new(&o.guest).is_ok_and(|g| g.contains(&guest))
        })
}

fn has(grant: &HttpGrant, method: &str) -> bool {
    grant.methods.iter().any(|m| m == method)
}

fn http_within(method: &str, http: &HttpGrant, new: &Grants, old: &Grants) -> bool {
    let allowed = old.http.iter().any(|o| {
        covers(o, http)
            && has(o, method)
            && (o.private || !http.private)
            && o.redirects >= http.redirects
            && (!o.approval || http.approval)
    });
    // The stricter of two rules wins, so an approval that held somewhere in there has to hold there still.
    let approved = http.approval || kept(method, http, &old.http, &new.http, |g| g.approval);
    let denied = kept(method, http, &old.http_denied, &new.http_denied, |_| true);
    allowed && approved && denied
}

/// Whether everything of `old` that restricts a part of `http` is also in `new`.
fn kept(
    method: &str,
    http: &HttpGrant,
    old: &[HttpGrant],
    new: &[HttpGrant],
    restricts: impl Fn(&HttpGrant) -> bool,
) -> bool {
    old.iter()
        .filter(|o| restricts(o) && has(o, method))
        .filter_map(|o| meet(o, http).map(|path| HttpGrant { path, ..o.clone() }))
        .all(|part| {
            new.iter()
                .any(|n| restricts(n) && has(n, method) && covers(n, &part))
        })
}

fn exec_within(exec: &ExecGrant, new: &Grants, old: &Grants) -> bool {
    let allowed = old.exec.iter().any(|o| same_or_less(exec, o));
    // The stricter of two rules wins, so an approval that held for some of its commands has to hold there still.
    let approved = exec.approval
        || old
            .exec
            .iter()
            .filter(|o| o.approval && overlap(exec, o))
            .all(|o| new.exec.iter().any(|n| n.approval && same_or_less(n, o)));
    allowed && approved
}

fn same_or_less(new: &ExecGrant, old: &ExecGrant) -> bool {
    new.name == old.name
        && new.program == old.program
        && new.args == old.args
        && new.cwd == old.cwd
        && new.env == old.env
        && new.secrets.iter().all(|s| old.secrets.contains(s))
        && new.read.iter().all(|p| old.read.contains(p))
        && (old.network || !new.network)
        && (!old.approval || new.approval)
}

/// Whether using this model in `new` is also allowed in `old`, with the same approvals.
fn model_within(provider: &str, model: &str, new: &Grants, old: &Grants) -> bool {
    let of = |g: &&sandgate_model::ModelGrant| g.provider == provider;
    let allowed = old.model.iter().filter(of).any(|o| names(o, model));
    // Which models of `old` had to be approved, as far as `model` stands for them.
    let touches = |m: &str| model == "*" || m == "*" || m == model;
    let approved = old
        .model
        .iter()
        .filter(of)
        .filter(|o| o.approval)
        .flat_map(|o| o.models.iter())
        .filter(|m| touches(m))
        .all(|m| {
            let part = if model == "*" { m } else { model };
            new.model
                .iter()
                .filter(of)
                .any(|n| n.approval && names(n, part))
        });
    allowed && approved
}
