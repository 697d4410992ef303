//! Plugins of written tasks, gates and the planner: they exist, have the right role, take this configuration and
//! this input, and are granted what they need.

use crate::{
    Catalog, CatalogEntry, Code, Diagnostic, Diagnostics, InputSchema, Located, PluginSource,
    Project, Source, Span, Workflow, WrittenWork, locator::Locator, read::PickSpans,
    schema_check::SchemaMismatch, suggest::nearest, template::uses_templates,
};
use sandgate_authority::{Layer, Narrowing, Refusal, Request, Resolution, grants, resolve};
use sandgate_model::{Grants, PluginName, Role};
use serde_json::Value;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

/// A plugin cannot be used here: code, message, help.
pub(crate) type Unusable = (Code, String, Option<String>);

/// The plugins of a project, with their schemas prepared once.
pub(crate) struct Plugins<'a> {
    pub(crate) project: &'a Project,
    catalog: Option<&'a Catalog>,
    schemas: RefCell<BTreeMap<(PluginName, Which), Prepared>>,
    /// What was granted before: a plan may have a hundred thousand tasks, and most pick the same.
    granted: RefCell<BTreeMap<PluginName, BTreeMap<Narrowing, Grants>>>,
}

type Prepared = Option<Rc<Result<InputSchema, String>>>;

/// Which schema of a plugin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    Input,
    Config,
}

impl<'a> Plugins<'a> {
    pub(crate) fn new(project: &'a Project, catalog: Option<&'a Catalog>) -> Self {
        Self {
            project,
            catalog,
            schemas: RefCell::default(),
            granted: RefCell::default(),
        }
    }

    /// The plugin with this name and role. `Ok(None)`: it is there, but nothing more is known without a catalog.
    pub(crate) fn find(
        &self,
        name: &PluginName,
        role: Role,
    ) -> Result<Option<&'a CatalogEntry>, Unusable> {
        match self.project.plugins.get(name).map(|p| &p.value) {
            None => {
                let help = match nearest(name.as_str(), self.candidates(role).into_iter()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    // First-party plugins are called after their role: `gate-text-rules`.
                    None => format!(
                        "add it to sandgate.toml, under [plugins], such as {} = \"builtin:{}-{name}\"",
                        toml_key(name),
                        role.as_str()
                    ),
                };
                return Err((
                    Code::UNKNOWN_PLUGIN,
                    format!("the project has no plugin `{name}`"),
                    Some(help),
                ));
            }
            Some(PluginSource::Oci(image)) => {
                return Err((
                    Code::PLUGIN_UNAVAILABLE,
                    format!(
                        "plugin `{name}` comes from a registry ({image}), which is not available in this version"
                    ),
                    Some(format!(
                        "download the component and write {} = {{ path = \"plugins/{name}.wasm\" }}",
                        toml_key(name)
                    )),
                ));
            }
            Some(PluginSource::Builtin(_) | PluginSource::Path(_)) => {}
        }
        let Some(catalog) = self.catalog else {
            return Ok(None);
        };
        let Some(entry) = catalog.get(name) else {
            return Err((
                Code::PLUGIN_NOT_LOADED,
                format!("plugin `{name}` could not be loaded"),
                Some("`sandgate plugin inspect` says why".to_owned()),
            ));
        };
        if entry.role != role {
            let others = self.candidates(role);
            let help = match others.as_slice() {
                [] => format!("the project has no {} yet", role.as_str()),
                some => format!("{} of this project: {}", plural(role), some.join(", ")),
            };
            return Err((
                Code::WRONG_ROLE,
                format!(
                    "plugin `{name}` is {}, not {}",
                    article(entry.role),
                    article(role)
                ),
                Some(help),
            ));
        }
        Ok(Some(entry))
    }

    /// Names of plugins with this role, or of all when that is not known.
    fn candidates(&self, role: Role) -> Vec<&'a str> {
        match self.catalog {
            Some(catalog) => catalog
                .plugins
                .iter()
                .filter(|(_, e)| e.role == role)
                .map(|(n, _)| n.as_str())
                .collect(),
            None => self
                .project
                .plugins
                .keys()
                .map(PluginName::as_str)
                .collect(),
        }
    }

    fn schema(&self, name: &PluginName, entry: &CatalogEntry, which: Which) -> Prepared {
        let mut schemas = self.schemas.borrow_mut();
        let key = (name.clone(), which);
        schemas
            .entry(key)
            .or_insert_with(|| {
                let schema = match which {
                    Which::Input => &entry.description.input_schema,
                    Which::Config => &entry.description.config_schema,
                };
                schema
                    .as_ref()
                    .map(|s| Rc::new(InputSchema::new(s).map_err(|e| e.0)))
            })
            .clone()
    }

    /// Checks a document against a plugin's schema. `None`: the schema itself is broken.
    pub(crate) fn fits(
        &self,
        name: &PluginName,
        entry: &CatalogEntry,
        which: Which,
        value: &Value,
    ) -> Option<Vec<SchemaMismatch>> {
        match self.schema(name, entry, which) {
            None => Some(Vec::new()),
            Some(prepared) => match prepared.as_ref() {
                Ok(schema) => Some(schema.check(value).err().unwrap_or_default()),
                Err(_) => None,
            },
        }
    }

    /// What a user of a plugin gets.
    pub(crate) fn grants(
        &self,
        who: &str,
        name: &PluginName,
        entry: &CatalogEntry,
        narrowing: &Narrowing,
    ) -> Result<Grants, Vec<Refusal>> {
        let mut granted = self.granted.borrow_mut();
        if let Some(known) = granted.get(name).and_then(|g| g.get(narrowing)) {
            return Ok(known.clone());
        }
        let request = request(who, name, entry, narrowing);
        let operator = self.project.operator.as_ref();
        let found = grants(request, &self.project.policy, operator)?;
        granted
            .entry(name.clone())
            .or_default()
            .insert(narrowing.clone(), found.clone());
        Ok(found)
    }

    /// The same, with the reasons.
    pub(crate) fn resolve(
        &self,
        who: &str,
        name: &PluginName,
        entry: &CatalogEntry,
        narrowing: &Narrowing,
    ) -> Result<Resolution, Vec<Refusal>> {
        let request = request(who, name, entry, narrowing);
        let operator = self.project.operator.as_ref();
        resolve(request, &self.project.policy, operator)
    }
}

