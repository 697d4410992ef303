//! The last step: a need that is not optional and got nothing is refused.

use super::{Case, allow};
use crate::{Denial, Layer, Refusal};
use sandgate_model::{FileMode, Grants, NeedKind, SecretTarget};

/// Every kind, in the order of the reports.
const KINDS: &[NeedKind] = &[
    NeedKind::FilesRead,
    NeedKind::FilesWrite,
    NeedKind::Http,
    NeedKind::Exec,
    NeedKind::Model,
    NeedKind::Secrets,
    NeedKind::Budget,
    NeedKind::Question,
];

impl Case<'_> {
    /// Refuses every need that is not optional and not met, and notes the optional ones that nobody offers.
    pub(super) fn complete(&mut self, grants: &Grants) {
        for kind in KINDS {
            let Some(need) = self
                .request
                .needs
                .iter()
                .filter(|n| n.kind == *kind)
                .min_by_key(|n| n.optional)
            else {
                continue;
            };
            if met(*kind, grants) {
                continue;
            }
            let last = self
                .denied
                .iter()
                .filter(|d| d.kind == *kind && d.layer != Layer::Plugin)
                .max_by_key(|d| d.layer.rank())
                .cloned();
            let (layer, tail, allow, origin) = match last {
                None => (
                    Layer::Project,
                    nothing_offered(*kind).to_owned(),
                    Some(example(*kind)),
                    None,
                ),
                Some(d) => {
                    // What was not picked is not the fault of any one rule.
                    let origin = d.origin.clone().filter(|_| d.why != super::NOT_PICKED);
                    (d.layer, tail(*kind, &d), d.allow, origin)
                }
            };
            if need.optional {
                if layer == Layer::Project && origin.is_none() {
                    self.deny(layer, *kind, "", tail, allow, None);
                }
                continue;
            }
            self.refusals.push(Refusal {
                layer,
                kind: Some(*kind),
                message: format!(
                    "{}: plugin `{}` needs {} ({}), and {tail}",
                    self.request.who,
                    self.request.plugin,
                    verb(*kind),
                    need.reason
                ),
                allow,
                origin,
            });
        }
    }
}

fn met(kind: NeedKind, grants: &Grants) -> bool {
    match kind {
        NeedKind::FilesRead => !grants.files.is_empty(),
        NeedKind::FilesWrite => grants.files.iter().any(|f| f.mode == FileMode::Write),
        NeedKind::Http => !grants.http.is_empty(),
        NeedKind::Exec => !grants.exec.is_empty(),
        NeedKind::Model => !grants.model.is_empty(),
        NeedKind::Secrets => grants
            .secrets
            .iter()
            .any(|s| !matches!(s.to, SecretTarget::Provider(_))),
        NeedKind::Budget => grants.budget,
        NeedKind::Question => grants.question,
    }
}

fn verb(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::FilesRead => "to read a directory",
        NeedKind::FilesWrite => "to write a directory",
        NeedKind::Http => "to send requests",
        NeedKind::Exec => "to run a command",
        NeedKind::Model => "to generate text",
        NeedKind::Secrets => "a secret",
        NeedKind::Question => "to ask a person",
        NeedKind::Budget => "to charge the budget",
    }
}

/// Nobody said no: there is simply no rule.
fn nothing_offered(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::FilesRead | NeedKind::FilesWrite => "the project grants no such directory",
        NeedKind::Http => "the project allows no requests",
        NeedKind::Exec => "the project allows no command",
        NeedKind::Model => "the project allows no model",
        NeedKind::Secrets => "the project has no secret for it",
        NeedKind::Budget => "the project does not allow charges",
        NeedKind::Question => "the project does not allow questions",
    }
}

fn example(kind: NeedKind) -> String {
    match kind {
        NeedKind::FilesRead => allow::file("/notes", FileMode::Read),
        NeedKind::FilesWrite => allow::file("/notes", FileMode::Write),
        NeedKind::Http => allow::http("https://api.example.com/*"),
        NeedKind::Exec => allow::exec("test"),
        NeedKind::Model => allow::model("PROVIDER", "*"),
        NeedKind::Secrets => allow::secret("API_TOKEN"),
        NeedKind::Budget => allow::charge(),
        NeedKind::Question => allow::question(),
    }
}

fn tail(kind: NeedKind, last: &Denial) -> String {
    let files = matches!(kind, NeedKind::FilesRead | NeedKind::FilesWrite);
    if files && last.why == super::NOT_PICKED {
        "it picks none of the directories that may be used so".to_owned()
    } else if last.what.is_empty() || (files && last.layer != Layer::Project) {
        last.why.clone()
    } else {
        format!("`{}` is not granted: {}", last.what, last.why)
    }
}
