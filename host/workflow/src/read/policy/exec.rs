//! Rules about commands.

use super::Reader;
use crate::{
    Code, Diagnostic, Span,
    node::{Leaf, Node},
    read::project::bad_path,
    structure::is_variable,
};
use sandgate_authority::{ExecTemplate, GuestPath, RuleField, STATE_DIR, TemplatePart};
use sandgate_model::{ArtifactName, ExecGrant};
use std::collections::BTreeMap;

/// Where the parts of a command stand.
pub(super) struct Places {
    name: Span,
    cwd: Span,
    secrets: Span,
}

impl Places {
    pub(super) fn of(&self, field: RuleField) -> Span {
        match field {
            RuleField::Cwd => self.cwd,
            RuleField::Secrets => self.secrets,
            RuleField::Name | RuleField::Host | RuleField::Guest | RuleField::To => self.name,
        }
    }
}

/// Variables that the host sets, and those that make a program load code: a rule cannot set them.
const FIXED: &[&str] = &["PATH", "HOME"];
const LOADERS: &[&str] = &["LD_", "DYLD_"];

/// Directories whose content is no file of anybody: what they show differs from reader to reader.
const SPECIAL: &[&str] = &["/proc", "/sys", "/dev"];

impl Reader<'_, '_> {
    pub(super) fn exec(&mut self, node: Node<'_>) {
        let Some(program) = node.text("program") else {
            return;
        };
        let items = node.list("args");
        let args: Vec<String> = items
            .iter()
            .filter_map(|l| l.text().map(|t| t.value.to_owned()))
            .collect();
        if program
            .value
            .contains([' ', '|', ';', '&', '$', '`', '>', '<'])
        {
            self.report(
                Code::BAD_COMMAND,
                "a program is one name or path: there is no shell",
                program.span,
                "write program = \"cargo\", args = [\"test\"]",
            );
        } else if let Err(error) = ExecTemplate::parse(program.value, &args) {
            let (span, help) = match error.at {
                TemplatePart::Program => {
                    (program.span, "write program = \"cargo\", args = [\"test\"]")
                }
                TemplatePart::Arg(i) => (
                    items.get(i).map_or(program.span, |l: &Leaf<'_>| l.span),
                    "a hole is written {name:word}, with `word`, `int`, `hex`, `path` or `text`; for braces write {{ and }}",
                ),
            };
            self.report(Code::BAD_COMMAND, error.message, span, help);
        }
        let name = match node.text("name") {
            Some(name) => (name.value.to_owned(), name.span),
            None => {
                let last = program.value.rsplit('/').next().unwrap_or_default();
                if ArtifactName::new(last).is_err() && !program.value.contains(' ') {
                    self.report(
                        Code::BAD_NAME,
                        "this rule needs a name: the program's cannot be one",
                        program.span,
                        "add name = \"test\", by which tasks pick it",
                    );
                }
                (last.to_owned(), program.span)
            }
        };
        let cwd = node.text("cwd");
        if let Some(cwd) = &cwd
            && let Err(error) = GuestPath::new(cwd.value)
        {
            self.out
                .push(bad_path(self.source, cwd.span, cwd.value, &error));
            return;
        }
        let grant = ExecGrant {
            name: name.0,
            program: program.value.to_owned(),
            args,
            cwd: cwd.as_ref().map(|c| c.value.to_owned()),
            env: self.env(node),
            secrets: self.names(node),
            network: node.bool("network").unwrap_or(false),
            read: self.read(node),
            timeout: node.duration("timeout"),
            approval: Self::approval(node, true),
        };
        let rule = self.rule(grant, node);
        self.rules.exec.push(rule);
        self.places.commands.push(Places {
            name: name.1,
            cwd: cwd.map_or(program.span, |c| c.span),
            secrets: node.get("secrets").map_or(program.span, |l| l.span),
        });
    }

    fn env(&mut self, node: Node<'_>) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        for (key, leaf) in node.entries("env") {
            let reserved =
                FIXED.contains(&key.value) || LOADERS.iter().any(|l| key.value.starts_with(l));
            if reserved {
                self.report(
                    Code::POLICY_RULE,
                    format!("a rule cannot set `{}`: it decides which code runs", key.value),
                    key.span,
                    "remove it; a program outside the usual places is written with its absolute path",
                );
            } else if let Some(text) = leaf.text() {
                env.insert(key.value.to_owned(), text.value.to_owned());
            }
        }
        env
    }

    /// The secrets, sorted.
    fn names(&mut self, node: Node<'_>) -> Vec<String> {
        let mut names = Vec::new();
        for text in node.list("secrets").iter().filter_map(Leaf::text) {
            if is_variable(text.value) {
                names.push(text.value.to_owned());
            } else {
                self.bad_secret_name(text.span);
            }
        }
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn bad_secret_name(&mut self, span: Span) {
        self.report(
            Code::BAD_NAME,
            "this cannot name a secret",
            span,
            "use letters, digits and `_`, such as \"API_TOKEN\"",
        );
    }

    /// Further directories, sorted.
    fn read(&mut self, node: Node<'_>) -> Vec<String> {
        let mut paths = Vec::new();
        for text in node.list("read").iter().filter_map(Leaf::text) {
            let path = text.value;
            // A guest path has the same grammar: absolute, without `.` and `..`.
            let wrong = match GuestPath::new(path) {
                Err(_) if !path.starts_with('/') => Some("this is not an absolute path".to_owned()),
                Err(error) => Some(error.to_string()),
                Ok(_) if path == "/" => Some("the whole machine cannot be read".to_owned()),
                Ok(_) => SPECIAL
                    .iter()
                    .find(|s| path == **s || path.starts_with(&format!("{s}/")))
                    .map(|s| format!("`{s}` cannot be granted")),
            };
            let state = path
                .split('/')
                .any(|p| p.eq_ignore_ascii_case(STATE_DIR))
                .then(|| "the state directory `.sandgate` can never be granted".to_owned());
            match wrong.or(state) {
                Some(message) => self.out.push(
                    Diagnostic::new(Code::BAD_PATH, message, self.source, text.span)
                        .help("write the directory that the command needs, such as \"/opt/tool\""),
                ),
                None => paths.push(path.to_owned()),
            }
        }
        paths.sort();
        paths.dedup();
        paths
    }
}