fn request<'a>(
    who: &'a str,
    name: &'a PluginName,
    entry: &'a CatalogEntry,
    narrowing: &'a Narrowing,
) -> Request<'a> {
    Request {
        who,
        plugin: name.as_str(),
        needs: &entry.description.needs,
        narrowing,
    }
}

fn article(role: Role) -> &'static str {
    match role {
        Role::Planner => "a planner",
        Role::Agent => "an agent",
        Role::Gate => "a gate",
    }
}

fn plural(role: Role) -> &'static str {
    match role {
        Role::Planner => "planners",
        Role::Agent => "agents",
        Role::Gate => "gates",
    }
}

/// A name as a key of TOML: a dot would make it two keys.
fn toml_key(name: &PluginName) -> String {
    if name.as_str().contains('.') {
        format!("\"{name}\"")
    } else {
        name.to_string()
    }
}

/// One use of a plugin in a workflow.
struct Use<'a> {
    who: String,
    plugin: &'a Located<PluginName>,
    role: Role,
    config: &'a Value,
    config_span: Option<Span>,
    input: Option<(&'a Value, Option<Span>)>,
    narrowing: &'a Narrowing,
    picks: PickSpans,
}

pub(crate) fn check(
    workflow: &Workflow,
    project: &Project,
    catalog: Option<&Catalog>,
    out: &mut Diagnostics,
) {
    let plugins = Plugins::new(project, catalog);
    let locator = Locator::new(&workflow.source);
    if let Some(planner) = &workflow.planner {
        let all = std::iter::once(&planner.plugin).chain(&planner.fallback);
        for (i, plugin) in all.enumerate() {
            let one = Use {
                who: format!("planner `{}`", plugin.value),
                plugin,
                role: Role::Planner,
                // The configuration belongs to the first; a fallback gets it only when it is the same plugin.
                config: if i == 0 {
                    &planner.config
                } else {
                    &Value::Null
                },
                config_span: planner.config_span.filter(|_| i == 0),
                input: None,
                narrowing: &planner.narrowing,
                picks: planner.picks,
            };
            one.check(workflow, &plugins, &locator, out);
        }
    }
    for task in &workflow.tasks {
        let WrittenWork::Agent {
            agent,
            input,
            config,
            ..
        } = &task.work
        else {
            continue;
        };
        let one = Use {
            who: format!("task `{}`", task.id.value),
            plugin: agent,
            role: Role::Agent,
            config,
            config_span: task.spans.config,
            input: Some((input, task.spans.input)),
            narrowing: &task.narrowing,
            picks: task.spans.picks,
        };
        one.check(workflow, &plugins, &locator, out);
    }
    for gate in &workflow.gates {
        let one = Use {
            who: format!("gate `{}`", gate.id.value),
            plugin: &gate.plugin,
            role: Role::Gate,
            config: &gate.config,
            config_span: gate.config_span,
            input: None,
            narrowing: &gate.narrowing,
            picks: gate.picks,
        };
        one.check(workflow, &plugins, &locator, out);
    }
}

