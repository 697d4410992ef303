//! The same decisions, written another way.

use super::*;

/// The oracle: needs, rules, picks and ceiling one after the other, for one action.
pub(crate) struct Oracle<'a>(pub(crate) &'a World);

impl Oracle<'_> {
    pub(crate) fn asks(&self, kind: NeedKind) -> bool {
        self.0.needs.iter().any(|n| n.kind == kind)
    }

    pub(crate) fn ceiling(&self) -> OperatorCeiling {
        self.0.operator.clone().unwrap_or_default()
    }

    pub(crate) fn in_list(
        list: &Option<sandgate_authority::Rule<Vec<String>>>,
        name: &str,
    ) -> bool {
        list.as_ref()
            .is_none_or(|l| l.grant.iter().any(|x| x == name))
    }

    /// Mode in which a directory of a rule is granted, seen from one file of it.
    pub(crate) fn file(&self, f: &str) -> Option<FileMode> {
        let w = self.0;
        let picks = w.narrowing.files.as_ref();
        let mut best = None;
        for rule in &w.rules.files {
            let (host, root) = (rule.grant.host.as_str(), rule.grant.guest.as_str());
            let workspace = match w.narrowing.workspace {
                Workspace::None => false,
                Workspace::Shared => host != ".",
                _ => true,
            };
            if !workspace || !inside(host, f) {
                continue;
            }
            let rest = f.strip_prefix(host).unwrap_or(f).trim_start_matches('/');
            let seen = format!("{root}/{rest}");
            let mut mode = Some(rule.grant.mode);
            if let Some(picks) = picks {
                mode = picks
                    .iter()
                    .find(|p| inside(p.guest.as_str(), &seen))
                    .map(|p| p.mode.unwrap_or(rule.grant.mode).min(rule.grant.mode));
            }
            if let (Some(m), Some(c)) = (mode, &self.ceiling().files) {
                mode = c.grant.map(|most| most.min(m));
            }
            let given = match mode {
                Some(FileMode::Write) if self.asks(NeedKind::FilesWrite) => Some(FileMode::Write),
                Some(_) if self.asks(NeedKind::FilesRead) => Some(FileMode::Read),
                _ => None,
            };
            best = best.max(given);
        }
        best
    }

    pub(crate) fn request(&self, host: &str, path: &str, method: &str, private: bool) -> bool {
        let w = self.0;
        let ceiling = self.ceiling();
        let denied = w.rules.http_denied.iter().any(|r| {
            r.grant.host == host
                && fits(&r.grant.path, path)
                && r.grant.methods.iter().any(|m| m == method)
        });
        let allowed = w.rules.http.iter().any(|r| {
            let hit = r.grant.host == host
                && fits(&r.grant.path, path)
                && r.grant.methods.iter().any(|m| m == method);
            // A pick chooses within one rule.
            let within = |p: &str| match r.grant.path.strip_suffix('*') {
                Some(prefix) => p.trim_end_matches('*').starts_with(prefix),
                None => p == r.grant.path,
            };
            // What has to be approved comes along wherever a pick touches it.
            let picked = w.narrowing.http.as_ref().is_none_or(|picks| {
                picks.iter().any(|p| {
                    p.host == host && (r.grant.approval || within(&p.path)) && fits(&p.path, path)
                })
            });
            hit && picked && (!private || r.grant.private)
        });
        let most = ceiling.http.is_none_or(|c| {
            c.grant
                .iter()
                .any(|g| g.host == host && fits(&g.path, path))
        });
        let reach = !private || ceiling.private.is_none_or(|p| p.grant);
        self.asks(NeedKind::Http) && allowed && !denied && most && reach
    }

    /// Whether a secret is given to the plugin as far as it, the task and the operator go.
    pub(crate) fn secret_open(&self, name: &str) -> bool {
        let picked = self
            .0
            .narrowing
            .secrets
            .as_ref()
            .is_none_or(|p| p.iter().any(|x| x == name));
        self.asks(NeedKind::Secrets) && picked && Self::in_list(&self.ceiling().secrets, name)
    }

    pub(crate) fn command(&self, name: &str) -> bool {
        let ceiling = self.ceiling();
        let picked = self
            .0
            .narrowing
            .exec
            .as_ref()
            .is_none_or(|p| p.iter().any(|x| x == name));
        let Some(rule) = self.0.rules.exec.iter().find(|r| r.grant.name == name) else {
            return false;
        };
        let network = !rule.grant.network || ceiling.network_commands.is_none_or(|n| n.grant);
        // The world has `/a/` and nothing deeper: the directory is granted when its file is.
        let starts = rule.grant.cwd.is_none() || self.file("a/f").is_some() && self.sees_a();
        self.asks(NeedKind::Exec)
            && picked
            && Self::in_list(&ceiling.exec, &rule.grant.program)
            && network
            && starts
            && rule.grant.secrets.iter().all(|s| self.secret_open(s))
    }

    /// Whether the directory `/a` itself is there under this name, and not only as a part of the project.
    pub(crate) fn sees_a(&self) -> bool {
        let mut alone = self.0.clone();
        alone.rules.files.retain(|r| r.grant.host.as_str() == "a");
        Oracle(&alone).file("a/f").is_some()
    }

    pub(crate) fn generates(&self, provider: &str, model: &str) -> bool {
        let ceiling = self.ceiling();
        let named = |m: &[String]| m.iter().any(|x| x == "*" || x == model);
        let ruled = self
            .0
            .rules
            .model
            .iter()
            .any(|r| r.grant.provider == provider && named(&r.grant.models));
        let picked = self.0.narrowing.model.as_ref().is_none_or(|picks| {
            picks
                .iter()
                .any(|p| p.provider == provider && (p.model == "*" || p.model == model))
        });
        let key = self.0.rules.secrets.iter().all(|s| {
            s.grant.to != SecretTarget::Provider(provider.to_owned())
                || Self::in_list(&ceiling.secrets, &s.grant.name)
        });
        self.asks(NeedKind::Model)
            && ruled
            && picked
            && Self::in_list(&ceiling.model, provider)
            && key
    }

    /// Whether any rule of the project that fits wants an approval: no pick and no ceiling takes that away.
    pub(crate) fn needs_approval(&self, action: &Action) -> bool {
        let rules = &self.0.rules;
        match action {
            Action::Request(h, p, m) => rules.http.iter().any(|r| {
                r.grant.approval
                    && r.grant.host == *h
                    && fits(&r.grant.path, p)
                    && r.grant.methods.iter().any(|x| x == m)
            }),
            Action::Run(c) => {
                let program = |name: &str| {
                    let rule = rules.exec.iter().find(|r| r.grant.name == name);
                    rule.map(|r| r.grant.program.as_str())
                };
                rules
                    .exec
                    .iter()
                    .any(|r| r.grant.approval && Some(r.grant.program.as_str()) == program(c))
            }
            Action::Generate(p, m) => rules.model.iter().any(|r| {
                r.grant.approval
                    && r.grant.provider == *p
                    && r.grant.models.iter().any(|x| x == "*" || x == m)
            }),
            Action::Charge => rules.charge.as_ref().is_some_and(|r| r.grant.approval),
            _ => false,
        }
    }

    pub(crate) fn allows(&self, action: &Action) -> bool {
        match action {
            Action::File(f, mode) => self.file(f) >= Some(*mode),
            Action::Request(h, p, m) => self.request(h, p, m, false),
            Action::Private(h) => {
                // Where any rule of this host that is granted at all may reach further.
                self.asks(NeedKind::Http)
                    && self
                        .0
                        .rules
                        .http
                        .iter()
                        .any(|r| r.grant.host == *h && r.grant.private)
            }
            Action::Run(c) => self.command(c),
            Action::Generate(p, m) => self.generates(p, m),
            Action::Secret(s, to) => {
                let bound = |r: &sandgate_authority::Rule<sandgate_model::SecretGrant>| {
                    r.grant.name == *s && r.grant.to == *to
                };
                self.0.rules.secrets.iter().any(bound)
                    && match to {
                        SecretTarget::Provider(p) => MODELS.iter().any(|m| self.generates(p, m)),
                        SecretTarget::Exec(c) => self.command(c) && self.secret_open(s),
                        SecretTarget::Origin(_) => self.secret_open(s),
                    }
            }
            Action::Charge => {
                self.asks(NeedKind::Budget)
                    && self.0.rules.charge.is_some()
                    && self.0.narrowing.charge != Some(false)
                    && self.ceiling().charge.is_none_or(|c| c.grant)
            }
            Action::Question => {
                self.asks(NeedKind::Question)
                    && self.0.rules.question.is_some()
                    && self.0.narrowing.question != Some(false)
                    && self.ceiling().question.is_none_or(|c| c.grant)
            }
            Action::Free(action) => self.allows(action) && !self.needs_approval(action),
        }
    }
}
