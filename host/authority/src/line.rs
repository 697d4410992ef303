//! Grants as lines of text that people accept and that the lock keeps: one line for each thing that may be done, the same
//! text for the same authority, different text for different authority. Must not leave out anything that matters to
//! whoever accepts: what is not in a line was not accepted.
//!
//! A line that ends in [`APPROVAL`] is narrower than the same line without it. A line that begins with [`DENY`] takes
//! away; all others give.

use crate::{OperatorCeiling, Origin, Policy, need_word, resolve, scope};
use sandgate_model::{
    ExecGrant, FileGrant, FileMode, Grants, HttpGrant, Need, NeedKind, SecretGrant, SecretTarget,
    Workspace,
};

/// How a line ends whose every use has to be approved.
pub const APPROVAL: &str = " (approval)";

/// How a line begins that takes away.
pub const DENY: &str = "deny ";

/// One line of authority.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AuthorityLine {
    /// The text.
    pub text: String,
    /// What kind of authority; absent for the workspace.
    pub kind: Option<NeedKind>,
    /// The rule of the project that it comes from; absent when no rule of the policy gives it any more.
    pub origin: Option<Origin>,
}

/// The authority of these grants: sorted, each line once.
#[must_use]
pub fn authority_lines(grants: &Grants) -> Vec<String> {
    let mut lines: Vec<String> = lines(grants, &Policy::default())
        .into_iter()
        .map(|l| l.text)
        .collect();
    lines.dedup();
    lines
}

/// The same, each with the rule that it comes from.
#[must_use]
pub fn sources(grants: &Grants, policy: &Policy) -> Vec<AuthorityLine> {
    lines(grants, policy)
}

/// The most that a plugin can get in this project, whatever task uses it: need ∩ project ∩ operator. This is what
/// people accept when they add a plugin.
#[must_use]
pub fn plugin_lines(
    needs: &[Need],
    project: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Vec<String> {
    authority_lines(&resolve::most(needs, project, operator))
}

fn lines(grants: &Grants, policy: &Policy) -> Vec<AuthorityLine> {
    let mut out = Vec::new();
    let mut push = |kind, text, origin: Option<&Origin>| {
        out.push(AuthorityLine {
            text,
            kind,
            origin: origin.cloned(),
        });
    };
    for file in &grants.files {
        let kind = file_kind(file.mode);
        push(Some(kind), file_line(file), rule_of_file(file, policy));
    }
    if grants.workspace != Workspace::Shared {
        push(
            None,
            format!("workspace {}", grants.workspace.as_str()),
            None,
        );
    }
    if grants.merge {
        push(None, "merge into the run's branch".to_owned(), None);
    }
    for http in &grants.http {
        for method in &http.methods {
            let origin = rule_of_http(http, policy);
            push(Some(NeedKind::Http), http_line(method, http), origin);
        }
    }
    for http in &grants.http_denied {
        let origin = policy.http_denied().iter().find(|r| r.grant == *http);
        let text = format!(
            "{DENY}http {} {}",
            http.methods.join(","),
            word(&scope::url(http))
        );
        push(Some(NeedKind::Http), text, origin.map(|r| &r.origin));
    }
    for exec in &grants.exec {
        for text in exec_lines(exec) {
            push(Some(NeedKind::Exec), text, rule_of_exec(&exec.name, policy));
        }
    }
    for model in &grants.model {
        for name in &model.models {
            let text = format!(
                "model {}/{}{}",
                model.provider,
                word(name),
                approval(model.approval)
            );
            let fits = |r: &&crate::Rule<sandgate_model::ModelGrant>| {
                r.grant.provider == model.provider
                    && r.grant.approval <= model.approval
                    && scope::names(&r.grant, name)
            };
            let rule = strictest(policy.model().iter().filter(fits), |r| r.grant.approval);
            push(Some(NeedKind::Model), text, rule.map(|r| &r.origin));
        }
    }
    for secret in &grants.secrets {
        let rule = policy.secrets().iter().find(|r| r.grant == *secret);
        let text = secret_line(secret);
        push(Some(NeedKind::Secrets), text, rule.map(|r| &r.origin));
    }
    if grants.budget {
        push(
            Some(NeedKind::Budget),
            format!("charge the budget{}", approval(grants.budget_approval)),
            policy.charge().map(|r| &r.origin),
        );
    }
    if grants.question {
        push(
            Some(NeedKind::Question),
            "ask a person".to_owned(),
            policy.question(),
        );
    }
    out.sort();
    out
}

/// The rule that a grant of a directory comes from.
#[must_use]
pub fn rule_of_file<'a>(file: &FileGrant, policy: &'a Policy) -> Option<&'a Origin> {
    let host = crate::HostPath::new(&file.host).ok()?;
    let guest = crate::GuestPath::new(&file.guest).ok()?;
    let fits = |r: &&crate::Rule<crate::FileScope>| {
        r.grant.host.contains(&host) && r.grant.guest.contains(&guest) && r.grant.mode >= file.mode
    };
    policy.files().iter().find(fits).map(|r| &r.origin)
}

