//! The stable codes of diagnostics. A code is never given another meaning; one that is no longer used stays
//! reserved. Each has a page in `host/docs/errors`.

use crate::Severity;
use std::fmt;

/// A stable code, such as `SG-W006`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// The code as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// What it means, in a line.
    #[must_use]
    pub fn title(self) -> &'static str {
        entry(self).map_or("", |e| e.title)
    }

    /// Its page, in Markdown.
    #[must_use]
    pub fn page(self) -> &'static str {
        entry(self).map_or("", |e| e.page)
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        entry(self).map_or(Severity::Error, |e| e.severity)
    }

    /// The code that is written like this, in any case.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        CODES
            .iter()
            .map(|e| e.code)
            .find(|c| c.0.eq_ignore_ascii_case(text))
    }

    /// Every code, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.iter().map(|e| e.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

struct Entry {
    code: Code,
    severity: Severity,
    title: &'static str,
    page: &'static str,
}

fn entry(code: Code) -> Option<&'static Entry> {
    CODES.iter().find(|e| e.code == code)
}

macro_rules! codes {
    ($($name:ident = $text:literal, $severity:ident, $title:literal;)*) => {
        impl Code {
            $(
                #[doc = $title]
                pub const $name: Self = Self($text);
            )*
        }

        const CODES: &[Entry] = &[$(
            Entry {
                code: Code::$name,
                severity: Severity::$severity,
                title: $title,
                page: include_str!(concat!("../../docs/errors/", $text, ".md")),
            },
        )*];
    };
}

