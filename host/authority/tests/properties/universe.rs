//! A small world in which everything can be tried: actions, and what grants say of them.

use super::*;

pub(crate) const HOSTS: [&str; 2] = ["a.example", "b.example"];
pub(crate) const PATHS: [&str; 6] = ["/", "/v1", "/v1/", "/v1/a", "/v1/admin/x", "/v2/x"];
pub(crate) const METHODS: [&str; 2] = ["GET", "POST"];
pub(crate) const COMMANDS: [&str; 3] = ["test", "build", "push"];
pub(crate) const PROGRAMS: [&str; 2] = ["cargo", "git"];
pub(crate) const PROVIDERS: [&str; 2] = ["local", "far"];
pub(crate) const MODELS: [&str; 2] = ["small", "large"];
pub(crate) const SECRETS: [&str; 2] = ["KEY", "TOKEN"];
/// Files of the project, by directory of the host.
pub(crate) const FILES: [&str; 5] = ["a/f", "b/f", "b/sub/f", "c/f", "top"];

/// One thing that may be done.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Action {
    File(&'static str, FileMode),
    Request(&'static str, &'static str, &'static str),
    Private(&'static str),
    Run(&'static str),
    Generate(&'static str, &'static str),
    Secret(&'static str, SecretTarget),
    Charge,
    Question,
    /// Without anybody's approval.
    Free(Box<Action>),
}

pub(crate) fn targets() -> Vec<SecretTarget> {
    let origins = HOSTS.map(|h| SecretTarget::Origin(format!("https://{h}")));
    let commands = COMMANDS.map(|c| SecretTarget::Exec(c.to_owned()));
    let providers = PROVIDERS.map(|p| SecretTarget::Provider(p.to_owned()));
    origins
        .into_iter()
        .chain(commands)
        .chain(providers)
        .collect()
}

pub(crate) fn universe() -> Vec<Action> {
    let mut all = vec![Action::Charge, Action::Question];
    for f in FILES {
        all.extend([
            Action::File(f, FileMode::Read),
            Action::File(f, FileMode::Write),
        ]);
    }
    for h in HOSTS {
        all.push(Action::Private(h));
        for p in PATHS {
            all.extend(METHODS.map(|m| Action::Request(h, p, m)));
        }
    }
    all.extend(COMMANDS.map(Action::Run));
    for p in PROVIDERS {
        all.extend(MODELS.map(|m| Action::Generate(p, m)));
    }
    for s in SECRETS {
        all.extend(targets().into_iter().map(|t| Action::Secret(s, t)));
    }
    let free: Vec<Action> = all
        .iter()
        .filter(|a| {
            matches!(
                a,
                Action::Request(..) | Action::Run(_) | Action::Generate(..) | Action::Charge
            )
        })
        .map(|a| Action::Free(Box::new(a.clone())))
        .collect();
    all.extend(free);
    all
}

pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    }
}

pub(crate) fn inside(dir: &str, path: &str) -> bool {
    dir == "." || path == dir || path.starts_with(&format!("{dir}/"))
}

/// What grants allow, action by action, as the brokers read them.
pub(crate) fn allows(grants: &Grants, action: &Action) -> bool {
    match action {
        Action::File(f, mode) => grants
            .files
            .iter()
            .any(|g| inside(&g.host, f) && g.mode >= *mode),
        Action::Request(h, p, m) => {
            let hit = |g: &HttpGrant| {
                g.host == *h && fits(&g.path, p) && g.methods.iter().any(|x| x == m)
            };
            grants.http.iter().any(hit) && !grants.http_denied.iter().any(hit)
        }
        Action::Private(h) => grants.http.iter().any(|g| g.host == *h && g.private),
        Action::Run(c) => grants.exec.iter().any(|e| e.name == *c),
        Action::Generate(p, m) => grants
            .model
            .iter()
            .any(|g| g.provider == *p && g.models.iter().any(|x| x == "*" || x == m)),
        Action::Secret(s, t) => grants.secrets.iter().any(|g| g.name == *s && g.to == *t),
        Action::Charge => grants.budget,
        Action::Question => grants.question,
        Action::Free(action) => allows(grants, action) && !asks(grants, action),
    }
}

/// Whether an approval is needed, as the brokers read it: any rule that fits says so.
fn asks(grants: &Grants, action: &Action) -> bool {
    match action {
        Action::Request(h, p, m) => grants.http.iter().any(|g| {
            g.approval && g.host == *h && fits(&g.path, p) && g.methods.iter().any(|x| x == m)
        }),
        // A command is its program and arguments, whatever the rule is called.
        Action::Run(c) => {
            let rule = grants.exec.iter().find(|e| e.name == *c).unwrap();
            grants
                .exec
                .iter()
                .any(|e| e.approval && e.program == rule.program && e.args == rule.args)
        }
        Action::Generate(p, m) => grants
            .model
            .iter()
            .any(|g| g.approval && g.provider == *p && g.models.iter().any(|x| x == "*" || x == m)),
        Action::Charge => grants.budget_approval,
        _ => false,
    }
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) needs: Vec<Need>,
    pub(crate) rules: PolicyRules,
    pub(crate) narrowing: Narrowing,
    pub(crate) operator: Option<OperatorCeiling>,
}
