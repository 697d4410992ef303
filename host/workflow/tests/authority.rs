//! From files to grants: what a plan gets of a policy, what the report says of it, what a lock accepts.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use sandgate_model::{
    DraftPlan, DraftTask, FileMode, NeedKind, Plan, PluginName, RunBudget, Workspace,
};
use sandgate_workflow::{
    Catalog, Imports, Lock, PluginState, PolicyReport, Project, Source, Style, Workflow, check,
    compare, freeze, planner_grants, policy_report, read_lock, read_operator, read_project,
};
use std::collections::BTreeMap;
use support::{catalog, project};

fn workflow(text: &str, project: &Project) -> Workflow {
    let (workflow, found) = check(&Source::new("w.toml", text), project, Some(&catalog()));
    assert!(!found.has_errors(), "{}", found.render(Style::Plain));
    workflow.unwrap()
}

fn plan(text: &str, project: &Project) -> Plan {
    let workflow = workflow(text, project);
    freeze(&workflow, project, &catalog(), BTreeMap::new(), None, 1).unwrap()
}

fn operator(text: &str) -> sandgate_workflow::Operator {
    let (operator, found) = read_operator(&Source::new("operator.toml", text));
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
    operator.unwrap()
}

fn with_policy(policy: &str) -> Project {
    let text = format!(
        "[project]\nname = \"p\"\n[plugins]\nfetcher = {{ path = \"f.wasm\" }}\ngenerator = {{ path = \"t.wasm\" }}\n{policy}"
    );
    let (project, found) = read_project(&Source::new("sandgate.toml", text));
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
    project.unwrap()
}

const WORK: &str = r#"
name = "work"
goal = "Build and fetch"

[budget]
limit = 2.00
tokens = 5000
over = "ask"

[[task]]
id = "build"
agent = "builder"
workspace = "worktree"
merge = true
exec = ["test"]
limits = { memory = "32MiB", tokens = 1000000 }
budget = 0.50

[[task]]
id = "fetch"
agent = "fetcher"
http = ["https://api.example.com/v1/items/*"]
secrets = []

[[task]]
id = "think"
agent = "generator"
model = ["local/small"]
approval = "before"

[[gate]]
id = "shape"
use = "schema-gate"
config = { schema = {} }
workspace = "clone"
files = ["/notes"]
"#;

#[test]
fn a_plan_holds_what_files_say() {
    let plan = plan(WORK, &project());
    let [build, fetch, think] = plan.tasks.as_slice() else {
        panic!("{:?}", plan.tasks)
    };
    assert_eq!(
        plan.budget,
        Some(RunBudget {
            limit: 2_000_000,
            tokens: Some(5000),
            over: sandgate_model::OverBudget::Ask
        })
    );
    assert_eq!(build.budget, Some(500_000));
    assert_eq!(build.limits.memory, Some(32 << 20));
    assert_eq!(build.limits.tokens, None, "no lower than the project's");
    assert!(build.grants.merge && build.grants.workspace == Workspace::Worktree);
    let guests: Vec<&str> = build
        .grants
        .files
        .iter()
        .map(|f| f.guest.as_str())
        .collect();
    assert_eq!(guests, ["/project", "/out"]);
    assert!(build.grants.files.iter().all(|f| f.mode == FileMode::Write));
    assert_eq!(build.grants.exec[0].cwd.as_deref(), Some("/project"));
    assert_eq!(fetch.grants.http[0].path, "/v1/items/*");
    assert!(fetch.grants.secrets.is_empty() && fetch.grants.http_denied.is_empty());
    assert_eq!(think.grants.model[0].models, ["small"]);
    assert_eq!(plan.gates[0].grants.workspace, Workspace::Clone);
}

#[test]
fn what_a_planner_proposes_gets_no_more_than_what_is_written() {
    let project = project();
    let text = "name = \"w\"\ngoal = \"g\"\n[planner]\nuse = \"rules\"\nfiles = []\n";
    let workflow = workflow(text, &project);
    let rules = PluginName::new("rules").unwrap();
    let task = |agent: &str| DraftTask {
        id: agent.to_owned(),
        title: String::new(),
        agent: agent.to_owned(),
        input: serde_json::Value::Null,
        needs: vec![],
        consumes: vec![],
        produces: vec![],
    };
    let draft = |agents: &[&str]| DraftPlan {
        tasks: agents.iter().map(|a| task(a)).collect(),
        rationale: String::new(),
    };
    let made = |agents: &[&str], project: &Project| {
        let draft = Some((rules.clone(), draft(agents)));
        freeze(&workflow, project, &catalog(), BTreeMap::new(), draft, 1)
    };
    let plan = made(&["saver", "fetcher", "generator"], &project).unwrap();
    let saver = &plan.tasks[0].grants;
    assert_eq!(saver.workspace, Workspace::Shared);
    let hosts: Vec<&str> = saver.files.iter().map(|f| f.host.as_str()).collect();
    assert_eq!(hosts, ["out"], "never the project itself");
    assert_eq!(plan.tasks[1].grants.http_denied.len(), 1);
    // The operator's word holds for proposals, too, and what cannot be met is refused before anything runs.
    let lowered = project.under(&operator("[policy]\nmodel = \"none\"\n"));
    let refused = made(&["generator"], &lowered).unwrap_err();
    assert!(refused.to_string().contains("SG-A003"), "{refused}");
    let grants = planner_grants(&workflow, &rules, &lowered, &catalog()).unwrap();
    assert!(grants.files.is_empty());
}

