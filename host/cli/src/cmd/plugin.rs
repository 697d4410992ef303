//! `plugin list`, `plugin inspect`: what plugins say of themselves, and what they import.

use crate::{
    args,
    context::Context,
    error::CliError,
    exit::Exit,
    plugins, suggest,
    ui::{Esc, Look, Table, line},
};
use sandgate_driver::{Plugin, Plugins, read_component};
use sandgate_model::{Description, Digest, PluginName, Role};
use sandgate_sandbox::Sandbox;
use sandgate_workflow::PluginSource;
use serde::Serialize;
use serde_json::json;
use std::{path::Path, sync::Arc};

/// `plugin ...`.
pub(super) async fn plugin(ctx: &Context, command: &args::Plugin) -> Result<Exit, CliError> {
    match command {
        args::Plugin::List => list(ctx).await,
        args::Plugin::Inspect(args) => inspect(ctx, &args.plugin).await,
    }
}

/// What can be said of a plugin.
#[derive(Serialize)]
struct Seen {
    name: String,
    source: String,
    roles: Vec<Role>,
    digest: Option<Digest>,
    description: Option<Arc<Description>>,
    imports: Vec<String>,
    /// Why it cannot be used.
    problem: Option<String>,
}

impl Seen {
    fn new(name: &str, source: String, loaded: Result<Arc<Plugin>, String>) -> Self {
        let (loaded, problem) = match loaded {
            Ok(loaded) => (Some(loaded), None),
            Err(problem) => (None, Some(problem)),
        };
        let component = loaded.as_ref().map(|l| &l.component);
        Self {
            name: name.to_owned(),
            source,
            roles: component.map_or_else(Vec::new, |c| c.roles().to_vec()),
            digest: component.map(|c| c.digest()),
            imports: component.map_or_else(Vec::new, |c| c.imports().to_vec()),
            description: loaded.map(|l| Arc::clone(&l.description)),
            problem,
        }
    }

