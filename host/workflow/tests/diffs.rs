//! What changed between two plans: nothing is left out, and the lines read like the change.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail like tests"
)]

mod support;

use proptest::prelude::*;
use sandgate_model::{
    ArtifactName, ArtifactRef, Digest, ExecGrant, FileGrant, FileMode, HttpGrant, Millis,
    ModelGrant, OnFailure, Plan, PluginName, RunBudget, Scheme, Session, SessionName, TaskId,
    TaskIx, TaskWork, Workspace,
};
use sandgate_workflow::{Source, TaskChange, check, freeze, plan_diff, replan_within};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{catalog, folder, project};

/// A plan with everything in it.
fn full() -> Plan {
    let text = std::fs::read_to_string(folder().join("valid/every-key.toml")).unwrap();
    let (workflow, found) = check(
        &Source::new("every-key.toml", text),
        &project(),
        Some(&catalog()),
    );
    assert!(found.is_empty(), "{found:?}");
    let workflow = workflow.unwrap();
    let inputs = workflow.bind_inputs(&BTreeMap::new()).unwrap();
    let mut plan = freeze(&workflow, &project(), &catalog(), inputs, None, 1).unwrap();
    plan.tasks[0].grants.exec.push(exec());
    plan.tasks[0].grants.http.push(http());
    plan.tasks[0].grants.http_denied.push(http());
    plan
}

fn exec() -> ExecGrant {
    ExecGrant {
        name: "test".to_owned(),
        program: "cargo".to_owned(),
        args: vec!["test".to_owned()],
        cwd: None,
        env: BTreeMap::new(),
        secrets: vec![],
        network: false,
        read: vec![],
        timeout: Some(Millis(1000)),
        approval: true,
    }
}

fn http() -> HttpGrant {
    HttpGrant {
        scheme: Scheme::Https,
        host: "api.example.com".to_owned(),
        port: 443,
        path: "/v1/*".to_owned(),
        methods: vec!["GET".to_owned()],
        private: false,
        redirects: 0,
        approval: false,
    }
}

fn input(plan: &mut Plan) -> &mut Value {
    match &mut plan.tasks[1].work {
        TaskWork::Agent { input, .. } => input,
        TaskWork::Wait(_) => unreachable!(),
    }
}

