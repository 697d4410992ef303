//! The decision: grant = need ∩ task ∩ project ∩ operator.
//!
//! Order of evaluation, and why:
//!
//! 1. **Plugin.** Only what the plugin's description asks for is considered at all, so a plugin that asks for
//!    nothing gets nothing, whatever the policy offers. Kinds that this version cannot enforce are refused here:
//!    a grant that nobody enforces would be a lie.
//! 2. **Project.** Each rule of the policy offers one directory with its highest mode; what no rule names is
//!    denied. The project comes before the task, because a task can only choose among what the project offers.
//! 3. **Task.** A narrowing picks directories (or directories inside them) and may lower the mode. It never adds:
//!    naming what the project does not offer is a mistake and is refused, not ignored.
//! 4. **Operator.** The ceiling lowers what is left. It comes last so that nothing can widen after it.
//! 5. **Completeness.** A need that is not optional and got nothing is refused, and the refusal names the layer
//!    that took the last of it away. Refusing before the start is better than a plugin that fails half-way.
//!
//! Each step can only take away. Deny therefore wins: no later step can give back what an earlier one refused.
//! This file must not parse, open or log anything.

use crate::{GuestPath, HostPath, Layer, OperatorCeiling, Origin, Policy, Refusal};
use sandgate_model::{FileGrant, FileMode, Grants, Need, NeedKind};

/// A directory that a task picks from what the project offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Narrowing {
    /// A guest path of the policy, or a directory inside one.
    pub guest: GuestPath,
    /// Highest mode; absent: as the policy says.
    pub mode: Option<FileMode>,
}

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// For messages: "task `research`".
    pub who: &'a str,
    /// Name of the plugin in the project.
    pub plugin: &'a str,
    /// What the plugin's description asks for.
    pub needs: &'a [Need],
    /// What the task picks; absent: everything that the project offers.
    pub narrowing: Option<&'a [Narrowing]>,
}

/// Decides what the task gets.
///
/// # Errors
/// Everything that was refused, in order of evaluation. Nothing is granted then.
pub fn resolve(
    request: Request<'_>,
    project: &Policy,
    operator: Option<&OperatorCeiling>,
) -> Result<Grants, Vec<Refusal>> {
    let mut refusals = Vec::new();
    unavailable_kinds(request, &mut refusals);

    let asked = Asked::of(request.needs);
    let offers = narrow(request, project, &mut refusals);

    // The plugin's asks apply to what the operator left, too: a directory lowered from write to read goes only to
    // who asked for read. `before` is what there would be without an operator, to name the right layer.
    let before: Vec<FileGrant> = offers.iter().filter_map(|o| asked.limit(o)).collect();
    let mut files: Vec<FileGrant> = match operator {
        None => before.clone(),
        Some(ceiling) => offers
            .iter()
            .filter_map(|o| lower(o, ceiling.files))
            .filter_map(|o| asked.limit(&o))
            .collect(),
    };

    // When the picks themselves are wrong, what they leave unmet is a consequence.
    if refusals.iter().all(|r| r.layer == Layer::Plugin) {
        complete(request, project, operator, &before, &files, &mut refusals);
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    files.sort();
    files.dedup();
    Ok(Grants {
        files,
        ..Grants::default()
    })
}

/// What the plugin asks for in files.
struct Asked {
    read: bool,
    write: bool,
}

impl Asked {
    fn of(needs: &[Need]) -> Self {
        Self {
            read: needs.iter().any(|n| n.kind == NeedKind::FilesRead),
            write: needs.iter().any(|n| n.kind == NeedKind::FilesWrite),
        }
    }

    /// An offer, lowered to what was asked for. Write is given only to who asked for write, and a read-only
    /// directory only to who asked for read.
    fn limit(&self, offer: &FileGrant) -> Option<FileGrant> {
        let mode = match offer.mode {
            FileMode::Write if self.write => FileMode::Write,
            FileMode::Write | FileMode::Read if self.read => FileMode::Read,
            FileMode::Write | FileMode::Read => return None,
        };
        Some(FileGrant {
            mode,
            ..offer.clone()
        })
    }
}

fn lower(grant: &FileGrant, ceiling: Option<FileMode>) -> Option<FileGrant> {
    let mode = grant.mode.min(ceiling?);
    Some(FileGrant {
        mode,
        ..grant.clone()
    })
}

fn word(kind: NeedKind) -> &'static str {
    match kind {
        NeedKind::FilesRead => "files-read",
        NeedKind::FilesWrite => "files-write",
        NeedKind::Http => "http",
        NeedKind::Exec => "exec",
        NeedKind::Model => "model",
        NeedKind::Secrets => "secrets",
        NeedKind::Question => "question",
        NeedKind::Budget => "budget",
    }
}

fn unavailable_kinds(request: Request<'_>, refusals: &mut Vec<Refusal>) {
    for need in request.needs {
        let enforced = match need.kind {
            NeedKind::FilesRead | NeedKind::FilesWrite => true,
            NeedKind::Http
            | NeedKind::Exec
            | NeedKind::Model
            | NeedKind::Secrets
            | NeedKind::Question
            | NeedKind::Budget => false,
        };
        // An optional need that cannot be met is simply not met: the plugin says that it can do without.
        if !enforced && !need.optional {
            refusals.push(Refusal {
                layer: Layer::Plugin,
                kind: Some(need.kind),
                message: format!(
                    "{}: plugin `{}` needs `{}`, which is not available in this version",
                    request.who,
                    request.plugin,
                    word(need.kind)
                ),
                allow: None,
                origin: None,
            });
        }
    }
}

