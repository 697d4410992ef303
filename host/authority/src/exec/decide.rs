//! The decision about one command. Must not know where grants come from.

use super::{
    ExecPermit, ExecRefusal, ExecTemplate,
    permit::line,
    refusal::allow,
    template::{ARGS_MAX, Mismatch, shown},
};
use crate::{GuestPath, Permission};
use sandgate_model::{ExecGrant, FileGrant, Grants};

/// Most bytes of program and arguments together: what the operating system takes at least.
const BYTES_MAX: usize = 128 * 1024;

/// Longest line of TOML that a message offers. A command over it is not one that somebody would write as a rule.
const ALLOW_MAX: usize = 2048;

/// What one task may run.
#[derive(Clone, Copy, Debug)]
pub struct ExecAuthority<'a> {
    rules: &'a [ExecGrant],
    files: &'a [FileGrant],
}

impl<'a> ExecAuthority<'a> {
    /// What these grants allow.
    #[must_use]
    pub fn new(grants: &'a Grants) -> Self {
        Self {
            rules: &grants.exec,
            files: &grants.files,
        }
    }

    /// Decides about running `program` with `args` in `cwd`, a directory as the guest sees it; absent: the rule's,
    /// else the only granted one, else an empty one.
    ///
    /// A permit comes sealed when any rule that fits wants an approval.
    ///
    /// # Errors
    /// That no rule fits, or that it may not start there.
    pub fn permit(
        &self,
        program: &str,
        args: &[String],
        cwd: Option<&str>,
    ) -> Result<Permission<ExecPermit>, ExecRefusal> {
        let what = format!("`{}`", line(program, args));
        if let Some(why) = too_much(program, args) {
            return Err(ExecRefusal::NotGranted {
                what,
                why,
                nearest: None,
                allow: None,
            });
        }
        let fitting: Vec<(usize, &ExecGrant)> = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| fits(rule, program, args).is_ok())
            .collect();
        // The least authority that does; of equals the first. Where a rule wants an approval, only such rules count:
        // what people agree to is what a rule gives that asks them.
        let approval = fitting.iter().any(|(_, rule)| rule.approval);
        let least = fitting
            .into_iter()
            .filter(|(_, rule)| rule.approval == approval)
            .min_by_key(|(i, r)| (r.network, r.secrets.len(), r.read.len(), *i));
        let Some((index, rule)) = least else {
            return Err(self.refuse(what, program, args));
        };
        match self.directory(rule, cwd) {
            Ok(cwd) => {
                let permit = ExecPermit::new(index, rule, args, cwd);
                Ok(Permission::new(permit, approval))
            }
            Err(why) => Err(ExecRefusal::Directory { what, why }),
        }
    }

    fn refuse(&self, what: String, program: &str, args: &[String]) -> ExecRefusal {
        // Of the rules for this program the one that fits furthest; of equals the first.
        let nearest = self
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.program == program)
            .filter_map(|(i, rule)| Some((i, rule, fits(rule, program, args).err()?)))
            .max_by_key(|(i, _, m)| (m.fitted, std::cmp::Reverse(*i)));
        let why = match &nearest {
            Some((_, rule, m)) => format!("the nearest rule is `{}`, and {}", rule.name, m.message),
            None if self.rules.is_empty() => "no command is".to_owned(),
            None => format!(
                "no rule is for the program {}; there are rules for {}",
                shown(program),
                self.programs()
            ),
        };
        let line = allow(program, args);
        // The line that is offered is itself checked: what no rule can say is not suggested.
        let literal: Vec<String> = args
            .iter()
            .map(|a| a.replace('{', "{{").replace('}', "}}"))
            .collect();
        let possible = line.len() <= ALLOW_MAX && ExecTemplate::parse(program, &literal).is_ok();
        ExecRefusal::NotGranted {
            what,
            why,
            nearest: nearest.map(|(i, _, _)| i),
            allow: possible.then_some(line),
        }
    }

    fn programs(&self) -> String {
        let mut names: Vec<String> = self.rules.iter().map(|r| shown(&r.program)).collect();
        names.sort();
        names.dedup();
        names.join(", ")
    }

    fn directory(&self, rule: &ExecGrant, asked: Option<&str>) -> Result<Option<String>, String> {
        let Some(text) = asked.or(rule.cwd.as_deref()) else {
            return match self.files {
                [] => Ok(None),
                [only] => Ok(Some(only.guest.clone())),
                several => Err(format!(
                    "several directories are granted ({}) and neither the request nor the rule `{}` says which; name one in `cwd`",
                    guests(several),
                    rule.name
                )),
            };
        };
        let path = GuestPath::new(text)
            .map_err(|e| format!("{} is no directory to start in: {e}", shown(text)))?;
        if let Some(own) = rule.cwd.as_deref() {
            let inside = GuestPath::new(own).is_ok_and(|own| own.contains(&path));
            if !inside {
                return Err(format!(
                    "the rule `{}` lets it start in {}, not in {}",
                    rule.name,
                    shown(own),
                    shown(text)
                ));
            }
        }
        let granted = self
            .files
            .iter()
            .any(|f| GuestPath::new(&f.guest).is_ok_and(|g| g.contains(&path)));
        if granted {
            Ok(Some(text.to_owned()))
        } else if self.files.is_empty() {
            Err(format!(
                "{} lies in no granted directory; there is none, leave `cwd` away and it starts in an empty one",
                shown(text)
            ))
        } else {
            Err(format!(
                "{} lies in no granted directory; there are {}",
                shown(text),
                guests(self.files)
            ))
        }
    }
}

fn guests(files: &[FileGrant]) -> String {
    let names: Vec<String> = files.iter().map(|f| shown(&f.guest)).collect();
    names.join(", ")
}

/// Whether a rule fits. A rule that cannot be parsed fits nothing: it came from a damaged or foreign plan.
fn fits(rule: &ExecGrant, program: &str, args: &[String]) -> Result<(), Mismatch> {
    if rule.program != program {
        return Err(Mismatch {
            fitted: 0,
            message: "it is for another program".to_owned(),
        });
    }
    ExecTemplate::parse(&rule.program, &rule.args)
        .map_err(|e| Mismatch {
            fitted: 0,
            message: format!("it is no rule: {e}"),
        })?
        .fits(args)
}

fn too_much(program: &str, args: &[String]) -> Option<String> {
    if args.len() > ARGS_MAX {
        return Some(format!(
            "it has {} arguments, and a command has at most {ARGS_MAX}",
            args.len()
        ));
    }
    let bytes = args
        .iter()
        .fold(program.len(), |sum, a| sum.saturating_add(a.len()));
    (bytes > BYTES_MAX)
        .then(|| format!("it has {bytes} bytes, and a command has at most {BYTES_MAX}"))
}
