//! Commands.

use super::{Case, allow};
use crate::{GuestPath, Layer, exec::overlap};
use sandgate_model::{ExecGrant, FileGrant, NeedKind, SecretGrant, SecretTarget};

const KIND: NeedKind = NeedKind::Exec;

impl Case<'_> {
    /// What may be run, given the directories and the secrets that were granted beside it.
    pub(super) fn exec(&mut self, files: &[FileGrant], secrets: &[SecretGrant]) -> Vec<ExecGrant> {
        let project = self.project;
        let picks = self.request.narrowing.exec.as_deref();
        for pick in picks.unwrap_or_default() {
            if !project.exec().iter().any(|r| r.grant.name == *pick) {
                let message = format!(
                    "picks the command `{pick}`, which the project does not have{}",
                    super::known(project.exec().iter().map(|r| r.grant.name.as_str()))
                );
                self.refuse(
                    Layer::Project,
                    Some(KIND),
                    message,
                    Some(allow::exec(pick)),
                    None,
                );
            }
        }
        let mut granted = Vec::new();
        for rule in project.exec() {
            let (command, origin) = (&rule.grant, &rule.origin);
            if !self.asks(KIND) {
                self.not_asked(KIND, command.name.clone(), Some(origin));
                continue;
            }
            if picks.is_some_and(|p| !p.contains(&command.name)) {
                let why = super::NOT_PICKED;
                self.deny(
                    Layer::Task,
                    KIND,
                    command.name.clone(),
                    why,
                    None,
                    Some(origin),
                );
                continue;
            }
            let before = self.denied.len();
            self.under_operator(command);
            self.start(command, files, origin);
            self.secrets_of(command, secrets, origin);
            if self.denied.len() == before {
                granted.push(ExecGrant {
                    secrets: sorted(&command.secrets),
                    read: sorted(&command.read),
                    ..command.clone()
                });
            }
        }
        self.still_asked(&mut granted);
        granted
    }

    /// An approval that the project wants holds whatever the task picks: where a rule with one is not given, a command
    /// that it fits would otherwise run without, by another rule that it fits too.
    fn still_asked(&self, granted: &mut [ExecGrant]) {
        let rules = self.project.exec().iter().map(|r| &r.grant);
        for strict in rules.filter(|r| r.approval) {
            if granted.iter().any(|g| g.name == strict.name) {
                continue;
            }
            for grant in granted.iter_mut().filter(|g| overlap(g, strict)) {
                grant.approval = true;
            }
        }
    }

    fn under_operator(&mut self, command: &ExecGrant) {
        let Some(ceiling) = self.operator else { return };
        let name = &command.name;
        if let Some(rule) = &ceiling.exec
            && !rule.grant.contains(&command.program)
        {
            let why = format!("the operator does not allow `{}`", command.program);
            let line = allow::operator(&format!("exec = [{:?}]", command.program));
            self.deny(
                Layer::Operator,
                KIND,
                name,
                why,
                Some(line),
                Some(&rule.origin),
            );
        }
        if let Some(rule) = &ceiling.network_commands
            && !rule.grant
            && command.network
        {
            let why = "the operator allows no command the network";
            let line = allow::operator("network_commands = true");
            self.deny(
                Layer::Operator,
                KIND,
                name,
                why,
                Some(line),
                Some(&rule.origin),
            );
        }
    }

    /// Where it starts has to be in a granted directory.
    fn start(&mut self, command: &ExecGrant, files: &[FileGrant], origin: &crate::Origin) {
        // Without one, whoever runs it says where, or there is only one directory.
        let Some(cwd) = &command.cwd else { return };
        let inside = GuestPath::new(cwd).is_ok_and(|cwd| {
            files
                .iter()
                .any(|f| GuestPath::new(&f.guest).is_ok_and(|g| g.contains(&cwd)))
        });
        if inside {
            return;
        }
        let why = format!("it starts in `{cwd}`, which is not granted beside it");
        let asks = self.asks(NeedKind::FilesRead) || self.asks(NeedKind::FilesWrite);
        let layer = if asks {
            self.who_took(cwd)
        } else {
            Layer::Plugin
        };
        self.deny(layer, KIND, command.name.clone(), why, None, Some(origin));
    }

    /// The layer that took the directory away.
    fn who_took(&self, cwd: &str) -> Layer {
        self.denied
            .iter()
            .filter(|d| matches!(d.kind, NeedKind::FilesRead | NeedKind::FilesWrite))
            .filter(|d| {
                let (Ok(of), Ok(cwd)) = (GuestPath::new(&d.what), GuestPath::new(cwd)) else {
                    return false;
                };
                of.contains(&cwd)
            })
            .map(|d| d.layer)
            .max_by_key(|l| l.rank())
            .unwrap_or(Layer::Task)
    }

    fn secrets_of(&mut self, command: &ExecGrant, secrets: &[SecretGrant], origin: &crate::Origin) {
        let target = SecretTarget::Exec(command.name.clone());
        for name in &command.secrets {
            if secrets.iter().any(|s| s.name == *name && s.to == target) {
                continue;
            }
            let layer = self
                .denied
                .iter()
                .filter(|d| d.kind == NeedKind::Secrets && d.what == *name)
                .map(|d| d.layer)
                .max_by_key(|l| l.rank())
                .unwrap_or(Layer::Plugin);
            let why = format!("it uses the secret `{name}`, which is not granted beside it");
            self.deny(layer, KIND, command.name.clone(), why, None, Some(origin));
        }
    }
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list.dedup();
    list
}
