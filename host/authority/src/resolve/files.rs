//! Directories, and the workspace that they are in.

use super::{Case, allow};
use crate::{FileScope, HostPath, Layer, Rule, line::file_kind};
use sandgate_model::{FileGrant, FileMode, NeedKind, Workspace};

/// A directory on offer, with the rule that offers it.
struct Offer<'a> {
    grant: FileGrant,
    rule: &'a Rule<FileScope>,
}

impl<'a> Case<'a> {
    pub(super) fn files(&mut self) -> Vec<FileGrant> {
        let mut granted = Vec::new();
        for offer in self.offered_files() {
            let origin = &offer.rule.origin;
            let Some(asked) = self.as_asked(&offer.grant) else {
                let kind = file_kind(offer.grant.mode);
                self.not_asked(kind, offer.grant.guest.clone(), Some(origin));
                continue;
            };
            let Some(ceiling) = self.operator.and_then(|o| o.files.as_ref()) else {
                granted.push(asked);
                continue;
            };
            // What was asked for applies to what the operator left, too: a directory lowered from write to read goes
            // only to who asked for read.
            let lowered = ceiling
                .grant
                .map(|most| FileGrant {
                    mode: offer.grant.mode.min(most),
                    ..offer.grant.clone()
                })
                .and_then(|g| self.as_asked(&g));
            if lowered.as_ref().map(|g| g.mode) != Some(asked.mode) {
                let line = format!("files = \"{}\"", allow::mode(asked.mode));
                self.deny(
                    Layer::Operator,
                    file_kind(asked.mode),
                    asked.guest.clone(),
                    "the operator does not allow it",
                    Some(allow::operator(&line)),
                    Some(&ceiling.origin),
                );
            }
            granted.extend(lowered);
        }
        granted
    }

    /// An offer, lowered to what was asked for. Write is given only to who asked for write, and a read-only
    /// directory only to who asked for read.
    fn as_asked(&self, offer: &FileGrant) -> Option<FileGrant> {
        let mode = match offer.mode {
            FileMode::Write if self.asks(NeedKind::FilesWrite) => FileMode::Write,
            FileMode::Write | FileMode::Read if self.asks(NeedKind::FilesRead) => FileMode::Read,
            FileMode::Write | FileMode::Read => return None,
        };
        Some(FileGrant {
            mode,
            ..offer.clone()
        })
    }