/// The rule that a grant of requests comes from.
#[must_use]
pub fn rule_of_http<'a>(http: &HttpGrant, policy: &'a Policy) -> Option<&'a Origin> {
    let fits = |r: &&crate::Rule<HttpGrant>| {
        scope::covers(&r.grant, http)
            && http.methods.iter().all(|m| r.grant.methods.contains(m))
            && (r.grant.private || !http.private)
            && r.grant.redirects == http.redirects
            // A workflow can add an approval to what a rule gives without one.
            && r.grant.approval <= http.approval
    };
    strictest(policy.http().iter().filter(fits), |r| r.grant.approval).map(|r| &r.origin)
}

/// The first that wants an approval, or the first.
fn strictest<'a, T>(
    rules: impl Iterator<Item = &'a T>,
    approval: impl Fn(&T) -> bool,
) -> Option<&'a T> {
    let mut first = None;
    for rule in rules {
        if approval(rule) {
            return Some(rule);
        }
        first = first.or(Some(rule));
    }
    first
}

/// The rule of the command with this name.
#[must_use]
pub fn rule_of_exec<'a>(name: &str, policy: &'a Policy) -> Option<&'a Origin> {
    let fits = |r: &&crate::Rule<ExecGrant>| r.grant.name == name;
    policy.exec().iter().find(fits).map(|r| &r.origin)
}

/// The rule that lets a model be used; the strictest, where several do.
#[must_use]
pub fn rule_of_model<'a>(provider: &str, model: &str, policy: &'a Policy) -> Option<&'a Origin> {
    let fits = |r: &&crate::Rule<sandgate_model::ModelGrant>| {
        r.grant.provider == provider && scope::names(&r.grant, model)
    };
    policy
        .model()
        .iter()
        .filter(fits)
        .max_by_key(|r| r.grant.approval)
        .map(|r| &r.origin)
}

pub(crate) fn file_kind(mode: FileMode) -> NeedKind {
    match mode {
        FileMode::Read => NeedKind::FilesRead,
        FileMode::Write => NeedKind::FilesWrite,
    }
}

fn file_line(file: &FileGrant) -> String {
    let kind = need_word(file_kind(file.mode));
    let guest = word(&file.guest);
    // The usual case, where the guest's name says which directory it is.
    if file.guest.strip_prefix('/') == Some(&file.host) {
        format!("{kind} {guest}")
    } else {
        format!("{kind} {guest} from {}", word(&file.host))
    }
}

fn http_line(method: &str, http: &HttpGrant) -> String {
    let mut text = format!("http {method} {}", word(&scope::url(http)));
    if http.private {
        text.push_str(" private");
    }
    if http.redirects > 0 {
        text.push_str(&format!(" redirects {}", http.redirects));
    }
    text.push_str(approval(http.approval));
    text
}

/// A command, and in lines of their own what it gets besides: less of that is less authority.
fn exec_lines(exec: &ExecGrant) -> Vec<String> {
    let name = word(&exec.name);
    let mut command = format!("exec {name}: {}", word(&exec.program));
    for arg in &exec.args {
        command.push(' ');
        command.push_str(&word(arg));
    }
    if let Some(cwd) = &exec.cwd {
        command.push_str(&format!(" in {}", word(cwd)));
    }
    command.push_str(approval(exec.approval));
    let mut all = vec![command];
    for (key, value) in &exec.env {
        all.push(format!("exec {name} env {}={}", word(key), word(value)));
    }
    all.extend(
        exec.read
            .iter()
            .map(|p| format!("exec {name} reads {}", word(p))),
    );
    all.extend(
        exec.secrets
            .iter()
            .map(|s| format!("exec {name} secret {}", word(s))),
    );
    if exec.network {
        all.push(format!("exec {name} network"));
    }
    all
}

/// `secret NAME -> TARGET`, the target as the policy writes it.
fn secret_line(secret: &SecretGrant) -> String {
    format!(
        "secret {} -> {}",
        word(&secret.name),
        word(&secret_target(&secret.to))
    )
}

/// Where a secret may go, as the policy writes it: an origin, `exec:RULE` or `provider:NAME`.
#[must_use]
pub fn secret_target(to: &SecretTarget) -> String {
    match to {
        SecretTarget::Origin(origin) => origin.clone(),
        SecretTarget::Exec(rule) => format!("exec:{rule}"),
        SecretTarget::Provider(name) => format!("provider:{name}"),
    }
}

fn approval(required: bool) -> &'static str {
    if required { APPROVAL } else { "" }
}

/// A part of a line. Whatever could be taken for two parts, or for another one, stands in quotes and is escaped.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:=@%+,{}*[]~?&#!-".contains(c);
    // These stand between parts of a line.
    let own = matches!(text, "in" | "from" | "private" | "redirects" | "->");
    if !text.is_empty() && !own && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.escape_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cannot_be_taken_for_others() {
        assert_eq!(word("{package:word}"), "{package:word}");
        assert_eq!(word("a b"), "\"a b\"");
        assert_eq!(word("\"a b\""), "\"\\\"a b\\\"\"");
        assert_eq!(word(""), "\"\"");
        assert_eq!(word("in"), "\"in\"");
        assert_eq!(word("(approval)"), "\"(approval)\"");
        assert_eq!(word("\u{202e}"), "\"\\u{202e}\"");
    }
}