    fn roles(&self) -> String {
        self.roles
            .iter()
            .map(|r| r.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn source_text(source: &PluginSource) -> String {
    match source {
        PluginSource::Builtin(name) => format!("builtin:{name}"),
        PluginSource::Path(path) => path.clone(),
        PluginSource::Oci(image) => image.clone(),
    }
}

/// A plugin of the project, by its name there.
async fn of_project(
    project: &sandgate_workflow::Project,
    plugins: &Plugins,
    name: &PluginName,
) -> Option<Seen> {
    let source = source_text(&project.plugins.get(name)?.value);
    let loaded = plugins.load(name).await?;
    Some(Seen::new(name.as_str(), source, loaded))
}

async fn list(ctx: &Context) -> Result<Exit, CliError> {
    let project = ctx.project()?;
    let plugins = plugins::of(ctx, &project)?;
    let mut all = Vec::new();
    for name in plugins.names() {
        all.extend(of_project(project.file(), &plugins, &name).await);
    }
    let broken = all.iter().any(|seen| seen.problem.is_some());
    let ui = &ctx.ui;
    if ui.json() {
        ui.document("sandgate.plugins/1", json!({ "plugins": all }))?;
    } else {
        let mut table = Table::new(&["plugin", "role", "version", "source", "summary"]);
        for seen in &all {
            let d = seen.description.as_ref();
            table.row([
                ui.out.bold(&seen.name),
                seen.roles(),
                d.map_or_else(String::new, |d| line(&d.version)),
                line(&seen.source),
                match &seen.problem {
                    Some(problem) => format!("{} {}", ui.out.bad("cannot be used:"), line(problem)),
                    None => d.map_or_else(String::new, |d| line(&d.summary)),
                },
            ]);
        }
        ui.print(&table.render(&ui.out, 0))?;
    }
    Ok(if broken { Exit::Failed } else { Exit::Success })
}

async fn inspect(ctx: &Context, typed: &str) -> Result<Exit, CliError> {
    let sandbox = plugins::sandbox(ctx)?;
    let seen = match (typed.strip_prefix("builtin:"), PluginName::new(typed)) {
        (Some(name), _) => {
            let builtin = sandgate_builtins::find(name).ok_or_else(|| {
                let names = sandgate_builtins::all().iter().map(|b| b.name);
                CliError::usage(format!("there is no builtin plugin `{}`", Esc(name)))
                    .hint_maybe(suggest::hint(name, "there are", names))
            })?;
            let loaded = of_bytes(&sandbox, builtin.bytes.into()).await;
            Seen::new(typed, typed.to_owned(), loaded)
        }
        // A name of the project wins; a file of the same name can be written `./NAME`.
        (None, Ok(name)) => by_name(ctx, &sandbox, &name).await?,
        (None, Err(_)) => of_file(ctx, &sandbox, typed).await?,
    };
    if let Some(problem) = &seen.problem {
        let message = format!("{} cannot be used as a plugin: {problem}", seen.name);
        return Err(CliError::invalid(message));
    }
    match ctx.ui.json() {
        true => ctx.ui.document("sandgate.plugin/1", &seen)?,
        false => ctx.ui.print(&text(&seen, &ctx.ui.out))?,
    }
    Ok(Exit::Success)
}

async fn by_name(ctx: &Context, sandbox: &Sandbox, name: &PluginName) -> Result<Seen, CliError> {
    let file = ctx.path(Path::new(name.as_str())).is_file();
    let project = match ctx.project() {
        Ok(project) => project,
        // A file can be looked at outside of any project.
        Err(_) if file => return of_file(ctx, sandbox, name.as_str()).await,
        Err(error) => return Err(error),
    };
    let plugins = Plugins::new(Arc::clone(&project), sandbox.clone());
    match of_project(project.file(), &plugins, name).await {
        Some(seen) => Ok(seen),
        None if file => of_file(ctx, sandbox, name.as_str()).await,
        None => {
            let names = plugins.names();
            let names = names.iter().map(PluginName::as_str);
            let message = format!("the project has no plugin `{name}`, and there is no such file");
            Err(CliError::usage(message).hint_maybe(suggest::hint(
                name.as_str(),
                "its plugins",
                names,
            )))
        }
    }
}

async fn of_bytes(
    sandbox: &Sandbox,
    bytes: std::borrow::Cow<'static, [u8]>,
) -> Result<Arc<Plugin>, String> {
    Plugin::of_bytes(sandbox, bytes).await.map(Arc::new)
}

async fn of_file(ctx: &Context, sandbox: &Sandbox, typed: &str) -> Result<Seen, CliError> {
    let bytes = read_component(&ctx.path(Path::new(typed)))
        .map_err(|e| CliError::usage(format!("cannot read {}", Esc(typed))).caused_by(&e))?;
    Ok(Seen::new(
        typed,
        typed.to_owned(),
        of_bytes(sandbox, bytes.into()).await,
    ))
}

fn text(seen: &Seen, look: &Look) -> String {
    let mut out = format!("{} {}\n", look.bold(Esc(&seen.name)), seen.roles());
    let mut table = Table::default();
    let mut row = |name: &str, text: String| table.row([look.dim(name), text]);
    if let Some(d) = &seen.description {
        row(
            "says",
            format!("{} {}: {}", Esc(&d.name), Esc(&d.version), Esc(&d.summary)),
        );
    }
    if seen.source != seen.name {
        row("source", line(&seen.source));
    }
    if let Some(digest) = seen.digest {
        row("digest", digest.to_string());
    }
    for (n, import) in seen.imports.iter().enumerate() {
        row(if n == 0 { "imports" } else { "" }, line(import));
    }
    out.push_str(&table.render(look, 2));
    let Some(d) = &seen.description else {
        return out;
    };
    let head = if d.needs.is_empty() {
        "needs nothing beyond computing"
    } else {
        "needs"
    };
    out.push_str(&format!("\n{}\n", look.bold(head)));
    let mut table = Table::default();
    for need in &d.needs {
        let kind = serde_json::to_value(need.kind).ok();
        let kind = kind
            .as_ref()
            .and_then(|k| k.as_str())
            .unwrap_or_default()
            .to_owned();
        let optional = if need.optional {
            look.dim("optional")
        } else {
            String::new()
        };
        table.row([kind, optional, line(&need.reason)]);
    }
    out.push_str(&table.render(look, 2));
    for (name, schema) in [
        ("input", &d.input_schema),
        ("output", &d.output_schema),
        ("config", &d.config_schema),
    ] {
        if let Some(schema) = schema {
            // Plugin text: pretty JSON has line breaks of its own only, everything else is escaped.
            let text = serde_json::to_string_pretty(schema).unwrap_or_default();
            out.push_str(&format!(
                "\n{}\n",
                look.bold(format!("schema of its {name}"))
            ));
            for l in crate::ui::lines(&text) {
                out.push_str(&format!("  {l}\n"));
            }
        }
    }
    out
}