    /// What the project offers, as far as the task's workspace and picks leave it.
    fn offered_files(&mut self) -> Vec<Offer<'a>> {
        let (project, narrowing) = (self.project, self.request.narrowing);
        let mut offers = Vec::new();
        let Some(picks) = &narrowing.files else {
            for rule in project.files() {
                if let Some((why, line)) = self.no_place(&rule.grant.host) {
                    self.deny_file(rule, why, Some(line));
                    continue;
                }
                offers.push(Offer {
                    grant: FileGrant {
                        host: rule.grant.host.as_str().to_owned(),
                        guest: rule.grant.guest.as_str().to_owned(),
                        mode: rule.grant.mode,
                    },
                    rule,
                });
            }
            return offers;
        };
        for (at, pick) in picks.iter().enumerate() {
            let guest = &pick.guest;
            let rule = project
                .files()
                .iter()
                .find(|r| r.grant.guest.contains(guest));
            let Some(rule) = rule else {
                let line = allow::file(guest.as_str(), pick.mode.unwrap_or(FileMode::Read));
                let message = format!("picks `{guest}`, which the project does not grant");
                self.refuse(Layer::Project, None, message, Some(line), None);
                continue;
            };
            let again = |p: &&crate::FilePick| p.guest.contains(guest) || guest.contains(&p.guest);
            if picks.iter().take(at).any(|p| again(&p)) {
                let message = format!("picks `{guest}` twice");
                self.refuse(Layer::Task, None, message, None, None);
                continue;
            }
            if let Some((why, line)) = self.no_place(&rule.grant.host) {
                let message = format!("picks `{guest}`, and {why}");
                self.refuse(Layer::Task, None, message, Some(line), Some(&rule.origin));
                continue;
            }
            if pick.mode > Some(rule.grant.mode) {
                let (host, whole) = (rule.grant.host.as_str(), rule.grant.guest.as_str());
                let line = allow::file_from(host, whole, FileMode::Write);
                let message =
                    format!("wants to write `{guest}`, which the project grants for reading only");
                let kind = Some(NeedKind::FilesWrite);
                self.refuse(
                    Layer::Project,
                    kind,
                    message,
                    Some(line),
                    Some(&rule.origin),
                );
                continue;
            }
            let mode = pick.mode.unwrap_or(rule.grant.mode).min(rule.grant.mode);
            // The joined path is checked again, so that a guest path can never smuggle in the state directory.
            let rest = rule.grant.guest.rest(guest).unwrap_or_default();
            match rule.grant.host.join(rest) {
                Ok(host) => offers.push(Offer {
                    grant: FileGrant {
                        host: host.as_str().to_owned(),
                        guest: guest.as_str().to_owned(),
                        mode,
                    },
                    rule,
                }),
                Err(error) => {
                    let message = format!("picks `{guest}`: {error}");
                    self.refuse(Layer::Project, None, message, None, Some(&rule.origin));
                }
            }
            if mode < rule.grant.mode {
                let why = "it picks the directory for reading only";
                let kind = NeedKind::FilesWrite;
                self.deny(
                    Layer::Task,
                    kind,
                    guest.as_str(),
                    why,
                    None,
                    Some(&rule.origin),
                );
            }
        }
        for rule in project.files() {
            if !picks.iter().any(|p| rule.grant.guest.contains(&p.guest)) {
                self.deny_file(rule, super::NOT_PICKED, None);
            }
        }
        offers
    }

    /// The task does not get this directory; when the plugin did not ask for it, that came first.
    fn deny_file(&mut self, rule: &Rule<FileScope>, why: &str, allow: Option<String>) {
        let (kind, origin) = (file_kind(rule.grant.mode), Some(&rule.origin));
        let guest = rule.grant.guest.as_str();
        let asks = match rule.grant.mode {
            FileMode::Write => self.asks(NeedKind::FilesWrite) || self.asks(NeedKind::FilesRead),
            FileMode::Read => self.asks(NeedKind::FilesRead),
        };
        if asks {
            self.deny(Layer::Task, kind, guest, why, allow, origin);
        } else {
            self.not_asked(kind, guest, origin);
        }
    }

    /// Why this directory cannot be in the task's workspace, and the line that would change that.
    fn no_place(&self, host: &HostPath) -> Option<(&'static str, String)> {
        match self.workspace {
            Workspace::None => Some((
                "it says workspace = \"none\"",
                "in the task: workspace = \"shared\"".to_owned(),
            )),
            Workspace::Shared if host.is_project() => Some((
                "the project's own directory holds the state of every run, so it is given only as a copy",
                "in the task: workspace = \"worktree\"".to_owned(),
            )),
            Workspace::Shared | Workspace::Clone | Workspace::Worktree => None,
        }
    }

    pub(super) fn merge(&mut self, files: &[FileGrant]) -> bool {
        if !self.request.narrowing.merge {
            return false;
        }
        let kind = Some(NeedKind::FilesWrite);
        if self.workspace != Workspace::Worktree {
            let message = "wants its changes merged, and only a worktree has any".to_owned();
            let line = "in the task: workspace = \"worktree\"".to_owned();
            self.refuse(Layer::Task, kind, message, Some(line), None);
            return false;
        }
        if !files.iter().any(|f| f.mode == FileMode::Write) {
            let message = "wants its changes merged, but may write no directory, so there are none"
                .to_owned();
            let line = allow::file("/out", FileMode::Write);
            self.refuse(Layer::Task, kind, message, Some(line), None);
            return false;
        }
        true
    }
}
