//! `doctor`: looks at the machine and at the project, and says what is wrong and what to do about it. Changes nothing
//! except that compiled code of a builtin plugin may be put into the cache, as any run does.

mod advisories;
mod commands;
mod machine;
mod project;

use crate::{
    args,
    context::Context,
    error::CliError,
    exit::Exit,
    ui::{Look, Table},
};
use serde::Serialize;
use serde_json::json;

/// How a thing is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    /// As it should be.
    Ok,
    /// It works, with something missing.
    Warning,
    /// It does not work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    level: Level,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Finding {
    fn new(what: &'static str, level: Level, found: impl Into<String>) -> Self {
        Self {
            what,
            level,
            found: found.into(),
            hint: None,
        }
    }

    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, Level::Ok, found)
    }

    fn warning(what: &'static str, found: impl Into<String>, hint: &str) -> Self {
        Self {
            hint: Some(hint.to_owned()),
            ..Self::new(what, Level::Warning, found)
        }
    }

    fn error(what: &'static str, found: impl Into<String>, hint: &str) -> Self {
        Self {
            hint: Some(hint.to_owned()),
            ..Self::new(what, Level::Error, found)
        }
    }
}

/// `doctor`.
pub(super) async fn doctor(ctx: &Context, args: &args::Doctor) -> Result<Exit, CliError> {
    if args.advisories {
        return list_advisories(ctx);
    }
    let mut findings = machine::look(ctx).await;
    findings.push(advisories::finding());
    findings.extend(commands::look(ctx).await);
    findings.extend(project::look(ctx));
    let worst = findings.iter().map(|f| f.level).max().unwrap_or(Level::Ok);
    let ui = &ctx.ui;
    match ui.json() {
        true => ui.document(
            "sandgate.doctor/1",
            json!({ "ok": worst != Level::Error, "findings": findings }),
        )?,
        false => ui.print(&text(&findings, &ui.out))?,
    }
    Ok(if worst == Level::Error {
        Exit::Failed
    } else {
        Exit::Success
    })
}

/// The advisories, one line each.
fn list_advisories(ctx: &Context) -> Result<Exit, CliError> {
    let all = advisories::all();
    let ui = &ctx.ui;
    if ui.json() {
        ui.document("sandgate.advisories/1", json!({ "advisories": all }))?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["advisory", "about", "reaches us", "because"]);
    for advisory in all {
        table.row(advisory.cells());
    }
    ui.print(&table.render(&ui.out, 0))?;
    Ok(Exit::Success)
}

fn text(findings: &[Finding], look: &Look) -> String {
    let mut table = Table::default();
    for f in findings {
        let level = match f.level {
            Level::Ok => look.good("ok"),
            Level::Warning => look.warn("warning"),
            Level::Error => look.bad("error"),
        };
        table.row([level, look.bold(f.what), crate::ui::line(&f.found)]);
        if let Some(hint) = &f.hint {
            table.row([
                String::new(),
                String::new(),
                format!("{} {}", look.busy("hint:"), crate::ui::line(hint)),
            ]);
        }
    }
    let count = |level| findings.iter().filter(|f| f.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    let end = match (errors, warnings) {
        (0, 0) => look.good("everything is as it should be"),
        (0, _) => look.warn(crate::ui::count(warnings, "warning")),
        _ => look.bad(crate::ui::count(errors, "error")),
    };
    format!("{}\n{end}\n", table.render(look, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_stand_below() {
        let findings = [
            Finding::ok("kernel", "Linux 6.18"),
            Finding::error("openat2", "not available\n", "use a newer kernel"),
        ];
        assert_eq!(
            text(&findings, &Look::plain()),
            "ok     kernel   Linux 6.18\nerror  openat2  not available\\n\n                hint: use a newer kernel\n\n1 error\n"
        );
    }
}