impl Use<'_> {
    fn check(
        &self,
        workflow: &Workflow,
        plugins: &Plugins<'_>,
        locator: &Locator<'_>,
        out: &mut Diagnostics,
    ) {
        let source = &workflow.source;
        let entry = match plugins.find(&self.plugin.value, self.role) {
            Ok(Some(entry)) => entry,
            Ok(None) => return,
            Err((code, message, help)) => {
                let mut found =
                    Diagnostic::new(code, message, source, self.plugin.span).maybe_help(help);
                if let Some(declared) = plugins.project.plugins.get(&self.plugin.value) {
                    found = found.also(plugins.project.source(), declared.span, "declared here");
                }
                out.push(found);
                return;
            }
        };
        self.config(source, entry, plugins, locator, out);
        if let Some((input, span)) = self.input
            && !input.is_null()
            && !uses_templates(input)
        {
            let at = span.unwrap_or(self.plugin.span);
            self.schema(
                source,
                entry,
                plugins,
                Which::Input,
                input,
                (at, span),
                locator,
                out,
            );
        }
        if let Err(refusals) = plugins.grants(&self.who, &self.plugin.value, entry, self.narrowing)
        {
            for refusal in refusals {
                out.push(self.refused(source, plugins.project, refusal));
            }
        }
    }

    fn config(
        &self,
        source: &Arc<Source>,
        entry: &CatalogEntry,
        plugins: &Plugins<'_>,
        locator: &Locator<'_>,
        out: &mut Diagnostics,
    ) {
        match (self.config_span, &entry.description.config_schema) {
            (Some(span), None) => out.push(
                Diagnostic::new(
                    Code::CONFIG_NOT_TAKEN,
                    format!("plugin `{}` takes no configuration", self.plugin.value),
                    source,
                    span,
                )
                .help("remove `config`"),
            ),
            (None, None) => {}
            // It has no JSON form, which has been reported.
            (Some(_), Some(_)) if self.config.is_null() => {}
            (Some(span), Some(_)) => {
                self.schema(
                    source,
                    entry,
                    plugins,
                    Which::Config,
                    self.config,
                    (span, Some(span)),
                    locator,
                    out,
                );
            }
            (None, Some(_)) => {
                let empty = Value::Object(serde_json::Map::new());
                self.schema(
                    source,
                    entry,
                    plugins,
                    Which::Config,
                    &empty,
                    (self.plugin.span, None),
                    locator,
                    out,
                );
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call for each document, with everything that a message needs"
    )]
    fn schema(
        &self,
        source: &Arc<Source>,
        entry: &CatalogEntry,
        plugins: &Plugins<'_>,
        which: Which,
        value: &Value,
        (at, written): (Span, Option<Span>),
        locator: &Locator<'_>,
        out: &mut Diagnostics,
    ) {
        let name = &self.plugin.value;
        let (code, what, word) = match which {
            Which::Input => (Code::INPUT_SCHEMA, "input", "agent"),
            Which::Config => (Code::CONFIG_SCHEMA, "configuration", "plugin"),
        };
        let Some(mismatches) = plugins.fits(name, entry, which, value) else {
            out.push(
                Diagnostic::new(
                    Code::BAD_SCHEMA,
                    format!("the schema of the {what} of plugin `{name}` is broken"),
                    source,
                    self.plugin.span,
                )
                .help("this is a mistake of the plugin: use another version of it"),
            );
            return;
        };
        for mismatch in mismatches {
            let place = written
                .and_then(|outer| locator.inside(outer, &mismatch.at))
                .unwrap_or(at);
            out.push(
                Diagnostic::new(
                    code,
                    format!(
                        "the {what} does not fit {word} `{name}`: {}",
                        mismatch.message
                    ),
                    source,
                    place,
                )
                .help(format!(
                    "`sandgate plugin inspect {name}` shows what it takes"
                )),
            );
        }
    }

    fn refused(&self, source: &Arc<Source>, project: &Project, refusal: Refusal) -> Diagnostic {
        let at = match refusal.layer {
            Layer::Task | Layer::Project => self.picks.of(refusal.kind).unwrap_or(self.plugin.span),
            Layer::Plugin | Layer::Operator => self.plugin.span,
        };
        let label = match refusal.layer {
            Layer::Plugin => "not available".to_owned(),
            layer => format!("refused by the {}", layer.as_str()),
        };
        let mut found = Diagnostic::new(Code::REFUSED, refusal.message, source, at)
            .label(label)
            .help(next_step(refusal.layer))
            .maybe_help(refusal.allow);
        if let Some(rule) = refusal.origin.filter(|o| o.file == project.source().name())
            && let Some(span) = line_span(project.source(), rule.line)
        {
            found = found.also(project.source(), span, "this rule");
        }
        found
    }
}

/// What to do when no line of TOML would allow it.
pub(crate) fn next_step(layer: Layer) -> &'static str {
    match layer {
        Layer::Plugin => "use another plugin for this",
        Layer::Task => "pick what the project grants, each once, or leave the key out",
        Layer::Project => "pick something else",
        Layer::Operator => "ask the operator of this machine",
    }
}

/// The text of a line, without leading blanks.
fn line_span(source: &Source, line: u32) -> Option<Span> {
    let mut start = 0;
    for (i, text) in source.text().split_inclusive('\n').enumerate() {
        if i + 1 == line as usize {
            let trimmed = text.trim_end();
            let blank = trimmed.len() - trimmed.trim_start().len();
            return Some(Span::new(start + blank, start + trimmed.len()));
        }
        start += text.len();
    }
    None
}