/// Steps 2 and 3: what the project offers, as far as the task picks it.
fn narrow(request: Request<'_>, project: &Policy, refusals: &mut Vec<Refusal>) -> Vec<FileGrant> {
    let whole = |host: &HostPath, guest: &GuestPath, mode| FileGrant {
        host: host.as_str().to_owned(),
        guest: guest.as_str().to_owned(),
        mode,
    };
    let Some(picks) = request.narrowing else {
        return project
            .files()
            .iter()
            .map(|r| whole(&r.host, &r.guest, r.mode))
            .collect();
    };
    let mut offers = Vec::new();
    for (at, pick) in picks.iter().enumerate() {
        let rule = project
            .files()
            .iter()
            .find(|r| r.guest.contains(&pick.guest));
        let Some(rule) = rule else {
            refusals.push(Refusal {
                layer: Layer::Project,
                kind: None,
                message: format!(
                    "{} picks `{}`, which the project does not grant",
                    request.who, pick.guest
                ),
                allow: Some(allow_line(
                    pick.guest.as_str(),
                    pick.mode.unwrap_or(FileMode::Read),
                )),
                origin: None,
            });
            continue;
        };
        if picks
            .iter()
            .take(at)
            .any(|p| p.guest.contains(&pick.guest) || pick.guest.contains(&p.guest))
        {
            refusals.push(Refusal {
                layer: Layer::Task,
                kind: None,
                message: format!("{} picks `{}` twice", request.who, pick.guest),
                allow: None,
                origin: None,
            });
            continue;
        }
        if pick.mode > Some(rule.mode) {
            refusals.push(Refusal {
                layer: Layer::Project,
                kind: Some(NeedKind::FilesWrite),
                message: format!(
                    "{} wants to write `{}`, which the project grants for reading only",
                    request.who, pick.guest
                ),
                allow: Some(allow_line_for(
                    rule.host.as_str(),
                    rule.guest.as_str(),
                    FileMode::Write,
                )),
                origin: Some(rule.origin.clone()),
            });
            continue;
        }
        let mode = pick.mode.unwrap_or(rule.mode).min(rule.mode);
        let host = match rule.guest.rest(&pick.guest) {
            None | Some("") => rule.host.as_str().to_owned(),
            Some(rest) => format!("{}/{rest}", rule.host),
        };
        // The joined path is checked again, so that a guest path can never smuggle in the state directory.
        match HostPath::new(&host) {
            Ok(host) => offers.push(whole(&host, &pick.guest, mode)),
            Err(error) => refusals.push(Refusal {
                layer: Layer::Project,
                kind: None,
                message: format!("{} picks `{}`: {error}", request.who, pick.guest),
                allow: None,
                origin: Some(rule.origin.clone()),
            }),
        }
    }
    offers
}

/// Step 5. `before` is what there was before the operator, `after` what is left.
fn complete(
    request: Request<'_>,
    project: &Policy,
    operator: Option<&OperatorCeiling>,
    before: &[FileGrant],
    after: &[FileGrant],
    refusals: &mut Vec<Refusal>,
) {
    let kinds = [
        (NeedKind::FilesRead, FileMode::Read),
        (NeedKind::FilesWrite, FileMode::Write),
    ];
    for (kind, mode) in kinds {
        let Some(need) = request.needs.iter().find(|n| n.kind == kind && !n.optional) else {
            continue;
        };
        let met = |grants: &[FileGrant]| grants.iter().any(|g| g.mode >= mode);
        if met(after) {
            continue;
        }
        let verb = if mode == FileMode::Write {
            "write"
        } else {
            "read"
        };
        let offered = project.files().iter().any(|r| r.mode >= mode);
        let (layer, tail, allow, origin): (_, _, _, Option<Origin>) = if !offered {
            let line = allow_line("/notes", mode);
            (
                Layer::Project,
                "the project grants no such directory",
                Some(line),
                None,
            )
        } else if met(before) {
            let origin = operator.map(|o| o.origin.clone());
            let word = if mode == FileMode::Write {
                "write"
            } else {
                "read"
            };
            let line = format!("in the operator's file, under [policy]: files = \"{word}\"");
            (
                Layer::Operator,
                "the operator does not allow it",
                Some(line),
                origin,
            )
        } else {
            (
                Layer::Task,
                "it picks none of the directories that may be used so",
                None,
                None,
            )
        };
        refusals.push(Refusal {
            layer,
            kind: Some(kind),
            message: format!(
                "{}: plugin `{}` needs to {verb} a directory ({}), and {tail}",
                request.who, request.plugin, need.reason
            ),
            allow,
            origin,
        });
    }
}

fn allow_line(guest: &str, mode: FileMode) -> String {
    let host = guest.trim_start_matches('/');
    allow_line_for(if host.is_empty() { "files" } else { host }, guest, mode)
}

fn allow_line_for(host: &str, guest: &str, mode: FileMode) -> String {
    let mode = match mode {
        FileMode::Read => "read",
        FileMode::Write => "write",
    };
    format!(
        "in sandgate.toml, under [policy]: files = [{{ host = \"{host}\", guest = \"{guest}\", mode = \"{mode}\" }}]"
    )
}
