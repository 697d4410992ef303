//! The effective policy as text, and its difference from what was accepted.

use crate::ui::{Esc, Look, Table, line, money, size, span};
use sandgate_model::Millis;
use sandgate_workflow::{DeniedLine, LockDiff, PolicyReport, UseReport};
use serde_json::{Value, json};

/// The report.
pub(crate) fn text(report: &PolicyReport, look: &Look) -> String {
    let mut out = format!(
        "{} of project {}\n",
        look.bold(format!("policy of {}", Esc(&report.workflow))),
        Esc(&report.project)
    );
    for one in &report.uses {
        used(&mut out, one, look);
    }
    if !report.plugins.is_empty() {
        out.push_str(&format!("\n{}\n", look.bold("plugins")));
        let mut table = Table::new(&["plugin", "digest", "can import", "at most"]);
        for plugin in &report.plugins {
            let or = |list: &[String], none: &str| match list {
                [] => none.to_owned(),
                some => line(&some.join(", ")),
            };
            table.row([
                Esc(&plugin.name).to_string(),
                plugin.digest.short(),
                or(&plugin.capabilities, "no capability"),
                or(&plugin.most, "nothing beyond computing"),
            ]);
        }
        out.push_str(&table.render(look, 2));
    }
    if !report.secrets.is_empty() {
        out.push_str(&format!("\n{}\n", look.bold("secrets")));
        let mut table = Table::new(&["name", "from", "may go to"]);
        for secret in &report.secrets {
            table.row([&secret.name, &secret.from, &secret.to].map(|text| line(text)));
        }
        out.push_str(&table.render(look, 2));
    }
    out.push_str(&format!("\n{}\n", look.bold("will ask a person")));
    if report.asks.is_empty() {
        out.push_str("  nothing\n");
    }
    let mut table = Table::default();
    for ask in &report.asks {
        let by = match ask.rules.as_slice() {
            [] => String::new(),
            rules => look.dim(format!("by {}", line(&rules.join(", ")))),
        };
        table.row([ask.on.to_owned(), line(&ask.what), by]);
    }
    out.push_str(&table.render(look, 2));
    let l = &report.limits;
    out.push_str(&format!(
        "\n{} memory {}, time {}, disk {} in {} files, network {}, {} tokens, {} effects, {} host calls\n",
        look.bold("limits of an attempt:"),
        size(l.memory),
        span(Millis(l.attempt)),
        size(l.disk),
        l.files,
        size(l.network),
        l.tokens,
        l.effects,
        l.calls
    ));
    let budget = match (report.budget, report.project_budget) {
        (Some(run), _) => format!("{} for the run", money(run.limit)),
        (None, Some(all)) => format!("what the project's {} have left", money(all)),
        (None, None) => "none set".to_owned(),
    };
    out.push_str(&format!("{} {budget}\n", look.bold("budget:")));
    for warning in &report.warnings {
        out.push_str(&format!("{} {}\n", look.warn("warning:"), line(warning)));
    }
    out
}

fn used(out: &mut String, one: &UseReport, look: &Look) {
    let (kind, id) = (one.subject.kind, Esc(&one.subject.id));
    let head = look.bold(format!("{kind} {id}"));
    let by = match one.subject.id == one.plugin {
        true => String::new(),
        false => format!(" by {}", Esc(&one.plugin)),
    };
    out.push_str(&format!("\n{head}{by}\n"));
    let mut table = Table::default();
    for grant in &one.grants {
        let from = grant.from.as_deref().unwrap_or_default();
        let asks = match one.asks.contains(&grant.text) {
            true => look.warn("asks each time"),
            false => String::new(),
        };
        table.row([
            look.good("may"),
            line(&grant.text),
            look.dim(line(from)),
            asks,
        ]);
    }
    for denied in &one.denied {
        row(&mut table, look.dim("not"), denied, look);
    }
    for refused in &one.refused {
        row(&mut table, look.bad("REFUSED"), refused, look);
    }
    for secret in &one.secrets {
        table.row([
            look.dim("secret"),
            format!("{} to {}", line(&secret.name), line(&secret.to)),
            look.dim(line(&secret.from)),
            String::new(),
        ]);
    }
    if let Some(budget) = one.budget {
        table.row([
            look.dim("budget"),
            money(budget),
            String::new(),
            String::new(),
        ]);
    }
    if table.is_empty() {
        out.push_str("  nothing beyond computing\n");
    }
    out.push_str(&table.render(look, 2));
    for refused in one.refused.iter().filter_map(|r| r.allow.as_ref()) {
        out.push_str(&format!("  {} {}\n", look.busy("hint:"), line(refused)));
    }
    for warning in &one.warnings {
        out.push_str(&format!("  {} {}\n", look.warn("warning:"), line(warning)));
    }
}

fn row(table: &mut Table, word: String, denied: &DeniedLine, look: &Look) {
    let what = match (denied.what.as_str(), denied.kind) {
        ("", Some(kind)) => serde_json::to_value(kind)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default(),
        (what, _) => line(what),
    };
    let from = denied.from.as_deref().unwrap_or(denied.layer);
    table.row([
        word,
        format!("{what}: {}", line(&denied.why)),
        look.dim(line(from)),
        String::new(),
    ]);
}

/// What changed since it was accepted, one line each; empty when nothing did.
pub(crate) fn diff(diff: &LockDiff, look: &Look) -> String {
    let mut out = String::new();
    for (name, plugin) in &diff.plugins {
        let wider = !plugin.wider.is_empty();
        let quiet = plugin.authority.is_empty()
            && plugin.imports.is_empty()
            && plugin.needs.is_empty()
            && plugin.digest.is_none()
            && !wider;
        if quiet {
            continue;
        }
        let state = match wider {
            true => look.bad(format!("{}, wider", plugin.state.as_str())),
            false => plugin.state.as_str().to_owned(),
        };
        out.push_str(&format!("  {} {state}\n", look.bold(name)));
        if let Some((old, new)) = plugin.digest {
            out.push_str(&format!("    digest {} -> {}\n", old.short(), new.short()));
        }
        for text in &plugin.authority.added {
            out.push_str(&format!("    {} {}\n", look.bad("+"), line(text)));
        }
        for text in &plugin.authority.removed {
            out.push_str(&format!("    {} {}\n", look.good("-"), line(text)));
        }
        for text in &plugin.imports.added {
            out.push_str(&format!("    {} imports {}\n", look.bad("+"), line(text)));
        }
        for text in &plugin.wider {
            out.push_str(&format!("    {} {}\n", look.warn("!"), line(text)));
        }
    }
    out
}

/// The same for programs.
pub(crate) fn diff_json(diff: &LockDiff) -> Value {
    diff.plugins
        .iter()
        .map(|(name, p)| {
            let digest = p.digest.map(|(old, new)| json!({ "old": old, "new": new }));
            let body = json!({
                "state": p.state.as_str(),
                "digest": digest,
                "needs": { "added": p.needs.added, "removed": p.needs.removed },
                "imports": { "added": p.imports.added, "removed": p.imports.removed },
                "authority": { "added": p.authority.added, "removed": p.authority.removed },
                "wider": p.wider,
            });
            (name.to_string(), body)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