codes! {
    // The form of any file.
    TOML_SYNTAX = "SG-F001", Error, "the file is not TOML";
    UNKNOWN_KEY = "SG-F002", Error, "a key that the file does not have";
    WRONG_TYPE = "SG-F003", Error, "a value of the wrong type";
    MISSING_KEY = "SG-F004", Error, "a key that has to be there";
    UNKNOWN_WORD = "SG-F005", Error, "a word outside a closed list";
    BAD_NAME = "SG-F006", Error, "a name or id that breaks the grammar";
    BAD_DURATION = "SG-F007", Error, "a duration that cannot be read";
    BAD_SIZE = "SG-F008", Error, "a size that cannot be read";
    OUT_OF_RANGE = "SG-F009", Error, "a number outside its range";
    FILE_TOO_LARGE = "SG-F010", Error, "a file over the limit";
    NOT_JSON = "SG-F011", Error, "a value that JSON does not have";
    TOO_LONG = "SG-F012", Error, "a text or list over its limit";
    BAD_TEXT = "SG-F013", Error, "a text that is empty or holds control characters";
    LOCK_DAMAGED = "SG-F014", Error, "a lock file that cannot be right";

    // Workflows.
    DUPLICATE_TASK = "SG-W001", Error, "two tasks with one id";
    DUPLICATE_GATE = "SG-W002", Error, "two gates with one id";
    DUPLICATE_RULE = "SG-W003", Error, "two approval rules with one name";
    UNKNOWN_NEED = "SG-W004", Error, "`needs` names a task that is not there";
    SELF_NEED = "SG-W005", Error, "a task needs itself";
    CYCLE = "SG-W006", Error, "tasks need each other in a circle";
    BAD_ARTIFACT_REF = "SG-W007", Error, "`consumes` is not written TASK.ARTIFACT";
    NOT_PRODUCED = "SG-W008", Error, "`consumes` names an artifact that nobody produces";
    REPEATED = "SG-W009", Warning, "the same entry twice in a list";
    NO_WORK = "SG-W010", Error, "a task that neither has an agent nor waits";
    TWO_KINDS_OF_WORK = "SG-W011", Error, "a task that has an agent and waits";
    KEY_NEEDS_AGENT = "SG-W012", Error, "a key that only an agent's task can have";
    UNKNOWN_SIGNAL = "SG-W013", Error, "a signal type that nobody declared";
    UNKNOWN_RULE = "SG-W014", Error, "an approval rule that is not there";
    // W015 was a review of written tasks, which is possible now.
    NOTHING_TO_DO = "SG-W016", Error, "neither tasks nor a planner";
    TOO_MANY_TASKS = "SG-W017", Error, "more tasks than a plan may have";
    DEFAULT_TYPE = "SG-W018", Error, "a default of another type than the input";
    DEFAULT_NOT_IN_ENUM = "SG-W019", Error, "a default that its own `enum` does not allow";
    UNUSED_INPUT = "SG-W020", Warning, "an input that nothing uses";
    BAD_RULE = "SG-W021", Error, "an approval rule that can never be met";
    UNUSED_RULE = "SG-W022", Warning, "an approval rule that nothing refers to";
    BAD_RETRY = "SG-W023", Error, "retries that contradict themselves";
    CONFUSABLE_IDS = "SG-W024", Warning, "two ids that look alike";
    SESSION_TWO_AGENTS = "SG-W025", Error, "one pinned session for two agents";
    REPEATED_FALLBACK = "SG-W026", Warning, "a fallback planner that was already tried";
    SESSION_CONFIG = "SG-W027", Error, "one pinned session with two configurations";
    INPUT_NAME = "SG-W028", Error, "an input whose name cannot be used in templates";

    RULE_ABOUT = "SG-W029", Error, "an approval rule that is about something else";
    NOBODY_DECIDES = "SG-W030", Error, "an approval that nobody could ever give";
    INPUT_TWICE = "SG-W031", Error, "two inputs for one task";

    // Inputs given to a run.
    UNKNOWN_INPUT = "SG-I001", Error, "an input that the workflow does not have";
    MISSING_INPUT = "SG-I002", Error, "an input without a value";
    INPUT_TYPE = "SG-I003", Error, "an input of the wrong type";
    INPUT_NOT_IN_ENUM = "SG-I004", Error, "an input that is not one of the allowed values";

    // Templates.
    TEMPLATE_SYNTAX = "SG-T001", Error, "a template that cannot be read";
    TEMPLATE_STATEMENT = "SG-T002", Error, "a statement in a template";
    TEMPLATE_NAME = "SG-T003", Error, "a name that templates do not have";
    TEMPLATE_HYPHEN = "SG-T004", Error, "an id with a hyphen, read as a subtraction";
    TEMPLATE_INPUT = "SG-T005", Error, "a template uses an input that is not there";
    TEMPLATE_TASK = "SG-T006", Error, "a template uses a task that is not there";
    TEMPLATE_NOT_NEEDED = "SG-T007", Error, "a template uses a task that is not among the needs";
    TEMPLATE_FIELD = "SG-T008", Error, "a part that a task does not have";
    TEMPLATE_ARTIFACT = "SG-T009", Error, "a template uses an artifact that its task does not produce";
    TEMPLATE_FILTER = "SG-T010", Error, "a filter, test or function that does not exist";
    TEMPLATE_KEY = "SG-T011", Error, "a template in the key of an object";
    TEMPLATE_SCOPE = "SG-T012", Error, "a name that is not available here";
    TEMPLATE_BRACES = "SG-T013", Error, "braces around a bare expression";
    TEMPLATE_TOO_LONG = "SG-T014", Error, "a template over the limit";

    // Plugins.
    UNKNOWN_PLUGIN = "SG-P001", Error, "a plugin that the project does not have";
    WRONG_ROLE = "SG-P002", Error, "a plugin of another role";
    CONFIG_NOT_TAKEN = "SG-P003", Error, "configuration for a plugin that takes none";
    CONFIG_SCHEMA = "SG-P004", Error, "configuration that the plugin's schema refuses";
    INPUT_SCHEMA = "SG-P005", Error, "a task's input that the agent's schema refuses";
    PLUGIN_SOURCE = "SG-P006", Error, "a plugin source that cannot be read";
    PLUGIN_UNAVAILABLE = "SG-P007", Error, "a plugin source that this version cannot use";
    BAD_SCHEMA = "SG-P008", Error, "a plugin whose own schema is broken";
    PLUGIN_NOT_LOADED = "SG-P009", Error, "a plugin that could not be loaded";

    // Authority.
    BAD_PATH = "SG-A001", Error, "a path that cannot be granted";
    POLICY_CONFLICT = "SG-A002", Error, "two rules of the policy that contradict each other";
    REFUSED = "SG-A003", Error, "authority that is not granted";
    BAD_PATTERN = "SG-A004", Error, "a rule of the policy that matches nothing";
    POLICY_RULE = "SG-A005", Error, "a rule of the policy that cannot be as written";
    POLICY_TWICE = "SG-A006", Error, "a name in the policy that is given twice";
    POLICY_UNKNOWN = "SG-A007", Error, "the policy refers to something that is not there";
    PRIVATE_ADDRESS = "SG-A008", Error, "an address that is not public";
    BAD_COMMAND = "SG-A009", Error, "a command that cannot be a rule";
    LIMIT_RAISED = "SG-A010", Error, "a task's limit over the project's";
    WORKSPACE = "SG-A011", Error, "a workspace that cannot do what is asked of it";
    TASK_BUDGET = "SG-A012", Error, "a task's budget over the run's";

    PRINCIPAL = "SG-A013", Error, "a principal that nobody can be";
    PRINCIPAL_TWICE = "SG-A014", Error, "two principals that are one";

    // What a planner proposed.
    DRAFT_ID = "SG-D001", Error, "a planner proposed an id that breaks the grammar";
    DRAFT_DUPLICATE = "SG-D002", Error, "a planner proposed one id twice";
    DRAFT_REPLACES = "SG-D003", Error, "a planner proposed a task that is already written";
    DRAFT_CONFUSABLE = "SG-D004", Error, "a planner proposed an id that looks like another";
    DRAFT_NEED = "SG-D005", Error, "a planner's task needs one that is not there";
    DRAFT_SELF_NEED = "SG-D006", Error, "a planner's task needs itself";
    DRAFT_CYCLE = "SG-D007", Error, "a planner's tasks need each other in a circle";
    DRAFT_AGENT = "SG-D008", Error, "a planner chose an agent that is not on offer";
    DRAFT_ARTIFACT = "SG-D009", Error, "a planner's task takes or makes an artifact that cannot be";
    DRAFT_TEMPLATE_TEXT = "SG-D010", Error, "template text where a planner may not put any";
    DRAFT_INPUT_SIZE = "SG-D011", Error, "a planner's input is too large or too deep";
    DRAFT_TEMPLATE = "SG-D012", Error, "a planner's template is wrong";
    DRAFT_INPUT = "SG-D013", Error, "a planner's input is refused by the agent's schema";
    DRAFT_TOO_MANY = "SG-D014", Error, "a planner proposed too many tasks";
    DRAFT_EMPTY = "SG-D015", Error, "a planner proposed nothing";
    DRAFT_TEXT = "SG-D016", Error, "a planner's title or rationale is too long";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let pages: BTreeSet<String> =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors"))
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .filter(|n| n.ends_with(".md"))
                .map(|n| n.trim_end_matches(".md").to_owned())
                .collect();
        let codes: BTreeSet<String> = Code::all().map(|c| c.as_str().to_owned()).collect();
        assert_eq!(codes, pages);
        assert_eq!(codes.len(), Code::all().count(), "a code is used twice");
    }

    #[test]
    fn pages_say_what_happened_and_what_to_do() {
        for code in Code::all() {
            let page = code.page();
            assert!(
                page.starts_with(&format!("# {code}: {}\n", code.title())),
                "{code}"
            );
            assert!(page.contains("\n## What to do\n"), "{code}");
            assert!(page.len() < 2000, "{code}: keep it brief");
        }
    }

    #[test]
    fn found_in_any_case() {
        assert_eq!(Code::find("sg-w006"), Some(Code::CYCLE));
        assert_eq!(Code::find("SG-W999"), None);
    }
}