#[test]
fn a_lower_operator_lowers_tasks_limits_too() {
    let lowered = project().under(&operator("[limits]\nmemory = \"16MiB\"\n"));
    let plan = plan(WORK, &lowered);
    assert_eq!(lowered.limits.memory, 16 << 20);
    assert_eq!(plan.tasks[0].limits.memory, None, "the operator's is lower");
}

fn imports(of: &[(&str, &[&str])]) -> Imports {
    of.iter()
        .map(|(name, list)| {
            let list = list.iter().map(|i| (*i).to_owned()).collect();
            (PluginName::new(name).unwrap(), list)
        })
        .collect()
}

fn report(text: &str, project: &Project) -> PolicyReport {
    let imports = imports(&[(
        "fetcher",
        &[
            "wasi:io/poll@0.2.12",
            "wasi:http/outgoing-handler@0.2.12",
            "sandgate:plugin/log@0.1.0",
        ],
    )]);
    policy_report(&workflow(text, project), project, &catalog(), &imports)
}

#[test]
fn the_report_says_what_from_where_and_why_not() {
    let report = report(WORK, &project());
    let json = serde_json::to_string_pretty(&report).unwrap() + "\n";
    let path = support::folder().join("work.policy.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &json).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), json);
}

#[test]
fn the_report_is_what_the_plan_gets() {
    let project = project();
    let (report, plan) = (report(WORK, &project), plan(WORK, &project));
    let mut compared = 0;
    for one in &report.uses {
        let grants = match one.subject.kind {
            "gate" => &plan.gates[0].grants,
            _ => {
                &plan
                    .tasks
                    .iter()
                    .find(|t| t.id.as_str() == one.subject.id)
                    .unwrap()
                    .grants
            }
        };
        let lines: Vec<&str> = one.grants.iter().map(|g| g.text.as_str()).collect();
        assert_eq!(lines, sandgate_authority::authority_lines(grants));
        compared += lines.len();
    }
    assert!(compared > 8, "{compared}");
}

/// The lock of a policy, after being written and read.
fn lock(policy: &str, imports: &Imports) -> Lock {
    let project = with_policy(policy);
    let all = catalog();
    let catalog: Catalog = all
        .plugins
        .into_iter()
        .filter(|(n, _)| project.plugins.contains_key(n))
        .collect();
    let lock = Lock::of(&project, &catalog, imports);
    let (read, found) = read_lock(&Source::new("sandgate.lock", lock.to_toml()));
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
    assert_eq!(read.as_ref(), Some(&lock));
    lock
}

#[test]
fn only_what_was_not_accepted_is_wider() {
    const LOCAL: &str = "[providers.local]\nkind = \"openai\"\nurl = \"http://127.0.0.1/v1\"\n";
    let base = "[policy]\nhttp = [{ allow = \"https://a.example/v1/*\", methods = [\"GET\"] }, { deny = \"https://a.example/v1/x\" }]\nmodel = [{ provider = \"local\", models = [\"*\"] }, { provider = \"local\", models = [\"large\"], approval = \"required\" }]\n";
    let cases = [
        ("the same", base.to_owned(), false),
        ("another method", base.replace("[\"GET\"]", "[\"GET\", \"POST\"]"), true),
        ("another path", base.replace("/v1/*", "/*"), true),
        ("redirects", base.replace("[\"GET\"]", "[\"GET\"], redirects = 1"), true),
        ("private addresses", base.replace("[\"GET\"]", "[\"GET\"], private = true"), true),
        ("an approval more", base.replace("[\"GET\"]", "[\"GET\"], approval = \"required\""), false),
        ("a denial more", base.replace("{ deny = \"https://a.example/v1/x\" }", "{ deny = \"https://a.example/v1/x\" }, { deny = \"https://a.example/v1/y\" }"), false),
        ("a denial less", base.replace(", { deny = \"https://a.example/v1/x\" }", ""), true),
        ("an approval less", base.replace(", approval = \"required\"", ""), true),
        ("the stricter rule gone", base.replace(", { provider = \"local\", models = [\"large\"], approval = \"required\" }", ""), true),
        ("a model less", base.replace("{ provider = \"local\", models = [\"*\"] }, ", ""), false),
        ("no requests at all", base.replace("http = [{ allow = \"https://a.example/v1/*\", methods = [\"GET\"] }, { deny = \"https://a.example/v1/x\" }]\n", ""), false),
        ("a secret", base.replace("[policy]\n", "[policy]\nsecrets = [{ name = \"KEY\", from = \"env\", to = \"https://a.example\" }]\n"), true),
    ];
    let none = Imports::new();
    let accepted = lock(&format!("{base}{LOCAL}"), &none);
    for (what, policy, wider) in &cases {
        let now = lock(&format!("{policy}{LOCAL}"), &none);
        let diff = compare(&accepted, &now);
        assert_eq!(diff.wider(), *wider, "{what}: {diff:#?}");
        assert_eq!(diff.is_empty(), *what == "the same", "{what}");
    }
    println!("{} changes of a policy compared with a lock", cases.len());
}

#[test]
fn plugins_imports_and_needs_that_were_not_accepted_are_wider() {
    let fetcher = PluginName::new("fetcher").unwrap();
    let with = |list: &[&str]| lock("", &imports(&[("fetcher", list)]));
    let accepted = with(&["wasi:io/poll@0.2.0", "wasi:http/types@0.2.0"]);
    // A newer version of the same interface, and what gives no authority.
    let newer = with(&[
        "wasi:io/poll@0.2.0",
        "wasi:http/types@0.2.9",
        "wasi:cli/stdout@0.2.0",
    ]);
    let diff = compare(&accepted, &newer);
    assert!(!diff.wider() && !diff.is_empty(), "{diff:#?}");
    for import in [
        "wasi:sockets/tcp@0.2.0",
        "sandgate:plugin/command@0.1.0",
        "acme:odd/thing",
    ] {
        let diff = compare(&accepted, &with(&["wasi:http/types@0.2.0", import]));
        assert_eq!(diff.plugins[&fetcher].wider.len(), 1, "{diff:#?}");
    }
    let mut other = accepted.clone();
    let plugin = other.plugins.get_mut(&fetcher).unwrap();
    plugin.digest = sandgate_model::Digest::of(b"another");
    let diff = compare(&accepted, &other);
    assert!(!diff.wider() && diff.plugins[&fetcher].digest.is_some());
    other
        .plugins
        .get_mut(&fetcher)
        .unwrap()
        .needs
        .push(NeedKind::Exec);
    assert!(compare(&accepted, &other).wider());
    assert!(compare(&Lock::default(), &accepted).wider());
    let gone = compare(&accepted, &Lock::default());
    assert!(!gone.wider());
    assert_eq!(gone.plugins[&fetcher].state, PluginState::Gone);
}

#[test]
fn a_lock_of_version_1_accepted_no_authority() {
    let digest = sandgate_model::Digest::of(b"fetcher");
    let text = format!(
        "version = 1\n[[plugin]]\nname = \"fetcher\"\ndigest = \"{digest}\"\nneeds = [\"http\", \"secrets\"]\n"
    );
    let (old, found) = read_lock(&Source::new("sandgate.lock", text));
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
    let policy = "[policy]\nhttp = [{ allow = \"https://a.example/*\", methods = [\"GET\"] }]\n";
    let diff = compare(&old.unwrap(), &lock(policy, &Imports::new()));
    let fetcher = &diff.plugins[&PluginName::new("fetcher").unwrap()];
    assert_eq!(fetcher.wider, ["it may get `http GET https://a.example/*`"]);
}

const RULED: &str = r#"
name = "ruled"
goal = "Build, fetch and think"

[[task]]
id = "build"
agent = "builder"
workspace = "worktree"
exec = ["test"]
approval = "both"

[[task]]
id = "fetch"
agent = "fetcher"
secrets = []
approval = "later"

[[task]]
id = "think"
agent = "generator"

[[task]]
id = "buy"
agent = "buyer"

[[task]]
id = "ask"
agent = "asker"

[[approval]]
name = "uses"
on = ["http", "exec", "model", "charge"]
roles = ["owner", "lead", "owner"]
count = 2
timeout = "1h"
escalate = "owner"

[[approval]]
name = "later"
on = ["result"]
self_approval = false

[[approval]]
name = "both"
on = ["result", "task"]
"#;

fn open_project() -> Project {
    let text = std::fs::read_to_string(support::folder().join("sandgate.toml")).unwrap();
    let text = text.replacen("[policy]", "[policy]\ncharge = true\nquestion = true", 1);
    let (project, found) = read_project(&Source::new("sandgate.toml", text));
    assert!(found.is_empty(), "{}", found.render(Style::Plain));
    project.unwrap()
}

#[test]
fn rules_apply_by_themselves() {
    let project = open_project();
    let workflow = workflow(RULED, &project);
    let plan = freeze(&workflow, &project, &catalog(), BTreeMap::new(), None, 1).unwrap();
    let [build, fetch, think, buy, ask] = plan.tasks.as_slice() else {
        panic!("{plan:?}")
    };
    for (task, kind) in [
        (build, NeedKind::Exec),
        (fetch, NeedKind::Http),
        (think, NeedKind::Model),
        (buy, NeedKind::Budget),
    ] {
        assert!(task.grants.always_asks(kind), "{task:?}");
        assert!(task.grants.may_wait());
    }
    assert!(ask.grants.question && ask.grants.may_wait());
    assert!(!plan.review && plan.review_rule.is_none());
    let decided = |t: &sandgate_model::PlanTask| {
        (t.approval_before, t.approval_after, t.approval_rule.clone())
    };
    assert_eq!(decided(build), (true, false, Some("both".to_owned())));
    assert_eq!(decided(fetch), (false, true, Some("later".to_owned())));
    assert_eq!(decided(think), (false, false, None));

    // Without the rule none of them asks.
    let free = RULED.replace(
        "on = [\"http\", \"exec\", \"model\", \"charge\"]",
        "on = [\"plan\"]",
    );
    let plan = self::plan(&free, &project);
    assert!(plan.tasks[..4].iter().all(|t| !t.grants.may_wait()));
    assert!(plan.review && plan.review_rule.is_none());
}

#[test]
fn a_run_keeps_the_rules_and_the_report_names_them() {
    use sandgate_model::{Millis, Rule, RuleOn, RuleTimeout};
    let project = open_project();
    let workflow = workflow(RULED, &project);
    let rules = workflow.rules();
    assert_eq!(
        rules[0],
        Rule {
            name: "uses".to_owned(),
            on: vec![RuleOn::Exec, RuleOn::Http, RuleOn::Model, RuleOn::Charge],
            roles: vec!["lead".to_owned(), "owner".to_owned()],
            count: 2,
            timeout: Some(Millis(3_600_000)),
            on_timeout: RuleTimeout::Escalate("owner".to_owned()),
            self_approval: true,
        }
    );
    assert_eq!(rules[1].on_timeout, RuleTimeout::Reject);
    assert!(!rules[1].self_approval && rules[2].self_approval);

    let report = policy_report(&workflow, &project, &catalog(), &Imports::default());
    let asks: Vec<String> = report
        .asks
        .iter()
        .map(|a| format!("{} {} [{}]", a.on, a.what, a.rules.join(",")))
        .collect();
    let has = |part: &str| asks.iter().any(|a| a.starts_with(part));
    assert!(
        has("task build [both]") && has("result fetch [later]"),
        "{asks:#?}"
    );
    assert!(
        has("charge charge the budget (approval) [uses]"),
        "{asks:#?}"
    );
    assert!(has("question task `ask` []"), "{asks:#?}");
    for kind in ["exec", "http", "model"] {
        assert!(
            asks.iter()
                .any(|a| a.starts_with(kind) && a.ends_with("(approval) [uses]")),
            "{asks:#?}"
        );
    }
    // A line that the workflow made stricter still says which rule of the policy it comes from.
    for used in &report.uses {
        for line in &used.grants {
            assert!(line.kind.is_none() || line.from.is_some(), "{line:?}");
        }
    }
}

#[test]
fn people_are_found_by_user_and_by_token() {
    let project = project();
    assert_eq!(project.principal_of_user("ann").unwrap().name, "ann");
    let bob = project
        .principal_of_token(sandgate_model::Digest::of(b"test"))
        .unwrap();
    assert_eq!(
        (bob.name.as_str(), bob.has("lead"), bob.has("owner")),
        ("bob", true, false)
    );
    assert_eq!(project.principal("bob"), Some(bob));
    assert!(
        project.principal_of_user("bob").is_none(),
        "bob has a token and no user"
    );
    assert!(project.principal_of_user("").is_none());
    assert!(
        project
            .principal_of_token(sandgate_model::Digest::of(b""))
            .is_none()
    );
}
