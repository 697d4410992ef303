//! What a project allows. A [`Policy`] has been checked: no two of its rules conflict, and what a rule refers to is
//! there. Must not know where rules come from; [`Origin`] is only carried along.

use crate::{GuestPath, HostPath};
use sandgate_model::{ExecGrant, FileMode, HttpGrant, ModelGrant, SecretGrant, SecretTarget};
use std::fmt;

/// Where a rule was written, for messages.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// Name of the file as the user knows it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What one rule allows (or, where it stands in a list of denials, refuses), and where it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule<T> {
    /// What.
    pub grant: T,
    /// Where it was written.
    pub origin: Origin,
}

/// One directory that the project allows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileScope {
    /// Directory on the host.
    pub host: HostPath,
    /// Where the guest sees it.
    pub guest: GuestPath,
    /// The most that is allowed.
    pub mode: FileMode,
}

/// How plugins may charge the budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ChargeRule {
    /// Each charge has to be approved.
    pub approval: bool,
}

/// Rules that were not checked against each other yet, in the order they were written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PolicyRules {
    /// Directories.
    pub files: Vec<Rule<FileScope>>,
    /// Requests that are allowed.
    pub http: Vec<Rule<HttpGrant>>,
    /// Requests that stay refused. A rule for all methods names all of them.
    pub http_denied: Vec<Rule<HttpGrant>>,
    /// Commands.
    pub exec: Vec<Rule<ExecGrant>>,
    /// Text generation.
    pub model: Vec<Rule<ModelGrant>>,
    /// Secrets and where each may go.
    pub secrets: Vec<Rule<SecretGrant>>,
    /// Plugins may charge the budget.
    pub charge: Option<Rule<ChargeRule>>,
    /// Plugins may ask people.
    pub question: Option<Origin>,
}

/// Which list of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleKind {
    /// [`PolicyRules::files`].
    Files,
    /// [`PolicyRules::exec`].
    Exec,
    /// [`PolicyRules::secrets`].
    Secrets,
}

/// Which part of a rule is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleField {
    /// The host path.
    Host,
    /// The guest path.
    Guest,
    /// The name.
    Name,
    /// The directory that a command starts in.
    Cwd,
    /// The secrets of a command.
    Secrets,
    /// Where a secret may go.
    To,
}

/// A rule that cannot hold beside the others.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct PolicyProblem {
    /// Which list it is in.
    pub kind: RuleKind,
    /// The later rule, by index.
    pub rule: usize,
    /// The earlier rule of the same list that it conflicts with, where there is one.
    pub other: Option<usize>,
    /// Which part.
    pub field: RuleField,
    /// Why: a lowercase fragment.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The ceiling of a project: what is not named is denied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy(PolicyRules);

impl Policy {
    /// A policy of these rules.
    ///
    /// # Errors
    /// All rules that cannot hold: guest paths that are equal or nested (one directory would hide a part of the
    /// other), host paths that are equal or nested with different modes (what is read-only under one name would be
    /// writable under another), commands with one name, commands that start in a directory that no rule grants,
    /// secrets of commands that nobody binds to them, secrets twice for one place.
    pub fn new(rules: PolicyRules) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        files(&rules, &mut problems);
        commands(&rules, &mut problems);
        secrets(&rules, &mut problems);
        if problems.is_empty() {
            Ok(Self(rules))
        } else {
            Err(problems)
        }
    }

    /// The directories it allows, in the order they were written.
    #[must_use]
    pub fn files(&self) -> &[Rule<FileScope>] {
        &self.0.files
    }

    /// The requests it allows.
    #[must_use]
    pub fn http(&self) -> &[Rule<HttpGrant>] {
        &self.0.http
    }

    /// The requests that it refuses in any case.
    #[must_use]
    pub fn http_denied(&self) -> &[Rule<HttpGrant>] {
        &self.0.http_denied
    }

    /// The commands it allows.
    #[must_use]
    pub fn exec(&self) -> &[Rule<ExecGrant>] {
        &self.0.exec
    }

    /// The text generation it allows.
    #[must_use]
    pub fn model(&self) -> &[Rule<ModelGrant>] {
        &self.0.model
    }

    /// The secrets, each with one place it may go to.
    #[must_use]
    pub fn secrets(&self) -> &[Rule<SecretGrant>] {
        &self.0.secrets
    }

    /// How plugins may charge the budget; `None`: they may not.
    #[must_use]
    pub fn charge(&self) -> Option<&Rule<ChargeRule>> {
        self.0.charge.as_ref()
    }

    /// Where plugins were allowed to ask people; `None`: they may not.
    #[must_use]
    pub fn question(&self) -> Option<&Origin> {
        self.0.question.as_ref()
    }

    /// The rules, to make another policy of.
    #[must_use]
    pub fn into_rules(self) -> PolicyRules {
        self.0
    }
}