type Change = (&'static str, fn(&mut Plan));

/// Each changes one thing.
const CHANGES: &[Change] = &[
    ("goal", |p| p.goal.push('!')),
    ("planner", |p| {
        p.planner = Some(PluginName::new("rules").unwrap())
    }),
    ("rationale", |p| p.rationale = "because".to_owned()),
    ("input", |p| {
        p.inputs.insert("more".to_owned(), Value::Null);
    }),
    ("digest", |p| {
        p.plugins.values_mut().next().unwrap().digest = Digest::of(b"other")
    }),
    ("plugin", |p| {
        p.plugins.pop_first();
    }),
    ("concurrency", |p| p.concurrency += 1),
    ("failure", |p| p.on_failure = OnFailure::Continue),
    ("run timeout", |p| p.timeout = None),
    ("review", |p| p.review = false),
    ("review rule", |p| {
        p.review_rule = Some("lead-signs".to_owned())
    }),
    ("budget", |p| {
        p.budget = p.budget.map(|b| RunBudget {
            limit: b.limit + 1,
            ..b
        })
    }),
    ("tokens", |p| {
        p.budget = p.budget.map(|b| RunBudget { tokens: None, ..b })
    }),
    ("over", |p| {
        p.budget = p.budget.map(|b| RunBudget {
            over: sandgate_model::OverBudget::Refuse,
            ..b
        })
    }),
    ("no budget", |p| p.budget = None),
    ("title", |p| p.tasks[0].title.clear()),
    ("task", |p| {
        p.tasks.pop();
    }),
    ("rename", |p| p.tasks[3].id = TaskId::new("other").unwrap()),
    ("order", |p| p.tasks.swap(0, 1)),
    ("gates", |p| p.gates.swap(0, 1)),
    ("gate", |p| {
        p.gates.pop();
    }),
    ("gate tier", |p| p.gates[0].tier = 9),
    ("gate config", |p| p.gates[0].config = Value::Null),
    ("gate timeout", |p| p.gates[0].timeout = Millis(1)),
    ("gate grants", |p| p.gates[0].grants.question = true),
    ("value", |p| input(p)["rows"] = json!(["a"])),
    ("list or table", |p| input(p)["rows"] = json!({"0": "a"})),
    ("odd key", |p| input(p)["rows[0]"] = json!("a")),
    ("deep", |p| {
        input(p)["x"] = json!({"a": {"b": [1, {"c/d": null}]}})
    }),
    ("session", |p| {
        if let TaskWork::Agent { session, .. } = &mut p.tasks[0].work {
            *session = Session::Pinned(SessionName::new("s").unwrap());
        }
    }),
    ("needs", |p| p.tasks[1].needs.clear()),
    ("consumes", |p| {
        p.tasks[1].consumes.push(ArtifactRef {
            task: TaskIx(0),
            name: ArtifactName::new("page.md").unwrap(),
        })
    }),
    ("produces", |p| p.tasks[1].produces.clear()),
    ("when", |p| p.tasks[1].when = None),
    ("for_each", |p| p.tasks[0].for_each = None),
    ("attempts", |p| p.tasks[1].retry.attempts = 7),
    ("backoff", |p| p.tasks[1].retry.backoff = Millis(7)),
    ("max_backoff", |p| {
        p.tasks[1].retry.max_backoff = Millis(7777)
    }),
    ("timeout", |p| p.tasks[1].timeout = Millis(7)),
    ("priority", |p| p.tasks[1].priority = -1),
    ("repeatable", |p| p.tasks[1].repeatable = true),
    ("before", |p| p.tasks[0].approval_before = true),
    ("after", |p| p.tasks[0].approval_after = true),
    ("rule", |p| p.tasks[1].approval_rule = None),
    ("task budget", |p| p.tasks[2].budget = None),
    ("limits", |p| p.tasks[2].limits.calls = Some(1)),
    ("match", |p| {
        if let TaskWork::Wait(w) = &mut p.tasks[3].work {
            w.matches.clear();
        }
    }),
    ("wait timeout", |p| {
        if let TaskWork::Wait(w) = &mut p.tasks[3].work {
            w.timeout = None;
        }
    }),
    ("workspace", |p| {
        p.tasks[0].grants.workspace = Workspace::Clone
    }),
    ("merge", |p| p.tasks[2].grants.merge = false),
    ("files", |p| {
        p.tasks[0].grants.files.push(FileGrant {
            host: "x".to_owned(),
            guest: "/x".to_owned(),
            mode: FileMode::Write,
        })
    }),
    ("http", |p| p.tasks[0].grants.http[0].path = "/*".to_owned()),
    ("private", |p| p.tasks[0].grants.http[0].private = true),
    ("redirects", |p| p.tasks[0].grants.http[0].redirects = 3),
    ("http approval", |p| {
        p.tasks[0].grants.http[0].approval = true
    }),
    ("denial", |p| p.tasks[0].grants.http_denied.clear()),
    ("exec args", |p| {
        p.tasks[0].grants.exec[0].args.push("x".to_owned())
    }),
    ("exec approval", |p| {
        p.tasks[0].grants.exec[0].approval = false
    }),
    ("exec timeout", |p| p.tasks[0].grants.exec[0].timeout = None),
    ("exec network", |p| p.tasks[0].grants.exec[0].network = true),
    ("model", |p| {
        p.tasks[0].grants.model.push(ModelGrant {
            provider: "local".to_owned(),
            models: vec!["*".to_owned()],
            approval: false,
        })
    }),
    ("charge", |p| p.tasks[0].grants.budget = true),
    ("charge approval", |p| {
        p.tasks[0].grants.budget_approval = true
    }),
    ("question", |p| p.tasks[0].grants.question = true),
];

#[test]
fn no_change_is_left_out() {
    let old = full();
    assert!(plan_diff(&old, &old).is_empty());
    assert_eq!(
        plan_diff(
            &old,
            &Plan {
                revision: 9,
                ..old.clone()
            }
        )
        .lines,
        [""; 0]
    );
    for (what, change) in CHANGES {
        let mut new = old.clone();
        change(&mut new);
        assert_ne!(new.digest().unwrap(), old.digest().unwrap(), "{what}");
        for (a, b) in [(&old, &new), (&new, &old)] {
            let diff = plan_diff(a, b);
            assert!(!diff.is_empty() && !diff.lines.is_empty(), "{what}");
        }
    }
    println!("{} changes of a plan, 0 not shown", CHANGES.len());
}

proptest! {
    /// Of two plans with changes by chance, the difference is empty exactly when they have one digest.
    #[test]
    fn empty_means_equal(
        a in prop::collection::vec(0..CHANGES.len(), 0..3),
        b in prop::collection::vec(0..CHANGES.len(), 0..3),
    ) {
        let make = |changes: &[usize]| {
            let mut plan = full();
            for at in changes {
                // One that took away what another would change.
                let enough = plan.tasks.len() == 4 && plan.gates.len() == 2;
                let swapped = changes.iter().any(|c| matches!(CHANGES[*c].0, "order" | "gates"));
                if enough && !swapped {
                    (CHANGES[*at].1)(&mut plan);
                }
            }
            plan
        };
        let (a, b) = (make(&a), make(&b));
        prop_assert_eq!(plan_diff(&a, &b).is_empty(), a.digest().unwrap() == b.digest().unwrap());
    }
}

#[test]
fn the_lines_read_like_the_change() {
    let old = full();
    let mut new = old.clone();
    new.revision = 2;
    new.concurrency = 2;
    new.plugins.values_mut().next().unwrap().digest = Digest::of(b"other");
    input(&mut new)["limit"] = json!("free\u{1b}[2J\u{202e}");
    input(&mut new)["note"] = json!(format!("{}tail", "x".repeat(4000)));
    new.tasks[1].needs.clear();
    new.tasks[0].grants.exec[0].approval = false;
    new.tasks[0].grants.http[0].approval = true;
    new.tasks[0].grants.http_denied.clear();
    new.tasks[0].grants.workspace = Workspace::Clone;
    new.tasks.remove(3);
    let mut mail = new.tasks[2].clone();
    mail.id = TaskId::new("mail").unwrap();
    mail.needs = vec![TaskIx(0)];
    new.tasks.push(mail);
    let diff = plan_diff(&old, &new);
    let kinds: Vec<(&str, TaskChange)> = diff
        .tasks
        .iter()
        .map(|t| (t.id.as_str(), t.change))
        .collect();
    assert_eq!(
        kinds,
        [
            ("look", TaskChange::Changed),
            ("compare-all", TaskChange::Changed),
            ("mail", TaskChange::Added),
            ("released", TaskChange::Removed),
        ]
    );
    let expected = folder().join("diff.expected");
    let found = format!("{}\n", diff.lines.join("\n"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&expected, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&expected).unwrap());
    assert!(!found.contains(['\u{1b}', '\u{202e}']));
    assert!(diff.lines.iter().all(|l| l.chars().count() < 600));
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json["tasks"][0]["change"], "changed");
}

#[test]
fn a_plan_that_is_made_again_stays_within_the_first() {
    let first = full();
    assert_eq!(replan_within(&first, &first), Ok(()));
    let mut less = first.clone();
    less.tasks[0].grants.exec.clear();
    less.tasks.pop();
    assert_eq!(replan_within(&less, &first), Ok(()));
    let refusals = replan_within(&first, &less).unwrap_err();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(
        refusals[0]
            .message
            .starts_with("task `look` would get exec `test`"),
        "{refusals:?}"
    );
    // A plugin that was not there gets nothing; one without authority may come.
    let mut other = first.clone();
    if let TaskWork::Agent { agent, .. } = &mut other.tasks[0].work {
        *agent = PluginName::new("writer").unwrap();
    }
    assert!(replan_within(&other, &first).is_err());
    other.tasks[0].grants = Default::default();
    assert_eq!(replan_within(&other, &first), Ok(()));
}