fn files(rules: &PolicyRules, problems: &mut Vec<PolicyProblem>) {
    for (rule, b) in rules.files.iter().map(|r| &r.grant).enumerate() {
        for (other, a) in rules.files.iter().map(|r| &r.grant).enumerate().take(rule) {
            if a.guest.contains(&b.guest) || b.guest.contains(&a.guest) {
                let message = if a.guest == b.guest {
                    format!("the guest path `{}` is given twice", b.guest)
                } else {
                    format!("the guest paths `{}` and `{}` are nested", a.guest, b.guest)
                };
                problems.push(PolicyProblem {
                    kind: RuleKind::Files,
                    rule,
                    other: Some(other),
                    field: RuleField::Guest,
                    message,
                    help: "give each directory a guest path of its own, none inside another"
                        .to_owned(),
                });
            }
            // `.` is granted only as a copy that is the attempt's own: writing there does not write the other one.
            let copy = a.host.is_project() != b.host.is_project();
            let overlap = a.host.contains(&b.host) || b.host.contains(&a.host);
            if a.mode != b.mode && overlap && !copy {
                problems.push(PolicyProblem {
                    kind: RuleKind::Files,
                    rule,
                    other: Some(other),
                    field: RuleField::Host,
                    message: format!(
                        "`{}` and `{}` overlap, and only one of them may be written",
                        a.host, b.host
                    ),
                    help: "give both the same mode, or directories that do not overlap".to_owned(),
                });
            }
        }
    }
}

fn commands(rules: &PolicyRules, problems: &mut Vec<PolicyProblem>) {
    let mut problem = |rule, other, field, message, help: &str| {
        problems.push(PolicyProblem {
            kind: RuleKind::Exec,
            rule,
            other,
            field,
            message,
            help: help.to_owned(),
        });
    };
    for (at, command) in rules.exec.iter().map(|r| &r.grant).enumerate() {
        let twin = rules
            .exec
            .iter()
            .take(at)
            .position(|r| r.grant.name == command.name);
        if let Some(other) = twin {
            problem(
                at,
                Some(other),
                RuleField::Name,
                format!("there are two commands `{}`", command.name),
                "give each a name of its own, such as name = \"test\"",
            );
        }
        if let Some(cwd) = &command.cwd {
            let inside = |r: &Rule<FileScope>| {
                GuestPath::new(cwd).is_ok_and(|cwd| r.grant.guest.contains(&cwd))
            };
            if !rules.files.iter().any(inside) {
                problem(
                    at,
                    None,
                    RuleField::Cwd,
                    format!(
                        "no rule of `files` grants `{cwd}`, so the command could start nowhere"
                    ),
                    "name a guest path of `files`, or a directory inside one",
                );
            }
        }
        for secret in &command.secrets {
            let of = |r: &&Rule<SecretGrant>| r.grant.name == *secret;
            let bound = rules
                .secrets
                .iter()
                .filter(of)
                .any(|r| matches!(&r.grant.to, SecretTarget::Exec(to) if *to == command.name));
            let message = if bound {
                continue;
            } else if rules.secrets.iter().any(|r| of(&r)) {
                format!(
                    "the secret `{secret}` is bound to another place than `exec:{}`",
                    command.name
                )
            } else {
                format!("there is no secret `{secret}`")
            };
            problem(
                at,
                None,
                RuleField::Secrets,
                message,
                &format!(
                    "add {{ name = \"{secret}\", from = \"env\", to = \"exec:{}\" }} to `secrets`",
                    command.name
                ),
            );
        }
    }
}

fn secrets(rules: &PolicyRules, problems: &mut Vec<PolicyProblem>) {
    let mut problem = |rule, other, field, message, help: String| {
        problems.push(PolicyProblem {
            kind: RuleKind::Secrets,
            rule,
            other,
            field,
            message,
            help,
        });
    };
    for (at, secret) in rules.secrets.iter().map(|r| &r.grant).enumerate() {
        let twin = rules
            .secrets
            .iter()
            .take(at)
            .position(|r| r.grant == *secret);
        if let Some(other) = twin {
            problem(
                at,
                Some(other),
                RuleField::Name,
                format!("the secret `{}` is given twice for one place", secret.name),
                "remove one of them".to_owned(),
            );
        }
        let SecretTarget::Exec(rule) = &secret.to else {
            continue;
        };
        match rules.exec.iter().find(|r| r.grant.name == *rule) {
            Some(found) if found.grant.secrets.contains(&secret.name) => {}
            Some(_) => problem(
                at,
                None,
                RuleField::To,
                format!("the command `{rule}` does not ask for `{}`", secret.name),
                format!(
                    "write secrets = [\"{}\"] in the command, or remove this secret",
                    secret.name
                ),
            ),
            None => problem(
                at,
                None,
                RuleField::To,
                format!("there is no command `{rule}`"),
                "write `exec:` and the name of a rule of `exec`".to_owned(),
            ),
        }
    }
}
